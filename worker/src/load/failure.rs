//! Why a load did not load: one enum over the errors of all steps, with what follows from each.

use longshore_crds::{FormatError, RequestError, exit};
use longshore_storage::load::{FileReport, RejectedError};
use longshore_storage::table::{ClaimError, CommitError, TableError};
use longshore_storage::tablet::TabletError;

use super::ratio::RatioError;
use super::totals::Details;
use crate::convert::{ConvertError, MappingError, ZoneError};
use crate::decode::DecodeError;
use crate::select::SelectError;
use crate::source::{ManifestError, SourceError};

/// A load's end without success.
#[derive(Debug, thiserror::Error)]
pub enum LoadFailure {
    /// The request itself.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The request's ratio.
    #[error(transparent)]
    Ratio(#[from] RatioError),
    /// The request's time zone.
    #[error(transparent)]
    Zone(#[from] ZoneError),
    /// A declared default does not fit its column.
    #[error(transparent)]
    Default(MappingError),
    /// The deadline of the request is no instant.
    #[error("execution.deadline {text:?} is not an RFC 3339 instant: {error}")]
    InvalidDeadline {
        /// As written.
        text: String,
        /// What chrono says.
        error: chrono::ParseError,
    },
    /// The request's columns do not fit the table.
    #[error("sources[{source_index}].columns: {error}")]
    Columns {
        /// Index of the source.
        source_index: usize,
        /// What does not fit.
        error: MappingError,
    },
    /// The request's format has options that cannot be used.
    #[error("sources[{source_index}].format: {error}")]
    Format {
        /// Index of the source.
        source_index: usize,
        /// What cannot be used.
        error: Box<FormatError>,
    },
    /// A source's expressions or columns of the path.
    #[error(transparent)]
    Select(SelectError),
    /// A file's columns do not fit the table.
    #[error(transparent)]
    Mapping(#[from] MappingError),
    /// The columns of the files cannot be added to the table.
    #[error(
        "the columns of the files cannot be added to the table: {reason}; rename them, or list the columns to load"
    )]
    Drift {
        /// What is wrong.
        reason: String,
    },
    /// Listing or reading.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A manifest, or what it names.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// Decoding.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// Converting.
    #[error(transparent)]
    Convert(#[from] ConvertError),
    /// Writing tablets.
    #[error(transparent)]
    Tablet(#[from] TabletError),
    /// Writing rejected rows.
    #[error(transparent)]
    Rejected(#[from] RejectedError),
    /// The table or its volume.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The claim.
    #[error(transparent)]
    Claim(#[from] ClaimError),
    /// The commit.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// The rows of a file do not add up.
    #[error(
        "{file}: the rows do not add up: the footer announces {announced}, read {}, loaded {}, filtered {}, \
         unselected {}; nothing was loaded", report.read, report.loaded, report.filtered, report.unselected
    )]
    RowAccounting {
        /// The file.
        file: String,
        /// Rows in the footer.
        announced: u64,
        /// What was counted.
        report: FileReport,
    },
    /// The writer gave back another number of rows than it took.
    #[error(
        "task {task}: {loaded} rows went into the tablet writer and {written} came out; nothing was loaded"
    )]
    LostRows {
        /// The task.
        task: u32,
        /// Rows in.
        loaded: u64,
        /// Rows out.
        written: u64,
    },
    /// Too many rows did not fit.
    #[error(
        "{filtered} of {} rows do not fit, more than maxFilterRatio {ratio} allows; {hint}", filtered + loaded
    )]
    Quality {
        /// Rows that did not fit.
        filtered: u64,
        /// Rows that did.
        loaded: u64,
        /// The ratio as written.
        ratio: String,
        /// The first bad row, and where the rejected rows lie.
        hint: String,
        /// The figures.
        details: Box<Details>,
    },
    /// No row arrived.
    #[error("{files} files hold no row that fits; set allowEmpty: true if that is as it should be")]
    EmptyLoad {
        /// Files of the plan.
        files: u64,
        /// The figures.
        details: Box<Details>,
    },
    /// More files cannot be read than may be skipped.
    #[error("more than maxSkippedFiles ({limit}) files cannot be read; the last: {last}")]
    TooManySkippedFiles {
        /// Files that may be skipped.
        limit: u32,
        /// Why the one beyond was not read.
        last: Box<LoadFailure>,
    },
    /// No file could be read.
    #[error("none of the {files} files can be read; the first: {first}")]
    AllFilesSkipped {
        /// Files.
        files: u64,
        /// Why the first was not read.
        first: String,
        /// The figures.
        details: Box<Details>,
    },
    /// A newer attempt of the same run is at work.
    #[error("a newer attempt of this load is at work; it says how the load ends")]
    Superseded,
    /// The deadline has passed.
    #[error("the load did not end within its timeout; raise timeoutSeconds, or load fewer files at once")]
    Deadline,
    /// Stopped from outside.
    #[error(
        "stopped before the commit; nothing is visible, and the same load goes on where it stood when it is started again"
    )]
    Cancelled,
    /// A thread of the worker died.
    #[error("the worker failed inside: {message}")]
    Internal {
        /// What is known.
        message: String,
    },
}

