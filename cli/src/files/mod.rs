//! `longshore files`: what lies under a path, before there is a Table for it.

mod preview;
mod suggest;

use std::sync::Arc;

use indicatif::{HumanBytes, HumanCount};
use longshore_crds::InferFrom;
use longshore_crds::source::{Credentials, S3, SecretRef};
use longshore_worker::infer::{Purpose, infer_listed};
use longshore_worker::source::{
    ConnectContext, ListedObject, PathPattern, RequestMetrics, SourceError, Store,
};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use crate::args::FilesArgs;
use crate::data_dir::DataDir;

/// Requests in flight at once: a preview reads little.
const MAX_CONCURRENT_REQUESTS: usize = 16;

/// The answer to `files`.
pub async fn run(args: &FilesArgs, data_dir: &DataDir, cancel: &CancellationToken) -> anyhow::Result<String> {
    let pattern = PathPattern::parse(&args.path)?;
    let context = connect(data_dir, cancel);
    let store =
        if pattern.is_local() { Store::local(&context) } else { Store::connect(&s3(args), &context).await? };
    let listed = store.list_all(std::slice::from_ref(&pattern)).await?;
    if listed.is_empty() {
        return Err(SourceError::no_matching_files([&args.path]).into());
    }
    let (schema, rows, cancel) = (args.schema, args.rows, cancel.clone());
    let from = InferFrom {
        paths: vec![args.path.clone()],
        s3: s3(args),
        format: None,
        columns_from_path: args.columns_from_path.clone(),
        columns: Vec::new(),
    };
    // The decoder blocks on the bytes that the runtime fetches.
    let answer = tokio::task::spawn_blocking(move || {
        if schema {
            describe(&from, &store, &listed, &cancel)
        } else {
            preview::rows(&from, &store, &listed, rows, &cancel)
        }
    });
    answer.await?
}

/// What a connection needs from this process.
pub fn connect(data_dir: &DataDir, cancel: &CancellationToken) -> ConnectContext {
    ConnectContext {
        secrets_dir: data_dir.secrets(),
        runtime: Handle::current(),
        metrics: Arc::new(RequestMetrics::default()),
        cancel: cancel.clone(),
        max_concurrent_requests: MAX_CONCURRENT_REQUESTS,
    }
}

fn s3(args: &FilesArgs) -> S3 {
    S3 {
        region: args.region.clone(),
        endpoint: args.endpoint.clone(),
        force_path_style: args.force_path_style,
        credentials: Credentials {
            secret_ref: args.secret.clone().map(|name| SecretRef { name }),
            anonymous: args.anonymous,
            assume_role: None,
        },
    }
}

/// The columns of all files, and how a Table would declare them.
fn describe(
    from: &InferFrom,
    store: &Store,
    listed: &[ListedObject],
    cancel: &CancellationToken,
) -> anyhow::Result<String> {
    let found = infer_listed(from, Purpose::Table, store, listed, cancel)?;
    let (files, read) = (HumanCount(found.files as u64), HumanCount(found.read as u64));
    let text = format!("{files} files, {}; columns of {read} of them:\n\n", HumanBytes(found.bytes));
    Ok(text + &suggest::columns(&found.columns))
}
