//! What stands at the head of every part of a ledger: whose it is, and how far it goes.

use serde::{Deserialize, Serialize};

use super::entry::{FileEntry, FileState};
use super::names::Place;

/// The newest version of the ledger's files; a newer one is refused.
pub(super) const LEDGER_VERSION: u32 = 1;

/// Files and their bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerCount {
    /// Files.
    pub files: u64,
    /// Bytes.
    pub bytes: u64,
}

/// How many files stand where.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerTotals([LedgerCount; FileState::ALL.len()]);

impl LedgerTotals {
    /// Those of one state.
    pub fn of(&self, state: FileState) -> LedgerCount {
        self.0[state as usize]
    }

    /// Those of all states.
    pub fn all(&self) -> LedgerCount {
        self.0.iter().fold(LedgerCount::default(), |sum, count| LedgerCount {
            files: sum.files + count.files,
            bytes: sum.bytes + count.bytes,
        })
    }

    /// A file comes in place of what was known of it.
    pub(super) fn replace(&mut self, before: Option<&FileEntry>, after: &FileEntry) {
        if let Some(before) = before {
            let count = &mut self.0[before.state as usize];
            count.files = count.files.saturating_sub(1);
            count.bytes = count.bytes.saturating_sub(before.size);
        }
        let count = &mut self.0[after.state as usize];
        count.files += 1;
        count.bytes += after.size;
    }
}

/// How far a ledger goes: true of all that was written up to there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Progress {
    /// The first version of the table whose commit has not been followed: every batch below it is told of.
    pub(super) next_version: u64,
    /// The highest number of a batch that was ever put.
    pub(super) batch: u32,
    /// When the ledger was begun, milliseconds since the epoch.
    #[serde(default)]
    pub(super) begun_ms: u64,
    pub(super) totals: LedgerTotals,
}

/// Whose a file is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Meta {
    pub(super) version: u32,
    pub(super) ledger: String,
    /// First place that the file holds.
    pub(super) first: Place,
    /// Last place that it holds.
    pub(super) last: Place,
    /// The last place before the first: another file must hold it; `None`: there is nothing before.
    pub(super) previous: Option<Place>,
    /// As it was when the file was begun (a log) or made (a sorted file).
    pub(super) progress: Progress,
}
