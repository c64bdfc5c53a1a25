//! GetColumns.

use arrow_array::{Int8Array, Int16Array};
use arrow_schema::{DataType, Field, Schema};
use hs2_proto::rowset::arrow::{HIVE_TYPE, table_schema};
use hs2_proto::tcli::{
    ColumnDesc, GetColumnsReq, ProtocolVersion, TypeEntry, TypeId, TypeQualifiers,
};
use std::sync::Arc;

use super::types::{java_type, type_word};
use super::{Batch, batch, find, ints, texts};
use crate::engine::{COMMENT, Database};
use crate::service::pattern::Pattern;

pub(in crate::service) fn columns(databases: &[Database], req: &GetColumnsReq) -> Batch {
    struct Row<'a> {
        database: &'a str,
        table: &'a str,
        name: &'a str,
        described: Described,
        comment: Option<String>,
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
                let comment = field.metadata().get(COMMENT).cloned();
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
        ("REMARKS", text(|row| row.comment.clone())),
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
