//! The protocol as it is designed: no scenario breaks anything.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use crate::explore::{Bounds, explore};
use crate::rules::Rules;
use crate::scenarios::SCENARIOS;

/// How far each scenario is explored: `MODEL=states,walks`, or what takes some seconds.
pub fn bounds() -> Bounds {
    let usual = Bounds { states: 30_000, walks: 150 };
    let Ok(text) = std::env::var("MODEL") else { return usual };
    let (states, walks) = text.split_once(',').expect("MODEL=states,walks");
    Bounds { states: states.parse().expect("states"), walks: walks.parse().expect("walks") }
}

/// Does a piece of work for each of these, on two cores. The results in order.
pub fn each<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some((place, item)) =
                    Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|n| Some((n, items.get(n)?)))
                {
                    let result = work(item);
                    results.lock().unwrap().push((place, result));
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap();
    results.sort_by_key(|(place, _)| *place);
    results.into_iter().map(|(_, result)| result).collect()
}

#[test]
fn the_protocol_holds_in_every_state_within_the_bounds() {
    let begun = Instant::now();
    let explored = each(SCENARIOS, |scenario| {
        let seed = scenario.name.bytes().fold(0x5eed_u64, |seed, byte| seed.rotate_left(7) ^ u64::from(byte));
        explore(&(scenario.build)(), Rules::all(), bounds(), seed)
    });
    let (mut states, mut walked, mut complete) = (0, 0, 0);
    for (scenario, explored) in SCENARIOS.iter().zip(&explored) {
        assert!(explored.found.is_none(), "{}: {}", scenario.name, explored.found.as_ref().unwrap().story());
        println!(
            "{:>20}: {} states{}, {} by walks",
            scenario.name,
            explored.states,
            if explored.complete { " (all)" } else { "" },
            explored.walked
        );
        states += explored.states;
        walked += explored.walked;
        complete += usize::from(explored.complete);
    }
    println!(
        "{} scenarios, {complete} of them completely: {states} states, {walked} by walks, {:.1} s",
        SCENARIOS.len(),
        begun.elapsed().as_secs_f32()
    );
}
