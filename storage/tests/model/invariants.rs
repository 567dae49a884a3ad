//! What must be true in every state, as a reader sees it that starts from the newest checkpoint, and one
//! that starts from the second newest.

use std::fmt;

use crate::actor::{Role, Step};
use crate::actors;
use crate::columns;
use crate::commit::{Content, Mode, Snapshot, claim};
use crate::rows;
use crate::rules::Rules;
use crate::world::World;

/// What is promised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Invariant {
    /// No row stands twice.
    RowsOnce,
    /// Rows and columns are those of the operations, done one after the other in the order of the log: so a
    /// compaction changes nothing, and nothing that was replaced comes back.
    SerialOrder,
    /// A load is there as it was planned: every object of its plan, all by one request.
    LoadsAreWhole,
    /// What was reported FINISHED is there.
    FinishedStands,
    /// What was reported CANCELLED never turns up.
    CancelledStaysOut,
    /// A file that is named exists.
    NamedFilesExist,
    /// What a pipe takes for loaded is loaded.
    ObjectsAreLoaded,
    /// A commit that was acknowledged stays.
    AcknowledgedStays,
    /// Readers see the acknowledged commits, and no others than the table has.
    ReadersSeeTheTable,
    /// Every file can be read under the schema.
    RowsFitSchema,
    /// After whatever happened, a load that runs alone ends FINISHED.
    LastRunEnds,
}

/// An invariant that is broken, and how.
#[derive(Debug, Clone)]
pub struct Broken {
    pub invariant: Invariant,
    pub how: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.invariant, self.how)
    }
}

type Check = Result<(), Broken>;

fn unless(holds: bool, invariant: Invariant, how: impl FnOnce() -> String) -> Check {
    if holds { Ok(()) } else { Err(Broken { invariant, how: how() }) }
}

/// Checks all but [`Invariant::LastRunEnds`].
pub fn check(world: &World) -> Check {
    check_view(world, &world.log.open())?;
    match world.log.open_second() {
        Some(second) => check_view(world, &second).map_err(|broken| Broken {
            how: format!("{} (from the second newest checkpoint)", broken.how),
            ..broken
        }),
        None => Ok(()),
    }
}

fn check_view(world: &World, view: &Snapshot) -> Check {
    check_files(world, view)?;
    check_loads(world, view)?;
    let rows = world.rows_of(view.files);
    unless(rows == view.serial_rows, Invariant::SerialOrder, || {
        format!("rows {rows:b} stand, one after the other they would be {:b}", view.serial_rows)
    })?;
    unless(view.columns == view.serial_columns, Invariant::SerialOrder, || {
        format!("columns {:?}, one after the other {:?}", view.columns, view.serial_columns)
    })?;
    let lost = world.promises.acknowledged & !view.commits;
    unless(lost == 0, Invariant::AcknowledgedStays, || format!("acknowledged commits {lost:b} are gone"))?;
    check_pipes(world, view)?;
    check_readers(world, view)
}

fn check_files(world: &World, view: &Snapshot) -> Check {
    let mut seen = 0;
    for (number, file) in world.files_in(view.files) {
        let twice = file.rows & seen;
        unless(twice == 0, Invariant::RowsOnce, || format!("rows {twice:b} stand twice"))?;
        seen |= file.rows;
        unless(file.exists, Invariant::NamedFilesExist, || format!("file {number} is named and gone"))?;
        unless(columns::fit(file.columns, view.columns), Invariant::RowsFitSchema, || {
            format!("file {number} has {:?} under {:?}", file.columns, view.columns)
        })?;
    }
    let keyed = world.actors.iter().any(|actor| actor.mode == Mode::Merge);
    unless(!keyed || view.files.count_ones() <= 1, Invariant::RowsOnce, || {
        "two files in a keyed tablet: a key may stand twice".to_owned()
    })
}

fn check_loads(world: &World, view: &Snapshot) -> Check {
    for id in (0..world.log.linked() as u8).filter(|id| view.commits >> id & 1 == 1) {
        let Content::Load { label, run, mode, adds, brings, .. } = *world.log.content(id) else { continue };
        let rows = world.rows_of(adds);
        let whole = if mode == Mode::Merge { rows & brings == brings } else { rows == brings };
        unless(whole, Invariant::LoadsAreWhole, || {
            format!("label {label}: its files have rows {rows:b}, its plan had {brings:b}")
        })?;
        let mut requests = world.files_in(adds).map(|(_, file)| file.request);
        let first = requests.next();
        unless(requests.all(|request| Some(request) == first), Invariant::LoadsAreWhole, || {
            format!("label {label}: files of two requests in one load")
        })?;
        unless(world.promises.cancelled[label as usize] < run, Invariant::CancelledStaysOut, || {
            format!("label {label}: run {run} was reported CANCELLED and is in the table")
        })?;
    }
    for label in 0..2 {
        let finished = world.promises.finished >> label & 1 == 1;
        unless(!finished || view.is_loaded(label), Invariant::FinishedStands, || {
            format!("label {label} was reported FINISHED and is not in the table")
        })?;
    }
    Ok(())
}

fn check_pipes(world: &World, view: &Snapshot) -> Check {
    for entry in world.ledger.iter() {
        let loaded = rows::of_objects(entry.objects) & !view.ever == 0;
        unless(loaded, Invariant::ObjectsAreLoaded, || {
            format!("the ledger says FINISHED for {entry:?}, and rows never were there")
        })?;
    }
    for actor in world.actors.iter().filter(|actor| actor.role == Role::Pipe && actor.epoch > 0) {
        let loaded = rows::of_objects(actor.known) & !view.ever == 0;
        unless(loaded || actor.epoch != view.epoch, Invariant::ObjectsAreLoaded, || {
            format!("a pipe takes objects {:b} for loaded, and rows never were there", actor.known)
        })?;
    }
    Ok(())
}

fn check_readers(world: &World, view: &Snapshot) -> Check {
    let read = |actor: &&crate::actor::Actor| {
        actor.role == Role::Reader && actor.step == Step::ReadForward && actor.task == 1
    };
    for reader in world.actors.iter().filter(read) {
        let seen = reader.snapshot.commits;
        let missing = reader.acknowledged & !seen;
        let foreign = seen & !view.commits;
        unless(missing == 0 && foreign == 0, Invariant::ReadersSeeTheTable, || {
            format!("a reader misses commits {missing:b} and sees {foreign:b}, which are not in the table")
        })?;
    }
    Ok(())
}

/// [`Invariant::LastRunEnds`]: a new run alone, with nothing that disturbs it, ends FINISHED.
pub fn check_last_run(world: &World, rules: Rules) -> Check {
    if world.log.open().is_loaded(0) {
        return Ok(());
    }
    let mut world = world.clone();
    let runs = world.actors.iter().map(|actor| actor.run);
    let passed = runs.chain([claim::run(world.log.open().claim(0))]).max().unwrap_or(0);
    world.chances = crate::world::Chances::default();
    world.promises.cancelled[0] = passed;
    world.actors = vec![crate::actor::Actor::loader(0).run(passed + 1)];
    for _ in 0..60 {
        let mut steps = crate::world::Steps::default();
        actors::step(&world, rules, 0, &mut steps);
        let Some((_, next)) = steps.worlds.pop() else { break };
        world = next;
    }
    unless(world.promises.finished & 1 == 1, Invariant::LastRunEnds, || {
        format!("a last run stopped at {:?}", world.actors[0].step)
    })
}
