//! One state of everything: the log, what lies beside it, the actors, what may still happen to them, and
//! what was promised to people so far.

use std::rc::Rc;

use crate::actor::{Actor, Step};
use crate::actors;
use crate::columns::Columns;
use crate::commit::{Content, FileSet};
use crate::files::{Batch, DataFile, Owner, Plan, Report};
use crate::log::Log;
use crate::rows::{RowSet, SEEDS};
use crate::rules::Rules;

/// What may still happen, each once or a number of times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Chances {
    /// Power cuts: they end every actor that has begun.
    pub cuts: u8,
    /// A cut keeps any subset of what was not synced, not only a first part of it.
    pub any_subset: bool,
    /// Links that are done and whose caller sees an error.
    pub lost_replies: u8,
    /// Tasks that fail for good.
    pub failures: u8,
    /// A new object turns up under the prefix of label 0.
    pub late_object: bool,
    /// Objects of a pipe that are not there yet.
    pub arriving: u16,
}

/// What people were told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Promises {
    /// Commits that were acknowledged.
    pub acknowledged: u32,
    /// Labels that were reported FINISHED.
    pub finished: u8,
    /// The highest run of each label that was reported CANCELLED.
    pub cancelled: [u8; 2],
    /// The highest run of each label that was started.
    pub started: [u8; 2],
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct World {
    pub log: Log,
    pub files: Rc<Vec<DataFile>>,
    pub plans: Rc<Vec<Plan>>,
    pub reports: Rc<Vec<Report>>,
    pub batches: Rc<Vec<Batch>>,
    pub ledger: Rc<Vec<Batch>>,
    /// Objects under the prefix of the pipe, and which of them cannot be read.
    pub objects: u16,
    pub bad_objects: u16,
    /// Whether the late object is there.
    pub late: bool,
    pub actors: Vec<Actor>,
    pub chances: Chances,
    pub promises: Promises,
}

/// Steps that are possible, each with the world after it, and in words where somebody will read them.
#[derive(Debug, Default)]
pub struct Steps {
    pub in_words: bool,
    pub worlds: Vec<(String, World)>,
}

impl Steps {
    pub fn add(&mut self, world: World, words: impl FnOnce() -> String) {
        let words = if self.in_words { words() } else { String::new() };
        self.worlds.push((words, world));
    }
}

impl World {
    /// An empty table, and these actors.
    pub fn new(actors: &[Actor]) -> Self {
        Self {
            log: Log::new(Content::Create { adds: 0, brings: 0 }),
            files: Rc::default(),
            plans: Rc::default(),
            reports: Rc::default(),
            batches: Rc::default(),
            ledger: Rc::default(),
            objects: 0,
            bad_objects: 0,
            late: false,
            actors: actors.to_vec(),
            chances: Chances::default(),
            promises: Promises::default(),
        }
    }

    /// A table with these rows, a file each.
    pub fn seeded(seeds: &[RowSet], actors: &[Actor]) -> Self {
        let mut world = Self::new(actors);
        for rows in seeds {
            world.new_file(Owner::Seed, *rows, Columns::default(), 0);
        }
        let adds = (1 << seeds.len()) - 1;
        world.log = Log::new(Content::Create { adds, brings: seeds.iter().fold(0, |all, rows| all | rows) });
        world
    }

    /// A table with two files in one partition and one in the other.
    pub fn with_seeds(actors: &[Actor]) -> Self {
        Self::seeded(&SEEDS, actors)
    }

    pub fn chances(self, chances: Chances) -> Self {
        Self { chances, ..self }
    }

    pub fn objects(self, objects: u16) -> Self {
        Self { objects, ..self }
    }

    pub fn bad_objects(self, bad_objects: u16) -> Self {
        Self { bad_objects, ..self }
    }

    /// Whether it is past the bounds: nothing is explored beyond.
    pub fn is_crowded(&self) -> bool {
        self.log.linked() > 28
            || self.files.len() > 28
            || self.batches.len() > 12
            || self.log.open().number > 12
    }

    /// Every step that is possible now.
    pub fn steps(&self, rules: Rules, out: &mut Steps) {
        for who in 0..self.actors.len() {
            actors::step(self, rules, who, out);
        }
        self.power_cuts(out);
        self.arrivals(out);
    }

    fn power_cuts(&self, out: &mut Steps) {
        if self.chances.cuts == 0 {
            return;
        }
        let changes = self.log.unsynced();
        let subsets: u32 = 1 << changes;
        // Directory entries become durable in order, where the file system keeps a journal.
        let prefixes = (0..=changes).map(|first| (1_u32 << first) - 1);
        let kept: Vec<u32> =
            if self.chances.any_subset { (0..subsets).collect() } else { prefixes.collect() };
        for kept in kept {
            let mut world = self.clone();
            world.chances.cuts -= 1;
            world.log.cut(kept);
            for actor in world.actors.iter_mut().filter(|actor| actor.step != Step::Start && !actor.is_over())
            {
                actor.step = Step::Dead;
                actor.forget();
            }
            out.add(world, || format!("POWER CUT, kept {kept:b} of {changes} changes that were not synced"));
        }
    }

    fn arrivals(&self, out: &mut Steps) {
        let arriving = self.chances.arriving;
        if arriving != 0 {
            let mut world = self.clone();
            let object = arriving & arriving.wrapping_neg();
            world.chances.arriving &= !object;
            world.objects |= object;
            out.add(world, || format!("object {object:b} arrives"));
        }
        if self.chances.late_object && !self.late {
            let mut world = self.clone();
            world.late = true;
            out.add(world, || "a new object turns up under the load's prefix".to_owned());
        }
    }

    pub fn new_file(&mut self, owner: Owner, rows: RowSet, columns: Columns, request: u8) -> u8 {
        let file = DataFile { exists: true, owner, rows, columns, request };
        let files = Rc::make_mut(&mut self.files);
        files.push(file);
        files.len() as u8 - 1
    }

    /// Deletes the files of a set.
    pub fn delete(&mut self, set: FileSet) {
        for (number, file) in (0_u8..).zip(Rc::make_mut(&mut self.files)) {
            file.exists &= set >> number & 1 == 0;
        }
    }

    pub fn file(&self, number: u8) -> &DataFile {
        &self.files[number as usize]
    }

    /// The files of a set, with their numbers.
    pub fn files_in(&self, set: FileSet) -> impl Iterator<Item = (u8, &DataFile)> {
        (0_u8..).zip(self.files.iter()).filter(move |(number, _)| set >> number & 1 == 1)
    }

    /// The rows of all files of a set.
    pub fn rows_of(&self, set: FileSet) -> RowSet {
        self.files_in(set).fold(0, |rows, (_, file)| rows | file.rows)
    }

    /// Those of a set that hold rows of a scope.
    pub fn files_within(&self, set: FileSet, scope: RowSet) -> FileSet {
        self.files_in(set)
            .filter(|(_, file)| file.rows & scope != 0)
            .fold(0, |files, (number, _)| files | 1 << number)
    }

    /// The plan of a parallel load that its later pods work by.
    pub fn newest_plan(&self, label: u8) -> Option<&Plan> {
        self.plans.iter().rev().find(|plan| plan.label == label)
    }
}
