//! Partitions in the writer and the scan: each row in its partition, each partition in its folder, and as
//! many of them as a table takes.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use arrow::array::*;
use arrow::datatypes::{Date32Type, Int64Type, TimestampMicrosecondType};
use longshore_storage::durable::{DirectoryEntry, ReadFile, SyncSite, WriteFile};
use longshore_storage::scan::CompareOp;
use longshore_storage::schema::{
    DateUnit, ListPartition, PartitionRange, PartitionTerm, RangeEnd, RangePartition,
};
use longshore_storage::tablet::KnownPartitions;
use longshore_storage::types::DataType;
use longshore_storage::types::bucket_hash::{bucket, combine, hash_long};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use super::*;

const DAY: i64 = 86_400_000_000;

fn partitioned(columns: &[(&str, DataType)], by: PartitionBy, buckets: u32) -> Arc<TableSchema> {
    let plain = table(columns, &["id"], hash(&["id"], buckets));
    let definition = TableDefinition { partition_by: by, ..plain.definition().clone() };
    definition.validate().unwrap();
    Arc::new(TableSchema::new(definition))
}

/// A folder in memory where the system has one: thousands of fsyncs would only measure the disk.
fn in_memory() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory).unwrap() } else { tempfile::tempdir().unwrap() }
}

fn by_day(buckets: u32) -> Arc<TableSchema> {
    let by = PartitionTerm::DateTrunc { unit: DateUnit::Day, column: "at".to_owned() };
    let columns = [("id", DataType::BigInt), ("at", DataType::DateTime), ("row", DataType::BigInt)];
    partitioned(&columns, PartitionBy::Expression(vec![by]), buckets)
}

/// Rows of random ids at random times of so many days; some times are NULL.
fn rows(schema: &TableSchema, first: i64, count: usize, days: i64, rng: &mut SmallRng) -> RecordBatch {
    let ids: Int64Array = (0..count).map(|_| Some(rng.random_range(-1_000..1_000))).collect();
    let at = |rng: &mut SmallRng| {
        (!rng.random_ratio(1, 200)).then(|| 1_704_067_200_000_000 + rng.random_range(0..days * DAY))
    };
    let at: TimestampMicrosecondArray = (0..count).map(|_| at(rng)).collect();
    let numbers = Int64Array::from_iter_values(first..first + count as i64);
    batch(schema, vec![Arc::new(ids), Arc::new(at), Arc::new(numbers)])
}

/// By partition and bucket: key and number of each row in the order due.
fn model(batches: &[RecordBatch], buckets: u32) -> BTreeMap<(String, u32), Vec<(i64, i64)>> {
    let mut due = BTreeMap::<_, Vec<_>>::new();
    for batch in batches {
        let ids = batch.column(0).as_primitive::<Int64Type>();
        let at = batch.column(1).as_primitive::<TimestampMicrosecondType>();
        let numbers = batch.column(2).as_primitive::<Int64Type>();
        for row in 0..batch.num_rows() {
            let name = match at.is_valid(row).then(|| at.value_as_datetime(row).unwrap()) {
                Some(at) => at.format("p%Y%m%d").to_string(),
                None => "pNULL".to_owned(),
            };
            let id = ids.value(row);
            let tablet = (name, bucket(combine(0, hash_long(id)), buckets));
            due.entry(tablet).or_default().push((id, numbers.value(row)));
        }
    }
    due.values_mut().for_each(|rows| rows.sort_by_key(|row| row.0));
    due
}

