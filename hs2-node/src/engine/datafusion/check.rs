//! The last look at a plan: places where DataFusion would bring two types together in another way than Hive.

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Expr, ExprSchemable, LogicalPlan, WindowFunctionDefinition};

use super::error;
use super::functions::common::COMMON;
use super::operators::{Group, HiveOperators, common_type, group};
use super::sql::types::HiveType;

/// How many operators a plan may have. A view stands in it as often as it is named: each that names another twice doubles
/// it.
const OPERATORS_MAX: usize = 20_000;

/// Refuses a plan that is too large to be worked on.
///
/// # Errors
/// It has too many operators.
pub(crate) fn size(plan: &LogicalPlan) -> Result<()> {
    let mut count = 0;
    plan.apply_with_subqueries(|_| {
        count += 1;
        Ok(if count > OPERATORS_MAX {
            TreeNodeRecursion::Stop
        } else {
            TreeNodeRecursion::Continue
        })
    })?;
    if count <= OPERATORS_MAX {
        return Ok(());
    }
    Err(error::external(error::unsupported(
        None,
        format!(
            "the query with its views written out has more than {OPERATORS_MAX} operators: keep a part of it in a table"
        ),
    )))
}

/// Gives every `IN` list the conversions of `=`, and values that come to one type their casts.
///
/// # Errors
/// Types that Hive does not compare.
pub(crate) fn convert(plan: LogicalPlan, operators: &HiveOperators) -> Result<LogicalPlan> {
    let converted = plan.transform_down_with_subqueries(|node| {
        let mut lists = false;
        node.apply_expressions(|expr| {
            lists |= expr.exists(|expr| Ok(matches!(expr, Expr::InList(_)) || is_mark(expr)))?;
            Ok(TreeNodeRecursion::Continue)
        })?;
        if !lists {
            return Ok(Transformed::no(node));
        }
        let schema = input_schema(&node);
        let names = NamePreserver::new(&node);
        let node = node.map_expressions(|expr| {
            let name = names.save(&expr);
            let expr = expr.transform_up(|expr| match &expr {
                Expr::InList(list) => Ok(operators
                    .in_list(list, &schema)?
                    .map_or_else(|| Transformed::no(expr), Transformed::yes)),
                Expr::Case(_) => one_type(expr, &schema, operators),
                Expr::ScalarFunction(call) if call.name() == "coalesce" => {
                    one_type(expr, &schema, operators)
                }
                _ => Ok(Transformed::no(expr)),
            })?;
            Ok(expr.update_data(|expr| name.restore(expr)))
        })?;
        node.map_data(LogicalPlan::recompute_schema)
    })?;
    Ok(converted.data)
}

fn is_mark(expr: &Expr) -> bool {
    matches!(expr, Expr::ScalarFunction(call) if call.name() == COMMON)
}

/// Casts the values that an expression takes one of to the type that a mark among them says.
fn one_type(
    mut expr: Expr,
    schema: &DFSchema,
    operators: &HiveOperators,
) -> Result<Transformed<Expr>> {
    let mut values: Vec<&mut Expr> = match &mut expr {
        Expr::Case(case) => case
            .when_then_expr
            .iter_mut()
            .map(|(_, result)| result.as_mut())
            .chain(case.else_expr.as_deref_mut())
            .collect(),
        Expr::ScalarFunction(call) => call.args.iter_mut().collect(),
        _ => return Ok(Transformed::no(expr)),
    };
    let Some(mark) = values.iter_mut().find(|value| is_mark(value)) else {
        return Ok(Transformed::no(expr));
    };
    let common = hive(mark, schema)?;
    if let Expr::ScalarFunction(call) = &mut **mark {
        let value = call.args.swap_remove(0);
        **mark = value;
    }
    if let Some(common) = common {
        for value in values {
            if let Some(from) = hive(value, schema)?
                && group(&from) != Group::Complex
                && together_or_text(&from, &common)
            {
                let bare = std::mem::take(value);
                *value = operators.cast(bare, &from, &common);
            }
        }
    }
    Ok(Transformed::yes(expr))
}

/// Whether the cast to a common type is one that Hive makes by itself.
fn together_or_text(from: &HiveType, common: &HiveType) -> bool {
    common_type(&[from.clone(), common.clone()]).as_ref() == Some(common)
        && !matches!(from, HiveType::Char(_))
        && !matches!(common, HiveType::Char(_))
}

/// What a node's expressions refer to.
fn input_schema(node: &LogicalPlan) -> DFSchema {
    let inputs = node.inputs();
    if inputs.is_empty() {
        node.schema().as_ref().clone()
    } else {
        merge_schema(&inputs)
    }
}

