//! What must end in a clear error, with nothing that a reader could see.

use std::process::Command;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, StringArray};
use longshore_crds::{LoadReport, LoadRequest, Outcome, exit};
use longshore_s3server::{Fault, FaultKind, Operation};

use crate::world::{SECRET_KEY, SERVER, World, batch, column, definition, parquet_bytes, tree};

fn world() -> World {
    let world = World::with_table(&definition(vec![column("n", "BIGINT"), column("t", "STRING")]));
    world.put("good/a.parquet", good_file(0));
    world
}

fn good_file(first: i64) -> Vec<u8> {
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(first..first + 5_000));
    let texts: ArrayRef = Arc::new(StringArray::from_iter_values((0..5_000).map(|n| format!("text {n}"))));
    parquet_bytes(&batch(vec![("n", numbers), ("t", texts)]))
}

/// The load fails with this reason and exit code, its message holds each of the words, and the table is as
/// before.
fn assert_fails(world: &World, request: LoadRequest, reason: &str, code: u8, words: &[&str]) -> LoadReport {
    let report = world.load(request);
    assert_eq!(
        (report.outcome, report.reason.as_str(), report.exit_code),
        (Outcome::Failed, reason, code),
        "{report:?}"
    );
    for word in words {
        assert!(report.message.contains(word), "{word} is not in: {}", report.message);
    }
    assert_eq!(world.row_count(), 0);
    let segments =
        tree(&world.root()).into_keys().filter(|path| path.extension().is_some_and(|e| e == "parquet"));
    let left: Vec<_> = segments.filter(|path| !path.to_string_lossy().contains("_longshore")).collect();
    assert_eq!(left, Vec::<std::path::PathBuf>::new());
    report
}

#[test]
fn no_such_bucket() {
    let world = world();
    let mut request = world.request("load", "x");
    request.sources[0].paths = vec!["s3://no-such-bucket-here/a/*.parquet".to_owned()];
    assert_fails(&world, request, "BucketNotFound", exit::SOURCE, &["no-such-bucket-here", "NoSuchBucket"]);
}

#[test]
fn wrong_key() {
    let world = world();
    world.write_secret("wrong", "AKIAWORKERTESTS", "not-the-secret");
    let mut request = world.request("load", "good/*.parquet");
    request.sources[0].s3.credentials.secret_ref.as_mut().unwrap().name = "wrong".to_owned();
    let report = assert_fails(&world, request, "AccessDenied", exit::SOURCE, &["403", &world.bucket]);
    assert!(!report.message.contains("not-the-secret"));
}

#[test]
fn missing_secret() {
    let world = world();
    let mut request = world.request("load", "good/*.parquet");
    request.sources[0].s3.credentials.secret_ref.as_mut().unwrap().name = "absent".to_owned();
    assert_fails(&world, request, "CredentialsNotFound", exit::SOURCE, &["absent"]);
}

#[test]
fn endpoint_not_there() {
    let world = world();
    let mut request = world.request("load", "good/*.parquet");
    // A port that was free a moment ago and is closed now.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    request.sources[0].s3.endpoint = Some(format!("http://127.0.0.1:{port}"));
    assert_fails(&world, request, "EndpointUnreachable", exit::TRANSIENT, &["127.0.0.1"]);
}

#[test]
fn object_changed_between_plan_and_read() {
    let world = world();
    let changed = Fault::new(FaultKind::Changed { honour_if_match: true });
    let fault = SERVER.faults().add(changed.on(Operation::GetObject).bucket(&world.bucket));
    let request = world.request("load", "good/*.parquet");
    assert_fails(&world, request, "ObjectChanged", exit::SOURCE, &["good/a.parquet"]);
    SERVER.faults().remove(fault);
}

#[test]
fn object_deleted_between_plan_and_read() {
    let world = world();
    let gone = Fault::new(FaultKind::NotFound);
    let fault = SERVER.faults().add(gone.on(Operation::GetObject).bucket(&world.bucket));
    let request = world.request("load", "good/*.parquet");
    assert_fails(&world, request, "ObjectNotFound", exit::SOURCE, &["good/a.parquet", "NoSuchKey"]);
    SERVER.faults().remove(fault);
}

#[test]
fn truncated_parquet() {
    let world = world();
    let whole = good_file(0);
    world.put("good/cut.parquet", &whole[..whole.len() / 2]);
    assert_fails(
        &world,
        world.request("load", "good/*.parquet"),
        "InvalidParquet",
        exit::SOURCE,
        &["good/cut.parquet"],
    );
}

