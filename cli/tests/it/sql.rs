//! `longshore sql`.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, StringArray};
use arrow::record_batch::RecordBatch;

use crate::files::{write_batch, write_parquet};
use crate::load::stage;
use crate::program::{Program, load_job};

#[test]
fn tables_files_and_what_became_of_loads_are_queried() {
    let (program, _server) = stage(2);
    assert_eq!(program.apply_text(&load_job("s3://bucket/d/*.parquet", "  label: first")).code, 0);
    let sql = |statement: &str| {
        let said = program.run(["sql", statement, "--format", "csv"]);
        assert_eq!(said.code, 0, "{statement}: {said:?}");
        said.out
    };
    assert_eq!(sql("SELECT COUNT(*) AS n FROM t"), "n\n2000\n");
    assert_eq!(sql("SELECT COUNT(*) AS n FROM t WHERE ID < 10"), "n\n20\n");
    assert_eq!(sql("SELECT MAX(id) AS n FROM `t`;"), "n\n999\n");
    assert_eq!(
        sql("SELECT label, STATE, Sink_Rows FROM information_schema.loads WHERE LABEL = 'first'"),
        "LABEL,STATE,SINK_ROWS\nfirst,FINISHED,2000\n"
    );
    assert_eq!(
        sql("SELECT TABLE_NAME, TABLE_ROWS FROM information_schema.tables"),
        "TABLE_NAME,TABLE_ROWS\nt,2000\n"
    );
    assert_eq!(sql("SELECT OUTCOME FROM information_schema.history"), "OUTCOME\nLoaded\n");
    assert_eq!(sql("SELECT COUNT(*) AS n FROM information_schema.rejected_records"), "n\n0\n");
    assert_eq!(sql("SELECT COUNT(*) AS n FROM files('s3://bucket/d/*.parquet')"), "n\n2000\n");
    assert_eq!(
        sql(
            "SELECT COUNT(*) AS n FROM FILES(\"path\" = \"s3://bucket/d/0.parquet\", \"format\" = \"parquet\") f JOIN t ON f.id = t.id"
        ),
        "n\n2000\n"
    );
    assert_eq!(
        sql("SELECT split_part('a-b', '-', 2) AS part, date_format('2024-01-31', '%d.%m.') AS day"),
        "part,day\nb,31.01.\n"
    );
}

#[test]
fn rejected_rows_are_queried_by_label() {
    let (program, server) = stage(0);
    let file = program.path("bad.parquet");
    let (ids, names): (ArrayRef, ArrayRef) =
        (Arc::new(Int32Array::from(vec![1])), Arc::new(StringArray::from(vec!["too long"])));
    write_batch(&file, &RecordBatch::try_from_iter([("id", ids), ("name", names)]).unwrap());
    server.put("bucket", "d/bad.parquet", std::fs::read(&file).unwrap()).unwrap();
    assert_eq!(
        program
            .apply_text(&load_job(
                "s3://bucket/d/bad.parquet",
                "  label: bad\n  maxFilterRatio: \"1\"\n  allowEmpty: true"
            ))
            .code,
        0
    );
    let said = program.run([
        "sql",
        "SELECT LABEL, ROW, COLUMN_NAME, ERROR_CODE FROM information_schema.rejected_records",
        "--format",
        "csv",
    ]);
    assert_eq!(said.out, "LABEL,ROW,COLUMN_NAME,ERROR_CODE\nbad,1,name,TooLong\n", "{said:?}");
}

#[test]
fn the_answer_is_a_table_json_or_a_file() {
    let program = Program::new();
    let file = program.path("part.parquet");
    write_parquet(&file, 3);
    let query = format!("SELECT id FROM files('{}') ORDER BY id", file.display());
    let said = program.run(["sql", &query]);
    assert_eq!(said.out, "+----+\n| id |\n+----+\n| 0  |\n| 1  |\n| 2  |\n+----+\n", "{said:?}");
    let said = program.run(["sql", &query, "--format", "json"]);
    assert_eq!(said.out, "{\"id\":0}\n{\"id\":1}\n{\"id\":2}\n", "{said:?}");
    let out = program.path("out.parquet");
    let said = program.run(["sql", &query, "--output", out.to_str().unwrap()]);
    assert_eq!(said.code, 0, "{said:?}");
    let said = program.run([
        "sql",
        &format!("SELECT COUNT(*) AS n FROM files('{}')", out.display()),
        "--format",
        "csv",
    ]);
    assert_eq!(said.out, "n\n3\n", "{said:?}");
    let again = program.run(["sql", &query, "--output", out.to_str().unwrap()]);
    assert_ne!(again.code, 0, "a file that is there is not overwritten");
}

#[test]
fn what_is_no_query_is_refused_with_the_reason() {
    let program = Program::new();
    for (statement, reason) in [
        ("SELECT * FROM nothing", "nothing"),
        ("SELECT nope(1)", "nope"),
        ("SELECT 'open", "line 1"),
        ("CREATE TABLE x (a INT)", "DDL"),
        ("SELECT * FROM files('a.parquet', \"aws.s3.secret_key\" = \"k\")", "secrets"),
        ("SELECT * FROM files('nothing/*.parquet')", "nothing/*.parquet"),
    ] {
        let said = program.run(["sql", statement]);
        assert_ne!(said.code, 0, "{statement}");
        assert!(said.err.contains(reason), "{statement}: {}", said.err);
        assert!(!said.err.contains("panicked"), "{statement}: {}", said.err);
    }
}

#[test]
fn the_prompt_answers_statements_until_it_ends() {
    use std::io::Write;
    use std::process::Stdio;
    let program = Program::new();
    let mut child = program
        .command(["sql", "--format", "csv"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(b"SELECT 1 + 1\n AS two;\nSELECT nope;\nSELECT 3 AS three;\nexit\n")
        .unwrap();
    let said = crate::program::Said::of(&child.wait_with_output().unwrap());
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.out.contains("two\n2\n") && said.out.contains("three\n3\n"), "{said:?}");
    assert!(said.err.contains("nope"), "{said:?}");
}
