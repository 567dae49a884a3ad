//! Taking a claim: a commit without data, after which no earlier attempt of the label can commit.

use std::sync::Arc;

use super::label::{loaded, newest_claim};
use super::lines::{Lines, info};
use super::{Claim, ClaimError, CommitError, Table, TableError};
use crate::durable::SyncSite;
use crate::log::actions::{CommitInfo, LongshoreInfo};
use crate::log::claim::{CLOSED, check_label, claim_id};
use crate::log::conflict::{Change, Operation};
use crate::log::head::{Decision, Ended};

const OPERATION: Operation = Operation::Claim;

impl Table {
    /// Claims a label for a run (from 1): the attempt is one more than the log's. Durable on return; a
    /// claim is lost as soon as another attempt, or another run, takes the next.
    pub fn claim(&mut self, label: &str, run: u32) -> Result<Claim, ClaimError> {
        check_label(label)?;
        self.head.refresh_to_commit()?;
        let mut claim = Claim::new(label, run, 1);
        let ended = self.head.commit_over(|head| {
            let refuse = |refused| {
                head.make_durable(SyncSite::ClaimAnswer)?;
                Ok(Decision::Stop(refused))
            };
            if OPERATION.stops_on(Change::LabelLoaded)
                && let Some((version, record)) = loaded(head, label)?
            {
                return refuse(ClaimError::AlreadyLoaded { record, version });
            }
            match next(newest_claim(head, label)?.as_ref(), label, run) {
                Ok(next) => {
                    claim = next;
                    let lines = Lines::txn(claim_id(label), claim.number());
                    let commit = lines.commit(&claim_info(&claim))?;
                    Ok(Decision::Commit(Arc::new(commit)))
                }
                Err(refused) => refuse(refused),
            }
        });
        match ended {
            Ok(Ended::Committed(_)) => Ok(claim),
            Ok(Ended::Decided(refused)) | Err(refused) => Err(refused),
        }
    }

    /// The claim that another process of the same attempt took (who plans, who does a task, who commits).
    /// Nothing is read and nothing is taken: whether it is still the newest is asked at the commit.
    pub fn resume_claim(&self, label: &str, run: u32, attempt: u32) -> Result<Claim, TableError> {
        check_label(label)?;
        Ok(Claim::new(label, run, attempt))
    }
}

/// The claim that follows the newest one, for a run.
fn next(newest: Option<&Claim>, label: &str, run: u32) -> Result<Claim, ClaimError> {
    let label = label.to_owned();
    match newest {
        Some(newest)
            if OPERATION.stops_on(Change::RunPassed)
                && (newest.run() > run || (newest.run() == run && newest.is_closing())) =>
        {
            Err(ClaimError::RunPassed { label, run: newest.run() })
        }
        Some(newest) if newest.run() == run && newest.attempt() + 1 == CLOSED => {
            Err(ClaimError::AttemptsExhausted { label, run })
        }
        Some(newest) if newest.run() == run => Ok(Claim::new(&label, run, newest.attempt() + 1)),
        _ => Ok(Claim::new(&label, run, 1)),
    }
}

fn claim_info(claim: &Claim) -> CommitInfo {
    CommitInfo {
        longshore: Some(LongshoreInfo {
            label: Some(claim.label().to_owned()),
            run: Some(claim.run()),
            attempt: Some(claim.attempt()),
            ..LongshoreInfo::default()
        }),
        ..info("CLAIM", true)
    }
}

impl From<serde_json::Error> for CommitError {
    fn from(error: serde_json::Error) -> Self {
        Self::Unwritable(error.to_string())
    }
}

impl From<serde_json::Error> for ClaimError {
    fn from(error: serde_json::Error) -> Self {
        Self::Commit(error.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(newest: Option<(u32, u32)>, run: u32) -> Result<u32, ClaimError> {
        let newest = newest.map(|(run, attempt)| Claim::new("l", run, attempt));
        next(newest.as_ref(), "l", run).map(|claim| claim.attempt())
    }

    #[test]
    fn attempts_go_up_and_closed_or_higher_runs_shut_out() {
        assert_eq!(attempt(None, 1).unwrap(), 1);
        assert_eq!(attempt(Some((1, 1)), 1).unwrap(), 2);
        assert_eq!(attempt(Some((1, 7)), 2).unwrap(), 1);
        assert_eq!(attempt(Some((1, CLOSED)), 2).unwrap(), 1);
        assert!(matches!(attempt(Some((1, CLOSED)), 1), Err(ClaimError::RunPassed { run: 1, .. })));
        assert!(matches!(attempt(Some((3, 1)), 2), Err(ClaimError::RunPassed { run: 3, .. })));
        assert!(matches!(attempt(Some((1, CLOSED - 1)), 1), Err(ClaimError::AttemptsExhausted { .. })));
    }
}
