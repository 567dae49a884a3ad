//! What batches of pipes leave beside their ledgers: rejected rows.

use super::segments::list;
use super::{Run, VacuumKind};
use crate::log::TableError;
use crate::log::claim::check_label;
use crate::table::{PIPES_FOLDER, Table};

/// Removes the rejected rows of batches that are over, when the retention time is over. Ledgers and batch files are
/// not vacuum's: their worker removes what it does not need.
pub(super) fn remove(table: &Table, run: &mut Run<'_>) -> Result<(), TableError> {
    for ledger in list(table, PIPES_FOLDER)? {
        if !ledger.is_dir || check_label(&ledger.name).is_err() {
            continue;
        }
        let last = table.last_batch(&ledger.name)?;
        let newest = table.newest_pipe_epoch(&ledger.name)?;
        let folder = format!("{PIPES_FOLDER}/{}", ledger.name);
        for entry in list(table, &folder)?.into_iter().filter(|entry| !entry.is_dir) {
            let Some((number, epoch)) = batch_of(&entry.name) else { continue };
            // The batch of the newest epoch after the last one that was committed may still run.
            let is_over = number <= last || epoch < newest;
            if is_over && run.is_older(entry.modified, run.retention) {
                let path = format!("{folder}/{}", entry.name);
                let why = "the retention time is over";
                run.remove(table, VacuumKind::RejectedRows, path, entry.size, why)?;
            }
        }
    }
    Ok(())
}

/// Number and epoch of the batch whose rejected rows a file holds: `rejected-<number>-<epoch>.parquet`.
fn batch_of(name: &str) -> Option<(u32, u32)> {
    let (number, epoch) = name.strip_prefix("rejected-")?.strip_suffix(".parquet")?.split_once('-')?;
    Some((number.parse().ok()?, epoch.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejected_rows_are_known_by_their_batch() {
        assert_eq!(batch_of("rejected-12-3.parquet"), Some((12, 3)));
        for other in ["rejected-12.parquet", "rejected-a-3.parquet", "log-1-2", "rejected-1-2.parquet.tmp"] {
            assert_eq!(batch_of(other), None, "{other}");
        }
    }
}
