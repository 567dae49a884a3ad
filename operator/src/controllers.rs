//! All controllers, in every scope.

use std::sync::Arc;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::context::Context;
use crate::health::Readiness;
use crate::loadjob;
use crate::pipe;
use crate::runner::Scope;
use crate::table;

/// Runs every controller until stopped; returns when what was in flight has ended.
pub async fn run(context: Arc<Context>, readiness: Readiness, stop: CancellationToken) {
    let mut controllers = JoinSet::<()>::new();
    for scope in Scope::all(context.config.namespaces.as_deref()) {
        // A kind's `run` returns when it is stopped and what it had in flight has ended.
        let gate = readiness.gate(scope.title("controller of Tables"));
        controllers.spawn(table::run(Arc::clone(&context), scope.clone(), gate, stop.clone()));
        let gate = readiness.gate(scope.title("controller of LoadJobs"));
        controllers.spawn(loadjob::run(scope.clone(), Arc::clone(&context), gate, stop.clone()));
        let gate = readiness.gate(scope.title("controller of Pipes"));
        controllers.spawn(pipe::run(scope, Arc::clone(&context), gate, stop.clone()));
    }
    stop.cancelled().await;
    while let Some(ended) = controllers.join_next().await {
        if let Err(error) = ended {
            tracing::error!(%error, "a controller ended badly");
        }
    }
}
