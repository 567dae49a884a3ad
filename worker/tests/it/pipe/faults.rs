//! A store that does not answer never ends a pipe.

use longshore_s3server::{Fault, FaultKind, Operation};
use longshore_worker::pipe::PipeEnd;
use serde_json::json;

use super::{file, numbers, request, start, world};
use crate::world::SERVER;

#[test]
fn a57_errors_of_listing_between_successes_never_end_a_pipe() {
    let world = world();
    let running = start(&world, &request(&world, "in/*.parquet", |spec| spec["autoIngest"] = json!(true)));
    let faults = SERVER.faults();
    for round in 0..10 {
        // As often as one request is tried again.
        let broken = Fault::new(FaultKind::InternalError).on(Operation::ListObjectsV2).bucket(&world.bucket);
        let fault = faults.add(broken.times(5));
        running.until("an error", |_| faults.hits(fault) == 5);
        faults.remove(fault);
        world.put(&format!("in/{round}.parquet"), file([round]));
        running.until("the next file", |progress| progress.loaded_files as i64 == round + 1);
    }
    let progress = running.progress.snapshot();
    assert!(progress.source.is_some_and(|source| source.reachable), "it answers again");
    assert!(matches!(running.stop(), PipeEnd::Stopped));
    assert_eq!(numbers(&world), (0..10).collect::<Vec<_>>());
}

#[test]
fn a60_a_refused_key_shows_in_the_progress_and_a_repaired_one_goes_on() {
    let world = world();
    world.put("in/a.parquet", file([1]));
    world.write_secret("s3", "AKIAWRONG", "not-the-secret");
    let running = start(&world, &request(&world, "in/*.parquet", |spec| spec["autoIngest"] = json!(true)));
    let progress = running
        .until("a refusal", |progress| progress.source.as_ref().is_some_and(|source| !source.reachable));
    let source = progress.source.unwrap();
    assert!(source.message.contains(&world.bucket) && source.next_try.is_some(), "{source:?}");
    let told = serde_json::to_string(&running.progress.snapshot()).unwrap();
    assert!(!told.contains("not-the-secret"), "{told}");
    world.write_secret("s3", crate::world::ACCESS_KEY, crate::world::SECRET_KEY);
    running.until("the file", |progress| progress.loaded_files == 1);
    running.stop();
    assert_eq!(numbers(&world), [1]);
}

#[test]
fn errors_of_reading_halve_no_batch_and_every_row_is_there_once() {
    let world = world();
    for number in 0..30 {
        world.put(&format!("in/{number:02}.parquet"), file(number * 10..number * 10 + 10));
    }
    let faults = SERVER.faults();
    let get = |kind| Fault::new(kind).on(Operation::GetObject).bucket(&world.bucket);
    let added =
        [faults.add(get(FaultKind::SlowDown).rate(0.2)), faults.add(get(FaultKind::InternalError).rate(0.1))];
    let running = start(&world, &request(&world, "in/*.parquet", |spec| spec["batchFiles"] = json!(7)));
    let (end, progress) = running.end();
    added.into_iter().for_each(|fault| faults.remove(fault));
    assert!(matches!(end, PipeEnd::Finished { errors: 0 }), "{end:?} {progress:?}");
    assert_eq!(numbers(&world), (0..300).collect::<Vec<_>>());
}
