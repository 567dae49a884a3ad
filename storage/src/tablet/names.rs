//! Names of segments: who wrote a file can be told from its name alone, whatever became of the writer.

use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::load::label_hash;

/// What follows every name.
const SUFFIX: &str = ".parquet";
/// What outputs of compactions begin with; no label's hash does.
const COMPACTION: &str = "compact";
/// Hex digits of a label's hash and of a writer's id.
const HEX_DIGITS: usize = 16;

/// The name of a segment, without its folder.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum SegmentName {
    /// `<label hash>-<run>-<attempt>-<task>-<n>-<writer>.parquet`: written by a task of a load.
    Load {
        /// The first 16 hex digits of the label's SHA-256.
        label_hash: String,
        /// Run of the label.
        run: u32,
        /// Attempt of the run.
        attempt: u32,
        /// Number of the task in the plan.
        task: u32,
        /// Counter of the writer, from 0.
        n: u32,
        /// Random 64-bit id of the process, 16 hex digits.
        writer: String,
    },
    /// `compact-<epoch>-<n>-<writer>.parquet`: written by a compaction.
    Compaction {
        /// The epoch of compactions that it was written under.
        epoch: u64,
        /// Counter of the writer, from 0.
        n: u32,
        /// Random 64-bit id of the process, 16 hex digits.
        writer: String,
    },
}

impl SegmentName {
    /// Reads a file's name; `None`: no segment of ours has such a name. What it reads is written alike again.
    pub fn parse(file_name: &str) -> Option<Self> {
        let parts: Vec<&str> = file_name.strip_suffix(SUFFIX)?.split('-').collect();
        match *parts.as_slice() {
            [COMPACTION, epoch, n, writer] => Some(Self::Compaction {
                epoch: number(epoch)?,
                n: u32::try_from(number(n)?).ok()?,
                writer: hex_digits(writer)?,
            }),
            [label_hash, run, attempt, task, n, writer] => Some(Self::Load {
                label_hash: hex_digits(label_hash)?,
                run: u32::try_from(number(run)?).ok()?,
                attempt: u32::try_from(number(attempt)?).ok()?,
                task: u32::try_from(number(task)?).ok()?,
                n: u32::try_from(number(n)?).ok()?,
                writer: hex_digits(writer)?,
            }),
            _ => None,
        }
    }
}

impl fmt::Display for SegmentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Load { label_hash, run, attempt, task, n, writer } => {
                write!(f, "{label_hash}-{run}-{attempt}-{task}-{n}-{writer}{SUFFIX}")
            }
            Self::Compaction { epoch, n, writer } => {
                write!(f, "{COMPACTION}-{epoch}-{n}-{writer}{SUFFIX}")
            }
        }
    }
}

/// A decimal number as we write it: digits without leading zeros.
fn number(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if plain { text.parse().ok() } else { None }
}

/// Sixteen lower-case hex digits.
fn hex_digits(text: &str) -> Option<String> {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    (text.len() == HEX_DIGITS && text.bytes().all(is_digit)).then(|| text.to_owned())
}

/// What segments are written for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SegmentOwner {
    /// A task of a load.
    Load { label_hash: String, run: u32, attempt: u32, task: u32 },
    /// A compaction under an epoch.
    Compaction { epoch: u64 },
}

/// Gives names to the segments of one owner, each once.
#[derive(Debug)]
pub(crate) struct SegmentNames {
    owner: SegmentOwner,
    writer: String,
    next: AtomicU32,
}

impl SegmentNames {
    /// Names of a process's segments; `writer` is its id.
    pub(crate) fn new(owner: SegmentOwner, writer: &str) -> Self {
        Self { owner, writer: writer.to_owned(), next: AtomicU32::new(0) }
    }

    /// A name that was not given before.
    pub(crate) fn next(&self) -> SegmentName {
        let n = self.next.fetch_add(1, Ordering::Relaxed);
        let writer = self.writer.clone();
        match &self.owner {
            SegmentOwner::Load { label_hash, run, attempt, task } => SegmentName::Load {
                label_hash: label_hash.clone(),
                run: *run,
                attempt: *attempt,
                task: *task,
                n,
                writer,
            },
            SegmentOwner::Compaction { epoch } => SegmentName::Compaction { epoch: *epoch, n, writer },
        }
    }
}

