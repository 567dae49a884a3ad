//! Exit codes of the worker: the first of the three ways in which it answers (design §1).
//!
//! They are stable: the operator's `podFailurePolicy` names them by number.

/// Loaded, or already loaded under this label; of `close`: the run is closed, or the label is loaded.
pub const LOADED: u8 = 0;
/// The request is wrong: nothing was touched.
pub const REQUEST: u8 = 64;
/// Too many rows did not fit, or no row arrived and `allowEmpty` is off.
pub const QUALITY: u8 = 65;
/// The source cannot be read: no such bucket, refused key, broken file.
pub const SOURCE: u8 = 66;
/// A newer attempt of this label holds the claim, or this run is passed or closed.
pub const CLAIM_LOST: u8 = 67;
/// The table refuses: another layout, an unknown feature, another table.
pub const TABLE_REFUSED: u8 = 68;
/// The deadline of the request has passed.
pub const DEADLINE: u8 = 69;
/// A fault that another attempt may not meet: store throttled, disk full, network gone.
pub const TRANSIENT: u8 = 70;
/// The commit may or may not be durable: the log must be read again before anything is said.
pub const OUTCOME_UNKNOWN: u8 = 75;
/// Stopped by SIGTERM before the end.
pub const TERMINATED: u8 = 80;
