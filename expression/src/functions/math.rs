//! Numbers. What has no value (the root of −1, a logarithm of 0, a result out of range) is NULL.

use arrow::array::ArrayRef;
use arrow::datatypes::DataType;
use datafusion_common::Result;

use super::call::Call;
use super::definition::{Definition, Kind, Returns};
use super::text::text;
use crate::operators::decimal::{power_of_ten, rescale};

/// A DOUBLE that follows from one DOUBLE.
macro_rules! double {
    ($name:literal, $aliases:expr, $summary:literal, $value:expr) => {
        Definition::new(
            $name,
            concat!($name, "(number)"),
            $summary,
            &[Kind::Double],
            Returns::Double,
            |call| {
                let value: fn(f64) -> f64 = $value;
                let numbers = call.double(0)?;
                call.doubles(|row| numbers.get(row).map(value))
            },
        )
        .also($aliases)
    };
}

const N: Kind = Kind::Number;
const D: Kind = Kind::Double;
const I: Kind = Kind::Integer;

pub(super) static DEFINITIONS: &[Definition] = &[
    text!("abs", &[], "abs(number)", "Without its sign.", &[N], &[], @Same, |call| {
        same(call, i64::checked_abs, i128::checked_abs, f64::abs)
    }),
    text!("negative", &[], "negative(number)", "With the other sign.", &[N], &[], @Same, |call| {
        same(call, i64::checked_neg, i128::checked_neg, |value| -value)
    }),
    text!("positive", &[], "positive(number)", "As it is.", &[N], &[], @Same, |call| call.array(0)),
    text!(
        "ceil",
        &["ceiling", "dceil"],
        "ceil(number)",
        "The next whole number above.",
        &[N],
        &[],
        Integer,
        |call| {
            whole(call, f64::ceil, |value, unit| {
                value.div_euclid(unit) + i128::from(value.rem_euclid(unit) > 0)
            })
        }
    ),
    text!(
        "floor",
        &["dfloor"],
        "floor(number)",
        "The next whole number below.",
        &[N],
        &[],
        Integer,
        |call| { whole(call, f64::floor, |value, unit| value.div_euclid(unit)) }
    ),
    text!("round", &["dround"], "round(number[, digits])",
        "Rounded half away from zero to so many digits behind the point; negative: before it.", &[N], &[I], @Same,
        |call| cut_to_digits(call, true)),
    text!("truncate", &["dtrunc", "trunc"], "truncate(number, digits)",
        "Cut to so many digits behind the point; negative: before it.", &[N], &[I], @Same,
        |call| cut_to_digits(call, false)),
    text!("sign", &[], "sign(number)", "−1, 0 or 1.", &[D], &[], Integer, |call| {
        let numbers = call.double(0)?;
        call.integers(|row| numbers.get(row).map(|value| i64::from(value > 0.0) - i64::from(value < 0.0)))
    }),
    double!("sqrt", &["dsqrt"], "The square root.", f64::sqrt),
    double!("cbrt", &[], "The cube root.", f64::cbrt),
    double!("exp", &["dexp"], "e to that power.", f64::exp),
    double!("ln", &["dlog1"], "The natural logarithm.", f64::ln),
    double!("log2", &[], "The logarithm to base 2.", f64::log2),
    double!("log10", &["dlog10"], "The logarithm to base 10.", f64::log10),
    double!("sin", &[], "The sine of an angle in radians.", f64::sin),
    double!("cos", &[], "The cosine of an angle in radians.", f64::cos),
    double!("tan", &[], "The tangent of an angle in radians.", f64::tan),
    double!("asin", &[], "The angle of a sine.", f64::asin),
    double!("acos", &[], "The angle of a cosine.", f64::acos),
    double!("atan", &[], "The angle of a tangent.", f64::atan),
    double!("degrees", &[], "Radians as degrees.", f64::to_degrees),
    double!("radians", &[], "Degrees as radians.", f64::to_radians),
    text!("atan2", &[], "atan2(y, x)", "The angle of a point.", &[D, D], &[], Double, |call| {
        let (one, other) = (call.double(0)?, call.double(1)?);
        call.doubles(|row| Some(one.get(row)?.atan2(other.get(row)?)))
    }),
    text!(
        "power",
        &["pow", "dpow", "fpow"],
        "power(base, exponent)",
        "A power.",
        &[D, D],
        &[],
        Double,
        |call| {
            let (base, exponent) = (call.double(0)?, call.double(1)?);
            call.doubles(|row| Some(base.get(row)?.powf(exponent.get(row)?)))
        }
    ),
    text!(
        "log",
        &[],
        "log([base, ]number)",
        "The logarithm, by default the natural one.",
        &[D],
        &[D],
        Double,
        |call| {
            let first = call.double(0)?;
            if !call.has(1) {
                return call.doubles(|row| first.get(row).map(f64::ln));
            }
            let numbers = call.double(1)?;
            call.doubles(|row| Some(numbers.get(row)?.ln() / first.get(row)?.ln()))
        }
    ),
    text!(
        "fmod",
        &[],
        "fmod(number, divisor)",
        "The rest of a division of DOUBLEs.",
        &[D, D],
        &[],
        Double,
        |call| {
            let (one, other) = (call.double(0)?, call.double(1)?);
            call.doubles(|row| Some(one.get(row)? % other.get(row)?))
        }
    ),
    text!(
        "pmod",
        &[],
        "pmod(number, divisor)",
        "The rest of a division, with the sign of the divisor.",
        &[I, I],
        &[],
        Integer,
        |call| {
            let (one, other) = (call.integer(0)?, call.integer(1)?);
            call.integers(|row| {
                let (value, divisor) = (one.get(row)?, other.get(row)?);
                value.checked_rem(divisor)?.checked_add(divisor)?.checked_rem(divisor)
            })
        }
    ),
    text!("pi", &[], "pi()", "3.141592653589793.", &[], &[], Double, |call| {
        call.doubles(|_| Some(std::f64::consts::PI))
    }),
    text!("bin", &[], "bin(number)", "Binary digits.", &[I], &[], Text, |call| {
        let numbers = call.integer(0)?;
        call.texts(|row, out| std::fmt::Write::write_fmt(out, format_args!("{:b}", numbers.get(row)?)).ok())
    }),
    text!(
        "conv",
        &[],
        "conv(number, from_base, to_base)",
        "A number in another base, 2 to 36.",
        &[Kind::Text, I, I],
        &[],
        Text,
        |call| {
            let (numbers, from, to) = (call.text(0)?, call.integer(1)?, call.integer(2)?);
            call.texts(|row, out| convert_base(numbers.get(row)?, from.get(row)?, to.get(row)?, out))
        }
    ),
    text!(
        "bitand",
        &[],
        "bitand(number, number)",
        "The bits that both have.",
        &[I, I],
        &[],
        Integer,
        |call| bits(call, |one, other| Some(one & other))
    ),
    text!("bitor", &[], "bitor(number, number)", "The bits that one has.", &[I, I], &[], Integer, |call| {
        bits(call, |one, other| Some(one | other))
    }),
    text!(
        "bitxor",
        &[],
        "bitxor(number, number)",
        "The bits that only one has.",
        &[I, I],
        &[],
        Integer,
        |call| bits(call, |one, other| Some(one ^ other))
    ),
    text!(
        "bit_shift_left",
        &[],
        "bit_shift_left(number, count)",
        "Bits moved up.",
        &[I, I],
        &[],
        Integer,
        |call| bits(call, |one, other| one.checked_shl(u32::try_from(other).ok()?))
    ),
    text!(
        "bit_shift_right",
        &[],
        "bit_shift_right(number, count)",
        "Bits moved down.",
        &[I, I],
        &[],
        Integer,
        |call| bits(call, |one, other| one.checked_shr(u32::try_from(other).ok()?))
    ),
    text!("bitnot", &[], "bitnot(number)", "Every bit turned.", &[I], &[], Integer, |call| {
        let numbers = call.integer(0)?;
        call.integers(|row| numbers.get(row).map(|value| !value))
    }),
];

