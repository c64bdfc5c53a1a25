//! Type descriptions: the schema of a result.

use crate::thrift::{
    Decode, DecodeError, Encode, Reader, StringMap, Value, WireType, open_enum, record, write_field,
};

open_enum! {
    /// A type of Hive's SQL.
    pub struct TypeId = "TTypeId" {
        BOOLEAN = 0 "BOOLEAN_TYPE",
        TINYINT = 1 "TINYINT_TYPE",
        SMALLINT = 2 "SMALLINT_TYPE",
        INT = 3 "INT_TYPE",
        BIGINT = 4 "BIGINT_TYPE",
        FLOAT = 5 "FLOAT_TYPE",
        DOUBLE = 6 "DOUBLE_TYPE",
        STRING = 7 "STRING_TYPE",
        TIMESTAMP = 8 "TIMESTAMP_TYPE",
        BINARY = 9 "BINARY_TYPE",
        ARRAY = 10 "ARRAY_TYPE",
        MAP = 11 "MAP_TYPE",
        STRUCT = 12 "STRUCT_TYPE",
        UNION = 13 "UNION_TYPE",
        USER_DEFINED = 14 "USER_DEFINED_TYPE",
        DECIMAL = 15 "DECIMAL_TYPE",
        NULL = 16 "NULL_TYPE",
        DATE = 17 "DATE_TYPE",
        VARCHAR = 18 "VARCHAR_TYPE",
        CHAR = 19 "CHAR_TYPE",
        INTERVAL_YEAR_MONTH = 20 "INTERVAL_YEAR_MONTH_TYPE",
        INTERVAL_DAY_TIME = 21 "INTERVAL_DAY_TIME_TYPE",
        TIMESTAMP_LOCAL_TZ = 22 "TIMESTAMPLOCALTZ_TYPE",
    }
}

/// The value of a qualifier: a union of the service definition (`TTypeQualifierValue`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TypeQualifierValue {
    /// Lengths, precisions and scales.
    I32(i32),
    /// Not used by any server.
    String(String),
}

impl Value for TypeQualifierValue {
    const TYPE: WireType = WireType::STRUCT;
}

impl Decode for TypeQualifierValue {
    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        const RECORD: &str = "TTypeQualifierValue";
        let mut value = None;
        while let Some((code, id)) = reader.field()? {
            match id {
                1 => value = Some(Self::I32(reader.value(code, RECORD, "i32Value")?)),
                2 => value = Some(Self::String(reader.value(code, RECORD, "stringValue")?)),
                _ => reader.skip(code)?,
            }
        }
        value.ok_or(DecodeError::Invalid {
            record: RECORD,
            field: "union",
            reason: "no known member is set",
        })
    }
}

impl Encode for TypeQualifierValue {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::I32(number) => write_field(out, 1, number),
            Self::String(text) => write_field(out, 2, text),
        }
        out.push(WireType::STOP.0);
    }
}

record! {
    /// What a type's name in SQL has in brackets.
    #[derive(Eq)]
    pub struct TypeQualifiers = "TTypeQualifiers" {
        /// Values by the names [`Self::CHARACTER_MAXIMUM_LENGTH`], [`Self::PRECISION`] and [`Self::SCALE`].
        1: required qualifiers: StringMap<TypeQualifierValue> = "qualifiers",
    }
}

impl TypeQualifiers {
    /// Length of CHAR and VARCHAR in characters.
    pub const CHARACTER_MAXIMUM_LENGTH: &'static str = "characterMaximumLength";
    /// Digits of a DECIMAL.
    pub const PRECISION: &'static str = "precision";
    /// Digits of a DECIMAL behind the point.
    pub const SCALE: &'static str = "scale";

    /// A number among the qualifiers.
    #[must_use]
    pub fn number(&self, key: &str) -> Option<i32> {
        match self.qualifiers.get(key)? {
            TypeQualifierValue::I32(number) => Some(*number),
            TypeQualifierValue::String(_) => None,
        }
    }
}

impl<const N: usize> From<[(&str, i32); N]> for TypeQualifiers {
    fn from(numbers: [(&str, i32); N]) -> Self {
        Self {
            qualifiers: numbers
                .into_iter()
                .map(|(key, n)| (key, TypeQualifierValue::I32(n)))
                .collect(),
        }
    }
}

record! {
    /// A type by its id. Complex types travel so too, without the types inside them.
    #[derive(Eq)]
    pub struct PrimitiveTypeEntry = "TPrimitiveTypeEntry" {
        /// The type.
        1: required type_id: TypeId = "type",
        /// Length, precision and scale. JDBC needs both of a DECIMAL's.
        2: optional type_qualifiers: TypeQualifiers = "typeQualifiers",
    }
}