impl super::TaskIdentity {
    /// Names of the segments of the task.
    pub(crate) fn names(&self) -> SegmentNames {
        let owner = SegmentOwner::Load {
            label_hash: label_hash(&self.label),
            run: self.run,
            attempt: self.attempt,
            task: self.task,
        };
        SegmentNames::new(owner, &self.writer)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const WRITER: &str = "f3c0ab920d2d234c";

    #[test]
    fn names_are_as_the_page_on_the_format_says() {
        let load = "d618fb157a4b382e-2-1-0-0-f3c0ab920d2d234c.parquet";
        let parsed = SegmentName::parse(load).unwrap();
        let hash = "d618fb157a4b382e".to_owned();
        let (attempt, task, n, writer) = (1, 0, 0, WRITER.to_owned());
        assert_eq!(parsed, SegmentName::Load { label_hash: hash, run: 2, attempt, task, n, writer });
        assert_eq!(parsed.to_string(), load);
        let compaction = SegmentName::Compaction { epoch: 7, n: 3, writer: WRITER.to_owned() };
        assert_eq!(compaction.to_string(), "compact-7-3-f3c0ab920d2d234c.parquet");
        assert_eq!(SegmentName::parse("compact-7-3-f3c0ab920d2d234c.parquet"), Some(compaction));
    }

    #[test]
    fn a_task_and_a_compaction_name_their_files_one_after_another() {
        let identity = super::super::TaskIdentity {
            label: "monday".to_owned(),
            run: 2,
            attempt: 1,
            task: 4,
            writer: WRITER.to_owned(),
        };
        let names = identity.names();
        assert_eq!(names.next().to_string(), "d618fb157a4b382e-2-1-4-0-f3c0ab920d2d234c.parquet");
        assert_eq!(names.next().to_string(), "d618fb157a4b382e-2-1-4-1-f3c0ab920d2d234c.parquet");
        let names = SegmentNames::new(SegmentOwner::Compaction { epoch: 1 << 40 }, WRITER);
        assert_eq!(names.next().to_string(), "compact-1099511627776-0-f3c0ab920d2d234c.parquet");
    }

    #[test]
    fn other_names_are_not_ours() {
        for name in [
            "",
            ".parquet",
            "part-00000-2a4b3c-c000.snappy.parquet",
            "d618fb157a4b382e-2-1-0-0-f3c0ab920d2d234c",
            "d618fb157a4b382e-2-1-0-0-f3c0ab920d2d234c.parquet.tmp",
            "D618FB157A4B382E-2-1-0-0-f3c0ab920d2d234c.parquet",
            "d618fb157a4b382e-02-1-0-0-f3c0ab920d2d234c.parquet",
            "d618fb157a4b382e-+2-1-0-0-f3c0ab920d2d234c.parquet",
            "d618fb157a4b382e-2-1-0-0-1-f3c0ab920d2d234c.parquet",
            "d618fb157a4b382e-4294967296-1-0-0-f3c0ab920d2d234c.parquet",
            "compact-7-3-f3c0ab920d2d234.parquet",
            "compact--3-f3c0ab920d2d234c.parquet",
            "compact-7-f3c0ab920d2d234c.parquet",
        ] {
            assert_eq!(SegmentName::parse(name), None, "{name}");
        }
    }

    proptest! {
        #[test]
        fn every_name_is_read_as_it_was_written(
            hash in "[0-9a-f]{16}",
            writer in "[0-9a-f]{16}",
            (run, attempt, task, n) in any::<(u32, u32, u32, u32)>(),
            epoch in any::<u64>(),
        ) {
            let load =
                SegmentName::Load { label_hash: hash, run, attempt, task, n, writer: writer.clone() };
            prop_assert_eq!(SegmentName::parse(&load.to_string()), Some(load));
            let compaction = SegmentName::Compaction { epoch, n, writer };
            prop_assert_eq!(SegmentName::parse(&compaction.to_string()), Some(compaction));
        }

        #[test]
        fn what_is_read_is_written_alike(name in "(compact|[0-9a-f]{15,17})(-[0-9]{0,3}){1,5}-[0-9a-f]{16}\\.parquet") {
            if let Some(parsed) = SegmentName::parse(&name) {
                prop_assert_eq!(parsed.to_string(), name);
            }
        }
    }
}
