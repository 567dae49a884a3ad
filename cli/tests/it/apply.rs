//! Tables and objects: made once, kept, shown.

use crate::program::{Program, TABLE, load_job};

#[test]
fn a_table_is_created_once_and_then_unchanged() {
    let program = Program::new();
    let path = program.write("table.yaml", TABLE);
    let said = program.apply(&[&path]);
    assert_eq!((said.code, said.out.as_str()), (0, "table.longshore.dev/t created\n"), "{}", said.err);
    assert!(program.data_dir().join("tables/t/_delta_log").is_dir());
    let said = program.apply(&[&path]);
    assert_eq!((said.code, said.out.as_str()), (0, "table.longshore.dev/t unchanged\n"), "{}", said.err);
}

#[test]
fn a_table_that_exists_takes_columns_at_its_end_and_no_other_change() {
    let program = Program::new();
    assert_eq!(program.apply_text(TABLE).code, 0);
    let said = program.apply_text(&TABLE.replace("type: INT", "type: BIGINT"));
    assert_eq!(said.code, 1);
    assert!(said.err.contains("is declared BIGINT and is INT"), "{}", said.err);
    let yaml = program.run(["get", "table", "t", "-o", "yaml"]).out;
    assert!(!yaml.contains("BIGINT"), "a refused spec is not kept: {yaml}");

    let wider = |column: &str| TABLE.replacen("  key:", &format!("  - {column}\n  key:"), 1);
    assert_ne!(wider("x"), TABLE);
    let said = program.apply_text(&wider("{name: extra, type: INT, nullable: false}"));
    assert!(said.err.contains("column extra is new and NOT NULL"), "{}", said.err);
    let said = program.apply_text(&wider("{name: extra, type: INT}"));
    assert_eq!((said.code, said.out.as_str()), (0, "table.longshore.dev/t configured\n"), "{}", said.err);
    let json: serde_json::Value =
        serde_json::from_str(&program.run(["get", "table", "t", "-o", "json"]).out).unwrap();
    assert!(json["status"]["columns"].to_string().contains("extra"), "{json}");
}

#[test]
fn a_table_whose_object_was_lost_is_adopted_only_if_it_is_the_same() {
    let program = Program::new();
    assert_eq!(program.apply_text(TABLE).code, 0);
    std::fs::remove_dir_all(program.data_dir().join("objects")).unwrap();
    let said = program.apply_text(&TABLE.replace("type: INT", "type: BIGINT"));
    assert_eq!(said.code, 1);
    assert!(said.err.contains("table.longshore.dev/t: "), "{}", said.err);
    let said = program.apply_text(TABLE);
    assert_eq!((said.code, said.out.as_str()), (0, "table.longshore.dev/t created\n"), "{}", said.err);
}

#[test]
fn get_shows_the_columns_of_kubectl() {
    let program = Program::new();
    assert_eq!(program.run(["get", "tables"]).out, "no tables in this data directory\n");
    assert_eq!(program.apply_text(TABLE).code, 0);
    for name in ["tables", "table", "lst"] {
        let said = program.run(["get", name]);
        let words: Vec<Vec<&str>> = said.out.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(words[0], ["NAME", "VERSION", "ROWS", "BYTES", "FILES", "READY", "AGE"]);
        assert_eq!(words[1][..6], ["t", "0", "0", "0", "0", "True"]);
    }
    let wide = program.run(["get", "tables", "t", "-o", "wide"]).out;
    assert!(wide.contains("COLUMNS") && wide.contains("TABLETS"), "{wide}");
}

#[test]
fn get_gives_the_object_as_yaml_and_json_with_defaults() {
    let program = Program::new();
    assert_eq!(program.apply_text(TABLE).code, 0);
    let yaml: serde_json::Value =
        serde_yaml::from_str(&program.run(["get", "table", "t", "-o", "yaml"]).out).unwrap();
    let json: serde_json::Value =
        serde_json::from_str(&program.run(["get", "table", "t", "-o", "json"]).out).unwrap();
    assert_eq!(yaml, json);
    assert_eq!(json["apiVersion"], "longshore.dev/v1alpha1");
    assert_eq!(json["spec"]["storage"]["compression"], "Zstd");
    assert_eq!(json["status"]["columns"][1]["type"], "VARCHAR(3)");
    assert_eq!(json["metadata"]["generation"], 1);
    let list: serde_json::Value =
        serde_json::from_str(&program.run(["get", "tables", "-o", "json"]).out).unwrap();
    assert_eq!((&list["kind"], list["items"].as_array().unwrap().len()), (&"List".into(), 1));
}

#[test]
fn describe_shows_everything() {
    let program = Program::new();
    assert_eq!(program.apply_text(TABLE).code, 0);
    let said = program.run(["describe", "table", "t"]);
    assert_eq!(said.code, 0);
    for part in ["Name:", "VERSION", "VARCHAR(3)", "Ready", "TableReady", "Spec:", "tables/t"] {
        assert!(said.out.contains(part), "{part}: {}", said.out);
    }
}

#[test]
fn what_is_not_there_is_an_error_that_says_what_to_do() {
    let program = Program::new();
    for arguments in [["get", "table", "no"], ["describe", "table", "no"]] {
        let said = program.run(arguments);
        assert_eq!(said.code, 1);
        assert_eq!(
            said.err,
            "longshore: table.longshore.dev/no not found; apply its manifest, or look into another --data-dir\n"
        );
    }
}

#[test]
fn a_load_job_without_its_table_says_so() {
    let said = Program::new().apply_text(&load_job("s3://b/k", ""));
    assert_eq!(said.code, 1);
    assert_eq!(
        said.err,
        "loadjob.longshore.dev/j: spec.table: there is no table `t`; apply the Table `t` first\n"
    );
}

#[test]
fn foreign_kinds_are_skipped_aloud() {
    let secret =
        "apiVersion: v1\nkind: Secret\nmetadata: {name: aws}\nstringData: {secret-access-key: hunter2}\n";
    let program = Program::new();
    let said = program.apply_text(&format!("{secret}---{TABLE}"));
    assert_eq!(said.code, 0);
    assert_eq!(said.err, "secret/aws skipped: local mode has no use for it\n");
    let kept = std::fs::read_to_string(program.data_dir().join("objects/tables/t.yaml")).unwrap();
    assert!(!kept.contains("hunter2"));
}
