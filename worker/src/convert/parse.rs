//! Numbers and truth values from text: blanks of ASCII around are dropped, the whole rest must be a value,
//! no locale.

use super::column::Fault;
use super::decimal::power_of_ten;

/// Exponents beyond this make every decimal either zero or too large.
const EXPONENT_BOUND: i64 = 100_000;

/// So many digits of any value fit in 64 bits, those of garbage included.
const SAFE_DIGITS: usize = 18;

/// `true`, `false` in any case, `1`, `0`.
pub(super) fn parse_boolean(text: &[u8]) -> Result<bool, Fault> {
    match text.trim_ascii() {
        b"1" => Ok(true),
        b"0" => Ok(false),
        text if text.eq_ignore_ascii_case(b"true") => Ok(true),
        text if text.eq_ignore_ascii_case(b"false") => Ok(false),
        _ => Err(Fault::Parse),
    }
}

/// An optional sign and decimal digits.
pub(super) fn parse_integer(text: &[u8]) -> Result<i64, Fault> {
    let (negative, digits) = sign(text.trim_ascii());
    if digits.is_empty() {
        return Err(Fault::Parse);
    }
    if digits.len() <= SAFE_DIGITS {
        // No digit can overflow: one check at the end, for all of them.
        let (mut value, mut all_digits) = (0i64, true);
        for &byte in digits {
            let digit = byte.wrapping_sub(b'0');
            all_digits &= digit <= 9;
            value = value * 10 + i64::from(digit & 0x0f);
        }
        return if all_digits { Ok(if negative { -value } else { value }) } else { Err(Fault::Parse) };
    }
    let mut value: i64 = 0;
    let mut fits = true;
    for &byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return Err(Fault::Parse);
        }
        // Counted down, for the smallest number has no positive counterpart.
        match value.checked_mul(10).and_then(|v| v.checked_sub(i64::from(digit))) {
            Some(next) => value = next,
            None => fits = false,
        }
    }
    let value = if negative { Some(value) } else { value.checked_neg() };
    value.filter(|_| fits).ok_or(Fault::OutOfRange)
}

/// A decimal number with an optional exponent, infinity or NaN, rounded to the nearest.
pub(super) fn parse_f64(text: &str) -> Result<f64, Fault> {
    let text = text.trim_ascii();
    let value: f64 = text.parse().map_err(|_| Fault::Parse)?;
    overflow(value.is_infinite(), text).map(|()| value)
}

/// [`parse_f64`] for 32 bits: rounded once, not by way of 64 bits.
pub(super) fn parse_f32(text: &str) -> Result<f32, Fault> {
    let text = text.trim_ascii();
    let value: f32 = text.parse().map_err(|_| Fault::Parse)?;
    overflow(value.is_infinite(), text).map(|()| value)
}

/// An infinity that was written in digits is a number too large, not infinity.
fn overflow(infinite: bool, text: &str) -> Result<(), Fault> {
    if infinite && text.bytes().any(|byte| byte.is_ascii_digit()) { Err(Fault::OutOfRange) } else { Ok(()) }
}

/// A decimal number as unscaled digits of `scale`, exact, rounded half up (away from zero) at the last digit.
/// An optional exponent is taken. The precision is the caller's to check.
pub(super) fn parse_decimal(text: &[u8], scale: i32) -> Result<i128, Fault> {
    let (negative, rest) = sign(text.trim_ascii());
    let (mantissa, exponent) = match rest.iter().position(|byte| matches!(byte, b'e' | b'E')) {
        Some(at) => (&rest[..at], parse_exponent(&rest[at + 1..])?),
        None => (rest, 0),
    };
    let (whole, fraction) = match mantissa.iter().position(|&byte| byte == b'.') {
        Some(at) => (&mantissa[..at], &mantissa[at + 1..]),
        None => (mantissa, &mantissa[mantissa.len()..]),
    };
    let digits = || whole.iter().chain(fraction);
    if digits().next().is_none() || digits().any(|byte| !byte.is_ascii_digit()) {
        return Err(Fault::Parse);
    }
    // Digits that stand before the last one kept; the next one decides the rounding.
    let kept = i64::try_from(whole.len()).unwrap_or(i64::MAX).saturating_add(exponent) + i64::from(scale);
    let mut value: i128 = 0;
    let mut place: i64 = 0;
    for &byte in digits() {
        let digit = i128::from(byte - b'0');
        if place < kept {
            value = value.checked_mul(10).and_then(|v| v.checked_add(digit)).ok_or(Fault::OutOfRange)?;
        } else if place == kept {
            if digit >= 5 {
                value = value.checked_add(1).ok_or(Fault::OutOfRange)?;
            }
            break;
        } else {
            break;
        }
        place += 1;
    }
    if value != 0 && place < kept {
        let power = i32::try_from(kept - place).ok().and_then(power_of_ten).ok_or(Fault::OutOfRange)?;
        value = value.checked_mul(power).ok_or(Fault::OutOfRange)?;
    }
    Ok(if negative { -value } else { value })
}

