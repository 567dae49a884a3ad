//! To DECIMAL(p,s) and LARGEINT, which is DECIMAL(38,0).

use std::fmt::Write;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, PrimitiveArray};
use arrow::datatypes::{DataType as ArrowType, Decimal128Type, Float16Type, Float32Type, Float64Type};
use arrow::error::ArrowError;

use super::column::{Column, Fault, collect_primitive};
use super::parse::parse_decimal;
use super::pattern::{integers, texts};

/// Most digits of a 128-bit decimal.
const MOST_DIGITS: usize = 38;

const POWERS: [i128; MOST_DIGITS + 1] = {
    let mut powers = [1i128; MOST_DIGITS + 1];
    let mut exponent = 1;
    while exponent <= MOST_DIGITS {
        powers[exponent] = powers[exponent - 1] * 10;
        exponent += 1;
    }
    powers
};

/// 10 to the power of `exponent`, 0 to 38; `None` outside.
pub(super) fn power_of_ten(exponent: i32) -> Option<i128> {
    usize::try_from(exponent).ok().and_then(|exponent| POWERS.get(exponent).copied())
}

/// A decimal column of up to 38 digits in 128 bits, and its scale.
pub(super) fn as_decimal128(array: &ArrayRef) -> Option<(ArrayRef, i8)> {
    match *array.data_type() {
        ArrowType::Decimal128(_, scale) => Some((Arc::clone(array), scale)),
        ArrowType::Decimal32(precision, scale) | ArrowType::Decimal64(precision, scale) => {
            // Widening at the same precision and scale is all that Arrow is asked for here.
            let wide = arrow::compute::cast(array, &ArrowType::Decimal128(precision, scale)).ok()?;
            Some((wide, scale))
        }
        _ => None,
    }
}

/// Casts to DECIMAL(precision, scale); `None`: no value of this type can become one.
pub(super) fn to_decimal(array: &ArrayRef, precision: u8, scale: u8) -> Result<Option<Column>, ArrowError> {
    let target = Target { precision, scale };
    let integer = integers!(array, a => {
        Some(target.collect(array, |row| target.rescale(i128::from(a.value(row)), 0)))
    }, _ => None);
    if let Some(column) = integer {
        return column.map(Some);
    }
    let parsed = texts!(array, a => {
        Some(target.collect(array, |row| target.parse(a.value(row).as_bytes())))
    }, _ => None);
    if let Some(column) = parsed {
        return column.map(Some);
    }
    match array.data_type() {
        ArrowType::Boolean => {
            let a = array.as_boolean();
            target.collect(array, |row| target.rescale(i128::from(a.value(row)), 0)).map(Some)
        }
        ArrowType::Float16 => {
            let a = array.as_primitive::<Float16Type>();
            target.shortest(array, |row, out| write!(out, "{:e}", a.value(row).to_f32())).map(Some)
        }
        ArrowType::Float32 => {
            let a = array.as_primitive::<Float32Type>();
            target.shortest(array, |row, out| write!(out, "{:e}", a.value(row))).map(Some)
        }
        ArrowType::Float64 => {
            let a = array.as_primitive::<Float64Type>();
            target.shortest(array, |row, out| write!(out, "{:e}", a.value(row))).map(Some)
        }
        ArrowType::Decimal32(..) | ArrowType::Decimal64(..) | ArrowType::Decimal128(..) => {
            let Some((wide, from_scale)) = as_decimal128(array) else { return Ok(None) };
            target.convert_decimal(wide.as_primitive::<Decimal128Type>(), i32::from(from_scale)).map(Some)
        }
        _ => Ok(None),
    }
}

#[derive(Clone, Copy)]
struct Target {
    precision: u8,
    scale: u8,
}

impl Target {
    /// The largest unscaled value.
    fn bound(self) -> i128 {
        power_of_ten(i32::from(self.precision)).map_or(i128::MAX, |power| power - 1)
    }

    fn check(self, unscaled: i128) -> Result<i128, Fault> {
        let bound = self.bound();
        if (-bound..=bound).contains(&unscaled) { Ok(unscaled) } else { Err(Fault::OutOfRange) }
    }

    fn parse(self, text: &[u8]) -> Result<i128, Fault> {
        self.check(parse_decimal(text, i32::from(self.scale))?)
    }

