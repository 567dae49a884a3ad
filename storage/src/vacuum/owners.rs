//! What the log says of the labels whose hashes stand in names of files.

use std::collections::{HashMap, HashSet};

use crate::load::label_hash;
use crate::log::TableError;
use crate::log::claim::Claim;
use crate::log::head::Head;
use crate::table::{EPOCH_ID, ledger_label};

/// Hashes of the labels that are asked for.
#[derive(Debug, Default)]
pub(super) struct Wanted(HashSet<u64>);

impl Wanted {
    pub(super) fn hash(&mut self, hash: &str) {
        self.0.extend(number_of(hash));
    }

    pub(super) fn label(&mut self, label: &str) {
        self.hash(&label_hash(label));
    }
}

/// What the log says of a label.
#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    /// The newest claim, and whether the label is loaded.
    Known { label: String, newest: Option<(u32, bool)>, loaded: bool },
    /// Two labels have the hash: nothing of either is touched.
    Ambiguous,
}

/// What the log says of the labels that were asked for, by hash.
#[derive(Debug, Default)]
pub(super) struct Owners(HashMap<u64, State>);

/// Why a run can commit nothing any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Over {
    Loaded,
    Closed,
    Passed,
    EpochPassed,
}

impl Over {
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Loaded => "its label is loaded",
            Self::Closed => "its run is closed",
            Self::Passed => "a higher run of its label has claimed",
            Self::EpochPassed => "a newer epoch of its pipe stands",
        }
    }
}

impl Owners {
    pub(super) fn read(head: &Head, wanted: &Wanted) -> Result<Self, TableError> {
        let mut owners = Self::default();
        if wanted.0.is_empty() {
            return Ok(owners);
        }
        head.visit_txns(|txn| {
            if let Some(label) = txn.app_id.strip_prefix("claim/") {
                let claim = Claim::from_number(label, txn.version);
                owners.learn(wanted, label, |newest, _| *newest = Some((claim.run(), claim.is_closing())));
            } else if let Some(label) = txn.app_id.strip_prefix("load/") {
                owners.learn(wanted, label, |_, loaded| *loaded = true);
            } else if let Some(ledger) = txn.app_id.strip_prefix(EPOCH_ID) {
                // A batch has the epoch in place of the run, and its ledger in place of the label.
                let epoch = u32::try_from(txn.version).unwrap_or(u32::MAX);
                owners.learn(wanted, &ledger_label(ledger), |newest, _| *newest = Some((epoch, false)));
            }
            Ok(())
        })?;
        Ok(owners)
    }

    fn learn(&mut self, wanted: &Wanted, label: &str, set: impl FnOnce(&mut Option<(u32, bool)>, &mut bool)) {
        let Some(hash) = number_of(&label_hash(label)).filter(|hash| wanted.0.contains(hash)) else { return };
        let new = || State::Known { label: label.to_owned(), newest: None, loaded: false };
        let state = self.0.entry(hash).or_insert_with(new);
        match state {
            State::Known { label: known, newest, loaded } if known == label => set(newest, loaded),
            other => *other = State::Ambiguous,
        }
    }

    /// Why a run can commit nothing any more; `None`: it may, or the log does not know the label.
    pub(super) fn over(&self, hash: &str, run: u32) -> Option<Over> {
        match self.0.get(&number_of(hash)?)? {
            State::Known { loaded: true, .. } => Some(Over::Loaded),
            State::Known { newest: Some((newest, _)), label, .. } if *newest > run => {
                Some(if label.contains('/') { Over::EpochPassed } else { Over::Passed })
            }
            State::Known { newest: Some((newest, true)), .. } if *newest == run => Some(Over::Closed),
            _ => None,
        }
    }

    /// The same by label.
    pub(super) fn over_label(&self, label: &str, run: u32) -> Option<Over> {
        self.over(&label_hash(label), run)
    }

    /// Whether no run of the label will ever write again.
    pub(super) fn is_loaded(&self, label: &str) -> bool {
        self.over_label(label, 0) == Some(Over::Loaded)
    }
}

fn number_of(hash: &str) -> Option<u64> {
    u64::from_str_radix(hash, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Label, newest claim and whether it closes its run, whether the label is loaded.
    type Told<'a> = (&'a str, Option<(u32, bool)>, bool);

    fn owners(states: &[Told<'_>]) -> Owners {
        let mut wanted = Wanted::default();
        let mut owners = Owners::default();
        for (label, claim, is_loaded) in states {
            wanted.label(label);
            owners.learn(&wanted, label, |newest, loaded| (*newest, *loaded) = (*claim, *is_loaded));
        }
        owners
    }

    #[test]
    fn a_run_is_over_by_the_log_alone() {
        let owners = owners(&[
            ("loaded", Some((3, false)), true),
            ("open", Some((3, false)), false),
            ("closed", Some((3, true)), false),
        ]);
        for run in [1, 3, 9] {
            assert_eq!(owners.over_label("loaded", run), Some(Over::Loaded));
        }
        assert_eq!(owners.over_label("open", 2), Some(Over::Passed));
        assert_eq!(owners.over_label("open", 3), None, "a newer attempt may have adopted its files");
        assert_eq!(owners.over_label("open", 4), None);
        assert_eq!(owners.over_label("closed", 3), Some(Over::Closed));
        assert_eq!(owners.over_label("closed", 4), None);
        assert_eq!(owners.over_label("never", 1), None);
        assert!(owners.is_loaded("loaded") && !owners.is_loaded("closed"));
    }

    #[test]
    fn two_labels_of_one_hash_are_both_left_alone() {
        let mut owners = owners(&[("a", Some((3, true)), true)]);
        let state = owners.0.values_mut().next().unwrap();
        *state = State::Known { label: "another".to_owned(), newest: Some((3, true)), loaded: true };
        let mut wanted = Wanted::default();
        wanted.label("a");
        owners.learn(&wanted, "a", |_, loaded| *loaded = true);
        assert_eq!(owners.over_label("a", 1), None);
    }
}
