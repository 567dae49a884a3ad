//! MySQL's formats of dates (`%Y-%m-%d`), written and read.

use std::fmt::Write;

use super::calendar::{civil, day_of_year, month_length, week, weekday};
use crate::datetime::{MICROS_PER_DAY, MICROS_PER_SECOND, civil_from_days, days_from_civil, days_of};

pub(super) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
pub(super) const WEEKDAYS: [&str; 7] =
    ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

/// Java's forms that StarRocks takes too, as MySQL's.
pub(super) fn plain_form(format: &str) -> &str {
    match format {
        "yyyyMMdd" => "%Y%m%d",
        "yyyy-MM-dd" => "%Y-%m-%d",
        "yyyy-MM-dd HH:mm:ss" => "%Y-%m-%d %H:%i:%s",
        "yyyyMMddHHmmss" => "%Y%m%d%H%i%s",
        "yyyy/MM/dd" => "%Y/%m/%d",
        "HH:mm:ss" => "%H:%i:%s",
        other => other,
    }
}

/// Appends a DATETIME in `format`. `None`: a week has no year to belong to.
pub(super) fn write(out: &mut String, micros: i64, format: &str) -> Option<()> {
    let days = days_of(micros);
    let (year, month, day) = civil(micros);
    let seconds = micros.rem_euclid(MICROS_PER_DAY) / MICROS_PER_SECOND;
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let twelve = (hour + 11) % 12 + 1;
    let half = if hour < 12 { "AM" } else { "PM" };
    let mut characters = format.chars();
    while let Some(character) = characters.next() {
        if character != '%' {
            out.push(character);
            continue;
        }
        let done = match characters.next() {
            Some('Y') => write!(out, "{year:04}"),
            Some('y') => write!(out, "{:02}", year % 100),
            Some('m') => write!(out, "{month:02}"),
            Some('c') => write!(out, "{month}"),
            Some('M') => out.write_str(MONTHS[month as usize - 1]),
            Some('b') => out.write_str(&MONTHS[month as usize - 1][..3]),
            Some('d') => write!(out, "{day:02}"),
            Some('e') => write!(out, "{day}"),
            Some('D') => write!(out, "{day}{}", ordinal(day)),
            Some('j') => write!(out, "{:03}", day_of_year(days)),
            Some('H') => write!(out, "{hour:02}"),
            Some('k') => write!(out, "{hour}"),
            Some('h' | 'I') => write!(out, "{twelve:02}"),
            Some('l') => write!(out, "{twelve}"),
            Some('i') => write!(out, "{minute:02}"),
            Some('s' | 'S') => write!(out, "{second:02}"),
            Some('f') => write!(out, "{:06}", micros.rem_euclid(MICROS_PER_SECOND)),
            Some('p') => out.write_str(half),
            Some('r') => write!(out, "{twelve:02}:{minute:02}:{second:02} {half}"),
            Some('T') => write!(out, "{hour:02}:{minute:02}:{second:02}"),
            Some('W') => out.write_str(WEEKDAYS[weekday(days) as usize]),
            Some('a') => out.write_str(&WEEKDAYS[weekday(days) as usize][..3]),
            Some('w') => write!(out, "{}", (weekday(days) + 1) % 7),
            Some('U') => write!(out, "{:02}", week(days, 0).1),
            Some('u') => write!(out, "{:02}", week(days, 1).1),
            Some('V') => write!(out, "{:02}", week(days, 2).1),
            Some('v') => write!(out, "{:02}", week(days, 3).1),
            Some('X') => write!(out, "{:04}", week(days, 2).0),
            Some('x') => write!(out, "{:04}", week(days, 3).0),
            Some(other) => {
                out.push(other);
                Ok(())
            }
            None => out.write_str("%"),
        };
        done.ok()?;
    }
    Some(())
}

fn ordinal(day: u32) -> &'static str {
    match day {
        11..=13 => "th",
        _ => match day % 10 {
            1 => "st",
            2 => "nd",
            3 => "rd",
            _ => "th",
        },
    }
}

/// What was read of a date so far.
#[derive(Default)]
struct Read {
    year: Option<u32>,
    month: Option<u32>,
    day: Option<u32>,
    day_of_year: Option<u32>,
    week: Option<(u32, i64)>,
    weekday: Option<u32>,
    hour: u32,
    minute: u32,
    second: u32,
    micros: u32,
    /// `Some(true)` after noon; only with hours of twelve.
    afternoon: Option<bool>,
    twelve: bool,
}

/// Reads a whole text in `format`; `None` if it is not of that form, or no day of the calendar. Blanks of the
/// format match any number of blanks. What the format leaves out is the first of its kind: month 1, day 1,
/// midnight; a year must be there.
pub(super) fn read(text: &str, format: &str) -> Option<i64> {
    let mut read = Read::default();
    let rest = read_parts(&mut read, text.trim_start(), format)?;
    if !rest.trim().is_empty() {
        return None;
    }
    read.micros()
}

