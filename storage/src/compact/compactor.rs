//! Merges what is worth it and commits, several tablets at a time.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use super::CompactionError;
use super::merge::{GroupMerger, Merged};
use super::plan::{Candidates, Group, PlanOptions};
use crate::durable::writer_id;
use crate::load::Segment;
use crate::table::{CompactionOutcome, DropReason, Epoch, Maintenance, Table};
use crate::tablet::{SegmentNames, SegmentOwner, Segments, TabletError, WriterMetrics};

/// Share of the budget that the segments which are written may use; the rest is for those that are read.
const ENCODE_SHARE: usize = 4;
/// A segment is ended above the target by this share of it: no scrap of a segment follows a whole one.
const OVERSHOOT: u64 = 2;

/// What a compaction may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompactionOptions {
    /// What is worth merging.
    pub plan: PlanOptions,
    /// Bytes of all memory of the merges.
    pub budget_bytes: usize,
    /// Tablets that are merged at a time.
    pub threads: usize,
}

impl Default for CompactionOptions {
    fn default() -> Self {
        Self { plan: PlanOptions::default(), budget_bytes: 256 << 20, threads: 1 }
    }
}

/// What a compaction did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CompactionReport {
    /// Tablets that have fewer segments now.
    pub tablets: u64,
    /// Segments that were removed from the table.
    pub inputs: u64,
    /// Segments that took their place.
    pub outputs: u64,
    /// Rows in them.
    pub rows: u64,
    /// Bytes of the segments removed.
    pub bytes_before: u64,
    /// Bytes of the segments that took their place.
    pub bytes_after: u64,
    /// Why work was given up, for each commit that was dropped.
    pub dropped: Vec<DropReason>,
    /// Whether it ended because it was asked to.
    pub cancelled: bool,
}

/// Merges small segments of a table.
#[derive(Debug, Clone, Copy, Default)]
pub struct Compactor;

impl Compactor {
    /// Merges what is worth it at the table's newest version, under an epoch of its own: an older compaction
    /// that still runs commits nothing any more. Blocking. `cancel` is looked at between tablets; what was
    /// merged since the last commit is dropped then. Call it again to merge what its own outputs leave.
    ///
    /// # Errors
    /// As the volume and the log say. The table is as it was or compacted in part, never without a row; files
    /// that no version names are removed as far as that can be done.
    pub fn run(
        table: &mut Table,
        options: &CompactionOptions,
        cancel: &AtomicBool,
    ) -> Result<CompactionReport, CompactionError> {
        let mut report = CompactionReport::default();
        table.refresh()?;
        let mut candidates = Candidates::default();
        table.visit_segments(|segment| candidates.see(segment, &options.plan))?;
        let commits = candidates.plan(&options.plan);
        if commits.is_empty() {
            return Ok(report);
        }
        let epoch = table.next_epoch(Maintenance::Compact)?;
        let owner = SegmentOwner::Compaction { epoch: epoch.number() };
        let names = Arc::new(SegmentNames::new(owner, writer_id()));
        for groups in commits {
            let Some(work) = Work::merge(table, options, &names, groups, cancel)? else {
                report.cancelled = true;
                break;
            };
            if work.inputs.is_empty() {
                continue;
            }
            if let Some(why) = work.commit(table, &epoch, &mut report)? {
                // Of what else was planned nothing could be committed, unless it was an input that went.
                let goes_on = matches!(why, DropReason::InputRemoved { .. });
                report.dropped.push(why);
                if !goes_on {
                    break;
                }
            }
        }
        Ok(report)
    }
}

/// What one commit brings.
struct Work {
    segments: Segments,
    schema: Arc<crate::schema::TableSchema>,
    tablets: u64,
    inputs: Vec<Segment>,
    outputs: Vec<Segment>,
}

