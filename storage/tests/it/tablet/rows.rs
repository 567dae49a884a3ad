//! Every type comes back; names and folders are as the layout says.

use std::sync::Arc;

use arrow::array::*;
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType as ArrowType, Fields, Int32Type};
use longshore_storage::schema::Distribution;
use longshore_storage::types::{DataType, StructField};

use super::*;

/// All types, with NULLs; `rows` rows.
pub fn every_type(rows: usize) -> (Arc<TableSchema>, RecordBatch) {
    let list = DataType::Array(Box::new(DataType::Int));
    let map = DataType::Map(Box::new(DataType::String), Box::new(DataType::Double));
    let record = DataType::Struct(vec![
        StructField { name: "x".into(), data_type: DataType::BigInt },
        StructField { name: "y".into(), data_type: DataType::Array(Box::new(DataType::String)) },
    ]);
    let columns = [
        ("id", DataType::Int),
        ("b", DataType::Boolean),
        ("i8", DataType::TinyInt),
        ("i16", DataType::SmallInt),
        ("i64", DataType::BigInt),
        ("i128", DataType::LargeInt),
        ("f32", DataType::Float),
        ("f64", DataType::Double),
        ("dec9", DataType::Decimal { precision: 9, scale: 2 }),
        ("dec18", DataType::Decimal { precision: 18, scale: 4 }),
        ("dec38", DataType::Decimal { precision: 38, scale: 10 }),
        ("day", DataType::Date),
        ("at", DataType::DateTime),
        ("c", DataType::Char(3)),
        ("v", DataType::Varchar(100)),
        ("s", DataType::String),
        ("bin", DataType::Varbinary(None)),
        ("j", DataType::Json),
        ("list", list),
        ("map", map),
        ("rec", record),
    ];
    let schema = table(&columns, &["id"], hash(&["id"], 3));
    let n = rows as i64;
    let keep = |i: i64| i % 7 != 3;
    let some = |i: i64| keep(i).then_some(i);
    let text = |i: i64| keep(i).then(|| format!("texte nº {i}"));
    let decimals = |p: u8, s: i8, factor: i128| {
        let array: Decimal128Array = (0..n).map(|i| some(i).map(|i| i128::from(i - 40) * factor)).collect();
        Arc::new(array.with_precision_and_scale(p, s).unwrap()) as ArrayRef
    };
    let ArrowType::Map(entry, _) = schema.arrow().field(19).data_type().clone() else { panic!("a map") };
    let ArrowType::Struct(entry_fields) = entry.data_type().clone() else { panic!("entries") };
    let entries = StructArray::new(
        entry_fields,
        vec![
            Arc::new(StringArray::from_iter_values((0..n).map(|i| format!("k{i}")))),
            Arc::new(Float64Array::from_iter((0..n).map(|i| some(i).map(|i| i as f64 / 3.0)))),
        ],
        None,
    );
    let nulls = || Some(NullBuffer::from_iter((0..n).map(|i| i % 5 != 2)));
    let ones = || OffsetBuffer::from_lengths(std::iter::repeat_n(1, rows));
    let ArrowType::List(element) = schema.arrow().field(18).data_type().clone() else { panic!("a list") };
    let numbers = || Arc::new(Int32Array::from_iter((0..n).map(|i| some(i).map(|i| i as i32)))) as ArrayRef;
    let ArrowType::Struct(fields) = schema.arrow().field(20).data_type().clone() else { panic!("a record") };
    let fields: Fields = fields;
    let ArrowType::List(inner) = fields[1].data_type().clone() else { panic!("a list") };
    let texts = Arc::new(StringArray::from_iter((0..n).map(text)));
    let record = StructArray::new(
        fields,
        vec![
            Arc::new(Int64Array::from_iter((0..n).map(some))),
            Arc::new(ListArray::new(inner, ones(), texts, nulls())),
        ],
        nulls(),
    );
    let arrays: Vec<ArrayRef> = vec![
        Arc::new(Int32Array::from_iter((0..n).map(|i| some((i * 7919) % 1000).map(|i| i as i32)))),
        Arc::new(BooleanArray::from_iter((0..n).map(|i| keep(i).then_some(i % 2 == 0)))),
        Arc::new(Int8Array::from_iter((0..n).map(|i| some(i).map(|i| i as i8)))),
        Arc::new(Int16Array::from_iter((0..n).map(|i| some(i).map(|i| i as i16)))),
        Arc::new(Int64Array::from_iter((0..n).map(|i| some(i).map(|i| i64::MIN + i)))),
        decimals(38, 0, 10i128.pow(34)),
        Arc::new(Float32Array::from_iter((0..n).map(|i| some(i).map(|i| i as f32 / 7.0)))),
        Arc::new(Float64Array::from_iter(
            (0..n).map(|i| some(i).map(|i| if i == 5 { f64::NAN } else { -(i as f64) })),
        )),
        decimals(9, 2, 1),
        decimals(18, 4, 10i128.pow(12)),
        decimals(38, 10, 10i128.pow(30)),
        Arc::new(Date32Array::from_iter((0..n).map(|i| some(i).map(|i| i as i32 - 50)))),
        Arc::new(TimestampMicrosecondArray::from_iter((0..n).map(|i| some(i).map(|i| i * 999_999 - 3)))),
        Arc::new(StringArray::from_iter((0..n).map(|i| keep(i).then(|| format!("{:03}", i % 10))))),
        Arc::new(StringArray::from_iter((0..n).map(text))),
        Arc::new(
            (0..n)
                .map(|i| keep(i).then_some(["pv", "buy", "cart"][i as usize % 3]))
                .collect::<DictionaryArray<Int32Type>>(),
        ),
        Arc::new(BinaryArray::from_iter((0..n).map(|i| keep(i).then(|| vec![0xff, i as u8])))),
        Arc::new(StringArray::from_iter((0..n).map(|i| keep(i).then(|| format!("{{\"a\":{i}}}"))))),
        Arc::new(ListArray::new(element, ones(), numbers(), nulls())),
        Arc::new(MapArray::new(entry, ones(), entries, nulls(), false)),
        Arc::new(record),
    ];
    let batch = batch(&schema, arrays);
    (schema, batch)
}

