//! JSON files end to end.

use longshore_crds::format::{Format, JsonOptions};
use longshore_crds::{LoadReport, LoadRequest, exit};
use longshore_storage::schema::DefaultValue;

use super::quality::rejected;
use crate::world::{World, column, definition, not_null, with_default};

fn world() -> World {
    World::with_table(&definition(vec![column("id", "INT"), column("v", "STRING")]))
}

fn request(world: &World, pattern: &str, options: JsonOptions) -> LoadRequest {
    let mut request = world.request("load", pattern);
    request.sources[0].format = Some(Format::Json(options));
    request.max_filter_ratio = "1".to_owned();
    request
}

fn counts(report: &LoadReport) -> (u64, u64, u64) {
    (report.counts.scan_rows, report.counts.sink_rows, report.counts.filtered_rows)
}

#[test]
pub fn a23_lines_and_one_array_give_the_same_rows() {
    let rows: Vec<String> = (0..5_000).map(|row| format!("{{\"id\":{row},\"v\":\"text {row}\"}}")).collect();
    let strip = JsonOptions { strip_outer_array: true, ..JsonOptions::default() };
    let lines = world();
    lines.put("a.json", rows.join("\n"));
    assert_eq!(counts(&lines.load(lines.request("load", "a.json"))), (5_000, 5_000, 0));
    for text in [format!("[{}]", rows.join(",")), format!("[\n{}\n]\n", rows.join(",\n")), rows.join("")] {
        let world = world();
        world.put("a.json", text);
        let report = world.load(request(&world, "a.json", strip.clone()));
        assert_eq!(counts(&report), (5_000, 5_000, 0), "{report:?}");
        assert_eq!((world.sorted("id"), world.sorted("v")), (lines.sorted("id"), lines.sorted("v")));
    }
    let world = world();
    world.put("a.json", format!("[\n{}]", rows[..3].join(",\n")));
    let report = world.load(request(&world, "a.json", JsonOptions::default()));
    assert!(report.message.contains("stripOuterArray"), "{}", report.message);
}

#[test]
pub fn a24_keys_defaults_and_the_limit_of_json_values() {
    let columns = vec![
        not_null(column("id", "INT")),
        column("Name", "STRING"),
        with_default(column("d", "INT"), DefaultValue::Literal("7".to_owned())),
        column("j", "JSON"),
    ];
    let world = World::with_table(&definition(columns));
    let long = "x".repeat((16 << 20) + 1);
    let text = format!(
        "{{\"id\":1,\"name\":\"a\",\"unknown\":[{{}}]}}\n{{\"id\":2,\"Name\":\"b\",\"d\":null,\"j\":{{\"a\": 1}}}}\n\
         {{\"Name\":\"c\"}}\n{{\"id\":4,\"j\":\"{long}\"}}\n"
    );
    world.put("a.ndjson", text);
    let report = world.load(request(&world, "a.ndjson", JsonOptions::default()));
    assert_eq!(counts(&report), (4, 2, 2), "{report:?}");
    assert_eq!(world.sorted("Name"), ["NULL", "b"], "the case of a key counts");
    assert_eq!(world.sorted("d"), ["7", "NULL"], "a missing key is the default, null is NULL");
    assert_eq!(world.sorted("j"), ["NULL", "{\"a\": 1}"]);
    let mut codes: Vec<_> = rejected(&world, &report).into_iter().map(|row| (row.row, row.code)).collect();
    codes.sort();
    assert_eq!(codes, [(3, "NullInNotNull".to_owned()), (4, "TooLong".to_owned())]);
}

#[test]
pub fn a25_outer_array_root_and_paths_nest_in_that_order() {
    let options = JsonOptions {
        strip_outer_array: true,
        json_root: Some("$.data".to_owned()),
        json_paths: vec!["$.key.id".to_owned(), "$.values[1]".to_owned()],
        ..JsonOptions::default()
    };
    let text = "[{\"data\":{\"key\":{\"id\":1},\"values\":[\"a\",\"b\"]}},\n{\"data\":{\"key\":{\"id\":2},\"values\":[]}}]";
    let world = world();
    world.put("a.json", text);
    let mut load = request(&world, "a.json", options.clone());
    load.sources[0].columns = Some(vec!["id".to_owned(), "v".to_owned()]);
    let report = world.load(load);
    assert_eq!(counts(&report), (2, 2, 0), "{report:?}");
    assert_eq!(
        (world.sorted("id"), world.sorted("v")),
        (vec!["1".to_owned(), "2".to_owned()], vec!["NULL".to_owned(), "b".to_owned()])
    );
    let mut unnamed = request(&world, "a.json", options);
    unnamed.label = "unnamed".to_owned();
    let report = world.load(unnamed);
    assert_eq!(report.exit_code, exit::REQUEST, "{report:?}");
    assert!(report.message.contains("jsonPaths has 2 paths"), "{}", report.message);
}

