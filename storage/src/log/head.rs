//! A place in the log: the newest version that was read, with what a writer must know there.
//!
//! Kept: protocol, schema, the numbers set since the last checkpoint. Not kept: the files. So opening and
//! appending cost what was committed since the last checkpoint, whatever the size of the table.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use super::actions::{CommitInfo, Metadata, Protocol, Txn};
use super::commit_file::CommitSummary;
use super::error::{CommitError, TableError};
use super::folder::{CheckpointFile, LOOK_AGAIN, Listing, LogFolder};
use super::put::{Commit, Put};
use super::{checkpoint, delta_schema, protocol};
use crate::durable::SyncSite;
use crate::schema::TableSchema;

/// A number of an application, and where it was set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TxnNumber {
    pub(crate) number: i64,
    /// The version that set it; `None`: it lies in the checkpoint, and the version is not known.
    pub(crate) set_in: Option<u64>,
}

/// What was read from the checkpoint and the versions after it.
#[derive(Debug, Default)]
struct State {
    checkpoint: Option<CheckpointFile>,
    /// Actions in it.
    checkpoint_actions: u64,
    /// The version to read next.
    next: u64,
    protocol: Option<Protocol>,
    metadata: Option<Metadata>,
    /// Numbers set after the checkpoint.
    txns: HashMap<String, (u64, Txn)>,
    /// Actions of the commits after the checkpoint.
    tail_actions: u64,
    /// The `txnId` of the newest version; not known where a checkpoint told of it, or it has none.
    newest_id: Option<String>,
}

impl State {
    fn apply(&mut self, summary: CommitSummary) {
        let version = self.next;
        self.protocol = summary.protocol.or(self.protocol.take());
        self.metadata = summary.metadata.or(self.metadata.take());
        self.newest_id = summary.info.and_then(|info| info.txn_id).filter(|id| !id.is_empty());
        self.txns.extend(summary.txns.into_iter().map(|txn| (txn.app_id.clone(), (version, txn))));
        self.tail_actions += summary.actions;
        self.next += 1;
    }
}

/// Where reading forward ended.
enum Forward {
    /// At the newest version, with these checkpoints beside it.
    Head(Listing),
    /// A checkpoint appeared above the start: what was read may be what a paused writer left.
    Reopen,
}

/// How a commit over others ended.
pub(crate) enum Ended<T> {
    /// It stands at this version.
    Committed(u64),
    /// The decision was not to commit.
    Decided(T),
}

/// What to do at the version that was read.
pub(crate) enum Decision<T> {
    /// Put this at the next version.
    Commit(Arc<Commit>),
    /// Nothing.
    Stop(T),
    /// Read the log again from its newest checkpoint, and ask again.
    Reopen,
}

/// A place in the log.
#[derive(Debug)]
pub(crate) struct Head {
    log: LogFolder,
    root: PathBuf,
    state: State,
    schema: Arc<TableSchema>,
    /// The newest version that is known to be no leftover: a checkpoint above it means that what was read
    /// since may be what a paused writer left behind a cleaning.
    genuine_to: u64,
    /// Whether the folder was listed since a name was last found absent: without that, a version whose name is
    /// late may be missing. Whoever commits finds it taken, whoever answers must have looked.
    is_listed: bool,
    /// First version that is not known to be durable.
    durable_below: Cell<u64>,
    /// Whether the commit that is being put came into doubt: only then it may stand although others won.
    in_doubt: bool,
    /// Numbers that were looked up in the checkpoint.
    looked_up: RefCell<HashMap<String, Option<i64>>>,
}

impl Head {
    /// Reads the log from its newest checkpoint to its newest version.
    pub(crate) fn open(log: LogFolder, root: &Path) -> Result<Self, TableError> {
        let state = read_log(&log)?;
        Self::at(log, root, state)
    }

    fn at(log: LogFolder, root: &Path, state: State) -> Result<Self, TableError> {
        let schema = resolve(root, &state)?;
        Ok(Self {
            log,
            root: root.to_owned(),
            genuine_to: state.next.saturating_sub(1),
            is_listed: true,
            state,
            schema,
            durable_below: Cell::new(0),
            in_doubt: false,
            looked_up: RefCell::default(),
        })
    }

    /// The state of an older version, from a checkpoint below it (none: from version 0 on) and the commits
    /// between; `None`: one of them is gone.
    pub(crate) fn replay(
        log: LogFolder,
        root: &Path,
        base: Option<CheckpointFile>,
        version: u64,
    ) -> Result<Option<Self>, TableError> {
        let mut state = read_base(&log, base)?;
        while state.next <= version {
            let Some(summary) = log.read_summary(state.next)? else { return Ok(None) };
            state.apply(summary);
        }
        Self::at(log, root, state).map(Some)
    }

