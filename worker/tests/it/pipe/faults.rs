//! A store that does not answer never ends a pipe.

use longshore_s3server::{BackgroundServer, Fault, FaultKind, Operation, Server};
use longshore_storage::ledger::FileState;
use longshore_worker::pipe::PipeEnd;
use serde_json::json;

use super::{file, ledger, numbers, request, start, world};
use crate::world::{ACCESS_KEY, SECRET_KEY, SERVER};

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

/// A server of its own, so that its faults come in the same order whatever other tests ask for.
fn faulty_server(folder: &std::path::Path) -> BackgroundServer {
    let get = |kind, rate| Fault::new(kind).on(Operation::GetObject).rate(rate);
    let list = |kind, rate| Fault::new(kind).on(Operation::ListObjectsV2).rate(rate);
    let page = |repeats, skips| FaultKind::OddPage { max_keys: 3, repeats, skips };
    let faults = [
        Fault::new(FaultKind::SlowDown).rate(0.03),
        Fault::new(FaultKind::InternalError).rate(0.03),
        Fault::new(FaultKind::Reset { after_bytes: 100 }).rate(0.03),
        get(FaultKind::Truncated { after_bytes: 60 }, 0.05),
        get(FaultKind::Short { bytes: 50 }, 0.05),
        get(FaultKind::Slow { bytes_per_second: 8_000 }, 0.05),
        list(FaultKind::Truncated { after_bytes: 300 }, 0.05),
        list(page(1, 0), 0.05),
        list(page(0, 1), 0.2),
        list(page(0, 0), 1.0),
    ];
    let server = Server::builder().data_dir(folder).seed(5).credentials(ACCESS_KEY, SECRET_KEY);
    let server = faults.into_iter().fold(server, longshore_s3server::Builder::fault);
    server.start_in_background().unwrap()
}

#[test]
fn whatever_a_store_does_the_rows_are_exact_and_no_file_is_blamed() {
    let world = world();
    let folder = tempfile::tempdir().unwrap();
    let server = faulty_server(folder.path());
    let put = |number: i64| {
        let key = format!("in/{}/{number:02}.parquet", number % 4);
        server.put(&world.bucket, &key, file(number * 10..number * 10 + 10)).unwrap();
    };
    (0..40).for_each(put);
    let request = request(&world, "in/*/*.parquet", |spec| {
        spec["autoIngest"] = json!(true);
        spec["batchFiles"] = json!(7);
        spec["maxListRequestsPerHour"] = json!(1_000_000);
        spec["afterLoad"] = json!({"action": "Delete", "delaySeconds": 0});
        spec["source"]["s3"]["endpoint"] = json!(server.endpoint());
    });
    let running = start(&world, &request);
    running.until("40 files", |progress| progress.loaded_files == 40);
    // The key runs out in the middle, and its Secret is renewed.
    server.faults().clear();
    let expired = server.faults().add(Fault::new(FaultKind::ExpiredToken));
    (40..45).for_each(put);
    running.until("a refusal", |_| server.faults().hits(expired) > 0);
    server.set_credentials("AKIARENEWED", "renewed-secret");
    world.write_secret("s3", "AKIARENEWED", "renewed-secret");
    server.faults().remove(expired);
    let progress = running.until("45 files", |progress| progress.loaded_files == 45);
    running.until("all are deleted", |_| server.object_count(&world.bucket) == 0);
    running.stop();
    assert_eq!(progress.error_files, 0, "{progress:?}");
    assert_eq!(numbers(&world), (0..450).collect::<Vec<_>>());
    let files = ledger(&world);
    assert!(files.len() == 45 && files.iter().all(|(_, entry)| entry.state == FileState::Finished));
}
