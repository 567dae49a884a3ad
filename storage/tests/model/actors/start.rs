//! How each actor begins: it opens the log, and knows what it is about.

use super::{Turn, pipe};
use crate::actor::{Actor, Role, Step};
use crate::columns::{Columns, NewColumn};
use crate::commit::{Content, Mode, Snapshot};
use crate::files::{Owner, Plan};
use crate::rules::Rule;
use crate::world::World;

/// A claim whose number is found when it is put.
fn claim(me: &Actor, closing: bool) -> Content {
    Content::Claim { label: me.label, number: 0, closing }
}

/// The claim after which no attempt of the run can load.
pub fn closing_claim(me: &Actor) -> Content {
    claim(me, true)
}

/// The commit of a load, whose removes are found when it is put.
pub fn load(me: &Actor, late: bool) -> Content {
    Content::Load {
        label: me.label,
        run: me.run,
        claim: me.claim,
        mode: me.mode,
        adds: me.files,
        removes: 0,
        brings: crate::rows::of_plan(me.label, late) & me.source,
        wants: me.wants,
        columns: None,
    }
}

impl Turn<'_> {
    pub fn start(&mut self) {
        let snapshot = self.world.log.open();
        if !self.may_start(&snapshot) {
            return;
        }
        let rules = self.rules;
        self.can(
            |_, me| format!("opens the log at version {}", me.snapshot.version),
            |world, me| {
                me.snapshot = snapshot;
                me.step = Step::Decide;
                match me.role {
                    Role::Loader | Role::Planner => {
                        let started = &mut world.promises.started[me.label as usize];
                        *started = me.run.max(*started);
                        (me.content, me.then) = (claim(me, false), Step::Plan);
                    }
                    Role::Canceller | Role::Resolver => {
                        (me.content, me.then) = (claim(me, true), Step::SayCancelled);
                        let closes = match me.role {
                            Role::Canceller => rules.obeys(Rule::CancelClaims),
                            _ => rules.obeys(Rule::ResolveCloses),
                        };
                        if !closes && !snapshot.is_loaded(me.label) {
                            me.step = Step::SayCancelled;
                        }
                    }
                    Role::Task(task) => begin_task(world, me, task),
                    Role::Committer => begin_commit(world, me),
                    Role::Pipe => {
                        (me.content, me.then) = (Content::Epoch { epoch: 0 }, Step::ReadLedger);
                        if !rules.obeys(Rule::EpochBeforeLedger) {
                            me.known = pipe::known_objects(world, rules, &snapshot);
                        }
                    }
                    Role::Vacuum => begin_vacuum(world, me, rules.obeys(Rule::MaintenanceEpoch)),
                    Role::Checkpointer => me.step = Step::LinkCheckpoint,
                    Role::Compactor => {
                        me.files = world.files_within(snapshot.files, me.source);
                        (me.content, me.then) = (Content::Maintenance { epoch: 0 }, Step::Compact);
                    }
                    Role::Alterer => me.then = Step::Done,
                    Role::Other => {
                        me.budget -= 1;
                        (me.content, me.then) = (Content::Nothing, Step::Start);
                    }
                    Role::Reader => {
                        me.acknowledged = world.promises.acknowledged;
                        me.snapshot = world.log.start().unwrap_or_default();
                        me.step = Step::ReadForward;
                    }
                }
                if let (Role::Alterer, Some(wants)) = (me.role, me.wants) {
                    me.content = Content::Schema { wants, columns: wants.added_to(snapshot.columns) };
                }
            },
        );
    }

    fn may_start(&self, snapshot: &Snapshot) -> bool {
        let (world, me) = (self.world, self.me());
        let label = me.label as usize;
        match me.role {
            // The operator starts a retry only after it has said CANCELLED.
            Role::Loader | Role::Planner => world.promises.cancelled[label] + 1 >= me.run,
            // And it does not cancel what a retry has passed.
            Role::Canceller | Role::Resolver => world.promises.started[label] <= me.run,
            Role::Task(_) => world.newest_plan(me.label).is_some(),
            Role::Committer => world.newest_plan(me.label).is_some_and(|plan| {
                (0..2).all(|task| {
                    world.reports.iter().any(|report| {
                        (report.label, report.claim, report.task) == (plan.label, plan.claim, task)
                    })
                })
            }),
            Role::Other => me.budget > 0,
            Role::Checkpointer => {
                snapshot.version > 0
                    && world.log.newest_checkpoint().is_none_or(|newest| newest.version < snapshot.version)
            }
            Role::Compactor => world.files_within(snapshot.files, me.source).count_ones() >= 2,
            Role::Reader => world.log.start().is_some(),
            Role::Pipe | Role::Vacuum | Role::Alterer => true,
        }
    }
}

fn begin_task(world: &World, me: &mut Actor, task: u8) {
    let Some(plan) = world.newest_plan(me.label).copied() else { return };
    (me.claim, me.late, me.columns, me.task, me.step) =
        (plan.claim, plan.late, plan.columns, task, Step::WriteTask);
}

fn begin_commit(world: &World, me: &mut Actor) {
    let Some(Plan { claim, late, columns, .. }) = world.newest_plan(me.label).copied() else { return };
    (me.claim, me.columns) = (claim, columns);
    // Where the first report does not win, a later one stands beside it.
    let own = world.reports.iter().filter(|report| (report.label, report.claim) == (me.label, claim));
    me.files = own.filter_map(|report| report.file).fold(0, |files, file| files | 1 << file);
    (me.content, me.then) = (load(me, late), Step::SayLoaded);
}

fn begin_vacuum(world: &World, me: &mut Actor, raises_epoch: bool) {
    let compacted = world.files.iter().any(|file| matches!(file.owner, Owner::Compaction { .. }));
    if raises_epoch && compacted {
        (me.content, me.then) = (Content::Maintenance { epoch: 0 }, Step::Delete);
    } else {
        me.step = Step::SyncBeforeDelete;
    }
}

/// The columns that a load writes under a schema.
pub fn written_columns(wants: Option<NewColumn>, schema: Columns) -> Columns {
    wants.map_or(schema, |wants| wants.added_to(schema))
}

/// Whether a load is keyed.
pub fn is_keyed(me: &Actor) -> bool {
    me.mode == Mode::Merge
}
