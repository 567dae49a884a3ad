//! Columns that come from files.

use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, Float32Array, Int32Array, Int64Array, StringArray};
use longshore_crds::format::{CsvOptions, Format, JsonOptions};
use longshore_crds::{InferFrom, InferredColumn};
use longshore_storage::durable::Posix;
use longshore_storage::table::Table;
use longshore_worker::infer::{InferError, Inferred, infer};
use longshore_worker::source::{ConnectContext, RequestMetrics};
use tokio_util::sync::CancellationToken;

use crate::columnar::written;
use crate::world::{RUNTIME, World, batch, column, definition};

pub fn from(world: &World, pattern: &str) -> InferFrom {
    let source = world.source(pattern);
    InferFrom {
        paths: source.paths,
        s3: source.s3,
        format: None,
        columns_from_path: Vec::new(),
        columns: Vec::new(),
    }
}

fn read(world: &World, from: &InferFrom) -> Result<Inferred, InferError> {
    let context = ConnectContext {
        secrets_dir: Some(world.secrets()),
        runtime: RUNTIME.handle().clone(),
        metrics: Arc::new(RequestMetrics::default()),
        cancel: CancellationToken::new(),
        max_concurrent_requests: 8,
    };
    RUNTIME.block_on(infer(from, &context))
}

fn told(found: &Inferred) -> Vec<String> {
    found.columns.iter().map(|column| format!("{} {}", column.name, column.data_type)).collect()
}

fn ints(values: &[i32]) -> ArrayRef {
    Arc::new(Int32Array::from(values.to_vec()))
}

/// Three files, one of them far behind, whose columns have other types.
fn world() -> World {
    let world = World::new();
    world.put_batch(
        "in/dt=2024-01-01/1.parquet",
        &batch(vec![("id", ints(&[1])), ("x", ints(&[1])), ("d", Arc::new(Date32Array::from(vec![1])))]),
    );
    world.put_batch(
        "in/dt=2024-01-02/2.parquet",
        &batch(vec![
            ("id", Arc::new(Int64Array::from(vec![2]))),
            ("x", Arc::new(Float32Array::from(vec![2.0]))),
        ]),
    );
    world.put_batch(
        "in/dt=2024-01-03/3.parquet",
        &batch(vec![("d", Arc::new(StringArray::from(vec!["x"]))), ("only", ints(&[3]))]),
    );
    world
}

#[test]
fn a43_columns_of_all_files_and_of_their_keys_are_found() {
    let world = world();
    let mut from = from(&world, "in/*/*.parquet");
    from.columns_from_path = vec!["dt".to_owned()];
    let found = read(&world, &from).unwrap();
    assert_eq!((found.files, found.read), (3, 3));
    assert_eq!(told(&found), ["id BIGINT", "x DOUBLE", "d STRING", "only INT", "dt DATE"]);
    from.columns = vec![InferredColumn { name: "X".to_owned(), data_type: "DECIMAL(9,2)".to_owned() }];
    assert_eq!(told(&read(&world, &from).unwrap())[1], "x DECIMAL(9,2)");
}

#[test]
fn a43_names_that_differ_in_case_only_are_refused_with_both_files() {
    let world = world();
    world.put_batch("in/dt=2024-01-04/4.parquet", &batch(vec![("ID", ints(&[1]))]));
    let error = read(&world, &from(&world, "in/*/*.parquet")).unwrap_err();
    assert_eq!(error.category(), "CaseConflict");
    let text = error.to_string();
    assert!(text.contains("columns id of ") && text.contains("1.parquet and ID of "), "{text}");
}

#[test]
fn orc_and_avro_files_tell_the_same_columns_as_parquet() {
    let files = written("types");
    let world = World::new();
    for (name, bytes) in &files {
        let folder = name.rsplit('.').next().unwrap();
        world.put(&format!("{folder}/{name}"), bytes);
    }
    let columns = |pattern: &str| told(&read(&world, &from(&world, pattern)).unwrap());
    let parquet = columns("parquet/*");
    assert_eq!(parquet.len(), 19);
    assert_eq!(columns("orc/*"), parquet);
    assert_eq!(columns("avro/*"), parquet);
    assert_eq!(columns("*/*"), parquet);
}

#[test]
fn a_column_that_cannot_be_read_is_refused_unless_it_is_stated() {
    let files = written("odd");
    let world = World::new();
    world.put("union.orc", &files["union.orc"]);
    let mut from = from(&world, "union.orc");
    let error = read(&world, &from).unwrap_err();
    assert_eq!(error.category(), "NoColumnType");
    assert!(error.to_string().contains("column u of ") && error.to_string().contains("UNION"), "{error}");
    from.columns = vec![InferredColumn { name: "u".to_owned(), data_type: "STRING".to_owned() }];
    assert_eq!(told(&read(&world, &from).unwrap()), ["id BIGINT", "u STRING", "t STRING"]);
    assert_eq!(read(&world, &self::from(&world, "no/*")).unwrap_err().category(), "NoMatchingFiles");
}

