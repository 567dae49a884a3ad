//! Nothing that was acknowledged is lost, and nothing is seen by halves, whenever the power goes.

use std::time::Instant;

use longshore_storage::durable::SyncSite;

use super::check::Checker;
use super::cut::Order;
use super::overtaken::{OVERTAKEN, Overtaken, two_checkpoints};
use super::recording::Recording;
use super::replay::{Depth, Figures, Memory, Replay};
use super::workloads::{MEANWHILE, WORKLOADS, Workload, stopped, two_creators, two_loads};

fn ids() -> Vec<&'static str> {
    SyncSite::ALL.iter().map(|site| site.id()).collect()
}

/// The place that is switched off.
fn without() -> Option<SyncSite> {
    let id = std::env::var("POWER_WITHOUT").ok()?;
    let site = SyncSite::ALL.iter().find(|site| site.id() == id);
    Some(*site.unwrap_or_else(|| panic!("{id} is no place; there are {:?}", ids())))
}

/// Replays recordings in both orders of names, with so many random states a cut point unless told otherwise.
fn hold(recordings: impl IntoIterator<Item = Recording>, seeds: usize) {
    let seeds = std::env::var("POWER").ok().map_or(seeds, |seeds| seeds.parse().unwrap());
    let depth = Depth { seeds, singles: seeds > 0 };
    let begin = Instant::now();
    let mut all = Figures::default();
    let mut count = 0;
    for recording in recordings {
        count += 1;
        let mut memory = Memory::default();
        for order in [Order::Journal, Order::Any] {
            let observer = Checker::new(&recording);
            let (without, figures, memory) = (without(), Figures::default(), &mut memory);
            let mut replay =
                Replay { recording: &recording, order, without, depth, observer, figures, memory };
            if let Err((violation, state)) = replay.run() {
                panic!("{violation}\n{order:?}, {state}");
            }
            all += replay.figures;
        }
    }
    println!("{count} recordings, {all:?}, {:.1} s", begin.elapsed().as_secs_f64());
}

#[test]
fn one_process_at_a_time() {
    hold(WORKLOADS.iter().map(Workload::record), 200);
}

#[test]
fn two_creators_side_by_side() {
    hold((0..4).map(two_creators), 200);
}

#[test]
fn two_loads_side_by_side() {
    hold((0..4).map(|seed| two_loads(seed, ["l", "m"])), 200);
}

#[test]
fn two_loads_of_one_label_side_by_side() {
    hold((0..4).map(|seed| two_loads(seed, ["l", "l"])), 200);
}

#[test]
fn one_process_stopped_before_each_fsync_while_another_works() {
    // All of them take a minute: the others only with POWER.
    let all = std::env::var_os("POWER").is_some();
    let pairs =
        SyncSite::ALL.iter().flat_map(|site| MEANWHILE.iter().map(move |meanwhile| (*site, meanwhile)));
    let chosen = pairs.filter(|(site, (does, _))| {
        all || *site == SyncSite::CommitName || *does == "plans and does the same"
    });
    hold(chosen.filter_map(|(site, meanwhile)| stopped(site, meanwhile)), 0);
}

#[test]
fn one_process_overtaken_by_one_that_began_before() {
    hold(OVERTAKEN.iter().map(Overtaken::record), 200);
}

#[test]
fn two_checkpoints_side_by_side() {
    hold((0..12).map(two_checkpoints), 200);
}
