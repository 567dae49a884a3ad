//! One generator, every format and every codec: all loads give the same table, row for row. Readers that are not ours
//! find in the files and in the tables what the generator meant.
//!
//! `ROWS=200000` gives so many rows to each file; without it those with a codec have fewer.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, UInt64Array};
use arrow::compute::take;
use arrow::datatypes::Int64Type;
use longshore_crds::format::{CsvOptions, Format, JsonOptions};
use longshore_crds::source::Source;
use longshore_storage::schema::Column;
use tempfile::TempDir;

use crate::columnar::sorted_by;
use crate::oracles::python;
use crate::world::{World, column, definition, not_null, texts};

const ROWS: usize = 50_000;
const ROWS_OF_A_CODEC: usize = 5_000;

/// Columns and their types; those of the last lines are JSON text where a format has no nested values.
const COLUMNS: [(&str, &str, &str); 25] = [
    ("id", "BIGINT", "BIGINT"),
    ("flag", "BOOLEAN", "BOOLEAN"),
    ("tiny", "TINYINT", "TINYINT"),
    ("small", "SMALLINT", "SMALLINT"),
    ("int", "INT", "INT"),
    ("big", "BIGINT", "BIGINT"),
    ("large", "LARGEINT", "LARGEINT"),
    ("real", "FLOAT", "FLOAT"),
    ("double", "DOUBLE", "DOUBLE"),
    ("money", "DECIMAL(9,2)", "DECIMAL(9,2)"),
    ("price", "DECIMAL(18,4)", "DECIMAL(18,4)"),
    ("wide", "DECIMAL(38,10)", "DECIMAL(38,10)"),
    ("kind", "CHAR(4)", "CHAR(4)"),
    ("code", "VARCHAR(8)", "VARCHAR(8)"),
    ("name", "VARCHAR(300)", "VARCHAR(300)"),
    ("text", "STRING", "STRING"),
    ("bytes", "VARBINARY", "VARBINARY"),
    ("day", "DATE", "DATE"),
    ("at", "DATETIME", "DATETIME"),
    ("instant", "DATETIME", "DATETIME"),
    ("json", "JSON", "JSON"),
    ("list", "ARRAY<INT>", "JSON"),
    ("words", "ARRAY<STRING>", "JSON"),
    ("map", "MAP<STRING,INT>", "JSON"),
    ("part", "STRUCT<a INT,b STRING,day DATE,c ARRAY<BIGINT>>", "JSON"),
];

/// Whether arrays, maps and structs are kept as such, or as JSON text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Nested {
    AsTypes,
    AsText,
}

fn columns(nested: Nested) -> Vec<Column> {
    let typed = COLUMNS.map(|(name, data_type, text)| match nested {
        Nested::AsTypes => column(name, data_type),
        Nested::AsText => column(name, text),
    });
    let mut columns = typed.to_vec();
    columns[0] = not_null(columns[0].clone());
    columns
}

/// What each format needs to be told.
fn describe(source: &mut Source, name: &str) {
    let names = COLUMNS.map(|(name, ..)| if name == "bytes" { "bytes64" } else { name }.to_owned());
    let format = if name.contains(".csv") {
        let (column_separator, enclose) = (",".to_owned(), Some("\"".to_owned()));
        Format::Csv(CsvOptions { column_separator, enclose, header: true, ..CsvOptions::default() })
    } else if name.contains(".tsv") {
        source.columns = Some(names.to_vec());
        Format::Csv(CsvOptions { escape: Some("\\".to_owned()), ..CsvOptions::default() })
    } else if name.contains(".json") {
        Format::Json(JsonOptions { strip_outer_array: name.contains("array"), ..JsonOptions::default() })
    } else {
        return;
    };
    source.format = Some(format);
    source.set = [("bytes".to_owned(), "to_binary(bytes64, 'encode64')".to_owned())].into();
}

/// A table that one file was loaded into, and its rows by id.
struct Loaded {
    world: World,
    rows: RecordBatch,
}

