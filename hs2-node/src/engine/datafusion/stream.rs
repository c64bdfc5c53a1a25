//! A physical plan as one stream of batches, in the order of the plan's partitions, so that a scan gives its rows in the
//! order of its files. Each partition works ahead by a few batches.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use datafusion::arrow::array::{AsArray, StringBuilder};
use datafusion::arrow::compute;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::physical_plan::ExecutionPlan;
use futures::StreamExt;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::error;
use super::query::Compiled;
use super::runtime::{BatchSender, joined};
use super::sql::types::HiveType;
use crate::engine::EngineError;

/// How many batches a partition works ahead.
const BATCHES_AHEAD: usize = 2;

/// Runs a query and calls `each` with every batch in order, until it says that nobody listens any more.
///
/// # Errors
/// The query's.
pub(crate) async fn for_each<F>(
    compiled: Compiled,
    mut each: impl FnMut(RecordBatch) -> F,
) -> Result<(), EngineError>
where
    F: Future<Output = Result<bool, EngineError>>,
{
    let Compiled { plan, context, .. } = compiled;
    // Dropped with this future: then every partition stops.
    let mut tasks = JoinSet::new();
    let mut receivers = Vec::new();
    let partitions = plan.properties().output_partitioning().partition_count();
    // Behind a repartitioning there is no order to keep, and one output that waits for another would make it hoard.
    let in_order = !repartitions(plan.as_ref());
    let (mut sender, receiver) = mpsc::channel(BATCHES_AHEAD);
    receivers.push(receiver);
    for partition in 0..partitions {
        if in_order && partition > 0 {
            let (next, receiver) = mpsc::channel(BATCHES_AHEAD);
            sender = next;
            receivers.push(receiver);
        }
        let mut stream = plan
            .execute(partition, Arc::clone(&context))
            .map_err(|e| error::from_running(&e))?;
        let sender = sender.clone();
        tasks.spawn(async move {
            while let Some(batch) = stream.next().await {
                let failed = batch.is_err();
                if sender
                    .send(batch.map_err(|e| error::from_running(&e)))
                    .await
                    .is_err()
                    || failed
                {
                    break;
                }
            }
        });
    }
    drop(sender);
    for mut receiver in receivers {
        while let Some(batch) = receiver.recv().await {
            if !each(batch?).await? {
                return Ok(());
            }
        }
    }
    while let Some(ended) = tasks.join_next().await {
        ended.map_err(joined)?;
    }
    Ok(())
}

/// The plan with scans whose partitions do not take each other's files, where there is an order to keep.
///
/// # Errors
/// None in practice: the plan's operators are built again as they were.
pub(crate) fn in_order(
    plan: Arc<dyn ExecutionPlan>,
) -> Result<Arc<dyn ExecutionPlan>, EngineError> {
    if repartitions(plan.as_ref()) {
        return Ok(plan);
    }
    let kept = plan.transform_up(|node| {
        Ok(node
            .with_preserve_order(true)
            .map_or_else(|| Transformed::no(node), Transformed::yes))
    });
    kept.map(|kept| kept.data)
        .map_err(|e| error::from_running(&e))
}

fn repartitions(plan: &dyn ExecutionPlan) -> bool {
    plan.name() == "RepartitionExec"
        || plan
            .children()
            .into_iter()
            .any(|child| repartitions(child.as_ref()))
}

/// Runs a query and sends its batches, shaped as `output` says.
///
/// # Errors
/// The query's.
pub(crate) async fn send(
    compiled: Compiled,
    output: Output,
    sender: BatchSender,
) -> Result<(), EngineError> {
    for_each(compiled, |batch| {
        let shaped = output.shape(&batch);
        let sender = sender.clone();
        async move { Ok(sender.send(shaped?).await.is_ok()) }
    })
    .await
}

/// What leaves the engine: columns with Hive's names and types only.
#[derive(Debug, Clone)]
pub(crate) struct Output {
    schema: SchemaRef,
}

impl Output {
    /// The output for columns of these names, Hive types and Arrow types.
    ///
    /// # Errors
    /// A column whose type Hive has no word for.
    pub(crate) fn new(columns: Vec<(String, HiveType, DataType)>) -> Self {
        let fields = columns
            .into_iter()
            .map(|(name, hive, arrow)| {
                let arrow = if leaves(&arrow) { arrow } else { hive.arrow() };
                Field::new(name, arrow, true).with_metadata(hive.metadata())
            })
            .collect::<Vec<_>>();
        Self {
            schema: Arc::new(Schema::new(fields)),
        }
    }

    /// The schema of the shaped batches.
    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// A batch with this schema: unsigned numbers signed, `char` values filled with spaces.
    fn shape(&self, batch: &RecordBatch) -> Result<RecordBatch, EngineError> {
        let columns = batch
            .columns()
            .iter()
            .zip(self.schema.fields())
            .map(|(column, field)| {
                let column = if column.data_type() == field.data_type() {
                    Arc::clone(column)
                } else {
                    compute::cast(column, field.data_type())
                        .map_err(|e| error::execution(e.to_string()))?
                };
                Ok(match HiveType::of_field(field) {
                    Some(HiveType::Char(length)) => filled(&column, length as usize),
                    _ => column,
                })
            })
            .collect::<Result<Vec<_>, EngineError>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)
            .map_err(|e| error::execution(e.to_string()))
    }
}

/// Whether values of this Arrow type are sent as they are.
fn leaves(arrow: &DataType) -> bool {
    !matches!(
        arrow,
        DataType::UInt8
            | DataType::UInt16
            | DataType::UInt32
            | DataType::UInt64
            | DataType::Dictionary(..)
            | DataType::Timestamp(_, Some(_))
            | DataType::Decimal256(..)
            | DataType::Date64
    )
}

fn filled(column: &ArrayRef, length: usize) -> ArrayRef {
    let Ok(strings) = compute::cast(column, &DataType::Utf8) else {
        return Arc::clone(column);
    };
    let mut out = StringBuilder::new();
    for value in strings.as_string::<i32>() {
        match value {
            Some(value) => {
                let missing = length.saturating_sub(value.chars().count());
                out.append_value(format!("{value}{}", " ".repeat(missing)));
            }
            None => out.append_null(),
        }
    }
    Arc::new(out.finish())
}
