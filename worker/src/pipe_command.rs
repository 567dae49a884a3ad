//! `longshore-worker pipe`: the long-lived worker of a Pipe, or the Job of one that lists once.

use std::path::Path;

use longshore_crds::{PipeRequest, exit};
use longshore_worker::metrics::Metrics;
use longshore_worker::pipe::{self, PipeContext, PipeEnd, SharedProgress};
use longshore_worker::{budget, http};
use tokio_util::sync::CancellationToken;

use crate::{LoadArguments, stop_on_signals};

/// Runs a pipe until it is finished, stopped, or cannot go on; the worker's exit code. Where it stands at its end
/// is on standard output and, cut to size, in the termination message.
pub async fn run(arguments: LoadArguments) -> u8 {
    let request = match read_request(&arguments.request) {
        Ok(request) => request,
        Err(message) => {
            tracing::error!("{message}");
            tell(&message, arguments.termination_message.as_deref());
            return exit::REQUEST;
        }
    };
    let cancel = CancellationToken::new();
    if let Err(error) = stop_on_signals(cancel.clone()) {
        tracing::error!(%error, "cannot listen for signals");
        return exit::TRANSIENT;
    }
    let metrics = Metrics::default();
    let digest = request.digest().unwrap_or_default();
    let progress = SharedProgress::new(&request.ledger, &digest, metrics.progress.clone());
    if let Some(address) = arguments.listen {
        match http::serve(address, metrics.clone(), Some(progress.clone()), cancel.clone()).await {
            Ok(bound) => tracing::info!(%bound, "serving /healthz, /progress and /metrics"),
            Err(error) => {
                tracing::error!(%address, %error, "cannot serve HTTP there; choose another address");
                return exit::TRANSIENT;
            }
        }
    }
    let context = PipeContext {
        table_root: arguments.table_dir,
        secrets_dir: arguments.secrets_dir,
        memory_bytes: arguments.memory.unwrap_or_else(budget::of_this_container),
        parallelism: 0,
        metrics,
        progress: progress.clone(),
        cancel,
    };
    let end = Box::pin(pipe::run(request, context)).await;
    match &end {
        PipeEnd::Finished { errors } => tracing::info!(errors, "finished"),
        PipeEnd::Stopped => tracing::info!("stopped; the next worker goes on"),
        PipeEnd::Failed(failure) => tracing::error!(category = failure.category(), "{failure}"),
    }
    match progress.snapshot().message(longshore_crds::TERMINATION_MESSAGE_LIMIT) {
        Ok(document) => {
            println!("{document}");
            tell(&document, arguments.termination_message.as_deref());
        }
        Err(error) => tracing::error!(%error, "cannot write where the pipe stands"),
    }
    end.exit_code()
}

fn read_request(path: &Path) -> Result<PipeRequest, String> {
    let text = std::fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    PipeRequest::from_json(&text).map_err(|error| format!("{}: {error}", path.display()))
}

fn tell(message: &str, path: Option<&Path>) {
    if let Some(path) = path
        && let Err(error) = std::fs::write(path, message)
    {
        tracing::error!(path = %path.display(), %error, "cannot write the termination message");
    }
}
