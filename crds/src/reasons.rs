//! Reasons of conditions and events that this crate's users set themselves; a load's own reasons come from
//! its [`LoadReport`](crate::LoadReport).

/// The rows are in the table.
pub const LOADED: &str = "Loaded";
/// The rows are in the table, but for those that did not fit.
pub const LOADED_WITH_FILTERED_ROWS: &str = "LoadedWithFilteredRows";
/// The rows are in the table, but for files that could not be read.
pub const LOADED_WITH_SKIPPED_FILES: &str = "LoadedWithSkippedFiles";
/// Everything was checked and nothing loaded.
pub const DRY_RUN: &str = "DryRun";
/// Not started yet.
pub const PENDING: &str = "Pending";
/// A load runs.
pub const LOADING: &str = "Loading";
/// The load was stopped before its end and goes on when it is started again.
pub const INTERRUPTED: &str = "Interrupted";
/// Not applied yet: the Table.
pub const TABLE_NOT_FOUND: &str = "TableNotFound";
/// The Table has no table on its volume yet.
pub const TABLE_NOT_READY: &str = "TableNotReady";
/// Another LoadJob holds this label of this Table.
pub const LABEL_IN_USE: &str = "LabelInUse";
/// The table is on its volume and can take loads.
pub const TABLE_READY: &str = "TableReady";
/// The spec cannot be done; its message says which field.
pub const INVALID_SPEC: &str = "InvalidSpec";
/// The table on the volume is not the one that the spec declares.
pub const SCHEMA_DIFFERS: &str = "SchemaDiffers";
/// A commit was begun and its end could not be learned.
pub const OUTCOME_UNKNOWN: &str = "OutcomeUnknown";
/// The worker met a run that is higher or closed; the next run number starts.
pub const RUN_PASSED: &str = "RunPassed";
/// The object of another name that an object of ours would need belongs to someone else.
pub const NAME_TAKEN: &str = "NameTaken";
/// A ServiceAccount that the operator's configuration does not allow.
pub const SERVICE_ACCOUNT_NOT_ALLOWED: &str = "ServiceAccountNotAllowed";
/// The Job of the run is made; its pod has not started yet.
pub const STARTING: &str = "Starting";
/// The pod waits for a Secret.
pub const SECRET_MISSING: &str = "SecretMissing";
/// The pod waits for a volume.
pub const VOLUME_NOT_READY: &str = "VolumeNotReady";
/// The pod waits for a node that it may run on.
pub const UNSCHEDULABLE: &str = "Unschedulable";
/// The image of the pod cannot be pulled.
pub const IMAGE_PULL_FAILED: &str = "ImagePullFailed";
/// The container cannot be made from its image.
pub const CONTAINER_NOT_STARTED: &str = "ContainerNotStarted";
/// The namespace takes no such pod: a quota, or an admission policy.
pub const POD_REFUSED: &str = "PodRefused";
/// The worker was killed because it took more memory than its limit.
pub const OUT_OF_MEMORY: &str = "OutOfMemory";
/// Workers ended again and again without saying why.
pub const WORKER_FAILED: &str = "WorkerFailed";
/// The run's Job was deleted by somebody else.
pub const JOB_DELETED: &str = "JobDeleted";
/// The node of the worker does not answer; its pod cannot be ended.
pub const NODE_LOST: &str = "NodeLost";
/// The load is being given up.
pub const CANCELLING: &str = "Cancelling";
/// Its time is over, and it is being given up.
pub const TIMING_OUT: &str = "TimingOut";
/// What became of the run is being read from the table's log.
pub const RESOLVING: &str = "Resolving";
/// A person gave the load up.
pub const USER_CANCELLED: &str = "UserCancelled";
/// The load did not end within `timeoutSeconds`.
pub const TIMEOUT: &str = "Timeout";
/// The rows are in the table's log.
pub const COMMITTED: &str = "Committed";
/// The spec was changed, and the next run starts.
pub const SPEC_CHANGED: &str = "SpecChanged";
/// The table is being made on its volume.
pub const CREATING: &str = "Creating";
/// Columns are being added to the table.
pub const ALTERING: &str = "Altering";
/// The claim that the Table names is not there yet.
pub const CLAIM_NOT_FOUND: &str = "ClaimNotFound";
/// The claim that held the table is gone, or another one has its name.
pub const CLAIM_GONE: &str = "ClaimGone";
/// A claim of the name that is needed is being deleted.
pub const CLAIM_BEING_DELETED: &str = "ClaimBeingDeleted";
/// A claim of the name that is needed is someone else's.
pub const CLAIM_TAKEN: &str = "ClaimTaken";
/// The claim has lost its volume.
pub const CLAIM_LOST: &str = "ClaimLost";
/// The apiserver does not take the claim.
pub const CLAIM_REFUSED: &str = "ClaimRefused";
/// Where a table lies cannot be changed once it exists.
pub const STORAGE_FIXED: &str = "StorageFixed";
/// The volume is growing.
pub const EXPANDING: &str = "Expanding";
/// The apiserver refuses to let the volume grow.
pub const EXPANSION_REFUSED: &str = "ExpansionRefused";
/// The pipe lists and loads.
pub const INGESTING: &str = "Ingesting";
/// The pipe is stopped by `suspend`.
pub const SUSPENDED: &str = "Suspended";
/// The worker of the pipe is being stopped.
pub const STOPPING: &str = "Stopping";
/// Every file that was listed is loaded or left alone.
pub const FINISHED: &str = "Finished";
/// The pipe ended, and files are in ERROR.
pub const FILES_IN_ERROR: &str = "FilesInError";
/// The worker of the pipe does not answer.
pub const PROGRESS_UNREACHABLE: &str = "ProgressUnreachable";
/// An older Pipe has this ledger of this Table.
pub const LEDGER_IN_USE: &str = "LedgerInUse";
/// An older Pipe loads files of the same paths into this Table.
pub const SOURCE_OVERLAPS: &str = "SourceOverlaps";
