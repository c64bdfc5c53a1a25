//! Arrow schemas to the service's type descriptions and back.

use super::HIVE_TYPE;
use super::encode::{EncodeError, column_kind, unsupported};
use super::hive_type::HiveType;
use crate::rowset::ColumnKind;
use crate::tcli::{ColumnDesc, ProtocolVersion, TableSchema, TypeId, TypeQualifiers};
use arrow_schema::{DataType, Field, IntervalUnit, Schema, TimeUnit};

/// Describes the columns that [`encode_batch`](super::encode_batch) makes of batches of this schema, for a session
/// of `version`: a type that the version lacks is STRING, which its values are in any case.
///
/// # Errors
/// [`EncodeError::Unsupported`] names the first column whose type has no form on the wire.
pub fn table_schema(schema: &Schema, version: ProtocolVersion) -> Result<TableSchema, EncodeError> {
    let describe = |(position, field): (i32, &Field)| {
        let kind = column_kind(field.data_type()).ok_or_else(|| unsupported(field))?;
        let described = HiveType::of(field).and_then(|hive_type| of_hive_type(&hive_type));
        // Hive's words count only as far as the values agree with them.
        let described = described.filter(|(type_id, _)| kind_of(*type_id) == kind);
        let (type_id, qualifiers) = described.unwrap_or_else(|| of_data_type(field.data_type()));
        let (type_id, qualifiers) = if version < since(type_id) {
            (TypeId::STRING, None)
        } else {
            (type_id, qualifiers)
        };
        Ok(ColumnDesc::new(field.name(), position, type_id, qualifiers))
    };
    let columns = (1..)
        .zip(schema.fields().iter().map(AsRef::as_ref))
        .map(describe)
        .collect::<Result<_, _>>()?;
    Ok(TableSchema { columns })
}

/// The first version that knows a type.
const fn since(type_id: TypeId) -> ProtocolVersion {
    match type_id {
        TypeId::VARCHAR => ProtocolVersion::V3,
        TypeId::CHAR => ProtocolVersion::V4,
        TypeId::BINARY => ProtocolVersion::V6,
        TypeId::INTERVAL_YEAR_MONTH | TypeId::INTERVAL_DAY_TIME => ProtocolVersion::V8,
        TypeId::TIMESTAMP_LOCAL_TZ => ProtocolVersion::V11,
        _ => ProtocolVersion::V1,
    }
}

/// The column that carries a type.
const fn kind_of(type_id: TypeId) -> ColumnKind {
    match type_id {
        TypeId::BOOLEAN => ColumnKind::Bool,
        TypeId::TINYINT => ColumnKind::Byte,
        TypeId::SMALLINT => ColumnKind::I16,
        TypeId::INT => ColumnKind::I32,
        TypeId::BIGINT => ColumnKind::I64,
        TypeId::FLOAT | TypeId::DOUBLE => ColumnKind::Double,
        TypeId::BINARY => ColumnKind::Binary,
        _ => ColumnKind::String,
    }
}

type Described = (TypeId, Option<TypeQualifiers>);

fn decimal(precision: i32, scale: i32) -> Described {
    let numbers = [
        (TypeQualifiers::PRECISION, precision),
        (TypeQualifiers::SCALE, scale),
    ];
    (TypeId::DECIMAL, Some(numbers.into()))
}

/// What Hive's words mean, or `None` for words it does not have.
fn of_hive_type(hive_type: &HiveType) -> Option<Described> {
    let parameters = hive_type.parameters.as_slice();
    let type_id = match hive_type.name.as_str() {
        "decimal" | "numeric" => {
            // Hive's own defaults.
            let precision = parameters.first().copied().unwrap_or(10);
            return Some(decimal(precision, parameters.get(1).copied().unwrap_or(0)));
        }
        name @ ("varchar" | "char") => {
            let length = [(
                TypeQualifiers::CHARACTER_MAXIMUM_LENGTH,
                *parameters.first()?,
            )];
            let type_id = if name == "char" {
                TypeId::CHAR
            } else {
                TypeId::VARCHAR
            };
            return Some((type_id, Some(length.into())));
        }
        "boolean" => TypeId::BOOLEAN,
        "tinyint" => TypeId::TINYINT,
        "smallint" => TypeId::SMALLINT,
        "int" | "integer" => TypeId::INT,
        "bigint" => TypeId::BIGINT,
        "float" => TypeId::FLOAT,
        "double" | "double precision" => TypeId::DOUBLE,
        "string" => TypeId::STRING,
        "timestamp" => TypeId::TIMESTAMP,
        "binary" => TypeId::BINARY,
        "array" => TypeId::ARRAY,
        "map" => TypeId::MAP,
        "struct" => TypeId::STRUCT,
        "uniontype" => TypeId::UNION,
        "void" => TypeId::NULL,
        "date" => TypeId::DATE,
        "interval_year_month" => TypeId::INTERVAL_YEAR_MONTH,
        "interval_day_time" => TypeId::INTERVAL_DAY_TIME,
        _ if hive_type.is_timestamp_ltz() => TypeId::TIMESTAMP_LOCAL_TZ,
        _ => return None,
    };
    Some((type_id, None))
}

