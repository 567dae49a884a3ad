//! An actor: a process that is somewhere in its work. Between any two steps it may sleep, for ever too: that
//! is how a kill looks to the others.

use crate::columns::{Columns, NewColumn};
use crate::commit::{Content, FileSet, Mode, Snapshot};
use crate::rows::{EVERYTHING, RowSet};

/// What an actor is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// A whole load in one process.
    Loader,
    /// Cancels a run.
    Canceller,
    /// Finds out how a parallel run ended.
    Resolver,
    /// The plan of a parallel load.
    Planner,
    /// One task of it.
    Task(u8),
    /// The commit of it.
    Committer,
    Pipe,
    Vacuum,
    /// Checkpoints and cleaning.
    Checkpointer,
    Compactor,
    /// Changes the schema.
    Alterer,
    /// Commits that touch nothing of this.
    Other,
    /// A reader that sleeps between the checkpoint and the versions after it.
    Reader,
}

/// Where an actor stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    Start,
    // A commit, whoever's.
    Decide,
    WhoHasIt,
    Sync,
    Check,
    SyncUnlink,
    // A load.
    Plan,
    WriteTask,
    PutReport,
    Merge,
    SayLoaded,
    SayLoadedByLog,
    SayCancelled,
    // A pipe.
    ReadLedger,
    CutBatch,
    PutBatch,
    WriteBatch,
    WriteLedger,
    // Maintenance.
    Compact,
    SyncBeforeDelete,
    Delete,
    LinkCheckpoint,
    SyncCheckpoint,
    Clean,
    ReadForward,
    // The end.
    Done,
    Dead,
}

/// An actor and all that it knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Actor {
    pub role: Role,
    pub step: Step,
    pub label: u8,
    pub run: u8,
    /// Which request it works for.
    pub request: u8,
    pub mode: Mode,
    /// Rows that its source can hold.
    pub source: RowSet,
    pub wants: Option<NewColumn>,
    /// How often it goes on.
    pub budget: u8,

    /// The place in the log that it has read.
    pub snapshot: Snapshot,
    /// The commit that it is about.
    pub content: Content,
    /// Where it goes on after that.
    pub then: Step,
    pub version: u8,
    /// The commit that it has linked at `version`.
    pub id: Option<u8>,
    /// The commit that it has read at the version below.
    pub below: u8,

    /// A compaction that it has tried to put.
    pub tried: bool,

    pub claim: u8,
    pub late: bool,
    /// Columns that it writes.
    pub columns: Columns,
    pub task: u8,
    pub task_file: Option<u8>,
    pub files: FileSet,
    pub epoch: u8,
    pub number: u8,
    pub batch: u16,
    /// Objects that it takes for loaded.
    pub known: u16,
    /// What was acknowledged when a reader began.
    pub acknowledged: u32,
}

impl Actor {
    pub fn new(role: Role) -> Self {
        Self {
            role,
            step: Step::Start,
            label: 0,
            run: 1,
            request: 0,
            mode: Mode::Append,
            source: EVERYTHING,
            wants: None,
            budget: 0,
            snapshot: Snapshot::default(),
            content: Content::Nothing,
            then: Step::Done,
            version: 0,
            id: None,
            below: 0,
            tried: false,
            claim: 0,
            late: false,
            columns: Columns::default(),
            task: 0,
            task_file: None,
            files: 0,
            epoch: 0,
            number: 0,
            batch: 0,
            known: 0,
            acknowledged: 0,
        }
    }

    pub fn loader(label: u8) -> Self {
        Self { label, ..Self::new(Role::Loader) }
    }

    pub fn run(self, run: u8) -> Self {
        Self { run, ..self }
    }

    pub fn request(self, request: u8) -> Self {
        Self { request, ..self }
    }

    pub fn mode(self, mode: Mode) -> Self {
        Self { mode, ..self }
    }

    pub fn source(self, source: RowSet) -> Self {
        Self { source, ..self }
    }

    pub fn wants(self, place: u8, kind: crate::columns::Kind) -> Self {
        Self { wants: Some(NewColumn { place, kind }), ..self }
    }

    pub fn budget(self, budget: u8) -> Self {
        Self { budget, ..self }
    }

    /// Drops what it knew: so worlds that differ only in that become one.
    pub fn forget(&mut self) {
        let Self { role, step, label, run, request, mode, source, wants, .. } = *self;
        *self = Self { step, label, run, request, mode, source, wants, ..Self::new(role) };
    }

    pub fn is_over(&self) -> bool {
        matches!(self.step, Step::Done | Step::Dead)
    }
}
