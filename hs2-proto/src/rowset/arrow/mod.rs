//! Arrow arrays to and from the columns of the wire (feature `arrow`).
//!
//! What Hive has no column kind for travels as text: decimals, dates, timestamps, intervals, and complex types
//! in Hive's JSON-like form. All but the last become Arrow's own types again. The field metadata entry [`HIVE_TYPE`] says what Arrow's types cannot: `varchar(20)`,
//! `char(10)`, `timestamp with local time zone`, `interval_year_month`, or `map<string,int>` for text that is one.

mod civil;
mod decode;
// Encoding takes arrays of our own process, and every index there is bounded by its array's length; what comes
// from the network goes through `decode` and `parse`, under the crate's strict lints.
#[allow(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss
)]
mod encode;
mod hive_type;
#[allow(clippy::indexing_slicing)]
mod json;
mod parse;
mod schema;
#[allow(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss
)]
mod text;
mod writer;

pub use decode::{BatchDecoder, BatchError, decode_row_set};
pub use encode::{
    EncodeError, column_kind, column_kinds, encode_array, encode_batch, estimated_bytes,
};
pub use schema::{arrow_schema, table_schema};

/// The key of a field's metadata that holds its Hive type, in Hive's own words and in any case.
pub const HIVE_TYPE: &str = "hive.type";
