//! Dates and times of day in the proleptic Gregorian calendar, years 0 to 9999: from text, and to text.

use crate::zone::Zone;

/// Why a text is no date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeError {
    /// Not of a form that is taken, or no day of the calendar.
    Parse,
    /// A date outside the years 0 to 9999.
    OutOfRange,
}

/// Microseconds of a second.
pub const MICROS_PER_SECOND: i64 = 1_000_000;
/// Microseconds of a day.
pub const MICROS_PER_DAY: i64 = 86_400 * MICROS_PER_SECOND;
/// 0000-01-01 and 9999-12-31, in days since the epoch.
pub const DAYS: std::ops::RangeInclusive<i32> = -719_528..=2_932_896;
/// 0000-01-01 00:00:00 and 9999-12-31 23:59:59.999999, in microseconds since the epoch.
pub const MICROS: std::ops::RangeInclusive<i64> = -719_528 * MICROS_PER_DAY..=2_932_897 * MICROS_PER_DAY - 1;

/// Slots of the memory for dates; a power of two.
const SLOTS: usize = 64;
/// A byte pattern that no valid date has.
const NO_DATE: u64 = 0;

/// Reads DATETIMEs from text, and remembers the last dates it saw: data sets have few of them, so that
/// mostly only the time of day is computed.
#[derive(Debug)]
pub struct DateTimeParser {
    zone: Zone,
    memory: [Remembered; SLOTS],
}

#[derive(Debug, Clone, Copy)]
struct Remembered {
    /// `YYYY-MM-`
    month: u64,
    /// `DD`
    day: u16,
    /// Microseconds from the epoch to its midnight.
    midnight: i64,
}

impl DateTimeParser {
    /// A parser that shifts text with an offset to `zone`.
    pub fn new(zone: Zone) -> Self {
        let empty = Remembered { month: NO_DATE, day: 0, midnight: 0 };
        Self { zone, memory: [empty; SLOTS] }
    }

    /// Microseconds since the epoch in local time. Text of exactly `YYYY-MM-DD HH:MM:SS` takes the short way,
    /// all else the general one.
    #[inline]
    pub fn parse(&mut self, text: &[u8]) -> Result<i64, TimeError> {
        if let Ok(fixed) = <&[u8; 19]>::try_from(text)
            && let Some(micros) = self.parse_fixed(fixed)
        {
            return Ok(micros);
        }
        parse_datetime(text, self.zone)
    }

    #[inline]
    fn parse_fixed(&mut self, text: &[u8; 19]) -> Option<i64> {
        let [y0, y1, y2, y3, h0, m0, m1, h1, d0, d1, separator, time @ ..] = text;
        if !matches!(separator, b' ' | b'T') {
            return None;
        }
        let seconds = time_of_day(u64::from_le_bytes(*time))?;
        let month = u64::from_le_bytes([*y0, *y1, *y2, *y3, *h0, *m0, *m1, *h1]);
        let day = u16::from_le_bytes([*d0, *d1]);
        let slot = (usize::from(*d0) << 4 ^ usize::from(*d1) ^ usize::from(*m1) << 2) % SLOTS;
        let remembered = &mut self.memory[slot];
        if remembered.month != month || remembered.day != day {
            let days = fixed_date(&[*y0, *y1, *y2, *y3, *h0, *m0, *m1, *h1, *d0, *d1])?;
            *remembered = Remembered { month, day, midnight: i64::from(days) * MICROS_PER_DAY };
        }
        Some(remembered.midnight + i64::from(seconds) * MICROS_PER_SECOND)
    }
}

