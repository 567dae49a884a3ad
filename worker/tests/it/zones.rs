//! A41: whatever zone a host or a pod has, the same instants come out.

use std::process::{Command, Stdio};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, Date32Array, StringArray, TimestampMicrosecondArray, TimestampMillisecondArray,
    TimestampNanosecondArray,
};
use longshore_crds::{LoadReport, LoadRequest, Outcome};

use crate::world::{World, batch, column, definition, parquet_bytes, texts};

/// Zones with odd offsets, changes of the clock at odd hours, and one that does not exist.
const ZONES: [&str; 5] = ["Pacific/Chatham", "America/St_Johns", "Asia/Kathmandu", "<-13>+13:30", "No/Where"];

/// 2024-03-10T07:30:00Z: in the hour that clocks leap over in some zones.
const INSTANT: i64 = 1_710_055_800;

/// Loads in a process of its own whose zone is `zone`.
fn load_in(zone: &str, world: &World, request: &LoadRequest) -> LoadReport {
    let path = world.folder.path().join(format!("{}.json", request.label));
    std::fs::write(&path, serde_json::to_vec(request).unwrap()).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_longshore-worker"))
        .args(["load", "--memory", "268435456"])
        .env("TZ", zone)
        .env("LC_ALL", "tr_TR.UTF-8")
        .arg("--request")
        .arg(&path)
        .arg("--table-dir")
        .arg(world.root())
        .arg("--secrets-dir")
        .arg(world.secrets())
        .stderr(Stdio::null())
        .output()
        .unwrap();
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stdout)))
}

/// A file of each format that carries times, by suffix.
fn files() -> Vec<(&'static str, Vec<u8>)> {
    let local: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![INSTANT * 1_000_000 + 1]));
    let instant: ArrayRef =
        Arc::new(TimestampMillisecondArray::from(vec![INSTANT * 1_000]).with_timezone("UTC"));
    let nanos: ArrayRef = Arc::new(TimestampNanosecondArray::from(vec![INSTANT * 1_000_000_000]));
    let day: ArrayRef = Arc::new(Date32Array::from(vec![19_792]));
    let written: ArrayRef = Arc::new(StringArray::from(vec!["2024-03-10T07:30:00+05:45"]));
    let plain: ArrayRef = Arc::new(StringArray::from(vec!["2024-03-10 02:30:00"]));
    let columns = vec![
        ("local", local),
        ("instant", instant),
        ("nanos", nanos),
        ("day", day),
        ("written", written),
        ("plain", plain),
    ];
    vec![("parquet", parquet_bytes(&batch(columns)))]
}

fn world() -> World {
    let dated = ["local", "instant", "nanos", "written", "plain"].map(|name| column(name, "DATETIME"));
    World::with_table(&definition([vec![column("day", "DATE")], dated.to_vec()].concat()))
}

#[test]
fn a41_no_zone_of_a_host_or_a_pod_moves_a_time() {
    for (suffix, content) in files() {
        for (zone, expected) in [("UTC", "2024-03-10T07:30:00"), ("Asia/Kathmandu", "2024-03-10T13:15:00")] {
            let mut seen = Vec::new();
            for process_zone in ZONES {
                let world = world();
                world.put(&format!("t.{suffix}"), &content);
                let mut request = world.request("load", &format!("t.{suffix}"));
                request.timezone = zone.to_owned();
                let report = load_in(process_zone, &world, &request);
                assert_eq!(report.outcome, Outcome::Loaded, "{suffix} {process_zone}: {report:?}");
                let rows = world.rows();
                seen.push(rows.columns().iter().flat_map(texts).collect::<Vec<String>>());
            }
            let first = seen[0].clone();
            assert!(seen.iter().all(|rows| *rows == first), "{suffix}: {seen:?}");
            assert_eq!(first[0], "2024-03-10", "{suffix}");
            assert_eq!(first[1], "2024-03-10T07:30:00.000001", "{suffix}: a time without a zone stays");
            assert_eq!(first[2], expected, "{suffix}: an instant is shown in the request's zone");
            assert_eq!(first[5], "2024-03-10T02:30:00", "{suffix}: also one that some clocks leap over");
        }
    }
}
