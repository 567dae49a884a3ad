//! Joda's formats of dates (`yyyy-MM-dd HH:mm:ss`), written and read.

use std::fmt::Write;

use arrow::array::ArrayRef;
use datafusion_common::Result;

use super::calendar::{civil, day_of_year, week, weekday};
use super::call::Call;
use super::definition::{Definition, Kind, Returns};
use super::time_format::{MONTHS, WEEKDAYS, read};
use crate::datetime::{MICROS_PER_DAY, MICROS_PER_SECOND, days_of};

pub(super) static DEFINITIONS: &[Definition] = &[
    Definition::new(
        "jodatime_format",
        "jodatime_format(datetime, format)",
        "A DATETIME in a format of Joda's such as `yyyy-MM-dd HH:mm:ss`; NULL for a format with zones.",
        &[Kind::DateTime, Kind::Text],
        Returns::Text,
        formatted,
    ),
    Definition::new(
        "str_to_jodatime",
        "str_to_jodatime(text, format)",
        "A text in a format of Joda's such as `dd/MMMM/yy HH:mm:ss.SSS` as DATETIME.",
        &[Kind::Text, Kind::Text],
        Returns::DateTime,
        parsed,
    ),
];

/// A piece of a format.
#[derive(Debug, PartialEq, Eq)]
enum Piece {
    /// A letter, and how often it stands there.
    Part(char, usize),
    Text(String),
}

fn formatted(call: &Call<'_>) -> Result<ArrayRef> {
    let (datetimes, formats) = (call.datetime(0)?, call.text(1)?);
    let fixed = formats.constant().map(pieces);
    call.texts(|row, out| {
        let own;
        let pieces = match &fixed {
            Some(pieces) => pieces,
            None => {
                own = pieces(formats.get(row)?);
                &own
            }
        };
        let micros = datetimes.get(row)?;
        pieces.as_ref()?.iter().try_for_each(|piece| match piece {
            Piece::Part(letter, count) => write_part(out, micros, *letter, *count),
            Piece::Text(text) => out.write_str(text).ok(),
        })
    })
}

fn parsed(call: &Call<'_>) -> Result<ArrayRef> {
    let (texts, formats) = (call.text(0)?, call.text(1)?);
    let fixed = formats.constant().map(mysql_form);
    call.datetimes(|row| {
        let own;
        let format = match &fixed {
            Some(format) => format,
            None => {
                own = mysql_form(formats.get(row)?);
                &own
            }
        };
        read(texts.get(row)?, format.as_deref()?)
    })
}

/// The pieces of a format; `None`: a quote is not closed. Two quotes are one.
fn pieces(format: &str) -> Option<Vec<Piece>> {
    let mut pieces = Vec::new();
    let mut rest = format.chars().peekable();
    while let Some(character) = rest.next() {
        if character.is_ascii_alphabetic() {
            let mut count = 1;
            while rest.next_if_eq(&character).is_some() {
                count += 1;
            }
            pieces.push(Piece::Part(character, count));
        } else if character != '\'' {
            pieces.push(Piece::Text(character.to_string()));
        } else if rest.next_if_eq(&'\'').is_some() {
            pieces.push(Piece::Text("'".to_owned()));
        } else {
            let mut text = String::new();
            loop {
                match rest.next()? {
                    '\'' if rest.next_if_eq(&'\'').is_some() => text.push('\''),
                    '\'' => break,
                    other => text.push(other),
                }
            }
            pieces.push(Piece::Text(text));
        }
    }
    Some(pieces)
}

/// Appends a part of a DATETIME. `None`: there is no such part.
fn write_part(out: &mut String, micros: i64, letter: char, count: usize) -> Option<()> {
    let days = days_of(micros);
    let (year, month, day) = civil(micros);
    let of_day = micros.rem_euclid(MICROS_PER_DAY) / MICROS_PER_SECOND;
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    let name = |name: &str| if count > 3 { name.to_owned() } else { name[..3].to_owned() };
    let number = match letter {
        'y' | 'Y' if count == 2 => i64::from(year % 100),
        'y' | 'Y' => i64::from(year),
        'x' if count == 2 => i64::from(week(days, 3).0 % 100),
        'x' => i64::from(week(days, 3).0),
        'C' => i64::from(year / 100),
        'w' => i64::from(week(days, 3).1),
        'e' => i64::from(weekday(days)) + 1,
        'D' => i64::from(day_of_year(days)),
        'M' if count < 3 => i64::from(month),
        'd' => i64::from(day),
        'H' => hour,
        'k' => (hour + 23) % 24 + 1,
        'K' => hour % 12,
        'h' => (hour + 11) % 12 + 1,
        'm' => minute,
        's' => second,
        'M' => return out.write_str(&name(MONTHS[month as usize - 1])).ok(),
        'E' => return out.write_str(&name(WEEKDAYS[weekday(days) as usize])).ok(),
        'a' => return out.write_str(if hour < 12 { "AM" } else { "PM" }).ok(),
        'G' => return out.write_str("AD").ok(),
        'S' => {
            let digits = format!("{:06}", micros.rem_euclid(MICROS_PER_SECOND));
            let shown = digits.get(..count).unwrap_or(&digits);
            return write!(out, "{shown:0<count$}").ok();
        }
        _ => return None,
    };
    write!(out, "{number:0count$}").ok()
}

/// The same format as MySQL writes it; `None`: it has no such form.
fn mysql_form(format: &str) -> Option<String> {
    let mut out = String::new();
    for piece in pieces(format)? {
        let part = match piece {
            Piece::Text(text) => {
                out.push_str(&text.replace('%', "%%"));
                continue;
            }
            Piece::Part(letter, count) => match (letter, count) {
                ('y' | 'Y', 2) => "%y",
                ('y' | 'Y', _) => "%Y",
                ('M', 1 | 2) => "%m",
                ('M', 3) => "%b",
                ('M', _) => "%M",
                ('d', _) => "%d",
                ('D', _) => "%j",
                ('H', _) => "%H",
                ('h', _) => "%h",
                ('m', _) => "%i",
                ('s', _) => "%s",
                ('S', _) => "%f",
                ('a', _) => "%p",
                ('E', 1..=3) => "%a",
                ('E', _) => "%W",
                _ => return None,
            },
        };
        out.push_str(part);
    }
    Some(out)
}
