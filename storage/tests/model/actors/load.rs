//! A load: plan, tasks, reports, commit, and what is said in the end. In one process or in several.

use super::{Turn, start};
use crate::actor::{Actor, Role, Step};
use crate::columns;
use crate::files::{Owner, Plan, Report};
use crate::rows;
use crate::rules::Rule;
use crate::world::World;
use std::rc::Rc;

impl Turn<'_> {
    /// Lists the objects and freezes the list, and the columns that will be written.
    pub fn plan(&mut self) {
        let me = *self.me();
        if me.wants.is_some_and(|new| new.clashes(me.snapshot.columns)) {
            self.fail_for_good("finds its new column with another type");
            return;
        }
        self.can(
            |_, me| format!("lists and freezes its plan (late object: {})", me.late),
            |world, me| {
                me.late = world.late && me.label == 0;
                me.columns = start::written_columns(me.wants, me.snapshot.columns);
                (me.task, me.files, me.step) = (0, 0, Step::WriteTask);
                if me.role == Role::Planner {
                    let Actor { label, claim, late, columns, .. } = *me;
                    Rc::make_mut(&mut world.plans).push(Plan { label, claim, late, columns });
                    me.step = Step::Done;
                }
            },
        );
    }

    /// Adopts a task of an earlier attempt, fails, or writes it.
    pub fn write_task(&mut self) {
        let me = *self.me();
        let world = self.world;
        let adoptable: Vec<Report> =
            world.reports.iter().filter(|report| self.may_adopt(report)).copied().collect();
        for report in adoptable {
            self.can(
                |_, me| format!("adopts task {} of claim {}: file {:?}", me.task, report.claim, report.file),
                |_, me| (me.task_file, me.step) = (report.file, Step::PutReport),
            );
        }
        if me.role == Role::Loader && world.chances.failures > 0 {
            // The chance is used up by whoever takes it.
            let mut fewer = world.clone();
            fewer.chances.failures -= 1;
            let Turn { rules, who, .. } = *self;
            Turn { world: &fewer, rules, who, out: &mut *self.out }
                .fail_for_good("fails for good (bad rows)");
        }
        self.can(
            |_, me| format!("writes task {} as file {:?}", me.task, me.task_file),
            |world, me| {
                let rows = rows::of_task(me.label, me.task, me.late) & me.source;
                let owner = Owner::Load { label: me.label, claim: me.claim };
                me.task_file = (rows != 0).then(|| world.new_file(owner, rows, me.columns, me.request));
                me.step = Step::PutReport;
            },
        );
    }

    fn may_adopt(&self, report: &Report) -> bool {
        let me = self.me();
        let claim_run = crate::commit::claim::run;
        let same_files =
            rows::of_task(me.label, me.task, report.late) == rows::of_task(me.label, me.task, me.late);
        me.role == Role::Loader
            && (report.label, report.task) == (me.label, me.task)
            && report.claim < me.claim
            && report.file.is_none_or(|file| self.world.file(file).exists)
            && (report.request == me.request || !self.obeys(Rule::AdoptSameRequest))
            && (claim_run(report.claim) == claim_run(me.claim) || !self.obeys(Rule::AdoptWithinRun))
            && (same_files || !self.obeys(Rule::AdoptSameFiles))
            && (columns::fit(report.columns, me.columns) || !self.obeys(Rule::AdoptSameSchema))
    }

    pub fn put_report(&mut self) {
        let first_wins = self.obeys(Rule::FirstReportWins);
        self.can(
            |_, _| "links the report of its task".to_owned(),
            |world, me| {
                let same = |report: &Report| {
                    (report.label, report.claim, report.task) == (me.label, me.claim, me.task)
                };
                if !first_wins || !world.reports.iter().any(same) {
                    let Actor { label, claim, task, request, late, columns, task_file: file, .. } = *me;
                    let report = Report { label, claim, task, request, late, columns, file };
                    Rc::make_mut(&mut world.reports).push(report);
                }
                me.files |= me.task_file.map_or(0, |file| 1 << file);
                next_task(me);
            },
        );
    }

    /// Reads the tablet and merges the new rows into it.
    pub fn merge(&mut self) {
        self.can(
            |_, me| format!("merges into {:?}", me.content),
            |world, me| {
                let crate::commit::Content::Load { adds, removes, .. } = &mut me.content else { return };
                let rows = world.rows_of(me.snapshot.files | me.files);
                let owner = Owner::Load { label: me.label, claim: me.claim };
                me.columns = start::written_columns(me.wants, me.snapshot.columns);
                *adds = 1 << world.new_file(owner, rows, me.columns, me.request);
                *removes = me.snapshot.files;
                me.step = Step::Decide;
            },
        );
    }

    pub fn say_loaded(&mut self) {
        self.can(|_, _| "reports FINISHED".to_owned(), finished);
    }

    /// The label was found loaded: others did it.
    pub fn say_loaded_by_log(&mut self) {
        let sync = self.obeys(Rule::SyncBeforeAnswer);
        self.can(
            |_, _| format!("{}reports FINISHED", if sync { "fsyncs what it read and " } else { "" }),
            |world, me| {
                if sync {
                    world.log.sync();
                }
                finished(world, me);
            },
        );
    }

    pub fn say_cancelled(&mut self) {
        self.can(
            |_, _| "reports CANCELLED".to_owned(),
            |world, me| {
                let cancelled = &mut world.promises.cancelled[me.label as usize];
                *cancelled = me.run.max(*cancelled);
                me.step = Step::Done;
            },
        );
    }
}

fn finished(world: &mut World, me: &mut Actor) {
    world.promises.finished |= 1 << me.label;
    me.step = Step::Done;
}

fn next_task(me: &mut Actor) {
    if matches!(me.role, Role::Task(_)) {
        me.step = Step::Done;
    } else if me.task == 0 {
        (me.task, me.step) = (1, Step::WriteTask);
    } else {
        (me.content, me.then) = (start::load(me, me.late), Step::SayLoaded);
        me.step = if start::is_keyed(me) { Step::Merge } else { Step::Decide };
    }
}
