//! Which values come to one type: see `functions::common`.

use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Value, ValueWithSpan,
};

use super::expr::{call, function_name, string_constant};
use super::{Rewriter, take};
use crate::engine::EngineError;
use crate::engine::datafusion::functions::cast::CAST;
use crate::engine::datafusion::functions::common::COMMON;

/// With more values than this they must be of one type already.
const VALUES_MAX: usize = 64;

impl Rewriter<'_> {
    /// Marks the first of `results` with the others, unless they are seen to be of one type.
    ///
    /// # Errors
    /// There are too many copies.
    pub(super) fn mark(&mut self, mut results: Vec<&mut Expr>) -> Result<(), EngineError> {
        let mut others = Vec::new();
        for result in &results {
            leaves(result, &mut others);
        }
        if others.len() > VALUES_MAX {
            return Ok(());
        }
        let kinds: Vec<Option<&str>> = others.iter().map(|other| kind(other)).collect();
        let known = kinds.iter().all(Option::is_some);
        let mut kinds: Vec<&str> = kinds
            .into_iter()
            .flatten()
            .filter(|k| *k != "void")
            .collect();
        kinds.dedup();
        if known && kinds.len() <= 1 {
            return Ok(());
        }
        let others = self.copies.all(others)?;
        // What is NULL has no type of its own: the mark stands where the planner looks for the type.
        let first = results
            .iter_mut()
            .find(|result| kind(result) != Some("void"));
        if let Some(first) = first {
            let mut args = vec![take(first)];
            args.extend(others);
            **first = call(COMMON, args);
        }
        Ok(())
    }
}

/// The type of an expression, where its text tells it.
fn kind(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Nested(inner) => kind(inner),
        Expr::Value(ValueWithSpan { value, .. }) => match value {
            Value::SingleQuotedString(_) => Some("string"),
            Value::Null => Some("void"),
            Value::Boolean(_) => Some("boolean"),
            Value::Number(..) => Some("bigint"),
            _ => None,
        },
        // The literal of an int.
        Expr::Cast { .. } => Some("int"),
        Expr::Function(function) => match (
            function_name(&function.name)?.as_str(),
            args(function).as_slice(),
        ) {
            (CAST, [_, hive_type, ..]) => string_constant(hive_type),
            _ => None,
        },
        _ => None,
    }
}

fn args(function: &Function) -> Vec<&Expr> {
    let FunctionArguments::List(list) = &function.args else {
        return Vec::new();
    };
    list.args
        .iter()
        .filter_map(|arg| match arg {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
            _ => None,
        })
        .collect()
}

/// The values that an expression takes one of, each once.
fn leaves<'a>(expr: &'a Expr, into: &mut Vec<&'a Expr>) {
    match expr {
        Expr::Nested(inner) => leaves(inner, into),
        Expr::Case {
            conditions,
            else_result,
            ..
        } => {
            for when in conditions {
                leaves(&when.result, into);
            }
            if let Some(result) = else_result {
                leaves(result, into);
            }
        }
        Expr::Function(function) => match function_name(&function.name).as_deref() {
            Some(COMMON) => args(function)
                .first()
                .into_iter()
                .for_each(|first| leaves(first, into)),
            Some("coalesce") => args(function).into_iter().for_each(|arg| leaves(arg, into)),
            _ => add(expr, into),
        },
        _ => add(expr, into),
    }
}

fn add<'a>(expr: &'a Expr, into: &mut Vec<&'a Expr>) {
    if into.len() <= VALUES_MAX && !into.contains(&expr) {
        into.push(expr);
    }
}
