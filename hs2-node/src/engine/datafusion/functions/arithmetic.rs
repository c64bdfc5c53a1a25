//! Arithmetic where Hive and DataFusion differ: `/` of whole numbers is a double, division by zero is NULL, and decimals
//! follow `GenericUDFBaseNumeric` (result types adjusted to 38 digits, rounding half up, overflow is NULL).

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, Decimal128Array, PrimitiveArray,
};
use datafusion::arrow::datatypes::{
    DataType, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    i256,
};
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::text::fits;
use super::udf::{Args, apply};
use crate::engine::datafusion::sql::types::{DECIMAL_DIGITS_MAX, HiveType};

/// The fewest fraction digits that a decimal result keeps when it must give up some.
const ADJUSTED_SCALE_MIN: i16 = 6;

/// An operator of two numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    /// `pmod`: the remainder that is not negative.
    PositiveModulo,
    /// `DIV`.
    IntegerDivide,
}

impl Operator {
    /// Every operator.
    pub(crate) const ALL: [Self; 7] = [
        Self::Add,
        Self::Subtract,
        Self::Multiply,
        Self::Divide,
        Self::Modulo,
        Self::PositiveModulo,
        Self::IntegerDivide,
    ];

    /// The name under which the operator is planned.
    pub(crate) fn function(self) -> String {
        format!("hive {}", self.symbol())
    }

    /// As a person writes it.
    pub(crate) fn symbol(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Modulo => "%",
            Self::PositiveModulo => "pmod",
            Self::IntegerDivide => "DIV",
        }
    }

    /// The type in which both operands are taken, `None` where the operator does not apply. Decimals keep their own
    /// precision each: the operand types returned are for the left and the right.
    pub(crate) fn operands(
        self,
        left: &HiveType,
        right: &HiveType,
    ) -> Option<(HiveType, HiveType)> {
        use HiveType as T;
        let number = |t: &T| match t {
            T::String | T::Varchar(_) | T::Char(_) => Some(T::Double),
            T::TinyInt
            | T::SmallInt
            | T::Int
            | T::BigInt
            | T::Float
            | T::Double
            | T::Decimal(..)
            | T::Void => Some(t.clone()),
            _ => None,
        };
        let (left, right) = match (number(left)?, number(right)?) {
            (T::Void, T::Void) => (T::Double, T::Double),
            (T::Void, other) | (other, T::Void) => (other.clone(), other),
            pair => pair,
        };
        let whole = |t: &T| matches!(t, T::TinyInt | T::SmallInt | T::Int | T::BigInt);
        if self == Self::IntegerDivide {
            return (whole(&left) && whole(&right)).then_some((T::BigInt, T::BigInt));
        }
        if let (Some(l), Some(r)) = (decimal_of(&left), decimal_of(&right))
            && (matches!(left, T::Decimal(..)) || matches!(right, T::Decimal(..)))
        {
            return Some((l, r));
        }
        let common = match (&left, &right) {
            _ if self == Self::Divide => T::Double,
            (T::Double, _) | (_, T::Double) => T::Double,
            (T::Float, _) | (_, T::Float) => T::Float,
            (T::BigInt, _) | (_, T::BigInt) => T::BigInt,
            (T::Int, _) | (_, T::Int) => T::Int,
            (T::SmallInt, _) | (_, T::SmallInt) => T::SmallInt,
            _ => T::TinyInt,
        };
        Some((common.clone(), common))
    }

    /// The result's type for operands of the types that [`Self::operands`] gives.
    pub(crate) fn result(self, left: &HiveType, right: &HiveType) -> HiveType {
        let (HiveType::Decimal(p1, s1), HiveType::Decimal(p2, s2)) = (left, right) else {
            return left.clone();
        };
        let (p1, s1, p2, s2) = (
            i16::from(*p1),
            i16::from(*s1),
            i16::from(*p2),
            i16::from(*s2),
        );
        let (precision, scale) = match self {
            Self::Add | Self::Subtract => {
                let scale = s1.max(s2);
                adjusted((p1 - s1).max(p2 - s2) + scale + 1, scale)
            }
            Self::Multiply => adjusted(p1 + p2 + 1, s1 + s2),
            Self::Divide => {
                let scale = 6.max(s1 + p2 + 1);
                adjusted(p1 - s1 + s2 + scale, scale)
            }
            Self::Modulo | Self::PositiveModulo | Self::IntegerDivide => {
                let scale = s1.max(s2);
                (
                    ((p1 - s1).min(p2 - s2) + scale).min(i16::from(DECIMAL_DIGITS_MAX)),
                    scale,
                )
            }
        };
        HiveType::Decimal(
            u8::try_from(precision).unwrap_or(DECIMAL_DIGITS_MAX),
            u8::try_from(scale).unwrap_or_default(),
        )
    }
}

