//! Arithmetic: the types of StarRocks' operators, and their values. What is out of range, and a division by
//! zero, is NULL.
//!
//! | operands | `+` `-` `*` | `/` | `DIV` | `%` |
//! |---|---|---|---|---|
//! | integers, BOOLEAN | BIGINT | DOUBLE | BIGINT | BIGINT |
//! | a DECIMAL and an integer or DECIMAL | DECIMAL | DECIMAL | BIGINT | DECIMAL |
//! | a FLOAT, a DOUBLE or text | DOUBLE | DOUBLE | BIGINT | DOUBLE |

pub(crate) mod decimal;

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Decimal128Array, Float64Array, PrimitiveArray};
use arrow::datatypes::{ArrowPrimitiveType, DataType, Decimal128Type, Float64Type, Int64Type};
use datafusion_common::{Result, ScalarValue, internal_err};
use datafusion_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use crate::types::{Class, MOST_DIGITS, class, digits};
use decimal::{divide, rescale};

/// An operator of arithmetic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    /// `DIV`: the whole part of a quotient.
    WholeDivide,
    Modulo,
}

/// The types that operands are cast to, and that of the result; `None`: there is no arithmetic with them.
pub(crate) fn arithmetic_types(
    operator: Operator,
    left: &DataType,
    right: &DataType,
) -> Option<(DataType, DataType, DataType)> {
    let number = |data_type| match class(data_type) {
        Class::Null | Class::Boolean | Class::Integer => Some(Class::Integer),
        Class::Decimal => Some(Class::Decimal),
        Class::Float | Class::Text => Some(Class::Float),
        _ => None,
    };
    let same = |data_type: DataType| Some((data_type.clone(), data_type.clone(), data_type));
    match (number(left)?, number(right)?) {
        (Class::Float, _) | (_, Class::Float) if operator == Operator::WholeDivide => {
            Some((DataType::Float64, DataType::Float64, DataType::Int64))
        }
        (Class::Float, _) | (_, Class::Float) => same(DataType::Float64),
        (Class::Integer, Class::Integer) if operator == Operator::Divide => same(DataType::Float64),
        (Class::Integer, Class::Integer) => same(DataType::Int64),
        _ => {
            let (p1, s1) = digits(left);
            let (p2, s2) = digits(right);
            let scale = match operator {
                Operator::Multiply => (s1 + s2).min(MOST_DIGITS),
                // As StarRocks: six digits more, but not beyond twelve by that.
                Operator::Divide => {
                    if s1 <= 6 {
                        s1 + 6
                    } else {
                        s1.max(12)
                    }
                }
                _ => s1.max(s2),
            };
            let result = match operator {
                Operator::WholeDivide => DataType::Int64,
                _ => DataType::Decimal128(MOST_DIGITS, scale.cast_signed()),
            };
            let operand = |precision: u8, scale: u8| DataType::Decimal128(precision, scale.cast_signed());
            Some((operand(p1, s1), operand(p2, s2), result))
        }
    }
}

/// The operator over operands that have the types of [`arithmetic_types`].
pub(crate) fn arithmetic(operator: Operator, left: Expr, right: Expr, returns: DataType) -> Expr {
    let signature = Signature::any(2, Volatility::Immutable);
    ScalarUDF::new_from_impl(Arithmetic { operator, returns, signature }).call(vec![left, right])
}

#[derive(Debug)]
struct Arithmetic {
    operator: Operator,
    returns: DataType,
    signature: Signature,
}

impl PartialEq for Arithmetic {
    fn eq(&self, other: &Self) -> bool {
        self.operator == other.operator && self.returns == other.returns
    }
}

impl Eq for Arithmetic {}

impl std::hash::Hash for Arithmetic {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.operator.hash(state);
        self.returns.hash(state);
    }
}

impl ScalarUDFImpl for Arithmetic {
    fn name(&self) -> &'static str {
        match self.operator {
            Operator::Add => "add",
            Operator::Subtract => "subtract",
            Operator::Multiply => "multiply",
            Operator::Divide => "divide",
            Operator::WholeDivide => "div",
            Operator::Modulo => "mod",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(self.returns.clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [left, right] = args.args.as_slice() else {
            return internal_err!("an operator has two operands");
        };
        let constant = matches!((left, right), (ColumnarValue::Scalar(_), ColumnarValue::Scalar(_)));
        let one_row = |value: &ColumnarValue| match value {
            ColumnarValue::Array(array) => Ok((Arc::clone(array), false)),
            ColumnarValue::Scalar(value) => value.to_array_of_size(1).map(|array| (array, true)),
        };
        let rows = if constant { 1 } else { args.number_rows };
        let values = self.values(&one_row(left)?, &one_row(right)?, rows)?;
        if constant {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&values, 0)?));
        }
        Ok(ColumnarValue::Array(values))
    }
}

