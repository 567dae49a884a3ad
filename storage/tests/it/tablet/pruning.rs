//! A filter never loses a row to statistics, and statistics do rule files out.

use std::sync::Arc;

use arrow::array::*;
use arrow::compute::cast;
use arrow::datatypes::TimestampMicrosecondType;
use longshore_storage::scan::CompareOp;
use longshore_storage::types::DataType;
use proptest::prelude::*;

use super::*;

const OPS: [CompareOp; 6] = [
    CompareOp::Equal,
    CompareOp::NotEqual,
    CompareOp::Less,
    CompareOp::LessOrEqual,
    CompareOp::Greater,
    CompareOp::GreaterOrEqual,
];

fn holds<T: PartialOrd>(op: CompareOp, a: &T, b: &T) -> bool {
    match op {
        CompareOp::Equal => a == b,
        CompareOp::NotEqual => a != b,
        CompareOp::Less => a < b,
        CompareOp::LessOrEqual => a <= b,
        CompareOp::Greater => a > b,
        CompareOp::GreaterOrEqual => a >= b,
    }
}

/// Writes one segment of one column.
fn segment(root: &Path, data_type: DataType, values: ArrayRef) -> (Arc<TableSchema>, Vec<Segment>) {
    let schema = table(&[("x", data_type)], &["x"], Distribution::Random { buckets: 1 });
    let rows = batch(&schema, vec![values]);
    let (segments, _) = write(root, &schema, tiny(), &[rows]).unwrap();
    (schema, segments)
}

fn count(root: &Path, schema: &Arc<TableSchema>, segments: &[Segment], predicate: &Predicate) -> usize {
    read(root, schema, segments, Some(predicate)).num_rows()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]
    #[test]
    fn a_microsecond_around_the_bounds_loses_no_row(
        values in prop::collection::vec(
            prop_oneof![Just(None), (-4_000i64..4_000).prop_map(Some), any::<i64>().prop_map(Some)], 1..30),
        offset in -1i64..=1,
        pick: prop::sample::Index,
    ) {
        let root = tempfile::tempdir().unwrap();
        let array: ArrayRef = Arc::new(values.iter().copied().collect::<TimestampMicrosecondArray>());
        let (schema, segments) = segment(root.path(), DataType::DateTime, array);
        let value = pick.get(&values).unwrap_or(0).saturating_add(offset);
        for op in OPS {
            let literal: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![value]));
            let predicate = Predicate::Compare { column: 0, op, value: literal };
            let due = values.iter().flatten().filter(|v| holds(op, *v, &value)).count();
            prop_assert_eq!(count(root.path(), &schema, &segments, &predicate), due, "{:?} {}", op, value);
        }
        let nulls = values.iter().filter(|v| v.is_none()).count();
        prop_assert_eq!(count(root.path(), &schema, &segments, &Predicate::IsNull(0)), nulls);
        prop_assert_eq!(count(root.path(), &schema, &segments, &Predicate::IsNotNull(0)), values.len() - nulls);
    }

    #[test]
    fn long_text_loses_no_row(
        values in prop::collection::vec("(a{30,34}|\u{10ffff}{30,34}|.{0,4}|[a-z]{100,600}|é{40})", 1..12),
        pick: prop::sample::Index,
    ) {
        let root = tempfile::tempdir().unwrap();
        let array: ArrayRef = Arc::new(StringArray::from(values.clone()));
        let (schema, segments) = segment(root.path(), DataType::String, array);
        let value = pick.get(&values).clone();
        for op in OPS {
            let literal: ArrayRef = Arc::new(StringArray::from(vec![value.clone()]));
            let predicate = Predicate::Compare { column: 0, op, value: literal };
            let due = values.iter().filter(|v| holds(op, *v, &value)).count();
            prop_assert_eq!(count(root.path(), &schema, &segments, &predicate), due, "{:?} {}", op, value);
        }
    }

    #[test]
    fn floats_lose_no_row(
        values in prop::collection::vec(
            prop_oneof![Just(0.0), Just(-0.0), Just(f64::INFINITY), any::<f64>().prop_filter("", |v| !v.is_nan())], 1..12),
        pick: prop::sample::Index,
    ) {
        let root = tempfile::tempdir().unwrap();
        let array: ArrayRef = Arc::new(Float64Array::from(values.clone()));
        let (schema, segments) = segment(root.path(), DataType::Double, array);
        let value = *pick.get(&values);
        for op in OPS {
            let predicate = Predicate::Compare { column: 0, op, value: Arc::new(Float64Array::from(vec![value])) };
            let due = values.iter().filter(|v| holds(op, *v, &value)).count();
            prop_assert_eq!(count(root.path(), &schema, &segments, &predicate), due, "{:?} {}", op, value);
        }
    }

    #[test]
    fn decimals_lose_no_row(values in prop::collection::vec(-(10i128.pow(37))..10i128.pow(37), 1..12), offset in -1i128..=1, pick: prop::sample::Index) {
        let root = tempfile::tempdir().unwrap();
        let of = |values: Vec<i128>| -> ArrayRef {
            Arc::new(Decimal128Array::from(values).with_precision_and_scale(38, 5).unwrap())
        };
        let data_type = DataType::Decimal { precision: 38, scale: 5 };
        let (schema, segments) = segment(root.path(), data_type, of(values.clone()));
        let value = pick.get(&values) + offset;
        for op in OPS {
            let predicate = Predicate::Compare { column: 0, op, value: of(vec![value]) };
            let due = values.iter().filter(|v| holds(op, *v, &value)).count();
            prop_assert_eq!(count(root.path(), &schema, &segments, &predicate), due, "{:?} {}", op, value);
        }
    }
}

