//! The places in the code that make something durable, each with a name: tests switch them off one by one
//! and show what is lost without each.

/// Declares the places: variant, id, and what it protects.
macro_rules! sites {
    ($($(#[doc = $text:literal])+ $variant:ident = $id:literal,)+) => {
        /// A place in the code that calls for an fsync. The comment of each says what it protects.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum SyncSite {
            $($(#[doc = $text])+ $variant,)+
        }

        impl SyncSite {
            /// Every place.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Stable name, kebab-case.
            pub fn id(self) -> &'static str {
                match self {
                    $(Self::$variant => $id,)+
                }
            }
        }
    };
}

sites! {
    /// The table's folder in its parent: without it a whole acknowledged table is gone.
    TableFolderName = "table-folder-name",
    /// `_longshore` and `_delta_log` in the table's folder, before there is a version.
    TableLayoutNames = "table-layout-names",
    /// `format.json`: a table without its bytes is taken for something foreign.
    FormatContents = "format-contents",
    /// The names in `_longshore`, `format.json` and the folder of the history, before there is a version.
    FormatName = "format-name",
    /// A file of the volume probe: asks whether fsync works at all.
    ProbeContents = "probe-contents",
    /// The folder of the volume probe: asks whether fsync of a folder works at all.
    ProbeNames = "probe-names",
    /// The lines of a commit: a name without them is a damaged log.
    CommitContents = "commit-contents",
    /// The name of a commit: it is acknowledged only after this.
    CommitName = "commit-name",
    /// Versions of other writers, before a version is linked on top of them: no hole below it.
    BuildOnNames = "build-on-names",
    /// Versions of another creator, before the table is said to be there.
    CreateAnswer = "create-answer",
    /// Versions that were read, before a claim is refused by them.
    ClaimAnswer = "claim-answer",
    /// Versions that were read, before the state of a label is told.
    LabelAnswer = "label-answer",
    /// Versions that were read, before a load ends by them: loaded by another, claim lost.
    LoadAnswer = "load-answer",
    /// Versions that were read, before the closing of a run ends by them.
    CloseAnswer = "close-answer",
    /// Versions that were read, before a column is said to be there, or to have another type.
    AlterAnswer = "alter-answer",
    /// Versions that were read, before a compaction ends by them.
    CompactionAnswer = "compaction-answer",
    /// Versions that were read, before the newest epoch is told.
    EpochAnswer = "epoch-answer",
    /// Versions that a checkpoint holds, before it is linked: it must not hold what a cut takes back.
    CheckpointBaseNames = "checkpoint-base-names",
    /// A checkpoint's rows.
    CheckpointContents = "checkpoint-contents",
    /// The name of a checkpoint, before the hint or a cleaning relies on it.
    CheckpointName = "checkpoint-name",
    /// A newer checkpoint of another writer, before the hint names it.
    HintBaseNames = "hint-base-names",
    /// The name of `_last_checkpoint`, before a checkpoint that an older one names is removed.
    HintName = "hint-name",
    /// The bytes of `_last_checkpoint`.
    HintContents = "hint-contents",
    /// A history record: the commit that names it has its digest.
    RecordContents = "record-contents",
    /// The name of a history record, before the commit that names it.
    RecordName = "record-name",
    /// A file of folded records: those that it holds are removed afterwards.
    FoldedContents = "folded-contents",
    /// The name of a file of folded records, before those that it holds are removed.
    FoldedName = "folded-name",
    /// The name of a larger folded file of another process, before those that it holds are removed.
    LargerFoldedName = "larger-folded-name",
    /// The name of a folded file whose maker died, before the records that it holds are removed.
    LeftFoldedName = "left-folded-name",
    /// Versions that were read, before their records are folded.
    FoldBaseNames = "fold-base-names",
    /// Checkpoints that were read, before the hint names them and commits below them go.
    CleanBaseNames = "clean-base-names",
    /// Versions that were read, before vacuum removes what they do not name.
    VacuumBaseNames = "vacuum-base-names",
    /// The folders of an attempt in those above them.
    LoadFolderNames = "load-folder-names",
    /// A plan: later attempts read it.
    PlanContents = "plan-contents",
    /// The name of a plan.
    PlanName = "plan-name",
    /// A task's report: the commit is made from it.
    ReportContents = "report-contents",
    /// The name of a task's report.
    ReportName = "report-name",
    /// Rejected rows.
    RejectedContents = "rejected-contents",
    /// The name of a file of rejected rows.
    RejectedName = "rejected-name",
    /// A segment: the report and the commit that name it promise its bytes.
    SegmentContents = "segment-contents",
    /// The name of a segment.
    SegmentName = "segment-name",
    /// The folder of a partition in the table's.
    PartitionFolderName = "partition-folder-name",
    /// The folder of a tablet in its partition's, or in the table's if that has no partitions.
    TabletFolderName = "tablet-folder-name",
    /// The folders of a ledger in those above them, before the first epoch.
    LedgerFolderNames = "ledger-folder-names",
    /// The opening record of a ledger's log: it stands for those that it was made of.
    LedgerContents = "ledger-contents",
    /// The name of a ledger's log, before those that it was made of are removed.
    LedgerName = "ledger-name",
    /// A record in a ledger's log, before it is acknowledged.
    LedgerAppend = "ledger-append",
    /// A sorted file of a ledger: what it was made of is removed afterwards.
    LedgerSortedContents = "ledger-sorted-contents",
    /// The name of a sorted file of a ledger, before what it was made of is removed.
    LedgerSortedName = "ledger-sorted-name",
    /// The file of a batch.
    BatchContents = "batch-contents",
    /// The name of a batch's file, before the batch is begun.
    BatchName = "batch-name",
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn ids_differ() {
        let ids: BTreeSet<&str> = SyncSite::ALL.iter().map(|site| site.id()).collect();
        assert_eq!(ids.len(), SyncSite::ALL.len());
    }
}
