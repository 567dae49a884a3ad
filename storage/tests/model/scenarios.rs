//! Small worlds, each with a few actors and what may happen to them. Between them every rule has its say.

use crate::actor::{Actor, Role};
use crate::columns::Kind;
use crate::commit::Mode;
use crate::rows::{EVERYTHING, FIRST_PARTITION, SECOND_PARTITION};
use crate::rules::Rules;
use crate::world::{Chances, Steps, World};

/// A world to begin from. Worlds are built in the thread that explores them.
pub struct Scenario {
    pub name: &'static str,
    pub build: fn() -> World,
}

/// Two loaders sleep at version 1, with a claim and all tasks written, while the names 0 to 2 are cleaned.
/// Actor 2 makes commits, actor 3 checkpoints.
const SLEEPING_LOADER: &str = "0/opens 0/links 0/fsync 0/checks 0/lists 0/writes 0/report 0/writes 0/report";
const CLEANING: &str = "2/opens 2/links 2/fsync 2/checks 2/opens 2/links 2/fsync 2/checks \
    3/opens 3/links 3/fsync 3/waits 2/opens 2/links 2/fsync 2/checks 3/opens 3/links 3/fsync \
    3/cleans 3/cleans 3/cleans";
const SLEEPING_PIPE: &str = "0/opens 0/links 0/fsync 0/checks 0/epoch 0/cuts 0/batch 0/writes";

fn loader() -> Actor {
    Actor::loader(0)
}

fn canceller() -> Actor {
    Actor::new(Role::Canceller)
}

fn vacuum() -> Actor {
    Actor::new(Role::Vacuum)
}

fn pipe(budget: u8) -> Actor {
    Actor::new(Role::Pipe).budget(budget)
}

fn compactor() -> Actor {
    Actor::new(Role::Compactor)
}

fn others(budget: u8) -> Actor {
    Actor::new(Role::Other).budget(budget)
}

fn checkpointer() -> Actor {
    Actor::new(Role::Checkpointer).budget(1)
}

fn alterer(place: u8, kind: Kind) -> Actor {
    Actor::new(Role::Alterer).wants(place, kind)
}

fn role(role: Role) -> Actor {
    Actor::new(role)
}

fn keyed(label: u8) -> Actor {
    Actor::loader(label).mode(Mode::Merge)
}

fn overwrite(label: u8) -> Actor {
    Actor::loader(label).mode(Mode::Overwrite(EVERYTHING))
}

fn cut() -> Chances {
    Chances { cuts: 1, ..Chances::default() }
}

fn cut_any() -> Chances {
    Chances { any_subset: true, ..cut() }
}

fn lost_reply() -> Chances {
    Chances { lost_replies: 1, ..Chances::default() }
}

fn arriving(arriving: u16) -> Chances {
    Chances { arriving, ..Chances::default() }
}

/// A parallel load: plan, and tasks (twins where a number stands twice).
fn parallel(tasks: &[u8]) -> Vec<Actor> {
    let tasks = tasks.iter().map(|task| role(Role::Task(*task)));
    [role(Role::Planner)].into_iter().chain(tasks).collect()
}

fn with(mut actors: Vec<Actor>, more: &[Actor]) -> World {
    actors.extend(more);
    World::new(&actors)
}

/// The world after a scripted beginning: each word is an actor and a part of what its step is called.
fn after(mut world: World, script: &[&str]) -> World {
    for word in script.iter().flat_map(|part| part.split_whitespace()) {
        let (who, what) = word.split_once('/').expect("actor/step");
        let mut steps = Steps { in_words: true, ..Steps::default() };
        world.steps(Rules::all(), &mut steps);
        let by = format!("{who}: ");
        world = steps
            .worlds
            .into_iter()
            .find(|(words, _)| words.starts_with(&by) && words.contains(what))
            .unwrap_or_else(|| panic!("no step {word}"))
            .1;
    }
    world
}

/// The scenario of a name.
pub fn scenario(name: &str) -> &'static Scenario {
    SCENARIOS.iter().find(|scenario| scenario.name == name).unwrap_or_else(|| panic!("no scenario {name}"))
}

macro_rules! scenarios {
    ($($name:literal: $world:expr;)*) => {
        pub const SCENARIOS: &[Scenario] = &[$(Scenario { name: $name, build: || $world },)*];
    };
}

