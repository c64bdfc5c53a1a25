//! Functions that give several rows for one (`explode`, `posexplode`, `inline`, `stack`, `json_tuple`): each gives an array
//! of structs, one struct for each row, and the plan of `LATERAL VIEW` unfolds that.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Int32Array, ListArray, StructArray};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{Result, ScalarValue, exec_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};

use super::cast::cast_array;
use super::collections::{BATCH_BYTES_MAX, interleaved};
use super::udf::{Args, apply};
use crate::engine::datafusion::error;
use crate::engine::datafusion::sql::types::HiveType;

/// Hive's names of such functions.
pub(crate) const NAMES: [&str; 5] = ["explode", "inline", "json_tuple", "posexplode", "stack"];
/// The most rows that `stack` makes of one: those without values are NULL, and their number is the statement's.
const STACK_MAX: usize = 10_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Explode,
    PosExplode,
    Inline,
    Stack,
}

/// One of them, but `json_tuple`, which is in `json`.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Generator {
    kind: Kind,
    name: &'static str,
    signature: Signature,
}

/// All of them.
pub(crate) fn udfs() -> Vec<ScalarUDF> {
    [
        (Kind::Explode, "hive explode"),
        (Kind::PosExplode, "hive posexplode"),
        (Kind::Inline, "hive inline"),
        (Kind::Stack, "hive stack"),
    ]
    .into_iter()
    .map(|(kind, name)| {
        ScalarUDF::new_from_impl(Generator {
            kind,
            name,
            signature: Signature::variadic_any(Volatility::Immutable),
        })
    })
    .collect()
}

