//! Stores and networks that misbehave.

use std::time::{Duration, Instant};

use longshore_s3server::{Fault, FaultKind, Operation};
use longshore_worker::source::{self, Outcome, RetryPolicy};

use super::embedded::Embedded;
use super::support::{Client, QUICK, checked, content};

const SIZE: usize = 300_000;

struct Faulty {
    embedded: Embedded,
    client: Client,
}

impl Faulty {
    fn new() -> Self {
        let embedded = Embedded::start();
        embedded.server.put("data", "k.parquet", content(SIZE)).unwrap();
        Self { embedded, client: Client::new() }
    }

    fn add(&self, kind: FaultKind, times: u64, on: Operation) {
        self.embedded.server.faults().add(Fault::new(kind).on(on).times(times));
    }

    fn read(&self) -> Result<(), source::SourceError> {
        let store = self.client.store(&self.embedded.server.endpoint());
        let object = self.client.open(&store, "s3://data/k.parquet");
        let read = object.fetch(10..SIZE as u64).wait()?;
        assert!(read == content(SIZE)[10..]);
        Ok(())
    }

    fn gets(&self, outcome: Outcome) -> u64 {
        self.client.metrics.snapshot().count(source::Operation::Get, outcome)
    }
}

#[test]
fn faults_that_pass_are_overcome() {
    for (kind, outcome) in [
        (FaultKind::SlowDown, Outcome::Throttled),
        (FaultKind::InternalError, Outcome::Transient),
        (FaultKind::Reset { after_bytes: 0 }, Outcome::Transient),
        (FaultKind::Reset { after_bytes: 70_000 }, Outcome::Transient),
        (FaultKind::Truncated { after_bytes: 70_000 }, Outcome::Transient),
        (FaultKind::Truncated { after_bytes: 0 }, Outcome::Transient),
    ] {
        let faulty = Faulty::new();
        faulty.add(kind.clone(), 3, Operation::GetObject);
        faulty.read().unwrap_or_else(|error| panic!("{kind:?}: {error}"));
        assert_eq!((faulty.gets(outcome), faulty.gets(Outcome::Ok)), (3, 1), "{kind:?}");
        assert_eq!(faulty.client.metrics.snapshot().retries, 3);
    }
}

#[test]
fn a_listing_overcomes_them_too() {
    for kind in [FaultKind::SlowDown, FaultKind::InternalError, FaultKind::Reset { after_bytes: 20 }] {
        let faulty = Faulty::new();
        faulty.add(kind, 3, Operation::ListObjectsV2);
        faulty.read().unwrap();
    }
}

#[test]
fn faults_that_stay_end_with_their_class() {
    for (kind, category, tries) in [
        (FaultKind::SlowDown, "Throttled", 12),
        (FaultKind::InternalError, "StoreError", 5),
        (FaultKind::Truncated { after_bytes: 1000 }, "Truncated", 5),
        (FaultKind::Reset { after_bytes: 1000 }, "StoreError", 5),
    ] {
        let faulty = Faulty::new();
        faulty.add(kind.clone(), u64::MAX, Operation::GetObject);
        let error = checked(faulty.read(), category);
        assert!(error.is_transient(), "{error}");
        assert!(error.to_string().contains("s3://data/k.parquet"), "{error}");
        assert_eq!(faulty.embedded.server.counters().requests(Operation::GetObject), tries, "{kind:?}");
    }
    let faulty = Faulty::new();
    faulty.add(FaultKind::InternalError, u64::MAX, Operation::GetObject);
    let text = faulty.read().unwrap_err().to_string();
    assert!(text.contains("InternalError, HTTP 500") && text.contains("attempt 5"), "{text}");
}

#[test]
fn a_changed_object_fails_at_once_even_where_if_match_is_ignored() {
    for honour_if_match in [true, false] {
        let faulty = Faulty::new();
        faulty.add(FaultKind::Changed { honour_if_match }, u64::MAX, Operation::GetObject);
        let error = checked(faulty.read(), "ObjectChanged");
        assert!(!error.is_transient());
        assert_eq!(faulty.embedded.server.counters().requests(Operation::GetObject), 1);
        assert_eq!(faulty.gets(Outcome::Changed), 1);
    }
}