fn check(root: &Path, schema: &Arc<TableSchema>, segments: &[Segment], batches: &[RecordBatch]) {
    let due = model(batches, schema.buckets());
    let mut of_tablet = BTreeMap::<(String, u32), Vec<Segment>>::new();
    for segment in segments {
        let folder = match segment.partition_values["at"].as_deref() {
            Some(day) => format!("p-{}", day.strip_suffix(" 00:00:00").unwrap()),
            None => "p-null-".to_owned(),
        };
        assert!(segment.path.starts_with(&format!("{folder}/b-{:05}/", segment.bucket)), "{}", segment.path);
        assert_eq!(folder.replace("null-", "NULL").replace('-', ""), segment.partition);
        of_tablet.entry((segment.partition.clone(), segment.bucket)).or_default().push(segment.clone());
    }
    assert!(due.keys().eq(of_tablet.keys()), "the tablets are others");
    for (tablet, own) in &of_tablet {
        let got = read(root, schema, own, None);
        let column = |index: usize| got.column(index).as_primitive::<Int64Type>().values().to_vec();
        let got: Vec<(i64, i64)> = column(0).into_iter().zip(column(2)).collect();
        assert!(got == due[tablet], "{tablet:?} has other rows or another order");
    }
    let sorted = |a: &Segment, b: &Segment| (&a.partition, a.bucket) <= (&b.partition, b.bucket);
    assert!(segments.is_sorted_by(sorted), "segments come by partition and bucket");
}

#[test]
fn rows_lie_in_their_partition_spilled_or_not() {
    let schema = by_day(3);
    let mut rng = SmallRng::seed_from_u64(3);
    let batches: Vec<RecordBatch> = (0..12).map(|at| rows(&schema, at * 9000, 9000, 20, &mut rng)).collect();
    for options in [tiny(), WriterOptions::default()] {
        let root = in_memory();
        let (segments, metrics) = write(root.path(), &schema, options, &batches).unwrap();
        check(root.path(), &schema, &segments, &batches);
        let spilled = metrics.spilled_bytes.load(Ordering::Relaxed) > 0;
        assert_eq!(spilled, options.budget_bytes < 1 << 30);
        assert_eq!(files_below(root.path()).len(), segments.len());
    }
}

#[test]
fn tablets_of_a_year_keep_to_the_budget_and_have_one_segment_each() {
    let schema = by_day(8);
    let mut rng = SmallRng::seed_from_u64(4);
    let batches: Vec<RecordBatch> = (0..24).map(|at| rows(&schema, at * 8192, 8192, 365, &mut rng)).collect();
    let root = in_memory();
    let options = WriterOptions { budget_bytes: 4 << 20, ..tiny() };
    let (mut writer, metrics) = writer(&posix(), root.path(), &schema, options);
    for batch in &batches {
        writer.append(batch).unwrap();
        assert!(metrics.buffered_bytes.load(Ordering::Relaxed) <= 4 << 20);
    }
    let segments = writer.finish().unwrap();
    assert!(metrics.runs.load(Ordering::Relaxed) > 2);
    let tablets: BTreeSet<_> = segments.iter().map(|s| (&s.partition, s.bucket)).collect();
    // 365 days and NULL.
    assert_eq!(tablets.len(), 366 * 8);
    assert_eq!(segments.len(), tablets.len());
    check(root.path(), &schema, &segments, &batches);
}

/// One row a partition and bucket.
fn scattered(schema: &TableSchema, days: std::ops::Range<i64>, ids: i64) -> RecordBatch {
    let all = days.flat_map(|day| (0..ids).map(move |id| (day, id)));
    let (days, ids): (Vec<i64>, Vec<i64>) = all.unzip();
    let at = TimestampMicrosecondArray::from_iter_values(days.iter().map(|day| day * DAY));
    let numbers = Int64Array::from_iter_values(0..days.len() as i64);
    batch(schema, vec![Arc::new(Int64Array::from(ids)), Arc::new(at), Arc::new(numbers)])
}

#[test]
fn a_run_ends_before_its_tablets_outnumber_their_16_bits() {
    let schema = by_day(64);
    let root = in_memory();
    let (mut writer, metrics) = writer(&posix(), root.path(), &schema, WriterOptions::default());
    // Ids spread over 40 of the 64 buckets, about: 100,000 tablets.
    for first in (0..2_500).step_by(500) {
        writer.append(&scattered(&schema, first..first + 500, 64)).unwrap();
    }
    let runs = metrics.runs.load(Ordering::Relaxed);
    assert!((1..4).contains(&runs), "{runs} runs");
    writer.abandon();
    assert!(files_below(root.path()).is_empty());
}

