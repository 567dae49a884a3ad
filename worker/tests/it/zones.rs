//! A41: whatever zone a host, a pod or an S3 server has, the same instants come out of every format.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use longshore_crds::format::{CsvOptions, Format};
use longshore_crds::source::Source;
use longshore_crds::{LoadReport, LoadRequest, Outcome};
use tempfile::TempDir;

use crate::oracles::python;
use crate::process::command;
use crate::world::{ACCESS_KEY, SECRET_KEY, World, column, definition, texts};

/// Zones with odd offsets, changes of the clock at odd hours, and one that does not exist.
const ZONES: [&str; 5] = ["Pacific/Chatham", "America/St_Johns", "Asia/Kathmandu", "<-13>+13:30", "No/Where"];

/// 2024-03-10T07:30:00Z: in the hour that clocks leap over in some zones.
const INSTANT: u64 = 1_710_055_800;

const BUCKET: &str = "times";
const FORMATS: [&str; 5] = ["avro", "csv", "json", "orc", "parquet"];

/// An S3 server in a process of its own.
struct S3Process {
    child: Child,
    endpoint: String,
}

impl Drop for S3Process {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl S3Process {
    /// Serves a folder of buckets in a zone; `ready`: a file that is not there yet.
    fn start(zone: &str, folder: &Path, ready: &Path) -> Self {
        let program = Path::new(env!("CARGO_BIN_EXE_longshore-worker")).with_file_name("longshore-s3server");
        assert!(program.exists(), "{} is not there; run `make build`", program.display());
        let child = Command::new(program)
            .args(["--access-key-id", ACCESS_KEY, "--data-dir"])
            .arg(folder)
            .arg("--ready-file")
            .arg(ready)
            .env("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
            .env("TZ", zone)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut server = Self { child, endpoint: String::new() };
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            if let Ok(endpoint) = std::fs::read_to_string(ready) {
                server.endpoint = endpoint;
                return server;
            }
            assert!(Instant::now() < deadline, "the server never listened");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Loads in a process of its own whose zone is `zone`.
fn load_in(zone: &str, world: &World, request: &LoadRequest) -> LoadReport {
    let output =
        command(world, "load", request).env("TZ", zone).env("LC_ALL", "tr_TR.UTF-8").output().unwrap();
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stdout)))
}

/// A bucket with one row of times in each format, last modified at [`INSTANT`].
fn bucket() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let bucket = folder.path().join(BUCKET);
    std::fs::create_dir(&bucket).unwrap();
    python("columnar.py", &["times", bucket.to_str().unwrap()]);
    let values = [
        ("day", "2024-03-10"),
        ("local", "2024-03-10 07:30:00.000001"),
        ("instant", "2024-03-10T07:30:00Z"),
        ("nanos", "2024-03-10T07:30:00.000000000"),
        ("written", "2024-03-10T07:30:00+05:45"),
        ("plain", "2024-03-10 02:30:00"),
    ];
    let (names, cells): (Vec<_>, Vec<_>) = values.into_iter().unzip();
    std::fs::write(bucket.join("times.csv"), format!("{}\n{}\n", names.join(","), cells.join(","))).unwrap();
    let object: serde_json::Map<_, _> =
        values.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
    std::fs::write(bucket.join("times.json"), serde_json::to_vec(&object).unwrap()).unwrap();
    let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(INSTANT);
    for format in FORMATS {
        let path: PathBuf = bucket.join(format!("times.{format}"));
        std::fs::File::options().write(true).open(path).unwrap().set_modified(modified).unwrap();
    }
    folder
}

fn world() -> World {
    let names = ["local", "instant", "nanos", "written", "plain", "modified", "clock"];
    let first = [column("format", "VARCHAR(10)"), column("day", "DATE")];
    let dated = names.map(|name| column(name, "DATETIME"));
    World::with_table(&definition([first.to_vec(), dated.to_vec()].concat()))
}

/// A source a format, told apart by a column; beside the file's times, when it was modified, and an instant that
/// an expression makes local.
fn source(world: &World, endpoint: &str, format: &str) -> Source {
    let mut source = world.source("");
    source.paths = vec![format!("s3://{BUCKET}/times.{format}")];
    source.s3.endpoint = Some(endpoint.to_owned());
    let set = [
        ("format", format!("'{format}'")),
        ("modified", "_file_modified".to_owned()),
        ("clock", format!("from_unixtime({INSTANT})")),
    ];
    source.set = set.into_iter().map(|(name, text)| (name.to_owned(), text)).collect();
    if format == "csv" {
        let column_separator = ",".to_owned();
        source.format =
            Some(Format::Csv(CsvOptions { column_separator, header: true, ..CsvOptions::default() }));
    }
    source
}

#[test]
fn a41_no_zone_of_a_host_a_pod_or_a_server_moves_a_time_in_any_format() {
    let folder = bucket();
    let ready = tempfile::tempdir().unwrap();
    for (place, process_zone) in ZONES.into_iter().enumerate() {
        let server_zone = ZONES[(place + 1) % ZONES.len()];
        let server = S3Process::start(server_zone, folder.path(), &ready.path().join(place.to_string()));
        for (zone, instant, written) in [
            ("UTC", "2024-03-10T07:30:00", "2024-03-10T01:45:00"),
            ("Asia/Kathmandu", "2024-03-10T13:15:00", "2024-03-10T07:30:00"),
        ] {
            let world = world();
            let mut request = world.request("load", "");
            request.timezone = zone.to_owned();
            request.sources = FORMATS.map(|format| source(&world, &server.endpoint, format)).to_vec();
            let report = load_in(process_zone, &world, &request);
            assert_eq!(report.outcome, Outcome::Loaded, "{process_zone}: {report:?}");
            let rows = world.rows();
            let columns: Vec<Vec<String>> = rows.columns().iter().map(texts).collect();
            let mut found: Vec<Vec<&str>> = (0..rows.num_rows())
                .map(|row| columns.iter().map(|column| column[row].as_str()).collect())
                .collect();
            found.sort();
            let expected = FORMATS.map(|format| {
                vec![
                    format,
                    "2024-03-10",
                    // A time without a zone stays, also one that some clocks leap over.
                    "2024-03-10T07:30:00.000001",
                    instant,
                    "2024-03-10T07:30:00",
                    written,
                    "2024-03-10T02:30:00",
                    instant,
                    instant,
                ]
            });
            assert_eq!(found, expected, "request {zone}, worker {process_zone}, server {server_zone}");
        }
    }
}