#[test]
fn corrupt_page() {
    let world = world();
    let mut bytes = good_file(0);
    for byte in &mut bytes[20..400] {
        *byte = !*byte;
    }
    world.put("good/corrupt.parquet", bytes);
    assert_fails(
        &world,
        world.request("load", "good/*.parquet"),
        "CorruptPage",
        exit::SOURCE,
        &["good/corrupt.parquet"],
    );
}

#[test]
fn bad_footer() {
    let world = world();
    let mut bytes = good_file(0);
    let end = bytes.len();
    bytes[end - 100..end - 20].fill(0xff);
    world.put("good/footer.parquet", bytes);
    assert_fails(
        &world,
        world.request("load", "good/*.parquet"),
        "InvalidParquet",
        exit::SOURCE,
        &["good/footer.parquet"],
    );
}

#[test]
fn empty_file() {
    let world = world();
    world.put("good/empty.parquet", b"");
    assert_fails(
        &world,
        world.request("load", "good/*.parquet"),
        "InvalidParquet",
        exit::SOURCE,
        &["good/empty.parquet", "0 bytes"],
    );
}

#[test]
fn types_that_cannot_be_cast() {
    let world = world();
    let nested: ArrayRef = Arc::new(arrow::array::StructArray::from(vec![(
        Arc::new(arrow::datatypes::Field::new("x", arrow::datatypes::DataType::Int64, true)),
        Arc::new(Int64Array::from(vec![1])) as ArrayRef,
    )]));
    let texts: ArrayRef = Arc::new(StringArray::from(vec!["x"]));
    world.put_batch("good/nested.parquet", &batch(vec![("n", nested), ("t", texts)]));
    let report = world.load(world.request("load", "good/*.parquet"));
    assert_eq!(report.exit_code, exit::SOURCE, "{report:?}");
    assert!(
        report.message.contains("good/nested.parquet") && report.message.contains('n'),
        "{}",
        report.message
    );
    assert_eq!(world.row_count(), 0);
}

/// What makes a good request a bad one.
type Spoil = fn(&mut LoadRequest);

#[test]
fn a_request_that_is_no_request() {
    let world = world();
    let cases: [(Spoil, &str); 3] = [
        (|request| request.timezone = "Mars/Olympus".to_owned(), "Mars/Olympus"),
        (|request| request.sources[0].paths = vec!["s3://b/[a".to_owned()], "[a"),
        (|request| request.execution.deadline = Some("tomorrow".to_owned()), "tomorrow"),
    ];
    for (run, (spoil, word)) in (1..).zip(cases) {
        let mut request = world.request("load", "good/*.parquet");
        request.run = run;
        spoil(&mut request);
        let report = world.load(request);
        assert_ne!(report.exit_code, exit::LOADED);
        assert!(report.message.contains(word), "{}", report.message);
    }
    assert_eq!(world.row_count(), 0);
}

#[test]
fn secrets_are_written_nowhere() {
    let world = world();
    let good = world.load(world.request("good", "good/*.parquet"));
    let mut request = world.request("bad", "good/*.parquet");
    request.sources[0].paths.push("s3://no-such-bucket-here/x".to_owned());
    let bad = world.load(request);
    for text in [format!("{good:?}"), format!("{bad:?}"), format!("{:?}", world.context())] {
        assert!(!text.contains(SECRET_KEY), "{text}");
    }
    for text in everything_a_worker_prints(&world) {
        assert!(!text.contains(SECRET_KEY), "{text}");
    }
    for file in tree(&world.root()).into_keys() {
        let bytes = std::fs::read(&file).unwrap();
        let found = bytes.windows(SECRET_KEY.len()).any(|window| window == SECRET_KEY.as_bytes());
        assert!(!found, "{} holds the secret", file.display());
    }
}

/// Standard output, standard error and termination message of a worker that logs all it can: of a load that
/// succeeds and of one that fails.
fn everything_a_worker_prints(world: &World) -> Vec<String> {
    let mut printed = Vec::new();
    for (label, pattern) in [("printed-good", "good/*.parquet"), ("printed-bad", "missing/*.parquet")] {
        let request = world.folder.path().join("request.json");
        std::fs::write(&request, serde_json::to_vec(&world.request(label, pattern)).unwrap()).unwrap();
        let message = world.folder.path().join("termination-message");
        let output = Command::new(env!("CARGO_BIN_EXE_longshore-worker"))
            .args(["load", "--print-metrics", "--request"])
            .arg(&request)
            .arg("--termination-message")
            .arg(&message)
            .arg("--table-dir")
            .arg(world.root())
            .arg("--secrets-dir")
            .arg(world.secrets())
            .env("LONGSHORE_LOG", "trace")
            .output()
            .unwrap();
        assert!(!output.stderr.is_empty(), "nothing was logged at trace");
        printed
            .extend([output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()));
        printed.push(std::fs::read_to_string(&message).unwrap());
    }
    printed
}
