//! The API of `longshore.dev/v1alpha1`, and what passes between the operator and the worker. No I/O here.
#![allow(rustdoc::invalid_html_tags, reason = "doc comments of fields are what kubectl explain prints")]

pub mod conditions;
mod crd;
pub mod exit;
pub mod format;
mod json_path;
mod load_status;
mod loadjob;
mod partition;
mod pipe;
mod pipe_progress;
mod pipe_request;
mod pipe_status;
pub mod reasons;
mod report;
mod request;
mod separator;
pub mod source;
mod table;
mod table_request;
mod table_storage;
mod termination;
mod text_options;
mod worker_spec;

pub use crd::{API_VERSION, GROUP, definition, definition_file, definitions, schema};
pub use json_path::{JsonPath, JsonPathError, JsonStep};
pub use load_status::loaded_reason;
pub use loadjob::{
    Closing, ClosingOutcome, DryRun, LoadError, LoadExecution, LoadJob, LoadJobSpec, LoadJobStatus,
    LoadState, RejectedRecords,
};
pub use partition::{
    DateTruncSpec, DateUnitSpec, ListPartitionSpec, ListPartitionsSpec, PartitionTermSpec,
    RangePartitionSpec, RangePartitionsSpec,
};
pub use pipe::{
    AfterLoad, AfterLoadAction, ObjectTag, OnObjectChange, Pipe, PipeLoad, PipeRetry, PipeSpec, StartFrom,
};
pub use pipe_progress::{
    AfterLoadProgress, BatchProgress, PIPE_PROGRESS_LIMIT, PIPE_PROGRESS_VERSION, PipeProgress, SourceState,
    UNSUPPORTED_STORE,
};
pub use pipe_request::{InvalidBatchSize, PIPE_REQUEST_VERSION, PipeRequest};
pub use pipe_status::{FailedFile, MAX_FAILED_FILES, PipeState, PipeStatus, RUN_AGAIN};
pub use report::{
    DryRunVerdict, LOAD_REPORT_VERSION, LoadCounts, LoadReport, LoadTimes, Outcome, RowError, SkippedFile,
    TERMINATION_MESSAGE_LIMIT,
};
pub use request::{
    Execution, LOAD_REQUEST_VERSION, LoadMode, LoadRequest, OnFileError, OnMissingColumn, RequestError,
    SchemaDrift,
};
pub use separator::{MAX_SEPARATOR_BYTES, SeparatorError, parse_separator};
pub use table::{
    ColumnOrigin, ColumnSpec, ColumnStatus, DistributionSpec, HashDistribution, InferFrom, InferredColumn,
    KeySpec, KeyType, LastLoad, RandomDistribution, Table, TableJob, TableProblem, TableSpec, TableStatus,
};
pub use table_request::{
    MaintenanceReport, TABLE_REPORT_VERSION, TABLE_REQUEST_VERSION, TableFigures, TableOutcome, TableReport,
    TableRequest, TableTask,
};
pub use table_storage::{AccessMode, CompressionSpec, MaintenanceSpec, ReclaimPolicy, StorageSpec};
pub use termination::cut_to;
pub use text_options::{CsvBytes, FormatError, JsonPaths};
pub use worker_spec::{
    RequirementOperator, TaintEffect, TolerationOperator, WhenUnsatisfiable, WorkerNodeAffinity,
    WorkerNodeSelector, WorkerNodeTerm, WorkerPreferredTerm, WorkerQuantity, WorkerRequirement,
    WorkerResources, WorkerSpec, WorkerSpread, WorkerToleration, is_reserved,
};