/// Seconds since midnight from the eight bytes `HH:MM:SS`, the first one lowest: all bytes are checked and
/// combined at once.
#[inline]
fn time_of_day(text: u64) -> Option<u32> {
    const PATTERN: u64 = u64::from_le_bytes(*b"00:00:00");
    // Added to a byte below 128, sets its top bit if a digit is above 9, or a separator is not itself.
    const LIMITS: u64 = u64::from_le_bytes([0x76, 0x76, 0x7f, 0x76, 0x76, 0x7f, 0x76, 0x76]);
    const TOP_BITS: u64 = 0x8080_8080_8080_8080;
    let digits = text ^ PATTERN;
    if (((digits & !TOP_BITS) + LIMITS) | digits) & TOP_BITS != 0 {
        return None;
    }
    // In each byte: ten times the digit plus the one after it; at most 99, so nothing carries.
    let pairs = digits.wrapping_mul(10).wrapping_add(digits >> 8);
    let hour = (pairs & 0xff) as u32;
    let minute = ((pairs >> 24) & 0xff) as u32;
    let second = ((pairs >> 48) & 0xff) as u32;
    (hour < 24 && minute < 60 && second < 60).then_some((hour * 60 + minute) * 60 + second)
}

/// A DATETIME in local time of `zone`, microseconds since the epoch:
/// `YYYY-MM-DD` or `YYYYMMDD`, optionally `[ T]HH:MM:SS`, then optionally `.` and one to nine digits (cut to
/// microseconds), then optionally `Z`, `±HH`, `±HHMM` or `±HH:MM`, which makes it an instant.
pub fn parse_datetime(text: &[u8], zone: Zone) -> Result<i64, TimeError> {
    let (days, rest) = split_date(text.trim_ascii()).ok_or(TimeError::Parse)?;
    let midnight = i64::from(days) * MICROS_PER_DAY;
    let [b' ' | b'T' | b't', rest @ ..] = rest else {
        return if rest.is_empty() { Ok(midnight) } else { Err(TimeError::Parse) };
    };
    let (time, rest) = rest.split_first_chunk::<8>().ok_or(TimeError::Parse)?;
    let seconds = time_of_day(u64::from_le_bytes(*time)).ok_or(TimeError::Parse)?;
    let (fraction, rest) = split_fraction(rest).ok_or(TimeError::Parse)?;
    let local = midnight + i64::from(seconds) * MICROS_PER_SECOND + fraction;
    if rest.is_empty() {
        return Ok(local);
    }
    let offset = crate::zone::parse_offset(rest).ok_or(TimeError::Parse)?;
    shift(local - i64::from(offset) * MICROS_PER_SECOND, zone)
}

/// A DATE, in days since the epoch: a text of [`parse_datetime`], its time left off.
pub fn parse_date(text: &[u8], zone: Zone) -> Result<i32, TimeError> {
    if let Ok(fixed) = <&[u8; 10]>::try_from(text)
        && let Some(days) = fixed_date(fixed)
    {
        return Ok(days);
    }
    Ok(days_of(parse_datetime(text, zone)?))
}

/// The local time of an instant, if it lies in the years a DATETIME can have.
pub fn shift(instant: i64, zone: Zone) -> Result<i64, TimeError> {
    zone.local_micros(instant).filter(|micros| MICROS.contains(micros)).ok_or(TimeError::OutOfRange)
}

/// The day of a DATETIME within [`MICROS`].
pub fn days_of(micros: i64) -> i32 {
    // Within the years 0 to 9999 the quotient is small.
    micros.div_euclid(MICROS_PER_DAY) as i32
}

fn split_date(text: &[u8]) -> Option<(i32, &[u8])> {
    if let Some((fixed, rest)) = text.split_first_chunk::<10>()
        && fixed[4] == b'-'
    {
        return Some((fixed_date(fixed)?, rest));
    }
    let (compact, rest) = text.split_first_chunk::<8>()?;
    let [y0, y1, y2, y3, m0, m1, d0, d1] = *compact;
    Some((fixed_date(&[y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1])?, rest))
}

/// `YYYY-MM-DD` in days since the epoch.
fn fixed_date(text: &[u8; 10]) -> Option<i32> {
    let [y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1] = text else { return None };
    let mut digits = [*y0, *y1, *y2, *y3, *m0, *m1, *d0, *d1].map(|byte| u32::from(byte.wrapping_sub(b'0')));
    if digits.iter_mut().any(|digit| *digit > 9) {
        return None;
    }
    let [y0, y1, y2, y3, m0, m1, d0, d1] = digits;
    days_from_civil(y0 * 1000 + y1 * 100 + y2 * 10 + y3, m0 * 10 + m1, d0 * 10 + d1)
}

