//! Results of the metadata calls, in Hive's columns.

use arrow_array::{
    ArrayRef, BooleanArray, Int8Array, Int16Array, Int32Array, RecordBatch, StringArray,
};
use arrow_schema::{ArrowError, DataType, Field, Schema};
use hs2_proto::rowset::arrow::{HIVE_TYPE, table_schema};
use hs2_proto::tcli::{
    ColumnDesc, GetColumnsReq, GetSchemasReq, GetTablesReq, ProtocolVersion, TypeEntry, TypeId,
    TypeQualifiers,
};
use std::sync::Arc;

use super::pattern::Pattern;
use crate::engine::{Database, Table, TableKind};

/// A result, or why its columns do not fit together.
pub(super) type Batch = Result<RecordBatch, ArrowError>;

const TEXT: DataType = DataType::Utf8;
const INT: DataType = DataType::Int32;

/// Hive has no catalogs, and says so with an empty list.
pub(super) fn catalogs() -> Batch {
    nothing([("TABLE_CAT", TEXT)])
}

pub(super) fn table_types() -> Batch {
    batch([("TABLE_TYPE", texts([Some("TABLE"), Some("VIEW")]))])
}

/// Functions are not listed: the engine does not say which it has.
pub(super) fn functions() -> Batch {
    nothing([
        ("FUNCTION_CAT", TEXT),
        ("FUNCTION_SCHEM", TEXT),
        ("FUNCTION_NAME", TEXT),
        ("REMARKS", TEXT),
        ("FUNCTION_TYPE", INT),
        ("SPECIFIC_NAME", TEXT),
    ])
}

/// Tables have no keys here.
pub(super) fn primary_keys() -> Batch {
    nothing([
        ("TABLE_CAT", TEXT),
        ("TABLE_SCHEM", TEXT),
        ("TABLE_NAME", TEXT),
        ("COLUMN_NAME", TEXT),
        ("KEY_SEQ", INT),
        ("PK_NAME", TEXT),
    ])
}

/// Tables have no keys here.
pub(super) fn cross_reference() -> Batch {
    nothing([
        ("PKTABLE_CAT", TEXT),
        ("PKTABLE_SCHEM", TEXT),
        ("PKTABLE_NAME", TEXT),
        ("PKCOLUMN_NAME", TEXT),
        ("FKTABLE_CAT", TEXT),
        ("FKTABLE_SCHEM", TEXT),
        ("FKTABLE_NAME", TEXT),
        ("FKCOLUMN_NAME", TEXT),
        // Spelled so by Hive.
        ("KEQ_SEQ", INT),
        ("UPDATE_RULE", INT),
        ("DELETE_RULE", INT),
        ("FK_NAME", TEXT),
        ("PK_NAME", TEXT),
        ("DEFERRABILITY", INT),
    ])
}

pub(super) fn schemas(databases: &[Database], req: &GetSchemasReq) -> Batch {
    let pattern = Pattern::new(req.schema_name.as_deref());
    let names: Vec<_> = sorted(databases, |database| &database.name)
        .into_iter()
        .filter(|database| pattern.matches(&database.name))
        .map(|database| Some(database.name.as_str()))
        .collect();
    let catalogs = vec![Some(""); names.len()];
    batch([
        ("TABLE_SCHEM", texts(names)),
        ("TABLE_CATALOG", texts(catalogs)),
    ])
}