#[test]
fn a45_more_than_4096_new_partitions_fail_the_load_and_known_ones_do_not_count() {
    let schema = by_day(1);
    let root = in_memory();
    let days = |days| scattered(&schema, days, 1);
    let new = || writer(&posix(), root.path(), &schema, tiny()).0;

    let mut writer = new();
    writer.append(&days(0..4096)).unwrap();
    let error = writer.append(&days(4096..4097)).unwrap_err();
    assert_eq!(error.category(), "TooManyPartitions");
    assert!(error.to_string().contains("p19810320"), "{error}");
    writer.abandon();
    assert!(files_below(root.path()).is_empty(), "something stays");

    let calls = Arc::new(Mutex::new(0));
    let known = || -> KnownPartitions {
        let calls = Arc::clone(&calls);
        Arc::new(move || {
            *calls.lock().unwrap() += 1;
            Ok(["p19700101", "p19810320", "p20200101"].map(str::to_owned).into())
        })
    };
    let mut writer = new().with_known_partitions(known());
    writer.append(&days(0..4096)).unwrap();
    assert_eq!(*calls.lock().unwrap(), 0, "the files of the table are read when it matters");
    // Of 4,098 partitions two are known.
    writer.append(&days(4096..4098)).unwrap();
    assert_eq!(*calls.lock().unwrap(), 1);
    assert_eq!(writer.append(&days(4098..4099)).unwrap_err().category(), "TooManyPartitions");
    assert_eq!(*calls.lock().unwrap(), 1);
    writer.abandon();
}

fn numbers(schema: &TableSchema, values: &[Option<i64>]) -> RecordBatch {
    let ids = Int64Array::from_iter_values(0..values.len() as i64);
    batch(schema, vec![Arc::new(ids), Arc::new(values.iter().copied().collect::<Int64Array>())])
}

fn ranges() -> PartitionBy {
    let partition = |name: &str, end: RangeEnd| RangePartition {
        name: name.to_owned(),
        range: PartitionRange::LessThan(end),
    };
    let partitions = vec![
        partition("low", RangeEnd::Value("0".to_owned())),
        partition("middle", RangeEnd::Value("10".to_owned())),
        partition("high", RangeEnd::MaxValue),
    ];
    PartitionBy::Range { column: "n".to_owned(), partitions }
}

const COLUMNS: [(&str, DataType); 2] = [("id", DataType::BigInt), ("n", DataType::BigInt)];

#[test]
fn declared_partitions_have_their_names() {
    let schema = partitioned(&COLUMNS, ranges(), 1);
    let root = in_memory();
    let rows = numbers(&schema, &[Some(10), Some(-1), None, Some(0), Some(9), Some(i64::MAX)]);
    let (segments, _) = write(root.path(), &schema, tiny(), &[rows]).unwrap();
    let found: Vec<_> =
        segments.iter().map(|s| (s.partition.as_str(), s.rows, &s.path[..s.partition.len() + 3])).collect();
    assert_eq!(found, [("high", 2, "p-high/"), ("low", 2, "p-low/"), ("middle", 2, "p-middle/")]);
    assert!(segments.iter().all(|segment| segment.partition_values.is_empty()));

    let list = |name: &str, values: &[Option<&str>]| ListPartition {
        name: name.to_owned(),
        values: values.iter().map(|value| vec![value.map(str::to_owned)]).collect(),
    };
    let partitions = vec![list("odd", &[Some("1"), Some("3")]), list("none", &[None])];
    let by = PartitionBy::List { columns: vec!["n".to_owned()], partitions };
    let schema = partitioned(&COLUMNS, by, 1);
    let root = in_memory();
    let rows = numbers(&schema, &[Some(1), None, Some(3)]);
    let (segments, _) = write(root.path(), &schema, tiny(), &[rows]).unwrap();
    let found: Vec<_> = segments.iter().map(|s| (s.partition.as_str(), s.rows)).collect();
    assert_eq!(found, [("none", 1), ("odd", 2)]);
    // A row that fits none was to be kept away.
    let rows = numbers(&schema, &[Some(1), Some(2)]);
    let error = write(root.path(), &schema, tiny(), &[rows]).unwrap_err();
    assert!(error.to_string().contains("row 1 belongs to no partition"), "{error}");
}