impl ScalarUDFImpl for Generator {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        plan_err!("the type follows the arguments")
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let types: Vec<Option<HiveType>> = args
            .arg_fields
            .iter()
            .map(|field| HiveType::of_field(field))
            .collect();
        let named = |name: &str, hive: HiveType| (name.to_owned(), hive);
        let wrong = |needs: &str| {
            let name = self.name.trim_start_matches("hive ");
            Err(error::external(error::semantic(
                10016,
                format!("{name} needs {needs}"),
            )))
        };
        let fields = match (self.kind, types.as_slice()) {
            (Kind::Explode, [Some(HiveType::Array(element))]) => {
                vec![named("col", element.as_ref().clone())]
            }
            (Kind::Explode, [Some(HiveType::Map(key, value))]) => vec![
                named("key", key.as_ref().clone()),
                named("value", value.as_ref().clone()),
            ],
            (Kind::Explode, _) => return wrong("one array or map"),
            (Kind::PosExplode, [Some(HiveType::Array(element))]) => vec![
                named("pos", HiveType::Int),
                named("val", element.as_ref().clone()),
            ],
            (Kind::PosExplode, _) => return wrong("one array"),
            (Kind::Inline, [Some(HiveType::Array(element))]) => match element.as_ref() {
                HiveType::Struct(fields) => fields.clone(),
                _ => return wrong("one array of structs"),
            },
            (Kind::Inline, _) => return wrong("one array of structs"),
            (Kind::Stack, [_, values @ ..]) => {
                let count = match args.scalar_arguments.first() {
                    Some(Some(ScalarValue::Int64(Some(count)))) => usize::try_from(*count).ok(),
                    _ => None,
                };
                let Some(rows) = count.filter(|rows| (1..=STACK_MAX).contains(rows)) else {
                    return wrong(&format!("a constant number of rows, 1 to {STACK_MAX}"));
                };
                let columns = values.len().div_ceil(rows);
                if columns == 0 {
                    return wrong("values");
                }
                let mut fields = Vec::with_capacity(columns);
                for column in 0..columns {
                    let mut found = HiveType::Void;
                    for value in values.iter().skip(column).step_by(columns) {
                        match value {
                            Some(HiveType::Void) => {}
                            Some(hive) if found == HiveType::Void => found = hive.clone(),
                            Some(hive) if *hive == found => {}
                            _ => return wrong("values of one type in each column: CAST them"),
                        }
                    }
                    fields.push(named(&format!("col{column}"), found));
                }
                fields
            }
            (Kind::Stack, _) => return wrong("a number of rows and values"),
        };
        let rows = HiveType::Array(Box::new(HiveType::Struct(fields)));
        Ok(Arc::new(rows.field(self.name)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let DataType::List(element) = args.return_type().clone() else {
            return exec_err!("{} gives rows", self.name);
        };
        let kind = self.kind;
        apply(args, |args| match kind {
            Kind::Stack => stack(args, &element),
            _ => unfold(kind, args, &element),
        })
    }
}

/// The structs of a list's or map's elements, with the list's own offsets.
fn unfold(kind: Kind, args: &Args, element: &FieldRef) -> Result<ArrayRef> {
    let container = args.expanded(0)?;
    let (offsets, nulls, values): (&OffsetBuffer<i32>, _, Vec<ArrayRef>) =
        match container.data_type() {
            DataType::Map(..) => {
                let maps = container.as_map();
                let entries = vec![Arc::clone(maps.keys()), Arc::clone(maps.values())];
                (maps.offsets(), maps.nulls(), entries)
            }
            _ => {
                let Some(lists) = container.as_list_opt::<i32>() else {
                    return exec_err!("rows of {}", container.data_type());
                };
                let values = lists.values();
                let values = match kind {
                    Kind::PosExplode => {
                        let mut positions = vec![0; values.len()];
                        for range in lists.offsets().windows(2) {
                            for (position, at) in (range[0]..range[1]).enumerate() {
                                positions[at as usize] = position as i32;
                            }
                        }
                        vec![
                            Arc::new(Int32Array::from(positions)) as ArrayRef,
                            Arc::clone(values),
                        ]
                    }
                    Kind::Inline => {
                        // A struct that is NULL is a row of NULLs.
                        let structs = values.as_struct();
                        structs
                            .columns()
                            .iter()
                            .map(|column| match structs.nulls() {
                                Some(nulls) => {
                                    let mask = datafusion::arrow::array::BooleanArray::new(
                                        !nulls.inner(),
                                        None,
                                    );
                                    datafusion::arrow::compute::nullif(column, &mask)
                                }
                                None => Ok(Arc::clone(column)),
                            })
                            .collect::<Result<_, _>>()?
                    }
                    _ => vec![Arc::clone(values)],
                };
                (lists.offsets(), lists.nulls(), values)
            }
        };
    let values = structs(values, element)?;
    Ok(Arc::new(ListArray::try_new(
        Arc::clone(element),
        offsets.clone(),
        values,
        nulls.cloned(),
    )?))
}

/// Columns as structs of the type that `element` says.
pub(super) fn structs(columns: Vec<ArrayRef>, element: &FieldRef) -> Result<ArrayRef> {
    let DataType::Struct(fields) = element.data_type() else {
        return exec_err!("rows are structs");
    };
    let columns = columns
        .into_iter()
        .zip(fields)
        .map(|(column, field)| {
            if column.data_type() == field.data_type() {
                return Ok(column);
            }
            match HiveType::of_field(field) {
                Some(hive) => cast_array(&column, &hive),
                None => exec_err!("a column of type {}", field.data_type()),
            }
        })
        .collect::<Result<Vec<_>>>()?;
    Ok(Arc::new(StructArray::try_new(
        fields.clone(),
        columns,
        None,
    )?))
}

/// `stack(n, v1, v2, …)`: the values in `n` rows, one row's values behind the other's.
fn stack(args: &Args, element: &FieldRef) -> Result<ArrayRef> {
    let DataType::Struct(fields) = element.data_type() else {
        return exec_err!("rows are structs");
    };
    let columns = fields.len();
    let rows = (args.len() - 1).div_ceil(columns);
    let count = match ScalarValue::try_from_array(args.array(0).0, 0)? {
        ScalarValue::Int64(Some(count)) => usize::try_from(count).unwrap_or(rows),
        _ => rows,
    };
    let mut left = BATCH_BYTES_MAX;
    let stacked = fields
        .iter()
        .enumerate()
        .map(|(column, field)| {
            let Some(hive) = HiveType::of_field(field) else {
                return exec_err!("a column of type {}", field.data_type());
            };
            let cells = (0..count).map(|row| row * columns + column + 1);
            let cells = cells.map(|at| (at < args.len()).then_some(at));
            interleaved(args, cells, &hive, &mut left)
        })
        .collect::<Result<Vec<_>>>()?;
    let offsets = OffsetBuffer::from_lengths(std::iter::repeat_n(count, args.rows));
    Ok(Arc::new(ListArray::try_new(
        Arc::clone(element),
        offsets,
        structs(stacked, element)?,
        None,
    )?))
}
