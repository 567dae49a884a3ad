//! `longshore-worker table` and `maintain`, as pods run them: a request as a file, a folder, an exit code and a
//! termination message.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use longshore_crds::{ColumnOrigin, TableOutcome, TableReport, TableRequest, TableSpec, TableTask, exit};
use serde_json::{Value, json};

use arrow::array::{Int32Array, StringArray};

use crate::world::{World, batch};

fn spec(columns: &Value) -> TableSpec {
    let distribution = json!({"hash": {"columns": ["id"], "buckets": 2}});
    serde_json::from_value(json!({"columns": columns, "distribution": distribution})).unwrap()
}

fn two_columns() -> Value {
    json!([{"name": "id", "type": "INT", "nullable": false}, {"name": "name", "type": "VARCHAR(9)"}])
}

fn with(mut columns: Value, column: Value) -> Value {
    columns.as_array_mut().unwrap().push(column);
    columns
}

struct Pod {
    world: World,
    message: PathBuf,
}

impl Pod {
    fn new() -> Self {
        let world = World::new();
        let message = world.folder.path().join("termination-log");
        std::fs::create_dir_all(world.root()).unwrap();
        Self { world, message }
    }

    /// Runs the program; the exit code is the report's.
    fn run(&self, command: &str, request: &[u8]) -> TableReport {
        let path = self.world.folder.path().join("request.json");
        std::fs::write(&path, request).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_longshore-worker"))
            .arg(command)
            .arg("--request")
            .arg(&path)
            .env("LONGSHORE_TABLE_DIR", self.world.root())
            .env("LONGSHORE_SECRETS_DIR", self.world.secrets())
            .env("LONGSHORE_TERMINATION_MESSAGE", &self.message)
            .env("LONGSHORE_MEMORY_BYTES", "134217728")
            .env("LONGSHORE_LISTEN", "127.0.0.1:0")
            .output()
            .unwrap();
        let report: TableReport = serde_json::from_slice(&std::fs::read(&self.message).unwrap()).unwrap();
        assert_eq!(output.status.code(), Some(i32::from(report.exit_code)), "{report:?}");
        report
    }

    fn declare(&self, columns: &Value) -> TableReport {
        let request = TableRequest::new("t", &spec(columns), TableTask::Declare);
        self.run("table", &serde_json::to_vec(&request).unwrap())
    }
}

#[test]
fn a_table_is_made_once_then_taken_as_it_stands() {
    let pod = Pod::new();
    // The root of a new ext4 volume.
    std::fs::create_dir(pod.world.root().join("lost+found")).unwrap();
    let report = pod.declare(&two_columns());
    assert_eq!((report.outcome, report.exit_code), (TableOutcome::Created, exit::LOADED));
    let figures = report.figures.unwrap();
    assert_eq!((figures.table_version, figures.rows, figures.tablets, figures.column_count), (0, 0, 2, 2));
    assert_eq!(report.columns[1].data_type, "VARCHAR(9)");
    assert_eq!(report.columns[1].origin, ColumnOrigin::Declared);
    let again = pod.declare(&two_columns());
    assert_eq!((again.outcome, again.reason.as_str()), (TableOutcome::Unchanged, "TableUnchanged"));
}

#[test]
fn a_nullable_column_is_added_and_anything_else_is_refused_by_name() {
    let pod = Pod::new();
    pod.declare(&two_columns());
    let refused = |columns: &Value, what: &str| {
        let report = pod.declare(columns);
        assert_eq!((report.outcome, report.exit_code), (TableOutcome::Failed, exit::TABLE_REFUSED));
        assert_eq!(report.reason, "DefinitionDiffers");
        assert!(report.message.contains(what), "{}", report.message);
    };
    refused(
        &with(two_columns(), json!({"name": "at", "type": "DATE", "nullable": false})),
        "column at is new and NOT NULL",
    );
    refused(&json!([{"name": "id", "type": "INT", "nullable": false}]), "column name is in the table");
    let mut retyped = two_columns();
    retyped[0]["type"] = json!("BIGINT");
    refused(&retyped, "column id is declared BIGINT and is INT");
    assert_eq!(pod.world.table().version(), 0, "a refusal changes nothing");

    let wider = with(two_columns(), json!({"name": "at", "type": "DATE"}));
    let report = pod.declare(&wider);
    assert_eq!((report.outcome, report.reason.as_str()), (TableOutcome::Altered, "ColumnsAdded"));
    assert!(report.message.starts_with("added at;"), "{}", report.message);
    assert_eq!(report.figures.unwrap().column_count, 3);
    assert_eq!(pod.declare(&wider).outcome, TableOutcome::Unchanged);
    refused(&two_columns(), "column at is in the table and not declared");
}