/// `.` and one to nine digits as microseconds, or nothing.
fn split_fraction(text: &[u8]) -> Option<(i64, &[u8])> {
    let [b'.', rest @ ..] = text else { return Some((0, text)) };
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if !(1..=9).contains(&digits) {
        return None;
    }
    let micros = (0..6).fold(0, |micros, place| {
        micros * 10 + if place < digits { i64::from(rest[place] - b'0') } else { 0 }
    });
    Some((micros, &rest[digits..]))
}

/// Days from the epoch to a date; `None` if the calendar has no such day.
pub fn days_from_civil(year: u32, month: u32, day: u32) -> Option<i32> {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let length = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 28 + u32::from(leap),
        _ => return None,
    };
    if year > 9999 || !(1..=length).contains(&day) {
        return None;
    }
    // Years that begin in March end with the leap day; one era of 400 years is added so that the year before
    // year 0 is not negative.
    let shifted_year = year + 400 - u32::from(month <= 2);
    let shifted_month = (month + 9) % 12;
    let day_of_year = (153 * shifted_month + 2) / 5 + day - 1;
    let days = shifted_year * 365 + shifted_year / 4 - shifted_year / 100 + shifted_year / 400 + day_of_year;
    // 719,468 days lie between 0000-03-01 and the epoch, 146,097 in an era.
    Some(days.cast_signed() - 719_468 - 146_097)
}

/// Year, month and day of a day within [`DAYS`].
pub fn civil_from_days(days: i32) -> (u32, u32, u32) {
    let shifted = (days + 719_468 + 146_097).cast_unsigned();
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (era * 400 + year_of_era + u32::from(month <= 2) - 400, month, day)
}

/// Writes `YYYY-MM-DD`.
pub fn write_date(out: &mut String, days: i32) {
    let (year, month, day) = civil_from_days(days);
    push_padded(out, year, 4);
    out.push('-');
    push_padded(out, month, 2);
    out.push('-');
    push_padded(out, day, 2);
}

/// Writes `YYYY-MM-DD HH:MM:SS`, and `.ffffff` if there is a fraction.
pub fn write_datetime(out: &mut String, micros: i64) {
    write_date(out, days_of(micros));
    out.push(' ');
    let of_day = micros.rem_euclid(MICROS_PER_DAY);
    write_seconds(out, of_day / MICROS_PER_SECOND);
    if of_day % MICROS_PER_SECOND != 0 {
        write_fraction(out, of_day % MICROS_PER_SECOND);
    }
}

/// Writes `HH:MM:SS.ffffff`; the microseconds are less than a day.
pub fn write_time(out: &mut String, micros: i64) {
    write_seconds(out, micros / MICROS_PER_SECOND);
    write_fraction(out, micros % MICROS_PER_SECOND);
}

fn write_seconds(out: &mut String, seconds: i64) {
    let seconds = seconds as u32;
    push_padded(out, seconds / 3600, 2);
    out.push(':');
    push_padded(out, seconds / 60 % 60, 2);
    out.push(':');
    push_padded(out, seconds % 60, 2);
}

fn write_fraction(out: &mut String, micros: i64) {
    out.push('.');
    push_padded(out, micros as u32, 6);
}

fn push_padded(out: &mut String, value: u32, width: u32) {
    for place in (0..width).rev() {
        let digit = value / 10u32.pow(place) % 10;
        out.push(char::from_digit(digit, 10).unwrap_or('0'));
    }
}

#[cfg(test)]
mod tests {
    use chrono::{Datelike, NaiveDate, NaiveDateTime};
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Result<i64, TimeError> {
        let general = parse_datetime(text.as_bytes(), Zone::UTC);
        assert_eq!(DateTimeParser::new(Zone::UTC).parse(text.as_bytes()), general, "{text}");
        general
    }

