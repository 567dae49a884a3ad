//! A small table, and loads into it without any Parquet: the log never looks into a segment.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use longshore_storage::durable::{FileSystem, Posix};
use longshore_storage::history::{HistoryCounts, HistoryOutcome, HistoryRecord};
use longshore_storage::load::Segment;
use longshore_storage::schema::{Column, Compression, DefaultValue, Distribution, TableDefinition};
use longshore_storage::table::{Claim, CommitError, CommitOutcome, LoadCommit, LoadMode, Table};
use longshore_storage::types::DataType;

pub fn column(name: &str, data_type: DataType, nullable: bool) -> Column {
    Column { name: name.to_owned(), data_type, nullable, default: None }
}

pub fn definition() -> TableDefinition {
    TableDefinition {
        columns: vec![
            column("UserID", DataType::Int, false),
            Column {
                default: Some(DefaultValue::Literal("none".to_owned())),
                ..column("BehaviorType", DataType::Varchar(65533), true)
            },
            Column {
                default: Some(DefaultValue::CurrentTimestamp),
                ..column("Timestamp", DataType::DateTime, true)
            },
        ],
        key: vec!["UserID".to_owned()],
        order_by: Vec::new(),
        partition_by: longshore_storage::schema::PartitionBy::None,
        distribution: Distribution::Hash { columns: vec!["UserID".to_owned()], buckets: 4 },
        compression: Compression::Zstd,
    }
}

/// A table in a temporary folder.
pub struct Place {
    _folder: tempfile::TempDir,
    pub root: PathBuf,
}

impl Place {
    /// In memory where the system has such a folder: thousands of fsyncs would only measure the disk.
    pub fn empty() -> Self {
        let memory = Path::new("/dev/shm");
        let parent = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        let folder = tempfile::tempdir_in(parent).unwrap();
        let root = folder.path().join("table");
        Self { _folder: folder, root }
    }

    pub fn with_table() -> (Self, Table) {
        let place = Self::empty();
        let table = place.create(Arc::new(Posix)).unwrap();
        (place, table)
    }

    pub fn create(&self, files: Arc<dyn FileSystem>) -> Result<Table, longshore_storage::table::TableError> {
        Table::create(files, &self.root, &definition())
    }

    pub fn open(&self) -> Table {
        Table::open(Arc::new(Posix), &self.root).unwrap()
    }

    /// A copy of the table whose log has no checkpoint, so that it is replayed from version 0.
    pub fn open_without_checkpoints(&self) -> Table {
        let copy = self.root.with_extension("replayed");
        for folder in ["_delta_log", "_longshore", "_longshore/history"] {
            std::fs::create_dir_all(copy.join(folder)).unwrap();
            for entry in std::fs::read_dir(self.root.join(folder)).unwrap() {
                let entry = entry.unwrap();
                let name = entry.file_name().into_string().unwrap();
                if entry.file_type().unwrap().is_file() && !name.contains("checkpoint") {
                    std::fs::copy(entry.path(), copy.join(folder).join(name)).unwrap();
                }
            }
        }
        let table = Table::open(Arc::new(Posix), &copy).unwrap();
        assert_eq!(table.version(), self.open().version());
        table
    }

    pub fn log(&self) -> PathBuf {
        self.root.join("_delta_log")
    }

    pub fn commit(&self, version: u64) -> PathBuf {
        self.log().join(format!("{version:020}.json"))
    }
}

pub fn segment(name: &str, rows: u64) -> Segment {
    Segment {
        path: format!("b-00001/{name}.parquet"),
        partition: String::new(),
        partition_values: Default::default(),
        bucket: 1,
        rows,
        bytes: 100,
        modified_ms: 1_700_000_000_000,
        stats: format!(r#"{{"numRecords":{rows},"minValues":{{"UserID":1}},"maxValues":{{"UserID":9}}}}"#),
    }
}

pub fn record(claim: &Claim, rows: u64) -> HistoryRecord {
    let mut record = HistoryRecord::new(claim.label(), claim.run(), claim.attempt(), HistoryOutcome::Loaded);
    record.counts = HistoryCounts { scan_rows: rows, sink_rows: rows, ..HistoryCounts::default() };
    record
}

pub fn failed_record(label: &str, run: u32) -> HistoryRecord {
    HistoryRecord::new(label, run, 0, HistoryOutcome::Failed)
}

/// A load of one segment named after the claim.
pub fn load_of(table: &Table, claim: &Claim, rows: u64) -> LoadCommit {
    let name = format!("{}-{}-{}", claim.label(), claim.run(), claim.attempt());
    LoadCommit {
        segments: vec![segment(&name, rows)],
        schema: Arc::clone(table.schema()),
        record: record(claim, rows),
        deadline: None,
        mode: LoadMode::Append,
        new_columns: Vec::new(),
    }
}

pub fn commit(table: &mut Table, claim: &Claim, rows: u64) -> Result<CommitOutcome, CommitError> {
    let load = load_of(table, claim, rows);
    table.commit_load(claim, load)
}

/// Claims and commits a label.
pub fn load(table: &mut Table, label: &str, rows: u64) -> u64 {
    let claim = table.claim(label, 1).unwrap();
    match commit(table, &claim, rows).unwrap() {
        CommitOutcome::Committed { version } => version,
        other @ CommitOutcome::AlreadyLoaded { .. } => panic!("{other:?}"),
    }
}

/// Names in a folder that a process should not leave behind.
pub fn temporary_files(folder: &Path) -> Vec<String> {
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    names.map(|name| name.into_string().unwrap()).filter(|name| name.ends_with(".tmp")).collect()
}
