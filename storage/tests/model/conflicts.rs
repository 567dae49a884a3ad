//! The conflict matrix: every pair of operations, side by side in every order of their steps. However they
//! meet, they end as one after the other would; and each rule of the matrix is needed for that.

use crate::actor::{Actor, Role};
use crate::columns::{Columns, Kind};
use crate::commit::Mode;
use crate::exploration::{bounds, each};
use crate::explore::{Bounds, breadth_first, ends, explore};
use crate::invariants::Invariant;
use crate::rows::{EVERYTHING, FIRST_PARTITION, RowSet, SECOND_PARTITION, SEEDS};
use crate::rules::{Rule, Rules};
use crate::world::{Chances, World};

/// An operation of the matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Operation {
    Append,
    /// A load whose commit adds a column (`schemaDrift: AddColumns`).
    AppendWithColumn,
    KeyedMerge,
    /// Replaces everything.
    OverwriteTable,
    /// Replaces the first partition, named.
    OverwritePartition,
    /// Replaces the partitions it has rows for: the second one.
    OverwriteDynamic,
    Compaction,
    /// Adds the first column; of the second operation of a pair, with another type.
    AddColumn,
    /// Adds the second column.
    AddOtherColumn,
    /// Adds a column that takes no NULL, to a table without rows.
    AddRequiredColumn,
    /// A pipe: its epoch, then a batch.
    Pipe,
    /// Raises the maintenance epoch, then deletes.
    Vacuum,
    /// The claim that closes the run of the other's label.
    CloseRun,
}

use Operation::*;

const OPERATIONS: [Operation; 13] = [
    Append,
    AppendWithColumn,
    KeyedMerge,
    OverwriteTable,
    OverwritePartition,
    OverwriteDynamic,
    Compaction,
    AddColumn,
    AddOtherColumn,
    AddRequiredColumn,
    Pipe,
    Vacuum,
    CloseRun,
];

/// What each rule of the matrix is for: without it this pair breaks this invariant.
const NEEDED: &[(Operation, Operation, Rule, Invariant)] = &[
    (Append, AddRequiredColumn, Rule::AppendFitsSchema, Invariant::RowsFitSchema),
    (Append, CloseRun, Rule::NewestClaim, Invariant::CancelledStaysOut),
    (Append, CloseRun, Rule::ClaimByRun, Invariant::CancelledStaysOut),
    (AddRequiredColumn, Pipe, Rule::AppendFitsSchema, Invariant::RowsFitSchema),
    (AppendWithColumn, AddOtherColumn, Rule::SchemaAgain, Invariant::RowsFitSchema),
    (AppendWithColumn, AddColumn, Rule::SameNameSameType, Invariant::RowsFitSchema),
    (KeyedMerge, KeyedMerge, Rule::MergeAgain, Invariant::RowsOnce),
    (KeyedMerge, OverwriteTable, Rule::MergeAgain, Invariant::RowsOnce),
    (OverwriteTable, Append, Rule::RemovesAgain, Invariant::SerialOrder),
    (OverwritePartition, Compaction, Rule::RemovesAgain, Invariant::SerialOrder),
    (OverwriteDynamic, OverwriteDynamic, Rule::RemovesAgain, Invariant::SerialOrder),
    (Compaction, OverwriteTable, Rule::CompactionInputs, Invariant::SerialOrder),
    (Compaction, Compaction, Rule::CompactionInputs, Invariant::RowsOnce),
    (Compaction, Vacuum, Rule::MaintenanceEpoch, Invariant::NamedFilesExist),
    (AddColumn, AddOtherColumn, Rule::SchemaAgain, Invariant::SerialOrder),
    (AddColumn, AddColumn, Rule::SameNameSameType, Invariant::SerialOrder),
    (Pipe, Pipe, Rule::NewestEpoch, Invariant::RowsOnce),
];

impl Operation {
    /// Who does it; `second`: it is the second of its pair.
    fn actor(self, second: bool) -> Actor {
        let load = Actor::loader(second.into());
        let own_kind = if second { Kind::Text } else { Kind::Int };
        match self {
            Append => load,
            AppendWithColumn => load.wants(0, own_kind),
            KeyedMerge => load.mode(Mode::Merge),
            OverwriteTable => load.mode(Mode::Overwrite(EVERYTHING)).source(FIRST_PARTITION),
            OverwritePartition => load.mode(Mode::Overwrite(FIRST_PARTITION)).source(FIRST_PARTITION),
            OverwriteDynamic => load.mode(Mode::Overwrite(SECOND_PARTITION)).source(SECOND_PARTITION),
            Compaction => Actor::new(Role::Compactor).source(FIRST_PARTITION),
            AddColumn => Actor::new(Role::Alterer).wants(0, own_kind),
            AddOtherColumn => Actor::new(Role::Alterer).wants(1, Kind::Int),
            AddRequiredColumn => Actor::new(Role::Alterer).wants(0, Kind::RequiredInt),
            Pipe => Actor::new(Role::Pipe).budget(1),
            Vacuum => Actor::new(Role::Vacuum),
            CloseRun => Actor::new(Role::Canceller),
        }
    }
}

