//! Makes every plan stop soon after it is told to.
//!
//! DataFusion stops a query where its tasks yield. Scans and exchanges do; joins do not: one that makes many rows of few
//! feeds whoever is above it without a pause, and one whose condition is seldom true computes for minutes without
//! a row to hand on ([datafusion#19358]). So each join gets a yielding operator on top, and each condition looks at
//! a flag before it is computed.
//!
//! [datafusion#19358]: https://github.com/apache/datafusion/issues/19358

use std::fmt::{self, Display, Formatter};
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use datafusion::arrow::datatypes::{FieldRef, Schema};
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DataFusionError, Result};
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::joins::utils::JoinFilter;
use datafusion::physical_plan::joins::{
    CrossJoinExec, HashJoinExec, NestedLoopJoinExec, NestedLoopJoinExecBuilder, SortMergeJoinExec,
};
use datafusion::physical_plan::unnest::UnnestExec;

/// Tells a plan to stop.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Stops the plan when the returned value is dropped.
    pub(crate) fn on_drop(&self) -> StopOnDrop {
        StopOnDrop(self.clone())
    }

    fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Stops a plan when it goes out of scope. It must live where no task of the plan can keep it waiting.
#[derive(Debug)]
pub(crate) struct StopOnDrop(Stop);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
}

/// The plan, such that it stops soon after `stop` is set and its tasks are dropped.
///
/// # Errors
/// None in practice: the plan's operators are built again as they were.
pub(crate) fn stoppable(
    plan: Arc<dyn ExecutionPlan>,
    stop: &Stop,
) -> Result<Arc<dyn ExecutionPlan>> {
    let stoppable = plan.transform_up(|node| {
        let watched = |filter: &JoinFilter| {
            let expression = Watched {
                inner: Arc::clone(filter.expression()),
                stop: stop.clone(),
            };
            let (columns, schema) = (filter.column_indices().to_vec(), filter.schema());
            Some(JoinFilter::new(
                Arc::new(expression),
                columns,
                Arc::clone(schema),
            ))
        };
        let join: Arc<dyn ExecutionPlan> =
            if let Some(join) = node.downcast_ref::<NestedLoopJoinExec>() {
                match join.filter() {
                    Some(filter) => Arc::new(
                        NestedLoopJoinExecBuilder::from(join)
                            .with_filter(watched(filter))
                            .build()?,
                    ),
                    None => node,
                }
            } else if let Some(join) = node.downcast_ref::<HashJoinExec>() {
                match join.filter() {
                    Some(filter) => join.builder().with_filter(watched(filter)).build_exec()?,
                    None => node,
                }
            } else if node.downcast_ref::<CrossJoinExec>().is_some()
                || node.downcast_ref::<SortMergeJoinExec>().is_some()
                || node.downcast_ref::<UnnestExec>().is_some()
            {
                node
            } else {
                return Ok(Transformed::no(node));
            };
        Ok(Transformed::yes(Arc::new(CooperativeExec::new(join)) as _))
    })?;
    Ok(stoppable.data)
}

/// A condition that fails once its plan is to stop.
#[derive(Debug)]
struct Watched {
    inner: Arc<dyn PhysicalExpr>,
    stop: Stop,
}

impl PartialEq for Watched {
    fn eq(&self, other: &Self) -> bool {
        self.inner.eq(&other.inner)
    }
}

impl Eq for Watched {}

impl Hash for Watched {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.inner.hash(state);
    }
}

impl Display for Watched {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Display::fmt(&self.inner, f)
    }
}

impl PhysicalExpr for Watched {
    fn return_field(&self, schema: &Schema) -> Result<FieldRef> {
        self.inner.return_field(schema)
    }

    fn evaluate(&self, batch: &RecordBatch) -> Result<ColumnarValue> {
        if self.stop.is_set() {
            return Err(DataFusionError::Execution("stopped".to_owned()));
        }
        self.inner.evaluate(batch)
    }

    fn children(&self) -> Vec<&Arc<dyn PhysicalExpr>> {
        vec![&self.inner]
    }

    fn with_new_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn PhysicalExpr>>,
    ) -> Result<Arc<dyn PhysicalExpr>> {
        let inner = children.pop().unwrap_or_else(|| Arc::clone(&self.inner));
        Ok(Arc::new(Self {
            inner,
            stop: self.stop.clone(),
        }))
    }

    fn fmt_sql(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.inner.fmt_sql(f)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use futures::StreamExt;
    use tokio::time::timeout;

    use crate::engine::datafusion::tests::{Node, eventually};

    /// Each would take minutes. Without what this module does, the joins do not stop before their end.
    const LONG: [(&str, &str); 8] = [
        (
            "a condition that is never true",
            "SELECT count(*) FROM range(1000000) a JOIN range(1000000) b ON a.id + b.id < 0",
        ),
        (
            "a condition that is often true",
            "SELECT count(*) FROM range(1000000) a JOIN range(1000000) b ON a.id < b.id",
        ),
        (
            "many rows of one key",
            "SELECT count(*) FROM (SELECT id % 2 AS k FROM range(300000)) a \
             JOIN (SELECT id % 2 AS k FROM range(300000)) b ON a.k = b.k",
        ),
        (
            "many rows of one key and a condition that is never true",
            "SELECT count(*) FROM (SELECT id, id % 2 AS k FROM range(300000)) a \
             JOIN (SELECT id, id % 2 AS k FROM range(300000)) b ON a.k = b.k AND a.id + b.id < 0",
        ),
        (
            "everything with everything",
            "SELECT count(*) FROM range(1000000) a CROSS JOIN range(1000000) b",
        ),
        (
            "a sort",
            "SELECT max(k) FROM (SELECT id, id * 7919 % 1000003 AS k FROM range(50000000) ORDER BY k) t",
        ),
        (
            "groups",
            "SELECT count(*) FROM (SELECT id % 5000000 AS k, sum(id) AS s FROM range(100000000) GROUP BY id % 5000000) t",
        ),
        (
            "a window",
            "SELECT max(r) FROM (SELECT row_number() OVER (PARTITION BY id % 1000 ORDER BY id) AS r FROM range(50000000)) t",
        ),
    ];

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn every_operator_stops_when_nobody_listens_any_more() {
        let folder = tempfile::tempdir().unwrap();
        for (what, sql) in LONG {
            // An engine for each: what one leaves running is not the next one's.
            let node = Node::start(folder.path()).await;
            let mut batches = node.execute(sql).await.unwrap().batches;
            let early = timeout(Duration::from_millis(500), batches.next()).await;
            assert!(early.is_err(), "{what}: it should take long, {early:?}");
            let asked = Instant::now();
            drop(batches);
            let tasks = || node.engine.shared.runtime.metrics().num_alive_tasks();
            eventually(&format!("{what} stops"), || tasks() == 0).await;
            assert!(asked.elapsed() < Duration::from_secs(20), "{what}");
            eprintln!("{what}: stopped after {} ms", asked.elapsed().as_millis());
        }
    }
}
