//! Numbers on their way to an integer column.

/// Digits beyond which no integer column can hold a number.
const LONGEST: i64 = 64;

/// The whole part of a JSON number as an integer's text, the fraction cut: `1.0` is `1`, `-2.5e1` is `-25`.
/// `None`: it is written as an integer already, or has too many digits to be worth writing.
pub(super) fn whole_part(number: &[u8]) -> Option<String> {
    let (negative, rest) = match number {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, number),
    };
    let mark = rest.iter().position(|byte| matches!(byte, b'.' | b'e' | b'E'))?;
    let whole = &rest[..mark];
    let (fraction, exponent) = match rest[mark..].split_first()? {
        (b'.', rest) => match rest.iter().position(|byte| matches!(byte, b'e' | b'E')) {
            Some(at) => (&rest[..at], exponent(&rest[at + 1..])),
            None => (rest, 0),
        },
        (_, rest) => (&rest[..0], exponent(rest)),
    };
    let digits = || whole.iter().chain(fraction).copied();
    let leading = digits().take_while(|&digit| digit == b'0').count();
    let count = whole.len() + fraction.len();
    let kept = i64::try_from(whole.len()).ok()?.saturating_add(exponent);
    if leading == count || kept <= i64::try_from(leading).ok()? {
        return Some("0".to_owned());
    }
    if kept - i64::try_from(leading).ok()? > LONGEST {
        return None;
    }
    let kept = usize::try_from(kept).ok()?;
    let mut text = String::with_capacity(kept - leading + 1);
    text.extend(negative.then_some('-'));
    text.extend(digits().take(kept).skip(leading).map(char::from));
    text.extend(std::iter::repeat_n('0', kept.saturating_sub(count)));
    Some(text)
}

/// Of a number that was checked; bounded.
fn exponent(text: &[u8]) -> i64 {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    let value = digits.iter().fold(0i64, |value, digit| (value * 10 + i64::from(digit & 0x0f)).min(1 << 40));
    if negative { -value } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_are_cut() {
        for (number, whole) in [
            ("1.0", "1"),
            ("-2.5e1", "-25"),
            ("1e3", "1000"),
            ("0.001", "0"),
            ("-0.9", "0"),
            ("12345678901234567890.75", "12345678901234567890"),
            ("1.5E+2", "150"),
            ("100e-2", "1"),
            ("0e99999999999999999", "0"),
            ("9e-99999999999999999", "0"),
            ("0.00012e5", "12"),
        ] {
            assert_eq!(whole_part(number.as_bytes()).as_deref(), Some(whole), "{number}");
        }
        for number in ["1", "-12", "1e65", "1e99999999999999999999"] {
            assert_eq!(whole_part(number.as_bytes()), None, "{number}");
        }
    }
}