/// A whole number's or decimal's type as a decimal.
pub(crate) fn decimal_of(hive_type: &HiveType) -> Option<HiveType> {
    Some(match hive_type {
        HiveType::TinyInt => HiveType::Decimal(3, 0),
        HiveType::SmallInt => HiveType::Decimal(5, 0),
        HiveType::Int => HiveType::Decimal(10, 0),
        HiveType::BigInt => HiveType::Decimal(19, 0),
        HiveType::Decimal(..) => hive_type.clone(),
        _ => return None,
    })
}

fn adjusted(precision: i16, scale: i16) -> (i16, i16) {
    let max = i16::from(DECIMAL_DIGITS_MAX);
    if precision <= max {
        return (precision, scale);
    }
    (
        max,
        (max - (precision - scale)).max(scale.min(ADJUSTED_SCALE_MIN)),
    )
}

/// An operator as a function of two operands.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Arithmetic {
    operator: Operator,
    name: String,
    signature: Signature,
}

impl Arithmetic {
    /// The function.
    pub(crate) fn udf(operator: Operator) -> ScalarUDF {
        ScalarUDF::new_from_impl(Self {
            operator,
            name: operator.function(),
            signature: Signature::any(2, Volatility::Immutable),
        })
    }
}

impl ScalarUDFImpl for Arithmetic {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        match (
            HiveType::of_arrow(&arguments[0]),
            HiveType::of_arrow(&arguments[1]),
        ) {
            (Some(left), Some(right)) => Ok(self.operator.result(&left, &right).arrow()),
            _ => plan_err!(
                "{} does not apply to {} and {}",
                self.name,
                arguments[0],
                arguments[1]
            ),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let result = args.return_type().clone();
        apply(args, |args| evaluate(self.operator, args, &result))
    }
}

fn evaluate(operator: Operator, args: &Args, result: &DataType) -> Result<ArrayRef> {
    use Operator as O;
    let (left, right) = (args.expanded(0)?, args.expanded(1)?);
    macro_rules! whole {
        ($type:ty) => {
            match operator {
                O::Modulo => {
                    numbers::<$type>(&left, &right, |a, b| (b != 0).then(|| a.wrapping_rem(b)))
                }
                O::PositiveModulo => numbers::<$type>(&left, &right, |a, b| {
                    (b != 0).then(|| a.wrapping_rem(b).wrapping_add(b).wrapping_rem(b))
                }),
                O::IntegerDivide => {
                    numbers::<$type>(&left, &right, |a, b| (b != 0).then(|| a.wrapping_div(b)))
                }
                _ => exec_err!("{} of whole numbers", operator.symbol()),
            }
        };
    }
    macro_rules! fractional {
        ($type:ty) => {
            match operator {
                O::Divide => numbers::<$type>(&left, &right, |a, b| (b != 0.0).then(|| a / b)),
                O::Modulo => numbers::<$type>(&left, &right, |a, b| (b != 0.0).then(|| a % b)),
                O::PositiveModulo => {
                    numbers::<$type>(&left, &right, |a, b| (b != 0.0).then(|| ((a % b) + b) % b))
                }
                _ => exec_err!("{} of doubles", operator.symbol()),
            }
        };
    }
    match (left.data_type(), right.data_type(), result) {
        (DataType::Int8, ..) => whole!(Int8Type),
        (DataType::Int16, ..) => whole!(Int16Type),
        (DataType::Int32, ..) => whole!(Int32Type),
        (DataType::Int64, ..) => whole!(Int64Type),
        (DataType::Float32, ..) => fractional!(Float32Type),
        (DataType::Float64, ..) => fractional!(Float64Type),
        (
            DataType::Decimal128(_, s1),
            DataType::Decimal128(_, s2),
            DataType::Decimal128(precision, scale),
        ) => {
            let shape = Shape {
                left: s1.unsigned_abs(),
                right: s2.unsigned_abs(),
                precision: *precision,
                scale: scale.unsigned_abs(),
            };
            let values: Decimal128Array = left
                .as_primitive::<Decimal128Type>()
                .iter()
                .zip(right.as_primitive::<Decimal128Type>())
                .map(|(a, b)| decimal(operator, a?, b?, shape))
                .collect();
            Ok(Arc::new(
                values.with_precision_and_scale(*precision, *scale)?,
            ))
        }
        (left, right, _) => exec_err!("{} of {left} and {right}", operator.symbol()),
    }
}

