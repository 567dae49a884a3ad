//! What the ledger knows of one file, and how that changes.

use super::codec::{Reader, put_text, put_u64};

/// Where a file stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum FileState {
    /// Listed, waits for its batch.
    Unloaded,
    /// In a batch that was begun.
    Loading,
    /// Its rows are in the table: a commit names its batch. Final.
    Finished,
    /// It was given up; `retry` puts it back.
    Error,
    /// Left alone by a rule of the pipe.
    Ignored,
}

impl FileState {
    /// Every state.
    pub const ALL: [Self; 5] = [Self::Unloaded, Self::Loading, Self::Finished, Self::Error, Self::Ignored];

    /// As `pipe_files` prints it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unloaded => "UNLOADED",
            Self::Loading => "LOADING",
            Self::Finished => "FINISHED",
            Self::Error => "ERROR",
            Self::Ignored => "IGNORED",
        }
    }

    /// One bit for each state.
    pub(super) fn bit(self) -> u8 {
        1 << (self as u8)
    }

    fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }
}

/// A batch of a ledger, by its number and the epoch that made it; 0-0: none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BatchId {
    /// Number, from 1.
    pub number: u32,
    /// Epoch, from 1.
    pub epoch: u32,
}

/// Why a file is not loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileFault {
    /// CamelCase, stable: the category of an error, or the rule that leaves the file alone.
    pub category: String,
    /// One sentence for a person.
    pub message: String,
}

/// What the ledger knows of one file. Instants are milliseconds since the epoch; 0: not known, or not yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileEntry {
    /// Where it stands.
    pub state: FileState,
    /// Bytes.
    pub size: u64,
    /// Last modified, as listed.
    pub modified_ms: u64,
    /// When it was listed first.
    pub staged_ms: u64,
    /// When its last batch was begun.
    pub started_ms: u64,
    /// When it came into this state, if that is FINISHED, ERROR or IGNORED.
    pub finished_ms: u64,
    /// The batch that it was in last.
    pub batch: BatchId,
    /// FINISHED: the version of the table with its rows.
    pub version: u64,
    /// FINISHED: its rows in the table.
    pub rows: u64,
    /// Batches with it that were begun and ended without anyone saying how.
    pub starts: u32,
    /// Batches that failed with it alone.
    pub attempts: u32,
    /// Files of the smallest batch that failed with it among them; 0: none did. With 1 it stands alone.
    pub failed_with: u32,
    /// The last fault.
    pub fault: Option<FileFault>,
}

impl FileEntry {
    /// A file that was just listed.
    pub fn staged(size: u64, modified_ms: u64, now_ms: u64) -> Self {
        Self {
            state: FileState::Unloaded,
            size,
            modified_ms,
            staged_ms: now_ms,
            started_ms: 0,
            finished_ms: 0,
            batch: BatchId::default(),
            version: 0,
            rows: 0,
            starts: 0,
            attempts: 0,
            failed_with: 0,
            fault: None,
        }
    }
}

/// Something that happens to a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileEvent {
    /// It was listed.
    Staged {
        /// Bytes.
        size: u64,
        /// Last modified, as listed.
        modified_ms: u64,
        /// Now.
        now_ms: u64,
    },
    /// It was listed, and a rule leaves it alone.
    Ignored {
        /// Bytes.
        size: u64,
        /// Last modified, as listed.
        modified_ms: u64,
        /// Now.
        now_ms: u64,
        /// Which rule.
        rule: FileFault,
    },
    /// A batch with it begins.
    Started {
        /// The batch.
        batch: BatchId,
        /// Now.
        now_ms: u64,
    },
    /// The batch with it was given up without a fault of any file: the store, the volume, the end of the worker.
    Abandoned,
    /// The worker of the batch is gone, and no commit names the batch.
    Lost,
    /// The batch with it failed.
    Failed {
        /// Files of the batch.
        files: u32,
        /// Why.
        fault: FileFault,
    },
    /// It was tried often enough.
    GivenUp {
        /// Why.
        fault: FileFault,
        /// Now.
        now_ms: u64,
    },
    /// A commit names the batch with it.
    Finished {
        /// The batch.
        batch: BatchId,
        /// Version of the commit.
        version: u64,
        /// Bytes.
        size: u64,
        /// Its rows in the table.
        rows: u64,
        /// Instant of the commit.
        now_ms: u64,
    },
    /// A person asks for another try of a file in ERROR.
    Retried,
}