impl From<SelectError> for LoadFailure {
    fn from(error: SelectError) -> Self {
        match error {
            SelectError::Columns(error) => Self::Mapping(error),
            other => Self::Select(other),
        }
    }
}

impl LoadFailure {
    /// CamelCase, stable: reason of conditions and events, label of metrics.
    pub fn category(&self) -> &'static str {
        match self {
            Self::Request(_)
            | Self::Ratio(_)
            | Self::Zone(_)
            | Self::Format { .. }
            | Self::InvalidDeadline { .. } => "InvalidRequest",
            Self::Columns { error, .. } | Self::Mapping(error) | Self::Default(error) => error.category(),
            Self::Select(error) => error.category(),
            Self::Drift { .. } => "CannotAddColumn",
            Self::Source(error) => error.category(),
            Self::Decode(error) => error.category(),
            Self::Convert(error) => error.category(),
            Self::Tablet(error) => error.category(),
            Self::Rejected(error) => error.category(),
            Self::Table(error) => error.category(),
            Self::Claim(error) => error.category(),
            Self::Commit(error) => error.category(),
            Self::RowAccounting { .. } | Self::LostRows { .. } => "RowAccounting",
            Self::Quality { .. } => "DataQuality",
            Self::EmptyLoad { .. } => "EmptyLoad",
            Self::TooManySkippedFiles { .. } => "TooManySkippedFiles",
            Self::AllFilesSkipped { .. } => "AllFilesSkipped",
            Self::Manifest(error) => error.category(),
            Self::Deadline => "Timeout",
            Self::Superseded => "Superseded",
            Self::Cancelled => "Terminated",
            Self::Internal { .. } => "Internal",
        }
    }

    /// With `RunPassed`: the run that the log holds, which is higher, or is this one and closed.
    pub(super) fn newest_run(&self) -> Option<u32> {
        match self {
            Self::Claim(ClaimError::RunPassed { run, .. }) => Some(*run),
            _ => None,
        }
    }

    /// The figures, where the load came that far.
    pub(super) fn details(&self) -> Option<&Details> {
        match self {
            Self::Quality { details, .. }
            | Self::EmptyLoad { details, .. }
            | Self::AllFilesSkipped { details, .. } => Some(details),
            _ => None,
        }
    }

    /// The worker's exit code (`crds/exit.rs`).
    pub fn exit_code(&self) -> u8 {
        match self.category() {
            "DiskFull" | "VolumeError" | "ReadOnlyVolume" => return exit::TRANSIENT,
            "OutcomeUnknown" => return exit::OUTCOME_UNKNOWN,
            // Only an edit mends these: another attempt would meet the same bound.
            "MemoryBudgetTooSmall"
            | "UnsupportedDistribution"
            | "TooManyPartitions"
            | "InvalidLabel"
            | "InvalidPath" => {
                return exit::REQUEST;
            }
            _ => {}
        }
        match self {
            Self::Request(_)
            | Self::Ratio(_)
            | Self::Zone(_)
            | Self::Default(_)
            | Self::InvalidDeadline { .. }
            | Self::Format { .. }
            | Self::Columns { .. } => exit::REQUEST,
            Self::Select(SelectError::MissingPathKey { .. }) => exit::SOURCE,
            Self::Select(_) => exit::REQUEST,
            Self::Quality { .. } | Self::EmptyLoad { .. } => exit::QUALITY,
            Self::Source(error) => source_exit(error),
            Self::Decode(DecodeError::Source(error)) => source_exit(error),
            Self::Drift { .. }
            | Self::TooManySkippedFiles { .. }
            | Self::AllFilesSkipped { .. }
            | Self::Manifest(_)
            | Self::Decode(_)
            | Self::Mapping(_)
            | Self::Convert(_)
            | Self::RowAccounting { .. } => exit::SOURCE,
            Self::Table(_) => exit::TABLE_REFUSED,
            Self::Claim(ClaimError::Commit(error)) | Self::Commit(error) => commit_exit(error),
            Self::Claim(_) | Self::Superseded => exit::CLAIM_LOST,
            Self::Deadline => exit::DEADLINE,
            Self::Cancelled => exit::TERMINATED,
            Self::Tablet(_) | Self::Rejected(_) | Self::LostRows { .. } | Self::Internal { .. } => {
                exit::TRANSIENT
            }
        }
    }

    /// Whether one file alone is at fault: it is damaged, of another kind, without a column that it must have,
    /// gone or changed since it was listed. A load may go on without it (`onFileError: SkipFile`). What the
    /// store, the volume, the request, the table or the worker is to blame for is no file's.
    pub fn is_of_file(&self) -> bool {
        match self {
            Self::Source(error) | Self::Decode(DecodeError::Source(error)) => error.is_of_object(),
            Self::Decode(DecodeError::MemoryBudgetTooSmall { .. } | DecodeError::PartTooLarge { .. }) => {
                false
            }
            Self::Decode(_) | Self::Convert(ConvertError::Arrow { .. }) => true,
            Self::Mapping(error) | Self::Convert(ConvertError::Mapping(error)) => error.is_of_file(),
            // The footer lies.
            Self::RowAccounting { announced, report, .. } => *announced != report.read,
            _ => false,
        }
    }

    /// Whether another attempt with the same request would fail alike: then the run is closed.
    pub fn is_final(&self) -> bool {
        matches!(self.exit_code(), exit::REQUEST | exit::QUALITY | exit::SOURCE | exit::DEADLINE)
    }
}

fn commit_exit(error: &CommitError) -> u8 {
    match error {
        CommitError::OutcomeUnknown { .. } => exit::OUTCOME_UNKNOWN,
        CommitError::DeadlinePassed { .. } => exit::DEADLINE,
        CommitError::ClaimLost { .. } | CommitError::PipeEpochLost { .. } => exit::CLAIM_LOST,
        CommitError::SchemaChanged { .. } | CommitError::BatchPassed { .. } => exit::TRANSIENT,
        CommitError::UnknownPartition { .. }
        | CommitError::PartitionOutOfScope { .. }
        | CommitError::ColumnConflict { .. } => exit::REQUEST,
        CommitError::ForeignFiles { .. } | CommitError::Table(_) | CommitError::Unwritable(_) => {
            exit::TABLE_REFUSED
        }
    }
}

fn source_exit(error: &SourceError) -> u8 {
    if matches!(error, SourceError::Cancelled) {
        exit::TERMINATED
    } else if error.is_transient() {
        exit::TRANSIENT
    } else {
        exit::SOURCE
    }
}
