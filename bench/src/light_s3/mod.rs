//! A light S3 server for benchmarks: a folder behind HTTP, any signature accepted.
//!
//! It answers GetObject and HeadObject (ranges, If-Match) and ListObjectsV2, from an index that is
//! made once at the start. It runs in a process of its own, so that its CPU is not counted.

mod index;
mod listing;

use std::convert::Infallible;
use std::fs::File;
use std::net::SocketAddr;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use futures::StreamExt;
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

use index::{Entry, Index};

/// Bytes of one read and write.
const PIECE: u64 = 1 << 20;

type Body = BoxBody<Bytes, std::io::Error>;

/// A server that listens.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    index: Arc<Index>,
}

impl Server {
    /// Indexes the folder, whose folders are buckets, and listens.
    pub async fn bind(folder: &Path, address: &str) -> std::io::Result<Self> {
        let index = Arc::new(Index::read(folder)?);
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address, index })
    }

    /// The endpoint, such as `http://127.0.0.1:4242`; clients must use path style.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Answers for ever.
    pub async fn run(self) {
        loop {
            // A failed accept is the client's; it tries again.
            if let Ok((stream, _)) = self.listener.accept().await {
                tokio::spawn(converse(stream, Arc::clone(&self.index)));
            }
        }
    }
}

async fn converse(stream: TcpStream, index: Arc<Index>) {
    let service = service_fn(move |request| {
        let index = Arc::clone(&index);
        async move { Ok::<_, Infallible>(answer(&index, &request)) }
    });
    // Errors are the client's going away: the next connection is another's.
    stream.set_nodelay(true).unwrap_or_default();
    let buffer = PIECE as usize + 8192;
    let connection =
        http1::Builder::new().max_buf_size(buffer).serve_connection(TokioIo::new(stream), service);
    connection.await.unwrap_or_default();
}

fn answer(index: &Index, request: &Request<Incoming>) -> Response<Body> {
    let path = listing::decode(request.uri().path().trim_start_matches('/'));
    let (bucket, key) = path.split_once('/').unwrap_or((path.as_str(), ""));
    let readable = [Method::GET, Method::HEAD].contains(request.method());
    let Some(keys) = index.bucket(bucket).filter(|_| readable) else {
        return error(StatusCode::NOT_FOUND, "NoSuchBucket");
    };
    if key.is_empty() {
        let page = listing::page(bucket, &keys, request.uri().query().unwrap_or_default());
        return respond(Response::builder().header(header::CONTENT_TYPE, "application/xml"), full(page));
    }
    match keys.get(key) {
        Some(entry) => object(entry, request.method() == Method::HEAD, request.headers()),
        None => error(StatusCode::NOT_FOUND, "NoSuchKey"),
    }
}

fn object(entry: &Entry, head: bool, headers: &HeaderMap) -> Response<Body> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    if text(header::IF_MATCH).is_some_and(|etag| etag != entry.etag && etag != "*") {
        return error(StatusCode::PRECONDITION_FAILED, "PreconditionFailed");
    }
    let asked = text(header::RANGE);
    let Some(range) = asked.map_or(Some(0..entry.size), |asked| byte_range(asked, entry.size)) else {
        return error(StatusCode::RANGE_NOT_SATISFIABLE, "InvalidRange");
    };
    let mut response = Response::builder()
        .header(header::ETAG, &entry.etag)
        .header(header::CONTENT_LENGTH, range.end - range.start)
        .header(header::LAST_MODIFIED, "Sat, 25 Nov 2017 00:00:00 GMT")
        .header(header::ACCEPT_RANGES, "bytes");
    if asked.is_some() {
        let place = format!("bytes {}-{}/{}", range.start, range.end - 1, entry.size);
        response = response.status(StatusCode::PARTIAL_CONTENT).header(header::CONTENT_RANGE, place);
    }
    if head {
        return respond(response, full(String::new()));
    }
    match File::open(&entry.path) {
        Ok(file) => respond(response, content(file, range)),
        Err(_) => error(StatusCode::NOT_FOUND, "NoSuchKey"),
    }
}

