//! Where rows come from: one entry of `spec.sources`. The same types stand in the manifest and in the
//! [`LoadRequest`](crate::LoadRequest), so that the worker reads what the user wrote.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use crate::format::Format;

/// Objects of one format under one set of paths, with how to reach and map them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("(has(self.paths) && size(self.paths) > 0) != has(self.manifest)").message("a source names its objects by paths or by a manifest, one of them"))]
pub struct Source {
    /// `s3://bucket/key`, wildcards `?`, `*`, `[..]`, `{a,b}`; `*` never crosses `/`. A path is one string:
    /// a comma in a key is a comma.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 1024)))]
    #[x_kube(validation = Rule::new("self.all(path, path.startsWith('s3://') || path.startsWith('s3a://'))").message("each path starts with s3:// or s3a://"))]
    pub paths: Vec<String>,
    /// In place of `paths`: `s3://bucket/key` of a JSON list of objects, each with its key, and if wanted its
    /// size, its ETag and whether it is mandatory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    #[x_kube(validation = Rule::new("self.startsWith('s3://') || self.startsWith('s3a://')").message("a manifest starts with s3:// or s3a://"))]
    pub manifest: Option<String>,
    /// How to reach the store.
    #[serde(default)]
    pub s3: S3,
    /// The files' format; absent: by suffix.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,
    /// Names for the fields of the file. Parquet, ORC, Avro, JSON and CSV with a header have names: these are
    /// the ones to take, regardless of case (JSON: case matters). Other CSV, and JSON with jsonPaths: the
    /// first name is the first field's, and so on. A name that no column of the table has is temporary, for
    /// `set` and `where`. Absent: every column of the table that the file has; CSV: the table's columns in
    /// their order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1000), inner(length(min = 1, max = 255)))]
    pub columns: Option<Vec<String>>,
    /// Names whose values stand in the keys as `name=value/`, percent-decoded. They feed the columns of their
    /// name, and `set` and `where`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(min = 1, max = 255)))]
    pub columns_from_path: Vec<String>,
    /// What happens to a file whose key lacks a name of `columnsFromPath`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub on_missing_path_key: OnMissingPathKey,
    /// Columns of the table that are computed: SQL over the columns of the file, those of the path and
    /// `_file`, `_file_row`, `_file_size`, `_file_modified`, `_file_etag`, `_load_label`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 256), extend("additionalProperties" = {"type": "string", "minLength": 1, "maxLength": 4096}))]
    pub set: BTreeMap<String, String>,
    /// Which rows are taken: SQL over the same columns. The others are counted as unselected.
    #[serde(default, rename = "where", skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 8192))]
    pub filter: Option<String>,
}

/// What happens to a file whose key lacks a name of `columnsFromPath`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OnMissingPathKey {
    /// The load fails and names the file.
    #[default]
    Fail,
    /// The column is NULL for the rows of that file.
    Null,
    /// The file is left out, and counted as skipped.
    SkipFile,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Endpoint, region and identity of an S3 store.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct S3 {
    /// Region; default: what the SDK's chain finds, else `us-east-1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub region: Option<String>,
    /// Endpoint of an S3-compatible store, `http://` or `https://`; absent: what
    /// `AWS_ENDPOINT_URL_S3` or `AWS_ENDPOINT_URL` names in the worker's environment, else AWS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    #[x_kube(validation = Rule::new("(self.startsWith('http://') || self.startsWith('https://')) && !self.contains('@')").message("an endpoint starts with http:// or https:// and holds no user or password"))]
    pub endpoint: Option<String>,
    /// `http://endpoint/bucket/key` instead of `http://bucket.endpoint/key`.
    #[serde(default)]
    pub force_path_style: bool,
    /// Identity; absent: the pod's own (the SDK's chain).
    #[serde(default)]
    pub credentials: Credentials,
}

/// Who reads. At most one of `secretRef` and `anonymous`; with neither, the SDK's chain.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!(has(self.anonymous) && self.anonymous && (has(self.secretRef) || has(self.assumeRole)))").message("anonymous excludes secretRef and assumeRole; state one identity"))]
pub struct Credentials {
    /// A Secret with `access-key-id`, `secret-access-key` and optionally `session-token`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretRef>,
    /// Unsigned requests.
    #[serde(default)]
    pub anonymous: bool,
    /// A role to assume with that identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assume_role: Option<AssumeRole>,
}

/// Name of a Secret in the same namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretRef {
    /// Name of the Secret. In local mode: the folder `secrets/<name>/` beside the data, or the environment.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// An IAM role to assume through STS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct AssumeRole {
    /// ARN of the role.
    #[schemars(length(min = 1, max = 2048))]
    pub role_arn: String,
    /// External id, where the role's trust policy asks for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1224))]
    pub external_id: Option<String>,
    /// Session name; default `longshore`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 64))]
    pub session_name: Option<String>,
    /// STS endpoint; absent: AWS's of the region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    #[x_kube(validation = Rule::new("(self.startsWith('http://') || self.startsWith('https://')) && !self.contains('@')").message("an endpoint starts with http:// or https:// and holds no user or password"))]
    pub sts_endpoint: Option<String>,
}
