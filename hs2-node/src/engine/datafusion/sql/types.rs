//! Hive's types: their text, and the Arrow types that carry them.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use arrow_schema::{DataType, Field, Fields, IntervalUnit, TimeUnit};

use crate::engine::HIVE_TYPE;

/// The most digits that a decimal holds.
pub(crate) const DECIMAL_DIGITS_MAX: u8 = 38;
/// The longest `varchar`.
pub(crate) const VARCHAR_LENGTH_MAX: u32 = 65_535;
/// The longest `char`.
pub(crate) const CHAR_LENGTH_MAX: u32 = 255;

/// Name of the type of months.
pub(crate) const INTERVAL_YEAR_MONTH: &str = "interval_year_month";
/// Name of the type of days and what is below.
pub(crate) const INTERVAL_DAY_TIME: &str = "interval_day_time";
/// Name of the type of instants.
pub(crate) const TIMESTAMP_LOCAL_TZ: &str = "timestamp with local time zone";
/// The time zone of every session.
pub(crate) const ZONE: &str = "UTC";

/// A Hive type. `Display` prints it as Hive does, such as `map<string,decimal(10,2)>`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum HiveType {
    /// The type of the literal `NULL`.
    Void,
    Boolean,
    TinyInt,
    SmallInt,
    Int,
    BigInt,
    Float,
    Double,
    /// Precision and scale.
    Decimal(u8, u8),
    String,
    Varchar(u32),
    Char(u32),
    Binary,
    Date,
    /// Without a time zone; microseconds are kept.
    Timestamp,
    /// `timestamp with local time zone`: an instant, shown in the session's zone, which is UTC.
    TimestampLocalTz,
    /// Months. No column of a table has this type.
    IntervalYearMonth,
    /// Microseconds. No column of a table has this type.
    IntervalDayTime,
    Array(Box<Self>),
    Map(Box<Self>, Box<Self>),
    Struct(Vec<(String, Self)>),
}

impl HiveType {
    /// The Arrow type of its values.
    pub(crate) fn arrow(&self) -> DataType {
        match self {
            Self::Void => DataType::Null,
            Self::Boolean => DataType::Boolean,
            Self::TinyInt => DataType::Int8,
            Self::SmallInt => DataType::Int16,
            Self::Int => DataType::Int32,
            Self::BigInt => DataType::Int64,
            Self::Float => DataType::Float32,
            Self::Double => DataType::Float64,
            Self::Decimal(precision, scale) => {
                DataType::Decimal128(*precision, (*scale).cast_signed())
            }
            Self::String | Self::Varchar(_) | Self::Char(_) => DataType::Utf8,
            Self::Binary => DataType::Binary,
            Self::Date => DataType::Date32,
            Self::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
            Self::TimestampLocalTz => DataType::Timestamp(TimeUnit::Microsecond, Some(ZONE.into())),
            Self::IntervalYearMonth => DataType::Interval(IntervalUnit::YearMonth),
            Self::IntervalDayTime => DataType::Duration(TimeUnit::Microsecond),
            Self::Array(element) => DataType::List(Arc::new(element.field("item"))),
            Self::Map(key, value) => {
                let entries = Fields::from(vec![
                    key.field("key").with_nullable(false),
                    value.field("value"),
                ]);
                DataType::Map(
                    Arc::new(Field::new("entries", DataType::Struct(entries), false)),
                    false,
                )
            }
            Self::Struct(fields) => DataType::Struct(
                fields
                    .iter()
                    .map(|(name, hive)| hive.field(name))
                    .collect::<Fields>(),
            ),
        }
    }

    /// A nullable Arrow field of this type, with Hive's word for it where Arrow has none.
    pub(crate) fn field(&self, name: &str) -> Field {
        Field::new(name, self.arrow(), true).with_metadata(self.metadata())
    }

    /// The metadata of [`Self::field`].
    pub(crate) fn metadata(&self) -> HashMap<String, String> {
        match self {
            Self::Varchar(_) | Self::Char(_) | Self::TimestampLocalTz => {
                HashMap::from([(HIVE_TYPE.to_owned(), self.to_string())])
            }
            _ => HashMap::new(),
        }
    }