fn sorted_model(schema: &Arc<TableSchema>, batches: &[RecordBatch], got: &RecordBatch) {
    // Rows are told apart by rendering: the multiset must be the same.
    let render = |batch: &RecordBatch| {
        let columns: Vec<ArrayRef> = batch
            .columns()
            .iter()
            .zip(schema.arrow().fields())
            .map(|(array, field)| arrow::compute::cast(array, field.data_type()).unwrap())
            .collect();
        let format = arrow::util::display::FormatOptions::new().with_null("∅");
        let shown: Vec<_> = columns
            .iter()
            .map(|array| arrow::util::display::ArrayFormatter::try_new(array, &format).unwrap())
            .collect();
        let row = |row: usize| shown.iter().map(|column| column.value(row).to_string()).collect::<Vec<_>>();
        (0..batch.num_rows()).map(row).collect::<Vec<_>>()
    };
    let mut due: Vec<_> = batches.iter().flat_map(render).collect();
    let mut rows = render(got);
    due.sort();
    rows.sort();
    assert_eq!(rows, due);
}

#[test]
fn every_type_comes_back_from_memory() {
    let root = tempfile::tempdir().unwrap();
    let (schema, batch) = every_type(100);
    let (segments, metrics) =
        write(root.path(), &schema, WriterOptions::default(), std::slice::from_ref(&batch)).unwrap();
    assert_eq!(segments.len(), 3);
    let got = read(root.path(), &schema, &segments, None);
    sorted_model(&schema, &[batch], &got);
    assert_eq!(metrics.written_rows.load(std::sync::atomic::Ordering::Relaxed), 100);
    for segment in &segments {
        let prefix = format!("b-{:05}/", segment.bucket);
        let name = segment.path.strip_prefix(&prefix).unwrap();
        // The first 16 hex digits of the SHA-256 of "l".
        assert!(name.starts_with("acac86c0e609ca90-1-2-3-"), "{name}");
        assert!(name.ends_with("-00112233aabbccdd.parquet"), "{name}");
        assert_eq!(std::fs::metadata(root.path().join(&segment.path)).unwrap().len(), segment.bytes);
        let stats: serde_json::Value = serde_json::from_str(&segment.stats).unwrap();
        assert_eq!(stats["numRecords"], segment.rows);
        assert!(stats["minValues"]["id"].is_number() && stats["maxValues"]["v"].is_string(), "{stats}");
        assert!(stats["minValues"].get("list").is_none() && stats["minValues"].get("bin").is_none());
    }
    let nan: Vec<bool> = segments.iter().map(|segment| !segment.stats.contains("\"f64\":-")).collect();
    assert_eq!(nan.iter().filter(|nan| **nan).count(), 1, "one segment holds the NaN and has no bounds");
}

