//! Checkpoints as other engines write them, made by hand from the text of the Delta protocol: read where they
//! can be, else refused by name; never taken for no checkpoint where the commits below are gone.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch, StringArray, StructArray, UInt32Array,
};
use arrow::compute::{concat_batches, take_record_batch};
use arrow::datatypes::{DataType, Field, Fields, Schema};
use longshore_storage::durable::Posix;
use longshore_storage::load::Segment;
use longshore_storage::table::{LabelState, Table};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::properties::{EnabledStatistics, WriterProperties};

use super::support::{Place, load};

const UUID: &str = "80a083e8-7026-4e79-81be-64bd76c43a11";

/// Loads and our own checkpoint of them; its version.
fn with_checkpoint() -> (Place, u64) {
    let (place, mut table) = Place::with_table();
    for number in 0..6 {
        load(&mut table, &format!("l{number}"), number + 1);
    }
    let version = table.checkpoint().unwrap();
    (place, version)
}

fn checkpoint(place: &Place, version: u64, rest: &str) -> std::path::PathBuf {
    place.log().join(format!("{version:020}.checkpoint.{rest}"))
}

/// All rows of our checkpoint, which goes away with the hint.
fn take_checkpoint(place: &Place, version: u64) -> RecordBatch {
    let path = checkpoint(place, version, "parquet");
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(&path).unwrap()).unwrap();
    let schema = Arc::clone(reader.schema());
    let batches: Vec<RecordBatch> = reader.build().unwrap().map(Result::unwrap).collect();
    fs::remove_file(path).unwrap();
    fs::remove_file(place.log().join("_last_checkpoint")).unwrap();
    concat_batches(&schema, &batches).unwrap()
}

/// Writes rows as an engine does that keeps no statistics and one row group.
fn write(path: &Path, rows: &RecordBatch) {
    let properties = WriterProperties::builder().set_statistics_enabled(EnabledStatistics::None).build();
    let mut writer =
        ArrowWriter::try_new(File::create(path).unwrap(), rows.schema(), Some(properties)).unwrap();
    writer.write(rows).unwrap();
    writer.close().unwrap();
}

