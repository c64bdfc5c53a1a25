//! What the counters of a plan's operators say about how far it is.
//!
//! A plan is cut into stages where its rows change hands between tasks, as Hive cuts a query into vertices: a stage
//! that reads a table is a `Map`, any other a `Reducer`.

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::datasource::physical_plan::FileScanConfig;
use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::metrics::{MetricValue, MetricsSet};
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use datafusion::physical_plan::statistics::{StatisticsArgs, StatisticsContext};
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};

use crate::engine::{Amount, Progress, Stage};

/// How far a plan is. It holds the plan while that may run, and only its last figures afterwards, since a plan keeps the
/// tables that its joins have built.
#[derive(Debug)]
pub(crate) struct PlanProgress {
    plan: Mutex<Watched>,
    /// Rows inserted, where the statement inserts.
    modified: Option<AtomicU64>,
}

#[derive(Debug)]
enum Watched {
    Plan(Arc<dyn ExecutionPlan>),
    Ended(Vec<Stage>),
}

impl PlanProgress {
    /// The progress of a query.
    pub(crate) fn of_query(plan: &Arc<dyn ExecutionPlan>) -> Self {
        Self {
            plan: Mutex::new(Watched::Plan(Arc::clone(plan))),
            modified: None,
        }
    }

    /// The progress of a statement that inserts rows, those of `plan` if it has one.
    pub(crate) fn of_insert(plan: Option<&Arc<dyn ExecutionPlan>>) -> Self {
        let plan = plan.map_or(Watched::Ended(Vec::new()), |plan| {
            Watched::Plan(Arc::clone(plan))
        });
        Self {
            plan: Mutex::new(plan),
            modified: Some(AtomicU64::new(0)),
        }
    }

    /// Notes that rows were inserted.
    pub(crate) fn inserted(&self, rows: usize) {
        if let Some(modified) = &self.modified {
            modified.fetch_add(rows as u64, Ordering::Relaxed);
        }
    }

    /// Lets go of the plan when the returned value is dropped.
    pub(crate) fn while_running(self: &Arc<Self>) -> Running {
        Running(Arc::clone(self))
    }
}

/// A plan that runs, or waits until it may.
#[derive(Debug)]
pub(crate) struct Running(Arc<PlanProgress>);

impl Drop for Running {
    fn drop(&mut self) {
        let mut plan = self.0.plan.lock().unwrap_or_else(PoisonError::into_inner);
        let last = match &*plan {
            Watched::Plan(plan) => stages(plan),
            Watched::Ended(_) => return,
        };
        let plan = std::mem::replace(&mut *plan, Watched::Ended(last));
        // The lock is free again before what the plan holds is.
        drop(plan);
    }
}

impl Progress for PlanProgress {
    fn stages(&self) -> Vec<Stage> {
        match &*self.plan.lock().unwrap_or_else(PoisonError::into_inner) {
            Watched::Plan(plan) => stages(plan),
            Watched::Ended(stages) => stages.clone(),
        }
    }

    fn rows_modified(&self) -> Option<u64> {
        let modified = self.modified.as_ref();
        modified.map(|rows| rows.load(Ordering::Relaxed))
    }
}

/// The stages of a plan, sources first.
fn stages(plan: &Arc<dyn ExecutionPlan>) -> Vec<Stage> {
    let mut stages = Vec::new();
    stage(plan, &mut stages);
    stages
}

/// Adds the stage that ends with `top`, behind those it reads from.
fn stage(top: &Arc<dyn ExecutionPlan>, stages: &mut Vec<Stage>) {
    let mut leaves = Vec::new();
    collect(top, &mut leaves, stages);
    let (running, done) = tasks(top.as_ref());
    let count = top.output_partitioning().partition_count();
    let kind = if leaves.is_empty() { "Reducer" } else { "Map" };
    let amount = |of: fn(&dyn ExecutionPlan) -> Amount| {
        let amounts = leaves.iter().map(|leaf| of(leaf.as_ref()));
        let sum = |sum: Amount, one: Amount| Amount {
            done: sum.done + one.done,
            expected: sum.expected.zip(one.expected).map(|(a, b)| a + b),
        };
        amounts.reduce(sum).unwrap_or_default()
    };
    stages.push(Stage {
        name: format!("{kind} {}", stages.len() + 1),
        tasks: count,
        tasks_running: running.min(count),
        tasks_done: done.min(count),
        rows: amount(rows_read),
        bytes: amount(bytes_read),
    });
}

