//! One shape for our scalar functions: arguments of fixed types, a result type, and a kernel over arrays.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Int32Array, StringArray};
use datafusion::arrow::datatypes::{DataType, Int32Type};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature,
    Volatility,
};

/// A kernel: arguments in, one array out.
pub(crate) type Kernel = fn(&Args) -> Result<ArrayRef>;

/// A function with arguments of fixed types.
#[derive(Debug, Clone)]
pub(crate) struct Fixed {
    name: &'static str,
    signature: Signature,
    result: DataType,
    kernel: Kernel,
}

impl Fixed {
    /// A function that takes any of `arguments` and gives `result`.
    pub(crate) fn udf(
        name: &'static str,
        arguments: &[&[DataType]],
        result: DataType,
        kernel: Kernel,
    ) -> ScalarUDF {
        let shapes = arguments
            .iter()
            .map(|types| TypeSignature::Exact(types.to_vec()))
            .collect();
        Self::with_shape(name, TypeSignature::OneOf(shapes), result, kernel)
    }

    /// A function that takes `arguments` and gives `result`.
    pub(crate) fn with_shape(
        name: &'static str,
        arguments: TypeSignature,
        result: DataType,
        kernel: Kernel,
    ) -> ScalarUDF {
        let signature = Signature::new(arguments, Volatility::Immutable);
        ScalarUDF::new_from_impl(Self {
            name,
            signature,
            result,
            kernel,
        })
    }
}

impl PartialEq for Fixed {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Fixed {}

impl Hash for Fixed {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl ScalarUDFImpl for Fixed {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.result.clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        apply(args, self.kernel)
    }
}

/// Runs `kernel` on the arguments; constants in, constant out.
pub(crate) fn apply(
    args: ScalarFunctionArgs,
    kernel: impl Fn(&Args) -> Result<ArrayRef>,
) -> Result<ColumnarValue> {
    let constant = args
        .args
        .iter()
        .all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
    let rows = if constant { 1 } else { args.number_rows };
    let arrays = args
        .args
        .into_iter()
        .map(|arg| match arg {
            ColumnarValue::Array(array) => Ok((array, false)),
            ColumnarValue::Scalar(value) => Ok((value.to_array_of_size(1)?, true)),
        })
        .collect::<Result<Vec<_>>>()?;
    let result = kernel(&Args { arrays, rows })?;
    if constant {
        return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(
            &result, 0,
        )?));
    }
    Ok(ColumnarValue::Array(result))
}

/// Arguments of a call: arrays, where a constant is an array of one value.
pub(crate) struct Args {
    arrays: Vec<(ArrayRef, bool)>,
    /// How many values the result has.
    pub(crate) rows: usize,
}

impl Args {
    /// Arguments for `rows` rows, each with whether it is a constant.
    #[cfg(test)]
    pub(crate) fn new(arrays: Vec<(ArrayRef, bool)>, rows: usize) -> Self {
        Self { arrays, rows }
    }

    /// How many arguments there are.
    pub(crate) fn len(&self) -> usize {
        self.arrays.len()
    }

    /// The array of argument `i`, and whether it is a constant's.
    pub(crate) fn array(&self, i: usize) -> (&ArrayRef, bool) {
        (&self.arrays[i].0, self.arrays[i].1)
    }

    /// Argument `i` as strings.
    pub(crate) fn strings(&self, i: usize) -> Strings<'_> {
        let (array, constant) = self.array(i);
        Strings {
            array: array.as_string(),
            constant,
        }
    }

    /// Argument `i` as ints.
    pub(crate) fn ints(&self, i: usize) -> Ints<'_> {
        let (array, constant) = self.array(i);
        Ints {
            array: array.as_primitive::<Int32Type>(),
            constant,
        }
    }

    /// A full-length array of argument `i`.
    pub(crate) fn expanded(&self, i: usize) -> Result<ArrayRef> {
        let (array, constant) = self.array(i);
        if constant {
            ScalarValue::try_from_array(array, 0)?.to_array_of_size(self.rows)
        } else {
            Ok(Arc::clone(array))
        }
    }
}

/// Strings by row.
pub(crate) struct Strings<'a> {
    array: &'a StringArray,
    constant: bool,
}

impl<'a> Strings<'a> {
    /// The value of row `i`, or `None` for NULL.
    pub(crate) fn get(&self, i: usize) -> Option<&'a str> {
        let i = if self.constant { 0 } else { i };
        self.array.is_valid(i).then(|| self.array.value(i))
    }

    /// Whether every character of every value is ASCII.
    pub(crate) fn is_ascii(&self) -> bool {
        self.array.is_ascii()
    }

    /// The value if it is one constant.
    pub(crate) fn constant(&self) -> Option<&'a str> {
        if self.constant { self.get(0) } else { None }
    }
}

/// Ints by row.
pub(crate) struct Ints<'a> {
    array: &'a Int32Array,
    constant: bool,
}

impl Ints<'_> {
    /// The value of row `i`, or `None` for NULL.
    pub(crate) fn get(&self, i: usize) -> Option<i32> {
        let i = if self.constant { 0 } else { i };
        self.array.is_valid(i).then(|| self.array.value(i))
    }

    /// The value if it is one constant.
    pub(crate) fn constant(&self) -> Option<i32> {
        if self.constant { self.get(0) } else { None }
    }
}