    fn micros(text: &str) -> i64 {
        NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f").unwrap().and_utc().timestamp_micros()
    }

    #[test]
    fn every_day_of_ten_thousand_years_goes_both_ways() {
        let mut date = NaiveDate::from_ymd_opt(0, 1, 1).unwrap();
        for days in DAYS {
            let parts = (date.year().cast_unsigned(), date.month(), date.day());
            assert_eq!(days_from_civil(parts.0, parts.1, parts.2), Some(days), "{date}");
            assert_eq!(civil_from_days(days), parts, "{date}");
            date = date.succ_opt().unwrap();
        }
        assert_eq!((date.year(), date.month(), date.day()), (10_000, 1, 1));
    }

    #[test]
    fn forms_of_a_datetime() {
        let noon = micros("2017-11-26 12:34:56");
        for text in
            ["2017-11-26 12:34:56", "2017-11-26T12:34:56", " 2017-11-26 12:34:56\n", "20171126 12:34:56"]
        {
            assert_eq!(parse(text), Ok(noon), "{text}");
        }
        assert_eq!(parse("2017-11-26 12:34:56.5"), Ok(noon + 500_000));
        assert_eq!(parse("2017-11-26T12:34:56.000001"), Ok(noon + 1));
        assert_eq!(parse("2017-11-26T12:34:56.0000019"), Ok(noon + 1));
        assert_eq!(parse("2017-11-26"), Ok(micros("2017-11-26 00:00:00")));
        assert_eq!(parse("20171126"), Ok(micros("2017-11-26 00:00:00")));
        assert_eq!(parse("0000-01-01 00:00:00"), Ok(*MICROS.start()));
        assert_eq!(parse("9999-12-31 23:59:59.999999"), Ok(*MICROS.end()));
        assert_eq!(parse("2000-02-29 00:00:00"), Ok(micros("2000-02-29 00:00:00")));
    }

    #[test]
    fn what_is_no_datetime() {
        for text in [
            "",
            " ",
            "abc",
            "2017",
            "2017-1-2",
            "2017-13-01 00:00:00",
            "2017-00-10 00:00:00",
            "2017-02-29 00:00:00",
            "1900-02-29",
            "2017-04-31",
            "2017-01-00",
            "2017-01-01 24:00:00",
            "2017-01-01 00:60:00",
            "2017-01-01 00:00:60",
            "2017-01-01x00:00:00",
            "2017-01-01 00:00",
            "2017-01-01 00:00:00.",
            "2017-01-01 00:00:00.0000000001",
            "2017/01/01 00:00:00",
            "2017-01-01 00-00-00",
            "2017-01-01 0a:00:00",
            "2017-01-01 00:00:00 UTC",
            "2017-01-01 00:00:00+19:00",
            "2017-01-01Z",
            "-2017-01-01",
            "12017-01-01",
            "2017-01-01 00:00:0\u{e9}",
            "2017-01-01  00:00:00",
            "201711-26",
            "2017-1126",
        ] {
            assert_eq!(parse(text), Err(TimeError::Parse), "{text:?}");
        }
    }

    #[test]
    fn a41_text_with_an_offset_is_an_instant() {
        let zone = Zone::parse("Asia/Shanghai").unwrap();
        let local = |text: &str| parse_datetime(text.as_bytes(), zone);
        assert_eq!(local("2024-01-01 10:00:00"), Ok(micros("2024-01-01 10:00:00")));
        assert_eq!(local("2024-01-01T10:00:00Z"), Ok(micros("2024-01-01 18:00:00")));
        assert_eq!(local("2024-01-01T10:00:00.25+01:30"), Ok(micros("2024-01-01 16:30:00.25")));
        assert_eq!(local("2024-01-01 10:00:00-0800"), Ok(micros("2024-01-02 02:00:00")));
        assert_eq!(local("9999-12-31 23:59:59Z"), Err(TimeError::OutOfRange));
        assert_eq!(parse_date(b"2024-01-01 23:00:00Z", zone), Ok(days_from_civil(2024, 1, 2).unwrap()));
    }