#[test]
pub fn a26_a_malformed_line_is_filtered_alone() {
    let text = "{\"id\":1}\n{\"id\":2\n{\"id\":3}\nnonsense\n{\"id\":5}\n";
    let world = world();
    world.put("a.json", text);
    let report = world.load(request(&world, "a.json", JsonOptions::default()));
    assert_eq!(counts(&report), (5, 3, 2), "{report:?}");
    let lines: Vec<_> =
        rejected(&world, &report).into_iter().map(|row| (row.row, row.byte_offset, row.code)).collect();
    assert_eq!(lines, [(2, Some(9), "InvalidJson".to_owned()), (4, Some(26), "InvalidJson".to_owned())]);
    let strict = self::world();
    strict.put("a.json", text);
    let report = strict.load(strict.request("load", "a.json"));
    assert_eq!((report.reason.as_str(), strict.row_count()), ("DataQuality", 0));
}

#[test]
fn numbers_and_nested_values_arrive_without_loss() {
    let columns = vec![
        column("id", "BIGINT"),
        column("big", "LARGEINT"),
        column("money", "DECIMAL(38,10)"),
        column("real", "DOUBLE"),
        column("day", "DATETIME"),
        column("flag", "BOOLEAN"),
        column("list", "ARRAY<INT>"),
        column("map", "MAP<STRING,BIGINT>"),
        column("st", "STRUCT<x INT,y ARRAY<STRING>>"),
    ];
    let world = World::with_table(&definition(columns));
    world.put(
        "a.jsonl",
        "{\"id\":9007199254740993,\"big\":12345678901234567890123456789012345678,\
         \"money\":1234567890123456789012345678.0123456789,\"real\":1.5e3,\"day\":\"2024-02-29 12:00:00\",\
         \"flag\":true,\"list\":[1,null,3],\"map\":{\"a\":1},\"st\":{\"x\":5,\"y\":[\"p\",\"q\"]}}\n\
         {\"id\":2.0,\"list\":\"no list\"}\n{\"id\":\"3\",\"list\":[\"x\"]}\n{\"id\":4,\"list\":[]}",
    );
    let report = world.load(request(&world, "a.jsonl", JsonOptions::default()));
    assert_eq!(counts(&report), (4, 2, 2), "{report:?}");
    assert_eq!(world.sorted("id"), ["4", "9007199254740993"]);
    assert_eq!(world.sorted("big"), ["12345678901234567890123456789012345678", "NULL"]);
    assert_eq!(world.sorted("money"), ["1234567890123456789012345678.0123456789", "NULL"]);
    assert_eq!(world.sorted("real"), ["1500.0", "NULL"]);
    assert_eq!(world.sorted("flag"), ["NULL", "true"]);
    assert_eq!(world.sorted("list"), ["[1, NULL, 3]", "[]"]);
    assert_eq!(world.sorted("map"), ["NULL", "{a: 1}"]);
    assert_eq!(world.sorted("st"), ["NULL", "{x: 5, y: [p, q]}"]);
}

#[test]
fn keys_that_only_expressions_name_are_read() {
    let columns = vec![column("id", "INT"), column("name", "STRING"), column("city", "STRING")];
    let world = World::with_table(&definition(columns));
    world.put(
        "a.json",
        concat!(
            r#"{"id": 1, "First": "a", "last": "b", "address": {"city": "x"}, "kind": "k"}"#,
            "\n",
            r#"{"id": 2, "First": "c", "last": "d", "address": null, "kind": "other"}"#,
            "\n",
            r#"{"id": 3, "last": "f", "kind": "k"}"#,
        ),
    );
    let expressions = |columns: Option<&[&str]>| {
        let mut request = request(&world, "a.json", JsonOptions::default());
        request.label = format!("load-{}", columns.is_some());
        request.max_filter_ratio = "0".to_owned();
        let source = &mut request.sources[0];
        source.columns = columns.map(|names| names.iter().map(|name| (*name).to_owned()).collect());
        source.set = [
            ("name".to_owned(), "concat_ws(' ', First, `last`)".to_owned()),
            ("city".to_owned(), "get_json_string(address, '$.city')".to_owned()),
        ]
        .into();
        source.filter = Some("kind = 'k'".to_owned());
        request
    };
    for columns in [None, Some(&["id"][..])] {
        let report = world.load(expressions(columns));
        assert_eq!(counts(&report), (3, 2, 0), "{report:?}");
        assert_eq!(report.counts.unselected_rows, 1, "{report:?}");
    }
    assert_eq!(world.sorted("id"), ["1", "1", "3", "3"]);
    assert_eq!(world.sorted("name"), ["a b", "a b", "f", "f"]);
    assert_eq!(world.sorted("city"), ["NULL", "NULL", "x", "x"]);
    // With paths each name stands in `columns`: others are no columns.
    let mut paths = expressions(Some(&["id"]));
    paths.label = "paths".to_owned();
    paths.sources[0].format =
        Some(Format::Json(JsonOptions { json_paths: vec!["$.id".to_owned()], ..JsonOptions::default() }));
    let report = world.load(paths);
    assert_eq!(report.exit_code, exit::REQUEST, "{report:?}");
    assert!(report.message.contains("there is no column"), "{}", report.message);
}
