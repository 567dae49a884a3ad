//! What someone was told and relies on, and what each cut must leave of it.

use std::fmt;

/// What a process, or a person, was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Promise {
    /// The table stands at this version, or a later one: said of commits that were acknowledged and of
    /// answers that were read from the log.
    Version(u64),
    /// The file is there, whole.
    File(String),
    /// Nobody relies on the file any more.
    Release(String),
}

/// What must hold after every cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Invariant {
    /// The table opens; before it was acknowledged, its creation can be repeated.
    Opens,
    /// No version is missing between the newest checkpoint and the newest version.
    NoHole,
    /// The version that was acknowledged, or a later one.
    Acknowledged,
    /// A file that was acknowledged by itself: a plan, a report, rejected rows.
    AcknowledgedFile,
    /// The version names the files that it named before the cut, and each is whole.
    NamedFilesWhole,
    /// Labels are what the commits say, and each history record that a commit names can be read.
    LabelsAndRecords,
    /// Each checkpoint is whole, and `_last_checkpoint` names one that is there.
    CheckpointsWhole,
    /// Loads that were interrupted can be done again, new ones work, and each is in the table once.
    NextLoad,
    /// The ledger of a pipe opens, and says FINISHED of the files of each batch that a commit names and of no
    /// other; the next batch works.
    Ledger,
}

/// An invariant that does not hold, and how that showed.
#[derive(Debug, Clone)]
pub struct Violation {
    pub invariant: Invariant,
    pub what: String,
}

impl Violation {
    pub fn new(invariant: Invariant, what: impl fmt::Display) -> Self {
        Self { invariant, what: what.to_string() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.invariant, self.what)
    }
}
