//! `range(end)` and `range(start, end [, step])`: a table of one `bigint` column `id`, as in Spark. Rows are made as they
//! are read.

use std::sync::Arc;

use datafusion::arrow::array::{Int64Array, RecordBatch};
use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::streaming::StreamingTable;
use datafusion::common::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use futures::stream;

/// The table of numbers from `start` up to, and without, `end`.
///
/// # Errors
/// None in practice: the schema is fixed.
pub(crate) fn table(start: i64, end: i64, step: i64) -> Result<StreamingTable> {
    let schema = Arc::new(Schema::new(vec![Field::new("id", DataType::Int64, true)]));
    let range = Range {
        schema: Arc::clone(&schema),
        start: start.into(),
        end: end.into(),
        step: step.into(),
    };
    StreamingTable::try_new(schema, vec![Arc::new(range)])
}

#[derive(Debug)]
struct Range {
    schema: SchemaRef,
    // Wide enough that the last step cannot overflow.
    start: i128,
    end: i128,
    step: i128,
}

impl PartitionStream for Range {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let batch_rows = context.session_config().batch_size() as i128;
        let (schema, step) = (Arc::clone(&self.schema), self.step);
        let count = ((self.end - self.start + step - step.signum()) / step).max(0);
        let batches = stream::iter((0..(count + batch_rows - 1) / batch_rows).map({
            let (schema, start) = (Arc::clone(&schema), self.start);
            move |batch| {
                let first = batch * batch_rows;
                let rows = batch_rows.min(count - first);
                let (first, step) = ((start + first * step) as i64, step as i64);
                let values = (0..rows as i64).map(|i| first.wrapping_add(i.wrapping_mul(step)));
                let values = Int64Array::from_iter_values(values);
                Ok(RecordBatch::try_new(
                    Arc::clone(&schema),
                    vec![Arc::new(values)],
                )?)
            }
        }));
        Box::pin(RecordBatchStreamAdapter::new(schema, batches))
    }
}
