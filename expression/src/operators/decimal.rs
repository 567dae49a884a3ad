//! Exact arithmetic on unscaled digits.

use arrow::datatypes::i256;

/// 10 to that power, if it fits.
pub(crate) fn power_of_ten(exponent: u32) -> Option<i128> {
    10i128.checked_pow(exponent)
}

/// Unscaled digits of scale `from` in scale `to`, rounded half away from zero.
pub(crate) fn rescale(value: i128, from: u32, to: u32) -> Option<i128> {
    if to >= from {
        return value.checked_mul(power_of_ten(to - from)?);
    }
    let Some(unit) = power_of_ten(from - to) else { return Some(0) };
    let (quotient, rest) = (value / unit, value % unit);
    let up = rest.unsigned_abs() >= unit.unsigned_abs().div_ceil(2);
    Some(if up { quotient + value.signum() } else { quotient })
}

/// The quotient in scale `to`, rounded half away from zero; `None` for a division by zero and beyond 128
/// bits.
pub(crate) fn divide(value: i128, value_scale: u32, by: i128, by_scale: u32, to: u32) -> Option<i128> {
    if by == 0 {
        return None;
    }
    // value / 10^vs ÷ (by / 10^bs) × 10^to = value × 10^(to + bs) ÷ (by × 10^vs)
    let ten = |exponent: u32| i256::from_i128(10).checked_pow(exponent);
    let dividend = i256::from_i128(value).checked_mul(ten(to + by_scale)?)?;
    let divisor = i256::from_i128(by).checked_mul(ten(value_scale)?)?;
    let (quotient, rest) = (dividend.checked_div(divisor)?, dividend.checked_rem(divisor)?);
    let twice = rest.checked_abs()?.checked_mul(i256::from_i128(2))?;
    let quotient = quotient.to_i128()?;
    if twice < divisor.checked_abs()? {
        return Some(quotient);
    }
    let sign = value.signum() * by.signum();
    quotient.checked_add(sign)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_is_half_away_from_zero() {
        assert_eq!(rescale(125, 2, 1), Some(13));
        assert_eq!(rescale(-125, 2, 1), Some(-13));
        assert_eq!(rescale(124, 2, 1), Some(12));
        assert_eq!(rescale(5, 0, 2), Some(500));
        assert_eq!(rescale(i128::MAX, 0, 1), None);
        assert_eq!(rescale(7, 50, 0), Some(0));
    }

    #[test]
    fn quotients() {
        assert_eq!(divide(100, 2, 300, 2, 6), Some(333_333));
        assert_eq!(divide(200, 2, 300, 2, 6), Some(666_667));
        assert_eq!(divide(-200, 2, 300, 2, 6), Some(-666_667));
        assert_eq!(divide(1, 0, 0, 0, 6), None);
    }
}
