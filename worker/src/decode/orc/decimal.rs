//! Decimals: numbers of any length in one stream, the scale of each in another.

use super::fault::{BatchSpace, Fault, Result};
use super::integer::Integers;
use super::slots::Slots;
use super::stream::Stream;
use arrow::array::{ArrayRef, Decimal128Array};
use std::sync::Arc;

/// A column of decimals.
pub(super) struct Decimals {
    pub numbers: Stream,
    pub scales: Integers,
    pub precision: u8,
    pub scale: u8,
}

impl Decimals {
    /// The next values.
    pub fn next(&mut self, slots: Slots, space: &mut BatchSpace) -> Result<ArrayRef> {
        space.take(slots.values, 24)?;
        space.take(slots.rows, 16)?;
        let mut scales = vec![0; slots.values];
        self.scales.fill(&mut scales)?;
        let limit = 10i128.pow(u32::from(self.precision));
        let mut numbers = Vec::with_capacity(slots.values);
        for scale in scales {
            let encoded = self.numbers.wide_varint()?;
            let number = (encoded >> 1) as i128 ^ -((encoded & 1) as i128);
            let fitting = rescale(number, scale, self.scale)
                .filter(|number| number.unsigned_abs() < limit.unsigned_abs());
            numbers.push(fitting.ok_or_else(|| {
                Fault::Damaged(format!("a number has more than {} digits", self.precision))
            })?);
        }
        let numbers = slots.spread(numbers.into_iter());
        let array = Decimal128Array::new(numbers.into(), slots.nulls)
            .with_precision_and_scale(self.precision, self.scale as i8)
            .map_err(|error| Fault::Damaged(error.to_string()))?;
        Ok(Arc::new(array))
    }
}

/// The number with another scale; digits that it then lacks are rounded half away from zero. `None`: too large.
fn rescale(number: i128, from: i64, to: u8) -> Option<i128> {
    let to = i64::from(to);
    if from == to {
        return Some(number);
    }
    let power = |digits: i64| u32::try_from(digits).ok().and_then(|digits| 10i128.checked_pow(digits));
    if from < to {
        return number.checked_mul(power(to.checked_sub(from)?)?);
    }
    let Some(divisor) = power(from.checked_sub(to)?) else { return Some(0) };
    let (quotient, rest) = (number / divisor, number % divisor);
    let up = rest.unsigned_abs() >= divisor.unsigned_abs().div_ceil(2);
    Some(if up { quotient + number.signum() } else { quotient })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_gets_the_scale_of_its_column() {
        assert_eq!(rescale(123, 2, 2), Some(123));
        assert_eq!(rescale(123, 0, 2), Some(12_300));
        assert_eq!(rescale(-12_345, 4, 2), Some(-123));
        assert_eq!(rescale(-12_350, 4, 2), Some(-124));
        assert_eq!(rescale(149, 2, 0), Some(1));
        assert_eq!(rescale(5, 60, 0), Some(0));
        assert_eq!(rescale(i128::MAX, 0, 1), None);
        assert_eq!(rescale(1, -60, 2), None);
        assert_eq!(rescale(1, i64::MIN, 2), None);
    }
}
