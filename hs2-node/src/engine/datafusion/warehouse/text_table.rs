//! Text files as a table: every field is read as text and converted by Hive's cast, so that what is no number is NULL and
//! not an error.

use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef};
use datafusion::catalog::TableProvider;
use datafusion::common::ScalarValue;
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::{
    Expr, LogicalPlan, LogicalPlanBuilder, ScalarUDF, ident, lit, when,
};

use super::metadata::{Format, TableMeta};
use crate::engine::EngineError;
use crate::engine::datafusion::error;
use crate::engine::datafusion::functions::cast::HiveCast;
use crate::engine::datafusion::sql::types::HiveType;

/// How Hive writes NULL.
const NULL: &str = "\\N";

/// The schema in which the files are read, for formats of text.
pub(crate) fn schema(meta: &TableMeta) -> Option<SchemaRef> {
    if !matches!(meta.format, Format::Text | Format::Csv) || meta.location.is_none() {
        return None;
    }
    let fields: Vec<_> = meta
        .columns
        .iter()
        .map(|column| Field::new(&column.name, DataType::Utf8, true))
        .collect();
    Some(Arc::new(Schema::new(fields)))
}

/// Whether a column of this type can be read from text.
pub(crate) fn reads(hive: &HiveType) -> bool {
    hive.is_primitive() && !matches!(hive, HiveType::Binary | HiveType::Void)
}

/// The table's columns with their types, over its files' fields.
///
/// # Errors
/// The description is damaged.
pub(crate) fn plan(
    files: Arc<dyn TableProvider>,
    table: &str,
    meta: &TableMeta,
) -> Result<LogicalPlan, EngineError> {
    let cast = Arc::new(HiveCast::udf());
    let columns = meta
        .columns
        .iter()
        .zip(meta.types()?)
        .map(|(column, hive)| {
            value(&column.name, &hive, meta.format, &cast)
                .map(|value| value.alias(&column.name))
                .map_err(|e| error::from_running(&e))
        })
        .collect::<Result<Vec<_>, _>>()?;
    LogicalPlanBuilder::scan(table, provider_as_source(files), None)
        .and_then(|scan| scan.project(columns))
        .and_then(LogicalPlanBuilder::build)
        .map_err(|e| error::from_running(&e))
}

fn value(
    name: &str,
    hive: &HiveType,
    format: Format,
    cast: &Arc<ScalarUDF>,
) -> datafusion::error::Result<Expr> {
    let field = ident(name);
    // The reader gives NULL for what is empty.
    let text = when(field.clone().is_null(), lit("")).otherwise(field.clone())?;
    let text = if format == Format::Text {
        when(field.clone().eq(lit(NULL)), lit(ScalarValue::Utf8(None))).otherwise(text)?
    } else {
        text
    };
    Ok(match hive {
        HiveType::String => text,
        HiveType::Boolean => when(
            datafusion::functions::string::expr_fn::lower(field.clone()).eq(lit("true")),
            lit(true),
        )
        .when(
            datafusion::functions::string::expr_fn::lower(field).eq(lit("false")),
            lit(false),
        )
        .otherwise(lit(ScalarValue::Boolean(None)))?,
        other => cast.call(vec![text, lit(other.to_string())]),
    })
}