record! {
    /// An array, by the place of its element type in the list of types.
    #[derive(Eq)]
    pub struct ArrayTypeEntry = "TArrayTypeEntry" {
        /// Index of the element type.
        1: required object_type_ptr: i32 = "objectTypePtr",
    }
}

record! {
    /// A map, by the places of its types in the list of types.
    #[derive(Eq)]
    pub struct MapTypeEntry = "TMapTypeEntry" {
        /// Index of the key's type.
        1: required key_type_ptr: i32 = "keyTypePtr",
        /// Index of the value's type.
        2: required value_type_ptr: i32 = "valueTypePtr",
    }
}

record! {
    /// A struct or union, by the places of its fields' types in the list of types.
    #[derive(Eq)]
    pub struct StructTypeEntry = "TStructTypeEntry" {
        /// Indexes by field name.
        1: required name_to_type_ptr: StringMap<i32> = "nameToTypePtr",
    }
}

record! {
    /// A type of a user's own.
    #[derive(Eq)]
    pub struct UserDefinedTypeEntry = "TUserDefinedTypeEntry" {
        /// Name of its class.
        1: required type_class_name: String = "typeClassName",
    }
}

/// One type: a union of the service definition (`TTypeEntry`). Servers send `Primitive` alone, and JDBC reads it
/// without looking.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // Each names the struct it holds.
pub enum TypeEntry {
    Primitive(PrimitiveTypeEntry),
    Array(ArrayTypeEntry),
    Map(MapTypeEntry),
    Struct(StructTypeEntry),
    Union(StructTypeEntry),
    UserDefined(UserDefinedTypeEntry),
}

impl Value for TypeEntry {
    const TYPE: WireType = WireType::STRUCT;
}

impl Decode for TypeEntry {
    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        const RECORD: &str = "TTypeEntry";
        let mut entry = None;
        while let Some((code, id)) = reader.field()? {
            entry = Some(match id {
                1 => Self::Primitive(reader.value(code, RECORD, "primitiveEntry")?),
                2 => Self::Array(reader.value(code, RECORD, "arrayEntry")?),
                3 => Self::Map(reader.value(code, RECORD, "mapEntry")?),
                4 => Self::Struct(reader.value(code, RECORD, "structEntry")?),
                5 => Self::Union(reader.value(code, RECORD, "unionEntry")?),
                6 => Self::UserDefined(reader.value(code, RECORD, "userDefinedTypeEntry")?),
                _ => {
                    reader.skip(code)?;
                    continue;
                }
            });
        }
        entry.ok_or(DecodeError::Invalid {
            record: RECORD,
            field: "union",
            reason: "no known member is set",
        })
    }
}

impl Encode for TypeEntry {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Primitive(entry) => write_field(out, 1, entry),
            Self::Array(entry) => write_field(out, 2, entry),
            Self::Map(entry) => write_field(out, 3, entry),
            Self::Struct(entry) => write_field(out, 4, entry),
            Self::Union(entry) => write_field(out, 5, entry),
            Self::UserDefined(entry) => write_field(out, 6, entry),
        }
        out.push(WireType::STOP.0);
    }
}

record! {
    /// A type, taken apart into a list.
    #[derive(Eq)]
    pub struct TypeDesc = "TTypeDesc" {
        /// The type itself first, then those it points at.
        1: required types: Vec<TypeEntry> = "types",
    }
}

record! {
    /// A column of a result.
    #[derive(Eq)]
    pub struct ColumnDesc = "TColumnDesc" {
        /// Its name.
        1: required column_name: String = "columnName",
        /// Its type.
        2: required type_desc: TypeDesc = "typeDesc",
        /// Its place, from 1 (Spark's query results count from 0; no client uses it).
        3: required position: i32 = "position",
        /// Its comment.
        4: optional comment: String = "comment",
    }
}

impl ColumnDesc {
    /// A column of a type that needs no qualifiers, or has them given.
    #[must_use]
    pub fn new(
        name: impl Into<String>,
        position: i32,
        type_id: TypeId,
        type_qualifiers: Option<TypeQualifiers>,
    ) -> Self {
        let entry = TypeEntry::Primitive(PrimitiveTypeEntry {
            type_id,
            type_qualifiers,
        });
        Self {
            column_name: name.into(),
            type_desc: TypeDesc { types: vec![entry] },
            position,
            comment: None,
        }
    }

    /// The column's type and qualifiers, or `None` when it is described by another union member than `Primitive`.
    #[must_use]
    pub fn primitive(&self) -> Option<&PrimitiveTypeEntry> {
        match self.type_desc.types.first() {
            Some(TypeEntry::Primitive(entry)) => Some(entry),
            _ => None,
        }
    }
}

record! {
    /// The columns of a result.
    #[derive(Eq)]
    pub struct TableSchema = "TTableSchema" {
        /// In the order of the result.
        1: required columns: Vec<ColumnDesc> = "columns",
    }
}
