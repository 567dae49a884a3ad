//! What a reader of the generated data must find.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::rows::{BEHAVIORS, Batch, TIMESTAMP_BYTES};
use super::{GenerateError, Options};

/// Exact counts and sums over a data set, kept beside it as `expected.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Expected {
    /// What was asked for.
    pub options: Options,
    /// Rows.
    pub rows: u64,
    /// Sum of UserID.
    pub user_id_sum: i64,
    /// Sum of ItemID.
    pub item_id_sum: i64,
    /// Sum of CategoryID.
    pub category_id_sum: i64,
    /// Rows by BehaviorType.
    pub behaviors: BTreeMap<String, u64>,
    /// The least Timestamp; empty without rows.
    pub min_timestamp: String,
    /// The greatest Timestamp; empty without rows.
    pub max_timestamp: String,
    /// The files, in order.
    pub files: Vec<FileEntry>,
}

/// One generated file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FileEntry {
    /// Name within the folder.
    pub name: String,
    /// Size in bytes.
    pub bytes: u64,
    /// Rows.
    pub rows: u64,
}

impl Expected {
    /// Nothing yet.
    pub(crate) fn new(options: &Options) -> Self {
        Self {
            options: options.clone(),
            rows: 0,
            user_id_sum: 0,
            item_id_sum: 0,
            category_id_sum: 0,
            behaviors: BEHAVIORS.iter().map(|name| ((*name).to_owned(), 0)).collect(),
            min_timestamp: String::new(),
            max_timestamp: String::new(),
            files: Vec::new(),
        }
    }

    /// Bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    pub(crate) fn add_batch(&mut self, batch: &Batch) {
        self.rows += batch.users.len() as u64;
        self.user_id_sum += batch.users.iter().sum::<i64>();
        self.item_id_sum += batch.items.iter().sum::<i64>();
        self.category_id_sum += batch.categories.iter().sum::<i64>();
        let mut counts = [0; BEHAVIORS.len()];
        for &behavior in &batch.behaviors {
            counts[usize::from(behavior)] += 1;
        }
        for (name, count) in BEHAVIORS.iter().zip(counts) {
            *self.behaviors.entry((*name).to_owned()).or_default() += count;
        }
        let stamps = || batch.timestamps.chunks_exact(TIMESTAMP_BYTES);
        let text = |stamp: Option<&[u8]>| String::from_utf8_lossy(stamp.unwrap_or_default()).into_owned();
        self.widen(&text(stamps().min()), &text(stamps().max()));
    }

    /// Adds another part of the same data set; the files keep the order of the calls.
    pub(crate) fn merge(&mut self, other: Self) {
        self.rows += other.rows;
        self.user_id_sum += other.user_id_sum;
        self.item_id_sum += other.item_id_sum;
        self.category_id_sum += other.category_id_sum;
        for (name, count) in other.behaviors {
            *self.behaviors.entry(name).or_default() += count;
        }
        self.widen(&other.min_timestamp, &other.max_timestamp);
        self.files.extend(other.files);
    }

    fn widen(&mut self, least: &str, greatest: &str) {
        if !least.is_empty() && (self.min_timestamp.is_empty() || least < self.min_timestamp.as_str()) {
            least.clone_into(&mut self.min_timestamp);
        }
        if greatest > self.max_timestamp.as_str() {
            greatest.clone_into(&mut self.max_timestamp);
        }
    }

    /// Reads `expected.json`; None unless the folder holds the whole data set of these options.
    pub fn read_complete(folder: &Path, options: &Options) -> Option<Self> {
        let text = std::fs::read(folder.join(FILE_NAME)).ok()?;
        let expected: Self = serde_json::from_slice(&text).ok()?;
        let there =
            |file: &FileEntry| folder.join(&file.name).metadata().is_ok_and(|meta| meta.len() == file.bytes);
        (expected.options == *options && expected.files.iter().all(there)).then_some(expected)
    }

    /// Writes `expected.json`, after all files: its presence says that they are whole.
    pub(crate) fn write(&self, folder: &Path) -> Result<(), GenerateError> {
        let path = folder.join(FILE_NAME);
        let temporary = folder.join(".expected.json.part");
        serde_json::to_vec_pretty(self)
            .map_err(std::io::Error::other)
            .and_then(|text| std::fs::write(&temporary, text))
            .and_then(|()| std::fs::rename(&temporary, &path))
            .map_err(|error| GenerateError::io(&path, error))
    }
}

pub(crate) const FILE_NAME: &str = "expected.json";
