//! Which column feeds which, and what is computed, whatever the format.

use std::collections::HashSet;

use longshore_crds::source::OnMissingPathKey;
use longshore_crds::{LoadRequest, OnMissingColumn, SchemaDrift, exit};
use longshore_storage::schema::DefaultValue;
use serde_json::{Value, json};

use super::{ALL, COLUMNAR, FileFormat, NAMED, counts, file, world};
use crate::world::{SERVER, World, column, not_null, with_default};

fn expressions(request: &mut LoadRequest, set: &[(&str, &str)], condition: Option<&str>) {
    let source = &mut request.sources[0];
    source.set = set.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    source.filter = condition.map(str::to_owned);
}

/// A file of ids only.
fn ids(format: FileFormat, ids: impl IntoIterator<Item = i64>) -> Vec<u8> {
    let rows: Vec<Vec<Value>> = ids.into_iter().map(|id| vec![json!(id)]).collect();
    file(format, &["id int"], &rows)
}

fn names(names: &[&str]) -> Option<Vec<String>> {
    Some(names.iter().map(|&name| name.to_owned()).collect())
}

#[test]
pub fn a27_temporary_names_feed_set_and_where_counts_what_it_leaves_out() {
    let rows = [
        vec![json!(1), json!("01/02/2024 10:11:12"), json!("buy"), json!("a")],
        vec![json!(2), json!("31/12/2023 00:00:00"), json!("view"), json!("b")],
        vec![json!(3), json!("no date"), json!("buy"), json!("c")],
    ];
    for &format in ALL {
        let world = world(vec![column("at", "DATETIME"), column("kind", "STRING")]);
        let key = format!("a.{}", format.suffix());
        let columns = ["id int", "tmp_time text", "tmp_kind text", "unused text"];
        world.put(&key, file(format, &columns, &rows));
        let mut request = format.request(&world, "load", &key);
        request.sources[0].columns = names(&["id", "tmp_time", "tmp_kind"]);
        let set = [("at", "str_to_date(tmp_time, '%d/%m/%Y %H:%i:%s')"), ("kind", "upper(tmp_kind)")];
        expressions(&mut request, &set, Some("tmp_kind = 'buy'"));
        let report = world.load(request);
        assert_eq!(counts(&report), (3, 2, 0, 1), "{format:?} {report:?}");
        assert_eq!(world.sorted("at"), ["2024-02-01T10:11:12", "NULL"], "{format:?}");
        assert_eq!(world.sorted("kind"), ["BUY", "BUY"], "{format:?}");
    }
}

#[test]
pub fn a28_what_cannot_work_is_refused_before_any_request() {
    for &format in ALL {
        let world = world(vec![not_null(column("must", "BIGINT"))]);
        let key = format!("a.{}", format.suffix());
        world.put(&key, file(format, &["id int", "must int"], &[vec![json!(1), json!(2)]]));
        let refused = |label: &str, edit: &dyn Fn(&mut LoadRequest)| {
            let mut request = format.request(&world, label, &key);
            edit(&mut request);
            let report = world.load(request);
            assert_eq!(report.exit_code, exit::REQUEST, "{format:?} {report:?}");
            report.message
        };
        let message = refused("unknown", &|request| expressions(request, &[("nope", "1")], None));
        assert!(message.contains("nope"), "{message}");
        let message = refused("aggregate", &|request| expressions(request, &[("must", "sum(id)")], None));
        assert!(message.contains("sum"), "{message}");
        let message = refused("twice", &|request| request.sources[0].columns = names(&["id", "must", "ID"]));
        assert!(message.contains("ID"), "{message}");
        let message = refused("lacks", &|request| request.sources[0].columns = names(&["id"]));
        assert!(message.contains("must"), "{message}");
        assert!(!SERVER.counters().gets().iter().any(|get| get.bucket == world.bucket), "no object was read");
    }
}

#[test]
pub fn a29_values_of_the_path_feed_columns_and_expressions() {
    for &format in ALL {
        let world = world(vec![column("dt", "DATE"), column("hour", "STRING")]);
        let keys = ["p/dt=2024-01-01/h=10%3A30/a", "p/dt=2024-01-02/h=x/b", "p/dt=bad/h=y/c"];
        for (id, key) in keys.iter().enumerate() {
            world.put(&format!("{key}.{}", format.suffix()), ids(format, [id as i64]));
        }
        let mut request = format.request(&world, "load", "p/*/*/*");
        request.sources[0].columns_from_path = vec!["dt".to_owned(), "h".to_owned()];
        expressions(&mut request, &[("hour", "concat(h, '!')")], None);
        request.max_filter_ratio = "0.5".to_owned();
        let report = world.load(request);
        assert_eq!(counts(&report), (3, 2, 1, 0), "{format:?} {report:?}");
        assert_eq!(world.sorted("dt"), ["2024-01-01", "2024-01-02"], "{format:?}");
        assert_eq!(world.sorted("hour"), ["10:30!", "x!"], "{format:?}");
    }
}