fn files_left(root: &Path, schema: &Arc<TableSchema>, segments: &[Segment], predicate: &Predicate) -> usize {
    scan(posix(), root, Arc::clone(schema), segments, None, Some(predicate)).unwrap().files_left()
}

#[test]
fn a_condition_on_the_column_rules_out_partitions_of_its_unit() {
    let schema = by_day(1);
    let root = in_memory();
    let day = 19_723;
    let (segments, _) = write(root.path(), &schema, tiny(), &[scattered(&schema, day..day + 30, 1)]).unwrap();
    assert_eq!(segments.len(), 30);
    let value = |at: i64| Arc::new(TimestampMicrosecondArray::from(vec![at])) as ArrayRef;
    let compare = |op, at| Predicate::Compare { column: 1, op, value: value(at) };
    let noon = (day + 3) * DAY + DAY / 2;
    let range = Predicate::And(vec![
        compare(CompareOp::GreaterOrEqual, noon),
        compare(CompareOp::Less, noon + 2 * DAY),
    ]);
    // Each file holds midnight alone, so its statistics say more than its partition.
    assert_eq!(files_left(root.path(), &schema, &segments, &range), 2);
    // Without statistics the partition alone decides.
    let bare: Vec<Segment> = segments.iter().map(|s| Segment { stats: String::new(), ..s.clone() }).collect();
    assert_eq!(files_left(root.path(), &schema, &bare, &range), 3);
    assert_eq!(files_left(root.path(), &schema, &bare, &Predicate::IsNull(1)), 0);
    let last = compare(CompareOp::Equal, (day + 4) * DAY - 1);
    assert_eq!(files_left(root.path(), &schema, &bare, &last), 1);
    assert_eq!(files_left(root.path(), &schema, &bare, &compare(CompareOp::Greater, 0)), 30);
    // Files that say nothing are read.
    let foreign: Vec<Segment> = bare
        .iter()
        .map(|s| Segment { partition: String::new(), partition_values: BTreeMap::new(), ..s.clone() })
        .collect();
    assert_eq!(files_left(root.path(), &schema, &foreign, &range), 30);
}

#[test]
fn long_texts_and_ranges_and_null_rule_out_partitions() {
    let columns = [("id", DataType::BigInt), ("s", DataType::String)];
    let schema =
        partitioned(&columns, PartitionBy::Expression(vec![PartitionTerm::Column("s".to_owned())]), 1);
    let root = in_memory();
    // Alike in the 32 characters that statistics have.
    let long = |end: &str| format!("{}{end}", "x\n\"=🦀".repeat(2_000));
    let texts = StringArray::from(vec![Some(long("a")), Some(long("b")), None, Some(String::new())]);
    let rows = batch(&schema, vec![Arc::new(Int64Array::from(vec![1, 2, 3, 4])), Arc::new(texts)]);
    let (segments, _) = write(root.path(), &schema, tiny(), &[rows]).unwrap();
    assert_eq!(segments.len(), 4);
    let equal = |text: String| {
        let value: ArrayRef = Arc::new(StringArray::from(vec![text]));
        Predicate::Compare { column: 1, op: CompareOp::Equal, value }
    };
    for text in [long("a"), long("b"), String::new()] {
        assert_eq!(files_left(root.path(), &schema, &segments, &equal(text.clone())), 1);
        assert_eq!(read(root.path(), &schema, &segments, Some(&equal(text))).num_rows(), 1);
    }
    assert_eq!(files_left(root.path(), &schema, &segments, &equal(long("c"))), 0);
    assert_eq!(files_left(root.path(), &schema, &segments, &Predicate::IsNull(1)), 1);
    assert_eq!(files_left(root.path(), &schema, &segments, &Predicate::IsNotNull(1)), 3);

    let schema = partitioned(&COLUMNS, ranges(), 1);
    let rows = numbers(&schema, &[Some(-5), None, Some(5), Some(50)]);
    let (segments, _) = write(root.path(), &schema, tiny(), &[rows]).unwrap();
    let bare: Vec<Segment> = segments.iter().map(|s| Segment { stats: String::new(), ..s.clone() }).collect();
    let compare = |op, number: i64| {
        let value: ArrayRef = Arc::new(Int64Array::from(vec![number]));
        files_left(root.path(), &schema, &bare, &Predicate::Compare { column: 1, op, value })
    };
    assert_eq!(compare(CompareOp::Greater, 10), 1);
    assert_eq!(compare(CompareOp::Less, -1), 1);
    assert_eq!(compare(CompareOp::Equal, 9), 1);
    assert_eq!(files_left(root.path(), &schema, &bare, &Predicate::IsNull(1)), 1);
}

