//! Names in the folder of the history.

use crate::durable::unique_name;

/// What a name in the folder of the history stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum HistoryName {
    /// The record of one load.
    Record(RecordName),
    /// Records of the versions `from..=to`.
    Folded {
        /// First version.
        from: u64,
        /// Last version.
        to: u64,
    },
    /// Something else.
    Other,
}

/// The parts of `<label hash>-<run>-<attempt>-<writer>-<n>.json`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RecordName {
    /// First 16 hex digits of the label's SHA-256.
    pub(crate) label_hash: String,
    /// Run.
    pub(crate) run: u32,
}

impl HistoryName {
    /// Reads a name.
    pub(crate) fn parse(name: &str) -> Self {
        Self::folded(name).or_else(|| Self::record(name)).unwrap_or(Self::Other)
    }

    fn folded(name: &str) -> Option<Self> {
        let parts: Vec<&str> = name.strip_prefix("folded-")?.strip_suffix(".parquet")?.split('-').collect();
        let [from, to, writer, n] = parts[..] else { return None };
        let (from, to) = (version(from)?, version(to)?);
        (from <= to && is_hex(writer) && n.parse::<u64>().is_ok()).then_some(Self::Folded { from, to })
    }

    fn record(name: &str) -> Option<Self> {
        let parts: Vec<&str> = name.strip_suffix(".json")?.split('-').collect();
        let [label_hash, run, attempt, writer, n] = parts[..] else { return None };
        let run = run.parse().ok()?;
        let numbers = attempt.parse::<u32>().is_ok() && n.parse::<u64>().is_ok();
        (numbers && is_hex(label_hash) && is_hex(writer))
            .then(|| Self::Record(RecordName { label_hash: label_hash.to_owned(), run }))
    }
}

/// A new name for the records of `from..=to`, which no other process uses.
pub(crate) fn folded_name(from: u64, to: u64) -> String {
    format!("folded-{from:020}-{to:020}-{}.parquet", unique_name())
}

fn version(digits: &str) -> Option<u64> {
    (digits.len() == 20 && digits.bytes().all(|b| b.is_ascii_digit())).then(|| digits.parse().ok())?
}

fn is_hex(text: &str) -> bool {
    text.len() == 16 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        assert_eq!(HistoryName::parse(&folded_name(0, 99)), HistoryName::Folded { from: 0, to: 99 });
        let HistoryName::Record(name) = HistoryName::parse("d618fb157a4b382e-2-1-f3c0ab920d2d234c-3.json")
        else {
            panic!("a record");
        };
        assert_eq!((name.label_hash.as_str(), name.run), ("d618fb157a4b382e", 2));
        for other in [
            "",
            "x.json",
            "folded-1-2-f3c0ab920d2d234c-3.parquet",
            "folded-00000000000000000009-00000000000000000002-f3c0ab920d2d234c-3.parquet",
            ".d618fb157a4b382e-2-1-f3c0ab920d2d234c-3.json.f3c0ab920d2d234c-4.tmp",
            "d618fb157a4b382e-2-1-f3c0ab920d2d234c.json",
        ] {
            assert_eq!(HistoryName::parse(other), HistoryName::Other, "{other}");
        }
    }
}
