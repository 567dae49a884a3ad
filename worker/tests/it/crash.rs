//! Kills, twins and survivors: real worker processes on one table.

use std::collections::BTreeMap;
use std::process::Child;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{AsArray, Int64Array};
use arrow::datatypes::Int64Type;
use longshore_crds::{LoadReport, LoadRequest, Outcome, exit};
use longshore_storage::table::LabelState;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::process;
use crate::world::{SERVER, World, batch, column, definition};

const FILES: i64 = 8;
const ROWS_A_FILE: i64 = 5_000;
const ROWS: usize = (FILES * ROWS_A_FILE) as usize;
/// No run of these tests takes longer, however slow the machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// Rows `(load, n)`: `load` tells which load they came with.
fn world() -> World {
    World::with_table(&definition(vec![column("n", "BIGINT"), column("load", "BIGINT")]))
}

fn put_files(world: &World, load: i64) {
    for file in 0..FILES {
        let first = file * ROWS_A_FILE;
        let numbers = Int64Array::from_iter_values(first..first + ROWS_A_FILE);
        let loads = Int64Array::from_value(load, ROWS_A_FILE as usize);
        world.put_batch(
            &format!("load-{load}/{file}.parquet"),
            &batch(vec![("n", Arc::new(numbers)), ("load", Arc::new(loads))]),
        );
    }
}

fn request(world: &World, load: i64) -> LoadRequest {
    let mut request = world.request(&format!("label-{load}"), &format!("load-{load}/*.parquet"));
    // One file a task: there is something to adopt after each of them.
    request.execution.task_bytes = Some(1);
    request
}

fn spawn(world: &World, request: &LoadRequest) -> Child {
    process::spawn(world, "load", request)
}

fn report(child: Child) -> LoadReport {
    let output = child.wait_with_output().unwrap();
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stdout)))
}

/// Kills after `delay` unless the process ended before. `true`: it ended by itself with success.
fn kill_after(child: Child, delay: Duration) -> bool {
    match process::kill_after(child, delay) {
        None => false,
        Some(code) => {
            assert_eq!(code, i32::from(exit::LOADED), "a worker that was left alone failed");
            true
        }
    }
}

/// Rows by load, each number counted: a load is there once, or not at all.
fn loads_in(world: &World) -> BTreeMap<i64, usize> {
    let rows = world.rows();
    let loads = rows.column_by_name("load").unwrap().as_primitive::<Int64Type>();
    let numbers = rows.column_by_name("n").unwrap().as_primitive::<Int64Type>();
    let mut found = BTreeMap::<i64, Vec<bool>>::new();
    for (load, number) in loads.values().iter().zip(numbers.values()) {
        let seen = found.entry(*load).or_insert_with(|| vec![false; ROWS]);
        let place = &mut seen[usize::try_from(*number).unwrap()];
        assert!(!*place, "row {number} of load {load} is there twice");
        *place = true;
    }
    found.into_iter().map(|(load, seen)| (load, seen.iter().filter(|row| **row).count())).collect()
}

fn is_loaded(world: &World, load: i64) -> bool {
    matches!(world.table().label(&format!("label-{load}")).unwrap(), LabelState::Loaded { .. })
}