/// Refuses a plan that mixes types where Hive has another rule.
///
/// # Errors
/// The construct, by name.
pub(crate) fn plan(plan: &LogicalPlan) -> Result<()> {
    plan.apply_with_subqueries(|node| {
        let schema = input_schema(node);
        node.apply_expressions(|expr| expr.apply(|expr| check_expr(expr, &schema)))?;
        match node {
            LogicalPlan::Union(union) => {
                for input in &union.inputs {
                    let first = union.inputs[0].schema();
                    for (a, b) in first.fields().iter().zip(input.schema().fields()) {
                        let (a, b) = (HiveType::of_field(a), HiveType::of_field(b));
                        // DataFusion would give the column the first one's length.
                        if let (Some(a), Some(b)) = (&a, &b)
                            && a != b
                            && group(a) == Group::Text
                            && group(b) == Group::Text
                        {
                            return refuse(&format!(
                                "UNION of {a} and {b} is not supported: CAST one side"
                            ));
                        }
                        together("UNION", a, b)?;
                    }
                }
            }
            LogicalPlan::Join(join) => {
                for (left, right) in &join.on {
                    together(
                        "a join's columns",
                        hive(left, &schema)?,
                        hive(right, &schema)?,
                    )?;
                }
            }
            _ => {}
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(())
}

fn check_expr(expr: &Expr, schema: &DFSchema) -> Result<TreeNodeRecursion> {
    match expr {
        Expr::InList(list) => {
            let value = hive(&list.expr, schema)?;
            for item in &list.list {
                together("IN", value.clone(), hive(item, schema)?)?;
            }
        }
        Expr::InSubquery(subquery) => {
            let field = subquery.subquery.subquery.schema().field(0).clone();
            together(
                "IN (SELECT …)",
                hive(&subquery.expr, schema)?,
                HiveType::of_field(&field),
            )?;
        }
        Expr::Case(case) => {
            let results = case
                .when_then_expr
                .iter()
                .map(|(_, result)| result)
                .chain(&case.else_expr);
            all_together("CASE or IF", results.map(AsRef::as_ref), schema)?;
            for (condition, _) in &case.when_then_expr {
                if !matches!(
                    hive(condition, schema)?,
                    Some(HiveType::Boolean | HiveType::Void)
                ) {
                    return refuse("a condition that is no boolean");
                }
            }
        }
        Expr::AggregateFunction(function) => {
            no_char(function.func.name(), &function.params.args, schema)?;
        }
        Expr::WindowFunction(function) => {
            if let WindowFunctionDefinition::AggregateUDF(aggregate) = &function.fun {
                no_char(aggregate.name(), &function.params.args, schema)?;
            }
        }
        Expr::ScalarFunction(function) if function.name() == "named_struct" => {
            no_char(function.name(), &function.args, schema)?;
        }
        Expr::ScalarFunction(function)
            if matches!(
                function.name(),
                "coalesce" | "greatest" | "least" | "make_array"
            ) =>
        {
            all_together(function.name(), function.args.iter(), schema)?;
        }
        _ => {}
    }
    Ok(TreeNodeRecursion::Continue)
}

fn hive(expr: &Expr, schema: &DFSchema) -> Result<Option<HiveType>> {
    Ok(HiveType::of_field(&expr.to_field(schema)?.1))
}

fn all_together<'a>(
    what: &str,
    exprs: impl Iterator<Item = &'a Expr>,
    schema: &DFSchema,
) -> Result<()> {
    let types = exprs
        .map(|expr| hive(expr, schema))
        .collect::<Result<Vec<_>>>()?;
    let Some(first) = types
        .iter()
        .flatten()
        .find(|t| **t != HiveType::Void)
        .cloned()
    else {
        return Ok(());
    };
    if types
        .iter()
        .flatten()
        .all(|t| matches!(t, HiveType::Char(_) | HiveType::Void))
    {
        return char_refused(what);
    }
    types
        .into_iter()
        .try_for_each(|other| together(what, Some(first.clone()), other))
}

/// A `char` is filled with spaces when it leaves; functions give plain strings, whose spaces would be missing.
fn no_char(function: &str, args: &[Expr], schema: &DFSchema) -> Result<()> {
    if matches!(function, "count" | "sum") {
        return Ok(());
    }
    for arg in args {
        if matches!(hive(arg, schema)?, Some(HiveType::Char(_))) {
            return char_refused(function);
        }
    }
    Ok(())
}

fn char_refused<T>(what: &str) -> Result<T> {
    refuse(&format!(
        "{what} of char values is not supported: CAST them to string"
    ))
}

/// Two types that come together without a conversion of ours.
fn together(what: &str, left: Option<HiveType>, right: Option<HiveType>) -> Result<()> {
    let (Some(left), Some(right)) = (left, right) else {
        return refuse(&format!("{what} of these types"));
    };
    let fine = left == right
        || match (group(&left), group(&right)) {
            (Group::Void, _) | (_, Group::Void) => true,
            (Group::Complex, Group::Complex) => left.arrow() == right.arrow(),
            (Group::Complex, _) | (_, Group::Complex) => false,
            (Group::Date, Group::Timestamp) | (Group::Timestamp, Group::Date) => true,
            (l, r) => l == r,
        };
    if fine {
        Ok(())
    } else {
        refuse(&format!(
            "{what} of {left} and {right} is not supported: CAST one side"
        ))
    }
}

fn refuse<T>(what: &str) -> Result<T> {
    Err(error::external(error::unsupported(None, what)))
}
