//! Each fault as a client meets it.

use std::collections::HashSet;
use std::time::Instant;

use longshore_s3server::{Fault, FaultKind, Operation};

use crate::support::{BUCKET, code, start};

#[tokio::test]
async fn errors_come_with_code_and_status() {
    let fixture = start().await;
    fixture.server.put(BUCKET, "k", "x").unwrap();
    for (kind, expected, status) in [
        (FaultKind::SlowDown, "SlowDown", 503),
        (FaultKind::InternalError, "InternalError", 500),
        (FaultKind::AccessDenied, "AccessDenied", 403),
    ] {
        let id = fixture.server.faults().add(Fault::new(kind).on(Operation::GetObject).key("k*").times(1));
        assert_eq!(fixture.get("k").await.unwrap_err(), (expected.into(), status));
        assert_eq!(fixture.get("k").await.unwrap(), b"x");
        assert_eq!(fixture.server.faults().hits(id), 1);
    }
    let id = fixture.server.faults().add(Fault::new(FaultKind::SlowDown));
    assert!(fixture.client.list_objects_v2().bucket(BUCKET).send().await.is_err());
    fixture.server.faults().remove(id);
    assert!(fixture.client.list_objects_v2().bucket(BUCKET).send().await.is_ok());
}

#[tokio::test]
async fn a_body_breaks_off_in_the_middle() {
    let fixture = start().await;
    fixture.server.put(BUCKET, "k", vec![1; 3_000_000]).unwrap();
    for kind in [
        FaultKind::Reset { after_bytes: 1_000_000 },
        FaultKind::Truncated { after_bytes: 1_000_000 },
        FaultKind::Truncated { after_bytes: 0 },
    ] {
        fixture.server.faults().add(Fault::new(kind.clone()).on(Operation::GetObject).times(1));
        let got = fixture.client.get_object().bucket(BUCKET).key("k").send().await.unwrap();
        assert_eq!(got.content_length(), Some(3_000_000), "{kind:?}");
        assert!(got.body.collect().await.is_err(), "{kind:?}");
        assert_eq!(fixture.get("k").await.unwrap().len(), 3_000_000);
    }
}

#[test]
fn a_reset_is_a_reset_and_a_truncated_body_ends() {
    use std::io::{ErrorKind, Read, Write};

    let folder = tempfile::TempDir::new().unwrap();
    let builder = longshore_s3server::Server::builder().data_dir(folder.path()).anonymous_bucket(BUCKET);
    let server = builder.start_in_background().unwrap();
    server.put(BUCKET, "k", vec![1; 100_000]).unwrap();
    let read = || {
        let address = server.endpoint().trim_start_matches("http://").to_owned();
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        stream.write_all(b"GET /bucket/k HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
        let mut received = Vec::new();
        stream.read_to_end(&mut received).map_err(|error| error.kind()).map(|_| received)
    };
    server.faults().add(Fault::new(FaultKind::Truncated { after_bytes: 50_000 }).times(1));
    let received = read().unwrap();
    let head = received.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
    assert!(String::from_utf8_lossy(&received[..head]).to_lowercase().contains("content-length: 100000"));
    assert_eq!(received.len() - head, 50_000);
    server.faults().add(Fault::new(FaultKind::Reset { after_bytes: 50_000 }).times(1));
    assert_eq!(read().unwrap_err(), ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn a_slow_body_takes_its_time() {
    let fixture = start().await;
    fixture.server.put(BUCKET, "k", vec![1; 10_000]).unwrap();
    fixture.server.faults().add(Fault::new(FaultKind::Slow { bytes_per_second: 20_000 }).times(1));
    let begin = Instant::now();
    assert_eq!(fixture.get("k").await.unwrap().len(), 10_000);
    assert!(begin.elapsed().as_millis() >= 400);
    fixture.server.faults().add(Fault::new(FaultKind::Delay { milliseconds: 300 }).times(1));
    let begin = Instant::now();
    assert_eq!(fixture.get("k").await.unwrap().len(), 10_000);
    assert!(begin.elapsed().as_millis() >= 300);
}

#[tokio::test]
async fn an_object_changes_between_two_reads() {
    let fixture = start().await;
    let etag = fixture.server.put(BUCKET, "k", "content").unwrap();
    let get = || {
        let get = fixture.client.get_object().bucket(BUCKET).key("k");
        get.if_match(format!("\"{etag}\"")).range("bytes=0-3").send()
    };
    let faults = fixture.server.faults();
    let id = faults.add(Fault::new(FaultKind::Changed { honour_if_match: true }).after(1));
    assert!(get().await.is_ok());
    assert_eq!(code(&get().await.unwrap_err()), ("PreconditionFailed".into(), 412));
    faults.remove(id);
    faults.add(Fault::new(FaultKind::Changed { honour_if_match: false }));
    let got = get().await.unwrap();
    assert_ne!(got.e_tag(), Some(format!("\"{etag}\"").as_str()));
    let expected: Vec<u8> = b"cont".iter().map(|byte| !byte).collect();
    assert_eq!(got.body.collect().await.unwrap().to_vec(), expected);
    faults.clear();
    assert_eq!(fixture.get("k").await.unwrap(), b"content");
}

#[tokio::test]
async fn a_page_comes_twice_or_forever() {
    let fixture = start().await;
    fixture.server.add_virtual(BUCKET, "k/", 5, 1).unwrap();
    let list = async |token: Option<String>| {
        let list = fixture.client.list_objects_v2().bucket(BUCKET).max_keys(2);
        let page = list.set_continuation_token(token).send().await.unwrap();
        (page.contents()[0].key().unwrap().to_owned(), page.next_continuation_token().map(str::to_owned))
    };
    fixture.server.faults().add(Fault::new(FaultKind::RepeatedPage).after(1).times(1));
    let (mut firsts, mut token) = (Vec::new(), None);
    loop {
        let (first, next) = list(token).await;
        firsts.push(first);
        token = next;
        if token.is_none() {
            break;
        }
    }
    let numbers: Vec<&str> = firsts.iter().map(|key| &key[10..11]).collect();
    assert_eq!(numbers, ["0", "2", "2", "4"]);

    fixture.server.faults().add(Fault::new(FaultKind::RepeatedPage));
    let (first, token) = list(None).await;
    assert_eq!(list(token).await.0, first);
}

#[tokio::test]
async fn a_rate_hits_its_share() {
    let fixture = start().await;
    fixture.server.put(BUCKET, "k", "x").unwrap();
    let id = fixture.server.faults().add(Fault::new(FaultKind::SlowDown).rate(0.5));
    let mut outcomes = HashSet::new();
    let mut refused = 0;
    for _ in 0..60 {
        let outcome = fixture.get("k").await.is_ok();
        outcomes.insert(outcome);
        refused += u64::from(!outcome);
    }
    assert_eq!(outcomes.len(), 2);
    assert_eq!(fixture.server.faults().hits(id), refused);
}
