//! `a[i]`, `m[k]` and `size`: arrays count from 0, and what is not there is NULL.

use datafusion::arrow::array::{Array, AsArray, Int32Array, UInt32Array, make_comparator};
use datafusion::arrow::compute::{SortOptions, take};
use datafusion::arrow::datatypes::{DataType, FieldRef, Int32Type};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};
use std::sync::Arc;

use super::cast::cast_array;
use super::udf::{Args, apply};
use crate::engine::datafusion::error;
use crate::engine::datafusion::sql::types::HiveType;

/// The name under which element access is planned.
pub(crate) const INDEX: &str = "hive index";

/// `hive index(array or map, key)`.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Index {
    signature: Signature,
}

impl Index {
    /// The function.
    pub(crate) fn udf() -> ScalarUDF {
        ScalarUDF::new_from_impl(Self {
            signature: Signature::any(2, Volatility::Immutable),
        })
    }
}

impl ScalarUDFImpl for Index {
    fn name(&self) -> &str {
        INDEX
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        exec_err!("the type follows the arguments")
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let container = HiveType::of_field(&args.arg_fields[0]);
        let key = HiveType::of_field(&args.arg_fields[1]);
        let refused = |what: String| error::external(error::unsupported(None, what));
        let element = match (container, key) {
            (
                Some(HiveType::Array(element)),
                Some(HiveType::TinyInt | HiveType::SmallInt | HiveType::Int | HiveType::Void),
            ) => element,
            (Some(HiveType::Map(key, value)), Some(given))
                if *key == given || given == HiveType::Void =>
            {
                value
            }
            (Some(container), Some(key)) => {
                return Err(refused(format!(
                    "[] on {container} with a key of type {key} is not supported"
                )));
            }
            _ => return Err(refused("[] on this value is not supported".to_owned())),
        };
        Ok(Arc::new(element.field(INDEX)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        apply(args, |args| match args.array(0).0.data_type() {
            DataType::Map(..) => of_map(args),
            _ => of_array(args),
        })
    }
}

/// `size`: how many elements an array or map has, -1 for NULL.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Size {
    signature: Signature,
}

impl Size {
    /// The function.
    pub(crate) fn udf() -> ScalarUDF {
        ScalarUDF::new_from_impl(Self {
            signature: Signature::any(1, Volatility::Immutable),
        })
    }
}

impl ScalarUDFImpl for Size {
    fn name(&self) -> &str {
        "hive size"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        match arguments {
            [DataType::List(_) | DataType::Map(..)] => Ok(DataType::Int32),
            _ => Err(error::external(error::semantic(
                10016,
                "size needs an array or a map",
            ))),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        apply(args, |args| {
            let container = args.array(0).0;
            let sizes: Int32Array = match container.data_type() {
                DataType::Map(..) => {
                    let maps = container.as_map();
                    let offsets = maps.value_offsets();
                    (0..maps.len())
                        .map(|i| {
                            Some(if maps.is_null(i) {
                                -1
                            } else {
                                offsets[i + 1] - offsets[i]
                            })
                        })
                        .collect()
                }
                _ => {
                    let lists = container.as_list::<i32>();
                    (0..lists.len())
                        .map(|i| {
                            Some(if lists.is_null(i) {
                                -1
                            } else {
                                lists.value_length(i)
                            })
                        })
                        .collect()
                }
            };
            Ok(Arc::new(sizes))
        })
    }
}

fn of_array(args: &Args) -> Result<Arc<dyn Array>> {
    let container = args.expanded(0)?;
    let keys = cast_array(&args.expanded(1)?, &HiveType::Int)?;
    let keys = keys.as_primitive::<Int32Type>();
    let Some(lists) = container.as_list_opt::<i32>() else {
        return exec_err!("[] on {}", container.data_type());
    };
    let indices: UInt32Array = (0..args.rows)
        .map(|i| {
            if lists.is_null(i) || keys.is_null(i) || keys.value(i) >= lists.value_length(i) {
                return None;
            }
            u32::try_from(lists.value_offsets()[i])
                .ok()?
                .checked_add(u32::try_from(keys.value(i)).ok()?)
        })
        .collect();
    Ok(take(lists.values(), &indices, None)?)
}

fn of_map(args: &Args) -> Result<Arc<dyn Array>> {
    let container = args.expanded(0)?;
    let maps = container.as_map();
    let mut keys = args.expanded(1)?;
    if keys.data_type() != maps.keys().data_type() {
        keys = datafusion::arrow::compute::cast(&keys, maps.keys().data_type())?;
    }
    let same = make_comparator(maps.keys(), &keys, SortOptions::default())?;
    let indices: UInt32Array = (0..args.rows)
        .map(|i| {
            if maps.is_null(i) || keys.is_null(i) {
                return None;
            }
            let offsets = maps.value_offsets();
            let (start, end) = (
                usize::try_from(offsets[i]).ok()?,
                usize::try_from(offsets[i + 1]).ok()?,
            );
            (start..end)
                .find(|&entry| same(entry, i).is_eq())
                .and_then(|entry| u32::try_from(entry).ok())
        })
        .collect();
    Ok(take(maps.values(), &indices, None)?)
}
