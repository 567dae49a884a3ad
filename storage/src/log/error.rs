//! What can go wrong with a table, its claims and its commits. One enum a step; `category` is stable.

use std::io;
use std::path::{Path, PathBuf};

use crate::durable::VolumeError;
use crate::history::{HistoryError, HistoryRecord};

/// A table that cannot be made, opened or read.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The volume said no.
    #[error(transparent)]
    Volume(#[from] VolumeError),
    /// The volume lacks what a durable commit needs.
    #[error("the volume of {} cannot hold a table: {what}; use a file system with hard links, exclusive creation and fsync of folders", path.display())]
    UnsupportedVolume {
        /// The table's folder.
        path: PathBuf,
        /// What was tried and how it ended.
        what: String,
    },
    /// Made by a newer Longshore.
    #[error("{} has layout version {found}, this build knows up to {known}; use a newer Longshore", path.display())]
    NewerLayout {
        /// The table's folder.
        path: PathBuf,
        /// Version found.
        found: u64,
        /// Newest version known.
        known: u64,
    },
    /// The table asks for something of the Delta protocol that is not known here.
    #[error("the table in {} asks for {feature}, which this build does not know; nothing was touched", path.display())]
    UnsupportedFeature {
        /// The table's folder.
        path: PathBuf,
        /// Name of the feature.
        feature: String,
    },
    /// The folder holds something else, or nothing.
    #[error("{} is not a Longshore table: {reason}", path.display())]
    NotALongshoreTable {
        /// The folder.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The table is there, but not as declared.
    #[error("the table in {} differs from its declaration: {differences}", path.display())]
    DefinitionDiffers {
        /// The table's folder.
        path: PathBuf,
        /// What differs, one sentence a difference.
        differences: String,
    },
    /// The declaration itself is wrong.
    #[error("the table cannot be made: {0}")]
    InvalidDefinition(String),
    /// The creation was begun, and its end could not be learned.
    #[error("whether the table in {} was made is not known: {what}; make it again", path.display())]
    CreationUnknown {
        /// The table's folder.
        path: PathBuf,
        /// What failed.
        what: String,
    },
    /// Something in the log is missing or not readable.
    #[error("the log is damaged: {}: {what}", path.display())]
    DamagedLog {
        /// The file, or the log's folder.
        path: PathBuf,
        /// What is wrong, with the version.
        what: String,
    },
    /// A label that may not become a folder's name.
    #[error(
        "label {label:?} is not valid: 1 to 128 of A-Z a-z 0-9 _ . -, beginning with a letter, digit or _, without .."
    )]
    InvalidLabel {
        /// The label.
        label: String,
    },
    /// A history record that the log names is missing or changed.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// A document of a load on the volume that cannot be read.
    #[error("{} cannot be read: {what}", path.display())]
    DamagedDocument {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// Files of a run that may still commit are not removed.
    #[error("the files of run {run} of label {label} stay: {why}")]
    RunStillOpen {
        /// Label.
        label: String,
        /// Run.
        run: u32,
        /// Why they may be needed.
        why: String,
    },
    /// Files that were removed are not known for as long as they should stay.
    #[error(
        "removed files cannot be kept for {} hours: the table forgets them after {}; set its property delta.deletedFileRetentionDuration first",
        asked.as_secs().div_ceil(3_600), known.as_secs() / 3_600
    )]
    RetentionTooLong {
        /// How long they should stay.
        asked: std::time::Duration,
        /// How long the table knows them.
        known: std::time::Duration,
    },
    /// The commits of an old snapshot were cleaned since it was read.
    #[error("version {version} of {} is too old to be read; refresh and read again", path.display())]
    SnapshotExpired {
        /// The log's folder.
        path: PathBuf,
        /// Version of the snapshot.
        version: u64,
    },
    /// An fsync of the log failed in this process: what it reads may not be durable, and trying again would
    /// prove nothing.
    #[error("an fsync of {} failed before; only a new process can learn what is durable", path.display())]
    SyncFailedBefore {
        /// The log's folder.
        path: PathBuf,
    },
}

