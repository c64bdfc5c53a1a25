//! Results of the metadata calls, in Hive's columns.

mod columns;
mod tables;
mod types;

use arrow_array::{ArrayRef, Int32Array, RecordBatch, StringArray};
use arrow_schema::{ArrowError, DataType, Field, Schema};
use hs2_proto::tcli::{GetFunctionsReq, GetSchemasReq};
use std::sync::Arc;

use super::pattern::Pattern;
use crate::engine::{Database, Function, Table};

pub(super) use columns::columns;
pub(super) use tables::{table_types, tables};
pub(super) use types::type_info;

/// A result, or why its columns do not fit together.
pub(super) type Batch = Result<RecordBatch, ArrowError>;

const TEXT: DataType = DataType::Utf8;
const INT: DataType = DataType::Int32;

/// Hive has no catalogs, and says so with an empty list.
pub(super) fn catalogs() -> Batch {
    nothing([("TABLE_CAT", TEXT)])
}

/// Hive's functions belong to no database, and it lists none to who asks for those of one.
pub(super) fn functions(functions: &[Function], req: &GetFunctionsReq) -> Batch {
    let absent = |name: &Option<String>| name.as_deref().is_none_or(str::is_empty);
    let pattern = Pattern::new(Some(&req.function_name));
    let mut found: Vec<_> = functions
        .iter()
        .filter(|_| absent(&req.catalog_name) && absent(&req.schema_name))
        .filter(|function| pattern.matches(&function.name))
        .collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    let null = || texts(found.iter().map(|_| None::<&str>));
    let names = found.iter().map(|function| Some(function.name.as_str()));
    batch([
        ("FUNCTION_CAT", null()),
        ("FUNCTION_SCHEM", null()),
        ("FUNCTION_NAME", texts(names)),
        ("REMARKS", texts(found.iter().map(|_| Some("")))),
        (
            "FUNCTION_TYPE",
            // functionReturnsTable and functionNoTable of `java.sql.DatabaseMetaData`.
            ints(found.iter().map(|f| Some(if f.table { 2 } else { 1 }))),
        ),
        (
            "SPECIFIC_NAME",
            texts(found.iter().map(|_| Some(FUNCTION_CLASS))),
        ),
    ])
}

/// What Hive names for each of its functions.
const FUNCTION_CLASS: &str = "org.apache.hadoop.hive.ql.exec.FunctionInfo";

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
    use crate::config::TableTypeMapping;
    use crate::engine::{COMMENT, TableKind};
    use arrow_array::Array;
    use arrow_array::cast::AsArray;
    use arrow_array::types::Int32Type;
    use hs2_proto::rowset::arrow::HIVE_TYPE;
    use hs2_proto::tcli::{GetColumnsReq, GetTablesReq};
    use hs2_proto::tcli::{HandleId, SessionHandle};

    const SESSION: SessionHandle = SessionHandle {
        session_id: HandleId {
            guid: [0; 16],
            secret: [0; 16],
        },
    };

    fn databases() -> Vec<Database> {
        let item = Arc::new(Field::new("item", DataType::Int32, true));
        let limited = [
            (HIVE_TYPE.to_owned(), "varchar(20)".to_owned()),
            (COMMENT.to_owned(), "what it is called".to_owned()),
        ]
        .into();
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
        let mapping = TableTypeMapping::Classic;
        column(&tables(&databases(), &req, mapping).unwrap(), "TABLE_NAME")
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
    fn kinds_of_tables_in_both_mappings() {
        let types = |mapping| {
            let req = GetTablesReq {
                session_handle: SESSION,
                catalog_name: None,
                schema_name: None,
                table_name: None,
                table_types: None,
            };
            column(&tables(&databases(), &req, mapping).unwrap(), "TABLE_TYPE")
        };
        assert_eq!(types(TableTypeMapping::Classic), ["TABLE", "TABLE", "VIEW"]);
        assert_eq!(
            types(TableTypeMapping::Hive),
            ["EXTERNAL_TABLE", "MANAGED_TABLE", "VIRTUAL_VIEW"]
        );
    }

    #[test]
    fn functions_by_pattern_and_of_no_database() {
        let function = |name: &str, table| Function {
            name: name.to_owned(),
            table,
        };
        let known = [
            function("upper", false),
            function("range", true),
            function("ucase", false),
        ];
        let found = |schema: Option<&str>, pattern: &str| {
            let req = GetFunctionsReq {
                session_handle: SESSION,
                catalog_name: None,
                schema_name: schema.map(str::to_owned),
                function_name: pattern.to_owned(),
            };
            let found = functions(&known, &req).unwrap();
            (
                column(&found, "FUNCTION_NAME"),
                numbers(&found, "FUNCTION_TYPE"),
            )
        };
        let own = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
        assert_eq!(
            found(Some(""), "%"),
            (
                own(&["range", "ucase", "upper"]),
                vec![Some(2), Some(1), Some(1)]
            )
        );
        assert_eq!(found(None, "U%E_"), (own(&["upper"]), vec![Some(1)]));
        assert_eq!(found(Some("default"), "%").0, own(&[]));
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
        assert_eq!(
            column(&found, "REMARKS"),
            ["NULL", "NULL", "what it is called", "NULL"]
        );
    }

    #[test]
    fn the_fixed_results_have_the_columns_of_the_reference() {
        let shape = |batch: Batch| {
            batch
                .map(|batch| (batch.num_columns(), batch.num_rows()))
                .unwrap()
        };
        assert_eq!(shape(catalogs()), (1, 0));
        assert_eq!(shape(primary_keys()), (6, 0));
        assert_eq!(shape(cross_reference()), (14, 0));
        assert_eq!(shape(table_types(TableTypeMapping::Classic)), (1, 3));
        assert_eq!(shape(table_types(TableTypeMapping::Hive)), (1, 4));
        let types = type_info().unwrap();
        assert_eq!((types.num_columns(), types.num_rows()), (18, 23));
        assert_eq!(
            types.column_by_name("NUM_PREC_RADIX").unwrap().null_count(),
            23 - 7
        );
    }
}
