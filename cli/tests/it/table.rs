//! `longshore table`: what it says of a table that was loaded, damaged and mended.

use std::fs;

use serde_json::Value;

use crate::load::stage;
use crate::program::{Program, load_job};

fn json(program: &Program, arguments: &[&str]) -> (i32, Value) {
    let said = program.run([&["table"], arguments, &["-o", "json"]].concat());
    (said.code, serde_json::from_str(&said.out).unwrap_or_else(|_| panic!("{said:?}")))
}

/// Two loads of 1,000 rows each.
fn loaded() -> (Program, longshore_s3server::BackgroundServer) {
    let (program, server) = stage(1);
    for label in ["first", "second"] {
        let manifest = load_job("s3://bucket/d/*.parquet", &format!("  label: {label}"));
        let said = program.apply_text(&manifest.replace("name: j", &format!("name: {label}")));
        assert_eq!(said.code, 0, "{said:?}");
    }
    (program, server)
}

#[test]
fn a_table_is_looked_after_by_name_and_by_path() {
    let (program, _server) = loaded();
    let said = program.run(["table", "history", "t"]);
    assert_eq!(said.code, 0, "{said:?}");
    let lines: Vec<&str> = said.out.lines().collect();
    assert!(lines[0].starts_with("VERSION   OPERATION   LABEL    RUN   OUTCOME"), "{said:?}");
    assert_eq!(lines.len(), 3);
    assert!(lines[1].contains("first") && lines[2].contains("second") && lines[2].contains("1000"));
    let path = program.data_dir().join("tables/t");
    let (code, history) = json(&program, &["history", path.to_str().unwrap(), "--limit", "1"]);
    assert_eq!((code, history[0]["record"]["label"].as_str()), (0, Some("second")));
    let (_, history) = json(&program, &["history", "t", "--label", "first"]);
    assert_eq!(history.as_array().unwrap().len(), 1);

    let (_, compacted) = json(&program, &["compact", "t"]);
    assert_eq!((compacted["rows"].as_u64(), compacted["tablets"].as_u64()), (Some(2_000), Some(2)));
    let said = program.run(["table", "compact", "t"]);
    assert_eq!((said.code, said.out.as_str()), (0, "nothing was worth merging\n"), "{said:?}");

    let said = program.run(["table", "checkpoint", "t"]);
    assert!(said.out.starts_with("checkpoint of version ") && said.out.contains("2 history records folded"));
    let (code, verdict) = json(&program, &["verify", "t", "--full"]);
    assert_eq!((code, verdict["sound"].as_bool()), (0, Some(true)), "{verdict}");
    assert_eq!(verdict["outcome"]["rowsRead"], 2_000);
}

#[test]
fn vacuum_shows_what_would_go_and_then_removes_it() {
    let (program, _server) = loaded();
    assert_eq!(program.run(["table", "compact", "t"]).code, 0);
    let said = program.run(["table", "vacuum", "t", "--dry-run"]);
    assert!(said.code == 0 && !said.out.contains("removed segment"), "{said:?}");
    let arguments = ["vacuum", "t", "--retention-hours", "0"];
    let (_, dry) = json(&program, &[&arguments[..], &["--dry-run"]].concat());
    let (_, done) = json(&program, &arguments);
    assert_eq!(dry["outcome"]["removed"], done["outcome"]["removed"]);
    assert_eq!(done["outcome"]["removed"]["removedSegment"]["files"], 4);
    let would_go = dry["files"].as_array().unwrap().iter();
    assert_eq!(would_go.filter(|file| file["kind"] == "removedSegment").count(), 4, "{dry}");
    let said = program.run(["table", "vacuum", "t", "--retention-hours", "9999"]);
    assert!(said.code == 1 && said.err.contains("the table forgets them after 168"), "{said:?}");
    assert_eq!(program.run(["table", "verify", "t", "--full"]).code, 0);
}

#[test]
fn verify_ends_with_1_and_names_the_file_and_what_to_do() {
    let (program, _server) = loaded();
    let table = program.data_dir().join("tables/t");
    let segment = fs::read_dir(table.join("b-00000")).unwrap().next().unwrap().unwrap().path();
    fs::remove_file(&segment).unwrap();
    let said = program.run(["table", "verify", "t"]);
    assert_eq!(said.code, 1, "{said:?}");
    let name = segment.file_name().unwrap().to_str().unwrap();
    assert!(
        said.out.starts_with(&format!("error: b-00000/{name}: the segment is missing\n  restore")),
        "{said:?}"
    );
    assert!(said.out.contains("NOT SOUND (1 errors, 0 warnings): version "), "{said:?}");

    let said = program.run(["table", "verify", "nowhere"]);
    assert!(said.code == 1 && said.err.contains("no table nowhere in this data directory"), "{said:?}");
    assert_eq!(program.run(["table", "verify"]).code, 2);
}
