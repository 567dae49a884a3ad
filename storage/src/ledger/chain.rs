//! Which files of the folder tell the ledger, without a gap: the one that reaches farthest, and from it back,
//! each by the place that the one after it says is before it.
//!
//! A worker that was shut out may go on for a while to write files of its own epoch. They are in no chain: the log
//! of a newer epoch names what it was made of. And it removes nothing: whoever merges files looks, once the merged
//! one has its name, whether its epoch is still the newest. If it is, a newer epoch has yet to list the folder, and
//! will find the merged file; else that file goes, and what it was made of stays.

use std::io;
use std::path::Path;

use super::error::LedgerError;
use super::log_file::{LogContents, read_log};
use super::meta::Meta;
use super::names::{Kind, LedgerFile, Place};
use super::sorted::SortedFile;
use crate::durable::FileSystem;

/// How often the folder is read again because what it showed was merged meanwhile.
const LOOKS: usize = 100;

/// The files that tell a ledger.
#[derive(Debug, Default)]
pub(super) struct Chain {
    /// Sorted files, the oldest first: a later one's entries take the place of an earlier one's.
    pub(super) sorted: Vec<(LedgerFile, SortedFile)>,
    /// What was recorded behind them.
    pub(super) log: Option<LogContents>,
    /// Everything in the folder that is named as a file of the ledger.
    pub(super) listed: Vec<LedgerFile>,
}

impl Chain {
    /// Head of the file that reaches farthest; `None`: there is nothing.
    pub(super) fn newest(&self) -> Option<&Meta> {
        let sorted = || self.sorted.last().map(|(_, file)| &file.meta);
        self.log.as_ref().map(|log| &log.meta).or_else(sorted)
    }

    /// Reads the folder until it holds still.
    pub(super) fn open(files: &dyn FileSystem, folder: &Path) -> Result<Self, LedgerError> {
        let mut looks = 0;
        loop {
            let listed = list_still(files, folder)?;
            match follow(files, folder, &listed) {
                Ok(Some(chain)) => return Ok(Self { listed, ..chain }),
                // It was merged into another one between the two calls.
                Ok(None) if looks < LOOKS => looks += 1,
                Ok(None) => {
                    let what = "its files go while they are read".to_owned();
                    return Err(LedgerError::Missing { path: folder.to_owned(), what });
                }
                // So may one that is missed have been.
                Err(error @ LedgerError::Missing { .. }) => {
                    if looks == LOOKS || list(files, folder)? == listed {
                        return Err(error);
                    }
                    looks += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// Lists the folder until it holds still: readdir(3) is no snapshot, and where a file takes the place of others
/// meanwhile, one listing may show neither, and the ledger would seem to end before them.
fn list_still(files: &dyn FileSystem, folder: &Path) -> Result<Vec<LedgerFile>, LedgerError> {
    let mut listed = list(files, folder)?;
    for _ in 0..LOOKS {
        let again = list(files, folder)?;
        if again == listed {
            break;
        }
        listed = again;
    }
    Ok(listed)
}

/// The ledger's files in its folder.
pub(super) fn list(files: &dyn FileSystem, folder: &Path) -> Result<Vec<LedgerFile>, LedgerError> {
    let entries = match files.list(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(LedgerError::volume("list", folder, error)),
    };
    let entries = entries.into_iter().filter(|entry| !entry.is_dir);
    // A log grows: its size tells nothing.
    let mut listed: Vec<_> = entries.filter_map(|entry| LedgerFile::parse(&entry.name, 0)).collect();
    listed.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(listed)
}

/// `None`: a file went meanwhile.
fn follow(
    files: &dyn FileSystem,
    folder: &Path,
    listed: &[LedgerFile],
) -> Result<Option<Chain>, LedgerError> {
    let mut chain = Chain::default();
    let farthest = |file: &&LedgerFile| {
        (file.last, std::cmp::Reverse(file.first), file.kind, std::cmp::Reverse(file.name.clone()))
    };
    let Some(newest) = listed.iter().max_by_key(farthest) else { return Ok(Some(chain)) };
    let mut before = if newest.kind == Kind::Log {
        let Some(log) = read_log(files, folder, newest)? else { return Ok(None) };
        let previous = log.meta.previous;
        chain.log = Some(log);
        previous
    } else {
        let Some(file) = SortedFile::open(files, folder, newest)? else { return Ok(None) };
        let previous = file.meta.previous;
        chain.sorted.push((newest.clone(), file));
        previous
    };
    while let Some(place) = before {
        let ending = listed.iter().filter(|file| file.kind == Kind::Sorted && file.last == place);
        let Some(found) = ending.min_by_key(|file| (file.first, &file.name)) else {
            return Err(missing(folder, place));
        };
        let Some(file) = SortedFile::open(files, folder, found)? else { return Ok(None) };
        before = file.meta.previous;
        if before.is_some_and(|before| before >= place) {
            return Err(LedgerError::damaged(
                &folder.join(&found.name),
                "it does not come after what it follows",
            ));
        }
        chain.sorted.push((found.clone(), file));
    }
    chain.sorted.reverse();
    Ok(Some(chain))
}

fn missing(folder: &Path, place: Place) -> LedgerError {
    let what = format!("part {} of epoch {}", place.number, place.epoch);
    LedgerError::Missing { path: folder.to_owned(), what }
}
