//! `longshore-worker pipe`: the long-lived worker of a Pipe, or the Job of one that lists once.

use std::path::Path;
use std::sync::Arc;

use longshore_crds::{PipeRequest, exit};
use longshore_worker::budget;
use longshore_worker::metrics::Metrics;
use longshore_worker::pipe::{self, PipeContext, PipeEnd, SharedProgress};

use crate::{LoadArguments, pod};

/// Runs a pipe until it is finished, stopped, or cannot go on; the worker's exit code. Where it stands at its end
/// is on standard output and, cut to size, in the termination message.
pub async fn run(arguments: LoadArguments) -> u8 {
    let metrics = Metrics::default();
    let (request, progress) = match begin(&arguments.request, &metrics) {
        Ok(begun) => begun,
        Err(message) => {
            tracing::error!("{message}");
            pod::leave(&message, arguments.termination_message.as_deref());
            return exit::REQUEST;
        }
    };
    let cancel = match pod::start(arguments.listen, &metrics, Some(progress.clone())).await {
        Ok(cancel) => cancel,
        Err(error) => {
            tracing::error!("{error}");
            return exit::TRANSIENT;
        }
    };
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
            pod::leave(&document, arguments.termination_message.as_deref());
        }
        Err(error) => tracing::error!(%error, "cannot write where the pipe stands"),
    }
    end.exit_code()
}

/// The request, and the document that says how far it came.
fn begin(path: &Path, metrics: &Metrics) -> Result<(PipeRequest, SharedProgress), String> {
    let request = pod::read(path, PipeRequest::from_json)?;
    let progress = SharedProgress::of(&request, Arc::clone(&metrics.progress));
    Ok((request, progress.map_err(|error| error.to_string())?))
}