#[test]
fn a_wrong_definition_or_request_names_its_field() {
    let pod = Pod::new();
    let report = pod.declare(&json!([{"name": "id", "type": "NUMBER"}]));
    assert_eq!(report.exit_code, exit::REQUEST);
    assert!(report.message.starts_with("spec.columns[0].type"), "{}", report.message);
    let newer = json!({"version": 9, "colour": "red"}).to_string();
    let report = pod.run("table", newer.as_bytes());
    assert_eq!((report.exit_code, report.reason.as_str()), (exit::REQUEST, "InvalidRequest"));
    assert!(report.message.contains("has version 9, this worker knows up to 1"), "{}", report.message);
    let request = TableRequest::new("t", &spec(&two_columns()), TableTask::Declare);
    let report = pod.run("maintain", &serde_json::to_vec(&request).unwrap());
    assert!(report.message.ends_with("asks for `table`; run that command"), "{}", report.message);
}

#[test]
fn a_folder_with_something_else_in_it_is_refused_untouched() {
    let pod = Pod::new();
    std::fs::write(pod.world.root().join("theirs"), "x").unwrap();
    let report = pod.declare(&two_columns());
    assert_eq!((report.exit_code, report.reason.as_str()), (exit::TABLE_REFUSED, "NotALongshoreTable"));
    assert!(report.message.contains("it holds theirs"), "{}", report.message);
    assert_eq!(std::fs::read_dir(pod.world.root()).unwrap().count(), 1);
}

#[test]
fn maintenance_keeps_every_row_and_tells_what_it_did() {
    let pod = Pod::new();
    let columns = json!([{"name": "id", "type": "INT"}, {"name": "name", "type": "STRING"}]);
    assert_eq!(pod.declare(&columns).exit_code, exit::LOADED);
    for file in 0..12 {
        let ids: arrow::array::ArrayRef =
            std::sync::Arc::new(arrow::array::Int32Array::from_iter_values(file * 10..file * 10 + 10));
        let names: arrow::array::ArrayRef =
            std::sync::Arc::new(arrow::array::StringArray::from_iter_values((0..10).map(|n| n.to_string())));
        let key = format!("{file}.parquet");
        pod.world.put_batch(&key, &crate::world::batch(vec![("id", ids), ("name", names)]));
        let report = pod.world.load(pod.world.request(&format!("load-{file}"), &key));
        assert_eq!(report.exit_code, exit::LOADED, "{report:?}");
    }
    let before = pod.declare(&columns).figures.unwrap();
    assert_eq!((before.rows, before.files), (120, 24));
    let request = TableRequest::new("t", &spec(&columns), TableTask::Maintain);
    let report = pod.run("maintain", &serde_json::to_vec(&request).unwrap());
    assert_eq!((report.outcome, report.reason.as_str()), (TableOutcome::Maintained, "Maintained"));
    let (after, done) = (report.figures.unwrap(), report.maintenance.unwrap());
    assert_eq!((after.rows, after.files), (120, 2), "{report:?}");
    assert_eq!((done.merged_files, done.new_files), (24, 2));
    assert_eq!(pod.world.rows().num_rows(), 120);
    // What was merged stays for readers of the older version.
    assert!(done.removed_files < 24, "{report:?}");
}

#[test]
fn a_table_takes_its_columns_from_files_once() {
    let pod = Pod::new();
    let file = batch(vec![
        ("id", Arc::new(Int32Array::from(vec![1])) as _),
        ("name", Arc::new(StringArray::from(vec!["n"])) as _),
    ]);
    pod.world.put_batch("in/1.parquet", &file);
    let mut spec = spec(&json!([]));
    spec.infer_from = Some(crate::infer::from(&pod.world, "in/*"));
    let declare = || {
        let request = TableRequest::new("t", &spec, TableTask::Declare);
        pod.run("table", &serde_json::to_vec(&request).unwrap())
    };
    let told = |report: &TableReport| -> Vec<String> {
        report.columns.iter().map(|c| format!("{} {} {:?}", c.name, c.data_type, c.origin)).collect()
    };
    let report = declare();
    assert_eq!((report.outcome, report.exit_code), (TableOutcome::Created, exit::LOADED), "{report:?}");
    assert_eq!(told(&report), ["id INT Inferred", "name STRING Inferred"]);
    // Other files do not change a table that stands.
    pod.world.put_batch("in/2.parquet", &batch(vec![("other", Arc::new(Int32Array::from(vec![1])) as _)]));
    let report = declare();
    assert_eq!((report.outcome, report.exit_code), (TableOutcome::Unchanged, exit::LOADED), "{report:?}");
    assert_eq!(told(&report), ["id INT Inferred", "name STRING Inferred"]);
}

#[test]
fn a_table_whose_files_are_not_there_is_told_and_not_made() {
    let pod = Pod::new();
    let mut spec = spec(&json!([]));
    spec.infer_from = Some(crate::infer::from(&pod.world, "in/*"));
    let request = TableRequest::new("t", &spec, TableTask::Declare);
    let report = pod.run("table", &serde_json::to_vec(&request).unwrap());
    assert_eq!((report.reason.as_str(), report.exit_code), ("NoMatchingFiles", exit::SOURCE), "{report:?}");
    assert!(report.message.contains("in/*"), "{report:?}");
}
