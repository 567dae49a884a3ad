//! Committing a compaction: other files with the same rows, or nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, PoisonError};

use super::epoch::newest;
use super::lines::{Lines, info, now_ms, text};
use super::{CommitError, Epoch, Table};
use crate::durable::SyncSite;
use crate::load::Segment;
use crate::log::actions::{Add, CommitInfo};
use crate::log::conflict::{Change, Operation};
use crate::log::files::{add_of, remove_of, segment_of};
use crate::log::follow::{FileSet, Followed};
use crate::log::head::{Decision, Ended, Head};
use crate::schema::TableSchema;

/// Name of the number by which a compaction finds its own commit: epoch · 2^20 + n.
const COMMIT_ID: &str = "maintenance/compact-commit";
/// Bits of n, the number of a commit under its epoch.
const COMMIT_BITS: u32 = 20;
const OPERATION: Operation = Operation::Compaction;

/// How the commit of a compaction ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CompactionOutcome {
    /// The outputs stand in place of the inputs, durable.
    Committed {
        /// The version.
        version: u64,
    },
    /// Nothing was committed. No version names the outputs, and none will: they may be removed.
    Dropped {
        /// What came between.
        why: DropReason,
    },
}

/// Why the work of a compaction is worth nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DropReason {
    /// An input is not in the table any more.
    InputRemoved {
        /// Its path.
        path: String,
    },
    /// An input was written by another engine: it is in no tablet.
    ForeignInput {
        /// Its path.
        path: String,
    },
    /// A newer epoch stands, of a vacuum or of another compaction.
    NewerEpoch {
        /// Its number.
        number: u64,
    },
    /// This process did not take the epoch, or has committed a million times under it: take the next.
    EpochNotHeld,
    /// Columns, key, sort key, partitions or distribution are not those by which the outputs were written.
    SchemaChanged,
}

impl fmt::Display for DropReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InputRemoved { path } => write!(f, "{path} is not in the table any more"),
            Self::ForeignInput { path } => write!(f, "{path} was written by another engine"),
            Self::NewerEpoch { number } => write!(f, "epoch {number} stands in the log"),
            Self::EpochNotHeld => f.write_str("this process did not take the epoch; take the next"),
            Self::SchemaChanged => f.write_str("the table's schema changed"),
        }
    }
}

impl Table {
    /// Replaces `inputs` by `outputs`, files with the same rows written by `schema`, durable with their
    /// names. Only under the newest epoch, only while every input is in the table, and only while the schema
    /// is the same; files that come meanwhile are in no one's way. Fails if the rows of a tablet would not
    /// be as many as before.
    pub fn commit_compaction(
        &mut self,
        epoch: &Epoch,
        schema: &TableSchema,
        inputs: &[Segment],
        outputs: Vec<Segment>,
    ) -> Result<CompactionOutcome, CommitError> {
        let dropped = |why| Ok(CompactionOutcome::Dropped { why });
        let Some(begun) = epoch.begun() else { return dropped(DropReason::EpochNotHeld) };
        // One commit at a time under an epoch: then the number in the log is our own, or a newer epoch's.
        let mut begun = begun.lock().unwrap_or_else(PoisonError::into_inner);
        if *begun + 1 >= 1 << COMMIT_BITS {
            return dropped(DropReason::EpochNotHeld);
        }
        *begun += 1;
        if let Some(foreign) = inputs.iter().find(|input| input.bucket == Segment::NO_BUCKET) {
            return dropped(DropReason::ForeignInput { path: foreign.path.clone() });
        }
        self.head.refresh()?;
        let mut work = Work {
            epoch,
            schema,
            number: (epoch.number().cast_signed() << COMMIT_BITS) + i64::from(*begun),
            inputs,
            info: compaction_info(epoch, inputs, &outputs),
            files: Followed::new(Replaced::new(inputs, &outputs)),
            outputs,
            tried: None,
        };
        let ended = self.head.commit_over(|head| work.decide(head))?;
        Ok(match ended {
            Ended::Committed(version) => CompactionOutcome::Committed { version },
            Ended::Decided(outcome) => outcome,
        })
    }
}

/// A compaction that is to be committed.
struct Work<'a> {
    epoch: &'a Epoch,
    schema: &'a TableSchema,
    /// Its own number.
    number: i64,
    inputs: &'a [Segment],
    outputs: Vec<Segment>,
    info: CommitInfo,
    files: Followed<Replaced>,
    /// The version that was tried last.
    tried: Option<u64>,
}

/// Ends without a commit; what was read is durable before.
fn stop(head: &Head, outcome: CompactionOutcome) -> Result<Decision<CompactionOutcome>, CommitError> {
    head.make_durable(SyncSite::CompactionAnswer)?;
    Ok(Decision::Stop(outcome))
}

