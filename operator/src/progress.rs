//! What a running worker tells of itself: numbers for people, never an outcome.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use longshore_crds::PipeProgress;
use serde::Deserialize;

/// How long one question may take.
const LIMIT: Duration = Duration::from_secs(1);
/// Bytes of an answer.
const SIZE_LIMIT: usize = longshore_crds::PIPE_PROGRESS_LIMIT;
/// The largest number that a status holds.
const NUMBER_LIMIT: u64 = i64::MAX as u64;

/// The numbers of `/progress`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Figures {
    /// Files of the plan.
    pub files_total: u64,
    /// Bytes of the plan.
    pub bytes_total: u64,
    /// Bytes read of it.
    pub bytes_read: u64,
    /// Rows decoded.
    pub rows_read: u64,
    /// Rows that fit.
    pub rows_loaded: u64,
    /// Rows that did not fit.
    pub rows_filtered: u64,
}

/// Why a worker tells nothing.
#[derive(Debug, thiserror::Error)]
pub enum ProgressError {
    /// No answer, or none in time.
    #[error("no answer: {0}")]
    Unreachable(String),
    /// Not what a worker answers.
    #[error("not an answer of a worker: {0}")]
    Unreadable(String),
}

impl ProgressError {
    /// CamelCase, stable.
    pub fn category(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "ProgressUnreachable",
            Self::Unreadable(_) => "ProgressUnreadable",
        }
    }
}

/// Asks a worker that loads, within a second and 64 KiB.
///
/// # Errors
/// No answer in time, or not one of a worker.
pub async fn ask(address: &str, port: u16) -> Result<Figures, ProgressError> {
    parse(&in_time(address, port).await?)
}

/// Asks the worker of a pipe, within a second and 64 KiB.
///
/// # Errors
/// No answer in time, or not one of such a worker.
pub async fn ask_pipe(address: &str, port: u16) -> Result<PipeProgress, ProgressError> {
    let answer = in_time(address, port).await?;
    PipeProgress::from_json(&answer).map_err(|error| ProgressError::Unreadable(error.to_string()))
}

async fn in_time(address: &str, port: u16) -> Result<Bytes, ProgressError> {
    match tokio::time::timeout(LIMIT, answer(address, port)).await {
        Ok(answer) => answer,
        Err(_) => Err(ProgressError::Unreachable("not within a second".to_owned())),
    }
}

async fn answer(address: &str, port: u16) -> Result<Bytes, ProgressError> {
    let unreachable = |error: &dyn std::fmt::Display| ProgressError::Unreachable(error.to_string());
    let host = if address.contains(':') { format!("[{address}]") } else { address.to_owned() };
    let uri = format!("http://{host}:{port}/progress");
    let uri = uri.parse().map_err(|error: http::uri::InvalidUri| unreachable(&error))?;
    let client: Client<_, Empty<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let response = client.get(uri).await.map_err(|error| unreachable(&error))?;
    if !response.status().is_success() {
        return Err(ProgressError::Unreadable(response.status().to_string()));
    }
    let body = Limited::new(response.into_body(), SIZE_LIMIT).collect().await;
    Ok(body.map_err(|error| ProgressError::Unreadable(error.to_string()))?.to_bytes())
}

fn parse(answer: &[u8]) -> Result<Figures, ProgressError> {
    let figures: Figures =
        serde_json::from_slice(answer).map_err(|error| ProgressError::Unreadable(error.to_string()))?;
    Ok(figures.bounded())
}

impl Figures {
    /// What a status can hold, whatever the other side says.
    fn bounded(self) -> Self {
        let bound = |number: u64| number.min(NUMBER_LIMIT);
        Self {
            files_total: bound(self.files_total),
            bytes_total: bound(self.bytes_total),
            bytes_read: bound(self.bytes_read),
            rows_read: bound(self.rows_read),
            rows_loaded: bound(self.rows_loaded),
            rows_filtered: bound(self.rows_filtered),
        }
    }

    /// Share of the bytes that is read, as `kubectl get` prints it: 100 % is said by the report alone.
    pub fn progress(&self) -> String {
        let share = u128::from(self.bytes_read) * 100 / u128::from(self.bytes_total.max(1));
        format!("LOAD:{}%", share.min(99))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    #[test]
    fn numbers_are_bounded_and_unknown_fields_ignored() {
        let answer = br#"{"version":1,"phase":"loading","rowsRead":18446744073709551615,"bytesTotal":200,
            "bytesRead":78,"more":[1]}"#;
        let figures = parse(answer).unwrap();
        assert_eq!((figures.rows_read, figures.progress().as_str()), (i64::MAX as u64, "LOAD:39%"));
        assert_eq!(Figures { bytes_read: 9, bytes_total: 3, ..figures }.progress(), "LOAD:99%");
        assert_eq!(Figures::default().progress(), "LOAD:0%");
        assert_eq!(parse(b"{").unwrap_err().category(), "ProgressUnreadable");
        assert_eq!(parse(br#"{"rowsRead":-1}"#).unwrap_err().category(), "ProgressUnreadable");
    }

    /// Serves one answer, and tells at which port.
    async fn serve(answer: Vec<u8>) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 1024];
            let _read = stream.read(&mut request).await.unwrap();
            // A client that has seen enough closes before the end.
            stream.write_all(&answer).await.ok();
        });
        port
    }

    fn response(body: &[u8]) -> Vec<u8> {
        let mut answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len()).into_bytes();
        answer.extend_from_slice(body);
        answer
    }

    #[tokio::test]
    async fn a_worker_is_asked_within_bounds() {
        let port = serve(response(br#"{"rowsRead":7}"#)).await;
        assert_eq!(ask("127.0.0.1", port).await.unwrap().rows_read, 7);
        let port = serve(response(&vec![b' '; SIZE_LIMIT + 1])).await;
        assert_eq!(ask("127.0.0.1", port).await.unwrap_err().category(), "ProgressUnreadable");
        let port = serve(b"HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n".to_vec()).await;
        assert_eq!(ask("127.0.0.1", port).await.unwrap_err().category(), "ProgressUnreadable");
        // Accepts and never answers.
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let silent = listener.local_addr().unwrap().port();
        assert_eq!(ask("127.0.0.1", silent).await.unwrap_err().category(), "ProgressUnreachable");
    }
}
