//! The worker's port.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, StringArray};
use longshore_worker::http;
use tokio_util::sync::CancellationToken;

use crate::world::{RUNTIME, World, batch, column, definition};

/// A GET by hand: status line and body.
fn get(address: std::net::SocketAddr, path: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: worker\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.lines().next().unwrap().to_owned(), body.to_owned())
}

/// The value of one sample.
fn sample(text: &str, name: &str) -> f64 {
    let line = text.lines().find(|line| line.starts_with(name) && !line.starts_with('#'));
    line.unwrap_or_else(|| panic!("{name} is not in:\n{text}")).rsplit(' ').next().unwrap().parse().unwrap()
}

#[test]
fn progress_and_metrics_count_what_a_load_did() {
    let world = World::with_table(&definition(vec![column("n", "BIGINT"), column("v", "INT")]));
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..1_000));
    let texts: ArrayRef =
        Arc::new(StringArray::from_iter_values((0..1_000).map(|n| if n < 10 { "bad" } else { "1" })));
    world.put_batch("a.parquet", &batch(vec![("n", numbers), ("v", texts)]));
    let context = world.context();
    let cancel = CancellationToken::new();
    let serve = http::serve("127.0.0.1:0".parse().unwrap(), context.metrics.clone(), None, cancel.clone());
    let address = RUNTIME.block_on(serve).unwrap();
    assert_eq!(get(address, "/healthz"), ("HTTP/1.1 200 OK".to_owned(), "ok".to_owned()));

    let mut request = world.request("load", "*.parquet");
    request.max_filter_ratio = "0.01".to_owned();
    let report = world.load_with(request, context);
    assert_eq!(report.counts.sink_rows, 990, "{report:?}");

    let progress: serde_json::Value = serde_json::from_str(&get(address, "/progress").1).unwrap();
    assert_eq!(progress["phase"], "done");
    assert_eq!((&progress["rowsRead"], &progress["rowsFiltered"]), (&1_000.into(), &10.into()));
    assert_eq!(progress["bytesRead"], progress["bytesTotal"]);
    let metrics = get(address, "/metrics").1;
    assert_eq!(sample(&metrics, "longshore_rows_total{state=\"loaded\"}"), 990.0);
    assert_eq!(sample(&metrics, "longshore_rows_total{state=\"filtered\"}"), 10.0);
    assert_eq!(sample(&metrics, "longshore_files_total"), 1.0);
    assert!(sample(&metrics, "longshore_source_bytes_total") > 0.0);
    assert!(sample(&metrics, "longshore_stage_seconds_total{stage=\"decode\"}") > 0.0);
    let requests: Vec<_> =
        metrics.lines().filter(|l| l.starts_with("longshore_s3_requests_total{")).collect();
    assert!(
        requests.iter().any(|line| line.contains("outcome=\"ok\"") && !line.ends_with(" 0")),
        "{requests:?}"
    );
    assert!(metrics.contains("longshore_spill_bytes_total") && metrics.contains("longshore_buffer_bytes"));
    assert_eq!(get(address, "/nothing").0, "HTTP/1.1 404 Not Found");
    cancel.cancel();
}
