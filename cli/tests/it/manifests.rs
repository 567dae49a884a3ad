//! Manifests that are refused: the exact words, and nothing done.

use crate::program::{Program, TABLE, load_job};

/// What is said of a manifest on standard input, without the place and the last line.
fn refusal(text: &str) -> Vec<String> {
    let program = Program::new();
    let said = program.apply_text(text);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(!program.data_dir().join("objects").exists());
    let mut lines: Vec<String> =
        said.err.lines().map(|line| line.trim_start_matches("standard input: ").to_owned()).collect();
    assert_eq!(lines.pop().as_deref(), Some("nothing was applied"));
    lines
}

#[test]
fn an_unknown_field_names_its_path_and_what_is_expected() {
    let text = load_job("s3://b/k", "").replace("paths:", "fromat: {parquet: {}}, paths:");
    assert_eq!(
        refusal(&text),
        [
            "spec.sources[0].fromat: unknown field, expected one of columns, columnsFromPath, format, manifest, onMissingPathKey, paths, s3, set, where; did you mean `format`?"
        ]
    );
}

#[test]
fn fields_that_come_later_are_not_taken_silently() {
    let refused = refusal(&load_job("s3://b/k", "  suspend: true"));
    assert!(
        refused[0].starts_with("spec.suspend: unknown field, expected one of allowEmpty, "),
        "{refused:?}"
    );
}

#[test]
fn a34_ratios_outside_0_to_1_are_refused() {
    for ratio in ["1.5", "-0.1", "x"] {
        assert_eq!(
            refusal(&load_job("s3://b/k", &format!("  maxFilterRatio: \"{ratio}\""))),
            [
                "spec.maxFilterRatio: maxFilterRatio is a decimal number from 0 to 1 as text, for instance \"0.1\""
            ]
        );
    }
}

#[test]
fn values_that_cannot_be_are_refused_by_field() {
    for (more, expected) in [
        ("  timeoutSeconds: 0", "spec.timeoutSeconds: 0 is out of range, expected 1 to 259200"),
        ("  strictMode: maybe", "spec.strictMode: expected true or false, found the text `maybe`"),
        (
            "  maxFilterRatio: 0.1",
            "spec.maxFilterRatio: expected text, found the number 0.1; put it in quotes",
        ),
        (
            "  label: a..b",
            "spec.label: a label has 1 to 128 letters, digits, _ . or -, begins with a letter, digit or _, and holds no ..",
        ),
    ] {
        assert_eq!(refusal(&load_job("s3://b/k", more)), [expected]);
    }
    assert_eq!(
        refusal(&load_job("/tmp/k", "")),
        ["spec.sources[0].paths: each path starts with s3:// or s3a://"]
    );
}

#[test]
fn a_table_is_checked_down_to_its_columns() {
    for (from, to, expected) in [
        (
            "VARCHAR(3)",
            "VARCHAR",
            "spec.columns[1].type: `VARCHAR` is not a type: VARCHAR needs a length in bytes",
        ),
        ("VARCHAR(3)", "BITMAP", "spec.columns[1].type: BITMAP is not supported; "),
        ("name: name", "name: ID", "spec.columns[1].name: column `ID` is declared twice"),
        (
            "key: {columns: [id]}",
            "key: {columns: [no]}",
            "spec.key.columns[0]: column `no` is not declared; ",
        ),
        ("buckets: 2", "buckets: 0", "spec.distribution.hash.buckets: 0 is out of range, expected 1 to 4096"),
        (
            "{hash: {columns: [id], buckets: 2}}",
            "{}",
            "spec.distribution: state exactly one of hash and random",
        ),
    ] {
        let refused = refusal(&TABLE.replace(from, to));
        assert!(refused[0].starts_with(expected), "{refused:?}");
    }
}

#[test]
fn keys_in_a_manifest_are_an_unknown_field_and_are_not_repeated() {
    let text = load_job("s3://b/k", "").replace("paths:", "s3: {credentials: {secretKey: hunter2}}, paths:");
    let refused = refusal(&text);
    assert!(
        refused[0].starts_with("spec.sources[0].s3.credentials.secretKey: unknown field, "),
        "{refused:?}"
    );
    assert!(!refused.concat().contains("hunter2"));
}

#[test]
fn every_fault_of_every_document_is_said_at_once() {
    let text = format!("{}\n---\n{}", TABLE.replace("VARCHAR(3)", "HLL"), load_job("s3://b/k", "  retyr: 1"));
    let refused = refusal(&text);
    assert_eq!(refused.len(), 2, "{refused:?}");
    assert!(refused[0].starts_with("spec.columns[1].type: HLL"));
    assert!(refused[1].starts_with("standard input, document 2: spec.retyr: unknown field, "));
    assert!(refused[1].ends_with("did you mean `retry`?"));
}

#[test]
fn files_that_are_not_there_or_not_yaml_are_named() {
    let program = Program::new();
    let said = program.apply(&[&program.path("no.yaml")]);
    assert_eq!(said.code, 1);
    assert!(said.err.contains("no.yaml: No such file"), "{}", said.err);
    let said = program.apply_text("a: [");
    assert!(said.err.contains("standard input is neither YAML nor JSON: "), "{}", said.err);
}
