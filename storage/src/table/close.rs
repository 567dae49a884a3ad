//! Closing a run of a label: no attempt of it can load any more.

use std::sync::Arc;

use super::label::{loaded, newest_claim};
use super::lines::{Lines, info};
use super::{Claim, CommitError, Table};
use crate::durable::{SyncSite, discard};
use crate::history::HistoryRecord;
use crate::log::actions::{CommitInfo, LongshoreInfo};
use crate::log::claim::{CLOSED, check_label, claim_id};
use crate::log::conflict::{Change, Operation};
use crate::log::head::{Decision, Ended, Head};

/// How closing a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CloseOutcome {
    /// No attempt of this run can load any more. Durable.
    Closed {
        /// Version that closed it, or that found it closed.
        version: u64,
    },
    /// Another claim is newer: this process is shut out and must not say how the load ended.
    Superseded,
    /// The label is loaded after all.
    AlreadyLoaded {
        /// Version with the rows.
        version: u64,
        /// What the load wrote down.
        record: Box<HistoryRecord>,
    },
}

impl Table {
    /// Closes a run: no attempt of it can claim or commit afterwards. `only_if_newest`: only while this claim
    /// is the newest of its label (a worker that fails for good); without it, whoever holds the claim is shut
    /// out (cancel, timeout, resolve). The record is durable before.
    pub fn close_run(
        &mut self,
        label: &str,
        run: u32,
        only_if_newest: Option<&Claim>,
        record: HistoryRecord,
    ) -> Result<CloseOutcome, CommitError> {
        check_label(label)?;
        self.head.refresh()?;
        if let Some(outcome) = may_close(&self.head, label, run, only_if_newest)? {
            return Ok(outcome);
        }
        let reference = self.write_record(record)?;
        let closing = Claim::new(label, run, CLOSED);
        let info = CommitInfo {
            longshore: Some(LongshoreInfo {
                label: Some(label.to_owned()),
                run: Some(run),
                attempt: Some(CLOSED),
                record: Some(reference.clone()),
                ..LongshoreInfo::default()
            }),
            ..info("CLOSE RUN", true)
        };
        let commit = Arc::new(Lines::txn(claim_id(label), closing.number()).commit(&info)?);
        let ended = self.head.commit_over(|head| -> Result<_, CommitError> {
            Ok(match may_close(head, label, run, only_if_newest)? {
                Some(outcome) => Decision::Stop(outcome),
                None => Decision::Commit(Arc::clone(&commit)),
            })
        });
        let ended = ended.map(|ended| match ended {
            Ended::Committed(version) => CloseOutcome::Closed { version },
            Ended::Decided(outcome) => outcome,
        });
        // In a run that is found closed, the closing commit may be our own after a doubt: its record stays.
        let unnamed = match &ended {
            Ok(outcome) => !matches!(outcome, CloseOutcome::Closed { .. }),
            Err(error) => error.is_refusal(),
        };
        if unnamed {
            discard(self.files.as_ref(), &self.root().join(&reference.path));
        }
        ended
    }
}

/// Whether a run may be closed at the version that was read; else how that ended.
fn may_close(
    head: &Head,
    label: &str,
    run: u32,
    only_if_newest: Option<&Claim>,
) -> Result<Option<CloseOutcome>, CommitError> {
    let operation = if only_if_newest.is_some() { Operation::CloseOwnRun } else { Operation::CloseRun };
    let is_loaded = if operation.stops_on(Change::LabelLoaded) { loaded(head, label)? } else { None };
    let outcome = if let Some((version, record)) = is_loaded {
        Some(CloseOutcome::AlreadyLoaded { version, record })
    } else {
        let newest = newest_claim(head, label)?;
        match &newest {
            Some(newest) if newest.run() > run && operation.stops_on(Change::RunPassed) => {
                Some(CloseOutcome::Superseded)
            }
            Some(newest) if newest.run() == run && newest.is_closing() => {
                Some(CloseOutcome::Closed { version: head.version() })
            }
            newest if operation.stops_on(Change::ClaimTaken) && only_if_newest != newest.as_ref() => {
                Some(CloseOutcome::Superseded)
            }
            _ => None,
        }
    };
    if outcome.is_some() {
        head.make_durable(SyncSite::CloseAnswer)?;
    }
    Ok(outcome)
}
