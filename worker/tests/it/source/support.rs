//! A client of a store as tests use it: not async, with short waits.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use longshore_crds::source::{Credentials, S3, SecretRef};
use longshore_worker::source::{
    ConnectContext, ListedObject, PathPattern, ReadObject, RequestMetrics, RetryPolicy, SourceError, Store,
};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use crate::world::mount_secret;

pub const KEY_ID: &str = "AKIAEXAMPLE";
/// Must never appear in what is printed.
pub const KEY: &str = "wJalrXUtnFEMI-K7MDENG-bPxRfiCYEXAMPLEKEY";

/// Waits short enough for tests.
pub const QUICK: RetryPolicy = RetryPolicy {
    attempts: 5,
    throttled_attempts: 12,
    base_delay: Duration::from_millis(1),
    max_delay: Duration::from_millis(20),
    total: Duration::from_secs(60),
    attempt: Duration::from_secs(20),
    stall: Duration::from_secs(10),
    rotation: Duration::from_secs(1),
};

pub struct Client {
    pub runtime: Runtime,
    pub metrics: Arc<RequestMetrics>,
    pub cancel: CancellationToken,
    pub policy: RetryPolicy,
    pub with_secrets_dir: bool,
    secrets: TempDir,
}

impl Client {
    pub fn new() -> Self {
        let client = Self {
            runtime: Runtime::new().unwrap(),
            metrics: Arc::default(),
            cancel: CancellationToken::new(),
            policy: QUICK,
            with_secrets_dir: true,
            secrets: tempfile::tempdir().unwrap(),
        };
        client.write_secret("aws", KEY_ID, KEY);
        client
    }

    pub fn write_secret(&self, name: &str, id: &str, key: &str) {
        mount_secret(&self.secret(name), &format!("{id}\n"), &format!("{key}\n"));
    }

    pub fn secret(&self, name: &str) -> PathBuf {
        self.secrets.path().join(name)
    }

    pub fn context(&self) -> ConnectContext {
        ConnectContext {
            secrets_dir: self.with_secrets_dir.then(|| self.secrets.path().to_owned()),
            runtime: self.runtime.handle().clone(),
            metrics: self.metrics.clone(),
            cancel: self.cancel.clone(),
            max_concurrent_requests: 8,
        }
    }

    pub fn connect(&self, s3: &S3) -> Result<Store, SourceError> {
        self.runtime.block_on(Store::connect_with(s3, &self.context(), self.policy))
    }

    /// Connects with the Secret `aws`.
    pub fn store(&self, endpoint: &str) -> Store {
        self.connect(&s3(endpoint)).unwrap()
    }

    pub fn list(&self, store: &Store, paths: &[&str]) -> Result<Vec<ListedObject>, SourceError> {
        let patterns: Result<Vec<_>, _> = paths.iter().map(|path| PathPattern::parse(path)).collect();
        self.runtime.block_on(store.list_all(&patterns?))
    }

    pub fn keys(&self, store: &Store, path: &str) -> Vec<String> {
        self.list(store, &[path]).unwrap().into_iter().map(|object| object.key).collect()
    }

    /// Lists one key and opens it.
    pub fn open(&self, store: &Store, path: &str) -> Arc<dyn ReadObject> {
        let found = self.list(store, &[path]).unwrap();
        assert_eq!(found.len(), 1, "{path}");
        store.object(&found[0].planned(0))
    }
}

/// Path style at `endpoint`, with the Secret `aws`.
pub fn s3(endpoint: &str) -> S3 {
    S3 {
        region: Some("us-east-1".to_owned()),
        endpoint: Some(endpoint.to_owned()),
        force_path_style: true,
        credentials: Credentials {
            secret_ref: Some(SecretRef { name: "aws".to_owned() }),
            ..Credentials::default()
        },
    }
}

/// Bytes that differ from place to place.
pub fn content(size: usize) -> Bytes {
    (0..size).map(|at| (at.wrapping_mul(2_654_435_761) >> 7) as u8).collect::<Vec<u8>>().into()
}

/// The error of a listing or a read, with what every error must hold to.
pub fn checked<T: std::fmt::Debug>(answer: Result<T, SourceError>, category: &str) -> SourceError {
    let error = answer.unwrap_err();
    assert_eq!(error.category(), category, "{error}");
    let text = format!("{error} {error:?} {error:#?}");
    assert!(!text.contains(KEY), "a secret value stands in {text}");
    error
}