#[test]
pub fn a29_a_key_that_lacks_a_name_fails_gives_null_or_is_left_out() {
    for &format in ALL {
        let world = world(vec![column("dt", "DATE")]);
        let suffix = format.suffix();
        world.put(&format!("p/dt=2024-01-01/a.{suffix}"), ids(format, [1]));
        world.put(&format!("p/other/b.{suffix}"), ids(format, [2]));
        let load = |label: &str, policy| {
            let mut request = format.request(&world, label, "p/*/*");
            request.sources[0].columns_from_path = vec!["dt".to_owned()];
            request.sources[0].on_missing_path_key = policy;
            world.load(request)
        };
        let report = load("fail", OnMissingPathKey::Fail);
        assert_eq!(report.exit_code, exit::SOURCE, "{format:?} {report:?}");
        assert!(report.message.contains(&format!("p/other/b.{suffix}")), "{}", report.message);
        assert_eq!(load("null", OnMissingPathKey::Null).counts.sink_rows, 2, "{format:?}");
        assert_eq!(world.sorted("dt"), ["2024-01-01", "NULL"], "{format:?}");
        let skipped = load("skip", OnMissingPathKey::SkipFile);
        assert_eq!((skipped.counts.sink_rows, skipped.counts.skipped_files), (1, 1), "{skipped:?}");
    }
}

#[test]
pub fn a30_literals_and_null_fill_what_a_file_lacks() {
    for &format in ALL {
        let world = world(vec![
            with_default(column("literal", "INT"), DefaultValue::Literal("42".to_owned())),
            column("nullable", "STRING"),
            with_default(not_null(column("unique_id", "VARCHAR(36)")), DefaultValue::Uuid),
            with_default(column("loaded_at", "DATETIME"), DefaultValue::CurrentTimestamp),
        ]);
        for number in 0..3 {
            world.put(&format!("{number}.{}", format.suffix()), ids(format, 0..4));
        }
        let mut request = format.request(&world, "load", "*");
        request.on_missing_column = OnMissingColumn::UseDefault;
        request.execution.task_bytes = Some(1);
        let report = world.load(request);
        assert_eq!(counts(&report), (12, 12, 0, 0), "{format:?} {report:?}");
        assert_eq!(world.sorted("literal"), vec!["42"; 12], "{format:?}");
        assert_eq!(world.sorted("nullable"), vec!["NULL"; 12], "{format:?}");
        let distinct = |name| world.sorted(name).into_iter().collect::<HashSet<_>>().len();
        assert_eq!((distinct("unique_id"), distinct("loaded_at")), (12, 1), "{format:?}");
    }
}

#[test]
pub fn a31_columns_match_by_name_in_any_order() {
    for &format in ALL {
        let world = world(vec![column("b", "STRING")]);
        let suffix = format.suffix();
        let rows = [vec![json!("x"), json!(1), json!(9)]];
        world.put(&format!("1.{suffix}"), file(format, &["b text", "id int", "extra int"], &rows));
        // JSON's keys are matched exactly.
        let other = if format == FileFormat::Json { ["id int", "b text"] } else { ["ID int", "B text"] };
        world.put(&format!("2.{suffix}"), file(format, &other, &[vec![json!(2), json!("y")]]));
        let report = world.load(format.request(&world, "both", "*"));
        assert_eq!(counts(&report), (2, 2, 0, 0), "{format:?} {report:?}");
        assert_eq!((world.sorted("id"), world.sorted("b")), (strings(&["1", "2"]), strings(&["x", "y"])));
    }
}

fn strings(values: &[&str]) -> Vec<String> {
    values.iter().map(|&value| value.to_owned()).collect()
}

#[test]
pub fn a31_what_a_file_lacks_is_decided_for_each_file() {
    for &format in NAMED {
        let world = world(vec![column("b", "STRING")]);
        let suffix = format.suffix();
        for number in 1..12 {
            let rows = [vec![json!(number), json!("x")]];
            world.put(&format!("{number:02}.{suffix}"), file(format, &["id int", "b text"], &rows));
        }
        world.put(&format!("zz.{suffix}"), ids(format, [3]));
        let mut request = format.request(&world, "load", "*");
        let report = world.load(request.clone());
        assert_eq!(report.exit_code, exit::SOURCE, "{format:?} {report:?}");
        let named = report.message.contains(&format!("zz.{suffix}")) && report.message.contains("column b");
        assert!(named, "{}", report.message);
        assert_eq!(world.row_count(), 0, "{format:?}");
        request.run = 2;
        request.on_missing_column = OnMissingColumn::UseDefault;
        assert_eq!(world.load(request).counts.sink_rows, 12, "{format:?}");
        assert_eq!(world.sorted("b")[..2], ["NULL", "x"], "{format:?}");
    }
}