/// An array, and whether its one row stands for all.
type Operand = (ArrayRef, bool);

impl Arithmetic {
    fn values(&self, left: &Operand, right: &Operand, rows: usize) -> Result<ArrayRef> {
        let operator = self.operator;
        match (left.0.data_type(), right.0.data_type()) {
            (DataType::Int64, DataType::Int64) => {
                let value = move |a, b| integers(operator, a, b);
                Ok(Arc::new(zip::<Int64Type, Int64Type>(left, right, rows, value)))
            }
            (DataType::Float64, DataType::Float64) if self.returns == DataType::Int64 => {
                let value = |a: f64, b: f64| {
                    let quotient = (a / b).trunc();
                    // Both bounds are powers of two, which are exact.
                    (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0)
                        .contains(&quotient)
                        .then_some(quotient as i64)
                };
                Ok(Arc::new(zip::<Float64Type, Int64Type>(left, right, rows, value)))
            }
            (DataType::Float64, DataType::Float64) => {
                let value = move |a, b| doubles(operator, a, b);
                let array: Float64Array = zip::<Float64Type, Float64Type>(left, right, rows, value);
                Ok(Arc::new(array))
            }
            (DataType::Decimal128(_, s1), DataType::Decimal128(_, s2)) => {
                let scales = (u32::from(s1.unsigned_abs()), u32::from(s2.unsigned_abs()));
                self.decimals(left, right, rows, scales)
            }
            (a, b) => internal_err!("no arithmetic of {a} and {b}"),
        }
    }

    fn decimals(&self, left: &Operand, right: &Operand, rows: usize, scales: (u32, u32)) -> Result<ArrayRef> {
        let (s1, s2) = scales;
        let DataType::Decimal128(precision, scale) = self.returns else {
            let value = |a, b| i64::try_from(rescaled_quotient(a, s1, b, s2)?).ok();
            return Ok(Arc::new(zip::<Decimal128Type, Int64Type>(left, right, rows, value)));
        };
        let to = u32::from(scale.unsigned_abs());
        let operator = self.operator;
        // 38 digits of nine.
        let limit = 10i128.pow(u32::from(MOST_DIGITS));
        let value = move |a: i128, b: i128| {
            let aligned = || Some((rescale(a, s1, to)?, rescale(b, s2, to)?));
            let value = match operator {
                Operator::Add => aligned().and_then(|(a, b)| a.checked_add(b)),
                Operator::Subtract => aligned().and_then(|(a, b)| a.checked_sub(b)),
                Operator::Modulo => aligned().and_then(|(a, b)| a.checked_rem(b)),
                Operator::Multiply => a.checked_mul(b).and_then(|product| rescale(product, s1 + s2, to)),
                Operator::Divide | Operator::WholeDivide => divide(a, s1, b, s2, to),
            };
            value.filter(|value| value.abs() < limit)
        };
        let array: Decimal128Array = zip::<Decimal128Type, Decimal128Type>(left, right, rows, value);
        Ok(Arc::new(array.with_precision_and_scale(precision, scale)?))
    }
}

/// The whole part of a quotient of decimals.
fn rescaled_quotient(a: i128, s1: u32, b: i128, s2: u32) -> Option<i128> {
    let to = s1.max(s2);
    rescale(a, s1, to)?.checked_div(rescale(b, s2, to)?)
}

fn integers(operator: Operator, a: i64, b: i64) -> Option<i64> {
    match operator {
        Operator::Add => a.checked_add(b),
        Operator::Subtract => a.checked_sub(b),
        Operator::Multiply => a.checked_mul(b),
        Operator::Divide | Operator::WholeDivide => a.checked_div(b),
        Operator::Modulo => a.checked_rem(b),
    }
}

fn doubles(operator: Operator, a: f64, b: f64) -> Option<f64> {
    let value = match operator {
        Operator::Add => a + b,
        Operator::Subtract => a - b,
        Operator::Multiply => a * b,
        Operator::Divide | Operator::WholeDivide => a / b,
        Operator::Modulo => a % b,
    };
    Some(value).filter(|value| value.is_finite())
}

fn zip<T: ArrowPrimitiveType, R: ArrowPrimitiveType>(
    left: &Operand,
    right: &Operand,
    rows: usize,
    value: impl Fn(T::Native, T::Native) -> Option<R::Native>,
) -> PrimitiveArray<R> {
    let (a, b) = (left.0.as_primitive::<T>(), right.0.as_primitive::<T>());
    let at = |array: &PrimitiveArray<T>, constant: bool, row: usize| {
        let row = if constant { 0 } else { row };
        array.is_valid(row).then(|| array.value(row))
    };
    (0..rows).map(|row| value(at(a, left.1, row)?, at(b, right.1, row)?)).collect()
}
