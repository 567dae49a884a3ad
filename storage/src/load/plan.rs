//! The plan: what was listed, frozen, and cut into tasks before any row is read.

use serde::{Deserialize, Serialize};

/// The plan of one attempt, `loads/<label>/<run>-<attempt>/plan.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// Digest of the request (hex).
    pub request_digest: String,
    /// Id of the table (Delta's metaData.id).
    pub table_id: String,
    /// Version of the table whose schema the plan was made for.
    pub schema_version: u64,
    /// Digest of the schema that the tasks write ([`TableSchema::digest`](crate::schema::TableSchema::digest)),
    /// columns that the load adds included. Empty in plans of before it was written down.
    #[serde(default)]
    pub schema_digest: String,
    /// The one instant of CURRENT_TIMESTAMP, microseconds since the epoch, UTC.
    pub now_micros: i64,
    /// The manifests that sources name in place of paths, as they were read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub manifests: Vec<PlannedManifest>,
    /// Tasks in order; a task's number is its place.
    pub tasks: Vec<PlannedTask>,
}

/// A manifest whose entries are files of the plan: another attempt of the run takes them from here, whatever
/// the manifest says by then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlannedManifest {
    /// The manifest itself; its `source` is the one that names it.
    pub file: PlannedFile,
    /// Optional entries whose object is not there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub absent: Vec<AbsentEntry>,
}

/// An optional entry of a manifest that names no object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AbsentEntry {
    /// Its place in the manifest, from 1.
    pub entry: u64,
    /// Bucket.
    pub bucket: String,
    /// Key.
    pub key: String,
}

/// The files of one task.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlannedTask {
    /// Files in order of listing.
    pub files: Vec<PlannedFile>,
}

/// A frozen object: identity = (bucket, key, ETag).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PlannedFile {
    /// Index of the source in the request.
    pub source: u32,
    /// Bucket; empty for a local file.
    pub bucket: String,
    /// Key, or the path of a local file.
    pub key: String,
    /// Bytes.
    pub size: u64,
    /// ETag as listed, with its quotes taken off.
    pub etag: String,
    /// Last change, milliseconds since the epoch.
    pub modified_ms: i64,
}

impl PlannedFile {
    /// `s3://bucket/key`, or the local path.
    pub fn uri(&self) -> String {
        if self.bucket.is_empty() { self.key.clone() } else { format!("s3://{}/{}", self.bucket, self.key) }
    }
}
