//! Every ordered pair of operations of the matrix, in two processes with random delays: the table ends as
//! one of the two orders would leave it, and both processes say what is true.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use longshore_storage::log::conflict::{Operation, Verdict};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use super::child::{Order, Writer};
use super::oracle::{Step, apply};
use super::replay::{replay, seen};
use super::setting::{Kind, place};

/// Pairs of processes at a time: they mostly wait.
const PAIRS_AT_ONCE: usize = 4;
const DEFAULT_ROUNDS: u64 = 3;
/// How much earlier one of the two begins: about as long as a commit takes.
const MAX_LEAD_MICROS: u64 = 30_000;

/// A pair of operations, each done in one way.
type Pair = ((Operation, Kind), (Operation, Kind));

fn pairs() -> Vec<Pair> {
    let ways = || {
        let ways = |operation| Kind::of(operation).iter().map(move |kind| (operation, *kind));
        Operation::ALL.into_iter().flat_map(ways)
    };
    ways().flat_map(|first| ways().map(move |second| (first, second))).collect()
}

/// The gravest of what `second` makes of what `first` did; a load that brings a column does two things.
fn verdict((first, kind): (Operation, Kind), (second, its_kind): (Operation, Kind)) -> Verdict {
    let with_column = |operation, kind: Kind| {
        let columns = kind.new_column().map(|_| Operation::AddColumns);
        [Some(operation), columns].into_iter().flatten()
    };
    let made = with_column(first, kind).flat_map(|operation| operation.row().makes);
    let minds = |change| with_column(second, its_kind).map(move |operation| operation.on(change)).max();
    made.filter_map(|change| minds(*change)).max().unwrap()
}

fn has_failed(outcome: &str) -> bool {
    ["ClaimLost", "PipeEpochLost", "ColumnConflict", "SchemaChanged", "RunPassed"].contains(&outcome)
}

fn has_ended_early(outcome: &str) -> bool {
    outcome.starts_with("dropped") || ["AlreadyLoaded", "superseded"].contains(&outcome)
}

/// One round; which of the two orders explain it.
fn round(writers: &mut [Writer; 2], pair: Pair, seed: u64) -> (bool, bool) {
    let ((_, a), (_, b)) = pair;
    let (place, table) = place();
    drop(table);
    let order = |role: usize, kind, other| Order {
        root: place.root.clone(),
        kind,
        other,
        role,
        seed: seed * 2 + role as u64,
        delays: true,
        stop_at: None,
    };
    let mut steps = Vec::new();
    for (role, (kind, other)) in [(a, b), (b, a)].into_iter().enumerate() {
        writers[role].order(&order(role, kind, other));
        let (claim, epoch) = writers[role].prepared();
        let from = replay(&place.root).1;
        steps.push(Step { kind, role, label: kind.label(role, other), claim, epoch, from });
    }
    let start = replay(&place.root).1;
    // One of them begins earlier, else the quicker operation would nearly always win.
    let mut random = SmallRng::seed_from_u64(seed);
    let early = random.random_range(0..2);
    writers[early].go();
    std::thread::sleep(Duration::from_micros(random.random_range(0..MAX_LEAD_MICROS)));
    writers[1 - early].go();
    let outcomes = [writers[0].outcome(), writers[1].outcome()];
    let end = seen(&place.root);

    let explains = |earlier: usize, later: usize| {
        let mut state = start.clone();
        let mut expected = [String::new(), String::new()];
        expected[earlier] = apply(&mut state, &steps[earlier]);
        expected[later] = apply(&mut state, &steps[later]);
        expected == outcomes && state == end
    };
    let orders = (explains(0, 1), explains(1, 0));
    assert!(
        orders.0 || orders.1,
        "{a:?} beside {b:?}, seed {seed}: {outcomes:?}, from {start:#?} to {end:#?}"
    );
    for (own, other, outcome) in [(pair.0, pair.1, &outcomes[0]), (pair.1, pair.0, &outcomes[1])] {
        // What the matrix lets pass is never stopped, what it only drops never fails.
        let gravest = verdict(other, own);
        assert!(!has_failed(outcome) || gravest == Verdict::Fail, "{own:?} beside {other:?}: {outcome}");
        assert!(!has_ended_early(outcome) || gravest >= Verdict::Drop, "{own:?} beside {other:?}: {outcome}");
    }
    orders
}

#[test]
fn every_pair_of_operations_ends_as_one_of_the_two_orders() {
    let rounds = std::env::var("ROUNDS").map_or(DEFAULT_ROUNDS, |text| text.parse().unwrap());
    let pairs = pairs();
    let next = AtomicUsize::new(0);
    // How often only the first, and only the second order explains what happened.
    let seen = Mutex::new((0_u64, 0_u64));
    std::thread::scope(|scope| {
        for _ in 0..PAIRS_AT_ONCE {
            scope.spawn(|| {
                let mut writers = [Writer::start(), Writer::start()];
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let (Some(pair), seed) = (pairs.get(number % pairs.len()), number as u64) else { return };
                    if number / pairs.len() >= rounds as usize {
                        return;
                    }
                    match round(&mut writers, *pair, seed) {
                        (true, false) => seen.lock().unwrap().0 += 1,
                        (false, true) => seen.lock().unwrap().1 += 1,
                        _ => {}
                    }
                }
            });
        }
    });
    let (first, second) = *seen.lock().unwrap();
    eprintln!("{} rounds; only one order explains {first} and {second}", pairs.len() as u64 * rounds);
    assert!(first > 0 && second > 0, "one of the two always won");
}

#[test]
fn every_operation_but_the_keyed_merge_is_paired() {
    for operation in Operation::ALL {
        let built = operation != Operation::KeyedMerge;
        assert_eq!(!Kind::of(operation).is_empty(), built, "{operation:?}");
    }
}
