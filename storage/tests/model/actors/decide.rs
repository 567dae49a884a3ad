//! What a commit decides at the version that was read, and again after each lost race: put it, changed to
//! fit what stands, or do something else.

use super::{Turn, start};
use crate::actor::{Role, Step};
use crate::columns::{self, Columns, Kind, NewColumn};
use crate::commit::{Content, FileSet, Mode, Snapshot, claim};
use crate::rules::Rule;

/// A decision.
enum Decision {
    /// Put this at the next version.
    Put(Content),
    /// Do not: go on there.
    Stop { step: Step, words: &'static str },
    /// Something is said by what was read: it must stay.
    Answer { step: Step, words: &'static str },
    /// The load fails for good.
    Fail { words: &'static str },
    /// A compaction is worth nothing: what it wrote goes at once.
    Drop { words: &'static str },
}

const LOADED: Decision = Decision::Stop { step: Step::SayLoadedByLog, words: "finds the label loaded" };

fn stop(step: Step, words: &'static str) -> Decision {
    Decision::Stop { step, words }
}

fn answer(step: Step, words: &'static str) -> Decision {
    Decision::Answer { step, words }
}

impl Turn<'_> {
    pub fn decide(&mut self) {
        let decision = match self.me().content {
            Content::Create { .. } | Content::Nothing => Decision::Put(self.me().content),
            Content::Claim { .. } => self.decide_claim(),
            Content::Load { .. } => self.decide_load(),
            Content::Epoch { .. } => Decision::Put(Content::Epoch { epoch: self.me().snapshot.epoch + 1 }),
            Content::Batch { number, epoch, .. } => self.decide_batch(number, epoch),
            Content::Compaction { adds, removes, epoch } => self.decide_compaction(adds, removes, epoch),
            Content::Maintenance { .. } => {
                Decision::Put(Content::Maintenance { epoch: self.me().snapshot.maintenance + 1 })
            }
            Content::Schema { wants, columns } => self.decide_schema(wants, columns),
        };
        match decision {
            Decision::Put(content) => self.link(content),
            Decision::Stop { step, words } => self.go(step, words),
            Decision::Answer { step, words } => {
                let sync = self.obeys(Rule::SyncBeforeAnswer);
                self.can(
                    |_, _| words.to_owned(),
                    |world, me| {
                        if sync {
                            world.log.sync();
                        }
                        me.step = step;
                    },
                );
            }
            Decision::Fail { words } => self.fail_for_good(words),
            Decision::Drop { words } => self.drop_outputs(words),
        }
    }

    fn decide_claim(&self) -> Decision {
        let me = self.me();
        let Content::Claim { label, closing, .. } = me.content else { return Decision::Put(me.content) };
        let snapshot = &me.snapshot;
        if snapshot.is_loaded(label) {
            return LOADED;
        }
        let newest = snapshot.claim(label);
        let mut number = newest + 1;
        if self.obeys(Rule::ClaimByRun) {
            let closed = newest == claim::closing(me.run);
            if claim::run(newest) > me.run || closed {
                let step = if closing && closed { Step::SayCancelled } else { Step::Done };
                return answer(step, "finds its run closed or passed");
            }
            number = if closing { claim::closing(me.run) } else { number.max(claim::number(me.run, 1)) };
            if !closing && claim::is_closing(number) {
                return stop(Step::Done, "finds no attempt left");
            }
        }
        // Whoever failed may speak only for its own attempt.
        if closing && me.role == Role::Loader && newest != me.claim {
            return stop(Step::Done, "finds a newer claim: says nothing");
        }
        Decision::Put(Content::Claim { label, number, closing })
    }

    fn decide_load(&self) -> Decision {
        let me = self.me();
        let Content::Load { label, run, claim, mode, adds, removes, brings, wants, columns } = me.content
        else {
            return Decision::Put(me.content);
        };
        let snapshot = &me.snapshot;
        if snapshot.is_loaded(label) && self.obeys(Rule::LoadOnce) {
            return LOADED;
        }
        if snapshot.claim(label) != claim && self.obeys(Rule::NewestClaim) {
            return stop(Step::Done, "finds a newer claim: stops");
        }
        let columns = match wants {
            Some(new) if self.obeys(Rule::SameNameSameType) && new.clashes(snapshot.columns) => {
                return Decision::Fail { words: "finds its new column with another type" };
            }
            Some(new) => self.widened(new, columns, snapshot),
            None => None,
        };
        let schema = columns.unwrap_or(snapshot.columns);
        if !columns::fit(me.columns, schema) && self.obeys(Rule::AppendFitsSchema) {
            return stop(Step::Start, "finds columns that its rows do not fit: plans again");
        }
        let removes = match mode {
            Mode::Append => 0,
            Mode::Overwrite(scope) if self.obeys(Rule::RemovesAgain) || removes == 0 => {
                self.world.files_within(snapshot.files, scope)
            }
            Mode::Merge if snapshot.files != removes && self.obeys(Rule::MergeAgain) => {
                return stop(Step::Merge, "finds its tablet changed: merges again");
            }
            Mode::Overwrite(_) | Mode::Merge => removes,
        };
        Decision::Put(Content::Load { label, run, claim, mode, adds, removes, brings, wants, columns })
    }

    /// The whole schema with a new column, if that changes it. Computed once, or again at each version.
    fn widened(&self, new: NewColumn, before: Option<Columns>, snapshot: &Snapshot) -> Option<Columns> {
        if new.in_place(snapshot.columns) == new.kind {
            return None;
        }
        match before {
            Some(before) if !self.obeys(Rule::SchemaAgain) => Some(before),
            _ => Some(new.added_to(snapshot.columns)),
        }
    }

    fn decide_batch(&self, number: u8, epoch: u8) -> Decision {
        let snapshot = &self.me().snapshot;
        let own = snapshot.confirmed >> number & 1 == 1 && snapshot.epoch == epoch;
        if own && self.obeys(Rule::OwnNumberDecides) {
            return answer(Step::WriteLedger, "finds its own batch in the log");
        }
        if snapshot.epoch != epoch && self.obeys(Rule::NewestEpoch) {
            return stop(Step::Done, "finds a newer epoch: stops");
        }
        if snapshot.number >= number && self.obeys(Rule::NumberGoesUp) {
            return stop(Step::CutBatch, "finds its number taken: cuts again");
        }
        if !columns::fit(self.me().columns, snapshot.columns) && self.obeys(Rule::AppendFitsSchema) {
            return stop(Step::WriteBatch, "finds columns that its rows do not fit: writes them again");
        }
        Decision::Put(self.me().content)
    }

    fn decide_compaction(&self, adds: FileSet, removes: FileSet, epoch: u8) -> Decision {
        let me = self.me();
        let snapshot = &me.snapshot;
        if snapshot.compacted == epoch && self.obeys(Rule::OwnNumberDecides) {
            return answer(Step::Done, "finds its own compaction");
        }
        let words = if snapshot.files & removes != removes && self.obeys(Rule::CompactionInputs) {
            "finds an input gone: drops the work"
        } else if snapshot.maintenance != epoch && self.obeys(Rule::MaintenanceEpoch) {
            "finds a newer maintenance epoch: drops the work"
        } else if snapshot.columns != me.columns && self.obeys(Rule::CompactionSameSchema) {
            "finds other columns: drops the work"
        } else {
            return Decision::Put(me.content);
        };
        // A newer compaction has the number: it tells nothing of a commit of this one that came into doubt.
        if me.tried && snapshot.compacted > epoch && self.obeys(Rule::NewerNumberTellsNothing) {
            let words =
                if snapshot.files & adds == 0 { "cannot tell: leaves its files" } else { "finds its files" };
            return answer(Step::Done, words);
        }
        Decision::Drop { words }
    }

    fn drop_outputs(&mut self, words: &'static str) {
        let sync = self.obeys(Rule::SyncBeforeAnswer);
        self.can(
            |_, _| words.to_owned(),
            |world, me| {
                if sync {
                    world.log.sync();
                }
                if let Content::Compaction { adds, .. } = me.content {
                    world.delete(adds);
                }
                me.step = Step::Done;
            },
        );
    }

    fn decide_schema(&self, wants: NewColumn, columns: Columns) -> Decision {
        let snapshot = &self.me().snapshot;
        if wants.in_place(snapshot.columns) == wants.kind {
            return answer(Step::Done, "finds the column there");
        }
        if wants.clashes(snapshot.columns) && self.obeys(Rule::SameNameSameType) {
            return answer(Step::Done, "finds the column with another type: fails");
        }
        if wants.kind == Kind::RequiredInt && snapshot.files != 0 {
            return answer(Step::Done, "finds rows that would lack the column: fails");
        }
        let columns = self.widened(wants, Some(columns), snapshot).unwrap_or(columns);
        Decision::Put(Content::Schema { wants, columns })
    }

    /// A load that failed for good closes its run before it says so.
    pub fn fail_for_good(&mut self, words: &'static str) {
        let closes = self.obeys(Rule::CloseOnFailure);
        self.can(
            |_, _| words.to_owned(),
            |_, me| {
                if closes {
                    me.content = start::closing_claim(me);
                    (me.then, me.step) = (Step::SayCancelled, Step::Decide);
                } else {
                    me.step = Step::SayCancelled;
                }
            },
        );
    }
}