pub(super) fn tables(databases: &[Database], req: &GetTablesReq) -> Batch {
    let wanted = |table: &Table| {
        let word = table_type(table.kind);
        // A word of Hive's own mapping means the same.
        let own = match table.kind {
            TableKind::Managed => "MANAGED_TABLE",
            TableKind::External => "EXTERNAL_TABLE",
            TableKind::View => "VIRTUAL_VIEW",
        };
        let is =
            |asked: &String| asked.eq_ignore_ascii_case(word) || asked.eq_ignore_ascii_case(own);
        req.table_types
            .as_ref()
            .is_none_or(|types| types.is_empty() || types.iter().any(is))
    };
    let found = find(
        databases,
        req.schema_name.as_deref(),
        req.table_name.as_deref(),
    );
    let found: Vec<_> = found
        .into_iter()
        .filter(|(_, table)| wanted(table))
        .collect();
    let column = |value: fn(&str, &Table) -> Option<String>| {
        texts(found.iter().map(|(database, table)| value(database, table)))
    };
    let null = || column(|_, _| None);
    batch([
        ("TABLE_CAT", column(|_, _| Some(String::new()))),
        (
            "TABLE_SCHEM",
            column(|database, _| Some(database.to_owned())),
        ),
        ("TABLE_NAME", column(|_, table| Some(table.name.clone()))),
        (
            "TABLE_TYPE",
            column(|_, table| Some(table_type(table.kind).to_owned())),
        ),
        (
            "REMARKS",
            column(|_, table| Some(table.comment.clone().unwrap_or_default())),
        ),
        ("TYPE_CAT", null()),
        ("TYPE_SCHEM", null()),
        ("TYPE_NAME", null()),
        ("SELF_REFERENCING_COL_NAME", null()),
        ("REF_GENERATION", null()),
    ])
}

