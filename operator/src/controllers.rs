//! All controllers, in every scope.

use std::sync::Arc;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::context::Context;
use crate::health::Readiness;
use crate::runner::Scope;

/// Runs every controller until stopped; returns when what was in flight has ended.
pub async fn run(context: Arc<Context>, readiness: Readiness, stop: CancellationToken) {
    let mut controllers = JoinSet::<()>::new();
    for scope in Scope::all(context.config.namespaces.as_deref()) {
        // One line a kind: its `run` spawns nothing and returns when it is stopped.
        let _gate = readiness.gate(scope.title("operator"));
        _gate.set(true);
    }
    stop.cancelled().await;
    while let Some(ended) = controllers.join_next().await {
        if let Err(error) = ended {
            tracing::error!(%error, "a controller ended badly");
        }
    }
}
