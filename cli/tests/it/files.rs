//! `longshore files` on files of this machine.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, StringArray};
use arrow::record_batch::RecordBatch;
use parquet::arrow::ArrowWriter;

use crate::program::Program;

/// A file of `id` 0…rows and `name`.
pub fn write_parquet(path: &Path, rows: i32) {
    let ids: ArrayRef = Arc::new(Int32Array::from_iter_values(0..rows));
    let names: ArrayRef = Arc::new(StringArray::from_iter_values((0..rows).map(|i| format!("n{}", i % 10))));
    let batch = RecordBatch::try_from_iter([("id", ids), ("name", names)]).unwrap();
    write_batch(path, &batch);
}

/// A file of one batch.
pub fn write_batch(path: &Path, batch: &RecordBatch) {
    let mut writer = ArrowWriter::try_new(File::create(path).unwrap(), batch.schema(), None).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
}

#[test]
fn the_schema_is_given_as_columns_of_a_table() {
    let program = Program::new();
    write_parquet(&program.path("a.parquet"), 3);
    write_parquet(&program.path("b.parquet"), 3);
    let said = program.run(["files", "*.parquet", "--schema"]);
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(said.out.starts_with("2 files, "), "{}", said.out);
    assert!(
        said.out.contains("  columns:\n  - {name: id, type: INT}\n  - {name: name, type: STRING}\n"),
        "{}",
        said.out
    );
}

#[test]
fn the_first_rows_are_shown() {
    let program = Program::new();
    write_parquet(&program.path("a.parquet"), 100);
    let said = program.run(["files", "a.parquet", "--rows", "2"]);
    assert_eq!(said.code, 0, "{}", said.err);
    assert_eq!(
        said.out,
        "+----+------+\n| id | name |\n+----+------+\n| 0  | n0   |\n| 1  | n1   |\n+----+------+\n"
    );
}

#[test]
fn a_path_without_files_is_named() {
    let program = Program::new();
    let said = program.run(["files", "no*.parquet"]);
    assert_eq!(said.code, 1);
    assert!(said.err.contains("no*.parquet"), "{}", said.err);
}

#[test]
fn a_file_that_is_no_parquet_is_named() {
    let program = Program::new();
    let path = program.write("a.parquet", "this is no Parquet file");
    let said = program.run(["files", path.to_str().unwrap()]);
    assert_eq!(said.code, 1);
    assert!(said.err.contains("a.parquet"), "{}", said.err);
}

#[test]
fn text_files_are_shown_and_json_tells_a_schema() {
    let program = Program::new();
    program.write("a.json", "{\"id\": 1, \"name\": \"x\", \"tags\": [1, 2]}\n");
    let said = program.run(["files", "a.json", "--schema"]);
    assert!(
        said.out.contains("  - {name: id, type: BIGINT}\n  - {name: name, type: STRING}\n  - {name: tags, type: \"ARRAY<BIGINT>\"}\n"),
        "{said:?}"
    );
    let said = program.run(["files", "a.json"]);
    assert!(said.out.contains("| 1  | x    | [1, 2] |"), "{said:?}");
    program.write("b.csv", "1\tx\n");
    let said = program.run(["files", "b.csv"]);
    assert!(said.out.contains("| $1 | $2 |") && said.out.contains("| 1  | x  |"), "{said:?}");
}
