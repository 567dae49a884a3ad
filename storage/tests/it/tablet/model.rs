//! Against a model: the rows of each tablet are a stable sort of what was appended, spilled or not.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use arrow::array::*;
use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{DataType as ArrowType, Int32Type, Int64Type};
use arrow::row::{RowConverter, SortField};
use longshore_storage::types::DataType;
use longshore_storage::types::bucket_hash::{bucket, combine, hash_bytes, hash_long};
use proptest::prelude::*;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use super::*;

const BUCKETS: u32 = 3;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Shape {
    /// One small integer: number and row share a word.
    Small,
    /// 64 bits of integer: numbers beside rows.
    Wide,
    /// Two columns in one number.
    Pair,
    /// More than 64 bits in all.
    TooWide,
    /// Text with few values, as dictionaries.
    Codes,
    /// Text with few values, then batches without a dictionary.
    Mixed,
    /// Text with many values.
    Texts,
    /// Floats.
    Floats,
    /// No sort key: the order of arrival.
    None,
}

fn columns(shape: Shape) -> Vec<(&'static str, DataType)> {
    let key = match shape {
        Shape::Small | Shape::None => vec![("a", DataType::Int)],
        Shape::Wide => vec![("a", DataType::BigInt)],
        Shape::Pair => vec![("a", DataType::SmallInt), ("b", DataType::DateTime)],
        Shape::TooWide => vec![("a", DataType::BigInt), ("b", DataType::BigInt)],
        Shape::Codes | Shape::Mixed | Shape::Texts => vec![("a", DataType::String)],
        Shape::Floats => vec![("a", DataType::Double), ("b", DataType::Int)],
    };
    [key, vec![("h", DataType::Int), ("t", DataType::Varchar(20)), ("row", DataType::BigInt)]].concat()
}

fn key_array(shape: Shape, name: &str, rows: usize, rng: &mut SmallRng) -> ArrayRef {
    let null = |rng: &mut SmallRng| rng.random_ratio(1, 50);
    let mut integers = |low: i64, high: i64| -> Int64Array {
        (0..rows).map(|_| (!null(rng)).then(|| rng.random_range(low..=high))).collect()
    };
    let of = |values: Int64Array, to: ArrowType| cast(&values, &to).unwrap();
    match (shape, name) {
        (Shape::Small | Shape::None, _) => of(integers(-300, 300), ArrowType::Int32),
        (Shape::Wide | Shape::TooWide, _) => Arc::new(integers(i64::MIN, i64::MAX)),
        (Shape::Pair, "a") => of(integers(-5, 5), ArrowType::Int16),
        (Shape::Pair, _) => {
            let values = integers(1_511_000_000_000_000, 1_511_000_000_900_000);
            Arc::new(values.reinterpret_cast::<arrow::datatypes::TimestampMicrosecondType>())
        }
        (Shape::Codes | Shape::Mixed, _) => {
            let texts = cast(&integers(-20, 20), &ArrowType::Utf8).unwrap();
            let dictionary = ArrowType::Dictionary(Box::new(ArrowType::Int32), Box::new(ArrowType::Utf8));
            let plain = shape == Shape::Mixed && rng.random_ratio(1, 6);
            if plain { texts } else { cast(&texts, &dictionary).unwrap() }
        }
        (Shape::Texts, _) => of(integers(0, 1 << 40), ArrowType::Utf8),
        (Shape::Floats, "a") => {
            let values = cast(&integers(-3, 3), &ArrowType::Float64).unwrap();
            let values = values.as_primitive::<arrow::datatypes::Float64Type>();
            Arc::new(
                values
                    .unary::<_, arrow::datatypes::Float64Type>(|v| if v == 2.0 { f64::NAN } else { v / 2.0 }),
            )
        }
        (Shape::Floats, _) => of(integers(0, 5), ArrowType::Int32),
    }
}

