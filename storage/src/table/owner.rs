//! Who commits a load: the attempt that holds the claim of a label, or the worker that holds the epoch of a
//! pipe. What else a load does to the table is the same for both.

use super::label::{loaded, newest_claim};
use super::pipe::newest_epoch;
use super::{Batch, Claim, CommitError, CommitOutcome, TableError};
use crate::log::actions::LongshoreInfo;
use crate::log::claim::load_id;
use crate::log::conflict::{Change, Operation};
use crate::log::head::Head;

/// Who commits a load.
pub(super) enum Owner<'a> {
    /// An attempt of a label.
    Claim(&'a Claim),
    /// A batch of a pipe.
    Batch(&'a Batch),
}

impl Owner<'_> {
    /// The name of the load.
    pub(super) fn label(&self) -> &str {
        match self {
            Self::Claim(claim) => claim.label(),
            Self::Batch(batch) => batch.label(),
        }
    }

    /// The number that the commit sets: by it its writer finds it again.
    pub(super) fn txn(&self) -> (String, i64) {
        match self {
            Self::Claim(claim) => (load_id(claim.label()), claim.number()),
            Self::Batch(batch) => (batch.app_id(), batch.number().into()),
        }
    }

    /// What the commit says of it.
    pub(super) fn info(&self) -> LongshoreInfo {
        match self {
            Self::Claim(claim) => LongshoreInfo {
                label: Some(claim.label().to_owned()),
                run: Some(claim.run()),
                attempt: Some(claim.attempt()),
                ..LongshoreInfo::default()
            },
            Self::Batch(batch) => LongshoreInfo {
                label: Some(batch.label().to_owned()),
                run: Some(batch.epoch().number()),
                attempt: Some(batch.number()),
                batch: Some(batch.path()),
                ..LongshoreInfo::default()
            },
        }
    }

    /// How the load ended, if it is in the table. `tried`: the version that was tried last, if that try is not
    /// known to have failed.
    pub(super) fn ended(
        &self,
        head: &Head,
        operation: Operation,
        tried: Option<u64>,
    ) -> Result<Option<CommitOutcome>, CommitError> {
        match self {
            Self::Claim(claim) => label_ended(claim, head, operation, tried),
            Self::Batch(batch) => batch_ended(batch, head, tried),
        }
    }

    /// Refuses an owner that was shut out.
    pub(super) fn may_commit(
        &self,
        head: &Head,
        operation: Operation,
        tried: Option<u64>,
    ) -> Result<(), CommitError> {
        match self {
            Self::Claim(claim) => holds_claim(claim, head, operation),
            Self::Batch(batch) => holds_epoch(batch, head, operation, tried),
        }
    }
}

/// How a load ended, if its label is loaded.
fn label_ended(
    claim: &Claim,
    head: &Head,
    operation: Operation,
    tried: Option<u64>,
) -> Result<Option<CommitOutcome>, CommitError> {
    let label = claim.label();
    let Some(txn) = head.txn(&load_id(label))? else { return Ok(None) };
    if !operation.stops_on(Change::LabelLoaded) {
        return Ok(None);
    }
    let own = txn.number == claim.number();
    if let Some(version) = txn.set_in.filter(|_| own) {
        return Ok(Some(CommitOutcome::Committed { version }));
    }
    match (loaded(head, label), tried) {
        (Ok(Some((version, _))), _) if own => Ok(Some(CommitOutcome::Committed { version })),
        (Ok(Some((version, record))), _) => Ok(Some(CommitOutcome::AlreadyLoaded { version, record })),
        // Our own commit came into doubt and was cleaned since: it is the one that was tried last.
        (Err(TableError::History(_)), Some(version)) if own => Ok(Some(CommitOutcome::Committed { version })),
        (Ok(None), _) => Err(TableError::damaged(head.log().path(), format!("load/{label} vanished")).into()),
        (Err(error), _) => Err(error.into()),
    }
}

/// Refuses an attempt that was shut out.
fn holds_claim(claim: &Claim, head: &Head, operation: Operation) -> Result<(), CommitError> {
    let newest = newest_claim(head, claim.label())?;
    let change = match &newest {
        Some(newest) if newest.is_closing() || newest.run() > claim.run() => Change::RunPassed,
        _ => Change::ClaimTaken,
    };
    if newest.as_ref() == Some(claim) || !operation.stops_on(change) {
        return Ok(());
    }
    let newest = match newest {
        None => "no claim".to_owned(),
        Some(newest) if newest.is_closing() => format!("run {}, closed,", newest.run()),
        Some(newest) => format!("run {}, attempt {},", newest.run(), newest.attempt()),
    };
    let (run, attempt) = (claim.run(), claim.attempt());
    Err(CommitError::ClaimLost { label: claim.label().to_owned(), run, attempt, newest })
}

/// Whether a batch is committed. Under its own epoch only this process commits, one batch after the other: so
/// the number in the log is its own, or one that it committed before.
fn batch_ended(batch: &Batch, head: &Head, tried: Option<u64>) -> Result<Option<CommitOutcome>, CommitError> {
    if newest_epoch(head, batch.epoch().ledger())? != batch.epoch().number() {
        return Ok(None);
    }
    let Some(txn) = head.txn(&batch.app_id())? else { return Ok(None) };
    let version = txn.set_in.or(tried).filter(|_| txn.number == i64::from(batch.number()));
    Ok(version.map(|version| CommitOutcome::Committed { version }))
}

/// Refuses a batch of an epoch that is over, and one whose number was passed.
fn holds_epoch(
    batch: &Batch,
    head: &Head,
    operation: Operation,
    tried: Option<u64>,
) -> Result<(), CommitError> {
    let epoch = batch.epoch();
    let newest = newest_epoch(head, epoch.ledger())?;
    if newest != epoch.number() && operation.stops_on(Change::PipeEpochTaken) {
        // The number in the log may be the newer epoch's: it tells nothing of a try that came into doubt.
        if let Some(version) = tried {
            return Err(head.log().unknown(version, &"a newer epoch of the pipe stands since"));
        }
        let (ledger, epoch) = (epoch.ledger().to_owned(), epoch.number());
        return Err(CommitError::PipeEpochLost { ledger, epoch, newest });
    }
    let committed = head.txn(&batch.app_id())?.map_or(0, |txn| txn.number);
    if committed >= i64::from(batch.number()) {
        let committed = u32::try_from(committed).unwrap_or(u32::MAX);
        let (ledger, number) = (epoch.ledger().to_owned(), batch.number());
        return Err(CommitError::BatchPassed { ledger, number, committed });
    }
    Ok(())
}