impl Work<'_> {
    fn decide(&mut self, head: &Head) -> Result<Decision<CompactionOutcome>, CommitError> {
        if !head.in_doubt() {
            // A try that lost a race is known not to stand.
            self.tried = None;
        }
        let stands = head.txn(COMMIT_ID)?.map_or(0, |txn| txn.number);
        if let Some(version) = self.tried.filter(|_| stands == self.number) {
            return stop(head, CompactionOutcome::Committed { version });
        }
        let Some(files) = self.files.at(head)? else { return Ok(Decision::Reopen) };
        if let Some(why) = stopped(head, self.epoch, self.schema, files)? {
            // The number is a newer epoch's: it tells nothing of our own commit, if one was tried and came
            // into doubt.
            if let Some(version) = self.tried.filter(|_| stands > self.number) {
                if !files.has_outputs() {
                    let what = "a compaction of a newer epoch was committed since";
                    return Err(head.log().unknown(version, &what));
                }
                return stop(head, CompactionOutcome::Committed { version });
            }
            return stop(head, CompactionOutcome::Dropped { why });
        }
        files.check_rows(&self.outputs)?;
        let now = now_ms();
        let removes = self.inputs.iter().filter_map(|input| files.inputs.get(&input.path)?.as_ref());
        let adds = self.outputs.iter().map(|output| Add { data_change: false, ..add_of(output, None) });
        let lines = Lines {
            txns: vec![(COMMIT_ID.to_owned(), self.number)],
            removes: removes.map(|add| remove_of(add, now, false)).collect(),
            adds: adds.collect(),
            ..Lines::default()
        };
        self.tried = Some(head.version() + 1);
        Ok(Decision::Commit(Arc::new(lines.commit(&self.info)?)))
    }
}

/// What stands in the way of a compaction.
fn stopped(
    head: &Head,
    epoch: &Epoch,
    schema: &TableSchema,
    files: &Replaced,
) -> Result<Option<DropReason>, CommitError> {
    let number = newest(head, epoch.kind())?;
    if number != epoch.number() && OPERATION.stops_on(Change::EpochTaken) {
        return Ok(Some(DropReason::NewerEpoch { number }));
    }
    if schema.definition() != head.schema().definition() && OPERATION.stops_on(Change::ColumnsAdded) {
        return Ok(Some(DropReason::SchemaChanged));
    }
    let missing = files.inputs.iter().find(|(_, add)| add.is_none());
    Ok(missing
        .filter(|_| OPERATION.stops_on(Change::FilesRemoved))
        .map(|(path, _)| DropReason::InputRemoved { path: path.clone() }))
}

/// The inputs and outputs of a compaction, as far as they are in the table.
struct Replaced {
    /// Every input by path; `None`: it is not in the table.
    inputs: BTreeMap<String, Option<Add>>,
    /// Paths of the outputs.
    outputs: BTreeSet<String>,
    /// Those of them that are in the table.
    standing: BTreeSet<String>,
}

impl Replaced {
    fn new(inputs: &[Segment], outputs: &[Segment]) -> Self {
        Self {
            inputs: inputs.iter().map(|input| (input.path.clone(), None)).collect(),
            outputs: outputs.iter().map(|output| output.path.clone()).collect(),
            standing: BTreeSet::new(),
        }
    }

    fn has_outputs(&self) -> bool {
        !self.standing.is_empty()
    }

    /// Refuses a compaction that would change how many rows a tablet has.
    fn check_rows(&self, outputs: &[Segment]) -> Result<(), CommitError> {
        let mut tablets: BTreeMap<(String, u32), (u64, u64)> = BTreeMap::new();
        for add in self.inputs.values().flatten() {
            let input = segment_of(add.clone());
            tablets.entry((input.partition, input.bucket)).or_default().0 += input.rows;
        }
        for output in outputs {
            tablets.entry((output.partition.clone(), output.bucket)).or_default().1 += output.rows;
        }
        match tablets.into_iter().find(|(_, (before, after))| before != after) {
            None => Ok(()),
            Some(((partition, bucket), (before, after))) => Err(CommitError::Unwritable(format!(
                "the compaction of bucket {bucket} of partition {partition:?} has {after} rows of {before}"
            ))),
        }
    }
}

impl FileSet for Replaced {
    fn clear(&mut self) {
        self.inputs.values_mut().for_each(|add| *add = None);
        self.standing.clear();
    }

    fn add(&mut self, add: Add) {
        if let Some(input) = self.inputs.get_mut(&add.path) {
            *input = Some(add);
        } else if self.outputs.contains(&add.path) {
            self.standing.insert(add.path);
        }
    }

    fn remove(&mut self, path: &str) {
        if let Some(input) = self.inputs.get_mut(path) {
            *input = None;
        }
        self.standing.remove(path);
    }
}

fn compaction_info(epoch: &Epoch, inputs: &[Segment], outputs: &[Segment]) -> CommitInfo {
    let bytes = |segments: &[Segment]| text(segments.iter().map(|segment| segment.bytes).sum::<u64>());
    CommitInfo {
        operation_parameters: [("epoch".to_owned(), text(epoch.number()))].into(),
        operation_metrics: [
            ("numRemovedFiles".to_owned(), text(inputs.len())),
            ("numRemovedBytes".to_owned(), bytes(inputs)),
            ("numAddedFiles".to_owned(), text(outputs.len())),
            ("numAddedBytes".to_owned(), bytes(outputs)),
        ]
        .into(),
        ..info("OPTIMIZE", false)
    }
}
