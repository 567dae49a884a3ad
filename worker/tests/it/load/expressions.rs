//! `columns`, `columnsFromPath`, `set` and `where`, end to end.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use longshore_crds::source::OnMissingPathKey;
use longshore_crds::{LoadReport, LoadRequest, exit};

use crate::world::{SERVER, World, batch, column, definition, not_null};

fn longs(values: &[i64]) -> ArrayRef {
    Arc::new(Int64Array::from(values.to_vec()))
}

fn texts(values: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

/// Five columns of text, as a CSV file without types has them.
fn five_fields() -> RecordBatch {
    batch(vec![
        ("id", texts(&["1", "2", "3", "x"])),
        (
            "tmp_time",
            texts(&["01/02/2024 10:11:12", "31/12/2023 00:00:00", "no date", "01/01/2024 00:00:00"]),
        ),
        ("tmp_kind", texts(&["buy", "view", "buy", "view"])),
        ("unused", texts(&["a", "b", "c", "d"])),
        ("more", texts(&["a", "b", "c", "d"])),
    ])
}

fn expressions(request: &mut LoadRequest, set: &[(&str, &str)], condition: Option<&str>) {
    request.sources[0].set =
        set.iter().map(|(target, text)| ((*target).to_owned(), (*text).to_owned())).collect();
    request.sources[0].filter = condition.map(str::to_owned);
}

fn counts(report: &LoadReport) -> (u64, u64, u64, u64) {
    let counts = &report.counts;
    (counts.scan_rows, counts.sink_rows, counts.filtered_rows, counts.unselected_rows)
}

fn asked(world: &World) -> bool {
    SERVER.counters().gets().iter().any(|get| get.bucket == world.bucket)
}

#[test]
fn a27_temporary_names_feed_set_and_where_counts_what_it_leaves_out() {
    let world = World::with_table(&definition(vec![
        column("id", "BIGINT"),
        column("at", "DATETIME"),
        column("kind", "STRING"),
    ]));
    world.put_batch("a.parquet", &five_fields());
    let mut request = world.request("load", "*.parquet");
    request.sources[0].columns = Some(["id", "tmp_time", "tmp_kind"].map(str::to_owned).to_vec());
    expressions(
        &mut request,
        &[("at", "str_to_date(tmp_time, '%d/%m/%Y %H:%i:%s')"), ("KIND", "upper(tmp_kind)")],
        Some("TMP_KIND = 'buy'"),
    );
    let report = world.load(request);
    assert_eq!(report.exit_code, exit::LOADED, "{report:?}");
    // The row whose id is no number is unselected all the same: `where` does not ask for it.
    assert_eq!(counts(&report), (4, 2, 0, 2));
    assert_eq!(world.sorted("id"), ["1", "3"]);
    assert_eq!(world.sorted("kind"), ["BUY", "BUY"]);
    assert_eq!(world.sorted("at"), ["2024-02-01T10:11:12", "NULL"], "a date that cannot be read is NULL");
}

#[test]
fn a28_expressions_are_refused_with_their_place_before_any_request() {
    let world = World::with_table(&definition(vec![column("id", "BIGINT"), column("n", "INT")]));
    world.put_batch("a.parquet", &batch(vec![("id", longs(&[1])), ("n", longs(&[2]))]));
    for (index, (set, condition, named)) in [
        (vec![("nope", "1")], None, "the table has no column nope"),
        (vec![("n", "1 +")], None, "spec.sources[0].set.n, line 1"),
        (vec![("n", "str_to_dtae(n, '%Y')")], None, "did you mean str_to_date?"),
        (vec![("n", "sum(id)")], None, "sum is an aggregate"),
        (vec![("n", "rand()")], None, "not deterministic"),
        (vec![("n", "(SELECT 1)")], None, "subquery"),
        (vec![("n", "1"), ("N", "2")], None, "computed twice"),
        (vec![], Some("1 = 1"), "names no column"),
        (vec![], Some("id >"), "spec.sources[0].where"),
    ]
    .into_iter()
    .enumerate()
    {
        let mut request = world.request(&format!("load-{index}"), "*.parquet");
        expressions(&mut request, &set, condition);
        let report = world.load(request);
        assert_eq!(report.exit_code, exit::REQUEST, "{named}: {report:?}");
        assert!(report.message.contains(named), "{named}: {}", report.message);
    }
    assert!(!asked(&world), "no object was read");
    // What only a file can tell is said when the first is open.
    let mut request = world.request("late", "*.parquet");
    expressions(&mut request, &[("n", "idd + 1")], None);
    let report = world.load(request);
    assert_eq!(report.exit_code, exit::REQUEST, "{report:?}");
    assert!(
        report.message.contains("a.parquet") && report.message.contains("did you mean id?"),
        "{}",
        report.message
    );
    assert_eq!(world.row_count(), 0);
}

#[test]
fn a29_values_of_the_path_feed_columns_and_expressions() {
    let world = World::with_table(&definition(vec![
        column("id", "BIGINT"),
        column("dt", "DATE"),
        column("hour", "STRING"),
    ]));
    for (key, id) in [
        ("p/dt=2024-01-01/h=10%3A30/a.parquet", 1),
        ("p/dt=2024-01-02/h=x/b.parquet", 2),
        ("p/dt=bad/h=y/c.parquet", 3),
    ] {
        world.put_batch(key, &batch(vec![("id", longs(&[id]))]));
    }
    let mut request = world.request("strict", "p/*/*/*.parquet");
    request.sources[0].columns_from_path = vec!["dt".to_owned(), "h".to_owned()];
    expressions(&mut request, &[("hour", "concat(h, '!')")], None);
    request.max_filter_ratio = "0.5".to_owned();
    let report = world.load(request);
    assert_eq!(counts(&report), (3, 2, 1, 0), "{report:?}");
    assert_eq!(world.sorted("dt"), ["2024-01-01", "2024-01-02"]);
    assert_eq!(world.sorted("hour"), ["10:30!", "x!"]);

    let mut request = world.request("where", "p/*/*/*.parquet");
    request.sources[0].columns_from_path = vec!["dt".to_owned(), "h".to_owned()];
    expressions(&mut request, &[("hour", "h")], Some("dt >= '2024-01-02'"));
    request.strict_mode = false;
    let report = world.load(request);
    assert_eq!(counts(&report), (3, 1, 0, 2), "{report:?}");
}

#[test]
fn a29_a_key_that_lacks_a_name_fails_gives_null_or_is_left_out() {
    let world = World::with_table(&definition(vec![column("id", "BIGINT"), column("dt", "DATE")]));
    world.put_batch("p/dt=2024-01-01/a.parquet", &batch(vec![("id", longs(&[1]))]));
    world.put_batch("p/other/b.parquet", &batch(vec![("id", longs(&[2]))]));
    let load = |label: &str, policy| {
        let mut request = world.request(label, "p/*/*.parquet");
        request.sources[0].columns_from_path = vec!["dt".to_owned()];
        request.sources[0].on_missing_path_key = policy;
        world.load(request)
    };
    let report = load("fail", OnMissingPathKey::Fail);
    assert_eq!(report.exit_code, exit::SOURCE, "{report:?}");
    assert!(
        report.message.contains("p/other/b.parquet") && report.message.contains("dt"),
        "{}",
        report.message
    );
    assert_eq!(world.row_count(), 0);
    assert_eq!(load("null", OnMissingPathKey::Null).counts.sink_rows, 2);
    assert_eq!(world.sorted("dt"), ["2024-01-01", "NULL"]);
    let skipped = load("skip", OnMissingPathKey::SkipFile);
    assert_eq!((skipped.counts.sink_rows, skipped.counts.skipped_files), (1, 1), "{skipped:?}");
    assert!(skipped.skipped_files[0].message.contains("p/other/b.parquet"), "{skipped:?}");
    assert_eq!(world.sorted("id"), ["1", "1", "2"]);
}

#[test]
fn a30_uuid_differs_in_each_row_and_now_does_not() {
    let world = World::with_table(&definition(vec![
        column("id", "BIGINT"),
        column("unique_id", "VARCHAR(36)"),
        column("loaded_at", "DATETIME"),
        column("fixed", "INT"),
    ]));
    world.put_batch("a.parquet", &batch(vec![("id", longs(&[1, 2, 3, 4]))]));
    world.put_batch("b.parquet", &batch(vec![("id", longs(&[5, 6]))]));
    let mut request = world.request("load", "*.parquet");
    expressions(&mut request, &[("unique_id", "uuid()"), ("loaded_at", "now()"), ("fixed", "6 * 7")], None);
    let report = world.load(request);
    assert_eq!(report.counts.sink_rows, 6, "{report:?}");
    assert_eq!(world.sorted("unique_id").into_iter().collect::<HashSet<_>>().len(), 6);
    assert_eq!(world.sorted("loaded_at").into_iter().collect::<HashSet<_>>().len(), 1);
    assert_eq!(world.sorted("fixed"), vec!["42"; 6]);
}

#[test]
fn a35_unselected_rows_do_not_enter_the_ratio() {
    let world = World::with_table(&definition(vec![column("id", "BIGINT"), column("kind", "STRING")]));
    let ids: Vec<String> =
        (0..100).map(|row| if row < 10 { "bad".to_owned() } else { row.to_string() }).collect();
    let kinds: Vec<&str> = (0..100).map(|row| if row < 20 { "take" } else { "leave" }).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    world.put_batch("a.parquet", &batch(vec![("id", texts(&ids)), ("kind", texts(&kinds))]));
    let load = |label: &str, ratio: &str| {
        let mut request = world.request(label, "*.parquet");
        request.max_filter_ratio = ratio.to_owned();
        expressions(&mut request, &[], Some("kind = 'take'"));
        world.load(request)
    };
    let report = load("below", "0.49");
    assert_eq!(report.exit_code, exit::QUALITY, "{report:?}");
    assert_eq!(world.row_count(), 0);
    let report = load("equal", "0.5");
    assert_eq!(report.exit_code, exit::LOADED, "{report:?}");
    assert_eq!(counts(&report), (100, 10, 10, 80));
}

#[test]
fn a35_a_row_whose_value_in_where_does_not_fit_is_filtered_in_strict_mode_only() {
    let world = World::with_table(&definition(vec![column("id", "BIGINT"), column("n", "TINYINT")]));
    world.put_batch("a.parquet", &batch(vec![("id", longs(&[1, 2, 3])), ("n", texts(&["5", "abc", "-5"]))]));
    let load = |label: &str, strict| {
        let mut request = world.request(label, "*.parquet");
        request.strict_mode = strict;
        request.max_filter_ratio = "1".to_owned();
        expressions(&mut request, &[], Some("n > 0"));
        world.load(request)
    };
    assert_eq!(counts(&load("strict", true)), (3, 1, 1, 1));
    assert_eq!(counts(&load("lenient", false)), (3, 1, 0, 2), "NULL > 0 is not true");
}

#[test]
fn a37_strict_mode_does_not_touch_a_computed_column() {
    let world = World::with_table(&definition(vec![
        column("id", "BIGINT"),
        column("small", "TINYINT"),
        not_null(column("must", "INT")),
    ]));
    world.put_batch(
        "a.parquet",
        &batch(vec![
            ("id", longs(&[1, 2, 3])),
            ("text", texts(&["7", "abc", "2000"])),
            ("n", texts(&["1", "2", "x"])),
        ]),
    );
    let mut request = world.request("load", "*.parquet");
    request.max_filter_ratio = "0.5".to_owned();
    expressions(&mut request, &[("small", "cast(text AS INT)"), ("must", "n + 0")], None);
    let report = world.load(request);
    // What does not fit is NULL: 'abc' is no INT, 2000 no TINYINT. NULL in NOT NULL still filters.
    assert_eq!(counts(&report), (3, 2, 1, 0), "{report:?}");
    assert_eq!(world.sorted("small"), ["7", "NULL"]);
    assert_eq!(world.sorted("must"), ["1", "2"]);
}

#[test]
fn pseudo_columns_tell_of_the_file_and_the_row() {
    let world = World::with_table(&definition(vec![
        column("id", "BIGINT"),
        column("file", "STRING"),
        column("line", "BIGINT"),
        column("size", "BIGINT"),
        column("etag", "STRING"),
        column("changed", "DATETIME"),
        column("label", "STRING"),
    ]));
    let file = batch(vec![("id", longs(&[10, 20, 30]))]);
    world.put_batch("a.parquet", &file);
    let mut request = world.request("the-label", "*.parquet");
    expressions(
        &mut request,
        &[
            ("file", "_file"),
            ("line", "_file_row"),
            ("size", "_file_size"),
            ("etag", "_file_etag"),
            ("changed", "_file_modified"),
            ("label", "_load_label"),
        ],
        Some("_file_row <> 2 AND _file LIKE '%a.parquet'"),
    );
    let report = world.load(request);
    assert_eq!(counts(&report), (3, 2, 0, 1), "{report:?}");
    assert_eq!(world.sorted("line"), ["1", "3"]);
    assert_eq!(world.sorted("file"), vec![format!("s3://{}/a.parquet", world.bucket); 2]);
    assert_eq!(world.sorted("label"), ["the-label", "the-label"]);
    assert!(world.sorted("size").iter().all(|size| size.parse::<u64>().is_ok_and(|size| size > 0)));
    assert!(world.sorted("etag").iter().chain(&world.sorted("changed")).all(|value| value != "NULL"));
}

#[test]
fn where_sees_the_table_s_values_and_set_those_of_the_file() {
    let world = World::with_table(&definition(vec![column("id", "BIGINT"), column("at", "DATETIME")]));
    world.put_batch(
        "a.parquet",
        &batch(vec![("id", longs(&[1, 2])), ("at", texts(&["31/12/2023", "01/01/2024"]))]),
    );
    let mut request = world.request("load", "*.parquet");
    expressions(&mut request, &[("at", "str_to_date(at, '%d/%m/%Y')")], Some("at >= '2024-01-01'"));
    let report = world.load(request);
    assert_eq!(counts(&report), (2, 1, 0, 1), "{report:?}");
    assert_eq!(world.sorted("at"), ["2024-01-01T00:00:00"]);
}
