//! Tables that are not ours to write.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array};
use longshore_crds::{Outcome, exit};

use crate::world::{World, batch, column, definition, tree};

fn world() -> World {
    let world = World::with_table(&definition(vec![column("n", "BIGINT")]));
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..10));
    world.put_batch("a.parquet", &batch(vec![("n", numbers)]));
    world
}

/// The load is refused for this reason and not a byte of the folder changes.
fn assert_refused(world: &World, reason: &str, words: &[&str]) {
    let before = tree(&world.root());
    let report = world.load(world.request("load", "*.parquet"));
    assert_eq!((report.outcome, report.reason.as_str()), (Outcome::Failed, reason), "{report:?}");
    assert_eq!(report.exit_code, exit::TABLE_REFUSED, "{report:?}");
    for word in words {
        assert!(report.message.contains(word), "{word} is not in: {}", report.message);
    }
    assert_eq!(tree(&world.root()), before);
}

#[test]
fn a_newer_layout() {
    let world = world();
    let path = world.root().join("_longshore/format.json");
    let text = std::fs::read_to_string(&path).unwrap();
    let mut document: serde_json::Value = serde_json::from_str(&text).unwrap();
    document["layoutVersion"] = 999.into();
    std::fs::write(&path, document.to_string()).unwrap();
    assert_refused(&world, "NewerLayout", &["999"]);
}

#[test]
fn a_log_with_a_feature_that_we_do_not_know() {
    let world = world();
    let protocol = serde_json::json!({"protocol": {
        "minReaderVersion": 3, "minWriterVersion": 7,
        "readerFeatures": ["timestampNtz", "fancyReads"], "writerFeatures": ["timestampNtz", "fancyReads"],
    }});
    let info = serde_json::json!({"commitInfo": {"timestamp": 0, "operation": "UPGRADE PROTOCOL"}});
    let log = world.root().join("_delta_log");
    std::fs::write(log.join("00000000000000000001.json"), format!("{info}\n{protocol}\n")).unwrap();
    assert_refused(&world, "UnsupportedFeature", &["fancyReads"]);
}

#[test]
fn a_delta_table_of_another_engine() {
    let world = world();
    std::fs::remove_file(world.root().join("_longshore/format.json")).unwrap();
    assert_refused(&world, "NotALongshoreTable", &["table"]);
}

#[test]
fn an_empty_commit_file_is_damage() {
    let world = world();
    std::fs::write(world.root().join("_delta_log/00000000000000000001.json"), b"").unwrap();
    assert_refused(&world, "DamagedLog", &["00000000000000000001.json"]);
}

#[test]
fn a_folder_that_is_not_there() {
    let world = World::new();
    let report = world.load(world.request("load", "*.parquet"));
    assert_eq!((report.outcome, report.exit_code), (Outcome::Failed, exit::TABLE_REFUSED), "{report:?}");
    assert!(!world.root().exists());
}
