//! Committing a load: rows, and with them new columns or the end of old rows.

use std::sync::Arc;
use std::time::SystemTime;

use super::alter::{Widened, widened};
use super::lines::{Lines, info, now_ms, text};
use super::overwrite::Scoped;
use super::owner::Owner;
use super::{Claim, CommitError, Table};
use crate::durable::{SyncSite, discard};
use crate::history::{self, HistoryCounts, HistoryRecord, RecordReference};
use crate::load::Segment;
use crate::log::actions::{Add, CommitInfo, LongshoreInfo, Remove};
use crate::log::compatible;
use crate::log::conflict::Operation;
use crate::log::delta_schema::Origin;
use crate::log::files::add_of;
use crate::log::follow::Followed;
use crate::log::head::{Decision, Ended, Head};
use crate::log::put::Commit;
use crate::schema::{Column, TableSchema};

/// What a load brings.
#[derive(Debug, Clone)]
pub struct LoadCommit {
    /// Files, durable with their names.
    pub segments: Vec<Segment>,
    /// The schema that they were written by, with `new_columns` in it.
    pub schema: Arc<TableSchema>,
    /// What is to be remembered, with the outcome `Loaded`.
    pub record: HistoryRecord,
    /// Instant past which nothing is committed.
    pub deadline: Option<SystemTime>,
    /// What becomes of the rows that are there.
    pub mode: LoadMode,
    /// Nullable columns that the same commit adds, as far as they are not there by then.
    pub new_columns: Vec<Column>,
}

/// What becomes of the rows that are in the table when a load commits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum LoadMode {
    /// They stay.
    #[default]
    Append,
    /// Those in the scope go, in the same commit.
    Overwrite(OverwriteScope),
}

/// What an overwrite replaces. Judged at the version on which it commits: also what others added meanwhile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OverwriteScope {
    /// The whole table, files of other engines too. Without new rows it is empty afterwards.
    Table,
    /// The partitions with these names. One that the table does not have is refused by name, as are rows
    /// for others. Without new rows they are empty afterwards.
    Partitions(Vec<String>),
    /// The partitions in which new rows lie.
    Dynamic,
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

impl Table {
    /// Commits the rows of a load: all of them, once, and only while the claim is the newest of its label.
    /// The record is durable before. Anything that others commit meanwhile is rebased over.
    pub fn commit_load(&mut self, claim: &Claim, load: LoadCommit) -> Result<CommitOutcome, CommitError> {
        self.commit_of(&Owner::Claim(claim), load)
    }

    /// The same for a load that is committed by whoever owns it.
    pub(super) fn commit_of(
        &mut self,
        owner: &Owner<'_>,
        load: LoadCommit,
    ) -> Result<CommitOutcome, CommitError> {
        let LoadCommit { segments, schema, record, deadline, mode, new_columns } = load;
        self.head.refresh_to_commit()?;
        let mut work = Work::new(owner, &segments, &schema, deadline, &mode, &new_columns);
        // What is lost already needs no record.
        let goes_on = |step: &Step| matches!(step, Step::Commit(_));
        if let Step::End(outcome) = self.head.look(&mut |head| work.look(head), goes_on)? {
            return Ok(outcome);
        }
        let counts = record.counts;
        let reference = self.write_record(record)?;
        let info = load_info(owner, &mode, &segments, counts, &reference);
        let ended = self.head.commit_over(|head| -> Result<_, CommitError> {
            Ok(match work.look(head)? {
                Step::End(outcome) => Decision::Stop(outcome),
                Step::Reopen => Decision::Reopen,
                Step::Commit(changes) => Decision::Commit(work.commit(head, &info, *changes)?),
            })
        });
        let ended = ended.map(|ended| match ended {
            Ended::Committed(version) => CommitOutcome::Committed { version },
            Ended::Decided(outcome) => outcome,
        });
        let unnamed = match &ended {
            Ok(outcome) => matches!(outcome, CommitOutcome::AlreadyLoaded { .. }),
            Err(error) => error.is_refusal(),
        };
        if unnamed {
            discard(self.files.as_ref(), &self.root().join(&reference.path));
        }
        ended
    }

    pub(super) fn write_record(&self, mut record: HistoryRecord) -> Result<RecordReference, CommitError> {
        record.read_version = self.version();
        Ok(history::write_record(self.files.as_ref(), self.root(), &record)?)
    }
}

/// What a load does to the version on which it commits, beside its adds.
#[derive(Default)]
struct Changes {
    widened: Option<Widened>,
    removes: Vec<Remove>,
    /// Rows of the files that go.
    removed_rows: u64,
}

/// What follows from a version.
enum Step {
    End(CommitOutcome),
    Reopen,
    Commit(Box<Changes>),
}

/// A load that is to be committed.
struct Work<'a> {
    operation: Operation,
    owner: &'a Owner<'a>,
    schema: &'a TableSchema,
    deadline: Option<SystemTime>,
    new_columns: &'a [Column],
    adds: Vec<Add>,
    scoped: Option<Followed<Scoped>>,
    /// The commit that was made last.
    made: Option<Arc<Commit>>,
    /// The version that was tried last.
    tried: Option<u64>,
}

