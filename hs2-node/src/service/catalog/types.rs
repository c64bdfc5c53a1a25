//! GetTypeInfo, and how types are named and numbered.

use arrow_array::{ArrayRef, BooleanArray, Int16Array};
use hs2_proto::tcli::TypeId;
use std::sync::Arc;

use super::{Batch, batch, ints, texts};

pub(in crate::service) fn type_info() -> Batch {
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

/// A type's name without what stands in its brackets.
pub(super) const fn type_word(id: TypeId) -> &'static str {
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
pub(super) const fn java_type(id: TypeId) -> i32 {
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
