//! History records in files of their own that no commit names, or that are folded.

use std::collections::HashSet;

use super::owners::{Owners, Wanted};
use super::{Run, VacuumKind};
use crate::history::{HISTORY_FOLDER, HistoryListing, OpenHistory, with_tail};
use crate::log::TableError;
use crate::table::Table;

/// A record that need not stay where it is.
#[derive(Debug)]
pub(super) struct Found {
    path: String,
    bytes: u64,
    label_hash: String,
    run: u32,
    is_folded: bool,
}

pub(super) fn find(table: &Table, wanted: &mut Wanted) -> Result<Vec<Found>, TableError> {
    let listing = HistoryListing::read(table.files().as_ref(), table.root())?;
    if listing.records.is_empty() {
        return Ok(Vec::new());
    }
    let (history, tail) = with_tail(table.head(), 0, u64::MAX)?;
    let named: HashSet<String> = tail.into_iter().map(|naming| naming.reference.path).collect();
    let mut found = Vec::new();
    for (name, (bytes, record)) in listing.records {
        let path = format!("{HISTORY_FOLDER}/{name}");
        if named.contains(&path) {
            continue;
        }
        let is_folded = is_folded(&history, &path)?;
        if !is_folded {
            wanted.hash(&record.label_hash);
        }
        found.push(Found { path, bytes, label_hash: record.label_hash, run: record.run, is_folded });
    }
    Ok(found)
}

fn is_folded(history: &OpenHistory, path: &str) -> Result<bool, TableError> {
    Ok(history.record_at(path)?.is_some())
}

pub(super) fn remove(
    table: &Table,
    run: &mut Run<'_>,
    found: &[Found],
    owners: &Owners,
) -> Result<(), TableError> {
    for record in found {
        let why = if record.is_folded {
            "it is folded".to_owned()
        } else {
            let Some(over) = owners.over(&record.label_hash, record.run) else {
                run.outcome.open_files += 1;
                continue;
            };
            format!("no commit names it, and {}", over.text())
        };
        run.remove(table, VacuumKind::HistoryRecord, record.path.clone(), record.bytes, &why)?;
    }
    Ok(())
}
