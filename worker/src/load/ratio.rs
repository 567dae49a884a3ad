//! `maxFilterRatio`, compared as exact decimals: 10 bad rows of 100 pass 0.1 and fail 0.0999.

/// A share in 0…1 as `numerator / 10^digits`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FilterRatio {
    numerator: u64,
    denominator: u64,
}

/// Digits behind the point that a ratio may have: their power of ten times any row count fits in 128 bits.
const MAX_DIGITS: usize = 18;

/// Why a text is not a ratio.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("maxFilterRatio {text:?} is not a decimal between 0 and 1; write for instance \"0.1\"")]
pub struct RatioError {
    text: String,
}

impl FilterRatio {
    /// Reads `0`, `1`, `0.1`, `1.000`; no sign, no exponent, at most 18 digits behind the point.
    pub fn parse(text: &str) -> Result<Self, RatioError> {
        let refuse = || RatioError { text: text.to_owned() };
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let digits_only = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        let point_without_digits = text.contains('.') && fraction.is_empty();
        if !matches!(whole, "0" | "1") || !digits_only(fraction) || point_without_digits {
            return Err(refuse());
        }
        if fraction.len() > MAX_DIGITS {
            return Err(refuse());
        }
        let denominator = 10_u64.pow(u32::try_from(fraction.len()).map_err(|_| refuse())?);
        let behind: u64 = if fraction.is_empty() { 0 } else { fraction.parse().map_err(|_| refuse())? };
        let numerator = if whole == "1" { denominator + behind } else { behind };
        if numerator > denominator {
            return Err(refuse());
        }
        Ok(Self { numerator, denominator })
    }

    /// Whether so many filtered rows beside so many loaded ones are too many. Equality passes.
    pub fn is_exceeded(self, filtered: u64, loaded: u64) -> bool {
        let judged = u128::from(filtered) + u128::from(loaded);
        u128::from(filtered) * u128::from(self.denominator) > judged * u128::from(self.numerator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a34_equality_passes_and_a_hair_less_fails() {
        assert!(!FilterRatio::parse("0.1").unwrap().is_exceeded(10, 90));
        assert!(FilterRatio::parse("0.0999").unwrap().is_exceeded(10, 90));
        assert!(FilterRatio::parse("0").unwrap().is_exceeded(1, 99));
        assert!(!FilterRatio::parse("0").unwrap().is_exceeded(0, 0));
        assert!(!FilterRatio::parse("1").unwrap().is_exceeded(100, 0));
    }

    #[test]
    fn a34_what_is_no_share_is_refused() {
        for text in
            ["1.5", "-0.1", "x", "", "0.", ".1", "1e-1", "+0.1", "0,1", "1.0000000000000000001", " 0.1"]
        {
            assert!(FilterRatio::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn counts_near_the_limit_do_not_overflow() {
        let ratio = FilterRatio::parse("0.999999999999999999").unwrap();
        assert!(ratio.is_exceeded(u64::MAX, 0));
        assert!(!ratio.is_exceeded(0, u64::MAX));
    }
}
