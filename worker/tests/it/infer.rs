//! Columns that come from files.

use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, Float32Array, Int32Array, Int64Array, StringArray};
use longshore_crds::{InferFrom, InferredColumn};
use longshore_worker::infer::{InferError, Inferred, infer};
use longshore_worker::source::{ConnectContext, RequestMetrics};
use tokio_util::sync::CancellationToken;

use crate::columnar::written;
use crate::world::{RUNTIME, World, batch};

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