fn read_parts<'t>(read: &mut Read, mut text: &'t str, format: &str) -> Option<&'t str> {
    let mut characters = format.chars();
    while let Some(character) = characters.next() {
        if character.is_whitespace() {
            text = text.trim_start();
            continue;
        }
        if character != '%' {
            text = text.strip_prefix(character)?;
            continue;
        }
        let Some(part) = characters.next() else { return text.strip_prefix('%') };
        text = match part {
            'T' => read_parts(read, text, "%H:%i:%s")?,
            'r' => read_parts(read, text, "%h:%i:%s %p")?,
            '%' => text.strip_prefix('%')?,
            'M' => name(text, &MONTHS, false, |index| read.month = Some(index + 1))?,
            'b' => name(text, &MONTHS, true, |index| read.month = Some(index + 1))?,
            'W' => name(text, &WEEKDAYS, false, |index| read.weekday = Some(index))?,
            'a' => name(text, &WEEKDAYS, true, |index| read.weekday = Some(index))?,
            'p' => {
                let half = text.get(..2)?;
                read.afternoon = Some(if half.eq_ignore_ascii_case("PM") {
                    true
                } else if half.eq_ignore_ascii_case("AM") {
                    false
                } else {
                    return None;
                });
                text.get(2..)?
            }
            'f' => {
                let (value, digits, rest) = number(text, 6)?;
                read.micros = value * 10u32.pow(6 - digits);
                rest
            }
            'D' => {
                let (value, _, rest) = number(text, 2)?;
                read.day = Some(value);
                rest.get(2..)?
            }
            _ => read_number(read, text, part)?,
        };
    }
    Some(text)
}

fn read_number<'t>(read: &mut Read, text: &'t str, part: char) -> Option<&'t str> {
    let width = match part {
        'Y' | 'X' | 'x' => 4,
        'j' => 3,
        'w' => 1,
        _ => 2,
    };
    let (value, _, rest) = number(text, width)?;
    match part {
        'Y' | 'X' | 'x' => read.year = Some(value),
        // As MySQL reads two digits: 70 to 99 belong to the last century.
        'y' => read.year = Some(if value < 70 { 2000 + value } else { 1900 + value }),
        'm' | 'c' => read.month = Some(value),
        'd' | 'e' => read.day = Some(value),
        'j' => read.day_of_year = Some(value),
        'H' | 'k' => read.hour = value,
        'h' | 'I' | 'l' => {
            read.hour = value;
            read.twelve = true;
        }
        'i' => read.minute = value,
        's' | 'S' => read.second = value,
        'w' => read.weekday = Some((value + 6) % 7),
        'U' => read.week = Some((value, 0)),
        'u' => read.week = Some((value, 1)),
        'V' => read.week = Some((value, 2)),
        'v' => read.week = Some((value, 3)),
        _ => return None,
    }
    Some(rest)
}

fn number(text: &str, width: u32) -> Option<(u32, u32, &str)> {
    let digits = text.bytes().take(width as usize).take_while(u8::is_ascii_digit).count();
    let value = text.get(..digits)?.parse().ok()?;
    Some((value, u32::try_from(digits).ok()?, text.get(digits..)?))
}

fn name<'t, const N: usize>(
    text: &'t str,
    names: &[&str; N],
    short: bool,
    mut found: impl FnMut(u32),
) -> Option<&'t str> {
    for (index, name) in (0u32..).zip(names) {
        let name = if short { &name[..3] } else { name };
        if text.get(..name.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(name)) {
            found(index);
            return text.get(name.len()..);
        }
    }
    None
}

impl Read {
    fn micros(self) -> Option<i64> {
        let hour = match (self.twelve, self.afternoon) {
            (true, _) if !(1..=12).contains(&self.hour) => return None,
            (true, Some(true)) => self.hour % 12 + 12,
            (true, _) => self.hour % 12,
            (false, None) => self.hour,
            // A day of 24 hours has no half that needs a name.
            (false, Some(_)) => return None,
        };
        if hour > 23 || self.minute > 59 || self.second > 59 {
            return None;
        }
        let seconds = (hour * 60 + self.minute) * 60 + self.second;
        let time = i64::from(seconds) * MICROS_PER_SECOND + i64::from(self.micros);
        Some(i64::from(self.days()?) * MICROS_PER_DAY + time)
    }

    fn days(&self) -> Option<i32> {
        let year = self.year?;
        if let Some(day) = self.day_of_year {
            let days = days_from_civil(year, 1, 1)?.checked_add(day.checked_sub(1)?.cast_signed())?;
            return (civil_from_days(days).0 == year).then_some(days);
        }
        if let (Some((number, mode)), Some(weekday_wanted), None) = (self.week, self.weekday, self.month) {
            let first = days_from_civil(year, 1, 1)?;
            let mut candidates = (first - 7..first + month_length(year, 2).cast_signed() + 340)
                .filter(|&days| weekday(days) == weekday_wanted.cast_signed());
            return candidates.find(|&days| {
                let (of, found) = week(days, mode);
                of == year && found == number.cast_signed()
            });
        }
        days_from_civil(year, self.month.unwrap_or(1), self.day.unwrap_or(1))
    }
}