/// Finds the sources of a stage, and adds the stages below it.
fn collect(
    node: &Arc<dyn ExecutionPlan>,
    leaves: &mut Vec<Arc<dyn ExecutionPlan>>,
    stages: &mut Vec<Stage>,
) {
    let children = node.children();
    if children.is_empty() {
        leaves.push(Arc::clone(node));
    }
    let hands_over = node.downcast_ref::<RepartitionExec>().is_some()
        || node.downcast_ref::<CoalescePartitionsExec>().is_some()
        || node.downcast_ref::<SortPreservingMergeExec>().is_some();
    for child in children {
        if hands_over {
            stage(child, stages);
        } else {
            collect(child, leaves, stages);
        }
    }
}

/// How many tasks of the uppermost operator that keeps count are running, and how many have ended.
fn tasks(node: &dyn ExecutionPlan) -> (usize, usize) {
    // By partition: whether it has ended.
    let mut partitions = HashMap::new();
    for metric in node.metrics().iter().flat_map(MetricsSet::iter) {
        let Some(partition) = metric.partition() else {
            continue;
        };
        match metric.value() {
            MetricValue::StartTimestamp(time) if time.value().is_some() => {
                partitions.entry(partition).or_insert(false);
            }
            MetricValue::EndTimestamp(time) if time.value().is_some() => {
                partitions.insert(partition, true);
            }
            _ => {}
        }
    }
    if partitions.is_empty() {
        return match node.children().as_slice() {
            [child] => tasks(child.as_ref()),
            _ => (0, 0),
        };
    }
    let done = partitions.values().filter(|ended| **ended).count();
    (partitions.len() - done, done)
}

fn rows_read(leaf: &dyn ExecutionPlan) -> Amount {
    let done = leaf.metrics().and_then(|metrics| metrics.output_rows());
    let expected = StatisticsContext::new().compute(leaf, &StatisticsArgs::new());
    let expected = expected
        .ok()
        .and_then(|statistics| statistics.num_rows.get_value().copied());
    amount(done, expected)
}

fn bytes_read(leaf: &dyn ExecutionPlan) -> Amount {
    let done = leaf.metrics().and_then(|metrics| {
        let scanned = metrics.sum_by_name("bytes_scanned")?;
        Some(scanned.as_usize())
    });
    let files = leaf.downcast_ref::<DataSourceExec>().and_then(|source| {
        let source: &dyn std::any::Any = source.data_source().as_ref();
        source.downcast_ref::<FileScanConfig>()
    });
    let expected = files.map(|files| {
        let groups = files.file_groups.iter().flat_map(|group| group.iter());
        groups.map(|file| file.effective_size() as usize).sum()
    });
    amount(done, expected)
}

fn amount(done: Option<usize>, expected: Option<usize>) -> Amount {
    Amount {
        done: done.unwrap_or_default() as u64,
        expected: expected.map(|expected| expected as u64),
    }
}

#[cfg(test)]
mod tests {
    use crate::engine::datafusion::tests::node;

    #[tokio::test]
    async fn stages_count_what_was_read_and_end_with_all_tasks_done() {
        let (node, _folder) = node().await;
        let ended = async |sql: &str| {
            let (execution, _) = node.try_batches(sql).await.unwrap();
            execution
        };
        let made = ended("CREATE TABLE t AS SELECT id FROM range(20000)").await;
        assert_eq!(made.progress.unwrap().rows_modified(), Some(20_000));
        let inserted = ended("INSERT INTO t VALUES (1), (2)").await;
        assert_eq!(inserted.progress.unwrap().rows_modified(), Some(2));

        let sql = "SELECT id % 10 AS k, count(*) AS n FROM t GROUP BY id % 10 ORDER BY k";
        let waiting = node.execute(sql).await.unwrap();
        let before = waiting.progress.as_ref().unwrap().stages();
        assert_eq!(before[0].rows.done, 0, "it begins at its turn");
        assert_eq!(before[0].rows.expected, Some(20_002));
        drop(waiting);

        let execution = ended(sql).await;
        let progress = execution.progress.unwrap();
        drop(execution.batches);
        let stages = progress.stages();
        assert_eq!(stages[0].name, "Map 1");
        assert_eq!(
            (stages[0].rows.done, stages[0].rows.expected),
            (20_002, Some(20_002))
        );
        assert!(stages[0].bytes.done > 0 && stages[0].bytes.expected > Some(0));
        assert!(stages.len() > 1 && stages[1].name.starts_with("Reducer 2"));
        for stage in &stages {
            assert_eq!(stage.tasks_done, stage.tasks, "{stages:#?}");
        }
        assert_eq!(progress.rows_modified(), None);
    }
}
