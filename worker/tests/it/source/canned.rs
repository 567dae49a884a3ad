//! A server that answers what a test writes: for what no well-behaved store does.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

/// Answers requests until the process ends.
pub struct Canned {
    pub endpoint: String,
}

type Answer = dyn Fn(&str) -> String + Send + Sync;

impl Canned {
    /// `answer` gets the request's first line and gives the whole response; connections are closed after it.
    pub fn start(answer: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let answer: Arc<Answer> = Arc::new(answer);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let answer = answer.clone();
                std::thread::spawn(move || converse(stream, &*answer));
            }
        });
        Self { endpoint }
    }
}

fn converse(mut stream: TcpStream, answer: &Answer) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
    let Some(first) = lines.next() else { return };
    lines.by_ref().find(String::is_empty);
    stream.write_all(answer(&first).as_bytes()).ok();
}

/// A response with this status line (`404 Not Found`), further header lines and body.
pub fn response(status: &str, headers: &[&str], body: &str) -> String {
    let mut text = format!("HTTP/1.1 {status}\r\nconnection: close\r\n");
    for header in headers {
        text.push_str(header);
        text.push_str("\r\n");
    }
    if !headers.iter().any(|header| header.starts_with("content-length")) {
        text.push_str(&format!("content-length: {}\r\n", body.len()));
    }
    text + "\r\n" + body
}

/// S3's error document.
pub fn error(status: &str, code: &str, more: &str) -> String {
    let body = format!("<Error><Code>{code}</Code><Message>message of {code}</Message>{more}</Error>");
    response(status, &["content-type: application/xml", "x-amz-request-id: REQ1"], &body)
}