impl FileEntry {
    /// What the ledger knows after an event; `None`: nothing changes. FINISHED is final, whatever happens, and
    /// what a commit says beats whatever was said before.
    pub fn after(before: Option<&Self>, event: &FileEvent) -> Option<Self> {
        if before.is_some_and(|entry| entry.state == FileState::Finished) {
            return None;
        }
        match (before, event) {
            (_, FileEvent::Finished { batch, version, size, rows, now_ms }) => {
                let (size, now) = (*size, *now_ms);
                let mut entry = before.cloned().unwrap_or_else(|| Self::staged(size, 0, now));
                entry.state = FileState::Finished;
                (entry.size, entry.batch, entry.version, entry.rows) = (size, *batch, *version, *rows);
                entry.finished_ms = now;
                (entry.starts, entry.attempts, entry.failed_with, entry.fault) = (0, 0, 0, None);
                Some(entry)
            }
            (None, FileEvent::Staged { size, modified_ms, now_ms }) => {
                Some(Self::staged(*size, *modified_ms, *now_ms))
            }
            (_, FileEvent::Ignored { size, modified_ms, now_ms, rule }) => {
                match before.map(|entry| entry.state) {
                    None | Some(FileState::Unloaded) => Some(Self {
                        state: FileState::Ignored,
                        finished_ms: *now_ms,
                        fault: Some(rule.clone()),
                        ..before.cloned().unwrap_or_else(|| Self::staged(*size, *modified_ms, *now_ms))
                    }),
                    _ => None,
                }
            }
            (Some(entry), event) => entry.moved(event),
            (None, _) => None,
        }
    }

