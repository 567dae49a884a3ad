//! Files that are left alone, given up, and put back.

use longshore_crds::{PipeState, exit};
use longshore_storage::ledger::FileState;
use longshore_worker::pipe::{self, PipeEnd, Retry};
use serde_json::json;

use super::{file, ledger, numbers, request, run, start, states, world};

#[test]
fn a54_one_corrupt_file_of_a_batch_ends_in_error_and_the_others_load() {
    let world = world();
    for number in 0..32 {
        world.put(&format!("in/{number:02}.parquet"), file([number]));
    }
    world.put("in/17.parquet", b"PAR1 and no more");
    let running = start(&world, &request(&world, "in/*.parquet", |spec| spec["autoIngest"] = json!(true)));
    let progress = running.until("31 files", |progress| progress.loaded_files == 31);
    assert_eq!((progress.error_files, progress.state), (1, PipeState::Running), "{progress:?}");
    let told = running.until("it is shown", |progress| !progress.failed_files.is_empty()).failed_files;
    assert!(told.len() == 1 && told[0].file.ends_with("in/17.parquet"), "{told:?}");
    assert_eq!(told[0].error_type, "InvalidParquet");
    world.put("in/later.parquet", file([100]));
    running.until("the later file", |progress| progress.loaded_files == 32);
    running.stop();
    assert_eq!(numbers(&world), (0..32).filter(|n| *n != 17).chain([100]).collect::<Vec<_>>());
    let bad = ledger(&world).into_iter().find(|(key, _)| key == "in/17.parquet").unwrap().1;
    assert_eq!(bad.state, FileState::Error);
    let fault = bad.fault.unwrap();
    assert!(fault.message.contains("in/17.parquet") && fault.category == "InvalidParquet", "{fault:?}");
}

#[test]
fn a56_retry_puts_files_in_error_back_all_or_one() {
    let world = world();
    for key in ["a", "b"] {
        world.put(&format!("in/{key}.parquet"), b"PAR1 and no more");
    }
    world.put("in/c.parquet", file([3]));
    let request = request(&world, "in/*.parquet", |_| {});
    let (end, progress) = run(&world, &request);
    assert!(matches!(end, PipeEnd::Finished { errors: 2 }) && end.exit_code() == exit::QUALITY, "{end:?}");
    assert_eq!(progress.state, PipeState::Error);
    let retry = |file: Option<&str>| pipe::retry(&world.root(), "p", file);
    let unknown = retry(Some("s3://nowhere/x")).unwrap_err();
    assert!(unknown.to_string().contains("s3://nowhere/x"), "{unknown}");
    let one = format!("s3://{}/in/a.parquet", world.bucket);
    assert_eq!(retry(Some(&one)).unwrap(), Retry { files: 1 });
    let waiting = |key: &str| states(&world).iter().any(|(k, s)| k == key && *s == FileState::Unloaded);
    assert!(waiting("in/a.parquet") && !waiting("in/b.parquet"));
    assert_eq!(retry(None).unwrap(), Retry { files: 1 });
    // Nothing is in ERROR any more, and that is no error.
    assert_eq!(retry(None).unwrap(), Retry { files: 0 });
    let (end, _) = run(&world, &request);
    assert!(matches!(end, PipeEnd::Finished { errors: 2 }), "they are as bad as before: {end:?}");
    assert_eq!(numbers(&world), [3]);
}

#[test]
fn a_file_with_too_many_bad_rows_is_given_up_alone() {
    let world = crate::world::World::with_table(&crate::world::definition(vec![crate::world::column(
        "n", "TINYINT",
    )]));
    world.put("in/good.parquet", file(0..100));
    world.put("in/some.parquet", file((0..9).chain([1_000])));
    world.put("in/bad.parquet", file((0..8).chain([1_000, 1_001])));
    let request = request(&world, "in/*.parquet", |spec| spec["load"] = json!({"maxFilterRatio": "0.1"}));
    let (end, progress) = run(&world, &request);
    assert!(matches!(end, PipeEnd::Finished { errors: 1 }), "{end:?}");
    assert_eq!((progress.loaded_files, world.row_count()), (2, 109));
    let bad = ledger(&world).into_iter().find(|(_, entry)| entry.state == FileState::Error).unwrap();
    assert_eq!((bad.0.as_str(), bad.1.fault.unwrap().category.as_str()), ("in/bad.parquet", "DataQuality"));
}

#[test]
fn start_from_and_existing_files_are_left_alone() {
    let world = world();
    for key in ["a", "b", "c"] {
        world.put(&format!("in/{key}.parquet"), file([i64::from(key.as_bytes()[0])]));
    }
    let from = |spec: &mut serde_json::Value| spec["startFrom"] = json!({"key": "in/b.parquet"});
    run(&world, &request(&world, "in/*.parquet", from));
    assert_eq!(numbers(&world), [i64::from(b'c')]);
    assert_eq!(states(&world).iter().filter(|(_, state)| *state == FileState::Ignored).count(), 2);
    // The rule is gone: what it left alone is loaded.
    run(&world, &request(&world, "in/*.parquet", |_| {}));
    assert_eq!(numbers(&world).len(), 3);

    let later = self::world();
    later.put("in/old.parquet", file([1]));
    // S3 tells whole seconds.
    let modified = std::time::Instant::now();
    while modified.elapsed() < std::time::Duration::from_millis(1_100) {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let only_new = |spec: &mut serde_json::Value| spec["includeExisting"] = json!(false);
    let request = request(&later, "in/*.parquet", only_new);
    run(&later, &request);
    assert!(numbers(&later).is_empty());
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    later.put("in/new.parquet", file([2]));
    run(&later, &request);
    assert_eq!(numbers(&later), [2]);
}

#[test]
fn an_object_that_is_gone_before_its_batch_is_left_alone_until_it_is_listed_again() {
    let world = world();
    world.put("in/a.parquet", file([1]));
    world.put("in/b.parquet", file([2]));
    let gone = longshore_s3server::Fault::new(longshore_s3server::FaultKind::NotFound)
        .on(longshore_s3server::Operation::GetObject)
        .bucket(&world.bucket)
        .key("in/b.parquet");
    let fault = crate::world::SERVER.faults().add(gone);
    let request = request(&world, "in/*.parquet", |_| {});
    let (end, _) = run(&world, &request);
    crate::world::SERVER.faults().remove(fault);
    assert!(matches!(end, PipeEnd::Finished { errors: 0 }), "{end:?}");
    assert_eq!(numbers(&world), [1]);
    run(&world, &request);
    assert_eq!(numbers(&world), [1, 2], "it was listed again");
}
