//! `longshore-worker load`: one attempt of a load.

use longshore_crds::{LoadRequest, exit};
use longshore_worker::budget;
use longshore_worker::load::{self, LoadContext};
use longshore_worker::metrics::Metrics;

use crate::{LoadArguments, pod};

/// Runs the load, tells its report, and returns the exit code.
pub async fn run(arguments: LoadArguments) -> u8 {
    let termination_message = arguments.termination_message.as_deref();
    let request = match pod::read(&arguments.request, LoadRequest::from_json) {
        Ok(request) => request,
        Err(message) => {
            tracing::error!("{message}");
            pod::leave(&message, termination_message);
            return exit::REQUEST;
        }
    };
    let metrics = Metrics::default();
    let cancel = match pod::start(arguments.listen, &metrics, None).await {
        Ok(cancel) => cancel,
        Err(error) => {
            tracing::error!("{error}");
            return exit::TRANSIENT;
        }
    };
    let context = LoadContext {
        table_root: arguments.table_dir,
        secrets_dir: arguments.secrets_dir,
        memory_bytes: arguments.memory.unwrap_or_else(budget::of_this_container),
        metrics: metrics.clone(),
        cancel,
    };
    let report = load::run(request, context).await;
    pod::tell(&report, report.termination_message(), termination_message);
    if arguments.print_metrics {
        match metrics.text() {
            Ok(text) => eprint!("{}", String::from_utf8_lossy(&text)),
            Err(error) => tracing::warn!(%error, "cannot print the metrics"),
        }
    }
    report.exit_code
}
