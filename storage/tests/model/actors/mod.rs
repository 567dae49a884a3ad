//! What each kind of actor does next. Every step is atomic; anything may happen between two.

mod checkpoint;
mod commit;
mod decide;
mod load;
mod maintain;
mod pipe;
mod start;

use crate::actor::{Actor, Step};
use crate::rules::{Rule, Rules};
use crate::world::{Steps, World};

/// One actor's turn in one world.
pub struct Turn<'a> {
    pub world: &'a World,
    pub rules: Rules,
    who: usize,
    out: &'a mut Steps,
}

impl Turn<'_> {
    pub fn me(&self) -> &Actor {
        &self.world.actors[self.who]
    }

    pub fn obeys(&self, rule: Rule) -> bool {
        self.rules.obeys(rule)
    }

    /// A step that can be taken: what it changes, and what a person would call it.
    pub fn can(
        &mut self,
        words: impl FnOnce(&World, &Actor) -> String,
        change: impl FnOnce(&mut World, &mut Actor),
    ) {
        let mut world = self.world.clone();
        let mut me = world.actors[self.who];
        change(&mut world, &mut me);
        let who = self.who;
        let told = self.out.in_words.then(|| {
            format!("{who}: {:?} (label {}, run {}) {}", me.role, me.label, me.run, words(&world, &me))
        });
        if me.is_over() {
            me.forget();
        }
        world.actors[who] = me;
        self.out.add(world, || told.unwrap_or_default());
    }

    /// The only thing to do is to go on there.
    pub fn go(&mut self, step: Step, words: &'static str) {
        self.can(|_, _| words.to_owned(), |_, me| me.step = step);
    }
}

/// Every step that one actor can take.
pub fn step(world: &World, rules: Rules, who: usize, out: &mut Steps) {
    let mut turn = Turn { world, rules, who, out };
    match turn.me().step {
        Step::Done | Step::Dead => {}
        Step::Start => turn.start(),
        Step::Decide => turn.decide(),
        Step::WhoHasIt => turn.who_has_it(),
        Step::Sync => turn.sync(),
        Step::Check => turn.check(),
        Step::SyncUnlink => turn.sync_unlink(),
        Step::Plan => turn.plan(),
        Step::WriteTask => turn.write_task(),
        Step::PutReport => turn.put_report(),
        Step::Merge => turn.merge(),
        Step::SayLoaded => turn.say_loaded(),
        Step::SayLoadedByLog => turn.say_loaded_by_log(),
        Step::SayCancelled => turn.say_cancelled(),
        Step::ReadLedger => turn.read_ledger(),
        Step::CutBatch => turn.cut_batch(),
        Step::PutBatch => turn.put_batch(),
        Step::WriteBatch => turn.write_batch(),
        Step::WriteLedger => turn.write_ledger(),
        Step::Compact => turn.compact(),
        Step::SyncBeforeDelete => turn.sync_before_delete(),
        Step::Delete => turn.delete(),
        Step::LinkCheckpoint => turn.link_checkpoint(),
        Step::SyncCheckpoint => turn.sync_checkpoint(),
        Step::Clean => turn.clean(),
        Step::ReadForward => turn.read_forward(),
    }
}
