//! The operator's port: `/healthz` (alive), `/readyz` (names what is not ready), `/metrics`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::metrics::Metrics;

/// What must be ready before this replica is: controllers with their caches, the Lease.
#[derive(Debug, Clone, Default)]
pub struct Readiness {
    parts: Arc<Mutex<BTreeMap<String, bool>>>,
}

/// One part that must be ready.
#[derive(Debug, Clone)]
pub struct Gate {
    name: String,
    readiness: Readiness,
}

impl Readiness {
    /// Adds a part that is not ready yet.
    pub fn gate(&self, name: impl Into<String>) -> Gate {
        let gate = Gate { name: name.into(), readiness: self.clone() };
        gate.set(false);
        gate
    }

    /// Names of the parts that are not ready.
    pub fn missing(&self) -> Vec<String> {
        let parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        parts.iter().filter(|(_, ready)| !**ready).map(|(name, _)| name.clone()).collect()
    }
}

impl Gate {
    /// Says whether this part is ready.
    pub fn set(&self, ready: bool) {
        let mut parts = self.readiness.parts.lock().unwrap_or_else(PoisonError::into_inner);
        parts.insert(self.name.clone(), ready);
    }
}

/// Serves until stopped; returns the bound address at once, so that port 0 can be asked for.
///
/// # Errors
/// The address cannot be bound.
pub async fn serve(
    address: SocketAddr,
    readiness: Readiness,
    metrics: Metrics,
    stop: CancellationToken,
) -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind(address).await?;
    let bound = listener.local_addr()?;
    let router = Router::new()
        .route("/healthz", get(|| async { "ok" }))
        .route("/readyz", get(move || async move { ready(&readiness) }))
        .route("/metrics", get(move || async move { text(&metrics) }));
    tokio::spawn(async move {
        let served = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await;
        if let Err(error) = served {
            tracing::error!(%error, "the HTTP port is gone");
        }
    });
    Ok(bound)
}

fn ready(readiness: &Readiness) -> Response {
    let missing = readiness.missing();
    if missing.is_empty() {
        return "ok".into_response();
    }
    let lines: String = missing.iter().map(|name| format!("not ready: {name}\n")).collect();
    (StatusCode::SERVICE_UNAVAILABLE, lines).into_response()
}

fn text(metrics: &Metrics) -> Response {
    match metrics.text() {
        Ok(text) => ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    async fn fetch(address: SocketAddr, path: &str) -> String {
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn what_is_not_ready_is_named() {
        let readiness = Readiness::default();
        let (table, lease) = (readiness.gate("controller table"), readiness.gate("lease"));
        lease.set(true);
        let stop = CancellationToken::new();
        let address = ([127, 0, 0, 1], 0).into();
        let address = serve(address, readiness, Metrics::new().unwrap(), stop.clone()).await.unwrap();
        assert!(fetch(address, "/healthz").await.starts_with("HTTP/1.1 200"));
        let answer = fetch(address, "/readyz").await;
        assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("not ready: controller table\n"));
        assert!(!answer.contains("lease"));
        table.set(true);
        assert!(fetch(address, "/readyz").await.starts_with("HTTP/1.1 200"));
        assert!(fetch(address, "/metrics").await.contains("longshore_leader 0"));
        stop.cancel();
    }
}