fn of_data_type(data_type: &DataType) -> Described {
    let type_id = match data_type {
        DataType::Boolean => TypeId::BOOLEAN,
        DataType::Int8 => TypeId::TINYINT,
        DataType::Int16 | DataType::UInt8 => TypeId::SMALLINT,
        DataType::Int32 | DataType::UInt16 => TypeId::INT,
        DataType::Int64 | DataType::UInt32 => TypeId::BIGINT,
        DataType::UInt64 => return decimal(20, 0),
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale)
        | DataType::Decimal256(precision, scale) => {
            // A negative scale is zeros before the point.
            let zeros = i32::from(*scale).min(0);
            return decimal(i32::from(*precision) - zeros, i32::from(*scale) - zeros);
        }
        DataType::Float16 | DataType::Float32 => TypeId::FLOAT,
        DataType::Float64 => TypeId::DOUBLE,
        DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::FixedSizeBinary(_) => TypeId::BINARY,
        DataType::Date32 | DataType::Date64 => TypeId::DATE,
        DataType::Timestamp(_, _) => TypeId::TIMESTAMP,
        DataType::Interval(IntervalUnit::YearMonth) => TypeId::INTERVAL_YEAR_MONTH,
        DataType::Interval(IntervalUnit::DayTime) | DataType::Duration(_) => {
            TypeId::INTERVAL_DAY_TIME
        }
        DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(_, _) => TypeId::ARRAY,
        DataType::Map(_, _) => TypeId::MAP,
        DataType::Struct(_) => TypeId::STRUCT,
        DataType::Union(_, _) => TypeId::UNION,
        DataType::Null => TypeId::NULL,
        DataType::Dictionary(_, values) => return of_data_type(values),
        // Times of day, which Hive lacks, and intervals of months *and* days, which its clients cannot read.
        _ => TypeId::STRING,
    };
    (type_id, None)
}

/// The Arrow schema of a described result: what [`BatchDecoder`](super::BatchDecoder) makes batches of. Timestamps
/// and intervals of days count in `timestamp_unit`; a timestamp with local time zone is an instant, in UTC. What has
/// no Arrow type of its own is text with its [`HIVE_TYPE`]: complex types, since a server does not tell the types of
/// their elements, and decimals of more than 38 digits or of unknown precision.
#[must_use]
pub fn arrow_schema(schema: &TableSchema, timestamp_unit: TimeUnit) -> Schema {
    Schema::new(
        schema
            .columns
            .iter()
            .map(|column| arrow_field(column, timestamp_unit))
            .collect::<Vec<_>>(),
    )
}

fn arrow_field(column: &ColumnDesc, timestamp_unit: TimeUnit) -> Field {
    let (data_type, words) = match column.primitive() {
        Some(entry) => arrow_type(
            entry.type_id,
            entry.type_qualifiers.as_ref(),
            timestamp_unit,
        ),
        None => (DataType::Utf8, None),
    };
    let field = Field::new(&column.column_name, data_type, true);
    match words {
        Some(words) => field.with_metadata([(HIVE_TYPE.to_owned(), words)].into()),
        None => field,
    }
}

