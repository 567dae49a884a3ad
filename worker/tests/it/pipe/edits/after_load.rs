//! What becomes of the objects of loaded files.

use longshore_crds::AfterLoadProgress;
use serde_json::{Value, json};

use super::super::file;
use super::stage::{OLD, Stage};
use crate::world::{SERVER, World};

fn until(stage: &Stage, what: &str, is: impl Fn(&AfterLoadProgress) -> bool) {
    stage.until(what, |progress| progress.after_load.as_ref().is_some_and(&is));
}

fn done(stage: &Stage, files: i64) {
    until(stage, &format!("{files} objects are done with"), |it| it.done_files as i64 == files);
}

fn is_there(world: &World, key: &str) -> bool {
    SERVER.etag(&world.bucket, key).unwrap().is_some()
}

fn after_load(spec: &mut Value, after_load: Value) {
    spec["afterLoad"] = after_load;
}

pub fn action() {
    let mut stage = Stage::begin(|_, spec| after_load(spec, json!({"action": "None", "delaySeconds": 0})));
    stage.loaded(1);
    stage.edit(vec![], |_, spec| spec["afterLoad"]["action"] = json!("Delete"));
    done(&stage, OLD);
    assert!(!is_there(&stage.world, "in/old-0.parquet"));
    stage.exact(&[]);
}

pub fn delay() {
    let mut stage = Stage::begin(|_, spec| after_load(spec, json!({"action": "Delete"})));
    stage.loaded(OLD);
    until(&stage, "they wait", |it| it.pending_files as i64 == OLD && it.done_files == 0);
    stage.edit(vec![], |_, spec| spec["afterLoad"]["delaySeconds"] = json!(0));
    done(&stage, OLD);
    stage.exact(&[]);
}

pub fn move_to() {
    let place = |world: &World, name: &str| json!(format!("s3://{}/{name}/", world.bucket));
    let mut stage = Stage::begin(|world, spec| {
        after_load(spec, json!({"action": "Move", "delaySeconds": 0, "moveTo": place(world, "one")}));
    });
    done(&stage, OLD);
    stage.edit(vec![("in/new.parquet", file([10]))], |world, spec| {
        spec["afterLoad"]["moveTo"] = place(world, "two");
    });
    done(&stage, OLD + 1);
    for (key, there) in [("one/in/old-0", true), ("two/in/new", true), ("one/in/new", false)] {
        assert_eq!(is_there(&stage.world, &format!("{key}.parquet")), there, "{key}");
    }
    stage.exact(&[10]);
}

pub fn tag() {
    let tag = |value: &str| json!({"key": "loaded", "value": value});
    let mut stage = Stage::begin(|_, spec| {
        after_load(spec, json!({"action": "Tag", "delaySeconds": 0, "tag": tag("before")}));
    });
    done(&stage, OLD);
    stage.edit(vec![("in/new.parquet", file([10]))], |_, spec| spec["afterLoad"]["tag"] = tag("after"));
    done(&stage, OLD + 1);
    for (key, value) in [("in/old-0.parquet", "before"), ("in/new.parquet", "after")] {
        let tags = SERVER.tags(&stage.world.bucket, key).unwrap();
        assert_eq!(tags, [("loaded".to_owned(), value.to_owned())], "{key}");
    }
    stage.exact(&[10]);
}
