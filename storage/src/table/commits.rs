//! Committing a load, and closing a run.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use super::label::{loaded, newest_claim};
use super::{Claim, CommitError, Table, TableError};
use crate::durable::{SyncSite, discard};
use crate::history::{self, HistoryCounts, HistoryRecord, RecordReference};
use crate::load::Segment;
use crate::log::actions::{Action, Add, CommitInfo, LongshoreInfo, Txn};
use crate::log::claim::{CLOSED, check_label, claim_id, load_id};
use crate::log::compatible;
use crate::log::files::add_of;
use crate::log::head::{Decision, Ended, Head};
use crate::log::put::Commit;
use crate::schema::TableSchema;

/// What a load brings.
#[derive(Debug, Clone)]
pub struct LoadCommit {
    /// Files, durable with their names.
    pub segments: Vec<Segment>,
    /// The schema that they were written by.
    pub schema: Arc<TableSchema>,
    /// What is to be remembered, with the outcome `Loaded`.
    pub record: HistoryRecord,
    /// Instant past which nothing is committed.
    pub deadline: Option<SystemTime>,
}

/// How a commit of a load ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommitOutcome {
    /// The rows stand, durable, in this version.
    Committed {
        /// The version.
        version: u64,
    },
    /// Another attempt had loaded the label; nothing was written.
    AlreadyLoaded {
        /// Version with that attempt's rows.
        version: u64,
        /// What it wrote down.
        record: Box<HistoryRecord>,
    },
}

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
    /// Commits the rows of a load: all of them, once, and only while the claim is the newest of its label.
    /// The record is durable before. Anything that others commit meanwhile is rebased over.
    pub fn commit_load(&mut self, claim: &Claim, load: LoadCommit) -> Result<CommitOutcome, CommitError> {
        let LoadCommit { segments, schema, record, deadline } = load;
        self.head.refresh()?;
        // What is lost already needs no record.
        if let Some(outcome) = may_commit(&self.head, claim, &schema, deadline)? {
            return Ok(outcome);
        }
        let counts = record.counts;
        let reference = self.write_record(record)?;
        let info = load_info(claim, &segments, counts, &reference);
        let adds = segments.iter().map(|segment| add_of(segment, claim.label())).collect();
        let commit = Arc::new(commit(&info, (load_id(claim.label()), claim.number()), adds)?);
        let ended = self.head.commit_over(|head| -> Result<_, CommitError> {
            Ok(match may_commit(head, claim, &schema, deadline)? {
                Some(outcome) => Decision::Stop(outcome),
                None => Decision::Commit(Arc::clone(&commit)),
            })
        });
        let ended = ended.map(|ended| match ended {
            Ended::Committed(version) => CommitOutcome::Committed { version },
            Ended::Decided(outcome) => outcome,
        });
        if is_certainly_unnamed(&ended, |outcome| matches!(outcome, CommitOutcome::AlreadyLoaded { .. })) {
            discard(self.files.as_ref(), &self.root().join(&reference.path));
        }
        ended
    }

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
                counts: None,
            }),
            ..info("CLOSE RUN", true)
        };
        let commit = Arc::new(commit(&info, (claim_id(label), closing.number()), Vec::new())?);
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
        if is_certainly_unnamed(&ended, |outcome| !matches!(outcome, CloseOutcome::Closed { .. })) {
            discard(self.files.as_ref(), &self.root().join(&reference.path));
        }
        ended
    }

    fn write_record(&self, mut record: HistoryRecord) -> Result<RecordReference, CommitError> {
        record.read_version = self.version();
        Ok(history::write_record(self.files.as_ref(), self.root(), &record)?)
    }
}

/// Whether a load may commit at the version that was read; else how it ended. What the log says is durable
/// before anything follows from it.
fn may_commit(
    head: &Head,
    claim: &Claim,
    schema: &TableSchema,
    deadline: Option<SystemTime>,
) -> Result<Option<CommitOutcome>, CommitError> {
    let label = claim.label();
    if let Some(txn) = head.txn(&load_id(label))? {
        head.make_durable(SyncSite::AnswerNames)?;
        let Some((version, record)) = loaded(head, label)? else {
            return Err(TableError::damaged(head.log().path(), format!("load/{label} vanished")).into());
        };
        // Our own commit, whose reply was lost or whose name came into doubt.
        let own = txn.number == claim.number();
        return Ok(Some(if own {
            CommitOutcome::Committed { version }
        } else {
            CommitOutcome::AlreadyLoaded { version, record }
        }));
    }
    let newest = newest_claim(head, label)?;
    if newest.as_ref() != Some(claim) {
        head.make_durable(SyncSite::AnswerNames)?;
        let newest = match newest {
            None => "no claim".to_owned(),
            Some(newest) if newest.is_closing() => format!("run {}, closed,", newest.run()),
            Some(newest) => format!("run {}, attempt {},", newest.run(), newest.attempt()),
        };
        let (run, attempt) = (claim.run(), claim.attempt());
        return Err(CommitError::ClaimLost { label: label.to_owned(), run, attempt, newest });
    }
    if let Some(what) = compatible::conflict(schema, head.schema()) {
        return Err(CommitError::SchemaChanged { label: label.to_owned(), what });
    }
    if deadline.is_some_and(|deadline| SystemTime::now() >= deadline) {
        return Err(CommitError::DeadlinePassed { label: label.to_owned() });
    }
    Ok(None)
}

