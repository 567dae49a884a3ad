//! The file ledger of a pipe (design §6): which files are known, by bucket, key and ETag, and where each stands.
//!
//! A ledger belongs to its table: it lies in `_longshore/pipes/<ledger>/`, and what it says of loaded files
//! follows from the table's log. FINISHED comes only from a commit that names the batch; the ledger remembers up to
//! which version it has followed the log, and reads on from there when a worker begins. So a ledger that is lost
//! as a whole is made again from the history, and one that lost its newest part completes itself.
//!
//! Records are appended to the log of the epoch (one writer each) and held in memory; from time to time they are
//! merged into sorted immutable files, like runs of an LSM tree, each about twice the one after it. A look-up in
//! the order of keys, as stores list them, reads each block of those once; in memory are their indexes and what
//! was recorded last. `docs/decisions/0070-file-ledger.md` says why.

use std::path::{Path, PathBuf};

mod batch;
mod block;
mod chain;
mod codec;
mod entry;
mod error;
mod frame;
mod history;
mod key;
mod log_file;
mod merge;
mod meta;
mod names;
mod reader;
mod settled;
mod sorted;
mod writer;

pub use batch::{BatchFile, BatchFileEntry};
pub use entry::{BatchId, FileEntry, FileEvent, FileFault, FileState};
pub use error::LedgerError;
pub use key::FileKey;
pub use meta::{LedgerCount, LedgerTotals};
pub use reader::{LedgerReader, ledgers};
pub use settled::{LoadedBatch, OpenFile, Settled};
pub use writer::{Ledger, LedgerOptions};

pub(crate) use crate::table::PIPES_FOLDER;

/// The folder of a ledger.
fn folder(root: &Path, ledger: &str) -> PathBuf {
    root.join(PIPES_FOLDER).join(ledger)
}
