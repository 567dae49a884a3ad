//! History: one record for each load that ended, durable before the commit that names it (design §10).
//!
//! A record counts only when a commit names its path and digest: one that lies there without is what a
//! process left that died before its commit. Records that count are folded into a few append-only Parquet
//! files, so that the commits which name them can be removed from the log.

use std::path::Path;

mod entry;
mod error;
mod fold;
mod folded;
mod listing;
mod names;
mod read;
mod record;

pub use entry::HistoryEntry;
pub use error::HistoryError;
pub use fold::FoldOutcome;
pub use read::{History, HistoryFilter};
pub use record::{
    HistoryCounts, HistoryFailure, HistoryFile, HistoryOutcome, HistoryRecord, HistoryRowError, HistoryTimes,
    RecordReference,
};

pub(crate) use entry::Naming;
pub(crate) use fold::fold;
pub(crate) use listing::HistoryListing;
pub(crate) use names::HistoryName;
pub(crate) use read::{OpenHistory, history, record_of, with_tail};
pub(crate) use record::write_record;

/// Folder of the records, below the table's.
pub(crate) const HISTORY_FOLDER: &str = "_longshore/history";

/// Whether a path that a commit names can only be a record.
pub(crate) fn is_record_path(path: &str) -> bool {
    let path = Path::new(path);
    path.parent() == Some(Path::new(HISTORY_FOLDER))
        && path
            .file_name()
            .and_then(|name| name.to_str())
            .is_some_and(|name| matches!(HistoryName::parse(name), HistoryName::Record(_)))
}
