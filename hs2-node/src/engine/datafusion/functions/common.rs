//! The mark of values that come to one type: `CASE`, `IF` and `coalesce` take a value of one of several types. The rewriter
//! marks the first of them with the others, so that the planner knows the type from the start; before the query runs,
//! the mark is replaced by casts.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};

use super::cast::cast_array;
use super::udf::apply;
use crate::engine::datafusion::error;
use crate::engine::datafusion::operators::common_type;
use crate::engine::datafusion::sql::types::HiveType;

/// The name under which the mark is planned.
pub(crate) const COMMON: &str = "hive common";

/// `hive common(value, others…)`: the value, in the type that all of them come to.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Common {
    signature: Signature,
}

impl Common {
    /// The function.
    pub(crate) fn udf() -> ScalarUDF {
        ScalarUDF::new_from_impl(Self {
            signature: Signature::variadic_any(Volatility::Immutable),
        })
    }
}

impl ScalarUDFImpl for Common {
    fn name(&self) -> &str {
        COMMON
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        plan_err!("the type follows the arguments")
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let types: Option<Vec<HiveType>> = args
            .arg_fields
            .iter()
            .map(|field| HiveType::of_field(field))
            .collect();
        let Some(types) = types else {
            return plan_err!("values of types that Hive has not");
        };
        if let Some(hive) = common_type(&types) {
            return Ok(Arc::new(hive.field(COMMON)));
        }
        let mut names: Vec<String> = types.iter().map(ToString::to_string).collect();
        names.dedup();
        Err(error::external(error::unsupported(
            None,
            format!(
                "a value of {} is not supported: CAST them to one type",
                names.join(" or ")
            ),
        )))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let Some(hive) = HiveType::of_field(&args.return_field) else {
            return exec_err!("{COMMON} of no type of Hive");
        };
        apply(args, |args| cast_array(args.array(0).0, &hive))
    }
}
