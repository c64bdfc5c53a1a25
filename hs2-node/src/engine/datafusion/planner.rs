//! From a rewritten query to a logical plan: tables from the warehouse, functions from our list.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::{Result, ScalarValue, TableReference, plan_err};
use datafusion::datasource::provider_as_source;
use datafusion::execution::SessionState;
use datafusion::logical_expr::planner::{ContextProvider, ExprPlanner, RelationPlanner};
use datafusion::logical_expr::{
    AggregateUDF, Expr, HigherOrderUDF, LogicalPlan, ScalarUDF, TableSource, WindowUDF,
};
use datafusion::sql::planner::SqlToRel;
use datafusion::sql::sqlparser::ast::{Query, Statement};

use super::functions::range;
use super::functions::registry::Registry;
use super::lateral::LateralViews;

/// Tables by database and name.
pub(crate) type Tables = HashMap<(String, String), Arc<dyn TableSource>>;

/// Plans a rewritten query over `tables`.
///
/// # Errors
/// Whatever DataFusion's planner finds.
pub(crate) fn plan(
    state: &SessionState,
    functions: &Registry,
    tables: &Tables,
    query: Query,
) -> Result<LogicalPlan> {
    let planner = Planner {
        state,
        functions,
        tables,
        relations: [Arc::new(LateralViews)],
    };
    SqlToRel::new(&planner).sql_statement_to_plan(Statement::Query(Box::new(query)))
}

struct Planner<'a> {
    state: &'a SessionState,
    functions: &'a Registry,
    tables: &'a Tables,
    relations: [Arc<dyn RelationPlanner>; 1],
}

impl ContextProvider for Planner<'_> {
    fn get_table_source(&self, name: TableReference) -> Result<Arc<dyn TableSource>> {
        let key = (
            name.schema().unwrap_or_default().to_owned(),
            name.table().to_owned(),
        );
        match self.tables.get(&key) {
            Some(table) => Ok(Arc::clone(table)),
            None => plan_err!("table {name} was not loaded"),
        }
    }

    fn get_table_function_source(
        &self,
        name: &str,
        args: Vec<Expr>,
    ) -> Result<Arc<dyn TableSource>> {
        let numbers = args.iter().map(whole_number).collect::<Option<Vec<i64>>>();
        let (start, end, step) = match numbers.as_deref() {
            Some([end]) => (0, *end, 1),
            Some([start, end]) => (*start, *end, 1),
            Some([start, end, step]) if *step != 0 => (*start, *end, *step),
            _ => return plan_err!("{name} takes one to three whole numbers, the third not 0"),
        };
        Ok(provider_as_source(Arc::new(range::table(
            start, end, step,
        )?)))
    }

    fn get_expr_planners(&self) -> &[Arc<dyn ExprPlanner>] {
        self.state.expr_planners()
    }

    fn get_relation_planners(&self) -> &[Arc<dyn RelationPlanner>] {
        &self.relations
    }

    fn get_function_meta(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        self.functions.scalar(name, self.options())
    }

    fn get_higher_order_meta(&self, _: &str) -> Option<Arc<HigherOrderUDF>> {
        None
    }

    fn get_aggregate_meta(&self, name: &str) -> Option<Arc<AggregateUDF>> {
        self.functions.aggregate(name)
    }

    fn get_window_meta(&self, name: &str) -> Option<Arc<WindowUDF>> {
        self.functions.window(name)
    }

    fn get_variable_type(&self, _: &[String]) -> Option<DataType> {
        None
    }

    fn options(&self) -> &ConfigOptions {
        self.state.config_options()
    }

    fn udf_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn higher_order_function_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn udaf_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn udwf_names(&self) -> Vec<String> {
        Vec::new()
    }
}

fn whole_number(expr: &Expr) -> Option<i64> {
    match expr {
        Expr::Literal(ScalarValue::Int64(value), _) => *value,
        Expr::Negative(inner) => whole_number(inner)?.checked_neg(),
        _ => None,
    }
}