fn load(file: &Path, nested: Nested) -> Loaded {
    let name = file.file_name().unwrap().to_str().unwrap();
    let world = World::with_table(&definition(columns(nested)));
    world.put(name, std::fs::read(file).unwrap());
    let mut request = world.request("load", name);
    request.timezone = "+05:45".to_owned();
    describe(&mut request.sources[0], name);
    let report = world.load(request);
    assert_eq!(report.exit_code, 0, "{name}: {report:?}");
    assert_eq!((report.counts.filtered_rows, report.counts.unselected_rows), (0, 0), "{name}");
    let rows = sorted_by(&world.rows(), "id");
    assert_eq!(rows.num_rows() as u64, report.counts.sink_rows, "{name}");
    Loaded { world, rows }
}

/// The rows of a file are those of the table that has all, whose rows stand at the place that their id says.
fn assert_equal(name: &str, rows: &RecordBatch, all: &RecordBatch) {
    let ids = rows.column(0).as_primitive::<Int64Type>();
    let distinct: BTreeSet<i64> = ids.values().iter().copied().collect();
    assert_eq!(distinct.len(), rows.num_rows(), "{name}: an id is there twice");
    let places: UInt64Array = ids.values().iter().map(|&id| id as u64).collect();
    for (place, field) in all.schema().fields().iter().enumerate() {
        let expected = take(all.column(place), &places, None).unwrap();
        let found = rows.column(place);
        if found.as_ref() != expected.as_ref() {
            panic!("{name}, column {}: {}", field.name(), first_difference(ids.values(), found, &expected));
        }
    }
}

fn first_difference(ids: &[i64], found: &ArrayRef, expected: &ArrayRef) -> String {
    let differs = |row: &usize| found.slice(*row, 1).as_ref() != expected.slice(*row, 1).as_ref();
    let row = (0..found.len()).find(differs).unwrap_or(0);
    let one = |array: &ArrayRef| format!("{:?}", texts(&array.slice(row, 1))[0]);
    format!("id {}: {} instead of {}", ids[row], one(found), one(expected))
}

/// Files of a folder, those without a codec first.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort_by_key(|path| (path.file_stem().is_none_or(|stem| stem != "rows"), path.clone()));
    files
}

#[test]
fn a42_every_format_and_codec_gives_the_same_rows_and_other_readers_agree() {
    let stated = std::env::var("ROWS").ok().map(|rows| rows.parse::<usize>().unwrap());
    let (rows, fewer) = (stated.unwrap_or(ROWS), stated.unwrap_or(ROWS_OF_A_CODEC));
    let folder: TempDir = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name);
    python(
        "equal_rows.py",
        &["write", folder.path().to_str().unwrap(), &rows.to_string(), &fewer.to_string()],
    );

    let typed = load(&place("parquet/rows.parquet"), Nested::AsTypes);
    let flat = load(&place("parquet/rows.parquet"), Nested::AsText);
    assert_eq!((typed.rows.num_rows(), flat.rows.num_rows()), (rows, rows));
    let mut arguments: Vec<String> = vec!["check".to_owned(), folder.path().to_str().unwrap().to_owned()];
    let mut kept = Vec::new();
    let mut loaded = Vec::new();
    for format in ["parquet", "orc", "avro", "csv", "json"] {
        let nested = if format == "csv" { Nested::AsText } else { Nested::AsTypes };
        let all = if nested == Nested::AsTypes { &typed.rows } else { &flat.rows };
        for file in files(&place(format)) {
            let name = file.file_name().unwrap().to_str().unwrap().to_owned();
            let found = load(&file, nested);
            let is_whole = ["rows", "duckdb"].contains(&file.file_stem().unwrap().to_str().unwrap());
            assert_eq!(found.rows.num_rows(), if is_whole { rows } else { fewer }, "{name}");
            assert_equal(&name, &found.rows, all);
            if is_whole {
                let kind = if nested == Nested::AsTypes { "meant" } else { "flat" };
                let root = found.world.root();
                let pair = [file.to_str().unwrap(), kind, root.to_str().unwrap()].map(str::to_owned);
                arguments.extend(pair);
                kept.push(found.world);
            }
            loaded.push(name);
        }
    }
    assert_eq!(loaded.len(), 7 + 5 + 6 + 8 + 8, "{loaded:?}");
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    println!("{}", python("equal_rows.py", &arguments));
}