fn arrow_type(
    type_id: TypeId,
    qualifiers: Option<&TypeQualifiers>,
    timestamp_unit: TimeUnit,
) -> (DataType, Option<String>) {
    let number = |key| qualifiers.and_then(|qualifiers| qualifiers.number(key));
    let data_type = match type_id {
        TypeId::BOOLEAN => DataType::Boolean,
        TypeId::TINYINT => DataType::Int8,
        TypeId::SMALLINT => DataType::Int16,
        TypeId::INT => DataType::Int32,
        TypeId::BIGINT => DataType::Int64,
        TypeId::FLOAT => DataType::Float32,
        TypeId::DOUBLE => DataType::Float64,
        TypeId::TIMESTAMP => DataType::Timestamp(timestamp_unit, None),
        TypeId::BINARY => DataType::Binary,
        TypeId::DATE => DataType::Date32,
        TypeId::NULL => DataType::Null,
        TypeId::INTERVAL_YEAR_MONTH => DataType::Interval(IntervalUnit::YearMonth),
        TypeId::INTERVAL_DAY_TIME => DataType::Duration(timestamp_unit),
        TypeId::TIMESTAMP_LOCAL_TZ => DataType::Timestamp(timestamp_unit, Some("UTC".into())),
        TypeId::DECIMAL => {
            let precision = number(TypeQualifiers::PRECISION).and_then(|n| u8::try_from(n).ok());
            let scale = number(TypeQualifiers::SCALE).and_then(|n| i8::try_from(n).ok());
            return match (precision, scale) {
                (Some(precision @ 1..=38), Some(scale)) if (0..=38).contains(&scale) => {
                    (DataType::Decimal128(precision, scale), None)
                }
                (Some(precision), Some(scale)) => (
                    DataType::Utf8,
                    Some(format!("decimal({precision},{scale})")),
                ),
                _ => (DataType::Utf8, Some("decimal".to_owned())),
            };
        }
        _ => DataType::Utf8,
    };
    let length = || number(TypeQualifiers::CHARACTER_MAXIMUM_LENGTH);
    let words = match type_id {
        TypeId::VARCHAR => length().map(|length| format!("varchar({length})")),
        TypeId::CHAR => length().map(|length| format!("char({length})")),
        TypeId::ARRAY => Some("array".to_owned()),
        TypeId::MAP => Some("map".to_owned()),
        TypeId::STRUCT => Some("struct".to_owned()),
        TypeId::UNION => Some("uniontype".to_owned()),
        TypeId::TIMESTAMP_LOCAL_TZ => Some("timestamp with local time zone".to_owned()),
        _ => None,
    };
    (data_type, words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rowset::arrow::column_kinds;
    use std::sync::Arc;

    fn described(field: Field, version: ProtocolVersion) -> (TypeId, Vec<(String, i32)>) {
        let schema = table_schema(&Schema::new(vec![field]), version).unwrap();
        let entry = schema.columns[0].primitive().unwrap();
        let numbers = entry
            .type_qualifiers
            .iter()
            .flat_map(|q| q.qualifiers.iter());
        let numbers = numbers.map(|(key, _)| {
            (
                key.to_owned(),
                entry.type_qualifiers.as_ref().unwrap().number(key).unwrap(),
            )
        });
        (entry.type_id, numbers.collect())
    }

    fn plain(data_type: DataType) -> Field {
        Field::new("c", data_type, true)
    }

    fn with_words(data_type: DataType, words: &str) -> Field {
        plain(data_type).with_metadata([(HIVE_TYPE.to_owned(), words.to_owned())].into())
    }

    #[test]
    fn types_and_qualifiers() {
        let v11 = ProtocolVersion::V11;
        let decimal = |p, s| {
            (
                TypeId::DECIMAL,
                vec![("precision".to_owned(), p), ("scale".to_owned(), s)],
            )
        };
        let length = |n| vec![("characterMaximumLength".to_owned(), n)];
        assert_eq!(
            described(plain(DataType::Decimal128(10, 2)), v11),
            decimal(10, 2)
        );
        assert_eq!(
            described(plain(DataType::Decimal128(10, -2)), v11),
            decimal(12, 0)
        );
        assert_eq!(described(plain(DataType::UInt64), v11), decimal(20, 0));
        assert_eq!(
            described(plain(DataType::Utf8View), v11),
            (TypeId::STRING, vec![])
        );
        assert_eq!(
            described(with_words(DataType::Utf8, "VARCHAR(20)"), v11),
            (TypeId::VARCHAR, length(20))
        );
        assert_eq!(
            described(with_words(DataType::Utf8, "char(3)"), v11),
            (TypeId::CHAR, length(3))
        );
        assert_eq!(
            described(with_words(DataType::Utf8, "map<string,int>"), v11),
            (TypeId::MAP, vec![])
        );
        assert_eq!(
            described(with_words(DataType::Utf8, "decimal(5,1)"), v11),
            decimal(5, 1)
        );
        assert_eq!(
            described(with_words(DataType::Int32, "string"), v11),
            (TypeId::INT, vec![]),
            "values are numbers"
        );
        assert_eq!(
            described(with_words(DataType::Utf8, "geometry"), v11),
            (TypeId::STRING, vec![])
        );
        let list = DataType::List(Arc::new(plain(DataType::Int32)));
        assert_eq!(described(plain(list), v11), (TypeId::ARRAY, vec![]));
        let dictionary = DataType::Dictionary(DataType::Int8.into(), DataType::Date32.into());
        assert_eq!(described(plain(dictionary), v11), (TypeId::DATE, vec![]));
        assert_eq!(
            described(plain(DataType::Interval(IntervalUnit::MonthDayNano)), v11).0,
            TypeId::STRING
        );
    }

    #[test]
    fn what_a_version_lacks_is_string() {
        use ProtocolVersion as V;
        let zoned = with_words(
            DataType::Timestamp(TimeUnit::Second, None),
            "timestamp with local time zone",
        );
        for (field, last_without, type_id) in [
            (
                with_words(DataType::Utf8, "varchar(2)"),
                V::V2,
                TypeId::VARCHAR,
            ),
            (with_words(DataType::Utf8, "char(2)"), V::V3, TypeId::CHAR),
            (plain(DataType::Binary), V::V5, TypeId::BINARY),
            (
                plain(DataType::Interval(IntervalUnit::YearMonth)),
                V::V7,
                TypeId::INTERVAL_YEAR_MONTH,
            ),
            (
                plain(DataType::Duration(TimeUnit::Second)),
                V::V7,
                TypeId::INTERVAL_DAY_TIME,
            ),
            (zoned, V::V10, TypeId::TIMESTAMP_LOCAL_TZ),
        ] {
            assert_eq!(
                described(field.clone(), last_without),
                (TypeId::STRING, vec![])
            );
            assert_eq!(described(field, V(last_without.0 + 1)).0, type_id);
        }
    }

    #[test]
    fn positions_count_from_one() {
        let schema = Schema::new(vec![plain(DataType::Int8), plain(DataType::Utf8)]);
        let positions: Vec<_> = table_schema(&schema, ProtocolVersion::V6)
            .unwrap()
            .columns
            .iter()
            .map(|c| c.position)
            .collect();
        assert_eq!(positions, [1, 2]);
        assert_eq!(
            column_kinds(&schema),
            Ok(vec![ColumnKind::Byte, ColumnKind::String])
        );
    }

    #[test]
    fn described_types_come_back() {
        let unit = TimeUnit::Microsecond;
        let fields = vec![
            plain(DataType::Boolean),
            plain(DataType::Int8),
            plain(DataType::Float32),
            plain(DataType::Decimal128(38, 10)),
            plain(DataType::Timestamp(unit, None)),
            plain(DataType::Date32),
            plain(DataType::Binary),
            plain(DataType::Null),
            with_words(DataType::Utf8, "varchar(20)"),
            with_words(DataType::Utf8, "char(3)"),
            with_words(DataType::Utf8, "array"),
            plain(DataType::Interval(IntervalUnit::YearMonth)),
            plain(DataType::Duration(unit)),
            with_words(
                DataType::Timestamp(unit, Some("UTC".into())),
                "timestamp with local time zone",
            ),
            with_words(DataType::Utf8, "decimal(76,2)"),
        ];
        let schema = Schema::new(fields);
        let described = table_schema(&schema, ProtocolVersion::V11).unwrap();
        assert_eq!(arrow_schema(&described, unit), schema);
        let bare = ColumnDesc::new("d", 1, TypeId::DECIMAL, None);
        let field = arrow_field(&bare, unit);
        assert_eq!(
            (field.data_type(), &field.metadata()[HIVE_TYPE][..]),
            (&DataType::Utf8, "decimal")
        );
    }
}
