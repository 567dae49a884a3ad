//! Where rows come from: one entry of `spec.sources`. The same types stand in the manifest and in the
//! [`LoadRequest`](crate::LoadRequest), so that the worker reads what the user wrote.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Objects of one format under one set of paths, with how to reach and map them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Source {
    /// `s3://bucket/key`, wildcards `?`, `*`, `[..]`, `{a,b}`; `*` never crosses `/`. A path is one string:
    /// a comma in a key is a comma.
    #[schemars(length(min = 1, max = 64), inner(length(min = 1, max = 1024)))]
    #[x_kube(validation = Rule::new("self.all(path, path.startsWith('s3://') || path.startsWith('s3a://'))").message("each path starts with s3:// or s3a://"))]
    pub paths: Vec<String>,
    /// How to reach the store.
    #[serde(default)]
    pub s3: S3,
    /// The files' format; absent: by suffix.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,
    /// The columns to take from the file, matched by name regardless of case; absent: every column of the
    /// table that the file has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1000), inner(length(min = 1, max = 255)))]
    pub columns: Option<Vec<String>>,
}

/// A file format with its options.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Format {
    /// Apache Parquet.
    Parquet(ParquetOptions),
}

/// Options of Parquet: none so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ParquetOptions {}

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
