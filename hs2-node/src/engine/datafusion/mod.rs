//! The embedded engine: Apache DataFusion over a warehouse folder, behind a small layer that speaks Hive's SQL.
//!
//! ```text
//! text ── variables ── lexer ── statement ─┬─ SHOW, DESCRIBE, CREATE, … ── warehouse
//!                                          └─ query ── rewrite ── planner ── check ── DataFusion ── stream
//! ```
//!
//! A statement that is accepted means what it means in Hive; what this layer cannot promise is refused by name with
//! SQLSTATE `0A000`. Queries are planned and run on a runtime of the engine's own.

mod cancel;
mod check;
mod ddl;
mod dml;
mod error;
mod functions;
mod lateral;
mod memory;
mod operators;
mod planner;
mod progress;
mod query;
mod runtime;
mod session;
mod settings;
mod show;
mod sql;
mod stream;
mod warehouse;

#[cfg(test)]
mod tests;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::{SessionState, SessionStateBuilder, SessionStateDefaults};
use datafusion::logical_expr::planner::ExprPlanner;
use datafusion::prelude::SessionConfig;

use self::functions::registry::Registry;
use self::memory::Memory;
use self::operators::HiveOperators;
use self::runtime::QueryRuntime;
use self::session::Session;
use self::warehouse::{DEFAULT_DATABASE, Warehouse};
use super::{Engine, EngineError, EngineSession, SessionOptions};
use crate::spool::SpoolDir;

/// Rows of a batch.
const BATCH_ROWS: usize = 8192;
/// A sort keeps this part of the memory, and 10 MiB at most, so that it can merge what it has spilled. Small sorts take
/// it too, and there may be many of them.
const SORT_MERGE_PART: usize = 128;

/// How to build a [`DataFusionEngine`].
#[derive(Debug, Clone)]
pub struct DataFusionOptions {
    /// The folder of databases and tables. Nodes that share it see the same tables.
    pub warehouse: PathBuf,
    /// How much memory all queries together may take for sorting, joining and grouping, in bytes. What goes beyond is
    /// spilled to disk or fails the query.
    pub memory_limit_bytes: usize,
    /// Where queries spill. The engine makes a folder of its own in it, and removes those of engines that are gone.
    pub spill_dir: PathBuf,
    /// How many parts of one query run at the same time; also the number of worker threads.
    pub target_partitions: usize,
}

impl DataFusionOptions {
    /// Options for a warehouse: 256 MiB, a folder in the system's one for temporary files, one part for each
    /// processor.
    #[must_use]
    pub fn new(warehouse: impl Into<PathBuf>) -> Self {
        Self {
            warehouse: warehouse.into(),
            memory_limit_bytes: 256 << 20,
            spill_dir: spill_folder(),
            target_partitions: std::thread::available_parallelism().map_or(2, NonZeroUsize::get),
        }
    }
}

/// A folder of this user's in the system's one for temporary files.
fn spill_folder() -> PathBuf {
    let user = std::env::var("USER").unwrap_or_default();
    std::env::temp_dir().join(format!("hs2-node-spill-{user}"))
}

/// The embedded engine. Cloning is cheap; the clones are one engine.
#[derive(Debug, Clone)]
pub struct DataFusionEngine {
    shared: Arc<Shared>,
}

/// What all sessions of an engine share.
pub(crate) struct Shared {
    warehouse: Warehouse,
    /// What each statement's state is copied from.
    state: SessionState,
    operators: Arc<HiveOperators>,
    functions: Registry,
    memory: Arc<Memory>,
    runtime: QueryRuntime,
    // Removed with its files when the engine goes, or by the next one when its process was killed.
    _spill: SpoolDir,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared")
            .field("warehouse", &self.warehouse)
            .field("runtime", &self.runtime)
            .finish_non_exhaustive()
    }
}

impl DataFusionEngine {
    /// Opens the warehouse and starts the engine's threads.
    ///
    /// # Errors
    /// The warehouse or the spill folder cannot be made or written.
    pub fn new(options: &DataFusionOptions) -> Result<Self, EngineError> {
        let warehouse = Warehouse::open(&options.warehouse)?;
        let spilling = |e| error::execution(format!("no folder to spill in: {e}"));
        let spill = SpoolDir::open(&options.spill_dir).map_err(spilling)?;
        let mode = DiskManagerMode::Directories(vec![spill.path().to_owned()]);
        let memory = Memory::new(options.memory_limit_bytes);
        let environment = RuntimeEnvBuilder::new()
            .with_memory_pool(memory.query())
            .with_disk_manager_builder(DiskManagerBuilder::default().with_mode(mode))
            .build_arc()
            .map_err(|e| error::from_running(&e))?;
        let builder = SessionStateBuilder::new().with_runtime_env(environment);
        let (state, operators) = state(builder, options);
        let runtime = QueryRuntime::new(options.target_partitions)?;
        Ok(Self {
            shared: Arc::new(Shared {
                warehouse,
                state,
                operators,
                functions: Registry::default(),
                memory,
                runtime,
                _spill: spill,
            }),
        })
    }

    /// Stops every query without waiting; may be called from anywhere. The engine runs nothing afterwards.
    pub fn shutdown(&self) {
        self.shared.runtime.shutdown();
    }
}

#[async_trait]
impl Engine for DataFusionEngine {
    async fn open_session(
        &self,
        options: SessionOptions,
    ) -> Result<Arc<dyn EngineSession>, EngineError> {
        let shared = Arc::clone(&self.shared);
        let session = self
            .shared
            .runtime
            .run(async move {
                let database = options
                    .database
                    .as_deref()
                    .unwrap_or(DEFAULT_DATABASE)
                    .to_lowercase();
                if !shared.warehouse.has_database(&database) {
                    return Err(error::no_such_database(&database));
                }
                Ok(Session::new(shared, options, database))
            })
            .await?;
        Ok(Arc::new(session))
    }
}

/// DataFusion set up for Hive, and the planner of its operators.
fn state(
    builder: SessionStateBuilder,
    engine: &DataFusionOptions,
) -> (SessionState, Arc<HiveOperators>) {
    let mut config = SessionConfig::new()
        .with_batch_size(BATCH_ROWS)
        .with_target_partitions(engine.target_partitions.max(1))
        .with_sort_spill_reservation_bytes(
            (engine.memory_limit_bytes / SORT_MERGE_PART).min(10 << 20),
        )
        .with_information_schema(false)
        .with_default_catalog_and_schema("hive", DEFAULT_DATABASE)
        .with_create_default_catalog_and_schema(false);
    let options = config.options_mut();
    // Names are lower case before the planner sees them.
    options.sql_parser.enable_ident_normalization = false;
    options.sql_parser.map_string_types_to_utf8view = false;
    "nulls_min".clone_into(&mut options.sql_parser.default_null_ordering);
    options.execution.parquet.schema_force_view_types = false;
    // Rows of a scan keep the order of its files.
    options.optimizer.enable_round_robin_repartition = false;
    let operators = Arc::new(HiveOperators::new());
    let mut planners: Vec<Arc<dyn ExprPlanner>> = vec![Arc::clone(&operators) as _];
    planners.extend(SessionStateDefaults::default_expr_planners());
    // Without functions, which are looked up in ours: each statement copies the state.
    let state = builder
        .with_config(config)
        .with_expr_planners(planners)
        .build();
    (state, operators)
}