fn numbers<T: ArrowPrimitiveType>(
    left: &ArrayRef,
    right: &ArrayRef,
    operation: impl Fn(T::Native, T::Native) -> Option<T::Native>,
) -> Result<ArrayRef> {
    let result: PrimitiveArray<T> = left
        .as_primitive::<T>()
        .iter()
        .zip(right.as_primitive::<T>())
        .map(|(a, b)| operation(a?, b?))
        .collect();
    Ok(Arc::new(result))
}

/// Scales of the operands, precision and scale of the result.
#[derive(Clone, Copy)]
struct Shape {
    left: u8,
    right: u8,
    precision: u8,
    scale: u8,
}

fn decimal(operator: Operator, a: i128, b: i128, shape: Shape) -> Option<i128> {
    let (a, b) = (i256::from_i128(a), i256::from_i128(b));
    let common = shape.left.max(shape.right);
    let aligned = || {
        Some((
            a.checked_mul(power(common - shape.left)?)?,
            b.checked_mul(power(common - shape.right)?)?,
        ))
    };
    let value = match operator {
        Operator::Add => {
            let (a, b) = aligned()?;
            rounded(a.checked_add(b)?, common, shape.scale)?
        }
        Operator::Subtract => {
            let (a, b) = aligned()?;
            rounded(a.checked_sub(b)?, common, shape.scale)?
        }
        Operator::Multiply => rounded(a.checked_mul(b)?, shape.left + shape.right, shape.scale)?,
        Operator::Divide => quotient(
            a,
            b,
            i16::from(shape.scale) + i16::from(shape.right) - i16::from(shape.left),
        )?,
        Operator::Modulo | Operator::PositiveModulo | Operator::IntegerDivide => {
            let (a, b) = aligned()?;
            if b == i256::ZERO {
                return None;
            }
            let rest = a % b;
            if operator == Operator::PositiveModulo {
                (rest + b) % b
            } else {
                rest
            }
        }
    };
    value
        .to_i128()
        .filter(|value| fits(*value, shape.precision))
}

fn power(exponent: u8) -> Option<i256> {
    i256::from_i128(10).checked_pow(u32::from(exponent))
}

/// A value of scale `from` at scale `to`.
fn rounded(value: i256, from: u8, to: u8) -> Option<i256> {
    if to >= from {
        value.checked_mul(power(to - from)?)
    } else {
        divide_half_up(value, power(from - to)?)
    }
}

/// `a * 10^shift / b`, rounded half up; `None` for a zero divisor or an overflow.
fn quotient(a: i256, b: i256, shift: i16) -> Option<i256> {
    if b == i256::ZERO {
        return None;
    }
    let Ok(shift) = u8::try_from(shift) else {
        return divide_half_up(a, b.checked_mul(power(u8::try_from(-shift).ok()?)?)?);
    };
    if let Some(scaled) = power(shift).and_then(|unit| a.checked_mul(unit)) {
        return divide_half_up(scaled, b);
    }
    // Too wide for one division: digit by digit.
    let negative = a.is_negative() != b.is_negative();
    let (a, b) = (a.wrapping_abs(), b.wrapping_abs());
    let ten = i256::from_i128(10);
    let (mut value, mut rest) = (a / b, a % b);
    for _ in 0..shift {
        rest *= ten;
        value = value.checked_mul(ten)?.checked_add(rest / b)?;
        rest %= b;
    }
    if rest * i256::from_i128(2) >= b {
        value = value.checked_add(i256::ONE)?;
    }
    Some(if negative { -value } else { value })
}

fn divide_half_up(a: i256, b: i256) -> Option<i256> {
    let (value, rest) = (a / b, (a % b).wrapping_abs());
    if rest.checked_mul(i256::from_i128(2))? < b.wrapping_abs() {
        return Some(value);
    }
    let one = if a.is_negative() == b.is_negative() {
        i256::ONE
    } else {
        i256::MINUS_ONE
    };
    value.checked_add(one)
}

/// The name under which averages are planned.
pub(crate) const AVERAGE: &str = "hive avg";

