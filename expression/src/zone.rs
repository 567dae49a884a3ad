//! The zone in which an instant becomes a DATETIME: named in the request, never taken from the host.

use std::str::FromStr;

use chrono::{DateTime, MappedLocalTime, Offset, TimeDelta, TimeZone};
use chrono_tz::Tz;

/// Widest offset that is taken, in seconds: 18 hours.
const WIDEST_OFFSET: i32 = 18 * 3600;
const MICROS: i64 = 1_000_000;

/// An IANA zone or a fixed offset from UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Zone(Kind);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    /// Seconds east of UTC.
    Fixed(i32),
    Named(Tz),
}

/// Text that names no zone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("timezone {text} is unknown; use an IANA name such as Europe/Berlin, or an offset such as +08:00")]
pub struct ZoneError {
    text: String,
}

impl ZoneError {
    /// Stable name of the class of error.
    pub fn category(&self) -> &'static str {
        "UnknownTimezone"
    }
}

impl Zone {
    /// Coordinated universal time.
    pub const UTC: Self = Self(Kind::Fixed(0));

    /// Reads an IANA name (`Asia/Shanghai`), `UTC`, `Z` or an offset (`+08:00`, `-0330`, `+08`).
    pub fn parse(text: &str) -> Result<Self, ZoneError> {
        let trimmed = text.trim_ascii();
        if let Some(seconds) = parse_offset(trimmed.as_bytes()) {
            return Ok(Self(Kind::Fixed(seconds)));
        }
        match Tz::from_str(trimmed) {
            Ok(Tz::UTC | Tz::Etc__UTC) => Ok(Self::UTC),
            Ok(tz) => Ok(Self(Kind::Named(tz))),
            Err(_) => Err(ZoneError { text: text.to_owned() }),
        }
    }

    /// Whether local time is the instant itself.
    pub fn is_utc(self) -> bool {
        self == Self::UTC
    }

    /// Local time of an instant, both in microseconds; `None` outside what a calendar can say. An instant
    /// has exactly one local time, also where clocks are set back or forward.
    pub fn local_micros(self, instant: i64) -> Option<i64> {
        let seconds = match self.0 {
            Kind::Fixed(seconds) => seconds,
            Kind::Named(tz) => {
                let utc = DateTime::from_timestamp(instant.div_euclid(MICROS), 0)?.naive_utc();
                tz.offset_from_utc_datetime(&utc).fix().local_minus_utc()
            }
        };
        instant.checked_add(i64::from(seconds) * MICROS)
    }
}

impl Zone {
    /// The instant of a local time, both in microseconds. Where a clock is set back, the earlier of the two
    /// instants; a local time that a clock leaves out is read as if it had not been set forward yet.
    pub fn instant_micros(self, local: i64) -> Option<i64> {
        let seconds = match self.0 {
            Kind::Fixed(seconds) => seconds,
            Kind::Named(tz) => {
                let naive = DateTime::from_timestamp(local.div_euclid(MICROS), 0)?.naive_utc();
                match tz.offset_from_local_datetime(&naive) {
                    MappedLocalTime::Single(offset) | MappedLocalTime::Ambiguous(offset, _) => {
                        offset.fix().local_minus_utc()
                    }
                    MappedLocalTime::None => {
                        let day_before = naive.checked_sub_signed(TimeDelta::days(1))?;
                        tz.offset_from_utc_datetime(&day_before).fix().local_minus_utc()
                    }
                }
            }
        };
        local.checked_sub(i64::from(seconds) * MICROS)
    }
}

impl FromStr for Zone {
    type Err = ZoneError;

    fn from_str(text: &str) -> Result<Self, ZoneError> {
        Self::parse(text)
    }
}

/// `Z`, `±HH`, `±HHMM`, `±HH:MM`, as seconds east of UTC.
pub fn parse_offset(text: &[u8]) -> Option<i32> {
    let (sign, digits) = match text {
        b"Z" | b"z" => return Some(0),
        [b'+', rest @ ..] => (1, rest),
        [b'-', rest @ ..] => (-1, rest),
        _ => return None,
    };
    let pair = |a: &u8, b: &u8| {
        (a.is_ascii_digit() && b.is_ascii_digit()).then(|| i32::from(a - b'0') * 10 + i32::from(b - b'0'))
    };
    let (hours, minutes) = match digits {
        [a, b] => (pair(a, b)?, 0),
        [a, b, c, d] | [a, b, b':', c, d] => (pair(a, b)?, pair(c, d)?),
        _ => return None,
    };
    let seconds = (hours * 60 + minutes) * 60;
    (minutes < 60 && seconds <= WIDEST_OFFSET).then_some(sign * seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local(zone: &str, rfc3339: &str) -> String {
        let instant = DateTime::parse_from_rfc3339(rfc3339).unwrap().timestamp_micros();
        let micros = Zone::parse(zone).unwrap().local_micros(instant).unwrap();
        DateTime::from_timestamp_micros(micros).unwrap().format("%F %T").to_string()
    }

    #[test]
    fn offsets_and_names() {
        assert_eq!(Zone::parse("UTC"), Ok(Zone::UTC));
        assert_eq!(Zone::parse("Z"), Ok(Zone::UTC));
        assert_eq!(Zone::parse("+00:00"), Ok(Zone::UTC));
        assert_eq!(Zone::parse("-0330"), Ok(Zone(Kind::Fixed(-12_600))));
        assert_eq!(Zone::parse("+08"), Ok(Zone(Kind::Fixed(28_800))));
        for bad in ["", "Mars/Base", "+8", "+19:00", "+08:60", "08:00", "local"] {
            assert!(Zone::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_instant_has_one_local_time_at_gaps_and_folds() {
        // Clocks in Berlin go forward at 01:00 UTC on 2024-03-31, back at 01:00 UTC on 2024-10-27.
        assert_eq!(local("Europe/Berlin", "2024-03-31T00:59:59Z"), "2024-03-31 01:59:59");
        assert_eq!(local("Europe/Berlin", "2024-03-31T01:00:00Z"), "2024-03-31 03:00:00");
        assert_eq!(local("Europe/Berlin", "2024-10-27T00:30:00Z"), "2024-10-27 02:30:00");
        assert_eq!(local("Europe/Berlin", "2024-10-27T01:30:00Z"), "2024-10-27 02:30:00");
        assert_eq!(local("Asia/Shanghai", "2024-01-01T00:00:00Z"), "2024-01-01 08:00:00");
        assert_eq!(local("-03:30", "2024-01-01T00:00:00Z"), "2023-12-31 20:30:00");
        // Half a second before the epoch is still the second before it.
        assert_eq!(Zone::parse("Asia/Kolkata").unwrap().local_micros(-1), Some(19_800_000_000 - 1));
    }
}
