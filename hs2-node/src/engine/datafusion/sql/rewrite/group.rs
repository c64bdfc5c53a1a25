//! `GROUP BY`, with the grouping sets that Hive writes in two ways.

use datafusion::sql::sqlparser::ast::{
    Expr, Function, GroupByExpr, GroupByWithModifier, Spanned, Value, ValueWithSpan,
};

use super::Rewriter;
use super::copy::Copies;
use crate::engine::EngineError;
use crate::engine::datafusion::error;

/// How many keys grouping sets may have: `GROUPING__ID` has no more bits.
const GROUPING_KEYS_MAX: usize = 64;

/// The keys of grouping sets.
pub(super) struct Grouped {
    pub(super) keys: Vec<Expr>,
    /// A key is in none of the sets, and so not among `keys`.
    pub(super) partly: bool,
}

impl Grouped {
    /// The keys in `sets`; `all` are those of `GROUP BY`, where they stand apart.
    ///
    /// # Errors
    /// There are more keys than Hive allows, or their copies are too long.
    fn by(sets: &[Expr], all: Option<&[Expr]>, copies: &mut Copies) -> Result<Self, EngineError> {
        let mut keys: Vec<&Expr> = Vec::new();
        for set in sets {
            if let Expr::Rollup(sets) | Expr::Cube(sets) | Expr::GroupingSets(sets) = set {
                for key in sets.iter().flatten() {
                    if !keys.contains(&key) {
                        few_keys(keys.len() + 1)?;
                        keys.push(key);
                    }
                }
            }
        }
        let mut partly = false;
        if let Some(all) = all {
            partly = all.iter().any(|key| !keys.contains(&key));
            // In the order of `GROUP BY`, which gives each its bit.
            keys = all.iter().filter(|key| keys.contains(key)).collect();
        }
        let keys = copies.all(keys)?;
        Ok(Self { keys, partly })
    }
}

/// Each key of grouping sets is a bit of a bigint.
fn few_keys(count: usize) -> Result<(), EngineError> {
    if count <= GROUPING_KEYS_MAX {
        return Ok(());
    }
    Err(error::semantic(
        10411,
        format!("Grouping sets size cannot be greater than {GROUPING_KEYS_MAX}"),
    ))
}

impl Rewriter<'_> {
    pub(super) fn group_by(&mut self, group_by: &mut GroupByExpr) -> Result<(), EngineError> {
        let GroupByExpr::Expressions(exprs, modifiers) = group_by else {
            return Err(error::unsupported(None, "GROUP BY ALL is not supported"));
        };
        for expr in exprs.iter_mut() {
            match expr {
                Expr::Value(ValueWithSpan {
                    value: Value::Number(..),
                    span,
                }) => {
                    if !self.context.group_by_position {
                        return Err(error::unsupported(
                            Some(span.start),
                            "GROUP BY a number groups by that constant in Hive: to group by the column in that place, \
                             SET hive.groupby.position.alias=true",
                        ));
                    }
                }
                Expr::Rollup(sets) | Expr::Cube(sets) | Expr::GroupingSets(sets) => {
                    for expr in sets.iter_mut().flatten() {
                        self.expr_in_place(expr)?;
                    }
                }
                Expr::Function(function) if is_grouping(function) => {
                    return Err(error::unsupported(
                        Some(function.span().start),
                        "this GROUP BY is not supported",
                    ));
                }
                other => self.expr_in_place(other)?,
            }
        }
        let special = exprs
            .iter()
            .any(|e| matches!(e, Expr::Rollup(_) | Expr::Cube(_) | Expr::GroupingSets(_)));
        if special && (exprs.len() > 1 || !modifiers.is_empty()) {
            return Err(error::unsupported(
                None,
                "ROLLUP, CUBE and GROUPING SETS beside other GROUP BY keys are not supported",
            ));
        }
        if !modifiers.is_empty() {
            few_keys(exprs.len())?;
        }
        let positions = exprs.iter().any(|e| matches!(e, Expr::Value(_)));
        let replaced = match modifiers.as_mut_slice() {
            [] => {
                if special {
                    self.grouped = Some(Grouped::by(exprs, None, &mut self.copies)?);
                }
                return Ok(());
            }
            _ if positions => {
                return Err(error::unsupported(
                    None,
                    "positions in GROUP BY WITH ROLLUP or CUBE are not supported",
                ));
            }
            [GroupByWithModifier::Rollup] => Expr::Rollup(self.sets(exprs)?),
            [GroupByWithModifier::Cube] => Expr::Cube(self.sets(exprs)?),
            [GroupByWithModifier::GroupingSets(Expr::GroupingSets(sets))] => {
                for expr in sets.iter_mut().flatten() {
                    self.expr_in_place(expr)?;
                    if !exprs.contains(expr) {
                        return Err(error::semantic(
                            10213,
                            format!("Grouping sets expression is not in GROUP BY key: {expr}"),
                        ));
                    }
                }
                Expr::GroupingSets(std::mem::take(sets))
            }
            _ => {
                return Err(error::unsupported(
                    None,
                    "this GROUP BY modifier is not supported",
                ));
            }
        };
        let keys = std::mem::replace(exprs, vec![replaced]);
        self.grouped = Some(Grouped::by(exprs, Some(&keys), &mut self.copies)?);
        modifiers.clear();
        Ok(())
    }

    /// A set of each key alone.
    fn sets(&mut self, keys: &[Expr]) -> Result<Vec<Vec<Expr>>, EngineError> {
        let keys = self.copies.all(keys)?;
        Ok(keys.into_iter().map(|key| vec![key]).collect())
    }
}

fn is_grouping(function: &Function) -> bool {
    ["rollup", "cube", "grouping"].contains(&function.name.to_string().to_lowercase().as_str())
}
