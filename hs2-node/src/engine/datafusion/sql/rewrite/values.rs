//! The rows of `INSERT … VALUES`. Constants, which is what programs send, become columns at once; planning each cell as
//! an expression costs a hundred times as much.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, BooleanArray, Decimal128Array, Float64Array, Int64Array, NullArray,
    RecordBatch, RecordBatchOptions, StringArray,
};
use datafusion::arrow::compute::concat;
use datafusion::arrow::datatypes::Schema;
use datafusion::sql::sqlparser::ast::{
    Expr, Query, SetExpr, Spanned, UnaryOperator, Value, ValueWithSpan, Values,
};
use datafusion::sql::sqlparser::tokenizer::Location;

use super::expr;
use super::literal::number_type;
use super::{Context, Rewriter, take};
use crate::engine::EngineError;
use crate::engine::datafusion::error;
use crate::engine::datafusion::functions::cast::{cast_array, check};
use crate::engine::datafusion::functions::text;
use crate::engine::datafusion::sql::types::{DECIMAL_DIGITS_MAX, HiveType};

/// What the rows of an `INSERT` are.
pub(crate) enum Rows {
    /// Constants, already converted to their columns' types.
    Constants(RecordBatch),
    /// `VALUES` with expressions: the query given was rewritten, its columns have their types.
    Expressions,
    /// Another query, untouched.
    Query,
}

/// Reads `VALUES` for columns of `types`.
///
/// # Errors
/// As [`super::query`], and a row with too few or too many cells.
pub(crate) fn rows(
    query: &mut Query,
    types: &[HiveType],
    context: &Context,
) -> Result<Rows, EngineError> {
    let plain = query.with.is_none() && query.order_by.is_none() && query.limit_clause.is_none();
    let SetExpr::Values(values) = query.body.as_mut() else {
        return Ok(Rows::Query);
    };
    if !plain {
        return Err(error::unsupported(
            None,
            "VALUES with further clauses is not supported",
        ));
    }
    for row in &values.rows {
        if row.len() != types.len() {
            let at = row.first().map(|cell| cell.span().start);
            return Err(arity(at, types.len(), row.len()));
        }
    }
    if let Some(batch) = constants(values, types)? {
        return Ok(Rows::Constants(batch));
    }
    let mut rewriter = Rewriter::new(context);
    for row in &mut values.rows {
        let row: &mut Vec<Expr> = row;
        for (cell, hive_type) in row.iter_mut().zip(types) {
            rewriter.expr_in_place(cell)?;
            *cell = expr::cast(take(cell), &hive_type.to_string(), None);
        }
    }
    if rewriter.tables.is_empty() {
        Ok(Rows::Expressions)
    } else {
        Err(error::unsupported(
            None,
            "a subquery in VALUES is not supported",
        ))
    }
}

/// The error of a row that does not fit its table.
pub(crate) fn arity(at: Option<Location>, expected: usize, found: usize) -> EngineError {
    let place = at.filter(|at| at.line > 0).map_or_else(String::new, |at| {
        format!("Line {}:{} ", at.line, at.column.saturating_sub(1))
    });
    error::semantic(
        10044,
        format!(
            "{place}Cannot insert into target table because column number/types are different: \
             the table takes {expected} columns, but the row has {found}"
        ),
    )
}

/// All cells as columns, if every cell is a constant.
fn constants(values: &Values, types: &[HiveType]) -> Result<Option<RecordBatch>, EngineError> {
    let mut columns = Vec::with_capacity(types.len());
    for (i, target) in types.iter().enumerate() {
        // Cells of one kind that follow each other are converted together.
        let mut parts: Vec<ArrayRef> = Vec::new();
        let mut run = Run::default();
        for row in &values.rows {
            let Some((kind, cell)) = constant(&row[i])? else {
                return Ok(None);
            };
            if run.kind.as_ref().is_some_and(|k| *k != kind) {
                parts.push(std::mem::take(&mut run).finish(target)?);
            }
            run.kind = Some(kind);
            run.cells.push(cell);
        }
        parts.push(run.finish(target)?);
        let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
        columns.push(concat(&parts).map_err(|e| error::execution(e.to_string()))?);
    }
    let fields: Vec<_> = types
        .iter()
        .enumerate()
        .map(|(i, hive)| hive.field(&i.to_string()))
        .collect();
    let options = RecordBatchOptions::new().with_row_count(Some(values.rows.len()));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)
        .map(Some)
        .map_err(|e| error::execution(e.to_string()))
}

#[derive(Default)]
struct Run {
    kind: Option<HiveType>,
    cells: Vec<String>,
}

impl Run {
    fn finish(self, target: &HiveType) -> Result<ArrayRef, EngineError> {
        let kind = self.kind.unwrap_or(HiveType::Void);
        check(Some(&kind), &kind.arrow(), target)
            .map_err(|e| error::from_planning(&e, |_| None))?;
        let cells = self.cells.iter();
        let array: ArrayRef = match kind {
            HiveType::BigInt => Arc::new(
                cells
                    .map(|cell| cell.parse::<i64>().ok())
                    .collect::<Int64Array>(),
            ),
            HiveType::Double => Arc::new(
                cells
                    .map(|cell| text::parse_double(cell))
                    .collect::<Float64Array>(),
            ),
            HiveType::Boolean => Arc::new(
                cells
                    .map(|cell| Some(cell == "true"))
                    .collect::<BooleanArray>(),
            ),
            HiveType::Decimal(precision, scale) => {
                let values: Decimal128Array = cells
                    .map(|cell| text::parse_decimal(cell, precision, scale))
                    .collect();
                let values = values.with_precision_and_scale(precision, scale.cast_signed());
                Arc::new(values.map_err(|e| error::execution(e.to_string()))?)
            }
            HiveType::Void => Arc::new(NullArray::new(self.cells.len())),
            _ => Arc::new(StringArray::from_iter_values(cells)),
        };
        cast_array(&array, target).map_err(|e| error::from_running(&e))
    }
}

/// A constant's kind and text. Whole numbers are `bigint` here: what they convert to does not depend on their size.
fn constant(cell: &Expr) -> Result<Option<(HiveType, String)>, EngineError> {
    let (cell, sign) = match cell {
        Expr::UnaryOp {
            op: UnaryOperator::Minus,
            expr,
        } => (expr.as_ref(), "-"),
        other => (other, ""),
    };
    let Expr::Value(ValueWithSpan { value, span }) = cell else {
        return Ok(None);
    };
    Ok(match value {
        Value::Number(text, _) => {
            let kind = match number_type(text, span.start)? {
                HiveType::Int | HiveType::BigInt => HiveType::BigInt,
                HiveType::Decimal(_, scale) => HiveType::Decimal(DECIMAL_DIGITS_MAX, scale),
                other => other,
            };
            Some((kind, format!("{sign}{text}")))
        }
        Value::SingleQuotedString(text) if sign.is_empty() => {
            Some((HiveType::String, text.clone()))
        }
        Value::Boolean(value) if sign.is_empty() => Some((HiveType::Boolean, value.to_string())),
        Value::Null if sign.is_empty() => Some((HiveType::Void, String::new())),
        _ => None,
    })
}
