//! What the log knows of a label.

use super::{Table, TableError};
use crate::durable::SyncSite;
use crate::history::{self, HISTORY_FOLDER, HistoryError, HistoryRecord, RecordReference};
use crate::log::claim::{Claim, check_label, claim_id, load_id};
use crate::log::head::{Head, TxnNumber};

/// What became of a label so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LabelState {
    /// Never seen.
    Unknown,
    /// An attempt has claimed it, and may run.
    Claimed {
        /// Run.
        run: u32,
        /// Attempt.
        attempt: u32,
    },
    /// Its newest run ended without success.
    Closed {
        /// Run.
        run: u32,
    },
    /// Its rows are in the table.
    Loaded {
        /// Version with the rows.
        version: u64,
        /// What the load that won wrote down.
        record: Box<HistoryRecord>,
    },
}

impl Table {
    /// What the log knows of a label, at the version that was read, durable on return: whoever acts on the
    /// answer need not fear a power cut.
    pub fn label(&self, label: &str) -> Result<LabelState, TableError> {
        check_label(label)?;
        let state = if let Some((version, record)) = loaded(&self.head, label)? {
            LabelState::Loaded { version, record }
        } else {
            match newest_claim(&self.head, label)? {
                None => LabelState::Unknown,
                Some(claim) if claim.is_closing() => LabelState::Closed { run: claim.run() },
                Some(claim) => LabelState::Claimed { run: claim.run(), attempt: claim.attempt() },
            }
        };
        self.head.make_durable(SyncSite::AnswerNames)?;
        Ok(state)
    }
}

/// The newest claim of a label.
pub(super) fn newest_claim(head: &Head, label: &str) -> Result<Option<Claim>, TableError> {
    let number = head.txn(&claim_id(label))?;
    Ok(number.map(|txn| Claim::from_number(label, txn.number)))
}

/// Version and record of the load of a label, if its rows are in the table.
pub(super) fn loaded(head: &Head, label: &str) -> Result<Option<(u64, Box<HistoryRecord>)>, TableError> {
    let Some(txn) = head.txn(&load_id(label))? else { return Ok(None) };
    let (version, reference) = commit_of(head, label, txn)?;
    let record = history::read_record(head.log().files(), head.root(), &reference)?;
    Ok(Some((version, Box::new(record))))
}

/// The commit that loaded a label, and the record that it names.
fn commit_of(head: &Head, label: &str, txn: TxnNumber) -> Result<(u64, RecordReference), TableError> {
    if let Some(version) = txn.set_in
        && let Some(reference) = record_named_in(head, label, txn.number, version)?
    {
        return Ok((version, reference));
    }
    // A checkpoint says that the label is loaded, not where. The record's name says whose it is, the record
    // from which version on the commit stands that names it.
    let claim = Claim::from_number(label, txn.number);
    let prefix = history::record_prefix(label, claim.run(), claim.attempt());
    let folder = head.root().join(HISTORY_FOLDER);
    let files = head.log().files();
    let entries = files.list(&folder).map_err(|e| TableError::volume("list", &folder, e))?;
    for entry in entries.iter().filter(|entry| entry.name.starts_with(&prefix)) {
        let path = format!("{HISTORY_FOLDER}/{}", entry.name);
        let Some(read_version) = history::read_version_of(files, head.root(), &path)? else { continue };
        for version in read_version + 1..=head.version() {
            match record_named_in(head, label, txn.number, version)? {
                Some(reference) if reference.path == path => return Ok((version, reference)),
                _ => {}
            }
        }
    }
    Err(HistoryError::Missing { path: folder.join(format!("{prefix}*.json")) }.into())
}

/// The record that a version names, if it is the load of this label by this claim.
fn record_named_in(
    head: &Head,
    label: &str,
    number: i64,
    version: u64,
) -> Result<Option<RecordReference>, TableError> {
    let Some(info) = head.log().read_info(version)?.and_then(|info| info.longshore) else {
        return Ok(None);
    };
    let claim = Claim::from_number(label, number);
    let same = info.label.as_deref() == Some(label)
        && (info.run, info.attempt) == (Some(claim.run()), Some(claim.attempt()))
        && info.counts.is_some();
    Ok(info.record.filter(|_| same))
}