#[test]
pub fn a35_unselected_rows_do_not_enter_the_ratio() {
    let row = |id: i64| vec![json!(id), json!(if id < 10 { "bad" } else { "1" })];
    let rows: Vec<_> = (0..100).map(row).collect();
    for &format in ALL {
        let world = world(vec![column("v", "INT")]);
        let key = format!("a.{}", format.suffix());
        world.put(&key, file(format, &["id int", "v text"], &rows));
        let load = |label: &str, ratio: &str| {
            let mut request = format.request(&world, label, &key);
            request.max_filter_ratio = ratio.to_owned();
            expressions(&mut request, &[], Some("id < 20"));
            world.load(request)
        };
        assert_eq!(load("below", "0.49").exit_code, exit::QUALITY, "{format:?}");
        assert_eq!(world.row_count(), 0, "{format:?}");
        let report = load("equal", "0.5");
        assert_eq!((report.exit_code, counts(&report)), (exit::LOADED, (100, 10, 10, 80)), "{format:?}");
    }
}

#[test]
pub fn a37_strict_mode_does_not_touch_a_computed_column() {
    for &format in ALL {
        let world = world(vec![column("small", "TINYINT"), column("day", "DATE")]);
        let key = format!("a.{}", format.suffix());
        let rows =
            [vec![json!(1), json!("7")], vec![json!(2), json!("nothing")], vec![json!(3), Value::Null]];
        world.put(&key, file(format, &["id int", "raw text"], &rows));
        let mut request = format.request(&world, "load", &key);
        request.sources[0].columns = names(&["id", "raw"]);
        let set = [("small", "CAST(raw AS TINYINT)"), ("day", "str_to_date(raw, '%Y-%m-%d')")];
        expressions(&mut request, &set, None);
        let report = world.load(request);
        assert_eq!(counts(&report), (3, 3, 0, 0), "{format:?} {report:?}");
        assert_eq!(world.sorted("small"), ["7", "NULL", "NULL"], "{format:?}");
        assert_eq!(world.sorted("day"), ["NULL", "NULL", "NULL"], "{format:?}");
    }
}

#[test]
pub fn pseudo_columns_say_where_a_row_comes_from() {
    for &format in ALL {
        let world = world(vec![
            column("file", "STRING"),
            column("number", "BIGINT"),
            column("size", "BIGINT"),
            column("modified", "DATETIME"),
            column("etag", "STRING"),
            column("label", "STRING"),
        ]);
        let key = format!("a.{}", format.suffix());
        let content = ids(format, 0..3);
        world.put(&key, &content);
        let mut request = format.request(&world, "load-7", &key);
        let set = [
            ("file", "_file"),
            ("number", "_file_row"),
            ("size", "_file_size"),
            ("modified", "_file_modified"),
            ("etag", "_file_etag"),
            ("label", "_load_label"),
        ];
        expressions(&mut request, &set, Some("_file_row > 0"));
        let report = world.load(request);
        assert_eq!(counts(&report), (3, 3, 0, 0), "{format:?} {report:?}");
        assert_eq!(world.sorted("file"), vec![format!("s3://{}/{key}", world.bucket); 3]);
        let numbers: Vec<_> = (1..=3).map(|row| format.row_number(row).to_string()).collect();
        assert_eq!(world.sorted("number"), numbers, "{format:?}");
        assert_eq!(world.sorted("size"), vec![content.len().to_string(); 3], "{format:?}");
        assert_eq!(world.sorted("label"), vec!["load-7"; 3], "{format:?}");
        assert!(world.sorted("modified").iter().all(|at| at.starts_with("20")), "{format:?}");
        assert!(world.sorted("etag").iter().all(|etag| etag.len() >= 32), "{format:?}");
    }
}

#[test]
pub fn schema_drift_ignores_refuses_or_adds_columns() {
    for &format in NAMED {
        let load = |drift| {
            let world = world(vec![]);
            world.put(&format!("1.{}", format.suffix()), ids(format, [1]));
            let rows = [vec![json!(2), json!("n")]];
            world.put(&format!("2.{}", format.suffix()), file(format, &["id int", "note text"], &rows));
            let request = LoadRequest { schema_drift: drift, ..format.request(&world, "load", "*") };
            (world.load(request), world)
        };
        let (report, ignoring) = load(SchemaDrift::Ignore);
        assert_eq!(counts(&report), (2, 2, 0, 0), "{format:?} {report:?}");
        assert_eq!(ignoring.table().schema().columns().len(), 1, "{format:?}");
        let (report, refusing) = load(SchemaDrift::Fail);
        assert_eq!(report.reason, "UnexpectedColumn", "{format:?} {report:?}");
        assert!(report.message.contains("note") && refusing.row_count() == 0, "{}", report.message);
        let (report, adding) = load(SchemaDrift::AddColumns);
        assert_eq!(counts(&report), (2, 2, 0, 0), "{format:?} {report:?}");
        assert_eq!(adding.sorted("note"), ["NULL", "n"], "{format:?}");
    }
}

#[test]
pub fn names_that_differ_in_case_only_are_refused() {
    for &format in COLUMNAR {
        let world: World = world(vec![]);
        let key = format!("a.{}", format.suffix());
        world.put(&key, file(format, &["id int", "ID int"], &[vec![json!(1), json!(2)]]));
        let report = world.load(format.request(&world, "load", &key));
        assert_eq!(report.exit_code, exit::SOURCE, "{format:?} {report:?}");
        assert!(report.message.contains(&key), "{}", report.message);
    }
}
