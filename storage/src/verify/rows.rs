//! The history: each record has its digest and adds up, and all of them together account for the rows that
//! are in the table.

use super::segments::Counted;
use super::{Run, Severity};
use crate::history::{HISTORY_FOLDER, HistoryEntry, HistoryFilter, HistoryListing, HistoryOutcome};
use crate::log::TableError;
use crate::log::claim::Claim;
use crate::table::Table;

/// What the history says together.
#[derive(Debug, Default)]
struct Told {
    loaded: u64,
    removed: u64,
    /// Loads, and a sum over them that does not depend on their order.
    loads: Loads,
    /// Whether a record could not be read.
    is_partial: bool,
}

/// Loads by label and claim.
#[derive(Debug, Default, PartialEq, Eq)]
struct Loads {
    count: u64,
    sum: u64,
}

impl Loads {
    fn add(&mut self, label: &str, number: i64) {
        use std::hash::{DefaultHasher, Hash, Hasher};
        let mut hasher = DefaultHasher::new();
        (label, number).hash(&mut hasher);
        self.count += 1;
        self.sum = self.sum.wrapping_add(hasher.finish());
    }
}

pub(super) fn check(table: &Table, run: &mut Run<'_>, counted: &Counted) -> Result<(), TableError> {
    check_folder(table, run)?;
    let Some(history) = run.take(table.history(&HistoryFilter::default()))? else { return Ok(()) };
    let mut told = Told::default();
    for entry in history {
        match run.take(entry)? {
            Some(entry) => tell(run, &mut told, &entry),
            None => told.is_partial = true,
        }
    }
    if told.is_partial {
        return Ok(());
    }
    let mut loads = Loads::default();
    let visited = table.head().visit_txns(|txn| {
        if let Some(label) = txn.app_id.strip_prefix("load/") {
            loads.add(label, txn.version);
        }
        Ok(())
    });
    if run.take(visited)?.is_some() && loads != told.loads {
        let what = format!(
            "the log knows {} labels as loaded, the history tells of {} loads, and they are not the same",
            loads.count, told.loads.count
        );
        run.find(Severity::Error, HISTORY_FOLDER, what, "restore the folder from a backup");
    }
    let expected = told.loaded.saturating_sub(told.removed);
    if expected != counted.rows {
        let what = format!(
            "the history accounts for {} rows ({} loaded, {} overwritten), the table has {}",
            expected, told.loaded, told.removed, counted.rows
        );
        if counted.foreign > 0 {
            run.find(
                Severity::Info,
                "",
                what,
                "another engine wrote to the table: no one can tell whether that is all",
            );
        } else {
            let advice = "find out by time travel which version lost or gained rows, and who wrote it";
            run.find(Severity::Error, "", what, advice);
        }
    }
    Ok(())
}

fn check_folder(table: &Table, run: &mut Run<'_>) -> Result<(), TableError> {
    let listing = HistoryListing::read(table.files().as_ref(), table.root())?;
    let next = listing.cover().next;
    if let Some(file) = listing.folded.iter().find(|file| file.from > next) {
        let what = format!("the folded history of the versions {next} to {} is missing", file.from - 1);
        run.find(Severity::Error, HISTORY_FOLDER, what, "restore the folder from a backup");
    }
    Ok(())
}

fn tell(run: &mut Run<'_>, told: &mut Told, entry: &HistoryEntry) {
    run.outcome.records += 1;
    let record = &entry.record;
    told.removed += entry.removed_rows;
    if record.outcome == HistoryOutcome::Loaded {
        told.loaded += record.counts.sink_rows;
        told.loads.add(&record.label, Claim::new(&record.label, record.run, record.attempt).number());
    }
    if let Some(what) = does_not_add_up(entry) {
        let label = &record.label;
        let what =
            format!("the record of label {label} in version {} does not add up: {what}", entry.version);
        let advice = "compare the source's rows with the table's, and load what is missing under a new label";
        run.find(Severity::Error, HISTORY_FOLDER, what, advice);
    }
}

fn does_not_add_up(entry: &HistoryEntry) -> Option<String> {
    let record = &entry.record;
    if record.outcome != HistoryOutcome::Loaded {
        return None;
    }
    let counts = record.counts;
    let parts = counts.sink_rows + counts.filtered_rows + counts.unselected_rows;
    if counts.scan_rows != parts {
        return Some(format!("{} rows were read and {parts} accounted for", counts.scan_rows));
    }
    let bad = record.files.iter().find(|file| file.read != file.loaded + file.filtered + file.unselected);
    if let Some(file) = bad {
        return Some(format!("of file {} {} rows were read", file.key, file.read));
    }
    let loaded: u64 = record.files.iter().map(|file| file.loaded).sum();
    (!record.files.is_empty() && loaded != counts.sink_rows)
        .then(|| format!("its files have {loaded} rows, the load {}", counts.sink_rows))
}
