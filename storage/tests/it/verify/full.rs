//! Damage that only the rows show.

use std::fs;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, Int64Array, StringArray};
use longshore_storage::schema::TableSchema;
use parquet::arrow::ArrowWriter;

use super::support::{change_commit, error, eventful, verify};
use crate::compact::support::{Place, narrow, narrow_table};
use crate::tablet::batch;

#[test]
fn a_byte_that_changed_in_a_page_is_found_or_changes_nothing_that_was_promised() {
    let (place, _) = eventful();
    let path = place.open().segments().unwrap()[0].path.clone();
    let full = place.root.join(&path);
    let good = fs::read(&full).unwrap();
    let mut found = 0;
    for at in (8..good.len() / 2).step_by(good.len() / 40) {
        let mut bad = good.clone();
        bad[at] ^= 0xff;
        fs::write(&full, bad).unwrap();
        found += usize::from(!verify(&place, true).0.is_sound());
    }
    assert!(found >= 5, "{found}");
    fs::write(&full, good).unwrap();
    assert!(verify(&place, true).0.is_sound());
}

#[test]
fn statistics_that_are_too_narrow_or_count_other_nulls_are_found() {
    let (place, _) = narrow_table(1, 200);
    let commit = place.root.join("_delta_log/00000000000000000002.json");
    let good = fs::read(&commit).unwrap();
    let cases = [
        (
            "\\\"minValues\\\":{\\\"k\\\":0",
            "\\\"minValues\\\":{\\\"k\\\":1",
            "column k has a value below the minimum",
        ),
        (
            "\\\"maxValues\\\":{\\\"k\\\":",
            "\\\"maxValues\\\":{\\\"k\\\":-",
            "column k has a value above the maximum",
        ),
        ("\\\"nullCount\\\":{\\\"k\\\":", "\\\"nullCount\\\":{\\\"k\\\":9", "NULLs, the log says 9"),
    ];
    for (old, new, expected) in cases {
        change_commit(&place, 2, |text| text.replacen(old, new, 1));
        assert!(verify(&place, false).0.is_sound(), "only the rows tell");
        let (_, what) = error(&place, true);
        assert!(what.contains(expected), "{what}");
        fs::write(&commit, &good).unwrap();
    }
}

#[test]
fn another_bucket_in_the_log_is_found() {
    let (place, _) = narrow_table(1, 200);
    change_commit(&place, 2, |text| {
        text.replacen("\"longshore.bucket\":\"0\"", "\"longshore.bucket\":\"1\"", 1)
    });
    let (_, what) = error(&place, true);
    assert!(what.contains("belongs into bucket 0, the log says 1"), "{what}");
}

/// A table with one segment of these keys, written past the tablet writer.
fn with_keys(keys: &[Option<i32>]) -> Place {
    let schema: Arc<TableSchema> = narrow();
    let (place, mut table) = Place::with_table(schema.definition());
    let claim = table.claim("l", 1).unwrap();
    let count = keys.len();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(keys.iter().copied().collect::<Int32Array>()),
        Arc::new(std::iter::repeat_n(None, count).collect::<Int32Array>()),
        Arc::new(std::iter::repeat_n(Some("t"), count).collect::<StringArray>()),
        Arc::new(Int64Array::from_iter_values(0..count as i64)),
    ];
    let batch = batch(&schema, columns);
    let mut segment = crate::vacuum::support::write_segment(&place.root, &claim, 0);
    let path = place.root.join(&segment.path);
    let mut writer = ArrowWriter::try_new(fs::File::create(&path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    segment.bytes = fs::metadata(&path).unwrap().len();
    segment.rows = count as u64;
    segment.bucket = 0;
    segment.stats = format!(r#"{{"numRecords":{count}}}"#);
    crate::vacuum::support::commit_with(
        &mut table,
        &claim,
        vec![segment],
        longshore_storage::table::LoadMode::Append,
    );
    place
}

#[test]
fn rows_that_are_not_in_order_are_found() {
    for sound in [vec![None, Some(-3), Some(1), Some(1), Some(9)], vec![None, None], vec![]] {
        let place = with_keys(&sound);
        let (outcome, findings) = verify(&place, true);
        assert!(outcome.is_sound(), "{findings:#?}");
    }
    for (keys, row) in [(vec![Some(1), None], 2), (vec![Some(1), Some(3), Some(2)], 3)] {
        assert_eq!(
            error(&with_keys(&keys), true).1,
            format!("row {row} is not in the order of the sort key")
        );
    }
    // Across the batches that it is read in.
    let mut keys: Vec<_> = (0..20_000).map(Some).collect();
    keys[8_192] = Some(-1);
    assert_eq!(error(&with_keys(&keys), true).1, "row 8193 is not in the order of the sort key");
}