fn json(options: JsonOptions) -> Option<Format> {
    Some(Format::Json(options))
}

#[test]
fn a43_json_files_tell_columns_by_their_records() {
    let world = World::new();
    world.put(
        "j/1.json",
        concat!(
            r#"{"id": 1, "name": "a", "ok": true, "tags": ["x"], "at": "2024-01-31 10:00:00", "pos": {"x": 1, "y": 2.5}}"#,
            "\n",
            r#"{"name": "b", "id": 2, "big": 9223372036854775808, "tags": [], "pos": {"y": 1, "x": null}, "mixed": 1}"#,
        ),
    );
    world.put("j/2.json", r#"{"id": 3.5, "mixed": [1], "day": "2024-01-31", "late": null}"#);
    world.put("j/empty.json", "");
    assert_eq!(
        told(&read(&world, &from(&world, "j/*")).unwrap()),
        [
            "id DOUBLE",
            "name STRING",
            "ok BOOLEAN",
            "tags ARRAY<STRING>",
            "at DATETIME",
            "pos STRUCT<x BIGINT,y DOUBLE>",
            "big DECIMAL(38,0)",
            "mixed JSON",
            "day DATE",
            "late STRING",
        ]
    );
    world.put("k/1.json", r#"{"Id": 1}"#);
    world.put("k/2.json", r#"{"ID": 1}"#);
    assert_eq!(read(&world, &from(&world, "k/*")).unwrap_err().category(), "CaseConflict");
}

#[test]
fn json_options_say_where_the_records_and_the_columns_are() {
    let world = World::new();
    world.put("a.json", r#"{"data": [{"id": 1, "u": {"name": "x"}, "t": [5, 6]}, {"id": 2}]}"#);
    let mut from = from(&world, "a.json");
    from.format = json(JsonOptions {
        strip_outer_array: true,
        json_root: Some("$.data".to_owned()),
        ..JsonOptions::default()
    });
    assert_eq!(
        told(&read(&world, &from).unwrap()),
        ["id BIGINT", "u STRUCT<name STRING>", "t ARRAY<BIGINT>"]
    );
    from.format = json(JsonOptions {
        strip_outer_array: true,
        json_root: Some("$.data".to_owned()),
        json_paths: ["$.u.name", "$.t[1]", "$.id"].map(str::to_owned).to_vec(),
        ..JsonOptions::default()
    });
    assert_eq!(told(&read(&world, &from).unwrap()), ["u_name STRING", "t_1 BIGINT", "id BIGINT"]);
    from.format = json(JsonOptions::default());
    world.put("a.json", "[{\"id\": 1}]");
    let error = read(&world, &from).unwrap_err();
    assert!(error.to_string().contains("stripOuterArray"), "{error}");
}

#[test]
fn csv_with_a_header_tells_the_columns_of_all_files_and_without_one_none() {
    let world = World::new();
    let mut from = from(&world, "c/*.csv");
    from.format = Some(Format::Csv(CsvOptions {
        header: true,
        column_separator: ",".to_owned(),
        ..CsvOptions::default()
    }));
    for number in 0..40 {
        world.put(&format!("c/{number:02}.csv"), "id,name\n1,x\n");
    }
    // The rows of few files are looked at, the names of all.
    world.put("c/22.csv", "id,name,only\n1,x,2\n");
    world.put("c/empty.csv", "");
    assert_eq!(told(&read(&world, &from).unwrap()), ["id BIGINT", "name STRING", "only STRING"]);
    from.format = Some(Format::Csv(CsvOptions::default()));
    let error = read(&world, &from).unwrap_err();
    assert_eq!(error.category(), "NoColumnNames");
    assert!(error.to_string().contains("format.csv.header: true"), "{error}");
}

#[test]
fn a_table_made_for_json_files_takes_their_rows() {
    let world = World::new();
    world.put(
        "j/1.json",
        "{\"id\": 1, \"pos\": {\"x\": 1}, \"day\": \"2024-01-31\"}\n{\"id\": 2, \"tags\": [\"a\"]}\n",
    );
    let found = read(&world, &from(&world, "j/*")).unwrap();
    let columns =
        found.columns.iter().map(|found| column(&found.name, &found.data_type.to_string())).collect();
    Table::create(Arc::new(Posix), &world.root(), &definition(columns)).unwrap();
    let report = world.load(world.request("load", "j/*"));
    assert_eq!((report.exit_code, report.counts.sink_rows), (0, 2), "{report:?}");
    assert_eq!(world.sorted("day"), ["2024-01-31", "NULL"]);
    assert_eq!(world.sorted("pos"), ["NULL", "{x: 1}"]);
    assert_eq!(world.sorted("tags"), ["NULL", "[a]"]);
}
