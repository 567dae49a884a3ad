//! Putting a version: link, sync, check, acknowledge; and what to do when the name is taken.

use super::Turn;
use crate::actor::{Actor, Step};
use crate::commit::Content;
use crate::rules::Rule;
use crate::world::World;

impl Turn<'_> {
    /// Links a commit at the version after the one that was read.
    pub fn link(&mut self, content: Content) {
        let snapshot = self.me().snapshot;
        let version = snapshot.version + 1;
        let tried = matches!(content, Content::Compaction { .. });
        if self.world.log.id_at(version).is_some() && self.obeys(Rule::LinkIsExclusive) {
            self.can(
                |_, _| format!("link of {version} ({content:?}): EEXIST"),
                |_, me| {
                    (me.version, me.content, me.id, me.below) = (version, content, None, snapshot.newest);
                    (me.tried, me.step) = (tried, Step::WhoHasIt);
                },
            );
            return;
        }
        let sync_before = self.obeys(Rule::SyncBeforeLink);
        let put = |world: &mut World, me: &mut Actor| {
            if sync_before {
                world.log.sync();
            }
            let id = world.log.link(version, content);
            (me.version, me.content, me.id, me.tried) = (version, content, Some(id), tried);
            me.below = snapshot.newest;
        };
        if self.world.chances.lost_replies > 0 {
            self.can(
                |_, _| format!("links {version} ({content:?}), the reply is lost"),
                |world, me| {
                    put(world, me);
                    world.chances.lost_replies -= 1;
                    me.step = Step::WhoHasIt;
                },
            );
        }
        self.can(
            |_, _| format!("links {version} ({content:?})"),
            |world, me| {
                put(world, me);
                me.snapshot = snapshot.after(me.id.unwrap_or_default(), &content);
                me.step = Step::Sync;
            },
        );
    }

    /// The name was taken, or the reply an error: whose is it?
    pub fn who_has_it(&mut self) {
        let me = *self.me();
        let found = self.world.log.id_at(me.version);
        if self.obeys(Rule::CompareTxnId)
            && let (Some(found), Some(own)) = (found, me.id)
            && found == own
        {
            let snapshot = me.snapshot.after(own, &me.content);
            self.can(
                |_, me| format!("reads {}: its own txnId", me.version),
                |_, me| (me.snapshot, me.step) = (snapshot, Step::Sync),
            );
            return;
        }
        let rules = self.rules;
        self.can(
            |_, me| format!("rebases on version {}", me.snapshot.version),
            |world, me| {
                // A name that does not open was cleaned.
                me.snapshot = match found {
                    Some(_) => world.log.refresh(rules, me.snapshot),
                    None => world.log.open(),
                };
                me.step = Step::Decide;
            },
        );
    }

    pub fn sync(&mut self) {
        let sync = self.obeys(Rule::SyncBeforeAcknowledge);
        self.can(
            |_, _| "fsyncs the folder of the log".to_owned(),
            |world, me| {
                if sync {
                    world.log.sync();
                }
                me.step = Step::Check;
            },
        );
    }

    /// Looks whether the name can have been cleaned under a paused writer; else it is acknowledged.
    pub fn check(&mut self) {
        let me = *self.me();
        let log = &self.world.log;
        if self.obeys(Rule::StandsBelow) && log.stands(me.version - 1, me.below) {
            self.can(|_, me| format!("checks: {} is on what was read, it stands", me.version), acknowledge);
            return;
        }
        let above_second = self.obeys(Rule::DoubtAboveSecond);
        let in_doubt = if above_second {
            log.second_checkpoint().is_some_and(|second| second.version > me.version)
        } else {
            log.newest_checkpoint().is_some_and(|newest| newest.version >= me.version)
        };
        if !(in_doubt && self.obeys(Rule::CheckAfterLink)) {
            self.can(|_, me| format!("checks: {} stands", me.version), acknowledge);
        } else if above_second {
            self.can(
                |_, me| format!("checks: {} may be a cleaned name, reads again", me.version),
                |world, me| (me.snapshot, me.step) = (world.log.open(), Step::Decide),
            );
        } else {
            self.can(
                |_, me| format!("checks: calls {} void and unlinks it", me.version),
                |world, me| {
                    if world.log.id_at(me.version).is_some() {
                        world.log.unlink(me.version);
                    }
                    me.step = Step::SyncUnlink;
                },
            );
        }
    }

    pub fn sync_unlink(&mut self) {
        self.can(
            |_, _| "fsyncs and reads again".to_owned(),
            |world, me| {
                world.log.sync();
                (me.snapshot, me.step) = (world.log.open(), Step::Decide);
            },
        );
    }
}

fn acknowledge(world: &mut World, me: &mut Actor) {
    if let Some(id) = me.id.take() {
        world.promises.acknowledged |= 1 << id;
    }
    match me.content {
        Content::Claim { number, .. } => me.claim = number,
        Content::Epoch { epoch } | Content::Maintenance { epoch } => me.epoch = epoch,
        _ => {}
    }
    me.step = me.then;
}