    #[test]
    fn forms_of_a_date() {
        let day = days_from_civil(2024, 2, 29);
        for text in ["2024-02-29", "20240229", " 2024-02-29 ", "2024-02-29 23:59:59.999999"] {
            assert_eq!(parse_date(text.as_bytes(), Zone::UTC).ok(), day, "{text}");
        }
        for text in ["2023-02-29", "2024-2-29", "29.02.2024", "", "2024-02-29x"] {
            assert_eq!(parse_date(text.as_bytes(), Zone::UTC), Err(TimeError::Parse), "{text}");
        }
    }

    #[test]
    fn writing() {
        let written = |micros| {
            let mut out = String::new();
            write_datetime(&mut out, micros);
            out
        };
        assert_eq!(written(0), "1970-01-01 00:00:00");
        assert_eq!(written(-1), "1969-12-31 23:59:59.999999");
        assert_eq!(written(*MICROS.start()), "0000-01-01 00:00:00");
        let mut time = String::new();
        write_time(&mut time, MICROS_PER_DAY - 1);
        assert_eq!(time, "23:59:59.999999");
    }

    proptest! {
        #[test]
        fn datetimes_parse_like_chrono(
            (year, month, day) in (0i32..=9999, 0u32..=13, 0u32..=32),
            (hour, minute, second) in (0u32..=25, 0u32..=61, 0u32..=61),
            micro in 0u32..1_000_000,
        ) {
            let expected = NaiveDate::from_ymd_opt(year, month, day)
                .and_then(|date| date.and_hms_micro_opt(hour, minute, second, micro))
                .map(|datetime| datetime.and_utc().timestamp_micros());
            let text = format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{micro:06}");
            prop_assert_eq!(parse(&text).ok(), expected);
            let whole = expected.map(|micros| micros - i64::from(micro));
            prop_assert_eq!(parse(&text[..19]).ok(), whole);
        }

        #[test]
        fn one_parser_for_many_texts_remembers_rightly(
            days in prop::collection::vec(DAYS, 1..200), seconds in 0i64..86_400,
        ) {
            let mut parser = DateTimeParser::new(Zone::UTC);
            for day in days {
                let expected = i64::from(day) * MICROS_PER_DAY + seconds * MICROS_PER_SECOND;
                let mut text = String::new();
                write_datetime(&mut text, expected);
                prop_assert_eq!(parser.parse(text.as_bytes()), Ok(expected));
            }
        }

        #[test]
        fn any_bytes_agree_on_both_ways(bytes in prop::collection::vec(any::<u8>(), 19)) {
            let fast = DateTimeParser::new(Zone::UTC).parse(&bytes);
            prop_assert_eq!(fast, parse_datetime(&bytes, Zone::UTC));
        }

        #[test]
        fn one_changed_byte_agrees_with_the_general_way(at in 0usize..19, byte in any::<u8>()) {
            let mut text = *b"2017-11-26 12:34:56";
            text[at] = byte;
            let expected = std::str::from_utf8(&text).ok()
                .and_then(|text| NaiveDateTime::parse_from_str(&text.replace('T', " "), "%Y-%m-%d %H:%M:%S").ok())
                .filter(|_| text.iter().enumerate().all(|(place, byte)| {
                    matches!(place, 4 | 7 | 10 | 13 | 16) || byte.is_ascii_digit()
                }))
                .filter(|datetime| datetime.and_utc().timestamp_micros() <= *MICROS.end())
                .filter(|_| text[16] == b':' && text[4] == b'-' && text[7] == b'-' && text[13] == b':')
                .map(|datetime| datetime.and_utc().timestamp_micros());
            let parsed = DateTimeParser::new(Zone::UTC).parse(&text).ok();
            // chrono takes any blank and a leap second; neither is ours.
            if matches!(text[10], b' ' | b'T') && &text[17..] != b"60" {
                prop_assert_eq!(parsed, expected);
            }
        }
    }
}
