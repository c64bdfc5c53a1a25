//! Queries from tree to stream: rewritten, planned over the warehouse's tables, checked, optimized, run.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::datasource::ViewTable;
use datafusion::datasource::provider_as_source;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::{SessionState, TaskContext};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::displayable;
use datafusion::sql::sqlparser::ast::Query;
use datafusion::sql::sqlparser::tokenizer::TokenWithSpan;

use super::cancel::{self, Stop};
use super::sql::cursor::Cursor;
use super::sql::lexer;
use super::sql::rewrite::{self, Context, OutputName, TableReference};
use super::sql::statement::{self, Statement};
use super::sql::types::HiveType;
use super::sql::variables::SourceText;
use super::stream::{self, Output};
use super::warehouse::metadata::{Kind, TableMeta, ViewMeta};
use super::warehouse::{Warehouse, provider};
use super::{Shared, check, error, planner};
use crate::engine::EngineError;

/// How deep views may refer to views.
const VIEW_DEPTH_MAX: usize = 30;

/// A query that is planned, not yet optimized.
pub(crate) struct Planned {
    pub(crate) plan: LogicalPlan,
    /// The columns' names and Hive types.
    pub(crate) columns: Vec<(String, HiveType)>,
}

/// A query that can run.
pub(crate) struct Compiled {
    pub(crate) plan: Arc<dyn ExecutionPlan>,
    pub(crate) context: Arc<TaskContext>,
    pub(crate) columns: Vec<(String, HiveType)>,
    /// Stops the plan, whatever it is in the middle of.
    pub(crate) stop: Stop,
}

impl Compiled {
    /// What leaves the engine.
    pub(crate) fn output(&self) -> Output {
        let arrow = self.plan.schema();
        let arrow = arrow.fields().iter().map(|f| f.data_type().clone());
        Output::new(
            self.columns
                .iter()
                .cloned()
                .zip(arrow)
                .map(|((name, hive), arrow)| (name, hive, arrow))
                .collect(),
        )
    }
}

/// One statement's planner.
pub(crate) struct QueryPlanner<'a> {
    shared: &'a Shared,
    state: SessionState,
    context: Context,
    /// The statement's tokens, to find where a name stands.
    tokens: &'a [TokenWithSpan],
    unique_names: bool,
}

impl<'a> QueryPlanner<'a> {
    /// A planner for one statement.
    pub(crate) fn new(
        shared: &'a Shared,
        context: Context,
        tokens: &'a [TokenWithSpan],
        unique_names: bool,
    ) -> Self {
        let mut state = shared.state.clone();
        state.mark_start_execution();
        Self {
            shared,
            state,
            context,
            tokens,
            unique_names,
        }
    }

    /// What the planner rewrites with.
    pub(crate) fn context(&self) -> &Context {
        &self.context
    }

    /// Plans a query.
    ///
    /// # Errors
    /// Everything that is known before it runs.
    pub(crate) fn plan(&self, query: Query) -> Result<Planned, EngineError> {
        let rewritten = rewrite::query(query, &self.context)?;
        let plan = self.plan_rewritten(rewritten.query, &rewritten.tables, 0)?;
        let columns = self.columns(&plan, &rewritten.names)?;
        Ok(Planned { plan, columns })
    }

    /// Plans a query that is rewritten and reads no table: the rows of an `INSERT … VALUES`.
    ///
    /// # Errors
    /// As [`Self::plan`].
    pub(crate) fn plan_values(&self, query: Query) -> Result<Planned, EngineError> {
        let plan = self.plan_rewritten(query, &[], 0)?;
        let columns = self.columns(&plan, &[OutputName::Star])?;
        Ok(Planned { plan, columns })
    }

    /// Optimizes a plan and makes it ready to run.
    ///
    /// # Errors
    /// What DataFusion finds.
    pub(crate) async fn compile(&self, planned: Planned) -> Result<Compiled, EngineError> {
        let plan = self
            .state
            .create_physical_plan(&planned.plan)
            .await
            .map_err(|e| self.planning_error(&e))?;
        let stop = Stop::default();
        let plan = cancel::stoppable(stream::in_order(plan)?, &stop)
            .map_err(|e| self.planning_error(&e))?;
        Ok(Compiled {
            plan,
            context: self.task_context(),
            columns: planned.columns,
            stop,
        })
    }

