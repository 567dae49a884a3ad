//! Timestamps: seconds since 2015 in one stream, nanoseconds in another.

use super::fault::{BatchSpace, Fault, Result};
use super::integer::Integers;
use super::slots::Slots;
use crate::convert::Zone;
use arrow::array::{ArrayRef, TimestampMicrosecondArray};
use chrono::{LocalResult, NaiveDate, TimeZone};
use chrono_tz::Tz;
use std::sync::Arc;

/// 2015-01-01T00:00:00Z.
const EPOCH_2015: i64 = 1_420_070_400;
const MICROS: i64 = 1_000_000;
/// Below this many nanoseconds before 1970, writers do not round the seconds towards zero.
const ROUNDING_NANOS: i64 = 999_999;

/// The zone of the writer of a stripe: TIMESTAMP values are its local time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct WriterZone {
    zone: Zone,
    /// 2015-01-01 00:00:00 there, as an instant.
    epoch: i64,
}

impl WriterZone {
    /// Without a zone in the footer, and for instants.
    pub const UTC: Self = Self { zone: Zone::UTC, epoch: EPOCH_2015 };

    /// The zone of this name.
    pub fn of(name: &str) -> std::result::Result<Self, String> {
        let unknown = || format!("the zone of its writer, {name:?}, is not known");
        let zone = Zone::parse(name).map_err(|_| unknown())?;
        if zone == Zone::UTC {
            return Ok(Self::UTC);
        }
        let tz: Tz = name.parse().map_err(|_| unknown())?;
        let midnight = NaiveDate::from_ymd_opt(2015, 1, 1).and_then(|day| day.and_hms_opt(0, 0, 0));
        let epoch = midnight.map(|midnight| tz.from_local_datetime(&midnight));
        match epoch {
            Some(LocalResult::Single(epoch) | LocalResult::Ambiguous(epoch, _)) => {
                Ok(Self { zone, epoch: epoch.timestamp() })
            }
            _ => Err(unknown()),
        }
    }

    /// Microseconds that a wall clock in this zone shows, counted as if it were UTC; nanoseconds are cut.
    fn micros(self, seconds: i64, nanos: i64) -> Option<i64> {
        let nanos = nanos_of(nanos)?;
        let mut seconds = seconds.checked_add(self.epoch)?;
        // Writers cut seconds before 1970 towards zero (ORC-763).
        if seconds < 0 && nanos > ROUNDING_NANOS {
            seconds -= 1;
        }
        let micros = seconds.checked_mul(MICROS)?.checked_add(nanos.div_euclid(1000))?;
        if self.zone == Zone::UTC { Some(micros) } else { self.zone.local_micros(micros) }
    }
}

/// The lowest three bits say how many zeros were cut: one more, or none. Some writers give times before 1970
/// negative nanoseconds, beside seconds that are rounded towards zero.
fn nanos_of(encoded: i64) -> Option<i64> {
    let (value, zeros) = (encoded >> 3, encoded & 7);
    let nanos = if zeros == 0 { value } else { value.checked_mul(10i64.pow(zeros as u32 + 1))? };
    (-999_999_999..1_000_000_000).contains(&nanos).then_some(nanos)
}

/// A column of timestamps.
pub(super) struct Timestamps {
    pub seconds: Integers,
    pub nanos: Integers,
    pub zone: WriterZone,
    /// Instants, not local times.
    pub instants: bool,
}

impl Timestamps {
    /// The next values.
    pub fn next(&mut self, slots: Slots, space: &mut BatchSpace) -> Result<ArrayRef> {
        space.take(slots.values, 16)?;
        space.take(slots.rows, 8)?;
        let (mut seconds, mut nanos) = (vec![0; slots.values], vec![0; slots.values]);
        self.seconds.fill(&mut seconds)?;
        self.nanos.fill(&mut nanos)?;
        for (second, nano) in seconds.iter_mut().zip(&nanos) {
            *second = self
                .zone
                .micros(*second, *nano)
                .ok_or_else(|| Fault::damaged("a timestamp is out of range"))?;
        }
        let micros = slots.spread(seconds.into_iter());
        let array = TimestampMicrosecondArray::new(micros.into(), slots.nulls);
        Ok(Arc::new(if self.instants { array.with_timezone("UTC") } else { array }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_of_nanoseconds_are_put_back() {
        assert_eq!([0xa, 0xc, 0x7d1].map(nanos_of), [Some(1000), Some(100_000), Some(25_000)]);
        assert_eq!(nanos_of(0x0a), Some(1000));
        assert_eq!(nanos_of(999_999_999 << 3), Some(999_999_999));
        assert_eq!(nanos_of(1_000_000_000 << 3), None);
        assert_eq!(nanos_of(-8), Some(-1));
        assert_eq!(nanos_of(-1_000_000_000 << 3), None);
        assert_eq!(nanos_of(i64::MAX), None);
    }

    #[test]
    fn seconds_before_1970_are_rounded_down() {
        let utc = WriterZone::UTC;
        assert_eq!(utc.micros(-EPOCH_2015 - 1, 5 << 3 | 7), Some(-1_500_000));
        assert_eq!(utc.micros(-EPOCH_2015 - 1, 0), Some(-1_000_000));
        assert_eq!(utc.micros(-EPOCH_2015, 5 << 3 | 7), Some(500_000));
        assert_eq!(utc.micros(-EPOCH_2015 - 1, -500_000_000 << 3), Some(-1_500_000));
        assert_eq!(utc.micros(i64::MAX, 0), None);
        assert_eq!(utc.micros(i64::MAX / 1000, 0), None);
    }

    #[test]
    fn a_wall_clock_shows_the_same_wherever_it_is_read() {
        // 2015-07-01 12:00 in Berlin is 10:00 UTC: 181 days and 11 hours after midnight of the year there.
        let berlin = WriterZone::of("Europe/Berlin").unwrap();
        let noon = (EPOCH_2015 + 181 * 86_400 + 12 * 3600) * MICROS;
        assert_eq!(berlin.micros(181 * 86_400 + 11 * 3600, 0), Some(noon));
        assert_eq!(WriterZone::of("GMT").unwrap().micros(0, 0), Some(EPOCH_2015 * MICROS));
        assert!(WriterZone::of("Mars/Olympus").is_err());
    }
}