scenarios! {
    // Claims, cancels and retries.
    "cancel": World::new(&[loader(), loader(), canceller()]);
    "retry": World::new(&[loader(), canceller(), loader().run(2).request(1)]);
    "retry-same": World::new(&[loader(), canceller(), loader().run(2), vacuum()]);
    "cancel-vacuum-retry": World::new(&[loader(), loader(), canceller(), loader().run(2), vacuum()]);
    "two-labels": World::new(&[loader(), Actor::loader(1), loader()]).chances(lost_reply());
    "fail": World::new(&[loader(), loader()]).chances(Chances { failures: 1, ..Chances::default() });
    "adopt-vacuum": World::new(&[loader(), loader(), vacuum()]);
    "adopt-listing": World::new(&[loader(), loader()])
        .chances(Chances { late_object: true, ..Chances::default() });

    // Power cuts.
    "power": World::new(&[loader(), loader(), canceller()]).chances(cut());
    "power-vacuum": World::new(&[loader(), loader(), vacuum()]).chances(cut());
    "power-cancel": World::new(&[loader(), canceller(), canceller()]).chances(cut());
    "power-vacuum-cancel": World::new(&[loader(), loader(), canceller(), vacuum()]).chances(cut());
    "power-checkpoint": World::new(&[loader(), others(2), checkpointer()]).chances(cut());
    "power-unordered": World::new(&[loader(), loader(), canceller()]).chances(cut_any());

    // Checkpoints and cleaning under paused actors.
    "clean-load": World::new(&[loader(), loader(), others(3), checkpointer()]);
    "clean-cancel": World::new(&[loader(), canceller(), others(3), checkpointer()]);
    "clean-power": World::new(&[loader(), others(2), checkpointer()]).chances(cut_any());
    "clean-vacuum": World::new(&[loader(), canceller(), vacuum(), others(2), checkpointer()]);
    "clean-two": World::new(&[loader(), loader(), loader(), checkpointer()]);
    "clean-cleaners": World::new(&[loader(), others(4), checkpointer(), checkpointer()]).chances(cut());
    "clean-cleaners-unordered": World::new(&[others(5), checkpointer(), checkpointer()]).chances(cut_any());
    "clean-reader": World::new(&[loader(), role(Role::Reader), others(3), checkpointer()]);
    "clean-pipe": World::new(&[pipe(2), others(2), checkpointer()]).objects(1).chances(arriving(2));
    "clean-compact": World::with_seeds(&[compactor(), others(2), checkpointer()]);
    "clean-compact-two": World::with_seeds(&[compactor(), compactor(), vacuum(), others(2), checkpointer()])
        .chances(lost_reply());
    "clean-compact-apart": World::seeded(
        &[1 << 5, 1 << 6, 1 << 3, 1 << 7],
        &[compactor().source(FIRST_PARTITION), compactor().source(SECOND_PARTITION), checkpointer()],
    );
    "clean-batch": World::new(&[pipe(3), others(3), checkpointer()])
        .objects(1).chances(Chances { lost_replies: 1, ..arriving(2) });
    "sleeping-load": after(
        World::new(&[loader(), loader(), others(3), checkpointer(), canceller()]),
        &[SLEEPING_LOADER, "1/opens", CLEANING],
    );
    "sleeping-vacuum": after(
        World::new(&[loader(), canceller(), others(3), checkpointer(), vacuum(), role(Role::Reader)]),
        &[SLEEPING_LOADER, "1/opens 5/opens", CLEANING],
    );
    "sleeping-pipe": after(
        World::new(&[pipe(2), pipe(2), others(3), checkpointer()]).objects(1).chances(arriving(2)),
        &[SLEEPING_PIPE, "1/opens", CLEANING],
    );

    // Parallel loads.
    "parallel": with(
        parallel(&[0, 0, 1]),
        &[role(Role::Committer), role(Role::Committer), role(Role::Resolver)],
    );
    "parallel-cancel": with(
        parallel(&[0, 1]),
        &[role(Role::Committer), canceller(), loader().run(2), vacuum()],
    );
    "parallel-plans": with(
        parallel(&[0, 0, 1, 1]),
        &[role(Role::Planner), role(Role::Committer), role(Role::Committer)],
    );
    "parallel-compact": with(
        parallel(&[0, 1]),
        &[role(Role::Committer), role(Role::Committer), compactor(), vacuum()],
    );

    // What commits do to what stands.
    "keyed": World::new(&[keyed(0), keyed(1), keyed(0)]);
    "keyed-vacuum": World::new(&[keyed(0), keyed(1), vacuum()]).chances(cut());
    "compact": World::new(&[loader(), overwrite(1), compactor(), vacuum()]);
    "compact-two": World::new(&[loader(), compactor(), compactor(), vacuum()]).chances(lost_reply());
    "overwrite-two": World::with_seeds(&[
        overwrite(0),
        Actor::loader(1).mode(Mode::Overwrite(FIRST_PARTITION)).source(FIRST_PARTITION),
        vacuum(),
    ]).chances(cut());

    // Columns.
    "columns": World::with_seeds(&[
        loader().wants(0, Kind::Int),
        alterer(0, Kind::Text),
        alterer(1, Kind::Int),
        compactor(),
    ]).chances(lost_reply());
    "columns-adopt": World::with_seeds(&[
        loader().wants(0, Kind::Int),
        loader(),
        alterer(0, Kind::Text),
    ]);
    "columns-two-loads": World::new(&[
        loader().wants(0, Kind::Int),
        Actor::loader(1).wants(0, Kind::Text),
        alterer(1, Kind::Text),
    ]).chances(cut());
    "columns-required": World::new(&[loader(), loader(), alterer(0, Kind::RequiredInt)]);
    "columns-clean": World::new(&[
        loader().wants(0, Kind::Int),
        alterer(1, Kind::Int),
        others(2),
        checkpointer(),
    ]);

    // Pipes.
    "pipe": World::new(&[pipe(2), pipe(2)]).objects(1).chances(arriving(2));
    "pipe-bad": World::new(&[pipe(3), pipe(2)]).objects(3).bad_objects(1).chances(arriving(4));
    "pipe-three": World::new(&[pipe(1), pipe(1), pipe(1)]).objects(1).chances(arriving(2));
    "pipe-power": World::new(&[pipe(2), pipe(2), vacuum()])
        .objects(1).chances(Chances { lost_replies: 1, ..cut() });

    // Everybody at once.
    "all": World::new(&[
        loader(), loader(), canceller(), loader().run(2).request(1),
        Actor::loader(1).wants(0, Kind::Int), alterer(1, Kind::Text),
        vacuum(), compactor(), Actor::new(Role::Checkpointer).budget(2),
        pipe(2), pipe(2), others(2),
    ]).objects(1).chances(Chances {
        cuts: 1, lost_replies: 1, failures: 1, late_object: true, arriving: 2, any_subset: false,
    });
}
