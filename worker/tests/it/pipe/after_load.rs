//! What becomes of objects once their rows are in the table.

use std::time::Instant;

use longshore_crds::{UNSUPPORTED_STORE, exit};
use longshore_s3server::{Fault, FaultKind, Operation};
use longshore_worker::pipe::{PipeEnd, PipeFailure};
use serde_json::{Value, json};

use super::{PATIENCE, file, numbers, request, run, start, world};
use crate::process;
use crate::world::{SERVER, World};

fn delete(spec: &mut Value) {
    spec["afterLoad"] = json!({"action": "Delete", "delaySeconds": 0});
}

fn move_to(world: &World, spec: &mut Value) {
    let place = format!("s3://{}/done/", world.bucket);
    spec["afterLoad"] = json!({"action": "Move", "moveTo": place, "delaySeconds": 0});
}

fn there(world: &World, key: &str) -> bool {
    SERVER.etag(&world.bucket, key).unwrap().is_some()
}

#[test]
fn loaded_objects_are_deleted_and_one_that_was_written_again_is_left_alone() {
    let world = world();
    for (number, key) in (0..).zip(["in/a", "in/b", "in/c"]) {
        world.put(&format!("{key}.parquet"), file([number]));
    }
    // Files that were loaded before anything was to be done with them count too.
    run(&world, &request(&world, "in/*.parquet", |_| {}));
    SERVER.replace(&world.bucket, "in/c.parquet", file([9])).unwrap();
    let request = request(&world, "in/*.parquet", |spec| {
        spec["onObjectChange"] = json!("Ignore");
        delete(spec);
    });
    for _ in 0..2 {
        let (end, progress) = run(&world, &request);
        assert!(matches!(end, PipeEnd::Finished { errors: 0 }), "{end:?}");
        let after_load = progress.after_load.unwrap();
        let counts = (after_load.done_files, after_load.left_files, after_load.pending_files);
        assert_eq!((counts, after_load.failed_files, after_load.error), ((2, 1, 0), 0, None));
        assert_eq!(SERVER.object_count(&world.bucket), 1, "no probe stays");
        assert!(there(&world, "in/c.parquet"));
    }
    assert_eq!(numbers(&world), [0, 1, 2]);
}

#[test]
fn nothing_is_done_before_the_delay_is_over() {
    let world = world();
    world.put("in/a.parquet", file([1]));
    let request = request(&world, "in/*.parquet", |spec| {
        spec["afterLoad"] = json!({"action": "Delete", "delaySeconds": 3_600});
    });
    let (end, progress) = run(&world, &request);
    assert!(matches!(end, PipeEnd::Finished { errors: 0 }), "{end:?}");
    assert!(there(&world, "in/a.parquet"));
    assert_eq!(progress.after_load.unwrap().pending_files, 1);
}

#[test]
fn loaded_objects_are_moved_whatever_their_keys_and_are_not_loaded_again() {
    let world = world();
    let keys = ["in/a,b", "in/a\"b", "in/a\nb", "in/ä-日本-😀", "in/a b", "in/a%3Ab", "in/a+b"];
    for (number, key) in (0..).zip(keys) {
        world.put(&format!("{key}.parquet"), file([number]));
    }
    let request = request(&world, "in/*.parquet", |spec| {
        spec["autoIngest"] = json!(true);
        move_to(&world, spec);
    });
    let running = start(&world, &request);
    let is_done = |done: u64| {
        move |progress: &longshore_crds::PipeProgress| {
            progress.after_load.as_ref().is_some_and(|after_load| after_load.done_files == done)
        }
    };
    running.until("all are moved", is_done(7));
    world.put("in/later.parquet", file([7]));
    running.until("the later one is moved", is_done(8));
    running.stop();
    for key in keys.into_iter().chain(["in/later"]) {
        assert!(!there(&world, &format!("{key}.parquet")), "{key}");
        assert!(there(&world, &format!("done/{key}.parquet")), "{key}");
    }
    assert_eq!(numbers(&world), (0..8).collect::<Vec<_>>());
}

#[test]
fn loaded_objects_get_a_tag_beside_theirs() {
    let world = world();
    world.put("in/a.parquet", file([1]));
    world.put("in/b.parquet", file([2]));
    SERVER.set_tags(&world.bucket, "in/a.parquet", &[("team", "sales"), ("loaded", "no")]).unwrap();
    run(&world, &request(&world, "in/*.parquet", |_| {}));
    SERVER.replace(&world.bucket, "in/b.parquet", file([3])).unwrap();
    let tag = |spec: &mut Value| {
        let tag = json!({"key": "loaded", "value": "yes"});
        spec["afterLoad"] = json!({"action": "Tag", "delaySeconds": 0, "tag": tag});
        spec["onObjectChange"] = json!("Ignore");
    };
    let (_, progress) = run(&world, &request(&world, "in/*.parquet", tag));
    let after_load = progress.after_load.unwrap();
    assert_eq!((after_load.done_files, after_load.left_files), (1, 1));
    let tags = |key: &str| SERVER.tags(&world.bucket, key).unwrap();
    let [team, loaded] = [("team", "sales"), ("loaded", "yes")].map(|(k, v)| (k.to_owned(), v.to_owned()));
    assert_eq!(tags("in/a.parquet"), [team, loaded]);
    assert!(tags("in/b.parquet").is_empty());
}