fn parse_exponent(text: &[u8]) -> Result<i64, Fault> {
    let (negative, digits) = sign(text);
    if digits.is_empty() || digits.iter().any(|byte| !byte.is_ascii_digit()) {
        return Err(Fault::Parse);
    }
    let value =
        digits.iter().fold(0i64, |value, byte| (value * 10 + i64::from(byte - b'0')).min(EXPONENT_BOUND));
    Ok(if negative { -value } else { value })
}

fn sign(text: &[u8]) -> (bool, &[u8]) {
    match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn booleans() {
        for (text, value) in [("true", true), ("FALSE", false), (" 1 ", true), ("0", false), ("True", true)] {
            assert_eq!(parse_boolean(text.as_bytes()), Ok(value), "{text}");
        }
        for text in ["", "yes", "2", "t", "-1", "truee"] {
            assert_eq!(parse_boolean(text.as_bytes()), Err(Fault::Parse), "{text}");
        }
    }

    #[test]
    fn integers_at_the_edges() {
        assert_eq!(parse_integer(b"9223372036854775807"), Ok(i64::MAX));
        assert_eq!(parse_integer(b"-9223372036854775808"), Ok(i64::MIN));
        assert_eq!(parse_integer(b"9223372036854775808"), Err(Fault::OutOfRange));
        assert_eq!(parse_integer(b"99999999999999999999999"), Err(Fault::OutOfRange));
        assert_eq!(parse_integer(b"99999999999999999999999x"), Err(Fault::Parse));
        assert_eq!(parse_integer(b"\t +007 \n"), Ok(7));
        for text in ["", " ", "+", "-", "1.0", "1e3", "0x10", "1_000", "--1", "\u{a0}1", "१"] {
            assert_eq!(parse_integer(text.as_bytes()), Err(Fault::Parse), "{text:?}");
        }
    }

    #[test]
    fn floats_at_the_edges() {
        assert_eq!(parse_f64(" 1e3 "), Ok(1000.0));
        assert_eq!(parse_f64("-.5"), Ok(-0.5));
        assert_eq!(parse_f64("1e400"), Err(Fault::OutOfRange));
        assert_eq!(parse_f64("-inf"), Ok(f64::NEG_INFINITY));
        assert!(parse_f64("NaN").unwrap().is_nan());
        assert_eq!(parse_f32("1e39"), Err(Fault::OutOfRange));
        assert_eq!(parse_f32("16777217"), Ok(16_777_216.0));
        for text in ["", "1,5", "1.2.3", "abc", "0x1p3", "1 2"] {
            assert_eq!(parse_f64(text), Err(Fault::Parse), "{text:?}");
        }
    }

    #[test]
    fn decimals_are_exact_and_round_half_up() {
        for (text, scale, value) in [
            ("1.005", 2, 101),
            ("-1.005", 2, -101),
            ("1.0049999999999999999999999999999999999999999", 2, 100),
            ("0.5", 0, 1),
            ("-0.5", 0, -1),
            ("0.49", 0, 0),
            ("12", 2, 1200),
            (".5", 1, 5),
            ("5.", 1, 50),
            ("1e3", 2, 100_000),
            ("1.5E-1", 2, 15),
            ("5e-3", 2, 1),
            ("4e-3", 2, 0),
            ("9e-999999999999", 2, 0),
            ("0e999999999999", 2, 0),
            (
                "999999999999999999999999999999999999.99",
                2,
                99_999_999_999_999_999_999_999_999_999_999_999_999,
            ),
        ] {
            assert_eq!(parse_decimal(text.as_bytes(), scale), Ok(value), "{text} {scale}");
        }
        assert_eq!(parse_decimal(b"1e40", 0), Err(Fault::OutOfRange));
        assert_eq!(parse_decimal(b"1e999999999999", 0), Err(Fault::OutOfRange));
        for text in ["", ".", "e5", "1e", "1e+", "1.2.3", "abc", "1 2", "NaN", "inf"] {
            assert_eq!(parse_decimal(text.as_bytes(), 2), Err(Fault::Parse), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn integers_parse_like_the_standard_library(text in "[ ]?[+-]?[0-9]{0,21}[ x]?") {
            let expected = text.trim_ascii().parse::<i64>().ok();
            prop_assert_eq!(parse_integer(text.as_bytes()).ok(), expected);
        }

        #[test]
        fn decimals_keep_what_was_written(unscaled in -1_000_000_000_000i64..1_000_000_000_000, scale in 0usize..9) {
            let digits = format!("{:0width$}", unscaled.unsigned_abs(), width = scale + 1);
            let (whole, fraction) = digits.split_at(digits.len() - scale);
            let sign = if unscaled < 0 { "-" } else { "" };
            let text = format!("{sign}{whole}.{fraction}");
            prop_assert_eq!(parse_decimal(text.as_bytes(), i32::try_from(scale).unwrap()), Ok(i128::from(unscaled)));
            let shifted = format!("{sign}{whole}{fraction}e-{scale}");
            prop_assert_eq!(parse_decimal(shifted.as_bytes(), i32::try_from(scale).unwrap()), Ok(i128::from(unscaled)));
        }
    }
}