/// Notes which folders were made, and forgets those whose names were synced since.
#[derive(Debug, Default)]
struct Recorded {
    unsynced: Mutex<Vec<PathBuf>>,
    made: Mutex<usize>,
}

impl FileSystem for Recorded {
    fn create(&self, path: &Path) -> io::Result<Box<dyn WriteFile>> {
        self.unsynced.lock().unwrap().push(path.to_owned());
        Posix.create(path)
    }
    fn create_dir(&self, path: &Path) -> io::Result<bool> {
        let made = Posix.create_dir(path)?;
        if made {
            *self.made.lock().unwrap() += 1;
            self.unsynced.lock().unwrap().push(path.to_owned());
        }
        Ok(made)
    }
    fn link(&self, from: &Path, to: &Path) -> io::Result<()> {
        Posix.link(from, to)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        Posix.rename(from, to)
    }
    fn sync_dir(&self, path: &Path, site: SyncSite) -> io::Result<()> {
        self.unsynced.lock().unwrap().retain(|made| made.parent() != Some(path));
        Posix.sync_dir(path, site)
    }
    fn open(&self, path: &Path) -> io::Result<Box<dyn ReadFile>> {
        Posix.open(path)
    }
    fn list(&self, path: &Path) -> io::Result<Vec<DirectoryEntry>> {
        Posix.list(path)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        Posix.remove(path)
    }
    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        Posix.remove_dir(path)
    }
}

#[test]
fn every_new_folder_is_durable_in_its_parent() {
    let schema = by_day(2);
    let root = in_memory();
    let recorded = Arc::new(Recorded::default());
    let files: Arc<dyn FileSystem> = Arc::clone(&recorded) as Arc<dyn FileSystem>;
    let (mut writer, _) = writer(&files, root.path(), &schema, WriterOptions::default());
    writer.append(&scattered(&schema, 0..3, 64)).unwrap();
    let segments = writer.finish().unwrap();
    assert_eq!(segments.len(), 6);
    assert_eq!(*recorded.made.lock().unwrap(), 3 + 6);
    assert_eq!(*recorded.unsynced.lock().unwrap(), Vec::<PathBuf>::new());
}

#[test]
fn a_date_partition_has_dates() {
    let by = PartitionTerm::DateTrunc { unit: DateUnit::Month, column: "day".to_owned() };
    let columns = [("id", DataType::BigInt), ("day", DataType::Date)];
    let schema = partitioned(&columns, PartitionBy::Expression(vec![by]), 1);
    let root = in_memory();
    let days: ArrayRef = Arc::new(PrimitiveArray::<Date32Type>::from(vec![0, 30, 31, 58, 59]));
    let rows = batch(&schema, vec![Arc::new(Int64Array::from(vec![1, 2, 3, 4, 5])), days]);
    let (segments, _) = write(root.path(), &schema, tiny(), &[rows]).unwrap();
    let found: Vec<_> = segments
        .iter()
        .map(|s| (s.partition.as_str(), s.partition_values["day"].as_deref().unwrap(), s.rows))
        .collect();
    assert_eq!(
        found,
        [("p197001", "1970-01-01", 2), ("p197002", "1970-02-01", 2), ("p197003", "1970-03-01", 1)]
    );
    let bare: Vec<Segment> = segments.iter().map(|s| Segment { stats: String::new(), ..s.clone() }).collect();
    let value: ArrayRef = Arc::new(PrimitiveArray::<Date32Type>::from(vec![58]));
    let equal = Predicate::Compare { column: 1, op: CompareOp::Equal, value };
    assert_eq!(files_left(root.path(), &schema, &bare, &equal), 1);
}
