//! Sources that name a manifest in place of paths.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array};
use longshore_crds::{LoadReport, LoadRequest, Outcome, exit};
use longshore_s3server::{Fault, FaultKind, Operation};
use longshore_worker::progress::Phase;
use serde_json::{Value, json};

use crate::world::{SERVER, World, batch, column, definition, parquet_bytes};

fn world() -> World {
    let world = World::with_table(&definition(vec![column("n", "BIGINT")]));
    for (number, key) in ["a.parquet", "b*.parquet", "b2.parquet", "dir/c d.parquet"].iter().enumerate() {
        world.put(key, file(number as i64));
    }
    world
}

fn file(n: i64) -> Vec<u8> {
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![n]));
    parquet_bytes(&batch(vec![("n", numbers)]))
}

fn request(world: &World, manifest: &Value) -> LoadRequest {
    world.put("lists/m.json", manifest.to_string());
    let mut request = world.request("load", "x");
    request.sources[0].paths.clear();
    request.sources[0].manifest = Some(format!("s3://{}/lists/m.json", world.bucket));
    request
}

fn refusal(manifest: &Value) -> LoadReport {
    let world = world();
    let report = world.load(request(&world, manifest));
    assert_eq!((report.outcome, report.exit_code), (Outcome::Failed, exit::SOURCE), "{report:?}");
    assert_eq!(world.row_count(), 0);
    assert!(report.message.contains("lists/m.json"), "{}", report.message);
    report
}

#[test]
fn exactly_the_named_files_are_loaded_literally() {
    let world = world();
    let listed = json!([
        {"key": "b*.parquet"},
        {"path": format!("s3://{}/dir/c d.parquet", world.bucket), "size": file(3).len()},
    ]);
    let report = world.load(request(&world, &listed));
    assert_eq!((report.outcome, report.counts.file_number), (Outcome::Loaded, 2), "{report:?}");
    assert_eq!(report.reason, "Loaded");
    assert_eq!(world.sorted("n"), ["1", "3"]);
}

#[test]
fn a_list_as_unload_writes_it_is_taken() {
    let world = world();
    let url = |key: &str| format!("s3://{}/{key}", world.bucket);
    let listed = json!({"entries": [
        {"url": url("a.parquet"), "mandatory": true, "meta": {"content_length": file(0).len()}},
        {"url": url("gone.parquet"), "mandatory": false},
    ]});
    let report = world.load(request(&world, &listed));
    assert_eq!(
        (report.reason.as_str(), report.counts.sink_rows),
        ("LoadedWithSkippedFiles", 1),
        "{report:?}"
    );
    assert_eq!((report.counts.file_number, report.counts.skipped_files), (1, 1));
    let skipped = &report.skipped_files[0];
    assert_eq!(
        (skipped.file.as_str(), skipped.code.as_str()),
        (url("gone.parquet").as_str(), "OptionalFileMissing")
    );
    assert!(skipped.message.contains("entry 2"), "{}", skipped.message);
}

#[test]
fn a_file_that_is_not_as_listed_fails_the_load_by_its_entry() {
    let missing = refusal(&json!([{"key": "a.parquet"}, {"key": "gone.parquet"}]));
    assert_eq!(missing.reason, "ManifestFileMissing");
    assert!(missing.message.contains("entry 2") && missing.message.contains("gone.parquet"), "{missing:?}");
    let size = refusal(&json!([{"key": "a.parquet", "size": 7}]));
    assert_eq!(size.reason, "ManifestFileDiffers");
    assert!(size.message.contains("entry 1") && size.message.contains("the manifest says 7"), "{size:?}");
    let etag = refusal(&json!([{"key": "a.parquet", "etag": "other"}]));
    assert!(etag.message.contains("the manifest says other"), "{etag:?}");
    let unread = refusal(&json!([{"key": "a.parquet"}, {"keys": "b"}]));
    assert_eq!(unread.reason, "InvalidManifest");
    assert!(unread.message.contains("entry 2") && unread.message.contains("line 1"), "{unread:?}");
}

#[test]
fn an_empty_list_and_no_list_are_said() {
    let nothing = refusal(&json!([]));
    assert_eq!(nothing.reason, "NoMatchingFiles");
    let world = world();
    let mut request = request(&world, &json!([]));
    request.sources[0].manifest = Some(format!("s3://{}/lists/none.json", world.bucket));
    let report = world.load(request);
    assert_eq!(report.reason, "ManifestNotFound", "{report:?}");
    let mut local = world.request("load", "x");
    local.sources[0].paths.clear();
    local.sources[0].manifest = Some("/tmp/m.json".to_owned());
    local.run = 2;
    let report = world.load(local);
    assert_eq!((report.reason.as_str(), report.exit_code), ("InvalidPath", exit::REQUEST), "{report:?}");
}

#[test]
fn a_resumed_load_goes_on_with_the_list_that_it_began_with() {
    let world = world();
    let first = request(&world, &json!([{"key": "a.parquet"}, {"key": "gone.parquet", "mandatory": false}]));
    // The first attempt is stopped after its plan, in the middle of reading.
    let late = Fault::new(FaultKind::Delay { milliseconds: 60_000 }).on(Operation::GetObject);
    let fault = SERVER.faults().add(late.bucket(&world.bucket).key("a.parquet"));
    let context = world.context();
    let (progress, cancel) = (Arc::clone(&context.metrics.progress), context.cancel.clone());
    let stopper = std::thread::spawn(move || {
        while progress.phase() != Phase::Loading {
            std::thread::yield_now();
        }
        cancel.cancel();
    });
    let report = world.load_with(first.clone(), context);
    SERVER.faults().remove(fault);
    stopper.join().unwrap();
    assert_eq!(report.exit_code, exit::TERMINATED, "{report:?}");
    // Meanwhile the list names another file.
    world.put("lists/m.json", json!([{"key": "b2.parquet"}]).to_string());
    let report = world.load(first);
    assert_eq!((report.outcome, report.attempt), (Outcome::Loaded, 2), "{report:?}");
    assert_eq!(world.sorted("n"), ["0"]);
    assert_eq!(report.counts.skipped_files, 1);
}
