//! What the commands of a pod begin and end with: the request, signals, the port, the termination message.

use std::fmt::Display;
use std::net::SocketAddr;
use std::path::Path;

use longshore_crds::RequestError;
use longshore_worker::http;
use longshore_worker::metrics::Metrics;
use longshore_worker::pipe::SharedProgress;
use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Why a command cannot begin: what the pod's environment refuses, so that another try may succeed.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// No handlers of signals.
    #[error("cannot listen for signals: {0}")]
    Signals(std::io::Error),
    /// No port.
    #[error("cannot serve HTTP at {address}: {error}; choose another address")]
    Port {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        error: std::io::Error,
    },
}

/// Reads the request of a command; an error is a sentence that names the file.
pub fn read<R>(path: &Path, parse: impl FnOnce(&[u8]) -> Result<R, RequestError>) -> Result<R, String> {
    let text = std::fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    parse(&text).map_err(|error| format!("{}: {error}", path.display()))
}

/// Stops on signals by the token that it returns, and serves /healthz, /metrics and /progress if it has an address.
pub async fn start(
    listen: Option<SocketAddr>,
    metrics: &Metrics,
    pipe: Option<SharedProgress>,
) -> Result<CancellationToken, StartError> {
    let cancel = CancellationToken::new();
    stop_on_signals(cancel.clone()).map_err(StartError::Signals)?;
    if let Some(address) = listen {
        let served = http::serve(address, metrics.clone(), pipe, cancel.clone()).await;
        let bound = served.map_err(|error| StartError::Port { address, error })?;
        tracing::info!(%bound, "serving /healthz, /progress and /metrics");
    }
    Ok(cancel)
}

/// SIGTERM (the kubelet) and SIGINT (a person) both stop cleanly.
fn stop_on_signals(cancel: CancellationToken) -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => tracing::info!("SIGTERM: stopping"),
            _ = interrupt.recv() => tracing::info!("interrupted: stopping"),
        }
        cancel.cancel();
    });
    Ok(())
}

/// The report goes to standard output and, cut to size, to the termination message.
pub fn tell<E: Display>(report: &impl Serialize, cut: Result<String, E>, termination_message: Option<&Path>) {
    match serde_json::to_string(report) {
        Ok(text) => println!("{text}"),
        Err(error) => tracing::error!(%error, "cannot write the report"),
    }
    match cut {
        Ok(message) => leave(&message, termination_message),
        Err(error) => tracing::error!(%error, "cannot write the termination message"),
    }
}

/// Writes the termination message, if there is a place for it.
pub fn leave(message: &str, path: Option<&Path>) {
    if let Some(path) = path
        && let Err(error) = std::fs::write(path, message)
    {
        tracing::error!(path = %path.display(), %error, "cannot write the termination message");
    }
}
