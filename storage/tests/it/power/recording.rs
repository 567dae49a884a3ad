//! A workload that was run once, with what its log says at each version.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use serde_json::Value;

use super::volume::{Inode, Node, Operation, Step, Volume, parent};

/// Number of a path in a recording.
pub type PathId = usize;

/// The table's folder on the volume.
pub const ROOT: &str = "/volume/table";

/// What the table holds at a version, as its commits say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expected {
    /// Paths of the files, relative to the table, with their rows.
    pub files: BTreeMap<String, u64>,
    /// Names of the columns.
    pub columns: Vec<String>,
    /// Number of each claim, by label.
    pub claims: BTreeMap<String, i64>,
    /// Labels that are loaded.
    pub loaded: BTreeSet<String>,
    /// History records that a commit names, by version, with their labels.
    pub records: BTreeMap<u64, (String, String)>,
}

/// A workload that was run once.
pub struct Recording {
    pub name: String,
    pub start: BTreeMap<String, Node>,
    pub steps: Vec<Step>,
    /// Cuts before this step are not replayed: other recordings have the same.
    pub from: usize,
    /// The bytes of each file at the end.
    pub contents: Vec<Arc<Vec<u8>>>,
    /// Files that were there before.
    pub start_files: usize,
    /// Every path that a name was made at; a folder has the number that `parents` gives.
    pub paths: Vec<String>,
    pub parents: Vec<Option<PathId>>,
    ids: HashMap<String, PathId>,
    /// By version, from 0.
    expected: Vec<Expected>,
    /// The file of each path that was ever a segment, record, checkpoint or document: none is replaced.
    files: HashMap<String, Inode>,
}

impl Recording {
    /// Ends the recording of what was done on `volume` since it was `start`.
    pub fn end(name: impl Into<String>, start: &Volume, volume: &Volume) -> Self {
        let (start, start_contents) = start.snapshot();
        let (_, contents) = volume.snapshot();
        let mut recording = Self {
            name: name.into(),
            steps: volume.steps(),
            from: 0,
            start_files: start_contents.len(),
            contents,
            paths: Vec::new(),
            parents: Vec::new(),
            ids: HashMap::new(),
            expected: Vec::new(),
            files: HashMap::new(),
            start: start.clone(),
        };
        for (path, node) in &start {
            recording.intern(path);
            if let Node::File(inode) = node {
                recording.files.insert(path.clone(), *inode);
            }
        }
        for step in recording.steps.clone() {
            let (path, inode) = match &step.operation {
                Operation::Create { path, inode } | Operation::Link { path, inode } => (path, Some(*inode)),
                Operation::Rename { to, inode, .. } => (to, Some(*inode)),
                Operation::MakeFolder { path } => (path, None),
                _ => continue,
            };
            recording.intern(path);
            if let Some(inode) = inode {
                recording.files.insert(path.clone(), inode);
            }
        }
        recording.expected = recording.fold();
        recording
    }

    fn intern(&mut self, path: &str) -> PathId {
        if let Some(id) = self.ids.get(path) {
            return *id;
        }
        let above = parent(path);
        let above = (!above.is_empty()).then(|| self.intern(above));
        let id = self.paths.len();
        self.paths.push(path.to_owned());
        self.parents.push(above);
        self.ids.insert(path.to_owned(), id);
        id
    }

    pub fn id(&self, path: &str) -> PathId {
        self.ids[path]
    }

    /// The bytes that a file should have, if the recording knows the path.
    pub fn whole(&self, path: &str) -> Option<&Arc<Vec<u8>>> {
        self.files.get(path).map(|inode| &self.contents[*inode])
    }

    /// What a version says, if it was committed.
    pub fn at(&self, version: u64) -> Option<&Expected> {
        self.expected.get(usize::try_from(version).ok()?)
    }

    /// What each version says, from version 0.
    fn fold(&self) -> Vec<Expected> {
        let mut versions = Vec::new();
        let mut state = Expected::default();
        while let Some(bytes) = self.whole(&format!("{ROOT}/_delta_log/{:020}.json", versions.len())) {
            for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
                state.apply(versions.len() as u64, &serde_json::from_slice(line).unwrap());
            }
            versions.push(state.clone());
        }
        versions
    }
}

impl Expected {
    fn apply(&mut self, version: u64, action: &Value) {
        let own = &action["commitInfo"]["longshore"];
        if let Some(record) = own["record"]["path"].as_str() {
            let label = own["label"].as_str().unwrap().to_owned();
            self.records.insert(version, (label, record.to_owned()));
        }
        if let Some(schema) = action["metaData"]["schemaString"].as_str() {
            let schema: Value = serde_json::from_str(schema).unwrap();
            let fields = schema["fields"].as_array().unwrap();
            self.columns = fields.iter().map(|field| field["name"].as_str().unwrap().to_owned()).collect();
        }
        if let Some(add) = action.get("add") {
            let stats: Value = serde_json::from_str(add["stats"].as_str().unwrap()).unwrap();
            let rows = stats["numRecords"].as_u64().unwrap();
            self.files.insert(add["path"].as_str().unwrap().to_owned(), rows);
        }
        if let Some(remove) = action.get("remove") {
            self.files.remove(remove["path"].as_str().unwrap());
        }
        if let Some(txn) = action.get("txn") {
            let (app, number) = (txn["appId"].as_str().unwrap(), txn["version"].as_i64().unwrap());
            if let Some(label) = app.strip_prefix("claim/") {
                self.claims.insert(label.to_owned(), number);
            } else if let Some(label) = app.strip_prefix("load/") {
                self.loaded.insert(label.to_owned());
            }
        }
    }
}
