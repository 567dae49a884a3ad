//! Listing, batches, and what is remembered.

use longshore_crds::{PipeState, exit};
use longshore_storage::ledger::FileState;
use longshore_worker::pipe::PipeEnd;
use serde_json::json;

use super::{batches, file, ledger, numbers, request, run, start, states, world};

#[test]
fn a51_three_files_two_a_batch_are_two_batches_and_a_later_file_is_not_waited_for() {
    let world = world();
    for number in 0..3 {
        world.put(&format!("in/{number}.parquet"), file([number * 10, number * 10 + 1]));
    }
    let request = request(&world, "in/*.parquet", |spec| spec["batchFiles"] = json!(2));
    let (end, progress) = run(&world, &request);
    assert!(matches!(end, PipeEnd::Finished { errors: 0 }) && end.exit_code() == exit::LOADED, "{end:?}");
    assert_eq!((progress.state, progress.loaded_files), (PipeState::Finished, 3), "{progress:?}");
    assert_eq!(numbers(&world), [0, 1, 10, 11, 20, 21]);
    let batches = batches(&world);
    assert_eq!(batches.iter().map(|batch| batch.files.len()).collect::<Vec<_>>(), [2, 1]);
    assert!(states(&world).iter().all(|(_, state)| *state == FileState::Finished));
    world.put("in/late.parquet", file([99]));
    assert_eq!(numbers(&world).len(), 6);
}

#[test]
fn a52_a_new_key_is_loaded_by_the_next_poll_whatever_its_name() {
    let world = world();
    world.put("in/m.parquet", file([1]));
    let running = start(&world, &request(&world, "in/*.parquet", |spec| spec["autoIngest"] = json!(true)));
    running.until("one file", |progress| progress.loaded_files == 1);
    // Before and behind what was listed.
    world.put("in/a.parquet", file([2]));
    world.put("in/z.parquet", file([3]));
    running.until("three files", |progress| progress.loaded_files == 3);
    assert!(matches!(running.stop(), PipeEnd::Stopped));
    assert_eq!(numbers(&world), [1, 2, 3]);
}

#[test]
fn a53_the_same_object_again_is_nothing_and_another_etag_follows_the_policy() {
    for (policy, expected, state) in [
        ("Append", vec![1, 2], FileState::Finished),
        ("Ignore", vec![1], FileState::Ignored),
        ("Fail", vec![1], FileState::Error),
    ] {
        let world = world();
        let request = request(&world, "in/*.parquet", |spec| spec["onObjectChange"] = json!(policy));
        world.put("in/a.parquet", file([1]));
        for _ in 0..3 {
            run(&world, &request);
            assert_eq!(numbers(&world), [1], "{policy}");
        }
        assert_eq!(batches(&world).len(), 1, "{policy}");
        world.put("in/a.parquet", file([2]));
        run(&world, &request);
        assert_eq!(numbers(&world), expected, "{policy}");
        let found = states(&world);
        assert_eq!(found.len(), 2, "{policy}");
        assert!(found.iter().any(|(_, found)| *found == state), "{policy}: {found:?}");
    }
}

#[test]
fn a55_a_pipe_that_is_stopped_in_a_batch_goes_on_without_loss_or_double() {
    let world = world();
    for number in 0..40 {
        world.put(&format!("in/{number:02}.parquet"), file(number * 100..number * 100 + 100));
    }
    let request = request(&world, "in/*.parquet", |spec| spec["batchFiles"] = json!(3));
    for round in 0..6 {
        let running = start(&world, &request);
        if round > 0 {
            running.until("a batch", |progress| progress.batch.is_some() || progress.loaded_files == 40);
        }
        running.stop();
    }
    let (end, _) = run(&world, &request);
    assert!(matches!(end, PipeEnd::Finished { errors: 0 }), "{end:?}");
    assert_eq!(numbers(&world), (0..4_000).collect::<Vec<_>>());
    assert!(ledger(&world).iter().all(|(_, entry)| entry.state == FileState::Finished && entry.rows == 100));
}

#[test]
fn a58_a_pipe_that_is_made_again_goes_on_where_it_stood() {
    let world = world();
    world.put("in/a.parquet", file([1]));
    run(&world, &request(&world, "in/*.parquet", |_| {}));
    // Another name, the same ledger; other fields edited.
    world.put("in/b.parquet", file([2]));
    let mut renamed = request(&world, "in/*.parquet", |spec| {
        spec["ledger"] = json!("p");
        spec["batchSize"] = json!("1Mi");
    });
    renamed.pipe = "other".to_owned();
    let (_, progress) = run(&world, &renamed);
    assert_eq!((numbers(&world), progress.loaded_files, progress.epoch), (vec![1, 2], 2, 2));
}

#[test]
fn odd_keys_are_one_file_each() {
    let world = world();
    let keys = ["in/a,b", "in/a\"b", "in/a'b", "in/a\nb", "in/ä-日本-😀", "in/a b", "in/a%3Ab", "in/a+b"];
    for (number, key) in (0..).zip(keys) {
        world.put(&format!("{key}.parquet"), file([number]));
    }
    let request = request(&world, "in/*.parquet", |_| {});
    run(&world, &request);
    run(&world, &request);
    assert_eq!(numbers(&world), (0..8).collect::<Vec<_>>());
}