pub(super) fn columns(databases: &[Database], req: &GetColumnsReq) -> Batch {
    struct Row<'a> {
        database: &'a str,
        table: &'a str,
        name: &'a str,
        described: Described,
        comment: String,
        position: i32,
    }
    let pattern = Pattern::new(req.column_name.as_deref());
    let mut rows = Vec::new();
    for (database, table) in find(
        databases,
        req.schema_name.as_deref(),
        req.table_name.as_deref(),
    ) {
        // A column that no client can be sent can still be listed by name.
        let described = table_schema(&table.schema, ProtocolVersion::LATEST)
            .map(|schema| schema.columns)
            .unwrap_or_default();
        for ((position, field), index) in (1..).zip(table.schema.fields()).zip(0..) {
            if pattern.matches(field.name()) {
                let described = Described::of(field, described.get::<usize>(index));
                let comment = field.metadata().get("comment").cloned().unwrap_or_default();
                rows.push(Row {
                    database,
                    table: &table.name,
                    name: field.name(),
                    described,
                    comment,
                    position,
                });
            }
        }
    }
    let text = |value: fn(&Row<'_>) -> Option<String>| texts(rows.iter().map(value));
    let int = |value: fn(&Row<'_>) -> Option<i32>| ints(rows.iter().map(value));
    batch([
        ("TABLE_CAT", text(|_| None)),
        ("TABLE_SCHEM", text(|row| Some(row.database.to_owned()))),
        ("TABLE_NAME", text(|row| Some(row.table.to_owned()))),
        ("COLUMN_NAME", text(|row| Some(row.name.to_owned()))),
        ("DATA_TYPE", int(|row| Some(row.described.java_type))),
        ("TYPE_NAME", text(|row| Some(row.described.name.clone()))),
        ("COLUMN_SIZE", int(|row| row.described.size)),
        (
            "BUFFER_LENGTH",
            Arc::new(Int8Array::from(vec![None; rows.len()])),
        ),
        ("DECIMAL_DIGITS", int(|row| row.described.digits)),
        ("NUM_PREC_RADIX", int(|row| row.described.radix)),
        ("NULLABLE", int(|_| Some(1))),
        ("REMARKS", text(|row| Some(row.comment.clone()))),
        ("COLUMN_DEF", text(|_| None)),
        ("SQL_DATA_TYPE", int(|_| None)),
        ("SQL_DATETIME_SUB", int(|_| None)),
        ("CHAR_OCTET_LENGTH", int(|_| None)),
        ("ORDINAL_POSITION", int(|row| Some(row.position))),
        ("IS_NULLABLE", text(|_| Some("YES".to_owned()))),
        ("SCOPE_CATALOG", text(|_| None)),
        ("SCOPE_SCHEMA", text(|_| None)),
        ("SCOPE_TABLE", text(|_| None)),
        (
            "SOURCE_DATA_TYPE",
            Arc::new(Int16Array::from(vec![None; rows.len()])),
        ),
        ("IS_AUTO_INCREMENT", text(|_| Some("NO".to_owned()))),
    ])
}

pub(super) fn type_info() -> Batch {
    let complex = |id: TypeId| {
        matches!(
            id,
            TypeId::ARRAY | TypeId::MAP | TypeId::STRUCT | TypeId::UNION | TypeId::USER_DEFINED
        )
    };
    let smallints = |value: &dyn Fn(TypeId) -> Option<i16>| -> ArrayRef {
        Arc::new(Int16Array::from_iter(
            TYPES.iter().map(|(id, _)| value(*id)),
        ))
    };
    let bools = |value: &dyn Fn(TypeId, Option<i32>) -> bool| -> ArrayRef {
        Arc::new(BooleanArray::from_iter(
            TYPES
                .iter()
                .map(|(id, precision)| Some(value(*id, *precision))),
        ))
    };
    let null_text = || texts(TYPES.iter().map(|_| None::<&str>));
    let null_int = || ints(TYPES.iter().map(|_| None));
    batch([
        (
            "TYPE_NAME",
            texts(TYPES.iter().map(|(id, _)| Some(type_word(*id)))),
        ),
        (
            "DATA_TYPE",
            ints(TYPES.iter().map(|(id, _)| Some(java_type(*id)))),
        ),
        (
            "PRECISION",
            ints(TYPES.iter().map(|(_, precision)| *precision)),
        ),
        ("LITERAL_PREFIX", null_text()),
        ("LITERAL_SUFFIX", null_text()),
        ("CREATE_PARAMS", null_text()),
        ("NULLABLE", smallints(&|_| Some(1))),
        ("CASE_SENSITIVE", bools(&|id, _| id == TypeId::STRING)),
        (
            "SEARCHABLE",
            smallints(&|id| Some(if complex(id) { 0 } else { 3 })),
        ),
        (
            "UNSIGNED_ATTRIBUTE",
            bools(&|_, precision| precision.is_none()),
        ),
        ("FIXED_PREC_SCALE", bools(&|_, _| false)),
        ("AUTO_INCREMENT", bools(&|_, _| false)),
        ("LOCAL_TYPE_NAME", null_text()),
        ("MINIMUM_SCALE", smallints(&|_| Some(0))),
        ("MAXIMUM_SCALE", smallints(&|_| Some(0))),
        ("SQL_DATA_TYPE", null_int()),
        ("SQL_DATETIME_SUB", null_int()),
        (
            "NUM_PREC_RADIX",
            ints(TYPES.iter().map(|(_, precision)| precision.map(|_| 10))),
        ),
    ])
}

/// Types in Hive's order, each with its precision if it is a number.
const TYPES: [(TypeId, Option<i32>); 23] = [
    (TypeId::NULL, None),
    (TypeId::BOOLEAN, None),
    (TypeId::TINYINT, Some(3)),
    (TypeId::SMALLINT, Some(5)),
    (TypeId::INT, Some(10)),
    (TypeId::BIGINT, Some(19)),
    (TypeId::FLOAT, Some(7)),
    (TypeId::DOUBLE, Some(15)),
    (TypeId::STRING, None),
    (TypeId::CHAR, None),
    (TypeId::VARCHAR, None),
    (TypeId::DATE, None),
    (TypeId::TIMESTAMP, None),
    (TypeId::TIMESTAMP_LOCAL_TZ, None),
    (TypeId::INTERVAL_YEAR_MONTH, None),
    (TypeId::INTERVAL_DAY_TIME, None),
    (TypeId::BINARY, None),
    (TypeId::DECIMAL, Some(38)),
    (TypeId::ARRAY, None),
    (TypeId::MAP, None),
    (TypeId::STRUCT, None),
    (TypeId::UNION, None),
    (TypeId::USER_DEFINED, None),
];

/// A column's type as GetColumns tells it.
struct Described {
    java_type: i32,
    name: String,
    size: Option<i32>,
    digits: Option<i32>,
    radix: Option<i32>,
}

impl Described {
    fn of(field: &Field, described: Option<&ColumnDesc>) -> Self {
        let entry = described.and_then(|column| column.type_desc.types.first());
        let (id, qualifiers) = match entry {
            Some(TypeEntry::Primitive(entry)) => (entry.type_id, entry.type_qualifiers.as_ref()),
            _ => (TypeId::USER_DEFINED, None),
        };
        let number = |key| qualifiers.and_then(|qualifiers| qualifiers.number(key));
        let (size, digits) = match id {
            TypeId::TINYINT => (Some(3), Some(0)),
            TypeId::SMALLINT => (Some(5), Some(0)),
            TypeId::INT => (Some(10), Some(0)),
            TypeId::BIGINT => (Some(19), Some(0)),
            TypeId::FLOAT => (Some(7), Some(7)),
            TypeId::DOUBLE => (Some(15), Some(15)),
            TypeId::DECIMAL => (
                number(TypeQualifiers::PRECISION),
                number(TypeQualifiers::SCALE),
            ),
            TypeId::BOOLEAN => (None, Some(0)),
            TypeId::STRING | TypeId::BINARY => (Some(i32::MAX), None),
            TypeId::CHAR | TypeId::VARCHAR => {
                (number(TypeQualifiers::CHARACTER_MAXIMUM_LENGTH), None)
            }
            TypeId::DATE => (Some(10), None),
            TypeId::TIMESTAMP => (Some(29), Some(9)),
            TypeId::TIMESTAMP_LOCAL_TZ => (Some(31), None),
            _ => (None, None),
        };
        let is_number = matches!(
            id,
            TypeId::TINYINT
                | TypeId::SMALLINT
                | TypeId::INT
                | TypeId::BIGINT
                | TypeId::FLOAT
                | TypeId::DOUBLE
                | TypeId::DECIMAL
        );
        let name = match id {
            TypeId::ARRAY | TypeId::MAP | TypeId::STRUCT | TypeId::UNION => declared(field),
            _ => type_word(id).to_owned(),
        };
        Self {
            java_type: java_type(id),
            name,
            size,
            digits,
            radix: is_number.then_some(10),
        }
    }
}

/// A type as it is declared, in lower case: `array<int>`.
fn declared(field: &Field) -> String {
    if let Some(text) = field.metadata().get(HIVE_TYPE) {
        return text.to_lowercase();
    }
    match field.data_type() {
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            format!("array<{}>", declared(item))
        }
        DataType::Struct(fields) => {
            let fields = fields
                .iter()
                .map(|field| format!("{}:{}", field.name().to_lowercase(), declared(field)));
            format!("struct<{}>", fields.collect::<Vec<_>>().join(","))
        }
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(fields) => {
                format!(
                    "map<{}>",
                    fields
                        .iter()
                        .map(|field| declared(field))
                        .collect::<Vec<_>>()
                        .join(",")
                )
            }
            _ => "map".to_owned(),
        },
        DataType::Decimal128(precision, scale) | DataType::Decimal256(precision, scale) => {
            format!("decimal({precision},{scale})")
        }
        _ => {
            let schema = table_schema(&Schema::new(vec![field.clone()]), ProtocolVersion::LATEST);
            let described = schema
                .ok()
                .and_then(|schema| schema.columns.into_iter().next());
            Described::of(field, described.as_ref()).name.to_lowercase()
        }
    }
}

