//! A table on a volume: made, opened, claimed, committed to.
//!
//! Every call blocks. A [`Table`] is one process's place in the log; any number of processes may have one on
//! the same folder, and none of them needs a lock.

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use crate::durable::FileSystem;
use crate::history::{self, FoldOutcome, History, HistoryFilter};
use crate::load::{LoadFolder, Segment};
use crate::log;
use crate::log::files::segment_of;
use crate::log::folder::LogFolder;
use crate::log::head::Head;
use crate::schema::{TableDefinition, TableSchema};
use crate::vacuum::{self, VacuumItem, VacuumOptions, VacuumOutcome};
use crate::verify::{self, Finding, VerifyOptions, VerifyOutcome};

mod alter;
mod claims;
mod close;
mod commits;
mod compaction;
mod create;
mod declare;
mod epoch;
mod format;
mod label;
mod lines;
mod overwrite;
mod owner;
mod partitions;
mod pipe;
mod probe;

pub use crate::log::claim::Claim;
pub use crate::log::{ClaimError, CleanOptions, CleanOutcome, CommitError, TableError};
pub use alter::AlterOutcome;
pub use close::CloseOutcome;
pub use commits::{CommitOutcome, LoadCommit, LoadMode, OverwriteScope};
pub use compaction::{CompactionOutcome, DropReason};
pub(crate) use create::TEMPORARY_FOLDER;
pub use declare::Declared;
pub use epoch::{Epoch, Maintenance};
pub use label::LabelState;
pub use partitions::PartitionSummary;
pub use pipe::{Batch, PipeEpoch, batch_label};
pub(crate) use pipe::{EPOCH_ID, PIPES_FOLDER, batch_name, batch_of_label, ledger_label};

/// A table that is open at a version.
#[derive(Debug)]
pub struct Table {
    files: Arc<dyn FileSystem>,
    head: Head,
}

/// What files of a version hold together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Rows.
    pub rows: u64,
    /// Bytes.
    pub bytes: u64,
    /// Files.
    pub files: u64,
}

impl Totals {
    fn add(&mut self, rows: u64, bytes: u64) {
        self.rows += rows;
        self.bytes += bytes;
        self.files += 1;
    }
}

impl Table {
    /// Makes a table in a folder that is empty (but for `lost+found`) or not there, after a probe of the
    /// volume. Returns with every name durable. A creation that was interrupted is completed; a table that
    /// is there already is opened if its definition is equal, else refused with what differs.
    pub fn create(
        files: Arc<dyn FileSystem>,
        root: &Path,
        definition: &TableDefinition,
    ) -> Result<Self, TableError> {
        create::create(files, root, definition)
    }

    /// Opens the table at its newest version. Refuses, without touching anything, what is not a Longshore
    /// table, has a newer layout, asks for features that are not known here, or has a damaged log.
    pub fn open(files: Arc<dyn FileSystem>, root: &Path) -> Result<Self, TableError> {
        format::check(files.as_ref(), root)?;
        Self::open_log(files, root)
    }

    fn open_log(files: Arc<dyn FileSystem>, root: &Path) -> Result<Self, TableError> {
        let log = LogFolder::new(Arc::clone(&files), root);
        let head = Head::open(log, root)?;
        Ok(Self { files, head })
    }

    /// Reads what was committed since.
    pub fn refresh(&mut self) -> Result<(), TableError> {
        self.head.refresh()
    }

    /// Reads what was committed since by names alone, whatever the number of names in the log: for whoever goes
    /// on to commit, which finds out what this may have missed.
    pub fn refresh_to_commit(&mut self) -> Result<(), TableError> {
        self.head.refresh_to_commit()
    }

    /// Random id of the table (UUID), the same for ever.
    pub fn id(&self) -> &str {
        self.head.metadata().map_or("", |metadata| &metadata.id)
    }

    /// Columns, key, order and distribution at this version.
    pub fn schema(&self) -> &Arc<TableSchema> {
        self.head.schema()
    }

    /// The version that was read.
    pub fn version(&self) -> u64 {
        self.head.version()
    }

    /// The table's folder.
    pub fn root(&self) -> &Path {
        self.head.root()
    }

    pub(crate) fn head(&self) -> &Head {
        &self.head
    }

    /// The volume.
    pub fn files(&self) -> &Arc<dyn FileSystem> {
        &self.files
    }

    /// When the table was made.
    pub fn created(&self) -> Option<SystemTime> {
        let created = self.head.metadata()?.created_time?;
        let since = std::time::Duration::from_millis(u64::try_from(created).ok()?);
        SystemTime::UNIX_EPOCH.checked_add(since)
    }