fn bits(call: &Call<'_>, value: fn(i64, i64) -> Option<i64>) -> Result<ArrayRef> {
    let (one, other) = (call.integer(0)?, call.integer(1)?);
    call.integers(|row| value(one.get(row)?, other.get(row)?))
}

/// A number of the argument's type.
fn same(
    call: &Call<'_>,
    integer: fn(i64) -> Option<i64>,
    decimal: fn(i128) -> Option<i128>,
    double: fn(f64) -> f64,
) -> Result<ArrayRef> {
    match call.data_type(0)? {
        DataType::Int64 => {
            let numbers = call.integer(0)?;
            call.integers(|row| integer(numbers.get(row)?))
        }
        DataType::Decimal128(precision, scale) => {
            let numbers = call.decimal(0)?;
            call.decimals(*precision, *scale, |row| decimal(numbers.get(row)?))
        }
        _ => {
            let numbers = call.double(0)?;
            call.doubles(|row| numbers.get(row).map(double))
        }
    }
}

/// A BIGINT; `decimal` divides unscaled digits by the power of ten of their scale.
fn whole(call: &Call<'_>, double: fn(f64) -> f64, decimal: fn(i128, i128) -> i128) -> Result<ArrayRef> {
    match call.data_type(0)? {
        DataType::Int64 => call.array(0),
        DataType::Decimal128(_, scale) => {
            let numbers = call.decimal(0)?;
            let unit = power_of_ten(u32::from(scale.max(&0).unsigned_abs()));
            call.integers(|row| i64::try_from(decimal(numbers.get(row)?, unit?)).ok())
        }
        _ => {
            let numbers = call.double(0)?;
            call.integers(|row| {
                let value = double(numbers.get(row)?);
                // Both bounds are powers of two, which are exact.
                (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0)
                    .contains(&value)
                    .then_some(value as i64)
            })
        }
    }
}