/// The word that GetTables and GetTableTypes use.
const fn table_type(kind: TableKind) -> &'static str {
    match kind {
        TableKind::Managed | TableKind::External => "TABLE",
        TableKind::View => "VIEW",
    }
}

/// A type's name without what stands in its brackets.
const fn type_word(id: TypeId) -> &'static str {
    match id {
        TypeId::NULL => "VOID",
        TypeId::BOOLEAN => "BOOLEAN",
        TypeId::TINYINT => "TINYINT",
        TypeId::SMALLINT => "SMALLINT",
        TypeId::INT => "INT",
        TypeId::BIGINT => "BIGINT",
        TypeId::FLOAT => "FLOAT",
        TypeId::DOUBLE => "DOUBLE",
        TypeId::STRING => "STRING",
        TypeId::CHAR => "CHAR",
        TypeId::VARCHAR => "VARCHAR",
        TypeId::DATE => "DATE",
        TypeId::TIMESTAMP => "TIMESTAMP",
        TypeId::TIMESTAMP_LOCAL_TZ => "TIMESTAMP WITH LOCAL TIME ZONE",
        TypeId::INTERVAL_YEAR_MONTH => "INTERVAL_YEAR_MONTH",
        TypeId::INTERVAL_DAY_TIME => "INTERVAL_DAY_TIME",
        TypeId::BINARY => "BINARY",
        TypeId::DECIMAL => "DECIMAL",
        TypeId::ARRAY => "ARRAY",
        TypeId::MAP => "MAP",
        TypeId::STRUCT => "STRUCT",
        TypeId::UNION => "UNIONTYPE",
        _ => "USER_DEFINED",
    }
}

