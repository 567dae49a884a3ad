//! Small segments that small batches leave are merged by the pipe's own worker.

use std::collections::BTreeMap;
use std::time::Instant;

use longshore_worker::pipe::PipeEnd;
use serde_json::json;

use super::{PATIENCE, file, numbers, request, start, world};
use crate::world::World;

const FILES: i64 = 40;

/// Segments of the tablet that has most.
fn most_segments(world: &World) -> usize {
    let mut tablets: BTreeMap<(String, u32), usize> = BTreeMap::new();
    for segment in world.table().segments().unwrap() {
        *tablets.entry((segment.partition, segment.bucket)).or_default() += 1;
    }
    tablets.into_values().max().unwrap_or(0)
}

fn put_files(world: &World, first: i64) {
    for number in first..first + FILES {
        // Rows for both buckets in each file.
        world.put(&format!("in/{number:03}.parquet"), file(number * 10..number * 10 + 10));
    }
}

#[test]
fn small_segments_are_merged_while_the_pipe_is_idle_and_batches_go_on() {
    let world = world();
    put_files(&world, 0);
    let request = request(&world, "in/*.parquet", |spec| {
        spec["batchFiles"] = json!(1);
        spec["autoIngest"] = json!(true);
    });
    let pipe = start(&world, &request);
    pipe.until("the first files loaded", |progress| progress.loaded_files == FILES as u64);
    let begin = Instant::now();
    while most_segments(&world) > 32 {
        assert!(begin.elapsed() < PATIENCE, "{} segments in a tablet", most_segments(&world));
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert_eq!(numbers(&world), (0..FILES * 10).collect::<Vec<_>>());
    // Batches and what was merged are in no one's way.
    put_files(&world, FILES);
    pipe.until("all files loaded", |progress| progress.loaded_files == 2 * FILES as u64);
    assert!(matches!(pipe.stop(), PipeEnd::Stopped));
    assert_eq!(numbers(&world), (0..2 * FILES * 10).collect::<Vec<_>>());
}