fn cut_to_digits(call: &Call<'_>, round: bool) -> Result<ArrayRef> {
    let digits = call.has(1).then(|| call.integer(1)).transpose()?;
    let wanted = |row| match &digits {
        Some(digits) => digits.get(row),
        None => Some(0),
    };
    match call.data_type(0)? {
        DataType::Int64 => {
            let numbers = call.integer(0)?;
            call.integers(|row| {
                let (value, digits) = (numbers.get(row)?, wanted(row)?);
                i64::try_from(cut_decimal(i128::from(value), 0, digits, round)?).ok()
            })
        }
        DataType::Decimal128(precision, scale) => {
            let numbers = call.decimal(0)?;
            call.decimals(*precision, *scale, |row| {
                cut_decimal(numbers.get(row)?, i64::from(*scale), wanted(row)?, round)
            })
        }
        _ => {
            let numbers = call.double(0)?;
            call.doubles(|row| cut_double(numbers.get(row)?, wanted(row)?, round))
        }
    }
}

/// Unscaled digits of `scale` with all behind `digits` made zero.
fn cut_decimal(value: i128, scale: i64, digits: i64, round: bool) -> Option<i128> {
    let dropped = scale.checked_sub(digits)?;
    if dropped <= 0 {
        return Some(value);
    }
    let dropped = u32::try_from(dropped).ok()?;
    let Some(unit) = power_of_ten(dropped) else { return Some(0) };
    let kept = if round { rescale(value, dropped, 0)? } else { value / unit };
    kept.checked_mul(unit)
}

fn cut_double(value: f64, digits: i64, round: bool) -> Option<f64> {
    let digits = i32::try_from(digits).ok()?;
    if digits > 300 {
        return Some(value);
    }
    let unit = 10f64.powi(digits);
    let scaled = value * unit;
    if !scaled.is_finite() {
        return Some(value);
    }
    // The nearest of a written number may lie just below the half that was meant: 1.005 is 1.00499…
    let near = scaled + scaled.signum() * scaled.abs() * f64::EPSILON;
    let cut = if round { near.round() } else { scaled.trunc() };
    Some(if digits < 0 { cut * 10f64.powi(-digits) } else { cut / unit })
}

fn convert_base(number: &str, from: i64, to: i64, out: &mut String) -> Option<()> {
    let base = |base: i64| u32::try_from(base.checked_abs()?).ok().filter(|base| (2..=36).contains(base));
    let (from, to) = (base(from)?, base(to)?);
    let mut value = i64::from_str_radix(number.trim(), from).ok()?.cast_unsigned();
    let mut digits = Vec::new();
    while value > 0 || digits.is_empty() {
        digits.push(char::from_digit((value % u64::from(to)) as u32, to)?.to_ascii_uppercase());
        value /= u64::from(to);
    }
    out.extend(digits.iter().rev());
    Some(())
}