    /// The Hive type of an Arrow field; `None` where Hive has none.
    pub(crate) fn of_field(field: &Field) -> Option<Self> {
        let named = field
            .metadata()
            .get(HIVE_TYPE)
            .and_then(|text| Self::character(text));
        named.or_else(|| Self::of_arrow(field.data_type()))
    }

    /// The Hive type of an Arrow type; `None` where Hive has none.
    pub(crate) fn of_arrow(arrow: &DataType) -> Option<Self> {
        Some(match arrow {
            DataType::Null => Self::Void,
            DataType::Boolean => Self::Boolean,
            DataType::Int8 => Self::TinyInt,
            DataType::Int16 => Self::SmallInt,
            DataType::Int32 => Self::Int,
            DataType::Int64 => Self::BigInt,
            DataType::Float32 => Self::Float,
            DataType::Float64 => Self::Double,
            DataType::Decimal128(precision, scale) => {
                Self::Decimal(*precision, u8::try_from(*scale).ok()?)
            }
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => Self::String,
            DataType::Binary
            | DataType::LargeBinary
            | DataType::BinaryView
            | DataType::FixedSizeBinary(_) => Self::Binary,
            DataType::Date32 => Self::Date,
            DataType::Timestamp(_, None) => Self::Timestamp,
            DataType::Timestamp(_, Some(_)) => Self::TimestampLocalTz,
            DataType::Interval(IntervalUnit::YearMonth) => Self::IntervalYearMonth,
            DataType::Duration(_) => Self::IntervalDayTime,
            DataType::List(element)
            | DataType::LargeList(element)
            | DataType::FixedSizeList(element, _) => {
                Self::Array(Box::new(Self::of_field(element)?))
            }
            DataType::Map(entries, _) => match entries.data_type() {
                DataType::Struct(fields) if fields.len() == 2 => Self::Map(
                    Box::new(Self::of_field(&fields[0])?),
                    Box::new(Self::of_field(&fields[1])?),
                ),
                _ => return None,
            },
            DataType::Struct(fields) => Self::Struct(
                fields
                    .iter()
                    .map(|f| Some((f.name().to_owned(), Self::of_field(f)?)))
                    .collect::<Option<_>>()?,
            ),
            _ => return None,
        })
    }

    /// Whether casts from and to other types exist for it.
    pub(crate) fn is_primitive(&self) -> bool {
        !matches!(self, Self::Array(_) | Self::Map(..) | Self::Struct(_))
    }

    /// `varchar(n)` or `char(n)`.
    fn character(text: &str) -> Option<Self> {
        let (word, rest) = text.split_once('(')?;
        let length = rest.strip_suffix(')')?.parse().ok()?;
        match word {
            "varchar" => Some(Self::Varchar(length)),
            "char" => Some(Self::Char(length)),
            _ => None,
        }
    }
}

impl fmt::Display for HiveType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Void => f.write_str("void"),
            Self::Boolean => f.write_str("boolean"),
            Self::TinyInt => f.write_str("tinyint"),
            Self::SmallInt => f.write_str("smallint"),
            Self::Int => f.write_str("int"),
            Self::BigInt => f.write_str("bigint"),
            Self::Float => f.write_str("float"),
            Self::Double => f.write_str("double"),
            Self::Decimal(precision, scale) => write!(f, "decimal({precision},{scale})"),
            Self::String => f.write_str("string"),
            Self::Varchar(length) => write!(f, "varchar({length})"),
            Self::Char(length) => write!(f, "char({length})"),
            Self::Binary => f.write_str("binary"),
            Self::Date => f.write_str("date"),
            Self::Timestamp => f.write_str("timestamp"),
            Self::TimestampLocalTz => f.write_str(TIMESTAMP_LOCAL_TZ),
            Self::IntervalYearMonth => f.write_str(INTERVAL_YEAR_MONTH),
            Self::IntervalDayTime => f.write_str(INTERVAL_DAY_TIME),
            Self::Array(element) => write!(f, "array<{element}>"),
            Self::Map(key, value) => write!(f, "map<{key},{value}>"),
            Self::Struct(fields) => {
                f.write_str("struct<")?;
                for (i, (name, hive)) in fields.iter().enumerate() {
                    write!(f, "{}{name}:{hive}", if i == 0 { "" } else { "," })?;
                }
                f.write_str(">")
            }
        }
    }
}
