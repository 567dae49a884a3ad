//! Which files are taken, when, and how many at a time.

use longshore_storage::ledger::FileState;
use longshore_worker::pipe::PipeEnd;
use serde_json::{Value, json};

use super::super::{batches, file, states};
use super::stage::{OLD, Stage};

pub fn auto_ingest() {
    let mut stage = Stage::begin(|_, _| {});
    stage.loaded(1);
    stage.edit(vec![("in/new.parquet", file([10]))], |_, spec| spec["autoIngest"] = json!(false));
    let end = stage.end();
    assert!(matches!(end, PipeEnd::Finished { errors: 0 }), "{end:?}");
    stage.exact(&[10]);
}

/// A field by which the next listing would come in minutes is edited, and it comes in seconds.
fn comes_soon(seldom: impl FnOnce(&mut Value), soon: impl FnOnce(&mut Value)) {
    let mut stage = Stage::begin(|_, spec| seldom(spec));
    stage.loaded(1);
    stage.edit(vec![], |_, spec| soon(spec));
    stage.listed();
    stage.world.put("in/new.parquet", file([10]));
    stage.loaded(OLD + 1);
    stage.exact(&[10]);
}

pub fn poll_interval() {
    let set = |seconds: u32| move |spec: &mut Value| spec["pollIntervalSeconds"] = json!(seconds);
    comes_soon(set(3_600), set(1));
}

pub fn list_requests() {
    let set = |requests: u32| move |spec: &mut Value| spec["maxListRequestsPerHour"] = json!(requests);
    comes_soon(set(12), set(1_000_000));
}

/// The sizes of batches before and after an edit.
fn sizes(change: impl FnOnce(&mut Value), expected: &[usize]) {
    let mut stage = Stage::begin(|_, spec| spec["batchFiles"] = json!(256));
    stage.loaded(OLD);
    let new = ["in/a.parquet", "in/b.parquet", "in/c.parquet"];
    let new = new.iter().zip(10..).map(|(key, number)| (*key, file([number]))).collect();
    stage.edit(new, |_, spec| change(spec));
    stage.loaded(OLD + 3);
    let sizes: Vec<usize> = batches(&stage.world).iter().map(|batch| batch.files.len()).collect();
    assert_eq!(sizes, expected);
    stage.exact(&[10, 11, 12]);
}

pub fn batch_size() {
    sizes(|spec| spec["batchSize"] = json!("1"), &[4, 1, 1, 1]);
}

pub fn batch_files() {
    sizes(|spec| spec["batchFiles"] = json!(2), &[4, 2, 1]);
}

/// The keys that a rule left alone.
fn ignored(stage: &Stage, files: u64) -> Vec<String> {
    stage.until("files are left alone", |progress| progress.ignored_files == files);
    let ignored = states(&stage.world).into_iter().filter(|(_, state)| *state == FileState::Ignored);
    ignored.map(|(key, _)| key).collect()
}

pub fn on_object_change() {
    let mut stage = Stage::begin(|_, _| {});
    stage.loaded(OLD);
    // Append: its rows come too.
    stage.world.put("in/old-0.parquet", file([10]));
    stage.loaded(OLD + 1);
    stage.edit(vec![("in/old-0.parquet", file([11]))], |_, spec| {
        spec["onObjectChange"] = json!("Ignore");
    });
    assert_eq!(ignored(&stage, 1), ["in/old-0.parquet"]);
    stage.exact(&[10]);
}

pub fn start_key() {
    let mut stage = Stage::begin(|_, _| {});
    stage.loaded(1);
    let new = vec![("in/before.parquet", file([10])), ("in/z.parquet", file([11]))];
    stage.edit(new, |_, spec| spec["startFrom"] = json!({"key": "in/c"}));
    stage.loaded(OLD + 1);
    assert_eq!(ignored(&stage, 1), ["in/before.parquet"]);
    stage.exact(&[11]);
}

pub fn start_time() {
    let mut stage = Stage::begin(|_, _| {});
    stage.loaded(OLD);
    stage.edit(vec![("in/new.parquet", file([10]))], |_, spec| {
        spec["startFrom"] = json!({"time": "2999-01-01T00:00:00Z"});
    });
    assert_eq!(ignored(&stage, 1), ["in/new.parquet"]);
    stage.exact(&[]);
}

pub fn include_existing() {
    let mut stage = Stage::begin(|_, spec| spec["includeExisting"] = json!(false));
    assert_eq!(ignored(&stage, OLD as u64).len(), 4);
    stage.edit(vec![("in/new.parquet", file([10]))], |_, spec| spec["includeExisting"] = json!(true));
    stage.loaded(OLD + 1);
    stage.exact(&[10]);
}

/// A file that failed once, and would wait for its next attempts.
fn failing(retry: &Value) -> Stage {
    let stage = Stage::with(vec![("in/bad.parquet", b"PAR1 and no more".to_vec())], |_, spec| {
        spec["retry"] = retry.clone();
    });
    stage.loaded(OLD);
    let progress = stage.until("it failed", |progress| progress.last_error.is_some());
    assert_eq!(progress.error_files, 0);
    stage
}

pub fn max_attempts() {
    let mut stage = failing(&json!({"maxAttempts": 100, "backoffSeconds": 1}));
    stage.edit(vec![], |_, spec| spec["retry"]["maxAttempts"] = json!(1));
    stage.until("given up", |progress| progress.error_files == 1);
    stage.exact(&[]);
}

pub fn backoff() {
    let mut stage = failing(&json!({"maxAttempts": 2, "backoffSeconds": 3_600}));
    stage.edit(vec![], |_, spec| spec["retry"]["backoffSeconds"] = json!(1));
    stage.until("given up", |progress| progress.error_files == 1);
    stage.exact(&[]);
}
