//! What a power cut can leave: for each point of a recording, the states that the volume may be found in.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use longshore_storage::durable::SyncSite;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::cut::{BLOCK, Cut, Order, Slot, Tail, random_tail, tail, tails, whole};
use super::promise::Violation;
use super::recording::Recording;
use super::volume::{Inode, Node, Volume, is_temporary};

/// Cut points with no more states than two to the tenth are replayed whole.
const EXHAUSTIVE: usize = 1 << 10;

/// How much is replayed.
#[derive(Debug, Clone, Copy)]
pub struct Depth {
    /// Random states of a cut point that has too many; 0: only the extremes of each cut point.
    pub seeds: usize,
    /// Whether the extremes include every state in which one change or one file's bytes are missing.
    pub singles: bool,
}

/// What was replayed.
#[derive(Debug, Clone, Copy, Default)]
pub struct Figures {
    pub cuts: usize,
    pub exhaustive: usize,
    /// States, and how many of them differ.
    pub states: usize,
    pub different: usize,
}

impl std::ops::AddAssign for Figures {
    fn add_assign(&mut self, other: Self) {
        self.cuts += other.cuts;
        self.exhaustive += other.exhaustive;
        self.states += other.states;
        self.different += other.different;
    }
}

/// Sees states; `None`: nothing wrong with it.
pub trait Observer {
    /// The version of the table in this state (none: there is no table), or what is wrong with it.
    fn observe(&mut self, volume: Volume) -> Result<Option<u64>, Violation>;
}

/// A file as a cut leaves it: how much was durable, how much written, what of that is there.
type Part = (Inode, usize, usize, Tail);

/// The bytes of a file, and their hash.
type Bytes = (Arc<Vec<u8>>, u64);

/// What is known of the states of a recording, whatever was switched off in them.
#[derive(Default)]
pub struct Memory {
    seen: HashMap<u64, Result<Option<u64>, Violation>>,
    bytes: HashMap<Part, Bytes>,
}

/// Replays a recording as if it had been made without one of the places.
pub struct Replay<'a, O> {
    pub recording: &'a Recording,
    pub order: Order,
    pub without: Option<SyncSite>,
    pub depth: Depth,
    pub observer: O,
    pub figures: Figures,
    pub memory: &'a mut Memory,
}

/// An invariant that does not hold, and where the cut was.
pub type Found = (Violation, String);