    /// What the plan runs with: memory of its own, as much as it may take.
    fn task_context(&self) -> Arc<TaskContext> {
        let context = TaskContext::from(&self.state);
        let mut runtime = RuntimeEnv::clone(&context.runtime_env());
        runtime.memory_pool = self.shared.memory.query();
        Arc::new(context.with_runtime(Arc::new(runtime)))
    }

    /// The lines of `EXPLAIN`.
    ///
    /// # Errors
    /// As [`Self::compile`].
    pub(crate) async fn explain(&self, planned: Planned) -> Result<Vec<String>, EngineError> {
        let logical = self
            .state
            .optimize(&planned.plan)
            .map_err(|e| self.planning_error(&e))?;
        let physical = self
            .state
            .query_planner()
            .create_physical_plan(&logical, &self.state)
            .await
            .map_err(|e| self.planning_error(&e))?;
        let mut lines = vec!["LOGICAL PLAN".to_owned()];
        lines.extend(
            logical
                .display_indent()
                .to_string()
                .lines()
                .map(str::to_owned),
        );
        lines.push(String::new());
        lines.push("PHYSICAL PLAN".to_owned());
        lines.extend(
            displayable(physical.as_ref())
                .indent(false)
                .to_string()
                .lines()
                .map(str::to_owned),
        );
        Ok(lines)
    }

    fn plan_rewritten(
        &self,
        query: Query,
        tables: &[TableReference],
        depth: usize,
    ) -> Result<LogicalPlan, EngineError> {
        let mut sources = planner::Tables::new();
        for TableReference {
            database,
            table,
            at,
        } in tables
        {
            let key = (database.clone(), table.clone());
            if sources.contains_key(&key) {
                continue;
            }
            let meta = find(&self.shared.warehouse, database, table)?.ok_or_else(|| {
                error::no_such_table((depth == 0).then_some(*at), database, table)
            })?;
            let source = match &meta.view {
                Some(view) => {
                    let plan = self
                        .plan_view(view, &meta, depth + 1)
                        .map_err(|e| EngineError {
                            message: format!("{} (in view {database}.{table})", e.message),
                            ..e
                        })?;
                    provider_as_source(Arc::new(ViewTable::new(plan, Some(view.text.clone()))))
                }
                None => provider_as_source(provider::provider(
                    &self.shared.warehouse,
                    database,
                    table,
                    &meta,
                )?),
            };
            sources.insert(key, source);
        }
        let plan = planner::plan(&self.state, &self.shared.functions, &sources, query)
            .map_err(|e| self.planning_error(&e))?;
        check::size(&plan).map_err(|e| self.planning_error(&e))?;
        let plan =
            check::convert(plan, &self.shared.operators).map_err(|e| self.planning_error(&e))?;
        check::plan(&plan).map_err(|e| self.planning_error(&e))?;
        Ok(plan)
    }

    /// The plan of a view, its columns named as the view names them.
    fn plan_view(
        &self,
        view: &ViewMeta,
        meta: &TableMeta,
        depth: usize,
    ) -> Result<LogicalPlan, EngineError> {
        if depth > VIEW_DEPTH_MAX {
            return Err(error::semantic(
                40000,
                format!("views nest deeper than {VIEW_DEPTH_MAX}, or one refers to itself"),
            ));
        }
        let query = parse_query(&view.text)?;
        let context = Context {
            database: view.database.clone(),
            ..self.context.clone()
        };
        let rewritten = rewrite::query(query, &context)?;
        let plan = self.plan_rewritten(rewritten.query, &rewritten.tables, depth)?;
        if plan.schema().fields().len() != meta.columns.len() {
            return Err(error::semantic(
                40000,
                "the tables under the view have changed: create the view anew",
            ));
        }
        let named = plan
            .schema()
            .iter()
            .zip(&meta.columns)
            .map(|(column, named)| Expr::from(column).alias(&named.name))
            .collect::<Vec<_>>();
        LogicalPlanBuilder::from(plan)
            .project(named)
            .and_then(LogicalPlanBuilder::build)
            .map_err(|e| self.planning_error(&e))
    }