#[test]
fn a_deleted_object_fails_at_once() {
    let faulty = Faulty::new();
    let store = faulty.client.store(&faulty.embedded.server.endpoint());
    let object = faulty.client.open(&store, "s3://data/k.parquet");
    faulty.embedded.server.remove("data", "k.parquet").unwrap();
    let text = checked(object.fetch(0..1).wait(), "ObjectNotFound").to_string();
    assert!(text.contains("NoSuchKey, HTTP 404"), "{text}");
    assert_eq!(faulty.embedded.server.counters().requests(Operation::GetObject), 1);
}

#[test]
fn a_body_that_stalls_times_out() {
    let mut faulty = Faulty::new();
    faulty.client.policy = RetryPolicy { attempts: 2, stall: Duration::from_millis(200), ..QUICK };
    faulty.add(FaultKind::Slow { bytes_per_second: 1 }, u64::MAX, Operation::GetObject);
    let error = checked(faulty.read(), "Timeout");
    assert!(error.is_transient());
    assert_eq!(faulty.gets(Outcome::Timeout), 2);
}

#[test]
fn an_answer_that_takes_too_long_times_out() {
    let mut faulty = Faulty::new();
    faulty.client.policy = RetryPolicy { attempts: 2, attempt: Duration::from_millis(200), ..QUICK };
    faulty.add(FaultKind::Delay { milliseconds: 60_000 }, u64::MAX, Operation::GetObject);
    let error = checked(faulty.read(), "Timeout");
    assert!(error.to_string().contains("attempt 2"), "{error}");
}

#[test]
fn a_cancelled_read_ends() {
    let faulty = Faulty::new();
    faulty.add(FaultKind::Delay { milliseconds: 60_000 }, u64::MAX, Operation::GetObject);
    let store = faulty.client.store(&faulty.embedded.server.endpoint());
    let object = faulty.client.open(&store, "s3://data/k.parquet");
    let pending = object.fetch(0..10);
    faulty.client.cancel.cancel();
    checked(pending.wait(), "Cancelled");
    checked(object.fetch(0..10).wait(), "Cancelled");
}

#[test]
fn a_read_that_nobody_waits_for_is_given_up() {
    let mut faulty = Faulty::new();
    faulty.client.policy.attempts = 1_000_000;
    let store = faulty.client.store(&faulty.embedded.server.endpoint());
    let object = faulty.client.open(&store, "s3://data/k.parquet");
    faulty.add(FaultKind::InternalError, u64::MAX, Operation::GetObject);
    let asked = || faulty.embedded.server.counters().requests(Operation::GetObject);
    let deadline = Instant::now() + Duration::from_secs(20);
    let pending = object.fetch(0..10);
    while asked() < 3 && Instant::now() < deadline {
        std::thread::yield_now();
    }
    drop(pending);
    // One request may be under way; after it there is silence for many times the longest wait.
    let mut last = (asked(), Instant::now());
    while last.1.elapsed() < 20 * faulty.client.policy.max_delay {
        assert!(Instant::now() < deadline, "the read goes on");
        if asked() != last.0 {
            last = (asked(), Instant::now());
        }
        std::thread::yield_now();
    }
}

#[test]
fn many_reads_side_by_side_survive_a_bad_network() {
    let faulty = Faulty::new();
    let faults = faulty.embedded.server.faults();
    for kind in [
        FaultKind::SlowDown,
        FaultKind::InternalError,
        FaultKind::Reset { after_bytes: 100 },
        FaultKind::Truncated { after_bytes: 100 },
    ] {
        faults.add(Fault::new(kind).on(Operation::GetObject).rate(0.04));
    }
    let store = faulty.client.store(&faulty.embedded.server.endpoint());
    let object = faulty.client.open(&store, "s3://data/k.parquet");
    let whole = content(SIZE);
    let ranges: Vec<_> = (0..300u64).map(|at| at * 1000..(at + 1) * 1000).collect();
    let pending: Vec<_> = ranges.iter().map(|range| object.fetch(range.clone())).collect();
    for (range, pending) in ranges.iter().zip(pending) {
        assert_eq!(pending.wait().unwrap(), whole[range.start as usize..range.end as usize]);
    }
    let counted = faulty.client.metrics.snapshot();
    assert!(counted.retries > 0);
    assert!(counted.bytes_received >= SIZE as u64);
}
