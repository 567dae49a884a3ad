//! A pipe: batches under an epoch, each with a number, and a ledger of the objects that are loaded.

use std::rc::Rc;

use super::Turn;
use crate::actor::Step;
use crate::commit::{Content, Snapshot};
use crate::files::{Batch, Owner};
use crate::rows;
use crate::rules::{Rule, Rules};
use crate::world::World;

impl Turn<'_> {
    pub fn read_ledger(&mut self) {
        let rules = self.rules;
        self.can(
            |_, me| format!("epoch {}: reads the ledger: {:b} are loaded", me.epoch, me.known),
            |world, me| {
                if rules.obeys(Rule::EpochBeforeLedger) {
                    me.known = known_objects(world, rules, &me.snapshot);
                }
                me.step = Step::CutBatch;
            },
        );
    }

    /// Cuts a batch of what is not loaded: all of it, without the bad ones, or one object alone.
    pub fn cut_batch(&mut self) {
        let me = *self.me();
        if me.budget == 0 {
            return;
        }
        let open = self.world.objects & !me.known;
        let mut cuts = [open, open & !self.world.bad_objects, open & open.wrapping_neg()];
        cuts.sort_unstable();
        let highest = self.world.batches.iter().map(|batch| batch.number).max();
        let highest = highest.filter(|_| self.obeys(Rule::NumberAboveFiles)).unwrap_or(0);
        let number = me.snapshot.number.max(highest) + 1;
        for (place, cut) in cuts.into_iter().enumerate() {
            if cut == 0 || cuts[..place].contains(&cut) {
                continue;
            }
            self.can(
                |_, me| format!("cuts batch {} = {:b}", me.number, me.batch),
                |_, me| {
                    me.budget -= 1;
                    (me.batch, me.number, me.step) = (cut, number, Step::PutBatch);
                },
            );
        }
    }

    /// Links the batch file, or takes the one that has the name.
    pub fn put_batch(&mut self) {
        let me = *self.me();
        let named = self.obeys(Rule::EpochInBatchName);
        let found = self
            .world
            .batches
            .iter()
            .find(|batch| batch.number == me.number && (batch.epoch == me.epoch || !named))
            .copied();
        self.can(
            |_, me| format!("batch file {}: {:b}, found {found:?}", me.number, me.batch),
            |world, me| {
                match found {
                    Some(found) => me.batch = found.objects,
                    None => Rc::make_mut(&mut world.batches).push(Batch {
                        number: me.number,
                        epoch: me.epoch,
                        objects: me.batch,
                    }),
                }
                me.step = Step::WriteBatch;
            },
        );
    }

    pub fn write_batch(&mut self) {
        if self.me().batch & self.world.bad_objects != 0 {
            self.go(Step::CutBatch, "the batch fails on a bad object");
            return;
        }
        self.can(
            |_, me| format!("writes batch {} as {:?}", me.number, me.content),
            |world, me| {
                let (number, epoch, brings) = (me.number, me.epoch, rows::of_objects(me.batch));
                let owner = Owner::Batch { number, epoch };
                me.columns = me.snapshot.columns;
                let adds = 1 << world.new_file(owner, brings, me.columns, 0);
                me.content = Content::Batch { number, epoch, adds, brings };
                (me.then, me.step) = (Step::WriteLedger, Step::Decide);
            },
        );
    }

    pub fn write_ledger(&mut self) {
        self.can(
            |_, me| format!("ledger: batch {} FINISHED", me.number),
            |world, me| {
                let entry = Batch { number: me.number, epoch: me.epoch, objects: me.batch };
                Rc::make_mut(&mut world.ledger).push(entry);
                me.known |= me.batch;
                me.step = Step::CutBatch;
            },
        );
    }
}

/// The objects that a pipe takes for loaded when it begins at a version.
pub fn known_objects(world: &World, rules: Rules, snapshot: &Snapshot) -> u16 {
    let confirmed = |number: u8| {
        if rules.obeys(Rule::ConfirmByCommit) {
            snapshot.confirmed >> number & 1 == 1
        } else {
            number <= snapshot.number
        }
    };
    let mut known = 0;
    if !rules.obeys(Rule::RecordCountsWhenNamed) {
        // A record is written when the files are there, before the commit.
        let batches = world.files.iter().filter(|file| matches!(file.owner, Owner::Batch { .. }));
        known |= batches.fold(0, |known, file| known | rows::objects_of(file.rows));
    }
    for entry in world.ledger.iter().filter(|entry| confirmed(entry.number)) {
        known |= entry.objects;
    }
    if rules.obeys(Rule::LedgerFromLog) {
        let by_epoch = rules.obeys(Rule::EpochInBatchName) && rules.obeys(Rule::ConfirmByCommit);
        for batch in world.batches.iter().filter(|batch| confirmed(batch.number)) {
            if !by_epoch || epoch_that_committed(world, batch.number) == Some(batch.epoch) {
                known |= batch.objects;
            }
        }
    }
    known
}

/// From the commit, or from folded history: the epoch that committed a batch.
fn epoch_that_committed(world: &World, number: u8) -> Option<u8> {
    (0_u8..).zip(world.files.iter()).find_map(|(file, data)| match data.owner {
        Owner::Batch { number: own, epoch } if own == number && was_named(world, file) => Some(epoch),
        _ => None,
    })
}

/// Whether a visible commit or checkpoint names, or named, a file.
fn was_named(world: &World, file: u8) -> bool {
    let names = |set: u32| set >> file & 1 == 1;
    let by_commit = |content: &Content| matches!(content, Content::Batch { adds, .. } if names(*adds));
    names(world.log.open().files)
        || world.log.contents().any(by_commit)
        || world.log.checkpoints().iter().any(|checkpoint| names(checkpoint.files))
}