    /// The files of this version, in the order of their commits. Reads the checkpoint and the commits after
    /// it; an append never does.
    pub fn segments(&self) -> Result<Vec<Segment>, TableError> {
        let mut segments = Vec::new();
        self.visit_segments(|segment| segments.push(segment))?;
        Ok(segments)
    }

    /// Rows, bytes and files of this version; like [`segments`](Self::segments), without keeping them.
    pub fn totals(&self) -> Result<Totals, TableError> {
        let mut totals = Totals::default();
        self.visit_segments(|segment| {
            totals.add(segment.rows, segment.bytes);
        })?;
        Ok(totals)
    }

    pub(crate) fn visit_segments(&self, mut visit: impl FnMut(Segment)) -> Result<(), TableError> {
        let touched = self.head.touched()?;
        self.head.visit_files(&touched, |add| {
            visit(segment_of(add));
            Ok(())
        })?;
        self.head.check_not_expired()
    }

    /// Makes the folder of a claim, durable.
    pub fn load_folder(&self, claim: &Claim) -> Result<LoadFolder, TableError> {
        LoadFolder::make(Arc::clone(&self.files), self.root(), claim)
    }

    /// Removes what the attempts of a load left that is over. Of a label that is loaded: plans and reports.
    /// Of a run that is closed or passed: the segments as well, for no version can name them any more.
    /// Rejected rows stay. A run that may still commit is refused.
    pub fn remove_own(&mut self, folder: &LoadFolder) -> Result<(), TableError> {
        self.refresh()?;
        let claim = folder.claim();
        let with_segments = match self.label(claim.label())? {
            LabelState::Loaded { .. } => false,
            LabelState::Closed { run } if run >= claim.run() => true,
            LabelState::Claimed { run, .. } if run > claim.run() => true,
            other => {
                return Err(TableError::RunStillOpen {
                    label: claim.label().to_owned(),
                    run: claim.run(),
                    why: format!("its state in the log is {other:?}"),
                });
            }
        };
        folder.remove(with_segments)
    }

    /// Reads the history of this version, the oldest entry first.
    pub fn history(&self, filter: &HistoryFilter) -> Result<History, TableError> {
        history::history(Arc::clone(&self.files), &self.head, filter)
    }

    /// Folds the records of all versions into few files: they are found without their commits then. Any
    /// number of processes may do so at once, and may end at any point.
    pub fn fold_history(&mut self) -> Result<FoldOutcome, TableError> {
        self.refresh()?;
        history::fold(&self.head)
    }

    /// Makes a checkpoint of this version now; answers the version.
    pub fn checkpoint(&mut self) -> Result<u64, TableError> {
        self.head.write_checkpoint()
    }

    /// Makes a checkpoint if one pays: when the commits since the last one have a quarter of its bytes,
    /// after 50 commits at least and 1,000 at most; the history is folded then, and the log cleaned of what
    /// is a day old. To be called after a commit; answers the version of the checkpoint.
    pub fn checkpoint_if_due(&mut self) -> Result<Option<u64>, TableError> {
        let version = self.head.checkpoint_if_due()?;
        if version.is_some()
            && let Err(error) = self.clean_log(&CleanOptions::default())
        {
            // The checkpoint stands; the next one comes with the same work.
            tracing::warn!(%error, "the log was not cleaned");
        }
        Ok(version)
    }

    /// Folds the history, then removes from the log what is not needed any more: commits below the second
    /// newest checkpoint, the checkpoints below them and temporary files, all of a least age.
    pub fn clean_log(&mut self, options: &CleanOptions) -> Result<CleanOutcome, TableError> {
        self.fold_history()?;
        log::clean(&self.head, options)
    }

    /// Removes files that no one can need any more, and tells of each to `visit`; or, in a dry run, only
    /// tells. Any number of processes may do so at once, beside loads and readers.
    pub fn vacuum(
        &mut self,
        options: &VacuumOptions,
        visit: &mut dyn FnMut(&VacuumItem),
    ) -> Result<VacuumOutcome, CommitError> {
        vacuum::vacuum(self, options, visit)
    }

    /// Compares what is on the volume with what the log says, and tells of each thing that is not as it
    /// should be to `visit`. Changes nothing.
    pub fn verify(
        &mut self,
        options: &VerifyOptions,
        visit: &mut dyn FnMut(&Finding),
    ) -> Result<VerifyOutcome, CommitError> {
        verify::verify(self, options, visit)
    }
}