impl TableError {
    /// CamelCase, stable.
    pub fn category(&self) -> &'static str {
        match self {
            Self::Volume(error) => error.category(),
            Self::UnsupportedVolume { .. } => "UnsupportedVolume",
            Self::NewerLayout { .. } => "NewerLayout",
            Self::UnsupportedFeature { .. } => "UnsupportedFeature",
            Self::NotALongshoreTable { .. } => "NotALongshoreTable",
            Self::DefinitionDiffers { .. } => "DefinitionDiffers",
            Self::InvalidDefinition(_) => "InvalidDefinition",
            Self::DamagedLog { .. } => "DamagedLog",
            Self::InvalidLabel { .. } => "InvalidLabel",
            Self::History(error) => error.category(),
            Self::DamagedDocument { .. } => "DamagedDocument",
            Self::RunStillOpen { .. } => "RunStillOpen",
            Self::RetentionTooLong { .. } => "RetentionTooLong",
            Self::SnapshotExpired { .. } => "SnapshotExpired",
            Self::SyncFailedBefore { .. } | Self::CreationUnknown { .. } => "OutcomeUnknown",
        }
    }

    pub(crate) fn volume(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Volume(VolumeError::new(action, path, source))
    }

    pub(crate) fn damaged(path: &Path, what: impl Into<String>) -> Self {
        Self::DamagedLog { path: path.to_owned(), what: what.into() }
    }
}

/// A claim that was not taken.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// The label is loaded: nothing is to be done.
    #[error("label {} was loaded by run {} in version {version}", record.label, record.run)]
    AlreadyLoaded {
        /// What the load that won wrote down.
        record: Box<HistoryRecord>,
        /// Version of the table with its rows.
        version: u64,
    },
    /// The log knows a higher run of this label, or this run is closed.
    #[error("run {run} of label {label} is in the log, or closed there; go on with run {}", u64::from(*run) + 1)]
    RunPassed {
        /// Label.
        label: String,
        /// The run in the log; the next one may claim.
        run: u32,
    },
    /// A million attempts in one run.
    #[error("run {run} of label {label} has no attempt left; go on with run {}", u64::from(*run) + 1)]
    AttemptsExhausted {
        /// Label.
        label: String,
        /// The run.
        run: u32,
    },
    /// The commit of the claim failed.
    #[error(transparent)]
    Commit(#[from] CommitError),
}

impl ClaimError {
    /// CamelCase, stable.
    pub fn category(&self) -> &'static str {
        match self {
            Self::AlreadyLoaded { .. } => "AlreadyLoaded",
            Self::RunPassed { .. } => "RunPassed",
            Self::AttemptsExhausted { .. } => "AttemptsExhausted",
            Self::Commit(error) => error.category(),
        }
    }
}

impl From<TableError> for ClaimError {
    fn from(error: TableError) -> Self {
        Self::Commit(error.into())
    }
}

