//! Checkpoints, the cleaning of names below them, and a reader that both can overtake.

use super::Turn;
use crate::actor::Step;
use crate::rules::Rule;

impl Turn<'_> {
    pub fn link_checkpoint(&mut self) {
        let me = *self.me();
        let newest = self.world.log.newest_checkpoint().map(|newest| newest.version);
        let drops = newest == Some(me.snapshot.version)
            || self.obeys(Rule::DropLateCheckpoint) && newest > Some(me.snapshot.version);
        if drops {
            self.go(Step::Clean, "finds a newer checkpoint: drops its own");
            return;
        }
        let sync = self.obeys(Rule::SyncBeforeCheckpoint);
        self.can(
            |_, me| format!("links the checkpoint {}", me.snapshot.version),
            |world, me| {
                if sync {
                    world.log.sync();
                }
                world.log.link_checkpoint(me.snapshot);
                me.step = Step::SyncCheckpoint;
            },
        );
    }

    pub fn sync_checkpoint(&mut self) {
        let sync = self.obeys(Rule::SyncCheckpoint);
        self.can(
            |_, _| "fsyncs the checkpoint".to_owned(),
            |world, me| {
                if sync {
                    world.log.sync();
                }
                me.step = Step::Clean;
            },
        );
    }

    /// Cleans one name, or waits for the next checkpoint.
    pub fn clean(&mut self) {
        let log = &self.world.log;
        let limit = if self.obeys(Rule::CleanBelowSecond) {
            log.second_checkpoint()
        } else {
            log.newest_checkpoint()
        };
        let limit = limit.map_or(0, |checkpoint| checkpoint.version);
        let at_once = if self.obeys(Rule::CleanOldestFirst) { 1 } else { usize::MAX };
        let sync = self.obeys(Rule::SyncBeforeClean);
        for version in log.below(limit).take(at_once) {
            self.can(
                |_, _| format!("cleans the name {version}"),
                |world, _| {
                    // The newest checkpoint may be another writer's, and not durable yet.
                    if sync {
                        world.log.sync();
                    }
                    world.log.unlink(version);
                },
            );
        }
        if self.me().budget > 0 {
            self.can(
                |_, _| "waits for the next checkpoint".to_owned(),
                |_, me| {
                    me.budget -= 1;
                    me.step = Step::Start;
                },
            );
        }
    }

    pub fn read_forward(&mut self) {
        let rules = self.rules;
        self.can(
            |_, me| format!("reads forward to version {}", me.snapshot.version),
            |world, me| {
                me.snapshot = world.log.refresh(rules, me.snapshot);
                me.task = 1;
            },
        );
    }
}