#[test]
fn a_store_that_deletes_without_a_condition_is_told_and_keeps_its_objects() {
    let world = world();
    world.put("in/a.parquet", file([1]));
    let careless = Fault::new(FaultKind::IgnoreIfMatch).on(Operation::DeleteObject).bucket(&world.bucket);
    let fault = SERVER.faults().add(careless);
    let edits: [&dyn Fn(&mut Value); 2] = [&delete, &|spec| move_to(&world, spec)];
    for edit in edits {
        let (end, progress) = run(&world, &request(&world, "in/*.parquet", |spec| edit(spec)));
        assert!(matches!(end, PipeEnd::Finished { errors: 0 }), "{end:?}");
        let after_load = progress.after_load.unwrap();
        assert_eq!(after_load.error.unwrap().error_type, UNSUPPORTED_STORE);
        assert_eq!((after_load.done_files, after_load.pending_files), (0, 1));
    }
    SERVER.faults().remove(fault);
    assert!(there(&world, "in/a.parquet") && !there(&world, "done/in/a.parquet"));
    assert_eq!(numbers(&world), [1], "it is loaded all the same");
}

#[test]
fn a_place_inside_the_source_is_refused_before_anything_is_loaded() {
    let world = world();
    world.put("in/a.parquet", file([1]));
    let request = request(&world, "*/*.parquet", |spec| move_to(&world, spec));
    let (end, _) = run(&world, &request);
    assert!(matches!(end, PipeEnd::Failed(PipeFailure::AfterLoad(_))), "{end:?}");
    assert_eq!(end.exit_code(), exit::REQUEST);
    assert!(numbers(&world).is_empty());
}

#[test]
fn an_object_that_cannot_be_deleted_is_tried_again_and_holds_up_no_other() {
    let world = world();
    for (number, key) in (0..).zip(["a", "b", "c"]) {
        world.put(&format!("in/{key}.parquet"), file([number]));
    }
    let denied = Fault::new(FaultKind::AccessDenied).on(Operation::DeleteObject).bucket(&world.bucket);
    let fault = SERVER.faults().add(denied.key("in/b*"));
    let request = request(&world, "in/*.parquet", delete);
    let (_, progress) = run(&world, &request);
    let after_load = progress.after_load.unwrap();
    assert_eq!((after_load.done_files, after_load.failed_files, after_load.pending_files), (2, 1, 0));
    assert!(after_load.error.unwrap().message.contains("s3:DeleteObject"));
    assert!(there(&world, "in/b.parquet"));
    SERVER.faults().remove(fault);
    // The next worker knows of it.
    let mut forever = request;
    forever.auto_ingest = true;
    let running = start(&world, &forever);
    let progress = running.until("it is deleted", |progress| {
        progress.after_load.as_ref().is_some_and(|after_load| after_load.done_files == 3)
    });
    assert_eq!(progress.after_load.unwrap().failed_files, 0);
    running.stop();
    assert_eq!(SERVER.object_count(&world.bucket), 0);
}

#[test]
fn a_worker_that_dies_between_copy_and_delete_leaves_it_to_the_next_one() {
    let world = world();
    for number in 0..5 {
        world.put(&format!("in/{number}.parquet"), file([number]));
    }
    let hangs = FaultKind::Delay { milliseconds: 60_000 };
    let hangs = Fault::new(hangs).on(Operation::DeleteObject).bucket(&world.bucket).key("in/*");
    let fault = SERVER.faults().add(hangs);
    let request = request(&world, "in/*.parquet", |spec| move_to(&world, spec));
    let mut child = process::spawn(&world, "pipe", &request);
    let begin = Instant::now();
    while SERVER.faults().hits(fault) == 0 {
        assert!(begin.elapsed() < PATIENCE, "no delete came");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    SERVER.faults().remove(fault);
    assert!(there(&world, "in/0.parquet") && there(&world, "done/in/0.parquet"));
    let (_, progress) = run(&world, &request);
    assert_eq!(progress.after_load.unwrap().done_files, 5);
    for number in 0..5 {
        assert!(!there(&world, &format!("in/{number}.parquet")));
        assert!(there(&world, &format!("done/in/{number}.parquet")));
    }
    assert_eq!(numbers(&world), (0..5).collect::<Vec<_>>());
}