    pub(crate) fn log(&self) -> &LogFolder {
        &self.log
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The newest version that was read.
    pub(crate) fn version(&self) -> u64 {
        // A head that opened has read one at least.
        self.state.next.saturating_sub(1)
    }

    pub(crate) fn schema(&self) -> &Arc<TableSchema> {
        &self.schema
    }

    pub(crate) fn protocol(&self) -> Option<&Protocol> {
        self.state.protocol.as_ref()
    }

    pub(crate) fn metadata(&self) -> Option<&Metadata> {
        self.state.metadata.as_ref()
    }

    pub(crate) fn checkpoint(&self) -> Option<CheckpointFile> {
        self.state.checkpoint
    }

    /// Whether an earlier try of the commit that is being decided on came into doubt.
    pub(crate) fn in_doubt(&self) -> bool {
        self.in_doubt
    }

    /// Actions in the checkpoint.
    pub(crate) fn checkpoint_actions(&self) -> u64 {
        self.state.checkpoint_actions
    }

    /// Actions of the commits since the checkpoint.
    pub(crate) fn tail_actions(&self) -> u64 {
        self.state.tail_actions
    }

    /// Versions since the checkpoint.
    pub(crate) fn tail(&self) -> std::ops::Range<u64> {
        self.state.checkpoint.map_or(0, |checkpoint| checkpoint.version + 1)..self.state.next
    }

    /// Numbers that were set since the checkpoint.
    pub(crate) fn tail_txns(&self) -> impl Iterator<Item = &Txn> {
        self.state.txns.values().map(|(_, txn)| txn)
    }

    /// The number of an application.
    pub(crate) fn txn(&self, app_id: &str) -> Result<Option<TxnNumber>, TableError> {
        if let Some((version, txn)) = self.state.txns.get(app_id) {
            return Ok(Some(TxnNumber { number: txn.version, set_in: Some(*version) }));
        }
        let Some(checkpoint) = self.state.checkpoint else { return Ok(None) };
        let known = self.looked_up.borrow().get(app_id).copied();
        let number = match known {
            Some(number) => number,
            None => {
                let number = checkpoint::read_txn(&self.log, checkpoint.version, app_id)?;
                self.looked_up.borrow_mut().insert(app_id.to_owned(), number);
                number
            }
        };
        Ok(number.map(|number| TxnNumber { number, set_in: None }))
    }

    /// Reads what was committed since.
    pub(crate) fn refresh(&mut self) -> Result<(), TableError> {
        match read_forward(&self.log, &mut self.state, Some(self.genuine_to))? {
            Forward::Head(listing) => {
                self.genuine_to = self.version();
                self.is_listed = true;
                // The commits behind us may be cleaned from now on: the files of this version must be found
                // without them.
                if listing.second_newest_checkpoint() > Some(self.tail().start) {
                    return self.reopen();
                }
                self.schema = resolve(&self.root, &self.state)?;
            }
            Forward::Reopen => self.reopen()?,
        }
        Ok(())
    }

    /// The same by names alone, for whoever goes on to commit. It costs the same however many names the folder
    /// has. What follows from it without a commit goes through [`Head::look`].
    pub(crate) fn refresh_to_commit(&mut self) -> Result<(), TableError> {
        let (version, id) = (self.version(), self.state.newest_id.clone());
        while let Some(summary) = self.log.read_summary(self.state.next)? {
            self.state.apply(summary);
        }
        // Looked at last: it stood while all the others were read.
        if !id.is_some_and(|id| self.log.stands(version, &id)) {
            return self.refresh();
        }
        self.genuine_to = self.version();
        self.is_listed = false;
        if self.version() > version {
            self.schema = resolve(&self.root, &self.state)?;
        }
        Ok(())
    }

    /// What `look` finds at this version. If that does not go on to a commit, it is an answer: then it is asked
    /// for again where a version may be missing.
    pub(crate) fn look<T, E: From<CommitError>>(
        &mut self,
        look: &mut impl FnMut(&Self) -> Result<T, E>,
        goes_on: impl Fn(&T) -> bool,
    ) -> Result<T, E> {
        let found = look(self);
        if self.is_listed || found.as_ref().is_ok_and(goes_on) {
            return found;
        }
        self.refresh().map_err(CommitError::from)?;
        look(self)
    }

    /// Drops what was read and reads again from the newest checkpoint.
    pub(crate) fn reopen(&mut self) -> Result<(), TableError> {
        self.state = read_log(&self.log)?;
        self.genuine_to = self.version();
        self.is_listed = true;
        self.schema = resolve(&self.root, &self.state)?;
        self.durable_below.set(0);
        self.looked_up.borrow_mut().clear();
        Ok(())
    }

    /// Makes what was read durable: to be called before anything outside the log follows from it. `site`
    /// says what follows.
    pub(crate) fn make_durable(&self, site: SyncSite) -> Result<(), TableError> {
        if self.durable_below.get() < self.state.next {
            self.log.sync(site)?;
            self.durable_below.set(self.state.next);
        }
        Ok(())
    }

    /// Commits on top of whatever stands. `decide` looks at the state and is asked again after each commit
    /// of another writer, and after a doubt: so it must find its own earlier success there.
    pub(crate) fn commit_over<T, E: From<CommitError>>(
        &mut self,
        mut decide: impl FnMut(&Self) -> Result<Decision<T>, E>,
    ) -> Result<Ended<T>, E> {
        self.in_doubt = false;
        loop {
            let goes_on = |decision: &Decision<T>| matches!(decision, Decision::Commit(_));
            let commit = match self.look(&mut decide, goes_on)? {
                Decision::Commit(commit) => commit,
                Decision::Stop(value) => return Ok(Ended::Decided(value)),
                Decision::Reopen => {
                    self.reopen().map_err(CommitError::from)?;
                    continue;
                }
            };
            let version = self.state.next;
            // What we build on may be visible and not yet durable.
            self.make_durable(SyncSite::BuildOnNames).map_err(|error| self.log.unknown(version, &error))?;
            match self.log.put(version, &commit, self.state.newest_id.as_deref())? {
                Put::Committed => {
                    self.take(&commit).map_err(CommitError::from)?;
                    return Ok(Ended::Committed(version));
                }
                Put::Taken => self.refresh().map_err(CommitError::from)?,
                // The state decides, if it can be read.
                Put::InDoubt => {
                    self.in_doubt = true;
                    self.reopen().map_err(|error| self.log.unknown(version, &error))?;
                }
            }
        }
    }

    /// Our own commit stands: no need to read it.
    fn take(&mut self, commit: &Commit) -> Result<(), TableError> {
        let changed = commit.protocol.is_some() || commit.metadata.is_some();
        let info = CommitInfo { txn_id: Some(commit.txn_id().to_owned()), ..CommitInfo::default() };
        self.state.apply(CommitSummary {
            info: Some(info),
            protocol: commit.protocol.clone(),
            metadata: commit.metadata.clone(),
            txns: commit.txns.clone(),
            actions: commit.actions,
        });
        // Its name was free: whoever had been late would have had it.
        self.genuine_to = self.version();
        self.is_listed = true;
        self.durable_below.set(self.state.next);
        if changed {
            self.schema = resolve(&self.root, &self.state)?;
        }
        Ok(())
    }

    /// A checkpoint of so many actions stands, whoever made it: what it holds need not be kept.
    pub(crate) fn rebase_on(&mut self, checkpoint: CheckpointFile, actions: u64) {
        self.state.checkpoint = Some(checkpoint);
        self.state.txns.retain(|_, (version, _)| *version > checkpoint.version);
        (self.state.checkpoint_actions, self.state.tail_actions) = (actions, 0);
        self.looked_up.borrow_mut().clear();
    }
}

/// Reads from the newest checkpoint to the newest version; again, if a newer checkpoint appears meanwhile.
fn read_log(log: &LogFolder) -> Result<State, TableError> {
    loop {
        let mut state = read_base(log, log.list()?.newest_checkpoint())?;
        let start = state.checkpoint.map(|checkpoint| checkpoint.version);
        if let Forward::Head(_) = read_forward(log, &mut state, start)? {
            return Ok(state);
        }
    }
}

/// The state that a checkpoint holds; without one, nothing.
fn read_base(log: &LogFolder, newest: Option<CheckpointFile>) -> Result<State, TableError> {
    let mut state = State::default();
    if let Some(newest) = newest {
        let base = checkpoint::read_base(log, newest.version)?;
        state.protocol = Some(base.protocol);
        state.metadata = Some(base.metadata);
        state.checkpoint = Some(newest);
        state.checkpoint_actions = base.actions;
        state.next = newest.version + 1;
    }
    Ok(state)
}

/// Reads forward by name until no name follows, then lists. `start` is the version that was read before.
fn read_forward(log: &LogFolder, state: &mut State, start: Option<u64>) -> Result<Forward, TableError> {
    let mut until = Instant::now() + log.name_wait();
    loop {
        while let Some(summary) = log.read_summary(state.next)? {
            state.apply(summary);
            until = Instant::now() + log.name_wait();
        }
        let listing = log.list()?;
        if listing.newest_checkpoint().map(|checkpoint| checkpoint.version) > start {
            return Ok(Forward::Reopen);
        }
        // It holds the versions up to its own, and their names may be gone.
        if let Some((_, kind)) = listing.foreign_checkpoint.filter(|(version, _)| *version >= state.next) {
            // Or they came after the look.
            if log.read_info(state.next)?.is_some() {
                continue;
            }
            return Err(log.unsupported(kind.text()));
        }
        if listing.newest_commit.is_none_or(|newest| newest < state.next) {
            return Ok(Forward::Head(listing));
        }
        // A higher name is there: this one is late (a writer was faster than the look), or gone.
        if Instant::now() >= until {
            let what = format!(
                "version {} is missing, the newest is {}",
                state.next,
                listing.newest_commit.unwrap_or_default()
            );
            return Err(TableError::damaged(log.path(), what));
        }
        std::thread::sleep(LOOK_AGAIN);
    }
}

/// Checks that the table asks for nothing unknown, and reads its definition.
fn resolve(root: &Path, state: &State) -> Result<Arc<TableSchema>, TableError> {
    let damaged = |what: &str| TableError::damaged(&root.join(super::folder::LOG_FOLDER), what);
    let metadata = state.metadata.as_ref().ok_or_else(|| damaged("there is no metaData in it"))?;
    let protocol = state.protocol.as_ref().ok_or_else(|| damaged("there is no protocol in it"))?;
    protocol::check(root, protocol, metadata)?;
    let definition = delta_schema::definition(metadata).map_err(|what| damaged(&what))?;
    Ok(Arc::new(TableSchema::new(definition)))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use super::*;
    use crate::durable::Posix;
    use crate::schema::{Column, Compression, Distribution, TableDefinition};
    use crate::table::Table;
    use crate::types::DataType;

    /// A table at version 3.
    fn table(root: &Path) {
        let column = Column { name: "a".to_owned(), data_type: DataType::Int, nullable: true, default: None };
        let definition = TableDefinition {
            columns: vec![column],
            key: Vec::new(),
            order_by: Vec::new(),
            partition_by: crate::schema::PartitionBy::None,
            distribution: Distribution::Random { buckets: 1 },
            compression: Compression::Zstd,
        };
        let mut table = Table::create(Arc::new(Posix), root, &definition).unwrap();
        for label in ["x", "y", "z"] {
            table.claim(label, 1).unwrap();
        }
    }

    fn log(root: &Path, patience: u64) -> LogFolder {
        LogFolder::new(Arc::new(Posix), root).with_name_wait(Duration::from_millis(patience))
    }

    #[test]
    fn a_missing_version_is_damage_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        table(folder.path());
        let log = log(folder.path(), 20);
        fs::remove_file(log.commit_path(2)).unwrap();
        let error = Head::open(log.clone(), folder.path()).unwrap_err();
        assert_eq!(error.category(), "DamagedLog");
        assert!(error.to_string().contains("version 2 is missing, the newest is 3"), "{error}");

        fs::remove_file(log.commit_path(0)).unwrap();
        let error = Head::open(log, folder.path()).unwrap_err();
        assert!(error.to_string().contains("version 0 is missing"), "{error}");
    }