/// `hive avg(sum, count, any value)`: the last argument only says which type was averaged.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Average {
    signature: Signature,
}

impl Average {
    /// The function.
    pub(crate) fn udf() -> ScalarUDF {
        ScalarUDF::new_from_impl(Self {
            signature: Signature::any(3, Volatility::Immutable),
        })
    }
}

impl ScalarUDFImpl for Average {
    fn name(&self) -> &str {
        AVERAGE
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        // As many digits before the point, four more behind it.
        Ok(match &arguments[2] {
            DataType::Decimal128(precision, scale) => {
                let whole = precision.saturating_sub(scale.unsigned_abs());
                let scale = (scale.unsigned_abs() + 4).min(DECIMAL_DIGITS_MAX - whole);
                DataType::Decimal128(whole + scale, scale.cast_signed())
            }
            _ => DataType::Float64,
        })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let result = args.return_type().clone();
        apply(args, |args| {
            let (sum, count) = (args.expanded(0)?, args.expanded(1)?);
            let counts = count.as_primitive::<Int64Type>();
            let DataType::Decimal128(precision, scale) = result else {
                let values: PrimitiveArray<Float64Type> = sum
                    .as_primitive::<Float64Type>()
                    .iter()
                    .zip(counts)
                    .map(|(sum, count)| Some(sum? / count.filter(|n| *n > 0)? as f64))
                    .collect();
                return Ok(Arc::new(values));
            };
            let DataType::Decimal128(_, from) = sum.data_type() else {
                return exec_err!("the sum is no decimal");
            };
            let shape = Shape {
                left: from.unsigned_abs(),
                right: 0,
                precision,
                scale: scale.unsigned_abs(),
            };
            let values: Decimal128Array = sum
                .as_primitive::<Decimal128Type>()
                .iter()
                .zip(counts)
                .map(|(sum, count)| decimal(Operator::Divide, sum?, count?.into(), shape))
                .collect();
            Ok(Arc::new(values.with_precision_and_scale(precision, scale)?))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimal_results_have_hives_types() {
        use HiveType::Decimal as D;
        for (operator, left, right, result) in [
            (Operator::Add, D(10, 2), D(5, 3), D(12, 3)),
            (Operator::Add, D(38, 10), D(38, 2), D(38, 6)),
            (Operator::Multiply, D(10, 2), D(10, 2), D(21, 4)),
            (Operator::Multiply, D(38, 20), D(38, 20), D(38, 6)),
            (Operator::Divide, D(10, 2), D(5, 1), D(17, 8)),
            (Operator::Divide, D(10, 0), D(10, 0), D(21, 11)),
            (Operator::Modulo, D(10, 2), D(5, 3), D(5, 3)),
        ] {
            assert_eq!(
                operator.result(&left, &right),
                result,
                "{operator:?} {left} {right}"
            );
        }
    }

    #[test]
    fn decimals_divide_and_round_half_up() {
        let shape = |left, right, precision, scale| Shape {
            left,
            right,
            precision,
            scale,
        };
        // 10.00 / 3.0 to 8 digits.
        assert_eq!(
            decimal(Operator::Divide, 1000, 30, shape(2, 1, 17, 8)),
            Some(333_333_333)
        );
        assert_eq!(
            decimal(Operator::Divide, 2, 3, shape(0, 0, 21, 11)),
            Some(66_666_666_667)
        );
        assert_eq!(
            decimal(Operator::Divide, -2, 3, shape(0, 0, 21, 11)),
            Some(-66_666_666_667)
        );
        assert_eq!(decimal(Operator::Divide, 1, 0, shape(0, 0, 21, 11)), None);
        // 10^37 / 10^-38 overflows every decimal; digit by digit it is found out.
        assert_eq!(
            decimal(Operator::Divide, 10_i128.pow(37), 1, shape(0, 38, 38, 6)),
            None
        );
        let wide = decimal(
            Operator::Divide,
            10_i128.pow(37) / 3,
            10_i128.pow(37),
            shape(0, 38, 38, 6),
        );
        assert_eq!(wide, None);
        assert_eq!(
            decimal(Operator::Multiply, 15, 5, shape(1, 1, 10, 1)),
            Some(8)
        );
        assert_eq!(decimal(Operator::Add, 99, 1, shape(0, 0, 2, 0)), None);
        assert_eq!(
            decimal(Operator::Modulo, -1000, 300, shape(2, 2, 5, 2)),
            Some(-100)
        );
    }
}
