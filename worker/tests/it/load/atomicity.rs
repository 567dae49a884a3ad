//! All or nothing.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arrow::array::Int64Array;
use chrono::{DateTime, Utc};
use longshore_crds::{Outcome, exit};
use longshore_s3server::{Fault, FaultKind};

use crate::world::{SERVER, World, batch, column, definition, tree};

fn world(files: i64) -> World {
    let world = World::with_table(&definition(vec![column("n", "BIGINT")]));
    for file in 0..files {
        let values = Int64Array::from_iter_values(file * 100..file * 100 + 100);
        world.put_batch(&format!("{file:03}.parquet"), &batch(vec![("n", Arc::new(values) as _)]));
    }
    world
}

fn segments(world: &World) -> Vec<String> {
    let files = tree(&world.root());
    files
        .keys()
        .map(|path| path.strip_prefix(world.root()).unwrap().display().to_string())
        .filter(|path| !path.starts_with('_'))
        .collect()
}

#[test]
fn a05_two_sources_commit_together_or_not_at_all() {
    let world = world(3);
    let mut request = world.request("pair", "*.parquet");
    request.sources.push(world.source("missing/*.parquet"));
    let report = world.load(request.clone());
    assert_eq!((report.reason.as_str(), report.exit_code), ("NoMatchingFiles", exit::SOURCE));
    assert!(report.message.contains("missing/*.parquet"), "{}", report.message);
    assert_eq!(world.row_count(), 0);

    let values = Int64Array::from_iter_values(1000..1010);
    world.put_batch("missing/one.parquet", &batch(vec![("n", Arc::new(values) as _)]));
    request.run = 2;
    let report = world.load(request);
    assert_eq!((report.outcome, report.counts.sink_rows), (Outcome::Loaded, 310));
    assert_eq!(world.row_count(), 310);
}

#[test]
fn a05_a_bad_file_of_the_second_source_undoes_the_first() {
    let world = world(3);
    world.put("second/bad.parquet", b"PAR1 not really PAR1");
    let mut request = world.request("pair", "*.parquet");
    request.sources.push(world.source("second/*.parquet"));
    let report = world.load(request);
    assert_eq!((report.outcome, report.exit_code), (Outcome::Failed, exit::SOURCE), "{report:?}");
    assert!(report.message.contains("second/bad.parquet"), "{}", report.message);
    assert_eq!(world.row_count(), 0);
    assert_eq!(segments(&world), Vec::<String>::new(), "the failed run removes its own files");
}

#[test]
fn a09_a_load_past_its_timeout_fails_and_leaves_nothing() {
    let world = world(8);
    let slow = Fault::new(FaultKind::Delay { milliseconds: 700 }).bucket(&world.bucket);
    let fault = SERVER.faults().add(slow);
    let mut request = world.request("slow", "*.parquet");
    request.execution.task_bytes = Some(1);
    let deadline = DateTime::<Utc>::from(SystemTime::now() + Duration::from_secs(1));
    request.execution.deadline = Some(deadline.to_rfc3339());
    let report = world.load(request.clone());
    SERVER.faults().remove(fault);
    assert_eq!((report.reason.as_str(), report.exit_code), ("Timeout", exit::DEADLINE), "{report:?}");
    assert_eq!(world.row_count(), 0);
    assert_eq!(segments(&world), Vec::<String>::new());

    request.run = 2;
    request.execution.deadline = None;
    assert_eq!(world.load(request).counts.sink_rows, 800);
}

#[test]
fn a_load_that_is_stopped_goes_on_where_it_stood() {
    let world = world(20);
    let mut request = world.request("resumed", "*.parquet");
    request.execution.task_bytes = Some(1);
    request.execution.parallelism = 1;
    let context = world.context();
    let (progress, cancel) = (Arc::clone(&context.metrics.progress), context.cancel.clone());
    let stop = std::thread::spawn(move || {
        let deadline = SystemTime::now() + Duration::from_secs(60);
        while longshore_worker::progress::Progress::get(&progress.rows_written) < 1_000 {
            assert!(SystemTime::now() < deadline, "half of the load was not reached");
            std::thread::yield_now();
        }
        cancel.cancel();
    });
    let slow = Fault::new(FaultKind::Delay { milliseconds: 10 }).bucket(&world.bucket);
    let fault = SERVER.faults().add(slow);
    let stopped = world.load_with(request.clone(), context);
    stop.join().unwrap();
    SERVER.faults().remove(fault);
    assert_eq!((stopped.reason.as_str(), stopped.exit_code), ("Terminated", exit::TERMINATED), "{stopped:?}");
    assert_eq!(world.row_count(), 0);

    let before = gets(&world);
    let resumed = world.load(request);
    assert_eq!((resumed.outcome, resumed.counts.sink_rows), (Outcome::Loaded, 2_000));
    assert_eq!(resumed.attempt, stopped.attempt + 1);
    let read_again: BTreeSet<_> = gets(&world).split_off(before.len()).into_iter().collect();
    assert!(read_again.len() <= 10, "10 files were finished, read again: {read_again:?}");
    assert_eq!(world.sorted("n").len(), 2_000);
}

fn gets(world: &World) -> Vec<String> {
    let counters = SERVER.counters().gets();
    counters.into_iter().filter(|get| get.bucket == world.bucket).map(|get| get.key).collect()
}
