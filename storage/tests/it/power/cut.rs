//! What is durable at a cut, what is not, and what a cut can leave of that.
//!
//! Durable is what an fsync of the file (bytes) or of the folder (names) covered; of the rest any part may be
//! there: names without bytes, sizes without bytes, bytes without names. An fsync of a file makes no name
//! durable. A name in a folder is durable by an fsync of that folder only; the folder's own name is another.

use std::collections::BTreeSet;

use longshore_storage::durable::SyncSite;
use rand::Rng;
use rand::rngs::StdRng;

use super::promise::Promise;
use super::recording::{PathId, Recording};
use super::volume::{Inode, Node, Operation, parent};

/// Bytes that a disk writes whole or not at all.
pub const BLOCK: usize = 4096;

/// In which order names become durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// A journal: a beginning of all changes of names, whatever their folder (ext4, XFS).
    Journal,
    /// Any part of them.
    Any,
}

/// What lies at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Slot {
    Nothing,
    Folder,
    File(Inode),
}

/// A change of names.
#[derive(Debug, Clone, Copy)]
pub enum Change {
    Put(PathId, Slot),
    Take(PathId),
    TakeFolder(PathId),
    Move(PathId, PathId, Inode),
}

/// The part of a file that was not synced, as it was found: `blocks` of it are within the size, and those
/// whose bit is set were written; the others are zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tail {
    pub blocks: usize,
    pub written: u64,
}

/// What has been done, and what of it is durable.
pub struct Cut<'a> {
    recording: &'a Recording,
    pub order: Order,
    durable: Vec<Slot>,
    /// Changes of names that are not durable, with the folder that makes them so.
    pub pending: Vec<(PathId, Change)>,
    /// Bytes of each file, and how many of them are durable.
    pub length: Vec<usize>,
    pub synced: Vec<usize>,
    /// An fsync failed: what was not durable then never will be.
    spoiled: Vec<bool>,
    pub version: Option<u64>,
    pub files: BTreeSet<PathId>,
}

impl<'a> Cut<'a> {
    pub fn new(recording: &'a Recording, order: Order) -> Self {
        let mut durable = vec![Slot::Nothing; recording.paths.len()];
        for (path, node) in &recording.start {
            durable[recording.id(path)] = match node {
                Node::Folder => Slot::Folder,
                Node::File(inode) => Slot::File(*inode),
            };
        }
        let start =
            |inode: Inode| if inode < recording.start_files { recording.contents[inode].len() } else { 0 };
        let length: Vec<usize> = (0..recording.contents.len()).map(start).collect();
        Self {
            recording,
            order,
            durable,
            pending: Vec::new(),
            synced: length.clone(),
            spoiled: vec![false; length.len()],
            length,
            version: None,
            files: BTreeSet::new(),
        }
    }

    /// Does one step; whether a cut after it can leave anything that a cut before it could not, or breaks a
    /// promise that was not made before.
    pub fn step(&mut self, operation: &Operation, without: Option<SyncSite>) -> bool {
        let id = |path: &str| self.recording.id(path);
        let (path, change) = match operation {
            Operation::Sync { site, .. } | Operation::SyncFolder { site, .. } if Some(*site) == without => {
                return false;
            }
            Operation::Sync { inode, .. } => {
                if !self.spoiled[*inode] {
                    self.synced[*inode] = self.length[*inode];
                }
                return false;
            }
            Operation::SyncFailed { inode } => {
                self.spoiled[*inode] = true;
                return false;
            }
            Operation::SyncFolder { path, .. } => {
                self.sync_folder(id(path));
                return false;
            }
            Operation::Write { inode, length } => {
                self.length[*inode] = *length;
                return true;
            }
            Operation::Promise(promise) => return self.promise(promise),
            Operation::Create { path, inode } | Operation::Link { path, inode } => {
                (path, Change::Put(id(path), Slot::File(*inode)))
            }
            Operation::MakeFolder { path } => (path, Change::Put(id(path), Slot::Folder)),
            Operation::Rename { from, to, inode } => (to, Change::Move(id(from), id(to), *inode)),
            Operation::Remove { path } => (path, Change::Take(id(path))),
            Operation::RemoveFolder { path } => (path, Change::TakeFolder(id(path))),
        };
        self.pending.push((id(parent(path)), change));
        true
    }

