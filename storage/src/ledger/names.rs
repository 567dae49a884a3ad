//! Names of a ledger's files. Every file holds what was written from one place of the ledger to another; places
//! are ordered by epoch, then by the number that its one writer counts up.

use serde::{Deserialize, Serialize};

use crate::durable::unique_name;

/// A place in the ledger.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(super) struct Place {
    pub(super) epoch: u32,
    pub(super) number: u32,
}

/// What kind of file it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// Records in the order in which they were appended.
    Log,
    /// Entries in the order of their keys.
    Sorted,
}

/// A file by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LedgerFile {
    pub(super) name: String,
    pub(super) kind: Kind,
    /// First place that it holds.
    pub(super) first: Place,
    /// Last place that it holds.
    pub(super) last: Place,
    pub(super) bytes: u64,
}

impl LedgerFile {
    /// Reads a name; `None`: it is not of such a file.
    pub(super) fn parse(name: &str, bytes: u64) -> Option<Self> {
        let stem = name.strip_suffix(".ledger")?;
        let parts: Vec<&str> = stem.split('-').collect();
        let (kind, places) = match parts[..] {
            ["log", a, b, c, d] => (Kind::Log, [a, b, c, d]),
            ["sorted", a, b, c, d, writer, n] if writer.len() == 16 && n.parse::<u64>().is_ok() => {
                (Kind::Sorted, [a, b, c, d])
            }
            _ => return None,
        };
        let mut numbers = [0; 4];
        for (number, digits) in numbers.iter_mut().zip(places) {
            if digits.len() != 10 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                return None;
            }
            *number = digits.parse().ok()?;
        }
        let [a, b, c, d] = numbers;
        let (first, last) = (Place { epoch: a, number: b }, Place { epoch: c, number: d });
        (first <= last).then(|| Self { name: name.to_owned(), kind, first, last, bytes })
    }
}

/// Name of a log.
pub(super) fn log_name(first: Place, last: Place) -> String {
    format!("log-{}-{}.ledger", digits(first), digits(last))
}

/// A new name of a sorted file, which no other process uses.
pub(super) fn sorted_name(first: Place, last: Place) -> String {
    format!("sorted-{}-{}-{}.ledger", digits(first), digits(last), unique_name())
}

fn digits(place: Place) -> String {
    format!("{:010}-{:010}", place.epoch, place.number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        let (first, last) = (Place { epoch: 1, number: 7 }, Place { epoch: 4_000_000_000, number: 0 });
        for name in [log_name(first, last), sorted_name(first, last)] {
            let file = LedgerFile::parse(&name, 5).unwrap();
            assert_eq!((file.first, file.last, file.bytes), (first, last, 5));
        }
        for other in ["", "log-1-2-3-4.ledger", "batches", &log_name(last, first), "x.ledger"] {
            assert_eq!(LedgerFile::parse(other, 0), None, "{other}");
        }
    }
}
