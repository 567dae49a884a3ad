//! Reasons of conditions and events that this crate's users set themselves; a load's own reasons come from
//! its [`LoadReport`](crate::LoadReport).

/// The rows are in the table.
pub const LOADED: &str = "Loaded";
/// The rows are in the table, but for those that did not fit.
pub const LOADED_WITH_FILTERED_ROWS: &str = "LoadedWithFilteredRows";
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