fn write_parts(place: &Place, version: u64) {
    let rows = take_checkpoint(place, version);
    let half = rows.num_rows() / 2;
    let parts = [rows.slice(0, half), rows.slice(half, rows.num_rows() - half)];
    for (number, part) in (1..).zip(&parts) {
        write(&checkpoint(place, version, &format!("{number:010}.0000000002.parquet")), part);
    }
    let hint = format!(r#"{{"version":{version},"size":{},"parts":2}}"#, rows.num_rows());
    fs::write(place.log().join("_last_checkpoint"), hint).unwrap();
}

/// A V2 checkpoint of both spellings. Its sidecar is not there: nobody asks for it.
fn write_v2(place: &Place, version: u64, end: &str) {
    let rows = take_checkpoint(place, version);
    let path = checkpoint(place, version, &format!("{UUID}.{end}"));
    if end == "parquet" {
        write(&path, &rows);
    } else {
        let lines = [
            format!(r#"{{"checkpointMetadata":{{"version":{version}}}}}"#),
            r#"{"sidecar":{"path":"x.parquet","sizeInBytes":1,"modificationTime":1}}"#.to_owned(),
        ];
        fs::write(path, lines.join("\n")).unwrap();
    }
}

fn remove_commits(place: &Place, versions: impl Iterator<Item = u64>) {
    versions.for_each(|version| fs::remove_file(place.commit(version)).unwrap());
}

fn names(place: &Place) -> BTreeSet<String> {
    fs::read_dir(place.log()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect()
}

/// The refusal of a table, which stays as it is.
fn refused(place: &Place) -> String {
    let before = names(place);
    let error = Table::open(Arc::new(Posix), &place.root).unwrap_err();
    assert_eq!(error.category(), "UnsupportedFeature", "{error}");
    let error = place.create(Arc::new(Posix)).unwrap_err();
    assert_eq!(error.category(), "UnsupportedFeature", "{error}");
    assert_eq!(names(place), before);
    error.to_string()
}

type Writes = fn(&Place, u64);

/// Each kind that is not read here, and how a refusal names it.
const KINDS: [(&str, Writes); 3] = [
    ("a checkpoint in several parts", write_parts),
    ("a V2 checkpoint", |place, version| write_v2(place, version, "json")),
    ("a V2 checkpoint", |place, version| write_v2(place, version, "parquet")),
];

#[test]
fn where_all_commits_are_there_they_tell_what_another_kind_of_checkpoint_holds() {
    for (_, writes) in KINDS {
        let (place, version) = with_checkpoint();
        let before = place.open().segments().unwrap();
        writes(&place, version);
        let mut table = place.open();
        assert_eq!(table.version(), version);
        assert_eq!(table.segments().unwrap(), before);
        load(&mut table, "more", 9);
        // Our own next checkpoint stands above it, and the table goes on from there.
        let own = table.checkpoint().unwrap();
        remove_commits(&place, 0..own);
        assert_eq!(place.open().segments().unwrap().len(), before.len() + 1);
    }
}

#[test]
fn where_commits_are_gone_the_kind_is_refused_by_name_and_nothing_is_touched() {
    for (name, writes) in KINDS {
        // Nothing but the checkpoint; the commit of its version as well; what came afterwards as well.
        for (kept, after) in [(None, false), (Some(12), false), (Some(12), true)] {
            let (place, version) = with_checkpoint();
            assert_eq!(version, 12);
            if after {
                load(&mut place.open(), "after", 1);
            }
            writes(&place, version);
            remove_commits(&place, (0..=version).filter(|version| Some(*version) != kept));
            let text = refused(&place);
            assert!(text.contains(name), "{text}");
        }
    }
}

#[test]
fn a_table_that_was_open_is_refused_when_another_engine_went_on_and_cleaned() {
    for (name, writes) in KINDS {
        let (place, first) = with_checkpoint();
        let mut table = place.open();
        let mut others = place.open();
        for label in ["x", "y", "z"] {
            load(&mut others, label, 1);
        }
        let version = others.checkpoint().unwrap();
        writes(&place, version);
        remove_commits(&place, first..=version);
        let before = names(&place);
        let refresh = table.refresh().unwrap_err();
        let claim = table.claim("new", 1).unwrap_err().to_string();
        for text in [refresh.to_string(), claim] {
            assert!(text.contains(name), "{text}");
        }
        assert_eq!(names(&place), before);
    }
}

/// Gives the rows with other fields in a column.
fn with_column(
    rows: &RecordBatch,
    kind: &str,
    change: impl FnOnce(&StructArray) -> StructArray,
) -> RecordBatch {
    let mut changed = Some(change(rows.column_by_name(kind).unwrap().as_struct()));
    let (mut fields, mut columns) = (Vec::new(), Vec::<ArrayRef>::new());
    for (field, column) in rows.schema().fields().iter().zip(rows.columns()) {
        let column = match changed.take_if(|_| field.name() == kind) {
            Some(changed) => Arc::new(changed),
            None => Arc::clone(column),
        };
        fields.push(Field::new(field.name(), column.data_type().clone(), true));
        columns.push(column);
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap()
}

/// The `add` of an engine that knows nothing of tags and statistics in JSON, and has columns of its own.
fn foreign_add(ours: &StructArray) -> StructArray {
    let known = ["path", "partitionValues", "size", "modificationTime", "dataChange"];
    let extra: ArrayRef = Arc::new(Int64Array::from(vec![Some(7); ours.len()]));
    let bounds = Fields::from(vec![Field::new("numRecords", DataType::Int64, true)]);
    let parsed: ArrayRef = Arc::new(StructArray::new(bounds, vec![Arc::clone(&extra)], None));
    let own = known.iter().map(|name| (*name, Arc::clone(ours.column_by_name(name).unwrap())));
    let columns: Vec<(&str, ArrayRef)> =
        own.chain([("stats_parsed", parsed), ("baseRowId", extra)]).collect();
    let fields = columns.iter().map(|(name, column)| Field::new(*name, column.data_type().clone(), true));
    let fields = Fields::from(fields.collect::<Vec<_>>());
    StructArray::new(fields, columns.into_iter().map(|(_, column)| column).collect(), ours.nulls().cloned())
}

#[test]
fn a_checkpoint_without_our_columns_with_others_and_in_any_order_is_read() {
    let (place, version) = with_checkpoint();
    let before = place.open().segments().unwrap();
    let rows = with_column(&take_checkpoint(&place, version), "add", foreign_add);
    let backwards = UInt32Array::from_iter_values((0..rows.num_rows() as u32).rev());
    write(&checkpoint(&place, version, "parquet"), &take_record_batch(&rows, &backwards).unwrap());
    let mut table = place.open();
    load(&mut table, "after", 5);
    remove_commits(&place, 0..=version);

    let check = |table: &Table| {
        let paths = |segments: &[Segment]| -> BTreeSet<(String, u64)> {
            segments.iter().map(|segment| (segment.path.clone(), segment.bytes)).collect()
        };
        let (read, after): (Vec<Segment>, Vec<Segment>) =
            table.segments().unwrap().into_iter().partition(|segment| !segment.path.contains("after"));
        assert_eq!(paths(&read), paths(&before));
        // Without tags it is in no tablet, without statistics its rows are not known.
        assert!(read.iter().all(|segment| segment.bucket == Segment::NO_BUCKET && segment.rows == 0));
        assert_eq!((after.len(), after[0].bucket, after[0].rows), (1, 1, 5));
        assert_eq!(table.label("never").unwrap(), LabelState::Unknown);
    };
    check(&place.open());
    let mut table = place.open();
    let claim = table.claim("l5", 1);
    assert!(claim.is_err(), "its label is loaded, wherever that stands in the checkpoint");
    // Our own checkpoint on top keeps all of it.
    table.checkpoint().unwrap();
    check(&place.open());
}

/// The same rows and one that names a sidecar.
fn with_sidecar(rows: &RecordBatch) -> RecordBatch {
    let paths = StringArray::from_iter((0..rows.num_rows()).map(|row| (row == 0).then_some("x.parquet")));
    let set = BooleanArray::from_iter((0..rows.num_rows()).map(|row| Some(row == 0)));
    let fields = Fields::from(vec![Field::new("path", DataType::Utf8, true)]);
    let nulls = arrow::buffer::NullBuffer::new(set.values().clone());
    let sidecar = StructArray::new(fields, vec![Arc::new(paths)], Some(nulls));
    let mut all: Vec<Field> = rows.schema().fields().iter().map(|field| field.as_ref().clone()).collect();
    all.push(Field::new("sidecar", sidecar.data_type().clone(), true));
    let mut columns = rows.columns().to_vec();
    columns.push(Arc::new(sidecar));
    RecordBatch::try_new(Arc::new(Schema::new(all)), columns).unwrap()
}

#[test]
fn a_v2_checkpoint_under_the_classic_name_is_refused_by_its_feature_or_its_sidecars() {
    let (place, version) = with_checkpoint();
    let rows = with_sidecar(&take_checkpoint(&place, version));
    write(&checkpoint(&place, version, "parquet"), &rows);
    let text = refused(&place);
    assert!(text.contains("sidecar"), "{text}");
}

#[test]
fn a_table_with_the_feature_is_refused_by_its_name_whatever_checkpoints_it_has() {
    let (place, version) = with_checkpoint();
    let protocol = r#"{"protocol":{"minReaderVersion":3,"minWriterVersion":7,"#.to_owned()
        + r#""readerFeatures":["timestampNtz","v2Checkpoint"],"writerFeatures":["timestampNtz","v2Checkpoint"]}}"#;
    fs::write(place.commit(version + 1), protocol + "\n").unwrap();
    let text = refused(&place);
    assert!(text.contains("the reader feature v2Checkpoint"), "{text}");
}
