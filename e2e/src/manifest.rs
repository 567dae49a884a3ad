//! Manifests of the user guide's table, loads and pipes, with what a test changes.

use serde_json::{Value, json};

use crate::Store;

/// A Table of the user guide's columns.
#[derive(Debug, Clone)]
pub struct TableManifest {
    value: Value,
}

impl TableManifest {
    /// The table of this name, of 1 GiB on the default class.
    pub fn new(name: &str) -> Self {
        let value = json!({
            "apiVersion": "longshore.dev/v1alpha1",
            "kind": "Table",
            "metadata": {"name": name},
            "spec": {
                "columns": [
                    {"name": "UserID", "type": "INT"},
                    {"name": "ItemID", "type": "INT"},
                    {"name": "CategoryID", "type": "INT"},
                    {"name": "BehaviorType", "type": "VARCHAR(65533)"},
                    {"name": "Timestamp", "type": "DATETIME"},
                ],
                "key": {"type": "Duplicate", "columns": ["UserID"]},
                "distribution": {"hash": {"columns": ["UserID"], "buckets": 4}},
                "storage": {"size": "1Gi"},
            },
        });
        Self { value }
    }

    /// Sets a field of the spec.
    #[must_use]
    pub fn with(mut self, field: &str, value: Value) -> Self {
        self.value["spec"][field] = value;
        self
    }

    /// As `kubectl apply` takes it.
    pub fn yaml(&self) -> String {
        self.value.to_string()
    }
}

/// A LoadJob.
#[derive(Debug, Clone)]
pub struct Load {
    value: Value,
}

impl Load {
    /// A load of `s3://<path>` from this store into a table, with the Secret `aws`.
    pub fn new(name: &str, table: &str, store: &Store, path: &str) -> Self {
        Self::on(name, table, &store.endpoint(), path)
    }

    /// The same from the store at this endpoint.
    pub fn on(name: &str, table: &str, endpoint: &str, path: &str) -> Self {
        let value = json!({
            "apiVersion": "longshore.dev/v1alpha1",
            "kind": "LoadJob",
            "metadata": {"name": name},
            "spec": {"table": table, "sources": [source(endpoint, path)]},
        });
        Self { value }
    }

    /// Sets a field of the spec.
    #[must_use]
    pub fn with(mut self, field: &str, value: Value) -> Self {
        self.value["spec"][field] = value;
        self
    }

    /// As `kubectl apply` takes it.
    pub fn yaml(&self) -> String {
        self.value.to_string()
    }
}

/// A Pipe.
#[derive(Debug, Clone)]
pub struct PipeManifest {
    value: Value,
}

impl PipeManifest {
    /// A pipe of `s3://<path>` from this store into a table, with the Secret `aws`. It looks every second.
    pub fn new(name: &str, table: &str, store: &Store, path: &str) -> Self {
        let value = json!({
            "apiVersion": "longshore.dev/v1alpha1",
            "kind": "Pipe",
            "metadata": {"name": name},
            "spec": {
                "table": table,
                "source": source(&store.endpoint(), path),
                "pollIntervalSeconds": 1,
                "maxListRequestsPerHour": 100_000,
            },
        });
        Self { value }
    }

    /// Sets a field of the spec.
    #[must_use]
    pub fn with(mut self, field: &str, value: Value) -> Self {
        self.value["spec"][field] = value;
        self
    }

    /// As `kubectl apply` takes it.
    pub fn yaml(&self) -> String {
        self.value.to_string()
    }
}

fn source(endpoint: &str, path: &str) -> Value {
    json!({
        "paths": [format!("s3://{path}")],
        "s3": {
            "region": "us-east-1",
            "endpoint": endpoint,
            "forcePathStyle": true,
            "credentials": {"secretRef": {"name": "aws"}},
        },
    })
}