/// The constant of `java.sql.Types`.
const fn java_type(id: TypeId) -> i32 {
    match id {
        TypeId::NULL => 0,
        TypeId::BOOLEAN => 16,
        TypeId::TINYINT => -6,
        TypeId::SMALLINT => 5,
        TypeId::INT => 4,
        TypeId::BIGINT => -5,
        TypeId::FLOAT => 6,
        TypeId::DOUBLE => 8,
        TypeId::STRING | TypeId::VARCHAR => 12,
        TypeId::CHAR => 1,
        TypeId::DATE => 91,
        TypeId::TIMESTAMP => 93,
        TypeId::BINARY => -2,
        TypeId::DECIMAL => 3,
        TypeId::ARRAY => 2003,
        TypeId::MAP => 2000,
        TypeId::STRUCT => 2002,
        // OTHER.
        _ => 1111,
    }
}

/// Tables whose names match, in the order of their names.
fn find<'a>(
    databases: &'a [Database],
    schema: Option<&str>,
    table: Option<&str>,
) -> Vec<(&'a str, &'a Table)> {
    let (schema, table) = (Pattern::new(schema), Pattern::new(table));
    let mut found = Vec::new();
    for database in sorted(databases, |database| &database.name) {
        if schema.matches(&database.name) {
            let tables = sorted(&database.tables, |table| &table.name).into_iter();
            found.extend(
                tables
                    .filter(|t| table.matches(&t.name))
                    .map(|table| (database.name.as_str(), table)),
            );
        }
    }
    found
}

fn sorted<T>(items: &[T], name: impl Fn(&T) -> &String) -> Vec<&T> {
    let mut items: Vec<_> = items.iter().collect();
    items.sort_by(|a, b| name(a).cmp(name(b)));
    items
}

fn batch<const N: usize>(columns: [(&str, ArrayRef); N]) -> Batch {
    RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, array)| (name, array, true)),
    )
}

/// A result without rows.
#[allow(clippy::unnecessary_wraps)] // One shape for all of them.
fn nothing<const N: usize>(columns: [(&str, DataType); N]) -> Batch {
    let fields = columns
        .into_iter()
        .map(|(name, data_type)| Field::new(name, data_type, true));
    Ok(RecordBatch::new_empty(Arc::new(Schema::new(
        fields.collect::<Vec<_>>(),
    ))))
}

fn texts<T: AsRef<str>>(values: impl IntoIterator<Item = Option<T>>) -> ArrayRef
where
    StringArray: FromIterator<Option<T>>,
{
    Arc::new(values.into_iter().collect::<StringArray>())
}

