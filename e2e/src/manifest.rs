//! Manifests of the user guide's table, loads and pipes, with what a test changes.

use serde_json::{Value, json};

use crate::Store;

/// An object with a spec.
#[derive(Debug, Clone)]
pub struct Manifest {
    value: Value,
}

impl Manifest {
    /// The Table of this name, with the user guide's columns, of 1 GiB on the default class.
    pub fn table(name: &str) -> Self {
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

    /// A LoadJob of `s3://<path>` from this store into a table, with the Secret `aws`.
    pub fn load(name: &str, table: &str, store: &Store, path: &str) -> Self {
        Self::load_on(name, table, &store.endpoint(), path)
    }

    /// The same from the store at this endpoint.
    pub fn load_on(name: &str, table: &str, endpoint: &str, path: &str) -> Self {
        let value = json!({
            "apiVersion": "longshore.dev/v1alpha1",
            "kind": "LoadJob",
            "metadata": {"name": name},
            "spec": {"table": table, "sources": [source(endpoint, path)]},
        });
        Self { value }
    }

    /// A Pipe of `s3://<path>` from this store into a table, with the Secret `aws`. It looks every second.
    pub fn pipe(name: &str, table: &str, store: &Store, path: &str) -> Self {
        Self::pipe_on(name, table, &store.endpoint(), path)
    }

    /// The same from the store at this endpoint.
    pub fn pipe_on(name: &str, table: &str, endpoint: &str, path: &str) -> Self {
        let value = json!({
            "apiVersion": "longshore.dev/v1alpha1",
            "kind": "Pipe",
            "metadata": {"name": name},
            "spec": {
                "table": table,
                "source": source(endpoint, path),
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
