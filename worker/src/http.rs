//! The worker's port: `/healthz`, `/progress`, `/metrics`.

use std::net::SocketAddr;

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::metrics::Metrics;
use crate::pipe::SharedProgress;
use crate::progress::Progress;

/// Serves until cancelled; `pipe`: `/progress` tells of it, and not of a load. Returns the bound address at once, so that port 0 can be asked for.
///
/// # Errors
/// The address cannot be bound.
pub async fn serve(
    address: SocketAddr,
    metrics: Metrics,
    pipe: Option<SharedProgress>,
    cancel: CancellationToken,
) -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind(address).await?;
    let bound = listener.local_addr()?;
    let router = router(metrics, pipe);
    tokio::spawn(async move {
        let served = axum::serve(listener, router).with_graceful_shutdown(cancel.cancelled_owned()).await;
        if let Err(error) = served {
            tracing::warn!(%error, "the HTTP port is gone; the load goes on");
        }
    });
    Ok(bound)
}

fn router(metrics: Metrics, pipe: Option<SharedProgress>) -> Router {
    let load = metrics.clone();
    let shown = pipe.clone();
    Router::new()
        .route("/healthz", get(|| async { "ok" }))
        .route("/progress", get(move || async move { progress(&load.progress, shown.as_ref()) }))
        .route("/metrics", get(move || async move { metrics_text(&metrics, pipe.as_ref()) }))
}

fn progress(load: &Progress, pipe: Option<&SharedProgress>) -> axum::response::Response {
    let Some(pipe) = pipe else { return progress_document(load).into_response() };
    match pipe.snapshot().document() {
        Ok(document) => ([(header::CONTENT_TYPE, "application/json")], document).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// The document of `/progress` of a load: numbers of a fixed set of names, well below 64 KiB.
fn progress_document(progress: &Progress) -> impl IntoResponse + use<> {
    let document = serde_json::json!({
        "version": 1,
        "phase": progress.phase().name(),
        "filesListed": Progress::get(&progress.files_listed),
        "filesTotal": Progress::get(&progress.files_total),
        "filesDone": Progress::get(&progress.files_done),
        "bytesTotal": Progress::get(&progress.bytes_total),
        "bytesRead": Progress::get(&progress.bytes_read),
        "rowsRead": Progress::get(&progress.rows_read),
        "rowsLoaded": Progress::get(&progress.rows_loaded),
        "rowsFiltered": Progress::get(&progress.rows_filtered),
        "rowsWritten": Progress::get(&progress.rows_written),
    });
    ([(header::CONTENT_TYPE, "application/json")], document.to_string())
}

fn metrics_text(metrics: &Metrics, pipe: Option<&SharedProgress>) -> axum::response::Response {
    match metrics.text_with(pipe.map(SharedProgress::snapshot).as_ref()) {
        Ok(text) => ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
