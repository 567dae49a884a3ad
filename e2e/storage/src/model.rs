//! What the workload does, in which order, and what the table must hold after each step.

use std::collections::{BTreeMap, BTreeSet};

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};

/// One operation of the workload. They follow from a seed, one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// Makes the table.
    Create,
    /// Loads a label.
    Load {
        /// Its number.
        load: u32,
        /// Rows.
        rows: u32,
    },
    /// Loads a label in place of all rows.
    Overwrite {
        /// Its number.
        load: u32,
        /// Rows.
        rows: u32,
    },
    /// Adds a column.
    AddColumn,
    /// Plans and writes a load, then closes its run: nothing of it may be seen.
    Fail {
        /// Its number.
        load: u32,
        /// Rows.
        rows: u32,
    },
    /// Removes plans and reports of a load that is over.
    Clean {
        /// Its number.
        load: u32,
    },
    /// Makes a checkpoint.
    Checkpoint,
    /// Merges the small segments of each tablet.
    Compact,
    /// Folds the history and removes from the log what is not needed, however young.
    CleanLog,
    /// Removes every file that no one can need any more, however young.
    Vacuum,
}

impl Operation {
    /// The load and its rows, of an operation that writes some.
    pub fn brings(&self) -> Option<(u32, u32)> {
        match self {
            Self::Load { load, rows } | Self::Overwrite { load, rows } | Self::Fail { load, rows } => {
                Some((*load, *rows))
            }
            _ => None,
        }
    }
}

/// What stands in the table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contents {
    /// Whether it was made.
    pub exists: bool,
    /// Columns that were added.
    pub columns: usize,
    /// Rows that stand, by load.
    pub loads: BTreeMap<u32, u32>,
    /// Rows that each loaded label brought, also if they went since.
    pub labels: BTreeMap<u32, u32>,
    /// Loads whose run is closed.
    pub closed: BTreeSet<u32>,
}

impl Contents {
    /// What stands after these operations.
    pub fn after(operations: &[Operation]) -> Self {
        let mut contents = Self::default();
        for operation in operations {
            match operation {
                Operation::Create => contents.exists = true,
                Operation::AddColumn => contents.columns += 1,
                Operation::Load { load, rows } | Operation::Overwrite { load, rows } => {
                    if matches!(operation, Operation::Overwrite { .. }) {
                        contents.loads.clear();
                    }
                    contents.loads.insert(*load, *rows);
                    contents.labels.insert(*load, *rows);
                }
                Operation::Fail { load, .. } => {
                    contents.closed.insert(*load);
                }
                Operation::Clean { .. }
                | Operation::Checkpoint
                | Operation::Compact
                | Operation::CleanLog
                | Operation::Vacuum => {}
            }
        }
        contents
    }
}

/// What the workload writes down, in order; operations by their place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Mark {
    /// It begins.
    Begin(usize),
    /// Its plan is in place.
    Planned(usize),
    /// The report of its task is in place.
    Reported(usize),
    /// It is acknowledged: operation, version of the table.
    Done(usize, u64),
}

/// What had been acknowledged at one instant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Promise {
    /// Operations that were begun.
    pub begun: usize,
    /// Operations that were acknowledged.
    pub done: usize,
    /// The plan of the one that is begun and not done was acknowledged.
    pub planned: bool,
    /// The report of the one that is begun and not done was acknowledged.
    pub reported: bool,
    /// Version of each acknowledgement, by operation.
    pub versions: BTreeMap<usize, u64>,
}

impl Promise {
    /// Takes a mark over.
    pub fn add(&mut self, mark: Mark) {
        match mark {
            Mark::Begin(operation) => {
                self.begun = operation + 1;
                (self.planned, self.reported) = (false, false);
            }
            Mark::Planned(_) => self.planned = true,
            Mark::Reported(_) => self.reported = true,
            Mark::Done(operation, version) => {
                self.done = operation + 1;
                self.versions.insert(operation, version);
            }
        }
    }
}

/// The kinds of operations, each as often as it comes in thirteen.
const KINDS: [Kind; 13] = [
    Kind::Load,
    Kind::Load,
    Kind::Load,
    Kind::Load,
    Kind::Overwrite,
    Kind::AddColumn,
    Kind::Fail,
    Kind::Clean,
    Kind::Compact,
    Kind::Checkpoint,
    Kind::Checkpoint,
    Kind::Vacuum,
    Kind::CleanLog,
];

#[derive(Debug, Clone, Copy)]
enum Kind {
    Load,
    Overwrite,
    AddColumn,
    Fail,
    Clean,
    Compact,
    Checkpoint,
    CleanLog,
    Vacuum,
}

/// The operations of a seed: creation first, then `count` others. Each thirteen hold each kind; their order is
/// by lot, but that the log is cleaned at their end, when there is something to clean.
pub fn operations(seed: u64, count: usize) -> Vec<Operation> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut operations = vec![Operation::Create];
    let mut over = Vec::new();
    let mut number = 0;
    while operations.len() <= count {
        let mut kinds = KINDS;
        kinds[..KINDS.len() - 1].shuffle(&mut rng);
        for kind in kinds {
            number += 1;
            let rows = if rng.random_bool(0.2) { 20_000 } else { rng.random_range(1..2_000) };
            let operation = match kind {
                Kind::Load => Operation::Load { load: number, rows },
                Kind::Overwrite => Operation::Overwrite { load: number, rows },
                Kind::Fail => Operation::Fail { load: number, rows },
                Kind::Clean if over.is_empty() => Operation::Load { load: number, rows },
                Kind::Clean => Operation::Clean { load: over.remove(rng.random_range(0..over.len())) },
                Kind::AddColumn => Operation::AddColumn,
                Kind::Compact => Operation::Compact,
                Kind::Checkpoint => Operation::Checkpoint,
                Kind::CleanLog => Operation::CleanLog,
                Kind::Vacuum => Operation::Vacuum,
            };
            if let Some((load, _)) = operation.brings() {
                over.push(load);
            }
            operations.push(operation);
        }
    }
    operations.truncate(count + 1);
    operations
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_operations_each_time() {
        assert_eq!(operations(7, 30), operations(7, 30));
        assert_ne!(operations(7, 30), operations(8, 30));
        assert_eq!(operations(7, 30)[0], Operation::Create);
        assert_eq!(operations(7, 30).len(), 31);
        assert_eq!(operations(7, 13).last(), Some(&Operation::CleanLog));
    }

    #[test]
    fn a_promise_is_what_was_acknowledged_last() {
        let mut promise = Promise::default();
        for mark in [Mark::Begin(0), Mark::Done(0, 0), Mark::Begin(1), Mark::Planned(1), Mark::Done(1, 4)] {
            promise.add(mark);
        }
        promise.add(Mark::Begin(2));
        assert_eq!((promise.begun, promise.done, promise.planned), (3, 2, false));
        assert_eq!(promise.versions[&1], 4);
    }
}