fn ints(values: impl IntoIterator<Item = Option<i32>>) -> ArrayRef {
    Arc::new(values.into_iter().collect::<Int32Array>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::Array;
    use arrow_array::cast::AsArray;
    use arrow_array::types::Int32Type;
    use hs2_proto::tcli::{HandleId, SessionHandle};

    const SESSION: SessionHandle = SessionHandle {
        session_id: HandleId {
            guid: [0; 16],
            secret: [0; 16],
        },
    };

    fn databases() -> Vec<Database> {
        let item = Arc::new(Field::new("item", DataType::Int32, true));
        let limited = [(HIVE_TYPE.to_owned(), "varchar(20)".to_owned())].into();
        let schema = Arc::new(Schema::new(vec![
            Field::new("id", DataType::Int64, true),
            Field::new("price", DataType::Decimal128(10, 2), true),
            Field::new("name", DataType::Utf8, true).with_metadata(limited),
            Field::new("tags", DataType::List(item), true),
        ]));
        let table = |name: &str, kind| Table {
            name: name.to_owned(),
            kind,
            schema: schema.clone(),
            comment: None,
        };
        vec![
            Database {
                name: "sales".to_owned(),
                tables: vec![
                    table("v1", TableKind::View),
                    table("t_1", TableKind::Managed),
                ],
            },
            Database {
                name: "default".to_owned(),
                tables: vec![table("tx1", TableKind::External)],
            },
        ]
    }

    fn column(batch: &RecordBatch, name: &str) -> Vec<String> {
        let column = batch.column_by_name(name).unwrap().as_string::<i32>();
        column
            .iter()
            .map(|value| value.unwrap_or("NULL").to_owned())
            .collect()
    }

    fn numbers(batch: &RecordBatch, name: &str) -> Vec<Option<i32>> {
        batch
            .column_by_name(name)
            .unwrap()
            .as_primitive::<Int32Type>()
            .iter()
            .collect()
    }

    fn tables_named(
        schema: Option<&str>,
        table: Option<&str>,
        types: Option<&[&str]>,
    ) -> Vec<String> {
        let own = |text: &str| text.to_owned();
        let req = GetTablesReq {
            session_handle: SESSION,
            catalog_name: None,
            schema_name: schema.map(own),
            table_name: table.map(own),
            table_types: types.map(|types| types.iter().map(|text| own(text)).collect()),
        };
        column(&tables(&databases(), &req).unwrap(), "TABLE_NAME")
    }

    #[test]
    fn databases_and_tables_by_pattern_in_order() {
        let req = GetSchemasReq {
            session_handle: SESSION,
            catalog_name: Some(String::new()),
            schema_name: Some("%".to_owned()),
        };
        let found = schemas(&databases(), &req).unwrap();
        assert_eq!(column(&found, "TABLE_SCHEM"), ["default", "sales"]);
        assert_eq!(column(&found, "TABLE_CATALOG"), ["", ""]);
        assert_eq!(tables_named(None, None, None), ["tx1", "t_1", "v1"]);
        assert_eq!(tables_named(Some("SALES"), Some(".*"), None), ["t_1", "v1"]);
        assert_eq!(tables_named(None, Some("t\\_1"), None), ["t_1"]);
        assert_eq!(
            tables_named(None, Some("t_1"), Some(&["table"])),
            ["tx1", "t_1"]
        );
        assert_eq!(tables_named(None, None, Some(&["VIRTUAL_VIEW"])), ["v1"]);
        assert_eq!(tables_named(None, None, Some(&["INDEX"])), [""; 0]);
    }

    #[test]
    fn columns_tell_types_as_hive_does() {
        let req = GetColumnsReq {
            session_handle: SESSION,
            catalog_name: None,
            schema_name: Some("default".to_owned()),
            table_name: None,
            column_name: Some("%".to_owned()),
        };
        let found = columns(&databases(), &req).unwrap();
        assert_eq!(found.num_columns(), 23);
        assert_eq!(
            column(&found, "COLUMN_NAME"),
            ["id", "price", "name", "tags"]
        );
        assert_eq!(
            column(&found, "TYPE_NAME"),
            ["BIGINT", "DECIMAL", "VARCHAR", "array<int>"]
        );
        assert_eq!(numbers(&found, "DATA_TYPE"), [-5, 3, 12, 2003].map(Some));
        assert_eq!(
            numbers(&found, "COLUMN_SIZE"),
            [Some(19), Some(10), Some(20), None]
        );
        assert_eq!(
            numbers(&found, "DECIMAL_DIGITS"),
            [Some(0), Some(2), None, None]
        );
        assert_eq!(numbers(&found, "ORDINAL_POSITION"), [1, 2, 3, 4].map(Some));
    }

    #[test]
    fn the_fixed_results_have_the_columns_of_the_reference() {
        let shape = |batch: Batch| {
            batch
                .map(|batch| (batch.num_columns(), batch.num_rows()))
                .unwrap()
        };
        assert_eq!(shape(catalogs()), (1, 0));
        assert_eq!(shape(functions()), (6, 0));
        assert_eq!(shape(primary_keys()), (6, 0));
        assert_eq!(shape(cross_reference()), (14, 0));
        assert_eq!(shape(table_types()), (1, 2));
        let types = type_info().unwrap();
        assert_eq!((types.num_columns(), types.num_rows()), (18, 23));
        assert_eq!(
            types.column_by_name("NUM_PREC_RADIX").unwrap().null_count(),
            23 - 7
        );
    }
}
