//! The plan of `LATERAL VIEW [OUTER] f(…) t AS a, b`: for each row of its input, the rows that `f` gives.
//!
//! The rewriter wraps the input into a `PIVOT`, which no statement of Hive has, and which sqlparser's tree has room in for
//! what is needed: the call, the view's name and columns, and whether it is `OUTER`.

use datafusion::common::{Column, NullHandling, Result, UnnestOptions, plan_err};
use datafusion::logical_expr::planner::{
    PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning,
};
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, lit};
use datafusion::sql::sqlparser::ast::{
    Expr as SqlExpr, ExprWithAlias, Ident, PivotValueSource, TableAlias, TableAliasColumnDef,
    TableFactor, Value,
};

use super::error;
use super::sql::types::HiveType;

/// `input LATERAL VIEW [OUTER] call name AS columns` for the planner.
pub(crate) fn view(
    input: TableFactor,
    call: SqlExpr,
    name: Ident,
    columns: Vec<Ident>,
    outer: bool,
) -> TableFactor {
    TableFactor::Pivot {
        table: Box::new(input),
        aggregate_functions: vec![ExprWithAlias {
            expr: call,
            alias: None,
        }],
        value_column: Vec::new(),
        value_source: PivotValueSource::List(Vec::new()),
        default_on_null: outer.then(|| SqlExpr::Value(Value::Boolean(true).into())),
        alias: Some(TableAlias {
            explicit: true,
            name,
            columns: columns
                .into_iter()
                .map(|name| TableAliasColumnDef {
                    name,
                    data_type: None,
                })
                .collect(),
            at: None,
        }),
    }
}

/// The planner of these views.
#[derive(Debug)]
pub(crate) struct LateralViews;

impl RelationPlanner for LateralViews {
    fn plan_relation(
        &self,
        relation: TableFactor,
        context: &mut dyn RelationPlannerContext,
    ) -> Result<RelationPlanning> {
        let TableFactor::Pivot {
            table,
            mut aggregate_functions,
            default_on_null,
            alias,
            ..
        } = relation
        else {
            return Ok(RelationPlanning::Original(Box::new(relation)));
        };
        let (Some(call), Some(alias)) = (aggregate_functions.pop(), alias) else {
            return plan_err!("a lateral view has a call and a name");
        };
        let input = context.plan(*table)?;
        let call = context.sql_to_expr(call.expr, input.schema())?;
        let plan = unfold(input, call, &alias, default_on_null.is_some(), context)?;
        Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(
            plan, None,
        ))))
    }
}

fn unfold(
    input: LogicalPlan,
    call: Expr,
    alias: &TableAlias,
    outer: bool,
    context: &dyn RelationPlannerContext,
) -> Result<LogicalPlan> {
    let (_, field) = call.to_field(input.schema())?;
    let fields = match HiveType::of_field(&field) {
        Some(HiveType::Array(element)) => match *element {
            HiveType::Struct(fields) => fields,
            _ => return plan_err!("{call} gives no rows"),
        },
        _ => return plan_err!("{call} gives no rows"),
    };
    let name = &alias.name.value;
    if !alias.columns.is_empty() && alias.columns.len() != fields.len() {
        return Err(error::external(error::semantic(
            10083,
            format!(
                "The number of aliases supplied in the AS clause does not match the number of columns output by the UDTF \
                 expected {} aliases but got {}",
                fields.len(),
                alias.columns.len()
            ),
        )));
    }
    let Some(get_field) = context.context_provider().get_function_meta("get_field") else {
        return plan_err!("get_field is missing");
    };
    let rows = format!("hive rows of {name}");
    let kept: Vec<Expr> = input.schema().iter().map(Expr::from).collect();
    let mut with_rows = kept.clone();
    with_rows.push(call.alias(&rows));
    let column = Column::from_name(&rows);
    let handling = if outer {
        NullHandling::PreserveAndExpandEmpty
    } else {
        NullHandling::Drop
    };
    let options = UnnestOptions {
        null_handling: handling,
        ..UnnestOptions::default()
    };
    let named = fields.iter().enumerate().map(|(i, (field, _))| {
        let shown = alias.columns.get(i).map_or(field, |c| &c.name.value);
        get_field
            .call(vec![Expr::Column(column.clone()), lit(field.as_str())])
            .alias_qualified(Some(name.as_str()), shown)
    });
    let named: Vec<Expr> = kept.into_iter().chain(named).collect();
    LogicalPlanBuilder::from(input)
        .project(with_rows)?
        .unnest_column_with_options(column.clone(), options)?
        .project(named)?
        .build()
}