#[test]
fn every_type_comes_back_through_spills() {
    let root = tempfile::tempdir().unwrap();
    let (schema, batch) = every_type(600);
    let batches: Vec<RecordBatch> = std::iter::repeat_n(batch, 20).collect();
    let options = WriterOptions { budget_bytes: 3 << 20, ..tiny() };
    let (segments, metrics) = write(root.path(), &schema, options, &batches).unwrap();
    assert!(metrics.spilled_bytes.load(std::sync::atomic::Ordering::Relaxed) > 0);
    let due = concat_batches(&batches[0].schema(), &batches).unwrap();
    sorted_model(&schema, &[due], &read(root.path(), &schema, &segments, None));
    assert_eq!(files_below(root.path()).len(), segments.len(), "no spill is left");
}

#[test]
fn no_rows_make_no_segments() {
    let root = tempfile::tempdir().unwrap();
    let (schema, batch) = every_type(10);
    let (segments, _) = write(root.path(), &schema, tiny_wide(), &[batch.slice(0, 0)]).unwrap();
    assert!(segments.is_empty());
    assert!(files_below(root.path()).is_empty());
}

fn tiny_wide() -> WriterOptions {
    WriterOptions { budget_bytes: 3 << 20, ..tiny() }
}

#[test]
fn a_budget_that_cannot_work_is_refused() {
    let (schema, _) = every_type(1);
    let options = WriterOptions { budget_bytes: 100_000, ..WriterOptions::default() };
    let error = TabletWriter::new(
        posix(),
        "nowhere".into(),
        schema,
        identity(),
        options,
        Arc::new(WriterMetrics::default()),
    );
    assert_eq!(error.unwrap_err().category(), "MemoryBudgetTooSmall");
}

#[test]
fn types_without_a_hash_cannot_distribute() {
    for data_type in [DataType::Boolean, DataType::Float, DataType::Double, DataType::Json] {
        let schema = table(&[("x", data_type)], &[], hash(&["x"], 2));
        let metrics = Arc::new(WriterMetrics::default());
        let made = TabletWriter::new(posix(), "nowhere".into(), schema, identity(), tiny(), metrics);
        assert_eq!(made.unwrap_err().category(), "UnsupportedDistribution");
    }
}

#[test]
fn random_distribution_fills_all_tablets_evenly() {
    let root = tempfile::tempdir().unwrap();
    let schema = table(&[("x", DataType::Int)], &["x"], Distribution::Random { buckets: 4 });
    let rows: ArrayRef = Arc::new(Int32Array::from_iter_values((0..100_000).rev()));
    let (segments, _) = write(root.path(), &schema, tiny(), &[batch(&schema, vec![rows])]).unwrap();
    let of = |bucket| segments.iter().filter(|s| s.bucket == bucket).map(|s| s.rows).sum::<u64>();
    for bucket in 0..4 {
        assert!(of(bucket).abs_diff(25_000) <= 8192, "{bucket}: {}", of(bucket));
    }
    assert_eq!((0..4).map(of).sum::<u64>(), 100_000);
}
