//! Other engines read what we wrote: delta-rs, Polars, DuckDB and ClickHouse, from the Python environment that
//! `make venv` makes.

mod expressions;
mod foreign;
mod operations;
mod text;

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryBuilder, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array,
    Int8Array, Int16Array, Int32Array, Int32Builder, Int64Array, ListBuilder, MapBuilder, MapFieldNames,
    RecordBatch, StringArray, StringBuilder, StructArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType as Arrow, Field};
use longshore_crds::Outcome;
use longshore_storage::schema::{Column, DateUnit, PartitionBy, PartitionTerm, TableDefinition};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::world::{World, batch, column, definition, not_null, parquet_bytes};

const ROWS: usize = 3_000;
/// 0001-01-01 and 9999-12-31 as days and as microseconds.
const FIRST_DAY: i32 = -719_162;
const LAST_DAY: i32 = 2_932_896;
const DAY: i64 = 86_400_000_000;

/// Runs a script of `tests/oracles` with the environment's Python.
pub fn python(script: &str, arguments: &[&str]) -> String {
    let output = interpreter(script).args(arguments).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    text
}

/// The command that runs a script of `tests/oracles` with the packages of `make venv`.
pub fn interpreter(script: &str) -> Command {
    let workspace = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let venv = std::env::var_os("LONGSHORE_VENV").map_or_else(|| workspace.join(".venv"), PathBuf::from);
    let python = venv.join("bin/python");
    assert!(python.exists(), "{} is not there; run `make venv`", python.display());
    let mut command = Command::new(python);
    command.arg(workspace.join("worker/tests/oracles").join(script));
    command
}

/// A NULL now and then.
fn some<T>(random: &mut StdRng, value: T) -> Option<T> {
    (!random.random_ratio(1, 9)).then_some(value)
}

/// Rows of every type that a table can have. `extreme` rows hold the ends of the calendar.
fn rows(random: &mut StdRng, first_id: i64) -> RecordBatch {
    let extreme: Vec<bool> = (0..ROWS).map(|row| row % 50 == 7).collect();
    let days: Vec<i32> = extreme
        .iter()
        .map(|extreme| match extreme {
            true => [FIRST_DAY, LAST_DAY][usize::from(random.random::<bool>())],
            false => random.random_range(-20_000..100_000),
        })
        .collect();
    let instants: Vec<i64> =
        days.iter().map(|day| i64::from(*day) * DAY + random.random_range(0..DAY)).collect();
    let mut make = |name: &'static str| -> (&'static str, ArrayRef) { (name, values(random, name)) };
    let mut columns: Vec<(&str, ArrayRef)> =
        vec![("id", Arc::new(Int64Array::from_iter_values((first_id..).take(ROWS))))];
    columns.extend(
        ["flag", "tiny", "small", "int", "big", "large", "real", "double", "money", "wide"].map(&mut make),
    );
    columns.extend(["fixed", "text", "json", "bytes", "list", "map", "struct"].map(make));
    columns.push(("day", Arc::new(days.into_iter().map(|day| some(random, day)).collect::<Date32Array>())));
    let instants = instants.into_iter().map(|instant| some(random, instant));
    columns.push(("dt", Arc::new(instants.collect::<TimestampMicrosecondArray>())));
    columns.push(("extreme", Arc::new(BooleanArray::from(extreme))));
    batch(columns)
}

fn values(random: &mut StdRng, name: &str) -> ArrayRef {
    let r = random;
    macro_rules! column {
        ($array:ty, $value:expr) => {
            Arc::new(
                (0..ROWS)
                    .map(|_| {
                        let value = $value;
                        some(r, value)
                    })
                    .collect::<$array>(),
            )
        };
    }
    match name {
        "flag" => Arc::new(BooleanArray::from_iter((0..ROWS).map(|_| {
            let value = r.random::<bool>();
            some(r, value)
        }))),
        "tiny" => column!(Int8Array, r.random::<i8>()),
        "small" => column!(Int16Array, r.random::<i16>()),
        "int" => column!(Int32Array, r.random::<i32>()),
        "big" => column!(Int64Array, r.random::<i64>()),
        "real" => column!(Float32Array, r.random_range(-1.0e30_f32..1.0e30)),
        "double" => column!(Float64Array, r.random_range(-1.0e300_f64..1.0e300)),
        "large" => decimals(r, 38, 0, 10_i128.pow(38) - 1),
        "money" => decimals(r, 9, 2, 999_999_999),
        "wide" => decimals(r, 38, 10, 10_i128.pow(38) - 1),
        "fixed" => column!(StringArray, ["ab", "cd", "äö"][r.random_range(0..3)]),
        "text" => column!(StringArray, text(r)),
        "json" => column!(StringArray, format!("{{\"n\": {}}}", r.random::<i32>())),
        "bytes" => {
            let mut bytes = BinaryBuilder::new();
            for _ in 0..ROWS {
                let value: [u8; 5] = r.random();
                bytes.append_option(some(r, value));
            }
            Arc::new(bytes.finish())
        }
        "list" => {
            let mut lists = ListBuilder::new(Int32Builder::new());
            for _ in 0..ROWS {
                let length = r.random_range(0..4);
                let value: Vec<_> = (0..length)
                    .map(|_| {
                        let value = r.random();
                        some(r, value)
                    })
                    .collect();
                lists.append_option(some(r, value));
            }
            Arc::new(lists.finish())
        }
        "map" => maps(r),
        _ => {
            let number: ArrayRef = column!(Int64Array, r.random::<i64>());
            let words: ArrayRef = column!(StringArray, text(r));
            Arc::new(StructArray::from(vec![
                (Arc::new(Field::new("x", Arrow::Int64, true)), number),
                (Arc::new(Field::new("y", Arrow::Utf8, true)), words),
            ]))
        }
    }
}

