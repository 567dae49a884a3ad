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
    let second = load_job("s3://bucket/d/*.parquet", "  label: second").replace("name: j", "name: k");
    assert_eq!(program.apply_text(&second).code, 0);
    assert_eq!(
        sql("SELECT JOB_ID, LABEL FROM information_schema.loads ORDER BY JOB_ID DESC \\G"),
        "JOB_ID,LABEL\n2,second\n1,first\n"
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

fn csv_of(program: &Program, statement: &str) -> String {
    let said = program.run(["sql", statement, "--format", "csv"]);
    assert_eq!(said.code, 0, "{statement}: {said:?}");
    said.out
}

#[test]
fn files_of_every_format_are_queried_with_the_columns_of_all() {
    let program = Program::new();
    program.write("j/1.json", "{\"id\": 1, \"pos\": {\"x\": 5}}\n{\"id\": 2}\n");
    program.write("j/2.json", "{\"id\": 3, \"name\": \"c\", \"day\": \"2024-01-31\"}\n");
    let sql = |statement: &str| csv_of(&program, statement);
    assert_eq!(
        sql("SELECT id, name, year(day) AS y FROM files('j/*.json') ORDER BY id"),
        "id,name,y\n1,,\n2,,\n3,c,2024\n"
    );
    assert_eq!(sql("SELECT pos['x'] AS x FROM files('j/*.json') WHERE id = 1"), "x\n5\n");
    assert_eq!(sql("SELECT COUNT(*) AS n FROM files('j/*.json')"), "n\n3\n");
    program.write("d.json", "{\"rows\": [{\"a\": {\"b\": 1}}, {\"a\": {\"b\": 2}}]}");
    assert_eq!(
        sql("SELECT SUM(a_b) AS s FROM files('d.json', format => 'json', strip_outer_array => true, \
             json_root => '$.rows', json_paths => '[\"$.a.b\"]')"),
        "s\n3\n"
    );
    // Fields without names, with types.
    program.write("c/dt=2024-01-01/1.csv", "1\tx\t2.5\n2\ty\t3\n");
    program.write("c/dt=2024-01-02/2.csv", "3\tz\t4\n");
    assert_eq!(sql("SELECT SUM($1) AS s, MAX($3) AS m FROM files('c/*/*.csv')"), "s,m\n6,4.0\n");
    assert_eq!(
        sql("SELECT `$2`, dt FROM files('c/*/*.csv', columns_from_path => 'dt') WHERE $1 > 1 ORDER BY 1"),
        "$2,dt\ny,2024-01-01\nz,2024-01-02\n"
    );
    assert_eq!(sql("SELECT $3 AS text FROM files('c/*/2.csv', auto_detect_types => false)"), "text\n4\n");
    // A column that one file has, and one with two types.
    std::fs::create_dir(program.path("p")).unwrap();
    write_parquet(&program.path("p/1.parquet"), 2);
    let (ids, more): (ArrayRef, ArrayRef) =
        (Arc::new(arrow::array::Int64Array::from(vec![1 << 40])), Arc::new(Int32Array::from(vec![7])));
    let wider = RecordBatch::try_from_iter([("id", ids), ("more", more)]).unwrap();
    write_batch(&program.path("p/2.parquet"), &wider);
    assert_eq!(
        sql("SELECT * FROM files('p/*.parquet') ORDER BY id"),
        "id,name,more\n0,n0,\n1,n1,\n1099511627776,,7\n"
    );
}

#[test]
fn a_row_that_does_not_fit_what_was_found_is_an_error_that_names_it() {
    let program = Program::new();
    let rows: String = (0..5_000).map(|row| format!("{row}\n")).collect();
    program.write("a.csv", &(rows + "x\n"));
    let said = program.run(["sql", "SELECT MAX($1) FROM files('a.csv')"]);
    assert_ne!(said.code, 0);
    for part in ["a.csv, row 5001, column $1", "look at the options"] {
        assert!(said.err.contains(part), "{part}: {said:?}");
    }
    let text = "SELECT MAX($1) AS m FROM files('a.csv', auto_detect_types => 'false')";
    assert_eq!(csv_of(&program, text), "m\nx\n");
}