    /// The result's columns as Hive names them.
    fn columns(
        &self,
        plan: &LogicalPlan,
        names: &[OutputName],
    ) -> Result<Vec<(String, HiveType)>, EngineError> {
        let fields: Vec<_> = plan.schema().iter().collect();
        let generated = names == [OutputName::Generated];
        let stars = names
            .iter()
            .filter(|name| **name == OutputName::Star)
            .count();
        let named: Vec<&String> = names
            .iter()
            .filter_map(|name| match name {
                OutputName::Named(name) => Some(name),
                OutputName::Star | OutputName::Generated => None,
            })
            .collect();
        // Beside a `*` every named column was given an alias, so it has no table.
        let aliased = fields.iter().filter(|(table, _)| table.is_none()).count() == named.len();
        let mut rest = named.into_iter();
        fields
            .into_iter()
            .map(|(table, field)| {
                let hive = HiveType::of_field(field).ok_or_else(|| {
                    error::unsupported(
                        None,
                        format!(
                            "column {}: values of type {} are not supported",
                            field.name(),
                            field.data_type()
                        ),
                    )
                })?;
                let qualified = |name: &str| match table {
                    Some(table) if self.unique_names => format!("{}.{name}", table.table()),
                    _ => name.to_owned(),
                };
                let name = if generated {
                    field.name().clone()
                } else if stars == 0 {
                    match rest.next() {
                        // `t.a`, or the field `a` of a struct.
                        Some(name) if name.contains('.') => {
                            qualified(name.rsplit('.').next().unwrap_or(name))
                        }
                        Some(name) => name.clone(),
                        None => field.name().clone(),
                    }
                } else if table.is_none() && aliased {
                    rest.next().cloned().unwrap_or_else(|| field.name().clone())
                } else {
                    qualified(field.name())
                };
                Ok((name, hive))
            })
            .collect()
    }

    fn planning_error(&self, e: &datafusion::error::DataFusionError) -> EngineError {
        error::from_planning(e, |name| lexer::find_word(self.tokens, name))
    }
}

/// A table or view, after a look whether its database exists.
///
/// # Errors
/// There is no such database, or the description cannot be read.
pub(crate) fn find(
    warehouse: &Warehouse,
    database: &str,
    table: &str,
) -> Result<Option<TableMeta>, EngineError> {
    match warehouse.table(database, table)? {
        None if !warehouse.has_database(database) => Err(error::no_such_database(database)),
        found => Ok(found),
    }
}

/// The columns of a view's query, without their tables' names.
pub(crate) fn bare_names(columns: &[(String, HiveType)]) -> Vec<String> {
    columns
        .iter()
        .map(|(name, _)| name.rsplit('.').next().unwrap_or(name).to_owned())
        .collect()
}

/// Whether the rows of a table are its own files.
pub(crate) fn is_managed(meta: &TableMeta) -> bool {
    meta.kind == Kind::Managed
}

fn parse_query(text: &str) -> Result<Query, EngineError> {
    let source = SourceText::substitute(text, &BTreeMap::new(), &BTreeMap::new())?;
    let mut cursor = Cursor::new(lexer::tokenize(&source)?, source.end());
    match statement::parse(&mut cursor, text)? {
        Statement::Query(query) => Ok(*query),
        _ => Err(error::execution("the view's text is no query")),
    }
}

/// Whether values of this type can be kept in a table.
pub(crate) fn storable(hive_type: &HiveType) -> bool {
    match hive_type {
        HiveType::Void | HiveType::IntervalYearMonth | HiveType::IntervalDayTime => false,
        HiveType::Array(element) => storable(element),
        HiveType::Map(key, value) => storable(key) && storable(value),
        HiveType::Struct(fields) => {
            !fields.is_empty() && fields.iter().all(|(_, field)| storable(field))
        }
        other => other.arrow() != DataType::Null,
    }
}
