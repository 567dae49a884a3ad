//! The server as a process.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::support::{client, code};

struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn wait_for<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what} never came");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn http(endpoint: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(endpoint.trim_start_matches("http://")).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[tokio::test]
async fn the_process_serves_misbehaves_and_ends_on_request() {
    let folder = TempDir::new().unwrap();
    let (ready, secret) = (folder.path().join("ready"), folder.path().join("secret"));
    std::fs::write(&secret, "process secret\n").unwrap();
    let child = Command::new(env!("CARGO_BIN_EXE_longshore-s3server"))
        .arg("--data-dir")
        .arg(folder.path().join("data"))
        .args(["--access-key-id", "demo", "--bucket", "examples", "--secret-access-key-file"])
        .arg(&secret)
        .arg("--ready-file")
        .arg(&ready)
        .args(["--fault", r#"{"kind": "SlowDown", "operation": "HeadBucket", "times": 1}"#])
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut process = Process(child);
    let endpoint = wait_for("the endpoint", || std::fs::read_to_string(&ready).ok());
    let client = client(&endpoint, Some(("demo", "process secret")));
    assert_eq!(code(&client.head_bucket().bucket("examples").send().await.unwrap_err()).1, 503);
    client.head_bucket().bucket("examples").send().await.unwrap();

    let fault = r#"{"kind": "AccessDenied"}"#;
    let length = fault.len();
    let close = "host: localhost\r\nconnection: close\r\n";
    let answer = http(
        &endpoint,
        &format!("POST /-/faults HTTP/1.1\r\n{close}content-length: {length}\r\n\r\n{fault}"),
    );
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(code(&client.head_bucket().bucket("examples").send().await.unwrap_err()).1, 403);
    http(&endpoint, &format!("DELETE /-/faults HTTP/1.1\r\n{close}\r\n"));
    client.head_bucket().bucket("examples").send().await.unwrap();
    let counters = http(&endpoint, &format!("GET /-/counters HTTP/1.1\r\n{close}\r\n"));
    assert!(counters.contains(r#""HeadBucket":4"#), "{counters}");

    let terminated = Command::new("kill").arg(process.0.id().to_string()).status().unwrap();
    assert!(terminated.success());
    let status = wait_for("the end", || process.0.try_wait().unwrap());
    assert!(status.success());
}