impl<O: Observer> Replay<'_, O> {
    /// Replays every cut; the first violation.
    pub fn run(&mut self) -> Result<(), Found> {
        let recording = self.recording;
        let mut cut = Cut::new(recording, self.order);
        for (at, step) in recording.steps.iter().enumerate() {
            if cut.step(&step.operation, self.without) && at >= recording.from {
                self.cut(&cut, at)?;
            }
        }
        Ok(())
    }

    /// Replays a cut after the last step.
    pub fn run_last(&mut self) -> Result<(), Found> {
        let recording = self.recording;
        let mut cut = Cut::new(recording, self.order);
        for step in &recording.steps {
            cut.step(&step.operation, self.without);
        }
        self.cut(&cut, recording.steps.len().saturating_sub(1))
    }

    fn cut(&mut self, cut: &Cut<'_>, at: usize) -> Result<(), Found> {
        self.figures.cuts += 1;
        self.states(cut, at as u64).map_err(|(violation, state)| {
            let done = describe(self.recording, at);
            (violation, format!("{}, cut after step {at}:\n{done}\nleft: {state}", self.recording.name))
        })
    }

    /// All states of a cut point, or many.
    fn states(&mut self, cut: &Cut<'_>, seed: u64) -> Result<(), Found> {
        let files = cut.unsynced();
        let blocks: Vec<usize> = files.iter().map(|inode| cut.blocks(*inode)).collect();
        let changes = cut.pending.len();
        let names = match cut.order {
            Order::Journal => changes + 1,
            Order::Any => {
                if changes < 63 {
                    1 << changes
                } else {
                    usize::MAX
                }
            }
        };
        let all = blocks.iter().fold(names, |all, blocks| all.saturating_mul(tails(*blocks)));
        if self.depth.seeds > 0 && all <= EXHAUSTIVE {
            self.figures.exhaustive += 1;
            for number in 0..all {
                let (which, mut rest) = (number % names, number / names);
                let mut found = Vec::with_capacity(files.len());
                for blocks in &blocks {
                    found.push(tail(*blocks, rest % tails(*blocks)));
                    rest /= tails(*blocks);
                }
                let is_left = |at: usize| match cut.order {
                    Order::Journal => at < which,
                    Order::Any => which >> at & 1 == 1,
                };
                self.state(cut, is_left, &files, &found)?;
            }
            return Ok(());
        }
        self.extremes(cut, &files, &blocks)?;
        let mut random = StdRng::seed_from_u64(seed);
        for _ in 0..self.depth.seeds {
            let found: Vec<Tail> = blocks.iter().map(|blocks| random_tail(*blocks, &mut random)).collect();
            let left: Vec<bool> = match cut.order {
                Order::Journal => {
                    let first = random.random_range(0..=changes);
                    (0..changes).map(|at| at < first).collect()
                }
                Order::Any => {
                    let share = [0.1, 0.5, 0.9][random.random_range(0..3)];
                    (0..changes).map(|_| random.random_bool(share)).collect()
                }
            };
            self.state(cut, |at| left[at], &files, &found)?;
        }
        Ok(())
    }

    /// All or nothing of the names with all, nothing, or only the sizes of the bytes; and all but one.
    fn extremes(&mut self, cut: &Cut<'_>, files: &[Inode], blocks: &[usize]) -> Result<(), Found> {
        let full: Vec<Tail> = blocks.iter().map(|blocks| whole(*blocks)).collect();
        let sizes: Vec<Tail> = blocks.iter().map(|blocks| Tail { blocks: *blocks, written: 0 }).collect();
        let empty = vec![Tail { blocks: 0, written: 0 }; files.len()];
        for found in [&full, &sizes, &empty] {
            self.state(cut, |_| true, files, found)?;
            self.state(cut, |_| false, files, found)?;
        }
        if !self.depth.singles {
            return Ok(());
        }
        for one in 0..files.len() {
            for tail in [Tail { blocks: 0, written: 0 }, sizes[one]] {
                let mut found = full.clone();
                found[one] = tail;
                self.state(cut, |_| true, files, &found)?;
            }
        }
        for one in 0..cut.pending.len() {
            match cut.order {
                Order::Journal => self.state(cut, |at| at < one, files, &full)?,
                Order::Any => {
                    self.state(cut, |at| at != one, files, &full)?;
                    self.state(cut, |at| at == one, files, &full)?;
                }
            }
        }
        Ok(())
    }

    /// One state: it is looked at if none like it was, and compared with what was promised.
    fn state(
        &mut self,
        cut: &Cut<'_>,
        is_left: impl FnMut(usize) -> bool,
        files: &[Inode],
        found: &[Tail],
    ) -> Result<(), Found> {
        self.figures.states += 1;
        let names = cut.names(is_left);
        let mut hash = 0_u64;
        for (id, slot) in names.iter().enumerate() {
            let part = match slot {
                Slot::Nothing => continue,
                Slot::Folder => 0,
                // Nobody reads what another left under a temporary name: the volume sees to that.
                Slot::File(_) if is_temporary(&self.recording.paths[id]) => 1,
                Slot::File(inode) => self.bytes_of(cut, *inode, files, found).1,
            };
            let mut hasher = DefaultHasher::new();
            (id, part).hash(&mut hasher);
            hash = hash.wrapping_add(hasher.finish());
        }
        let result = match self.memory.seen.get(&hash) {
            Some(result) => result.clone(),
            None => {
                self.figures.different += 1;
                let volume = self.volume(cut, &names, files, found);
                let result = self.observer.observe(volume);
                self.memory.seen.insert(hash, result.clone());
                result
            }
        };
        let version = result.map_err(|violation| (violation, self.listing(cut, &names, files, found)))?;
        super::check::promised(self.recording, cut.version, version)
            .and_then(|()| {
                cut.files.iter().try_for_each(|id| {
                    let bytes = match names[*id] {
                        Slot::File(inode) => Some(self.bytes_of(cut, inode, files, found).0),
                        _ => None,
                    };
                    super::check::promised_file(self.recording, *id, bytes.as_deref())
                })
            })
            .map_err(|violation| (violation, self.listing(cut, &names, files, found)))
    }

    /// The bytes of a file in a state, and their hash.
    fn bytes_of(&mut self, cut: &Cut<'_>, inode: Inode, files: &[Inode], found: &[Tail]) -> Bytes {
        let tail = match files.binary_search(&inode) {
            Ok(at) => found[at],
            Err(_) => Tail { blocks: 0, written: 0 },
        };
        let synced = cut.synced[inode];
        let all = &self.recording.contents[inode];
        let entry = self.memory.bytes.entry((inode, synced, cut.length[inode], tail));
        let made = entry.or_insert_with(|| {
            let first = synced / BLOCK;
            let size = if tail.blocks == 0 {
                synced
            } else {
                ((first + tail.blocks) * BLOCK).min(cut.length[inode])
            };
            let mut bytes = all[..size].to_vec();
            for block in (0..tail.blocks).filter(|block| tail.written >> block & 1 == 0) {
                let from = ((first + block) * BLOCK).max(synced);
                bytes[from..((first + block + 1) * BLOCK).min(size)].fill(0);
            }
            let mut hasher = DefaultHasher::new();
            bytes.hash(&mut hasher);
            (Arc::new(bytes), hasher.finish())
        });
        made.clone()
    }

    fn volume(&mut self, cut: &Cut<'_>, names: &[Slot], files: &[Inode], found: &[Tail]) -> Volume {
        let mut nodes = BTreeMap::new();
        let mut contents = Vec::new();
        let mut numbers: HashMap<Inode, Inode> = HashMap::new();
        for (path, slot) in self.recording.paths.iter().zip(names) {
            let node = match slot {
                Slot::Nothing => continue,
                Slot::Folder => Node::Folder,
                Slot::File(inode) => Node::File(*numbers.entry(*inode).or_insert_with(|| {
                    contents.push(self.bytes_of(cut, *inode, files, found).0);
                    contents.len() - 1
                })),
            };
            nodes.insert(path.clone(), node);
        }
        Volume::with(nodes, contents)
    }

    /// The names of a state, with their bytes.
    fn listing(&mut self, cut: &Cut<'_>, names: &[Slot], files: &[Inode], found: &[Tail]) -> String {
        let mut text = String::new();
        for (path, slot) in self.recording.paths.iter().zip(names) {
            match slot {
                Slot::Nothing => {}
                Slot::Folder => text += &format!("\n  {path}/"),
                Slot::File(inode) => {
                    let bytes = self.bytes_of(cut, *inode, files, found).0;
                    let all = cut.length[*inode];
                    let state = if bytes.len() == all && bytes[..] == self.recording.contents[*inode][..all] {
                        "whole"
                    } else {
                        "NOT WHOLE"
                    };
                    text += &format!("\n  {path}: {} of {all} bytes, {state}", bytes.len());
                }
            }
        }
        text
    }
}

/// The last steps before a cut.
fn describe(recording: &Recording, at: usize) -> String {
    let steps = recording.steps[at.saturating_sub(11)..=at].iter();
    let lines: Vec<String> = steps.map(|step| format!("  {}: {:?}", step.writer, step.operation)).collect();
    lines.join("\n")
}
