//! The store: connected when it is asked for, and waited for where it does not answer.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::{Pipe, now_ms, random};
use crate::source::{ConnectContext, Operation, Outcome, SourceError, Store};

/// Requests in flight at once.
const MAX_CONCURRENT_REQUESTS: usize = 32;

impl Pipe<'_> {
    pub(super) async fn connect(&mut self) -> Result<Store, SourceError> {
        if let Some(store) = &self.store {
            return Ok(store.clone());
        }
        let context = ConnectContext {
            secrets_dir: self.context.secrets_dir.clone(),
            runtime: tokio::runtime::Handle::current(),
            metrics: Arc::clone(&self.context.metrics.requests),
            cancel: self.context.cancel.clone(),
            max_concurrent_requests: MAX_CONCURRENT_REQUESTS,
        };
        let store = Store::connect(&self.request.source.s3, &context).await?;
        Ok(self.store.insert(store).clone())
    }

    /// The store, connected if it was not; `None`: that failed, and was waited for.
    pub(super) async fn connected(&mut self) -> Option<Store> {
        match self.connect().await {
            Ok(store) => Some(store),
            Err(SourceError::Cancelled) => None,
            Err(error) => {
                self.wait_for_store(error.category(), error.to_string()).await;
                None
            }
        }
    }

    pub(super) async fn wait_for_store(&mut self, category: &str, message: String) {
        let wait = self.backoff.failed(random());
        self.tell_unreachable(category, message, wait);
        self.wait_until(Instant::now() + wait).await;
    }

    pub(super) fn tell_unreachable(&self, category: &str, message: String, wait: Duration) {
        tracing::warn!(%category, ?wait, "the store does not answer as it must: {message}");
        let next = now_ms().saturating_add(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
        self.context.progress.source(Some((category, message)), Some(next));
        self.tell_figures();
    }

    /// List requests by now, answered or not.
    pub(super) fn list_requests(&self) -> u64 {
        self.context.metrics.requests.snapshot().total(Operation::List)
    }

    /// What a listing costs: those that fail are bounded by the waits after them.
    pub(super) fn answered_list_requests(&self) -> u64 {
        self.context.metrics.requests.snapshot().count(Operation::List, Outcome::Ok)
    }
}