/// Every pair that can meet on one table: a keyed table takes no appends, and one file stands in its tablet.
fn pairs() -> Vec<(Operation, Operation)> {
    let keyed = [KeyedMerge, OverwriteTable, AddColumn, AddOtherColumn, Vacuum, CloseRun];
    let both = OPERATIONS.iter().flat_map(|first| OPERATIONS.iter().map(|second| (*first, *second)));
    both.filter(|(first, second)| first <= second)
        .filter(|(first, second)| {
            let met = [*first, *second];
            !met.contains(&KeyedMerge) || met.iter().all(|operation| keyed.contains(operation))
        })
        .collect()
}

/// The table that a pair meets on, with nobody at it.
fn table(first: Operation, second: Operation) -> World {
    let met = [first, second];
    let world = if met.contains(&KeyedMerge) {
        World::seeded(&SEEDS[..1], &[])
    } else if met.contains(&AddRequiredColumn) {
        World::new(&[])
    } else {
        World::with_seeds(&[])
    };
    world.objects(1)
}

fn side_by_side(first: Operation, second: Operation) -> World {
    let mut world = table(first, second);
    world.actors = vec![first.actor(false), second.actor(true)];
    world
}

/// What is left in the end: rows, columns, which labels are loaded, which runs were reported CANCELLED.
type Outcome = (RowSet, Columns, [bool; 2], [u8; 2]);

fn outcome(world: &World) -> Outcome {
    let view = world.log.open();
    let loaded = [view.is_loaded(0), view.is_loaded(1)];
    (world.rows_of(view.files), view.columns, loaded, world.promises.cancelled)
}

/// How they end one after the other.
fn one_after_the_other(table: &World, first: Actor, second: Actor) -> Vec<Outcome> {
    let mut world = table.clone();
    world.actors.push(first);
    let mut outcomes = Vec::new();
    for mut world in ends(&world, Rules::all()) {
        world.actors.push(second);
        outcomes.extend(ends(&world, Rules::all()).iter().map(outcome));
    }
    outcomes
}

#[test]
fn every_pair_ends_as_one_after_the_other() {
    let states = each(&pairs(), |&(first, second)| {
        let table = table(first, second);
        let (one, two) = (first.actor(false), second.actor(true));
        let mut serial = one_after_the_other(&table, one, two);
        serial.extend(one_after_the_other(&table, two, one));
        let together = side_by_side(first, second);
        for end in ends(&together, Rules::all()) {
            let outcome = outcome(&end);
            assert!(serial.contains(&outcome), "{first:?} and {second:?}: {outcome:?}, not in {serial:?}");
        }
        let explored = breadth_first(&together, Rules::all(), usize::MAX);
        if let Some(found) = explored.found {
            panic!("{first:?} and {second:?}: {}", found.story());
        }
        assert!(explored.complete);
        explored.states
    });
    println!("{} pairs, {} states, all of them", states.len(), states.iter().sum::<usize>());
}

#[test]
fn every_pair_holds_under_cuts_lost_replies_checkpoints_and_cleaning() {
    let states = each(&pairs(), |&(first, second)| {
        let mut world = side_by_side(first, second);
        world.actors.push(Actor::new(Role::Checkpointer).budget(2));
        let world = world.chances(Chances { cuts: 1, lost_replies: 1, ..Chances::default() });
        let explored = explore(&world, Rules::all(), bounds(), 11);
        if let Some(found) = explored.found {
            panic!("{first:?} and {second:?}: {}", found.story());
        }
        explored.states + explored.walked
    });
    println!("{} pairs, {} states", states.len(), states.iter().sum::<usize>());
}

#[test]
fn each_rule_of_the_matrix_is_needed_by_a_pair() {
    each(NEEDED, |&(first, second, rule, expected)| {
        let bounds = Bounds { states: 200_000, walks: 0 };
        let explored = explore(&side_by_side(first, second), Rules::all().without(rule), bounds, 0);
        let found = explored.found.unwrap_or_else(|| {
            panic!("{first:?} and {second:?} break nothing without {} ({})", rule.id(), rule.text())
        });
        let broken = found.broken.invariant;
        assert_eq!(broken, expected, "{first:?}, {second:?} without {}: {}", rule.id(), found.story());
    });
}