impl Work {
    /// Merges groups into segments that are durable; `None`: cancelled.
    fn merge(
        table: &Table,
        options: &CompactionOptions,
        names: &Arc<SegmentNames>,
        groups: Vec<Group>,
        cancel: &AtomicBool,
    ) -> Result<Option<Self>, CompactionError> {
        let threads = options.threads.max(1);
        let metrics = Arc::new(WriterMetrics::default());
        let encode_share = options.budget_bytes / ENCODE_SHARE;
        let schema = Arc::clone(table.schema());
        let segments = Segments::new(
            Arc::clone(table.files()),
            table.root().to_owned(),
            Arc::clone(&schema),
            Arc::clone(names),
            options.plan.target_bytes + options.plan.target_bytes / OVERSHOOT,
            encode_share / threads,
            Arc::clone(&metrics),
        )?;
        let merger = GroupMerger {
            files: table.files().as_ref(),
            root: table.root().to_owned(),
            schema: Arc::clone(&schema),
            segments: &segments,
            memory: (options.budget_bytes - encode_share) / threads,
            metrics: &metrics,
        };
        let merged = merge_groups(threads, groups, &merger, cancel)
            .and_then(|merged| Ok((merged, segments.finish()?)));
        let (merged, outputs) = match merged {
            Ok((Some(merged), outputs)) => (merged, outputs),
            Ok((None, _)) => {
                segments.abandon();
                return Ok(None);
            }
            Err(error) => {
                segments.abandon();
                return Err(error);
            }
        };
        let tablets = merged.iter().filter(|merged| !merged.inputs.is_empty()).count() as u64;
        let inputs = merged.into_iter().flat_map(|merged| merged.inputs).collect();
        Ok(Some(Self { segments, schema, tablets, inputs, outputs }))
    }

    /// Commits; says why not, if the work is void.
    fn commit(
        self,
        table: &mut Table,
        epoch: &Epoch,
        report: &mut CompactionReport,
    ) -> Result<Option<DropReason>, CompactionError> {
        let (outputs, bytes_after) = (self.outputs.len() as u64, sum(&self.outputs, |segment| segment.bytes));
        let rows = sum(&self.outputs, |segment| segment.rows);
        match table.commit_compaction(epoch, &self.schema, &self.inputs, self.outputs) {
            Ok(CompactionOutcome::Committed { .. }) => {
                report.tablets += self.tablets;
                report.inputs += self.inputs.len() as u64;
                report.outputs += outputs;
                report.rows += rows;
                report.bytes_before += sum(&self.inputs, |segment| segment.bytes);
                report.bytes_after += bytes_after;
                Ok(None)
            }
            Ok(CompactionOutcome::Dropped { why }) => {
                self.segments.abandon();
                Ok(Some(why))
            }
            // A version may name the outputs: they are left to vacuum.
            Err(error) => Err(error.into()),
        }
    }
}

fn sum(segments: &[Segment], of: impl Fn(&Segment) -> u64) -> u64 {
    segments.iter().map(of).sum()
}

/// Merges groups on so many threads; `None`: cancelled. The first error ends it.
fn merge_groups(
    threads: usize,
    mut groups: Vec<Group>,
    merger: &GroupMerger<'_>,
    cancel: &AtomicBool,
) -> Result<Option<Vec<Merged>>, CompactionError> {
    groups.reverse();
    let threads = threads.min(groups.len());
    let groups = Mutex::new(groups);
    let next = || groups.lock().ok().and_then(|mut groups| groups.pop());
    let work = || -> Result<Option<Vec<Merged>>, CompactionError> {
        let mut merged = Vec::new();
        while let Some(group) = next() {
            if cancel.load(Ordering::Relaxed) {
                return Ok(None);
            }
            match merger.merge(group) {
                Ok(done) => merged.push(done),
                Err(error) => {
                    if let Ok(mut groups) = groups.lock() {
                        groups.clear();
                    }
                    return Err(error);
                }
            }
        }
        Ok(Some(merged))
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut all = work();
        for worker in workers {
            let done = worker.join().unwrap_or_else(|_| Err(TabletError::Thread.into()));
            all = match (all, done) {
                (Err(error), _) | (Ok(_), Err(error)) => Err(error),
                (Ok(Some(mut all)), Ok(Some(done))) => {
                    all.extend(done);
                    Ok(Some(all))
                }
                _ => Ok(None),
            };
        }
        all
    })
}
