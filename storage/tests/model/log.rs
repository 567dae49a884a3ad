//! The folder of the log: names of versions and checkpoints, what is visible and what is durable.

use std::rc::Rc;

use crate::commit::{Content, Snapshot};
use crate::rules::{Rule, Rules};

/// No commit has the name.
const NONE: u8 = u8::MAX;
/// Versions that the encoding can hold.
const VERSIONS: usize = 32;

/// A change of the folder that a power cut may take back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Change {
    Link { version: u8, id: u8 },
    Unlink { version: u8 },
    Checkpoint(Snapshot),
}

/// What names the folder has.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Names {
    /// The commit of each version.
    versions: [u8; VERSIONS],
    checkpoints: Rc<Vec<Snapshot>>,
}

impl Names {
    fn apply(&mut self, change: Change) {
        match change {
            Change::Link { version, id } => self.versions[version as usize] = id,
            Change::Unlink { version } => self.versions[version as usize] = NONE,
            Change::Checkpoint(snapshot) => Rc::make_mut(&mut self.checkpoints).push(snapshot),
        }
    }
}

/// The log.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Log {
    /// Every commit that was ever linked, by id.
    commits: Rc<Vec<Content>>,
    visible: Names,
    durable: Names,
    unsynced: Vec<Change>,
}

impl Log {
    /// A table at version 0.
    pub fn new(create: Content) -> Self {
        let mut names = Names { versions: [NONE; VERSIONS], checkpoints: Rc::default() };
        names.versions[0] = 0;
        Self { commits: Rc::new(vec![create]), visible: names.clone(), durable: names, unsynced: Vec::new() }
    }

    pub fn content(&self, id: u8) -> &Content {
        &self.commits[id as usize]
    }

    /// How many commits were linked so far.
    pub fn linked(&self) -> usize {
        self.commits.len()
    }

    /// The commit that has the name of a version.
    pub fn id_at(&self, version: u8) -> Option<u8> {
        self.visible.versions.get(version as usize).copied().filter(|id| *id != NONE)
    }

    /// The contents of all versions that can be read.
    pub fn contents(&self) -> impl Iterator<Item = &Content> {
        self.visible.versions.iter().filter(|id| **id != NONE).map(|id| self.content(*id))
    }

    /// Gives a commit the name of a version, taken or not; its id.
    pub fn link(&mut self, version: u8, content: Content) -> u8 {
        let id = self.commits.len() as u8;
        Rc::make_mut(&mut self.commits).push(content);
        self.change(Change::Link { version, id });
        id
    }

    pub fn unlink(&mut self, version: u8) {
        self.change(Change::Unlink { version });
    }

    pub fn link_checkpoint(&mut self, snapshot: Snapshot) {
        self.change(Change::Checkpoint(snapshot));
    }

    fn change(&mut self, change: Change) {
        self.visible.apply(change);
        self.unsynced.push(change);
    }

    pub fn sync(&mut self) {
        self.durable = self.visible.clone();
        self.unsynced.clear();
    }

    pub fn unsynced(&self) -> usize {
        self.unsynced.len()
    }

    /// A power cut that leaves these of the changes that were not synced.
    pub fn cut(&mut self, kept: u32) {
        let mut names = self.durable.clone();
        for (place, change) in self.unsynced.iter().enumerate() {
            if kept >> place & 1 == 1 {
                names.apply(*change);
            }
        }
        self.visible = names;
        self.sync();
    }

    pub fn checkpoints(&self) -> &[Snapshot] {
        &self.visible.checkpoints
    }

    pub fn newest_checkpoint(&self) -> Option<&Snapshot> {
        self.checkpoints().iter().max_by_key(|checkpoint| checkpoint.version)
    }

    pub fn second_checkpoint(&self) -> Option<&Snapshot> {
        let newest = self.newest_checkpoint()?.version;
        self.checkpoints()
            .iter()
            .filter(|checkpoint| checkpoint.version < newest)
            .max_by_key(|checkpoint| checkpoint.version)
    }

    /// Where a reader starts that takes the newest checkpoint.
    pub fn start(&self) -> Option<Snapshot> {
        self.newest_checkpoint().copied().or_else(|| self.first())
    }

    fn first(&self) -> Option<Snapshot> {
        self.id_at(0).map(|id| Snapshot::default().after(id, self.content(id)))
    }

    /// Reads by name until no name follows.
    pub fn forward(&self, mut snapshot: Snapshot) -> Snapshot {
        while let Some(id) = self.id_at(snapshot.version + 1) {
            snapshot = snapshot.after(id, self.content(id));
        }
        snapshot
    }

    /// The table as a reader finds it.
    pub fn open(&self) -> Snapshot {
        self.start().map_or_else(Snapshot::default, |start| self.forward(start))
    }

    /// The table as a reader finds it that starts from the second newest checkpoint: the newest may be
    /// damaged, or not in the hint yet. `None`: that is no other start.
    pub fn open_second(&self) -> Option<Snapshot> {
        let start = match self.second_checkpoint() {
            Some(second) => Some(*second),
            None if self.checkpoints().len() == 1 => self.first(),
            None => None,
        };
        start.map(|start| self.forward(start))
    }

    /// Whether a version still is the commit that was read there.
    pub fn stands(&self, version: u8, id: u8) -> bool {
        self.id_at(version) == Some(id)
    }

    /// Reads on from a place. What was read there stands: then nothing above it was cleaned so far.
    pub fn refresh(&self, rules: Rules, from: Snapshot) -> Snapshot {
        if self.stands(from.version, from.newest) && rules.obeys(Rule::StandsBelow) {
            return self.forward(from);
        }
        let newer = self.newest_checkpoint().is_some_and(|newest| newest.version > from.version);
        if newer && rules.obeys(Rule::ReopenOnNewer) { self.open() } else { self.forward(from) }
    }

    /// Names of versions below which a cleaning may go, oldest first.
    pub fn below(&self, limit: u8) -> impl Iterator<Item = u8> {
        (0..limit).filter(|version| self.id_at(*version).is_some())
    }
}