    fn moved(&self, event: &FileEvent) -> Option<Self> {
        use FileState::{Error, Ignored, Loading, Unloaded};
        let mut entry = self.clone();
        match (self.state, event) {
            // A rule that left it alone does not hold any more.
            (Ignored, FileEvent::Staged { .. }) => {
                (entry.state, entry.finished_ms, entry.fault) = (Unloaded, 0, None);
            }
            (Unloaded | Loading, FileEvent::Started { batch, now_ms }) => {
                (entry.state, entry.batch, entry.started_ms) = (Loading, *batch, *now_ms);
                entry.starts = entry.starts.saturating_add(1);
            }
            (Loading, FileEvent::Abandoned) => {
                entry.state = Unloaded;
                entry.starts = entry.starts.saturating_sub(1);
            }
            (Loading, FileEvent::Lost) => entry.state = Unloaded,
            (Unloaded | Loading, FileEvent::Failed { files, fault }) => {
                entry.state = Unloaded;
                entry.starts = 0;
                entry.attempts = entry.attempts.saturating_add(u32::from(*files <= 1));
                entry.failed_with = match entry.failed_with {
                    0 => *files,
                    before => before.min(*files),
                };
                entry.fault = Some(fault.clone());
            }
            (Unloaded | Loading, FileEvent::GivenUp { fault, now_ms }) => {
                (entry.state, entry.finished_ms, entry.fault) = (Error, *now_ms, Some(fault.clone()));
            }
            (Error, FileEvent::Retried) => {
                (entry.state, entry.finished_ms) = (Unloaded, 0);
                // It is tried alone: the others of its batch are loaded long since.
                (entry.starts, entry.attempts) = (0, 0);
            }
            _ => return None,
        }
        Some(entry)
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.push(self.state as u8 | if self.fault.is_some() { 0x80 } else { 0 });
        let since = |later: u64, earlier: u64| (later.cast_signed()).wrapping_sub(earlier.cast_signed());
        put_u64(out, self.size);
        put_u64(out, self.modified_ms);
        for (later, earlier) in [
            (self.staged_ms, self.modified_ms),
            (self.started_ms, self.staged_ms),
            (self.finished_ms, self.started_ms),
        ] {
            // Zigzag: instants come in any order.
            let delta = since(later, earlier);
            put_u64(out, ((delta << 1) ^ (delta >> 63)).cast_unsigned());
        }
        for number in [self.batch.number, self.batch.epoch] {
            put_u64(out, number.into());
        }
        put_u64(out, self.version);
        put_u64(out, self.rows);
        for number in [self.starts, self.attempts, self.failed_with] {
            put_u64(out, number.into());
        }
        if let Some(fault) = &self.fault {
            put_text(out, &fault.category);
            put_text(out, &fault.message);
        }
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Option<Self> {
        let head = reader.byte()?;
        let state = FileState::from_number(head & 0x7f)?;
        let size = reader.u64()?;
        let modified_ms = reader.u64()?;
        let mut earlier = modified_ms;
        let mut instants = [0; 3];
        for instant in &mut instants {
            let zigzag = reader.u64()?;
            let delta = (zigzag >> 1).cast_signed() ^ -((zigzag & 1).cast_signed());
            *instant = earlier.cast_signed().wrapping_add(delta).cast_unsigned();
            earlier = *instant;
        }
        let [staged_ms, started_ms, finished_ms] = instants;
        let batch = BatchId { number: reader.u32()?, epoch: reader.u32()? };
        let (version, rows) = (reader.u64()?, reader.u64()?);
        let (starts, attempts, failed_with) = (reader.u32()?, reader.u32()?, reader.u32()?);
        let fault = if head & 0x80 == 0 {
            None
        } else {
            Some(FileFault { category: reader.text()?.to_owned(), message: reader.text()?.to_owned() })
        };
        Some(Self {
            state,
            size,
            modified_ms,
            staged_ms,
            started_ms,
            finished_ms,
            batch,
            version,
            rows,
            starts,
            attempts,
            failed_with,
            fault,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fault() -> FileFault {
        FileFault { category: "Bad".to_owned(), message: "m".to_owned() }
    }

    fn events() -> impl Strategy<Value = FileEvent> {
        let batch = BatchId { number: 3, epoch: 2 };
        prop_oneof![
            Just(FileEvent::Staged { size: 1, modified_ms: 2, now_ms: 3 }),
            Just(FileEvent::Ignored { size: 1, modified_ms: 2, now_ms: 3, rule: fault() }),
            Just(FileEvent::Started { batch, now_ms: 4 }),
            Just(FileEvent::Abandoned),
            Just(FileEvent::Lost),
            (1_u32..9).prop_map(|files| FileEvent::Failed { files, fault: fault() }),
            Just(FileEvent::GivenUp { fault: fault(), now_ms: 5 }),
            Just(FileEvent::Finished { batch, version: 9, size: 1, rows: 7, now_ms: 6 }),
            Just(FileEvent::Retried),
        ]
    }

    proptest! {
        #[test]
        fn finished_comes_from_a_commit_alone_and_is_final(events in prop::collection::vec(events(), 0..12)) {
            let mut entry: Option<FileEntry> = None;
            let mut committed = false;
            for event in &events {
                committed |= matches!(event, FileEvent::Finished { .. });
                entry = FileEntry::after(entry.as_ref(), event).or(entry);
                let finished = entry.as_ref().is_some_and(|entry| entry.state == FileState::Finished);
                prop_assert_eq!(finished, committed);
            }
        }

        #[test]
        fn an_entry_reads_back(
            numbers in prop::array::uniform8(any::<u64>()),
            small in prop::array::uniform5(any::<u32>()),
            state in 0_u8..5,
            faulty in any::<bool>(),
        ) {
            let [size, modified_ms, staged_ms, started_ms, finished_ms, version, rows, _] = numbers;
            let [number, epoch, starts, attempts, failed_with] = small;
            let entry = FileEntry {
                state: FileState::from_number(state).unwrap(),
                size, modified_ms, staged_ms, started_ms, finished_ms, version, rows,
                batch: BatchId { number, epoch },
                starts, attempts, failed_with,
                fault: faulty.then(fault),
            };
            let mut bytes = Vec::new();
            entry.encode(&mut bytes);
            let mut reader = Reader::new(&bytes);
            prop_assert_eq!(FileEntry::decode(&mut reader), Some(entry));
            prop_assert!(reader.is_empty());
            // No beginning of it is taken for one.
            for end in 0..bytes.len() {
                prop_assert_eq!(FileEntry::decode(&mut Reader::new(&bytes[..end])), None);
            }
        }
    }

    #[test]
    fn starts_count_until_someone_says_how_the_batch_ended() {
        let staged = FileEvent::Staged { size: 1, modified_ms: 1, now_ms: 1 };
        let started = FileEvent::Started { batch: BatchId { number: 1, epoch: 1 }, now_ms: 1 };
        let run = |events: &[FileEvent]| {
            events.iter().fold(None, |entry: Option<FileEntry>, event| {
                FileEntry::after(entry.as_ref(), event).or(entry)
            })
        };
        let lost = run(&[staged.clone(), started.clone(), FileEvent::Lost, started.clone(), FileEvent::Lost]);
        assert_eq!(lost.map(|entry| (entry.state, entry.starts)), Some((FileState::Unloaded, 2)));
        let abandoned = run(&[staged.clone(), started.clone(), FileEvent::Abandoned]);
        assert_eq!(abandoned.map(|entry| (entry.state, entry.starts)), Some((FileState::Unloaded, 0)));
        let failed = |files| FileEvent::Failed { files, fault: fault() };
        let halved =
            run(&[staged, started.clone(), failed(8), started.clone(), failed(4), started, failed(1)]);
        let halved = halved.unwrap();
        assert_eq!((halved.failed_with, halved.attempts, halved.starts), (1, 1, 0));
    }
}