    fn promise(&mut self, promise: &Promise) -> bool {
        match promise {
            Promise::Version(version) => {
                let newer = self.version.is_none_or(|promised| promised < *version);
                self.version = self.version.max(Some(*version));
                newer
            }
            Promise::File(path) => self.files.insert(self.recording.id(path)),
            Promise::Release(path) => {
                self.files.remove(&self.recording.id(path));
                false
            }
        }
    }

    fn sync_folder(&mut self, folder: PathId) {
        let pending = std::mem::take(&mut self.pending);
        let last = pending.iter().rposition(|(of, _)| *of == folder);
        for (at, (of, change)) in pending.into_iter().enumerate() {
            let covered = match self.order {
                Order::Journal => last.is_some_and(|last| at <= last),
                Order::Any => of == folder,
            };
            if covered {
                apply(&mut self.durable, change, self.recording);
            } else {
                self.pending.push((of, change));
            }
        }
    }

    /// The names that a cut leaves if it leaves these changes.
    pub fn names(&self, mut is_left: impl FnMut(usize) -> bool) -> Vec<Slot> {
        let mut names = self.durable.clone();
        for (at, (_, change)) in self.pending.iter().enumerate() {
            if is_left(at) {
                apply(&mut names, *change, self.recording);
            }
        }
        // What is below a folder that is not there cannot be found. Folders come before what is in them.
        for (id, above) in self.recording.parents.iter().enumerate() {
            if above.is_some_and(|above| names[above] != Slot::Folder) {
                names[id] = Slot::Nothing;
            }
        }
        names
    }

    /// Blocks of a file that are not durable, the one in which the durable part ends included.
    pub fn blocks(&self, inode: Inode) -> usize {
        match self.length[inode] - self.synced[inode] {
            0 => 0,
            _ => self.length[inode].div_ceil(BLOCK) - self.synced[inode] / BLOCK,
        }
    }

    /// Files with names, durable or not, whose bytes are not durable.
    pub fn unsynced(&self) -> Vec<Inode> {
        let pending = self.pending.iter().filter_map(|(_, change)| match change {
            Change::Put(_, Slot::File(inode)) | Change::Move(_, _, inode) => Some(*inode),
            _ => None,
        });
        let durable = self.durable.iter().filter_map(|slot| match slot {
            Slot::File(inode) => Some(*inode),
            _ => None,
        });
        let files: BTreeSet<Inode> = pending.chain(durable).filter(|inode| self.blocks(*inode) > 0).collect();
        files.into_iter().collect()
    }
}

fn apply(names: &mut [Slot], change: Change, recording: &Recording) {
    match change {
        Change::Put(path, slot) => names[path] = slot,
        Change::Take(path) => names[path] = Slot::Nothing,
        Change::Move(from, to, inode) => {
            names[from] = Slot::Nothing;
            names[to] = Slot::File(inode);
        }
        Change::TakeFolder(path) => {
            let folder = format!("{}/", recording.paths[path]);
            names[path] = Slot::Nothing;
            for (below, name) in recording.paths.iter().zip(names) {
                if below.starts_with(&folder) {
                    *name = Slot::Nothing;
                }
            }
        }
    }
}

/// Every way in which a file of that many blocks can be found: 2^(blocks + 1) - 1 of them.
pub fn tail(blocks: usize, number: usize) -> Tail {
    // 0: no block within the size; 1 and 2: one block; 3 to 6: two blocks; ...
    let within = (number + 1).ilog2() as usize;
    debug_assert!(within <= blocks);
    Tail { blocks: within, written: (number + 1 - (1 << within)) as u64 }
}

pub fn tails(blocks: usize) -> usize {
    if blocks < 62 { (2 << blocks) - 1 } else { usize::MAX }
}

pub fn random_tail(blocks: usize, random: &mut StdRng) -> Tail {
    let within = match random.random_range(0..4) {
        0 => 0,
        1 => random.random_range(0..=blocks),
        _ => blocks,
    };
    let share = [0.0, 0.1, 0.5, 0.9, 1.0][random.random_range(0..5)];
    let written = (0..within).filter(|_| random.random_bool(share)).fold(0, |bits, block| bits | 1 << block);
    Tail { blocks: within, written }
}

pub fn whole(blocks: usize) -> Tail {
    Tail { blocks, written: (1_u64 << blocks) - 1 }
}
