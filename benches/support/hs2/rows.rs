//! The rows: `id bigint, b bigint, d double, s string`.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef};

/// Rows of a batch, as engines make them.
pub const BATCH_ROWS: i64 = 8192;

/// The columns.
#[must_use]
pub fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("id", DataType::Int64, false),
        Field::new("b", DataType::Int64, false),
        Field::new("d", DataType::Float64, false),
        Field::new("s", DataType::Utf8, false),
    ]))
}

/// The rows with these ids; the string has 20 bytes.
///
/// # Panics
/// Never: the columns are those of [`schema`].
#[must_use]
#[allow(clippy::cast_precision_loss)]
pub fn batch(ids: Range<i64>) -> RecordBatch {
    let strings = ids.clone().map(|id| format!("{id:020}"));
    let columns: Vec<ArrayRef> = vec![
        Arc::new(ids.clone().collect::<Int64Array>()),
        Arc::new(ids.clone().map(|id| id * 7919).collect::<Int64Array>()),
        Arc::new(Float64Array::from_iter_values(
            ids.clone().map(|id| id as f64 / 3.0),
        )),
        Arc::new(StringArray::from_iter_values(strings)),
    ];
    #[allow(clippy::expect_used)]
    RecordBatch::try_new(schema(), columns).expect("columns of the schema")
}
