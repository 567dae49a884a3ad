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
use super::rows::Label;

/// What the checks met: a mix that never compacts or overwrites would show nothing.
#[derive(Debug, Default)]
pub struct Seen {
    loads: u64,
    overwrites: u64,
    closed: u64,
    compacted: u64,
    widened: u64,
    rows: u64,
}

impl Seen {
    pub fn add(&mut self, other: &Self) {
        self.loads += other.loads;
        self.overwrites += other.overwrites;
        self.closed += other.closed;
        self.compacted += other.compacted;
        self.widened += other.widened;
        self.rows += other.rows;
    }

    pub fn assert_all_kinds(&self) {
        let counts = [self.loads, self.overwrites, self.closed, self.compacted, self.widened, self.rows];
        assert!(counts.iter().all(|count| *count > 0), "{self:?}");
    }
}

/// Compares the table with its history, and its history with what was acknowledged.
pub fn check(root: &Path, acknowledged: &str, when: &str) -> Seen {
    let (table, entries, segments) = snapshot(root);
    let mut seen = Seen::default();
    let (mut expected, mut loaded) = (BTreeSet::new(), BTreeMap::new());
    for entry in entries {
        if entry.record.outcome != HistoryOutcome::Loaded {
            seen.closed += 1;
            continue;
        }
        let label = Label::of(&entry.record.label);
        let earlier = loaded.insert(label, entry.version);
        assert_eq!(earlier, None, "{label:?} is loaded twice, {when}");
        seen.loads += 1;
        if label.overwrites() {
            seen.overwrites += 1;
            expected.clear();
        }
        expected.insert(label);
    }
    for line in acknowledged.lines() {
        let (label, version) = line.split_once(' ').unwrap();
        let label = Label(label.parse().unwrap());
        assert_eq!(loaded.get(&label), Some(&version.parse().unwrap()), "{label:?} was acknowledged, {when}");
    }
    let expected: BTreeMap<i64, i64> = expected.into_iter().map(|label| (label.0, label.rows())).collect();
    assert_eq!(whole_labels(&rows_of(&table, &segments), when), expected, "{when}");
    seen.rows = expected.values().sum::<i64>().cast_unsigned();
    seen.compacted = segments.iter().filter(|segment| segment.path.contains("/compact-")).count() as u64;
    seen.widened = (table.schema().columns().len() > 2).into();
    seen
}

/// The rows that a reader sees, by label.
pub fn visible(root: &Path) -> BTreeMap<i64, i64> {
    let (table, _, segments) = snapshot(root);
    whole_labels(&rows_of(&table, &segments), "as visible")
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

/// Number of rows by label: each of a label's rows once, what was added to them NULL or right.
fn whole_labels(rows: &RecordBatch, when: &str) -> BTreeMap<i64, i64> {
    let column = |name: &str| rows.column_by_name(name).unwrap().as_primitive::<Int64Type>();
    let (numbers, labels) = (column("n"), column("label"));
    for extra in rows.columns().iter().skip(2).map(|extra| extra.as_primitive::<Int64Type>()) {
        for row in (0..rows.num_rows()).filter(|row| extra.is_valid(*row)) {
            assert_eq!(extra.value(row), numbers.value(row), "an added column, {when}");
        }
    }
    let mut found = BTreeMap::<i64, BTreeSet<i64>>::new();
    for (label, number) in labels.values().iter().zip(numbers.values()) {
        assert!(found.entry(*label).or_default().insert(*number), "row {number} of {label} twice, {when}");
    }
    found.into_iter().map(|(label, numbers)| (label, numbers.len() as i64)).collect()
}