fn text(random: &mut StdRng) -> String {
    let pool = ["", "a", "Ω", "日本", "quote\"s", "tab\t", "long, long, long, long, long, long text", "😀"];
    (0..random.random_range(0..4)).map(|_| pool[random.random_range(0..pool.len())]).collect()
}

fn decimals(random: &mut StdRng, precision: u8, scale: i8, limit: i128) -> ArrayRef {
    let values = (0..ROWS).map(|_| {
        let value = random.random_range(-limit..=limit);
        some(random, value)
    });
    Arc::new(values.collect::<Decimal128Array>().with_precision_and_scale(precision, scale).unwrap())
}

fn maps(random: &mut StdRng) -> ArrayRef {
    let names = MapFieldNames { entry: "key_value".into(), key: "key".into(), value: "value".into() };
    let mut maps = MapBuilder::new(Some(names), StringBuilder::new(), Int32Builder::new());
    for _ in 0..ROWS {
        for key in 0..random.random_range(0..3) {
            maps.keys().append_value(format!("k{key}"));
            let value = random.random();
            maps.values().append_option(some(random, value));
        }
        maps.append(!random.random_ratio(1, 9)).unwrap();
    }
    Arc::new(maps.finish())
}

fn table() -> World {
    World::with_table(&definition(columns()))
}

fn columns() -> Vec<Column> {
    vec![
        not_null(column("id", "BIGINT")),
        column("flag", "BOOLEAN"),
        column("tiny", "TINYINT"),
        column("small", "SMALLINT"),
        column("int", "INT"),
        column("big", "BIGINT"),
        column("large", "LARGEINT"),
        column("real", "FLOAT"),
        column("double", "DOUBLE"),
        column("money", "DECIMAL(9,2)"),
        column("wide", "DECIMAL(38,10)"),
        column("fixed", "CHAR(4)"),
        column("text", "VARCHAR(400)"),
        column("json", "JSON"),
        column("bytes", "VARBINARY"),
        column("list", "ARRAY<INT>"),
        column("map", "MAP<STRING,INT>"),
        column("struct", "STRUCT<x BIGINT, y STRING>"),
        column("day", "DATE"),
        column("dt", "DATETIME"),
        column("extreme", "BOOLEAN"),
    ]
}

#[test]
fn four_engines_read_every_type_alike() {
    let world = table();
    let mut random = StdRng::seed_from_u64(11);
    let batches: Vec<_> = (0..3).map(|file| rows(&mut random, file * ROWS as i64)).collect();
    for (number, batch) in batches.iter().enumerate() {
        let key = format!("{number}.parquet");
        world.put_batch(&key, batch);
        let report = world.load(world.request(&format!("load-{number}"), &key));
        assert_eq!((report.outcome, report.counts.sink_rows), (Outcome::Loaded, ROWS as u64), "{report:?}");
    }
    let source = world.folder.path().join("source.parquet");
    let all = arrow::compute::concat_batches(&batches[0].schema(), &batches).unwrap();
    std::fs::write(&source, parquet_bytes(&all)).unwrap();
    println!("{}", python("read.py", &[world.root().to_str().unwrap(), source.to_str().unwrap()]));
}

#[test]
fn four_engines_read_a_partitioned_table() {
    let mut random = StdRng::seed_from_u64(13);
    // A file or two for each year or text: few rows make many files, which every filter opens.
    let rows = rows(&mut random, 0).slice(0, 200);
    let term = |name: &str| PartitionTerm::Column(name.to_owned());
    let day = PartitionTerm::DateTrunc { unit: DateUnit::Year, column: "dt".to_owned() };
    // Text with quotes, tabs, blanks, emoji, without a character; NULL in both.
    for by in [vec![day], vec![term("text")]] {
        let definition =
            TableDefinition { partition_by: PartitionBy::Expression(by), ..definition(columns()) };
        let world = World::with_table(&definition);
        world.put_batch("rows.parquet", &rows);
        let report = world.load(world.request("rows", "rows.parquet"));
        assert_eq!((report.outcome, report.counts.sink_rows), (Outcome::Loaded, 200), "{report:?}");
        let partitions = world.table().partitions().unwrap();
        assert!(partitions.len() > 50, "{} partitions", partitions.len());
        let source = world.folder.path().join("source.parquet");
        std::fs::write(&source, parquet_bytes(&rows)).unwrap();
        println!("{}", python("read.py", &[world.root().to_str().unwrap(), source.to_str().unwrap()]));
    }
}

#[test]
fn four_engines_read_a_table_from_its_checkpoint() {
    let world = table();
    let mut random = StdRng::seed_from_u64(12);
    let rows = rows(&mut random, 0);
    world.put_batch("0.parquet", &rows);
    assert_eq!(world.load(world.request("rows", "0.parquet")).outcome, Outcome::Loaded);
    for number in 0..60 {
        let mut request = world.request(&format!("empty-{number}"), "nothing/*.parquet");
        request.allow_empty = true;
        assert_eq!(world.load(request).outcome, Outcome::Loaded);
    }
    assert!(world.root().join("_delta_log/_last_checkpoint").exists(), "no checkpoint was made");
    let source = world.folder.path().join("source.parquet");
    std::fs::write(&source, parquet_bytes(&rows)).unwrap();
    println!("{}", python("read.py", &[world.root().to_str().unwrap(), source.to_str().unwrap()]));
}
