//! Kills and twins: real worker processes on one ledger.

use std::process::Child;
use std::time::Duration;

use longshore_crds::{PipeRequest, exit};
use longshore_storage::ledger::FileState;
use longshore_worker::pipe::{PipeEnd, retry};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::json;

use super::{PATIENCE, file, ledger, numbers, request, run, world};
use crate::process::{self, kill_after};
use crate::world::World;

const FILES: i64 = 24;
const ROWS: i64 = 200;

fn put_files(world: &World) {
    for number in 0..FILES {
        world.put(&format!("in/{number:02}.parquet"), file(number * ROWS..(number + 1) * ROWS));
    }
}

fn spawn(world: &World, request: &PipeRequest) -> Child {
    process::spawn(world, "pipe", request)
}

/// Every file FINISHED once, every row there once.
fn is_exact(world: &World) {
    assert_eq!(numbers(world), (0..FILES * ROWS).collect::<Vec<_>>());
    let files = ledger(world);
    assert_eq!(files.len() as i64, FILES);
    assert!(files.iter().all(|(_, entry)| entry.state == FileState::Finished), "{files:?}");
}

/// On a slow machine a file may stand alone in batch after batch that is killed: its worker is told to have died with
/// it, and a person puts it back.
fn put_back_who_was_killed_with(world: &World) {
    let given_up = ledger(world).into_iter().filter(|(_, entry)| entry.state == FileState::Error);
    for (key, entry) in given_up {
        let fault = entry.fault.unwrap();
        assert_eq!(fault.category, "WorkerDied", "{key}: {}", fault.message);
    }
    assert!(retry(&world.root(), "p", None).unwrap().files > 0);
}

/// `KILLS` processes die at random instants; a file that is FINISHED has its rows in the table at each of them.
#[test]
fn a59_killed_at_any_instant_every_file_is_there_once() {
    let kills: u32 = std::env::var("KILLS").ok().map_or(80, |text| text.parse().expect("KILLS is a number"));
    let seed = std::env::var("SEED").ok().map_or(7, |text| text.parse().expect("SEED is a number"));
    let mut random = StdRng::seed_from_u64(seed);
    let (mut killed, mut ended) = (0, 0);
    while killed < kills {
        let world = world();
        put_files(&world);
        let request = request(&world, "in/*.parquet", |spec| spec["batchFiles"] = json!(2));
        for tries in 0.. {
            // On a slow machine the first ones do not come far: those after them have longer.
            assert!(tries < 1_000, "no worker came to its end");
            let longest = 400_000 * (1 + tries / 30);
            let delay = Duration::from_micros(random.random_range(5_000..longest));
            if killed % 100 == 0 {
                println!("{killed} of {kills} kills");
            }
            match kill_after(spawn(&world, &request), delay) {
                Some(code) if code == i32::from(exit::LOADED) => break,
                Some(code) if code == i32::from(exit::QUALITY) => put_back_who_was_killed_with(&world),
                Some(code) => panic!("a worker that was left alone ended with {code}"),
                None => killed += 1,
            }
            let told = ledger(&world);
            let finished: u64 =
                told.iter().filter(|(_, e)| e.state == FileState::Finished).map(|(_, e)| e.rows).sum();
            let rows = numbers(&world);
            assert!(rows.len() as u64 >= finished, "FINISHED says {finished}, the table has {}", rows.len());
            assert!(rows.windows(2).all(|pair| pair[0] != pair[1]), "a row is there twice");
            if killed >= kills {
                while matches!(run(&world, &request).0, PipeEnd::Finished { errors } if errors > 0) {
                    put_back_who_was_killed_with(&world);
                }
                break;
            }
        }
        is_exact(&world);
        ended += 1;
    }
    println!("{killed} kills, {ended} pipes came to their end");
}

#[test]
fn two_workers_of_one_pipe_load_each_file_once() {
    for round in 0..6 {
        let world = world();
        put_files(&world);
        let request = request(&world, "in/*.parquet", |spec| spec["batchFiles"] = json!(2));
        let first = spawn(&world, &request);
        std::thread::sleep(Duration::from_millis(round * 60));
        let second = spawn(&world, &request);
        let codes = [first, second].map(|child| kill_after(child, PATIENCE));
        // Who is shut out says so; the newest comes to its end.
        let [loaded, lost] = [exit::LOADED, exit::CLAIM_LOST].map(|code| Some(i32::from(code)));
        assert!(codes.contains(&loaded), "{codes:?}");
        assert!(codes.iter().all(|code| *code == loaded || *code == lost), "{codes:?}");
        is_exact(&world);
    }
}