fn batches(shape: Shape, schema: &TableSchema, rows: usize, seed: u64) -> Vec<RecordBatch> {
    let mut rng = SmallRng::seed_from_u64(seed);
    let mut made = Vec::new();
    let mut start = 0;
    while start < rows {
        let count = rng.random_range(1..20_000).min(rows - start);
        let names = columns(shape);
        let keys = names.len() - 3;
        let mut arrays: Vec<ArrayRef> =
            names[..keys].iter().map(|(name, _)| key_array(shape, name, count, &mut rng)).collect();
        arrays.push(Arc::new(
            (0..count)
                .map(|_| rng.random_ratio(9, 10).then(|| rng.random_range(0..1000)))
                .collect::<Int32Array>(),
        ));
        let texts =
            (0..count).map(|_| rng.random_ratio(9, 10).then(|| ["x", "yy", ""][rng.random_range(0..3)]));
        let texts: DictionaryArray<Int32Type> = texts.collect();
        arrays.push(Arc::new(texts));
        arrays.push(Arc::new(Int64Array::from_iter_values(start as i64..(start + count) as i64)));
        made.push(batch(schema, arrays));
        start += count;
    }
    made
}

/// Row numbers by bucket, in the order due.
fn model(schema: &TableSchema, batches: &[RecordBatch]) -> BTreeMap<u32, Vec<i64>> {
    let plain: Vec<RecordBatch> = batches
        .iter()
        .map(|batch| {
            let columns = batch.columns().iter().zip(schema.arrow().fields());
            let columns = columns.map(|(array, field)| cast(array, field.data_type()).unwrap()).collect();
            RecordBatch::try_new(Arc::clone(schema.arrow()), columns).unwrap()
        })
        .collect();
    let all = concat_batches(schema.arrow(), &plain).unwrap();
    let fields =
        schema.sort_key().iter().map(|&c| SortField::new(schema.arrow().field(c).data_type().clone()));
    let converter = RowConverter::new(fields.collect()).unwrap();
    let keys: Vec<ArrayRef> = schema.sort_key().iter().map(|&c| Arc::clone(all.column(c))).collect();
    let rows = (!keys.is_empty()).then(|| converter.convert_columns(&keys).unwrap());
    let h = all.column_by_name("h").unwrap().as_primitive::<Int32Type>().clone();
    let t = all.column_by_name("t").unwrap().as_string::<i32>().clone();
    let mut due = BTreeMap::<u32, Vec<i64>>::new();
    for row in 0..all.num_rows() {
        let first = if h.is_valid(row) { hash_long(h.value(row).into()) } else { 0 };
        let second = if t.is_valid(row) { hash_bytes(t.value(row).as_bytes()) } else { 0 };
        due.entry(bucket(combine(first, second), BUCKETS)).or_default().push(row as i64);
    }
    if let Some(rows) = rows {
        let order = |a: &i64, b: &i64| rows.row(*a as usize).cmp(&rows.row(*b as usize));
        due.values_mut().for_each(|of_bucket| of_bucket.sort_by(order));
    }
    due
}

fn check(shape: Shape, options: WriterOptions, rows: usize, seed: u64) -> (u64, u64) {
    let order: Vec<&str> = match shape {
        Shape::None => vec![],
        Shape::Pair | Shape::TooWide | Shape::Floats => vec!["a", "b"],
        _ => vec!["a"],
    };
    let schema = table(&columns(shape), &order, hash(&["h", "t"], BUCKETS));
    let batches = batches(shape, &schema, rows, seed);
    let root = tempfile::tempdir().unwrap();
    let (segments, metrics) =
        write(root.path(), &schema, options, &batches).unwrap_or_else(|e| panic!("{shape:?}: {e}"));
    let due = model(&schema, &batches);
    for bucket in 0..BUCKETS {
        let own: Vec<Segment> = segments.iter().filter(|s| s.bucket == bucket).cloned().collect();
        let got = read(root.path(), &schema, &own, None);
        let numbers = got.column_by_name("row").unwrap().as_primitive::<Int64Type>().values().to_vec();
        let due = due.get(&bucket).cloned().unwrap_or_default();
        assert!(numbers == due, "{shape:?}: bucket {bucket} has other rows or another order");
        // The rest of each row came with it.
        let all: Vec<RecordBatch> =
            batches.iter().map(|b| b.project(&[b.num_columns() - 3]).unwrap()).collect();
        let all = concat_batches(&all[0].schema(), &all).unwrap();
        let came: Vec<_> = integers(&got, got.num_columns() - 3);
        let expected = all.column(0).as_primitive::<Int32Type>();
        let expected: Vec<_> = due
            .iter()
            .map(|row| expected.is_valid(*row as usize).then(|| expected.value(*row as usize)))
            .collect();
        assert_eq!(came, expected, "{shape:?}");
    }
    assert_eq!(files_below(root.path()).len(), segments.len());
    (metrics.runs.load(Ordering::Relaxed), metrics.spilled_bytes.load(Ordering::Relaxed))
}

