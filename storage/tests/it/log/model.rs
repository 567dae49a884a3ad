//! Random sequences of claims, loads, closings and checkpoints by several handles, against a model that is
//! one map in memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;

use longshore_storage::durable::Posix;
use longshore_storage::table::{
    Claim, ClaimError, CloseOutcome, CommitError, CommitOutcome, LabelState, Table,
};

use super::support::{Place, commit, failed_record};

#[derive(Debug, Clone)]
enum Step {
    Claim { handle: usize, label: usize, run: u32 },
    Commit { claim: usize, handle: usize, rows: u64 },
    Close { handle: usize, label: usize, run: u32 },
    CloseOwn { claim: usize, handle: usize },
    Refresh { handle: usize },
    Reopen { handle: usize },
    Checkpoint { handle: usize },
}

const HANDLES: usize = 3;
const LABELS: usize = 3;
const CLOSED: u32 = u32::MAX;

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let handle = 0..HANDLES;
    let step = prop_oneof![
        4 => (handle.clone(), 0..LABELS, 1_u32..4)
            .prop_map(|(handle, label, run)| Step::Claim { handle, label, run }),
        4 => (any::<prop::sample::Index>(), handle.clone(), 1_u64..100)
            .prop_map(|(claim, handle, rows)| Step::Commit { claim: claim.index(1 << 20), handle, rows }),
        1 => (handle.clone(), 0..LABELS, 1_u32..4)
            .prop_map(|(handle, label, run)| Step::Close { handle, label, run }),
        1 => (any::<prop::sample::Index>(), handle.clone())
            .prop_map(|(claim, handle)| Step::CloseOwn { claim: claim.index(1 << 20), handle }),
        1 => handle.clone().prop_map(|handle| Step::Refresh { handle }),
        1 => handle.clone().prop_map(|handle| Step::Reopen { handle }),
        1 => handle.prop_map(|handle| Step::Checkpoint { handle }),
    ];
    prop::collection::vec(step, 1..60)
}

/// What the log should say: the newest (run, attempt) and the rows of each label.
#[derive(Debug, Default)]
struct Model {
    version: u64,
    claims: BTreeMap<String, (u32, u32)>,
    loads: BTreeMap<String, (u64, u64)>,
}

impl Model {
    fn claim(&mut self, label: &str, run: u32) -> Option<(u32, u32)> {
        if self.loads.contains_key(label) {
            return None;
        }
        let next = match self.claims.get(label) {
            Some((newest, _)) if *newest > run => return None,
            Some((newest, CLOSED)) if *newest == run => return None,
            Some((newest, attempt)) if *newest == run => (run, attempt + 1),
            _ => (run, 1),
        };
        self.claims.insert(label.to_owned(), next);
        self.version += 1;
        Some(next)
    }

    fn commit(&mut self, claim: &Claim, rows: u64) -> bool {
        let newest = self.claims.get(claim.label()) == Some(&(claim.run(), claim.attempt()));
        if self.loads.contains_key(claim.label()) || !newest {
            return false;
        }
        self.version += 1;
        self.loads.insert(claim.label().to_owned(), (self.version, rows));
        true
    }

    fn close(&mut self, label: &str, run: u32, only_if: Option<&Claim>) -> bool {
        let newest = self.claims.get(label).copied();
        let refused = self.loads.contains_key(label)
            || newest.is_some_and(|(newest, _)| newest > run)
            || newest == Some((run, CLOSED))
            || only_if.is_some_and(|claim| newest != Some((claim.run(), claim.attempt())));
        if !refused {
            self.version += 1;
            self.claims.insert(label.to_owned(), (run, CLOSED));
        }
        !refused
    }