/// `bytes=a-b`, `bytes=a-` or `bytes=-n`; None when nothing of it lies in the object.
fn byte_range(asked: &str, size: u64) -> Option<Range<u64>> {
    let (first, last) = asked.strip_prefix("bytes=")?.split_once('-')?;
    let range = match (first, last) {
        ("", count) => size.saturating_sub(count.parse().ok()?)..size,
        (first, "") => first.parse().ok()?..size,
        (first, last) => first.parse().ok()?..last.parse::<u64>().ok()?.saturating_add(1).min(size),
    };
    (range.start < range.end).then_some(range)
}

/// The file's bytes, each piece read when the one before is on its way.
fn content(file: File, range: Range<u64>) -> Body {
    let starts = (range.start..range.end).step_by(PIECE as usize);
    let pieces = futures::stream::iter(starts).map(move |start| {
        let length = (range.end - start).min(PIECE);
        let mut piece = vec![0; length as usize];
        file.read_exact_at(&mut piece, start)?;
        Ok(Frame::data(Bytes::from(piece)))
    });
    BodyExt::boxed(StreamBody::new(pieces))
}

fn full(text: String) -> Body {
    Full::new(Bytes::from(text)).map_err(|never| match never {}).boxed()
}

fn error(status: StatusCode, code: &str) -> Response<Body> {
    let body = format!("<Error><Code>{code}</Code><Message>{code}</Message></Error>");
    respond(Response::builder().status(status), full(body))
}

fn respond(builder: http::response::Builder, body: Body) -> Response<Body> {
    // The parts are all ours and valid; should one not be, the client sees an empty answer.
    builder.body(body).unwrap_or_else(|_| Response::new(full(String::new())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_cut_to_the_object() {
        assert_eq!(byte_range("bytes=0-9", 5), Some(0..5));
        assert_eq!(byte_range("bytes=2-3", 5), Some(2..4));
        assert_eq!(byte_range("bytes=2-", 5), Some(2..5));
        assert_eq!(byte_range("bytes=-2", 5), Some(3..5));
        assert_eq!(byte_range("bytes=5-", 5), None);
        assert_eq!(byte_range("lines=1-2", 5), None);
    }

    async fn exchange(endpoint: &str, request: &str) -> String {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};

        let mut stream = TcpStream::connect(endpoint.trim_start_matches("http://")).await.unwrap();
        let request =
            format!("{request} HTTP/1.1\r\nhost: test\r\nconnection: close\r\nrange: bytes=1-2\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn a_folder_is_listed_and_read_in_ranges() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("bucket/sub")).unwrap();
        std::fs::write(folder.path().join("bucket/sub/a b"), "content").unwrap();
        let server = Server::bind(folder.path(), "127.0.0.1:0").await.unwrap();
        let endpoint = server.endpoint();
        let running = tokio::spawn(server.run());

        let listed = exchange(&endpoint, "GET /bucket?list-type=2&prefix=sub/").await;
        assert!(listed.contains("<Key>sub/a b</Key>") && listed.contains("<Size>7</Size>"), "{listed}");
        let read = exchange(&endpoint, "GET /bucket/sub/a%20b").await;
        assert!(read.starts_with("HTTP/1.1 206") && read.ends_with("\r\n\r\non"), "{read}");
        assert!(read.contains("content-range: bytes 1-2/7"), "{read}");
        let head = exchange(&endpoint, "HEAD /bucket/sub/a%20b").await;
        assert!(head.contains("content-length: 2") && head.ends_with("\r\n\r\n"), "{head}");
        assert!(exchange(&endpoint, "GET /bucket/absent").await.contains("NoSuchKey"));
        assert!(exchange(&endpoint, "GET /absent/k").await.contains("NoSuchBucket"));
        running.abort();
    }
}