    /// `unscaled` digits of another scale, rounded half up (away from zero).
    fn rescale(self, unscaled: i128, scale: i32) -> Result<i128, Fault> {
        let up = i32::from(self.scale) - scale;
        let rescaled = if up >= 0 {
            match power_of_ten(up).and_then(|power| unscaled.checked_mul(power)) {
                Some(value) => value,
                None if unscaled == 0 => 0,
                None => return Err(Fault::OutOfRange),
            }
        } else {
            match power_of_ten(-up) {
                Some(power) => {
                    let (quotient, remainder) = (unscaled / power, unscaled % power);
                    let away = remainder.unsigned_abs() >= (power / 2).unsigned_abs();
                    quotient + if away { unscaled.signum() } else { 0 }
                }
                // Every digit stands behind the last one kept.
                None => 0,
            }
        };
        self.check(rescaled)
    }

    fn collect(
        self,
        array: &ArrayRef,
        value: impl FnMut(usize) -> Result<i128, Fault>,
    ) -> Result<Column, ArrowError> {
        let (values, misfits) = collect_primitive::<Decimal128Type>(array.len(), array.nulls(), value);
        Ok(Column { array: Arc::new(self.typed(values)?), misfits })
    }

    fn typed(
        self,
        values: PrimitiveArray<Decimal128Type>,
    ) -> Result<PrimitiveArray<Decimal128Type>, ArrowError> {
        values.with_precision_and_scale(self.precision, self.scale.cast_signed())
    }

    /// Floating point by way of its shortest decimal text, which is what a reader of the file sees.
    fn shortest(
        self,
        array: &ArrayRef,
        write: impl Fn(usize, &mut String) -> std::fmt::Result,
    ) -> Result<Column, ArrowError> {
        let mut text = String::new();
        self.collect(array, |row| {
            text.clear();
            write(row, &mut text).map_err(|_| Fault::OutOfRange)?;
            // NaN and infinities are numbers in the file, but none of a DECIMAL.
            self.parse(text.as_bytes()).map_err(|_| Fault::OutOfRange)
        })
    }

    fn convert_decimal(
        self,
        values: &PrimitiveArray<Decimal128Type>,
        scale: i32,
    ) -> Result<Column, ArrowError> {
        let bound = self.bound();
        if scale == i32::from(self.scale) && values.values().iter().all(|v| (-bound..=bound).contains(v)) {
            return Ok(Column::fits(Arc::new(self.typed(values.clone())?)));
        }
        let array: ArrayRef = Arc::new(values.clone());
        self.collect(&array, |row| self.rescale(values.value(row), scale))
    }
}

/// Writes `unscaled` with `scale` digits behind the point.
pub(super) fn write_decimal(out: &mut String, unscaled: &str, scale: i8) {
    let (sign, digits) = match unscaled.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", unscaled),
    };
    out.push_str(sign);
    let Ok(scale) = usize::try_from(scale) else {
        out.push_str(digits);
        if digits != "0" {
            out.extend(std::iter::repeat_n('0', usize::from(scale.unsigned_abs())));
        }
        return;
    };
    match digits.len().checked_sub(scale) {
        Some(whole) if whole > 0 => out.push_str(&digits[..whole]),
        _ => out.push('0'),
    }
    if scale > 0 {
        out.push('.');
        out.extend(std::iter::repeat_n('0', scale.saturating_sub(digits.len())));
        out.push_str(&digits[digits.len().saturating_sub(scale)..]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rescale(unscaled: i128, from: i32, precision: u8, scale: u8) -> Result<i128, Fault> {
        Target { precision, scale }.rescale(unscaled, from)
    }

    #[test]
    fn rescaling_rounds_half_up_and_checks_the_precision() {
        assert_eq!(rescale(12_345, 3, 5, 2), Ok(1235));
        assert_eq!(rescale(-12_345, 3, 5, 2), Ok(-1235));
        assert_eq!(rescale(12_344, 3, 5, 2), Ok(1234));
        assert_eq!(rescale(9_995, 3, 3, 2), Err(Fault::OutOfRange));
        assert_eq!(rescale(1, 0, 38, 38), Err(Fault::OutOfRange));
        assert_eq!(rescale(0, 0, 38, 38), Ok(0));
        assert_eq!(rescale(i128::MAX, 0, 38, 10), Err(Fault::OutOfRange));
        assert_eq!(rescale(99, 38, 5, 0), Ok(0));
        assert_eq!(rescale(5, -2, 5, 0), Ok(500));
        assert_eq!(rescale(-128, 0, 2, 0), Err(Fault::OutOfRange));
    }

    #[test]
    fn decimals_as_text() {
        for (unscaled, scale, text) in [
            ("12345", 2, "123.45"),
            ("-5", 2, "-0.05"),
            ("0", 3, "0.000"),
            ("7", 0, "7"),
            ("-123", 3, "-0.123"),
            ("12", -2, "1200"),
        ] {
            let mut out = String::new();
            write_decimal(&mut out, unscaled, scale);
            assert_eq!(out, text);
        }
    }
}