/// Whether a run may be closed at the version that was read; else how that ended.
fn may_close(
    head: &Head,
    label: &str,
    run: u32,
    only_if_newest: Option<&Claim>,
) -> Result<Option<CloseOutcome>, CommitError> {
    let outcome = if let Some((version, record)) = loaded(head, label)? {
        Some(CloseOutcome::AlreadyLoaded { version, record })
    } else {
        let newest = newest_claim(head, label)?;
        match &newest {
            Some(newest) if newest.run() > run => Some(CloseOutcome::Superseded),
            Some(newest) if newest.run() == run && newest.is_closing() => {
                Some(CloseOutcome::Closed { version: head.version() })
            }
            _ if only_if_newest.is_some() && only_if_newest != newest.as_ref() => {
                Some(CloseOutcome::Superseded)
            }
            _ => None,
        }
    };
    if outcome.is_some() {
        head.make_durable(SyncSite::AnswerNames)?;
    }
    Ok(outcome)
}

/// Whether no commit can name what this attempt wrote, so that it may go at once.
fn is_certainly_unnamed<T>(ended: &Result<T, CommitError>, not_ours: impl Fn(&T) -> bool) -> bool {
    match ended {
        Ok(outcome) => not_ours(outcome),
        Err(
            CommitError::ClaimLost { .. }
            | CommitError::DeadlinePassed { .. }
            | CommitError::SchemaChanged { .. },
        ) => true,
        Err(_) => false,
    }
}

fn load_info(
    claim: &Claim,
    segments: &[Segment],
    counts: HistoryCounts,
    reference: &RecordReference,
) -> CommitInfo {
    let text = |value: u64| serde_json::Value::String(value.to_string());
    CommitInfo {
        operation_parameters: BTreeMap::from([
            ("label".to_owned(), claim.label().into()),
            ("run".to_owned(), text(claim.run().into())),
            ("attempt".to_owned(), text(claim.attempt().into())),
            ("mode".to_owned(), "Append".into()),
        ]),
        operation_metrics: BTreeMap::from([
            ("numFiles".to_owned(), text(segments.len() as u64)),
            ("numOutputRows".to_owned(), text(segments.iter().map(|segment| segment.rows).sum())),
            ("numOutputBytes".to_owned(), text(segments.iter().map(|segment| segment.bytes).sum())),
        ]),
        longshore: Some(LongshoreInfo {
            label: Some(claim.label().to_owned()),
            run: Some(claim.run()),
            attempt: Some(claim.attempt()),
            record: Some(reference.clone()),
            counts: Some(counts),
        }),
        ..info("WRITE", true)
    }
}

/// What every commit says of itself; `txnId` is random.
pub(super) fn info(operation: &str, blind: bool) -> CommitInfo {
    CommitInfo {
        timestamp: Some(now_ms()),
        operation: Some(operation.to_owned()),
        is_blind_append: Some(blind),
        engine_info: Some(concat!("Longshore/", env!("CARGO_PKG_VERSION")).to_owned()),
        txn_id: Some(uuid::Uuid::new_v4().to_string()),
        ..CommitInfo::default()
    }
}

/// The lines of a commit.
pub(super) fn commit(
    info: &CommitInfo,
    (app_id, version): (String, i64),
    adds: Vec<Add>,
) -> Result<Commit, serde_json::Error> {
    let txn = Some(Txn { app_id, version, last_updated: info.timestamp });
    let mut actions = Vec::with_capacity(adds.len() + 1);
    actions.push(Action { txn, ..Action::default() });
    actions.extend(adds.into_iter().map(|add| Action { add: Some(add), ..Action::default() }));
    Commit::new(info, actions)
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
