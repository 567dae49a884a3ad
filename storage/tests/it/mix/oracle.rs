//! What the table must hold: its history, replayed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::Int64Type;
use longshore_storage::durable::Posix;
use longshore_storage::history::{HistoryEntry, HistoryFilter, HistoryOutcome};
use longshore_storage::load::Segment;
use longshore_storage::scan::scan;
use longshore_storage::table::Table;

use super::PATIENCE;
use super::rows::{Kind, Label, has_partitions, partition_of};

/// Numbers of rows by their labels' numbers.
type RowsByLabel = BTreeMap<i64, BTreeSet<i64>>;

/// What the checks met: a mix that never compacts or overwrites would show nothing.
#[derive(Debug, Default)]
pub struct Seen {
    loads: u64,
    overwrites: u64,
    dynamic: u64,
    named: u64,
    closed: u64,
    compacted: u64,
    widened: u64,
    rows: u64,
}

impl Seen {
    pub fn add(&mut self, other: &Self) {
        self.loads += other.loads;
        self.overwrites += other.overwrites;
        self.dynamic += other.dynamic;
        self.named += other.named;
        self.closed += other.closed;
        self.compacted += other.compacted;
        self.widened += other.widened;
        self.rows += other.rows;
    }

    pub fn assert_all_kinds(&self) {
        let loads = [self.loads, self.overwrites, self.dynamic, self.named];
        let others = [self.closed, self.compacted, self.widened, self.rows];
        let counts = [loads, others].concat();
        assert!(counts.iter().all(|count| *count > 0), "{self:?}");
    }
}

/// Compares the table with its history, and its history with what was acknowledged.
pub fn check(root: &Path, acknowledged: &str, when: &str) -> Seen {
    let (table, entries, segments) = snapshot(root);
    let mut seen = Seen::default();
    let partitions = has_partitions(table.schema());
    let (mut expected, mut loaded) = (RowsByLabel::new(), BTreeMap::new());
    for entry in entries {
        if entry.record.outcome != HistoryOutcome::Loaded {
            seen.closed += 1;
            continue;
        }
        let label = Label::of(&entry.record.label);
        let earlier = loaded.insert(label, entry.version);
        assert_eq!(earlier, None, "{label:?} is loaded twice, {when}");
        seen.loads += 1;
        match label.kind(partitions) {
            Kind::Append => {}
            Kind::Overwrite => seen.overwrites += 1,
            Kind::Dynamic => seen.dynamic += 1,
            Kind::Named => seen.named += 1,
        }
        let replaced = label.replaces(partitions);
        for rows in expected.values_mut() {
            rows.retain(|n| !replaced.contains(&partition_of(*n)));
        }
        expected.insert(label.0, label.rows(partitions));
    }
    for line in acknowledged.lines() {
        let (label, version) = line.split_once(' ').unwrap();
        let label = Label(label.parse().unwrap());
        assert_eq!(loaded.get(&label), Some(&version.parse().unwrap()), "{label:?} was acknowledged, {when}");
    }
    expected.retain(|_, rows| !rows.is_empty());
    assert_eq!(rows_by_label(&rows_of(&table, &segments), when), expected, "{when}");
    seen.rows = expected.values().map(|rows| rows.len() as u64).sum();
    seen.compacted = segments.iter().filter(|segment| segment.path.contains("/compact-")).count() as u64;
    seen.widened = table.schema().columns().iter().any(|column| column.name.starts_with("extra")).into();
    seen
}

/// The rows that a reader sees, by label.
pub fn visible(root: &Path) -> RowsByLabel {
    let (table, _, segments) = snapshot(root);
    rows_by_label(&rows_of(&table, &segments), "as visible")
}

/// A table with its history and its files, all of one version: read again when the log was cleaned meanwhile.
fn snapshot(root: &Path) -> (Table, Vec<HistoryEntry>, Vec<Segment>) {
    let read = || -> Result<_, String> {
        let table = Table::open(Arc::new(Posix), root).map_err(|error| format!("{error:?}"))?;
        let filter = HistoryFilter { to_version: Some(table.version()), ..HistoryFilter::default() };
        let history = table.history(&filter).map_err(|error| format!("{error:?}"))?;
        let entries: Result<Vec<_>, _> = history.collect();
        let entries = entries.map_err(|error| format!("{error:?}"))?;
        let segments = table.segments().map_err(|error| format!("{error:?}"))?;
        Ok((table, entries, segments))
    };
    let begin = Instant::now();
    loop {
        match read() {
            Ok(read) => return read,
            Err(error) => assert!(is_behind(&error) && begin.elapsed() < PATIENCE, "{error}"),
        }
    }
}

/// Whether an error says that what was to be read had been cleaned: the processes do not give it its day.
pub fn is_behind(error: &str) -> bool {
    ["SnapshotExpired", "NotFound", "No such file"].iter().any(|sign| error.contains(sign))
}

fn rows_of(table: &Table, segments: &[Segment]) -> RecordBatch {
    let schema = Arc::clone(table.schema());
    let batches: Vec<_> = scan(Arc::new(Posix), table.root(), Arc::clone(&schema), segments, None, None)
        .unwrap()
        .map(Result::unwrap)
        .collect();
    concat_batches(schema.arrow(), &batches).unwrap()
}

/// The rows by label: each once, in its partition, what was added to them NULL or right.
fn rows_by_label(rows: &RecordBatch, when: &str) -> RowsByLabel {
    let column = |name: &str| Some(rows.column_by_name(name)?.as_primitive::<Int64Type>());
    let (numbers, labels) = (column("n").unwrap(), column("label").unwrap());
    if let Some(parts) = column("part") {
        for (number, part) in numbers.values().iter().zip(parts.values()) {
            assert_eq!(*part, partition_of(*number), "the partition of row {number}, {when}");
        }
    }
    let schema = rows.schema();
    let added = schema.fields().iter().filter(|field| field.name().starts_with("extra"));
    for extra in added.filter_map(|field| column(field.name())) {
        for row in (0..rows.num_rows()).filter(|row| extra.is_valid(*row)) {
            assert_eq!(extra.value(row), numbers.value(row), "an added column, {when}");
        }
    }
    let mut found = RowsByLabel::new();
    for (label, number) in labels.values().iter().zip(numbers.values()) {
        assert!(found.entry(*label).or_default().insert(*number), "row {number} of {label} twice, {when}");
    }
    found
}
