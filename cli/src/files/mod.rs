//! `longshore files`: what lies under a path, before there is a Table for it.

mod preview;
mod suggest;

use std::sync::Arc;

use anyhow::bail;
use indicatif::{HumanBytes, HumanCount};
use longshore_crds::source::{Credentials, S3, SecretRef};
use longshore_worker::decode::ParquetFile;
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
    let context = ConnectContext {
        secrets_dir: data_dir.secrets(),
        runtime: Handle::current(),
        metrics: Arc::new(RequestMetrics::default()),
        cancel: cancel.clone(),
        max_concurrent_requests: MAX_CONCURRENT_REQUESTS,
    };
    let store =
        if pattern.is_local() { Store::local(&context) } else { Store::connect(&s3(args), &context).await? };
    let listed = store.list_all(std::slice::from_ref(&pattern)).await?;
    if listed.is_empty() {
        return Err(SourceError::no_matching_files([&args.path]).into());
    }
    let (schema, rows) = (args.schema, args.rows);
    // The decoder blocks on the bytes that the runtime fetches.
    let answer = tokio::task::spawn_blocking(move || {
        if schema { describe(&store, &listed) } else { preview::rows(&store, &listed, rows) }
    });
    answer.await?
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

/// The columns of the first file, and how a Table would declare them.
fn describe(store: &Store, listed: &[ListedObject]) -> anyhow::Result<String> {
    let Some(first) = listed.first() else { bail!("no file") };
    let file = ParquetFile::open(store.object(&first.planned(0)))?;
    let bytes: u64 = listed.iter().map(|object| object.size).sum();
    let mut text = format!("{} files, {}\n", HumanCount(listed.len() as u64), HumanBytes(bytes));
    text += &format!("columns of {} ({} rows):\n\n", file.name(), HumanCount(file.total_rows()));
    text += &suggest::columns(file.schema());
    Ok(text)
}