/// `KILLS` processes die at random instants; each load is tried until one attempt is left alone.
#[test]
fn a06_killed_at_any_instant_a_load_is_there_once_or_not_at_all() {
    let kills: u32 = std::env::var("KILLS").ok().map_or(60, |text| text.parse().expect("KILLS is a number"));
    let seed = std::env::var("SEED").ok().map_or(7, |text| text.parse().expect("SEED is a number"));
    let mut random = StdRng::seed_from_u64(seed);
    let mut world = world();
    put_files(&world, 0);
    let begin = Instant::now();
    assert_eq!(report(spawn(&world, &request(&world, 0))).outcome, Outcome::Loaded);
    let whole = begin.elapsed();
    let (mut killed, mut load, mut expected) = (0, 0, BTreeMap::from([(0, ROWS)]));
    while killed < kills {
        load += 1;
        if load % 100 == 0 {
            println!("{killed} of {kills} kills, {:?}", begin.elapsed());
        }
        if load % 12 == 0 {
            // A new table from time to time, so that a check costs the same whatever KILLS is.
            world = self::world();
            expected = BTreeMap::new();
        }
        put_files(&world, load);
        let mut acknowledged = false;
        for _ in 0..random.random_range(1..5) {
            let delay = whole.mul_f64(random.random_range(0.0..1.3));
            if kill_after(spawn(&world, &request(&world, load)), delay) {
                acknowledged = true;
                break;
            }
            killed += 1;
            if is_loaded(&world, load) {
                expected.insert(load, ROWS);
            }
            assert_eq!(loads_in(&world), expected, "after kill {killed} of seed {seed}");
        }
        let last = report(spawn(&world, &request(&world, load)));
        assert_eq!(last.exit_code, exit::LOADED, "{last:?}");
        assert!(!acknowledged || last.outcome == Outcome::AlreadyLoaded, "{last:?}");
        assert_eq!(last.counts.sink_rows as usize, ROWS, "{last:?}");
        expected.insert(load, ROWS);
        assert_eq!(loads_in(&world), expected, "load {load} of seed {seed}");
    }
    println!("{killed} kills in {load} loads, a whole load takes {whole:?}");
}

#[test]
fn two_processes_load_different_labels_at_once() {
    let world = world();
    let children: Vec<_> = (0..4)
        .map(|load| {
            put_files(&world, load);
            spawn(&world, &request(&world, load))
        })
        .collect();
    for child in children {
        assert_eq!(report(child).outcome, Outcome::Loaded);
    }
    assert_eq!(loads_in(&world), (0..4).map(|load| (load, ROWS)).collect());
}

#[test]
fn a03_two_processes_with_one_label_load_it_once() {
    let world = world();
    put_files(&world, 0);
    let twins: Vec<_> = (0..3).map(|_| spawn(&world, &request(&world, 0))).collect();
    let reports: Vec<_> = twins.into_iter().map(report).collect();
    let loaded = reports.iter().filter(|report| report.outcome == Outcome::Loaded).count();
    assert!(loaded <= 1, "{reports:?}");
    for report in &reports {
        let fine = report.exit_code == exit::LOADED || report.exit_code == exit::CLAIM_LOST;
        assert!(fine, "{report:?}");
    }
    let again = report(spawn(&world, &request(&world, 0)));
    assert_eq!(again.exit_code, exit::LOADED, "{again:?}");
    assert_eq!(loads_in(&world), BTreeMap::from([(0, ROWS)]));
}

#[test]
fn a_load_killed_near_its_end_does_not_read_finished_files_again() {
    let world = world();
    put_files(&world, 0);
    let request = request(&world, 0);
    let attempt = world.root().join("_longshore/loads/label-0/1-1");
    let mut child = spawn(&world, &request);
    let begin = Instant::now();
    let finished = loop {
        let reports = std::fs::read_dir(&attempt).map_or(0, |entries| {
            entries.filter(|e| e.as_ref().is_ok_and(|e| is_report(&e.file_name().to_string_lossy()))).count()
        });
        if reports as i64 >= FILES * 9 / 10 || child.try_wait().unwrap().is_some() {
            break reports;
        }
        assert!(begin.elapsed() < PATIENCE, "the load does not come to its end");
        std::thread::yield_now();
    };
    child.kill().unwrap();
    child.wait().unwrap();
    if is_loaded(&world, 0) {
        // The commit was quicker than the kill: nothing to resume.
        return;
    }
    let before = gets(&world);
    assert_eq!(report(spawn(&world, &request)).outcome, Outcome::Loaded);
    let read_again: std::collections::BTreeSet<_> =
        gets(&world).split_off(before.len()).into_iter().collect();
    assert!(read_again.len() <= FILES as usize - finished, "{finished} were finished, read: {read_again:?}");
    assert_eq!(loads_in(&world), BTreeMap::from([(0, ROWS)]));
}

fn is_report(name: &str) -> bool {
    name.starts_with("task-") && std::path::Path::new(name).extension().is_some_and(|suffix| suffix == "json")
}

fn gets(world: &World) -> Vec<String> {
    let gets = SERVER.counters().gets();
    gets.into_iter().filter(|get| get.bucket == world.bucket).map(|get| get.key).collect()
}