impl<'a> Work<'a> {
    fn new(
        owner: &'a Owner<'a>,
        segments: &[Segment],
        schema: &'a TableSchema,
        deadline: Option<SystemTime>,
        mode: &LoadMode,
        new_columns: &'a [Column],
    ) -> Self {
        let (operation, scoped) = match mode {
            _ if matches!(owner, Owner::Batch(_)) => (Operation::Batch, None),
            LoadMode::Append => (Operation::Append, None),
            LoadMode::Overwrite(scope) => {
                (Operation::Overwrite, Some(Followed::new(Scoped::new(scope, segments))))
            }
        };
        let adds = segments.iter().map(|segment| add_of(segment, Some(owner.label()))).collect();
        Self { operation, owner, schema, deadline, new_columns, adds, scoped, made: None, tried: None }
    }

    /// Whether the load may commit on a version, and what it changes there. What the log says is durable
    /// before anything follows from it.
    fn look(&mut self, head: &Head) -> Result<Step, CommitError> {
        let step = self.judge(head);
        if matches!(&step, Ok(Step::End(_))) || step.as_ref().is_err_and(CommitError::is_refusal) {
            head.make_durable(SyncSite::LoadAnswer)?;
        }
        step
    }

    fn judge(&mut self, head: &Head) -> Result<Step, CommitError> {
        if !head.in_doubt() && self.made.is_some() {
            // A try that lost a race is known not to stand.
            self.tried = None;
        }
        if let Some(outcome) = self.owner.ended(head, self.operation, self.tried)? {
            return Ok(Step::End(outcome));
        }
        self.owner.may_commit(head, self.operation, self.tried)?;
        let widened = widened(head, self.new_columns, Origin::Drift)?;
        self.fits(head, widened.as_ref())?;
        if self.deadline.is_some_and(|deadline| SystemTime::now() >= deadline) {
            return Err(CommitError::DeadlinePassed { label: self.owner.label().to_owned() });
        }
        let mut changes = Changes { widened, ..Changes::default() };
        if let Some(scoped) = &mut self.scoped {
            let Some(scoped) = scoped.at(head)? else { return Ok(Step::Reopen) };
            let declared = head.schema().definition().partition_by.declared().unwrap_or_default();
            scoped.check(self.owner.label(), &declared)?;
            changes.removes = scoped.removes(now_ms());
            changes.removed_rows = scoped.rows();
        }
        Ok(Step::Commit(Box::new(changes)))
    }

    /// Refuses segments that do not fit the schema as it will be.
    fn fits(&self, head: &Head, widened: Option<&Widened>) -> Result<(), CommitError> {
        let now = widened.map_or(head.schema().definition(), |widened| &widened.definition);
        match compatible::conflict(self.schema.definition(), now) {
            Some((change, what)) if self.operation.stops_on(change) => {
                Err(CommitError::SchemaChanged { label: self.owner.label().to_owned(), what })
            }
            _ => Ok(()),
        }
    }

    /// The commit for a version.
    fn commit(
        &mut self,
        head: &Head,
        info: &CommitInfo,
        changes: Changes,
    ) -> Result<Arc<Commit>, CommitError> {
        let version = head.version() + 1;
        let as_before = !self.operation.follows_files() && changes.widened.is_none();
        let commit = match self.made.take() {
            // Whatever others did, it is the same commit.
            Some(commit) if as_before && commit.metadata.is_none() => commit,
            _ => {
                let Changes { widened, removes, removed_rows } = changes;
                let (protocol, metadata) =
                    widened.map_or((None, None), |widened| (widened.protocol, Some(widened.metadata)));
                let mut info = info.clone();
                if self.scoped.is_some() {
                    let files = ("numRemovedFiles".to_owned(), text(removes.len()));
                    let rows = ("numDeletedRows".to_owned(), text(removed_rows));
                    info.operation_metrics.extend([files, rows]);
                }
                let txns = vec![self.owner.txn()];
                let lines = Lines { txns, protocol, metadata, removes, adds: self.adds.clone() };
                Arc::new(lines.commit(&info)?)
            }
        };
        self.made = Some(Arc::clone(&commit));
        self.tried = Some(version);
        Ok(commit)
    }
}

fn load_info(
    owner: &Owner<'_>,
    mode: &LoadMode,
    segments: &[Segment],
    counts: HistoryCounts,
    reference: &RecordReference,
) -> CommitInfo {
    let (mode, scope) = match mode {
        LoadMode::Append => ("Append", None),
        LoadMode::Overwrite(OverwriteScope::Table) => ("Overwrite", Some(text("Table"))),
        LoadMode::Overwrite(OverwriteScope::Dynamic) => ("Overwrite", Some(text("Dynamic"))),
        LoadMode::Overwrite(OverwriteScope::Partitions(names)) => {
            ("Overwrite", Some(text(serde_json::json!(names))))
        }
    };
    let own = owner.info();
    let mut parameters = vec![
        ("label".to_owned(), text(owner.label())),
        ("run".to_owned(), text(own.run.unwrap_or_default())),
        ("attempt".to_owned(), text(own.attempt.unwrap_or_default())),
        ("mode".to_owned(), text(mode)),
    ];
    parameters.extend(scope.map(|scope| ("scope".to_owned(), scope)));
    let metric = |name: &str, value: u64| (name.to_owned(), text(value));
    CommitInfo {
        operation_parameters: parameters.into_iter().collect(),
        operation_metrics: [
            metric("numFiles", segments.len() as u64),
            metric("numOutputRows", segments.iter().map(|segment| segment.rows).sum()),
            metric("numOutputBytes", segments.iter().map(|segment| segment.bytes).sum()),
        ]
        .into(),
        longshore: Some(LongshoreInfo { record: Some(reference.clone()), counts: Some(counts), ..own }),
        ..info("WRITE", mode == "Append")
    }
}
