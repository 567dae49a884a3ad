//! Listing: any order of arrival, tails, and listings that are broken off.

use longshore_s3server::{Fault, FaultKind, Operation};
use longshore_storage::ledger::FileState;
use longshore_worker::pipe::PipeEnd;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use serde_json::json;

use super::{file, ledger, numbers, request, run, start, world};
use crate::world::{SERVER, World};

const ORDERS: u64 = 36;
const AT_ONCE: u64 = 12;
const FILES: i64 = 8;

/// Keys in the order in which they appear, each with the number that it holds; some appear twice.
fn arrivals(random: &mut StdRng) -> Vec<(String, i64)> {
    let mut arrivals: Vec<(String, i64)> = (0..FILES)
        .map(|number| {
            let folder = random.random_range(0..3);
            (format!("in/{folder}/{:03}-{number}.parquet", random.random_range(0..1_000)), number)
        })
        .collect();
    arrivals.shuffle(random);
    let again = arrivals[random.random_range(0..arrivals.len())].0.clone();
    arrivals.push((again, FILES));
    arrivals
}

#[test]
fn any_order_of_arrival_loads_the_same_rows() {
    let mut random = StdRng::seed_from_u64(11);
    for _ in 0..ORDERS / AT_ONCE {
        let worlds: Vec<(World, Vec<(String, i64)>)> =
            (0..AT_ONCE).map(|_| (world(), arrivals(&mut random))).collect();
        let pipes: Vec<_> = worlds
            .iter()
            .map(|(world, _)| {
                let files = random.random_range(1..5);
                start(
                    world,
                    &request(world, "in/*/*.parquet", |spec| {
                        spec["autoIngest"] = json!(true);
                        spec["batchFiles"] = json!(files);
                        spec["maxListRequestsPerHour"] = json!(100_000);
                    }),
                )
            })
            .collect();
        for arrival in 0..=FILES as usize {
            for ((world, arrivals), pipe) in worlds.iter().zip(&pipes) {
                let (key, number) = &arrivals[arrival];
                if *number == FILES {
                    // An object that is written again counts once its first content was listed.
                    pipe.until("all but one", |progress| progress.loaded_files >= FILES as u64);
                }
                world.put(key, file([*number]));
            }
            std::thread::sleep(std::time::Duration::from_millis(random.random_range(0..150)));
        }
        for ((world, _), pipe) in worlds.iter().zip(pipes) {
            pipe.until("all files", |progress| progress.loaded_files as i64 == FILES + 1);
            assert!(matches!(pipe.stop(), PipeEnd::Stopped));
            assert_eq!(numbers(world), (0..=FILES).collect::<Vec<_>>());
            assert!(ledger(world).iter().all(|(_, entry)| entry.state == FileState::Finished));
        }
    }
}

/// Everything takes 31 requests, more than each poll may: between two listings of everything, tails are listed.
#[test]
fn a52_where_a_full_listing_is_dear_ascending_names_are_found_by_tails_and_all_others_later() {
    let world = world();
    for number in 0..30 {
        world.put(&format!("in/{number:02}/m.parquet"), file([number]));
    }
    let request = request(&world, "in/*/*.parquet", |spec| {
        spec["autoIngest"] = json!(true);
        spec["maxListRequestsPerHour"] = json!(18_000);
    });
    let running = start(&world, &request);
    running.until("what is there", |progress| progress.loaded_files == 30);
    let first = running.until("a full listing", |progress| progress.last_full_list_time.is_some());
    world.put("in/29/z.parquet", file([30]));
    world.put("in/30/a.parquet", file([31]));
    let tails = running.until("the new ones", |progress| progress.loaded_files == 32);
    if tails.last_full_list_time == first.last_full_list_time {
        assert!(tails.list_requests < first.list_requests + 31, "{tails:?}");
    }
    let tail = running.until("a tail", |progress| progress.last_list_time > progress.last_full_list_time);
    assert!(tail.last_full_list_time.is_some());
    // A smaller name is for the next listing of everything.
    world.put("in/00/a.parquet", file([32]));
    running.until("the smaller name", |progress| progress.loaded_files == 33);
    running.stop();
    assert_eq!(numbers(&world), (0..33).collect::<Vec<_>>());
}

#[test]
fn a_listing_that_is_broken_off_goes_on_where_it_stood() {
    let world = world();
    for number in 0..60 {
        world.put(&format!("in/{number:02}.parquet"), file([number]));
    }
    let list = |kind| Fault::new(kind).on(Operation::ListObjectsV2).bucket(&world.bucket);
    let faults = SERVER.faults();
    // One request is tried five times.
    let added = [
        faults.add(list(FaultKind::InternalError).after(15).times(5)),
        faults.add(list(FaultKind::OddPage { max_keys: 3, repeats: 0, skips: 0 })),
    ];
    let (end, progress) = run(&world, &request(&world, "in/*.parquet", |_| {}));
    added.into_iter().for_each(|fault| faults.remove(fault));
    assert!(matches!(end, PipeEnd::Finished { errors: 0 }), "{end:?}");
    assert_eq!(numbers(&world), (0..60).collect::<Vec<_>>());
    // 20 pages, five failures, and at most two pages again that were on their way.
    assert!((25..=27).contains(&progress.list_requests), "{}", progress.list_requests);
}

#[test]
fn files_that_wait_do_not_wait_for_a_store_that_does_not_list() {
    let world = world();
    for number in 0..4 {
        world.put(&format!("in/{number}.parquet"), file([number]));
    }
    let denied = |operation| Fault::new(FaultKind::AccessDenied).on(operation).bucket(&world.bucket);
    let faults = SERVER.faults();
    // They are listed, and cannot be read.
    let no_read = faults.add(denied(Operation::GetObject));
    let request = request(&world, "in/*.parquet", |spec| spec["autoIngest"] = json!(true));
    let running = start(&world, &request);
    running.until("what is there", |progress| progress.unloaded_files == 4 && faults.hits(no_read) > 0);
    running.stop();
    faults.remove(no_read);
    let no_list = faults.add(denied(Operation::ListObjectsV2));
    let running = start(&world, &request);
    running.until("all files", |progress| progress.loaded_files == 4);
    running.stop();
    faults.remove(no_list);
    assert_eq!(numbers(&world), (0..4).collect::<Vec<_>>());
}