const SHAPES: [Shape; 9] = [
    Shape::Small,
    Shape::Wide,
    Shape::Pair,
    Shape::TooWide,
    Shape::Codes,
    Shape::Mixed,
    Shape::Texts,
    Shape::Floats,
    Shape::None,
];

#[test]
fn many_spills_give_what_memory_gives() {
    for shape in SHAPES {
        // Enough runs for merges in several rounds.
        let (runs, spilled) = check(shape, tiny(), 280_000, 7);
        assert!(runs > 8 && spilled > 0, "{shape:?}: {runs} runs, {spilled} bytes spilled");
        let (runs, spilled) = check(shape, WriterOptions::default(), 200_000, 7);
        assert_eq!((runs, spilled), (1, 0), "{shape:?}");
    }
}

#[test]
fn sorted_input_stays() {
    let schema = table(&[("a", DataType::Int)], &["a"], hash(&["a"], 1));
    let root = tempfile::tempdir().unwrap();
    let rows: ArrayRef = Arc::new(Int32Array::from_iter_values(0..100_000));
    let (segments, _) = write(root.path(), &schema, tiny(), &[batch(&schema, vec![rows])]).unwrap();
    let got = integers(&read(root.path(), &schema, &segments, None), 0);
    assert!(got.into_iter().flatten().eq(0..100_000));
}

#[test]
fn runs_that_fill_segments_are_never_spilled() {
    let schema = table(&[("a", DataType::BigInt)], &["a"], hash(&["a"], 2));
    let root = tempfile::tempdir().unwrap();
    let mut rng = SmallRng::seed_from_u64(1);
    let rows: ArrayRef = Arc::new(Int64Array::from_iter_values((0..300_000).map(|_| rng.random())));
    let options = WriterOptions { min_segment_bytes: 20_000, ..tiny() };
    let (segments, metrics) = write(root.path(), &schema, options, &[batch(&schema, vec![rows])]).unwrap();
    assert_eq!(metrics.spilled_bytes.load(Ordering::Relaxed), 0);
    let runs = metrics.runs.load(Ordering::Relaxed);
    assert!(runs > 2 && segments.len() as u64 == 2 * runs, "{runs} runs, {} segments", segments.len());
}

#[test]
fn segments_end_near_the_target() {
    let schema = table(&[("a", DataType::BigInt)], &["a"], hash(&["a"], 1));
    let root = tempfile::tempdir().unwrap();
    let mut rng = SmallRng::seed_from_u64(1);
    let rows: ArrayRef = Arc::new(Int64Array::from_iter_values((0..400_000).map(|_| rng.random())));
    let options = WriterOptions { target_segment_bytes: 1_000_000, ..tiny() };
    let (segments, _) = write(root.path(), &schema, options, &[batch(&schema, vec![rows])]).unwrap();
    assert!(segments.len() >= 3, "{} segments", segments.len());
    assert!(segments.iter().all(|segment| segment.bytes < 1_300_000));
    assert_eq!(segments.iter().map(|segment| segment.rows).sum::<u64>(), 400_000);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]
    #[test]
    fn any_batches_any_budget(
        shape in prop::sample::select(&SHAPES),
        rows in 1usize..60_000,
        seed: u64,
        budget in (1usize << 20)..(6 << 20),
        threads in 1usize..3,
    ) {
        check(shape, WriterOptions { budget_bytes: budget, threads, ..WriterOptions::default() }, rows, seed);
    }
}
