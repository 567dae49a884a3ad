//! Compaction and vacuum.

use super::Turn;
use crate::actor::Step;
use crate::commit::{Content, Snapshot, claim};
use crate::files::{DataFile, Owner};
use crate::rules::Rule;

impl Turn<'_> {
    /// Merges the files of a tablet, chosen before its epoch was taken, into one.
    pub fn compact(&mut self) {
        self.can(
            |_, me| format!("merges files: {:?}", me.content),
            |world, me| {
                let (removes, epoch) = (me.files, me.epoch);
                let (rows, columns) = (world.rows_of(removes), me.snapshot.columns);
                let adds = 1 << world.new_file(Owner::Compaction { epoch }, rows, columns, 0);
                (me.content, me.columns) = (Content::Compaction { adds, removes, epoch }, columns);
                (me.then, me.step) = (Step::Done, Step::Decide);
            },
        );
    }

    pub fn sync_before_delete(&mut self) {
        let sync = self.obeys(Rule::SyncBeforeDelete);
        self.can(
            |_, _| format!("{} before it deletes", if sync { "fsyncs" } else { "does not fsync" }),
            |world, me| {
                if sync {
                    world.log.sync();
                }
                me.step = Step::Delete;
            },
        );
    }

    /// Deletes one file, whichever may go.
    pub fn delete(&mut self) {
        let snapshot = self.me().snapshot;
        for (number, file) in (0_u8..).zip(self.world.files.iter()) {
            if file.exists && self.may_delete(&snapshot, number, file) {
                self.can(
                    |_, _| format!("deletes file {number} ({:?})", file.owner),
                    |world, _| world.delete(1 << number),
                );
            }
        }
    }

    fn may_delete(&self, snapshot: &Snapshot, number: u8, file: &DataFile) -> bool {
        let named = snapshot.files >> number & 1 == 1;
        if named && self.obeys(Rule::VacuumSparesNamed) {
            return false;
        }
        !self.obeys(Rule::VacuumAsksOwner) || self.owner_is_over(snapshot, file.owner)
    }

    fn owner_is_over(&self, snapshot: &Snapshot, owner: Owner) -> bool {
        match owner {
            Owner::Seed => true,
            Owner::Load { label, claim: own } => {
                let newest = snapshot.claim(label);
                let shut_out = if self.obeys(Rule::VacuumByOutcome) {
                    claim::run(newest) > claim::run(own) || claim::is_closing(newest) && newest > own
                } else {
                    newest > own
                };
                snapshot.is_loaded(label) || shut_out
            }
            Owner::Batch { number, epoch } => snapshot.epoch > epoch || snapshot.number >= number,
            Owner::Compaction { epoch } => {
                snapshot.maintenance > epoch || !self.obeys(Rule::MaintenanceEpoch)
            }
        }
    }
}