#[test]
fn nan_has_no_bounds_and_is_above_all() {
    let root = tempfile::tempdir().unwrap();
    let array: ArrayRef = Arc::new(Float32Array::from(vec![1.0, f32::NAN, 2.0]));
    let (schema, segments) = segment(root.path(), DataType::Float, array);
    assert!(segments[0].stats.contains(r#""minValues":{},"maxValues":{}"#), "{}", segments[0].stats);
    let above = Predicate::Compare {
        column: 0,
        op: CompareOp::Greater,
        value: Arc::new(Float32Array::from(vec![5.0])),
    };
    assert_eq!(count(root.path(), &schema, &segments, &above), 1);
}

#[test]
fn files_and_row_groups_outside_are_never_read() {
    let root = tempfile::tempdir().unwrap();
    let schema = table(&[("x", DataType::Int), ("y", DataType::String)], &["x"], hash(&["x"], 16));
    let x: ArrayRef = Arc::new(Int32Array::from_iter_values(0..16));
    let y: ArrayRef = Arc::new(StringArray::from_iter_values((0..16).map(|i| format!("v{i}"))));
    let (segments, _) = write(root.path(), &schema, tiny(), &[batch(&schema, vec![x, y])]).unwrap();
    let seven = Predicate::And(vec![
        Predicate::Compare { column: 0, op: CompareOp::Equal, value: Arc::new(Int64Array::from(vec![7])) },
        Predicate::IsNotNull(1),
    ]);
    let scan = scan(posix(), root.path(), Arc::clone(&schema), &segments, Some(&[1]), Some(&seven)).unwrap();
    assert!(
        segments.len() > 3 && scan.files_left() < segments.len(),
        "{} of {}",
        scan.files_left(),
        segments.len()
    );
    let rows: Vec<RecordBatch> = scan.map(Result::unwrap).collect();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].num_columns(), 1);
    assert_eq!(rows[0].column(0).as_string::<i32>().value(0), "v7");
}

#[test]
fn a_column_that_a_file_lacks_is_null() {
    let root = tempfile::tempdir().unwrap();
    let (_, segments) = segment(root.path(), DataType::Int, Arc::new(Int32Array::from(vec![1, 2])));
    let wider = table(
        &[("new", DataType::DateTime), ("X", DataType::BigInt)],
        &["x"],
        Distribution::Random { buckets: 1 },
    );
    let got = read(root.path(), &wider, &segments, None);
    assert_eq!(got.column(0).null_count(), 2);
    assert_eq!(got.column(0).as_primitive::<TimestampMicrosecondType>().len(), 2);
    let sum: i64 = cast(got.column(1), &arrow::datatypes::DataType::Int64)
        .unwrap()
        .as_primitive::<arrow::datatypes::Int64Type>()
        .iter()
        .flatten()
        .sum();
    assert_eq!(sum, 3);
    assert_eq!(read(root.path(), &wider, &segments, Some(&Predicate::IsNull(0))).num_rows(), 2);
}

#[test]
fn what_cannot_be_read_names_the_file() {
    let root = tempfile::tempdir().unwrap();
    let (schema, segments) = segment(root.path(), DataType::Int, Arc::new(Int32Array::from(vec![1, 2])));
    let path = root.path().join(&segments[0].path);
    let run =
        || scan(posix(), root.path(), Arc::clone(&schema), &segments, None, None).unwrap().next().unwrap();
    std::fs::write(&path, b"PAR1 not really PAR1").unwrap();
    let error = run().unwrap_err();
    assert_eq!(error.category(), "DamagedSegment");
    assert!(error.to_string().contains(&segments[0].path));
    std::fs::remove_file(&path).unwrap();
    assert_eq!(run().unwrap_err().category(), "VolumeError");
    let none = scan(posix(), root.path(), schema, &segments, Some(&[4]), None);
    assert_eq!(none.unwrap_err().category(), "NoSuchColumn");
}