    #[test]
    fn a_version_that_is_seen_late_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        table(folder.path());
        let log = log(folder.path(), 60_000);
        let (path, hidden) = (log.commit_path(2), folder.path().join("hidden"));
        fs::rename(&path, &hidden).unwrap();
        let opened = std::thread::scope(|scope| {
            let opening = scope.spawn(|| Head::open(log, folder.path()).map(|head| head.version()));
            std::thread::yield_now();
            fs::rename(&hidden, &path).unwrap();
            opening.join().unwrap()
        });
        assert_eq!(opened.unwrap(), 3);
    }

    #[test]
    fn a_name_that_is_taken_and_not_to_be_seen_is_an_unknown_outcome() {
        let folder = tempfile::tempdir().unwrap();
        table(folder.path());
        let mut head = Head::open(log(folder.path(), 20), folder.path()).unwrap();
        // A link to nothing: the name exists and does not open.
        std::os::unix::fs::symlink("nowhere", head.log().commit_path(4)).unwrap();
        let info = super::super::actions::CommitInfo::default();
        let commit = Arc::new(Commit::new(&info, Vec::new()).unwrap());
        let decide = |_: &Head| Ok::<_, CommitError>(Decision::<()>::Commit(Arc::clone(&commit)));
        let error = head.commit_over(decide).err().unwrap();
        assert!(matches!(error, CommitError::OutcomeUnknown { version: 4, .. }), "{error}");
    }
}
