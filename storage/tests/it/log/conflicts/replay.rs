//! The table as its commits say, read by the test itself: every JSON file from version 0 on.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

/// What a version holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    /// Partition and rows of each file.
    pub files: BTreeMap<String, (String, u64)>,
    /// Name and declared type of each column.
    pub columns: Vec<(String, String)>,
    pub txns: BTreeMap<String, i64>,
}

impl State {
    pub fn number(&self, app_id: &str) -> i64 {
        self.txns.get(app_id).copied().unwrap_or(0)
    }

    pub fn rows(&self) -> u64 {
        self.files.values().map(|(_, rows)| rows).sum()
    }

    fn apply(&mut self, action: &Value) {
        if let Some(path) = action.pointer("/remove/path") {
            assert!(
                self.files.remove(path.as_str().unwrap()).is_some(),
                "{path} is removed and was not there"
            );
        }
        if let Some(add) = action.get("add") {
            let stats: Value = serde_json::from_str(add["stats"].as_str().unwrap()).unwrap();
            let partition = add.pointer("/tags/longshore.partition").map_or("", |tag| tag.as_str().unwrap());
            let file = (partition.to_owned(), stats["numRecords"].as_u64().unwrap());
            let path = add["path"].as_str().unwrap().to_owned();
            assert!(self.files.insert(path.clone(), file).is_none(), "{path} is added twice");
        }
        if let Some(schema) = action.pointer("/metaData/schemaString") {
            let schema: Value = serde_json::from_str(schema.as_str().unwrap()).unwrap();
            let fields = schema["fields"].as_array().unwrap().iter();
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            self.columns = fields
                .map(|field| (text(&field["name"]), text(&field["metadata"]["longshore.type"])))
                .collect();
        }
        if let Some(txn) = action.get("txn") {
            let app_id = txn["appId"].as_str().unwrap().to_owned();
            let number = txn["version"].as_i64().unwrap();
            let before = self.txns.insert(app_id.clone(), number);
            assert!(before.is_none_or(|before| before < number), "{app_id} went from {before:?} to {number}");
        }
    }
}

/// The lines of a version.
pub fn lines(root: &Path, version: u64) -> Option<Vec<Value>> {
    let text = std::fs::read_to_string(root.join(format!("_delta_log/{version:020}.json"))).ok()?;
    Some(text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

/// The newest version and what it holds. Every commit but the first sets a number.
pub fn replay(root: &Path) -> (u64, State) {
    let mut state = State::default();
    for version in 0.. {
        let Some(lines) = lines(root, version) else {
            return (version - 1, state);
        };
        assert!(version == 0 || lines.iter().any(|line| line.get("txn").is_some()), "version {version}");
        lines.iter().for_each(|line| state.apply(line));
    }
    unreachable!()
}

/// Asserts that the library sees the same, and gives it.
pub fn seen(root: &Path) -> State {
    let (version, state) = replay(root);
    let table =
        longshore_storage::table::Table::open(std::sync::Arc::new(longshore_storage::durable::Posix), root)
            .unwrap();
    assert_eq!(table.version(), version);
    assert_eq!(visible(&table), state.files);
    let columns = table.schema().columns().iter();
    let columns: Vec<_> = columns.map(|column| (column.name.clone(), column.data_type.to_string())).collect();
    assert_eq!(columns, state.columns);
    state
}

/// The files that the library sees, with partition and rows.
pub fn visible(table: &longshore_storage::table::Table) -> BTreeMap<String, (String, u64)> {
    let segments = table.segments().unwrap();
    let count = segments.len();
    let files: BTreeMap<_, _> =
        segments.into_iter().map(|segment| (segment.path, (segment.partition, segment.rows))).collect();
    assert_eq!(files.len(), count, "a file is named twice");
    files
}