/// A commit that did not happen, or whose end is not known.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// A newer claim of the label stands: this process is shut out and must end.
    #[error("the claim of run {run}, attempt {attempt} on label {label} is lost: {newest} stands in the log")]
    ClaimLost {
        /// Label.
        label: String,
        /// Run of the claim that was lost.
        run: u32,
        /// Attempt of the claim that was lost.
        attempt: u32,
        /// The newest claim, in words.
        newest: String,
    },
    /// The deadline had passed before the commit.
    #[error("the deadline of the load of label {label} has passed; nothing was committed")]
    DeadlinePassed {
        /// Label.
        label: String,
    },
    /// The table's schema changed in a way that the segments do not fit.
    #[error("the table changed while label {label} was loaded: {what}; load again")]
    SchemaChanged {
        /// Label.
        label: String,
        /// What changed.
        what: String,
    },
    /// An overwrite names a partition that the table does not have.
    #[error(
        "label {label} overwrites partition {partition}, which the table does not have; nothing was committed"
    )]
    UnknownPartition {
        /// Label.
        label: String,
        /// The partition.
        partition: String,
    },
    /// Rows lie outside the partitions that are to be overwritten.
    #[error(
        "label {label} has rows for partition {partition}, which is not among those it overwrites; nothing was committed"
    )]
    PartitionOutOfScope {
        /// Label.
        label: String,
        /// The partition.
        partition: String,
    },
    /// Files that another engine wrote are in no partition: whether they are to be overwritten is not known.
    #[error(
        "label {label} overwrites partitions, and {path} of another engine is in none; overwrite the whole table, or remove that file"
    )]
    ForeignFiles {
        /// Label.
        label: String,
        /// One of the files.
        path: String,
    },
    /// A column that is to be added stands with another type.
    #[error(
        "column {column} is {stands} in the table and cannot be added as {asked}; rename it, or cast it to {stands}"
    )]
    ColumnConflict {
        /// The column.
        column: String,
        /// Its type in the table.
        stands: String,
        /// The type that was asked for.
        asked: String,
    },
    /// A newer epoch of the pipe stands: another worker has taken over, and this one must not go on.
    #[error(
        "epoch {epoch} of ledger {ledger} is over: epoch {newest} stands in the log, of a worker that has taken over"
    )]
    PipeEpochLost {
        /// The ledger.
        ledger: String,
        /// Epoch of this process.
        epoch: u32,
        /// The newest.
        newest: u32,
    },
    /// A batch of a higher number, or another of the same, is committed.
    #[error(
        "batch {number} of ledger {ledger} comes after batch {committed}, which is committed; take a higher number"
    )]
    BatchPassed {
        /// The ledger.
        ledger: String,
        /// Number of the batch.
        number: u32,
        /// The number that stands in the log.
        committed: u32,
    },
    /// The commit may or may not be durable: only a new process that reads the log can tell.
    #[error("whether version {version} of {} stands is not known: {what}", path.display())]
    OutcomeUnknown {
        /// The log's folder.
        path: PathBuf,
        /// The version that was tried.
        version: u64,
        /// What failed.
        what: String,
    },
    /// The commit could not be put into JSON.
    #[error("the commit cannot be written: {0}")]
    Unwritable(String),
    /// The table could not be read, or the commit certainly not be written.
    #[error(transparent)]
    Table(#[from] TableError),
}

impl CommitError {
    /// Whether nothing was committed for certain, and nothing will be.
    pub(crate) fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::ClaimLost { .. }
                | Self::DeadlinePassed { .. }
                | Self::SchemaChanged { .. }
                | Self::UnknownPartition { .. }
                | Self::PartitionOutOfScope { .. }
                | Self::ForeignFiles { .. }
                | Self::ColumnConflict { .. }
                | Self::PipeEpochLost { .. }
                | Self::BatchPassed { .. }
        )
    }

    /// CamelCase, stable.
    pub fn category(&self) -> &'static str {
        match self {
            Self::ClaimLost { .. } => "ClaimLost",
            Self::DeadlinePassed { .. } => "DeadlinePassed",
            Self::SchemaChanged { .. } => "SchemaChanged",
            Self::UnknownPartition { .. } => "UnknownPartition",
            Self::PartitionOutOfScope { .. } => "PartitionOutOfScope",
            Self::ForeignFiles { .. } => "ForeignFiles",
            Self::ColumnConflict { .. } => "ColumnConflict",
            Self::PipeEpochLost { .. } => "PipeEpochLost",
            Self::BatchPassed { .. } => "BatchPassed",
            Self::OutcomeUnknown { .. } => "OutcomeUnknown",
            Self::Unwritable(_) => "InternalError",
            Self::Table(error) => error.category(),
        }
    }
}

impl From<VolumeError> for CommitError {
    fn from(error: VolumeError) -> Self {
        Self::Table(error.into())
    }
}

impl From<HistoryError> for CommitError {
    fn from(error: HistoryError) -> Self {
        Self::Table(error.into())
    }
}