    fn check(&self, table: &Table) {
        assert_eq!(table.version(), self.version);
        assert_eq!(table.totals().unwrap().rows, self.loads.values().map(|(_, rows)| rows).sum::<u64>());
        for label in (0..LABELS).map(name) {
            let state = table.label(&label).unwrap();
            match (self.loads.get(&label), self.claims.get(&label)) {
                (Some((version, rows)), _) => {
                    let LabelState::Loaded { version: found, record } = state else { panic!("{state:?}") };
                    assert_eq!((found, record.counts.sink_rows), (*version, *rows));
                }
                (None, Some((run, CLOSED))) => assert_eq!(state, LabelState::Closed { run: *run }),
                (None, Some((run, attempt))) => {
                    assert_eq!(state, LabelState::Claimed { run: *run, attempt: *attempt });
                }
                (None, None) => assert_eq!(state, LabelState::Unknown),
            }
        }
    }
}

fn name(label: usize) -> String {
    format!("label-{label}")
}

fn run(steps: Vec<Step>) {
    let (place, table) = Place::with_table();
    let mut handles = vec![table];
    handles.extend((1..HANDLES).map(|_| place.open()));
    let mut model = Model::default();
    let mut claims: Vec<Claim> = Vec::new();
    for step in steps {
        match step {
            Step::Claim { handle, label, run } => {
                let label = name(label);
                let expected = model.claim(&label, run);
                match handles[handle].claim(&label, run) {
                    Ok(claim) => {
                        assert_eq!(Some((claim.run(), claim.attempt())), expected);
                        claims.push(claim);
                    }
                    Err(ClaimError::AlreadyLoaded { .. } | ClaimError::RunPassed { .. }) => {
                        assert_eq!(expected, None);
                    }
                    Err(other) => panic!("{other}"),
                }
            }
            Step::Commit { claim, handle, rows } if !claims.is_empty() => {
                let claim = claims[claim % claims.len()].clone();
                let own = handles[handle].label(claim.label());
                let expected = model.commit(&claim, rows);
                match commit(&mut handles[handle], &claim, rows) {
                    Ok(CommitOutcome::Committed { version }) if expected => {
                        assert_eq!(version, model.version);
                    }
                    // The same claim had committed before.
                    Ok(CommitOutcome::Committed { version }) => {
                        assert_eq!(model.loads[claim.label()].0, version, "{own:?}");
                    }
                    Ok(CommitOutcome::AlreadyLoaded { .. }) => {
                        assert!(!expected && model.loads.contains_key(claim.label()));
                    }
                    Err(CommitError::ClaimLost { .. }) => assert!(!expected),
                    Err(other) => panic!("{other}"),
                }
            }
            Step::Close { handle, label, run } => {
                let label = name(label);
                let expected = model.close(&label, run, None);
                let before = handles[handle].version();
                let outcome =
                    handles[handle].close_run(&label, run, None, failed_record(&label, run)).unwrap();
                let closed = outcome == CloseOutcome::Closed { version: model.version }
                    && handles[handle].version() > before;
                assert!(closed || !expected, "{outcome:?}");
            }
            Step::CloseOwn { claim, handle } if !claims.is_empty() => {
                let claim = claims[claim % claims.len()].clone();
                let (label, run) = (claim.label(), claim.run());
                let expected = model.close(label, run, Some(&claim));
                let outcome =
                    handles[handle].close_run(label, run, Some(&claim), failed_record(label, run)).unwrap();
                if expected {
                    assert_eq!(outcome, CloseOutcome::Closed { version: model.version });
                }
            }
            Step::Commit { .. } | Step::CloseOwn { .. } => {}
            Step::Refresh { handle } => handles[handle].refresh().unwrap(),
            Step::Reopen { handle } => {
                handles[handle] = Table::open(Arc::new(Posix), &place.root).unwrap();
            }
            Step::Checkpoint { handle } => {
                handles[handle].refresh().unwrap();
                handles[handle].checkpoint().unwrap();
            }
        }
    }
    for handle in &mut handles {
        handle.refresh().unwrap();
        model.check(handle);
    }
    model.check(&place.open());
    model.check(&place.open_without_checkpoints());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn any_sequence_ends_as_the_model_says(steps in steps()) {
        run(steps);
    }
}
