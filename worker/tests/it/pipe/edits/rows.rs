//! What becomes of the rows of a file.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, TimestampMicrosecondArray};
use serde_json::{Value, json};

use super::super::{file, numbers};
use super::stage::{OLD, Stage, texts};
use crate::world::{World, batch, parquet_bytes, tree};

const HOUR_MICROS: i64 = 3_600_000_000;

/// A file with a row, of which a column beside `n` is this.
fn one(n: i64, name: &str, values: ArrayRef) -> Vec<u8> {
    let n: ArrayRef = Arc::new(Int64Array::from(vec![n]));
    parquet_bytes(&batch(vec![("n", n), (name, values)]))
}

fn error_files(stage: &Stage, files: i64) {
    stage.until("files are given up", |progress| progress.error_files as i64 == files);
}

/// Any suffix below `in/`, and in folders there.
fn all_below(world: &World, spec: &mut Value) {
    let paths = ["in/*", "in/*/*"].map(|pattern| format!("s3://{}/{pattern}", world.bucket));
    spec["source"]["paths"] = json!(paths);
}

pub fn format() {
    let mut stage = Stage::begin(|world, spec| {
        all_below(world, spec);
        spec["source"]["format"] = json!({"parquet": {}});
    });
    stage.loaded(OLD);
    stage.edit(vec![("in/new", b"{\"n\": 10}\n".to_vec())], |_, spec| {
        spec["source"]["format"] = json!({"json": {}});
    });
    stage.loaded(OLD + 1);
    stage.exact(&[10]);
}

pub fn columns() {
    let mut stage = Stage::with(vec![("in/a.csv", b"7\t99\n".to_vec())], |world, spec| {
        spec["source"]["paths"] = json!([format!("s3://{}/in/*.csv", world.bucket)]);
        spec["source"]["columns"] = json!(["n", "m"]);
    });
    stage.loaded(1);
    stage.edit(vec![("in/b.csv", b"99\t10\n".to_vec())], |_, spec| {
        spec["source"]["columns"] = json!(["m", "n"]);
    });
    stage.loaded(2);
    assert_eq!(stage.world.sorted("m"), ["99", "99"]);
    stage.exact_without_old(&[7, 10]);
}

pub fn columns_from_path() {
    let mut stage = Stage::begin(all_below);
    stage.loaded(OLD);
    assert!(!stage.world.sorted("m").contains(&"7".to_owned()));
    stage.edit(vec![("in/m=7/new.parquet", file([10]))], |_, spec| {
        spec["source"]["columnsFromPath"] = json!(["m"]);
    });
    stage.loaded(OLD + 1);
    assert!(stage.world.sorted("m").contains(&"7".to_owned()));
    stage.exact(&[10]);
}

pub fn on_missing_path_key() {
    let mut stage = Stage::begin(|_, spec| spec["source"]["columnsFromPath"] = json!(["m"]));
    error_files(&stage, OLD);
    stage.edit(vec![("in/new.parquet", file([10]))], |_, spec| {
        spec["source"]["onMissingPathKey"] = json!("Null");
    });
    stage.loaded(1);
    stage.exact_without_old(&[10]);
}

pub fn set() {
    let mut stage = Stage::begin(|_, _| {});
    stage.loaded(OLD);
    stage.edit(vec![("in/new.parquet", file([10]))], |_, spec| {
        spec["source"]["set"] = json!({"m": "n * 10"});
    });
    stage.loaded(OLD + 1);
    assert_eq!(stage.world.sorted("m"), ["100", "NULL", "NULL", "NULL", "NULL"]);
    stage.exact(&[10]);
}

pub fn filter() {
    let mut stage = Stage::begin(|_, _| {});
    stage.loaded(OLD);
    stage.edit(vec![("in/new.parquet", file([10, 11]))], |_, spec| {
        spec["source"]["where"] = json!("n > 10");
    });
    stage.loaded(OLD + 1);
    stage.exact(&[11]);
}

pub fn strict_mode() {
    let mut stage = Stage::with(vec![("in/bad.parquet", texts(&[(5, "x")]))], |_, _| {});
    error_files(&stage, 1);
    stage.edit(vec![("in/new.parquet", texts(&[(10, "x")]))], |_, spec| {
        spec["load"]["strictMode"] = json!(false);
    });
    stage.loaded(OLD + 1);
    stage.exact(&[10]);
}

pub fn max_filter_ratio() {
    let rows = texts(&[(10, "1"), (11, "x")]);
    let mut stage = Stage::with(vec![("in/bad.parquet", rows.clone())], |_, _| {});
    error_files(&stage, 1);
    stage.edit(vec![("in/new.parquet", rows)], |_, spec| spec["load"]["maxFilterRatio"] = json!("0.5"));
    stage.loaded(OLD + 1);
    stage.exact(&[10]);
}

pub fn on_missing_column() {
    let mut stage = Stage::begin(|_, spec| spec["load"]["onMissingColumn"] = json!("Fail"));
    error_files(&stage, OLD);
    stage.edit(vec![("in/new.parquet", file([10]))], |_, spec| {
        spec["load"]["onMissingColumn"] = json!("UseDefault");
    });
    stage.loaded(1);
    stage.exact_without_old(&[10]);
}

pub fn schema_drift() {
    let extra = |n| one(n, "extra", Arc::new(Int64Array::from(vec![77])));
    let mut stage = Stage::with(vec![("in/before.parquet", extra(5))], |_, _| {});
    stage.loaded(OLD + 1);
    assert!(stage.world.rows().column_by_name("extra").is_none());
    stage.edit(vec![("in/new.parquet", extra(10))], |_, spec| {
        spec["load"]["schemaDrift"] = json!("AddColumns");
    });
    stage.loaded(OLD + 2);
    assert_eq!(stage.world.sorted("extra").first().map(String::as_str), Some("77"));
    stage.exact(&[5, 10]);
}

pub fn timezone() {
    let midnight = TimestampMicrosecondArray::from(vec![24 * HOUR_MICROS]).with_timezone("UTC");
    let new = one(10, "at", Arc::new(midnight));
    let mut stage = Stage::begin(|_, _| {});
    stage.loaded(OLD);
    stage.edit(vec![("in/new.parquet", new)], |_, spec| spec["load"]["timezone"] = json!("+08:00"));
    stage.loaded(OLD + 1);
    assert_eq!(stage.world.sorted("at").first().map(String::as_str), Some("1970-01-02T08:00:00"));
    stage.exact(&[10]);
}

pub fn rejected_records() {
    let rows = texts(&[(10, "1"), (11, "x")]);
    let mut stage = Stage::with(vec![("in/before.parquet", rows)], |_, spec| {
        spec["load"]["rejectedRecords"] = json!({"limit": 0});
        spec["load"]["maxFilterRatio"] = json!("1");
    });
    let kept = |stage: &Stage| {
        let is_kept =
            |path: &std::path::Path| path.file_name().unwrap().to_string_lossy().contains("rejected");
        tree(&stage.world.root()).keys().filter(|path| is_kept(path)).count()
    };
    stage.loaded(OLD + 1);
    assert_eq!(kept(&stage), 0);
    stage.edit(vec![("in/new.parquet", texts(&[(12, "1"), (13, "x")]))], |_, spec| {
        spec["load"]["rejectedRecords"]["limit"] = json!(-1);
    });
    stage.loaded(OLD + 2);
    assert_eq!(kept(&stage), 1);
    assert_eq!(numbers(&stage.world).len(), 6);
    stage.exact(&[10, 12]);
}
