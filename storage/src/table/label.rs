//! What the log knows of a label.

use super::{Table, TableError};
use crate::durable::SyncSite;
use crate::history::{self, HISTORY_FOLDER, HistoryError, HistoryRecord, OpenHistory, RecordReference};
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
        self.head.make_durable(SyncSite::LabelAnswer)?;
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
    let (version, record) = commit_of(head, label, txn)?;
    Ok(Some((version, Box::new(record))))
}

/// The commit that loaded a label, and the record that it names.
fn commit_of(head: &Head, label: &str, txn: TxnNumber) -> Result<(u64, HistoryRecord), TableError> {
    let (files, root) = (head.log().files(), head.root());
    if let Some(version) = txn.set_in
        && let Some(reference) = record_named_in(head, label, txn.number, version)?
    {
        return Ok((version, history::record_of(files, root, version, &reference)?));
    }
    // A checkpoint says that the label is loaded, not where. The folded history does; what is not folded yet
    // are the few commits around the newest checkpoint.
    let claim = Claim::from_number(label, txn.number);
    let mut folded_to = None;
    loop {
        let folded = OpenHistory::open(files, root)?;
        if let Some(record) = folded.load_of(label, claim.run(), claim.attempt())? {
            let entry = record.into_entry(root)?;
            return Ok((entry.version, entry.record));
        }
        for version in folded.next..=head.version() {
            if let Some(reference) = record_named_in(head, label, txn.number, version)? {
                return Ok((version, history::record_of(files, root, version, &reference)?));
            }
        }
        // Unless other processes fold meanwhile, it is not there.
        if folded_to.replace(folded.next) == Some(folded.next) {
            let path = root.join(HISTORY_FOLDER);
            return Err(HistoryError::Untold { path, label: label.to_owned() }.into());
        }
    }
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
