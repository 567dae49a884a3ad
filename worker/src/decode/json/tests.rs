//! Documents into rows, and the scanner against serde_json.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::DataType as ArrowType;
use longshore_crds::JsonPath;
use longshore_storage::types::DataType;
use proptest::prelude::*;

use super::block::{Place, Wanted, next_batch};
use super::fault::Fault;
use super::layout::{Layout, layout};
use super::record::{Absent, JsonColumn, Rules};
use super::scan::{MAX_DEPTH, Scanner};
use super::split::BracketSplitter;
use crate::decode::text::{LineSplitter, Splitter};

fn column(name: &str, data_type: &str) -> JsonColumn {
    JsonColumn { name: name.to_owned(), data_type: DataType::parse(data_type).ok(), absent: Absent::Null }
}

fn rules(columns: &[JsonColumn]) -> Rules {
    Rules::new(columns, &[], (false, None, true))
}

/// A value of text, of lists, maps and structs of text.
fn shown(array: &ArrayRef, row: usize) -> String {
    if array.is_null(row) {
        return "NULL".to_owned();
    }
    let all = |array: &ArrayRef| (0..array.len()).map(|item| shown(array, item)).collect::<Vec<_>>();
    match array.data_type() {
        ArrowType::List(_) => format!("[{}]", all(&array.as_list::<i32>().value(row)).join(", ")),
        ArrowType::Map(..) => {
            let entries = array.as_map().value(row);
            let pairs = all(entries.column(0)).into_iter().zip(all(entries.column(1)));
            format!(
                "{{{}}}",
                pairs.map(|(key, value)| format!("{key}: {value}")).collect::<Vec<_>>().join(", ")
            )
        }
        ArrowType::Struct(fields) => {
            let parts = fields.iter().zip(array.as_struct().columns());
            let parts = parts.map(|(field, part)| format!("{}: {}", field.name(), shown(part, row)));
            format!("{{{}}}", parts.collect::<Vec<_>>().join(", "))
        }
        _ => array.as_string::<i32>().value(row).to_owned(),
    }
}

type Rows = Vec<Vec<String>>;

/// Rows as text (NULL as `NULL`), the numbers of their records, and the faults with theirs.
fn parse_block(
    bytes: &[u8],
    rules: &Rules,
    layout: Layout,
    first: bool,
) -> (Rows, Vec<u32>, Vec<(u32, Fault)>) {
    let columns: Vec<usize> = (0..rules.schema.fields().len()).collect();
    let wanted = Wanted { rules, columns: &columns, layout, first, batch_rows: 3, max_record_bytes: 1 << 20 };
    let (mut rows, mut numbers, mut faults) = (Vec::new(), Vec::new(), Vec::new());
    let mut place = Place::default();
    while let Some(parsed) = next_batch(bytes, &wanted, &mut place).unwrap() {
        let row = |row: usize| parsed.columns.iter().map(|column| shown(column, row)).collect();
        rows.extend((0..parsed.rows.len()).map(row));
        numbers.extend(parsed.rows.iter().map(|span| span.number));
        faults.extend(parsed.faults.iter().map(|(span, fault)| (span.number, *fault)));
    }
    (rows, numbers, faults)
}

fn parse(text: &str, rules: &Rules) -> (Rows, Vec<(u32, Fault)>) {
    let (rows, _, faults) = parse_block(text.as_bytes(), rules, layout(text.as_bytes()), true);
    (rows, faults)
}

#[test]
fn a23_lines_documents_and_one_array_give_the_same_rows() {
    let mut rules = rules(&[column("a", "INT"), column("b", "STRING")]);
    rules.strip_outer_array = true;
    let expected = [vec!["1", "x"], vec!["2", "NULL"], vec!["3", "z"]];
    for text in [
        "{\"a\":1,\"b\":\"x\"}\n\n{\"a\":2,\"b\":null}\r\n{\"b\":\"z\",\"a\":3}",
        "{\"a\":1,\"b\":\"x\"}{\"a\":2,\"b\":null} {\"b\":\"z\",\"a\":3}\n",
        "{\n\"a\":1,\n\"b\":\"x\"}\n{\n\"a\":2,\"b\":null}{\"b\":\"z\",\"a\":3}\n",
        "[{\"a\":1,\"b\":\"x\"},{\"a\":2,\"b\":null},{\"b\":\"z\",\"a\":3}]",
        " [\n{\"a\":1,\"b\":\"x\"},\n{\"a\":2,\"b\":null}\n,{\"b\":\"z\",\"a\":3}\n]\n\n",
        "[{\"a\":1,\"b\":\"x\"}]\n[{\"a\":2,\"b\":null},{\"b\":\"z\",\"a\":3}]\n[]\n",
    ] {
        let (rows, faults) = parse(text, &rules);
        assert_eq!(
            (rows, faults),
            (expected.iter().map(|r| r.iter().map(|v| (*v).to_owned()).collect()).collect(), vec![]),
            "{text}"
        );
    }
    assert_eq!(parse("[\n]", &rules), (vec![], vec![]));
}

#[test]
fn a24_keys_are_matched_exactly_and_what_lacks_is_null_or_the_default() {
    let mut columns = [column("a", "INT"), column("B", "STRING"), column("c", "STRING")];
    columns[0].absent = Absent::Text("7".to_owned());
    columns[2].absent = Absent::Uuid;
    let (rows, faults) = parse(
        "{\"x\":[{}],\"b\":1}\n{\"a\":null,\"B\":2,\"\\u0063\":\"k\"}\n{\"a\":1,\"a\":2}",
        &rules(&columns),
    );
    assert_eq!(faults, []);
    assert_eq!(rows[0][..2], ["7", "NULL"]);
    assert_eq!(rows[0][2].len(), 36);
    assert_eq!(rows[1], ["NULL", "2", "k"]);
    assert_eq!(rows[2][0], "2", "of equal keys the last counts");
}

#[test]
fn a25_outer_array_then_root_then_paths() {
    let columns = [column("x", "INT"), column("y", "STRING"), column("all", "JSON")];
    let paths = ["$.p.x", "$.q[1]", "$"].map(|path| JsonPath::parse(path).unwrap());
    let root = JsonPath::parse("$.data").ok();
    let rules = Rules::new(&columns, &paths, (true, root.clone(), true));
    let expected = vec![
        vec!["1".to_owned(), "b".to_owned(), "{\"p\":{\"x\":1},\"q\":[\"a\",\"b\"]}".to_owned()],
        vec!["NULL".to_owned(), "NULL".to_owned(), "{\"q\":[]}".to_owned()],
    ];
    let records = ["{\"p\":{\"x\":1},\"q\":[\"a\",\"b\"]}", "{\"q\":[]}"];
    for text in [
        format!("[{{\"data\":{}}},{{\"data\":{}}}]", records[0], records[1]),
        format!("[\n{{\"data\":{}}},\n{{\"data\":{}}}\n]", records[0], records[1]),
        format!("{{\"data\":[{},{}]}}\n", records[0], records[1]),
        format!("{{\"data\":{}}}\n{{\"data\":{}}}\n", records[0], records[1]),
    ] {
        assert_eq!(parse(&text, &rules), (expected.clone(), vec![]), "{text}");
    }
    let rules = Rules::new(&columns, &paths, (false, root, true));
    let (rows, faults) = parse("{\"data\":[{}]}\n{\"other\":1}\n5\n[{}]\n{\"data\":2}\n", &rules);
    assert_eq!(rows.len(), 0);
    let expected = [Fault::Array, Fault::NoRoot, Fault::NoRoot, Fault::NoRoot, Fault::NotAnObject];
    assert_eq!(faults.iter().map(|(_, fault)| *fault).collect::<Vec<_>>(), expected);
}

#[test]
fn a26_a_malformed_line_is_filtered_alone() {
    let rules = rules(&[column("a", "INT")]);
    for bad in [
        "{\"a\":1",
        "{\"a\":1}}",
        "{\"a\":01}",
        "{\"a\":1,}",
        "{a:1}",
        "{\"a\":\"\u{1}\"}",
        "nonsense",
        "\"a\"",
        "1",
        "{\"a\":\"\\q\"}",
        "{\"a\":\"\\ud800\"}",
        "{\"a\":.5}",
        "{\"a\":1} x",
        "{\"a\":tru}",
        "[{\"a\":1}]",
        "null",
        "{\"b\":[1,2}",
        "{\"b\":{\"c\":}}",
        "{\"a\" 1}",
        "{\"a\":-}",
        "{\"a\":1e}",
    ] {
        let text = format!("{{\"a\":1}}\n{bad}\n{{\"a\":3}}\n");
        let (rows, faults) = parse(&text, &rules);
        assert_eq!(faults.len(), 1, "{bad}");
        assert_eq!(faults[0].0, 1, "{bad}");
        assert_eq!(
            (rows.first(), rows.last()),
            (Some(&vec!["1".to_owned()]), Some(&vec!["3".to_owned()])),
            "{bad}"
        );
    }
    let (rows, _, faults) =
        parse_block(b"{\"a\":1}\n{\"a\":\"\xff\"}\n{\"a\":2}", &rules, Layout::Lines, true);
    assert_eq!((rows.len(), faults), (2, vec![(1, Fault::InvalidUtf8)]));
}

#[test]
fn in_an_array_a_malformed_element_is_filtered_alone() {
    let mut rules = rules(&[column("a", "INT")]);
    rules.strip_outer_array = true;
    let (rows, faults) = parse("[\n{\"a\":1},\n{\"a\":nope},\n5,\n{\"a\":4}\n]", &rules);
    assert_eq!(rows, [["1"], ["4"]]);
    assert_eq!(faults.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn numbers_keep_their_digits() {
    let rules = rules(&[
        column("i", "BIGINT"),
        column("d", "DECIMAL(38,10)"),
        column("s", "STRING"),
        column("j", "JSON"),
    ]);
    let text = "{\"i\":9007199254740993,\"d\":12345678901234567890.0123456789,\"s\":1.10e+2,\"j\":1.00}\n\
                {\"i\":1.5e1,\"d\":true,\"s\":false,\"j\":\"x\\n\"}\n{\"i\":true,\"s\":{\"k\": [1, 2]},\"j\":[ 1 ]}";
    assert_eq!(
        parse(text, &rules),
        (
            [
                ["9007199254740993", "12345678901234567890.0123456789", "1.10e+2", "1.00"],
                ["15", "1", "false", "\"x\\n\""],
                ["1", "NULL", "{\"k\": [1, 2]}", "[ 1 ]"],
            ]
            .iter()
            .map(|row| row.iter().map(|v| (*v).to_owned()).collect())
            .collect(),
            vec![]
        )
    );
}

#[test]
fn strings_mean_what_rfc_8259_says() {
    let rules = rules(&[column("s", "STRING")]);
    let text = r#"{"s":"a\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00\u0000z"}"#;
    assert_eq!(parse(text, &rules).0, [["a\"\\/\u{8}\u{c}\n\r\t\u{e9}\u{1f600}\u{0}z"]]);
}

#[test]
fn nested_values_take_the_shape_of_their_column() {
    let columns = [
        column("l", "ARRAY<INT>"),
        column("m", "MAP<STRING,DOUBLE>"),
        column("t", "STRUCT<x INT,y ARRAY<STRING>>"),
    ];
    let text = "{\"l\":[1,null,2.0],\"m\":{\"a\":1,\"b\":null,\"a\":3},\"t\":{\"y\":[\"p\"],\"x\":4,\"z\":0}}\n\
                {\"l\":[],\"m\":{},\"t\":{}}\n{\"l\":null}\n{\"l\":5}\n{\"t\":{\"y\":[[]]}}\n{\"t\":{\"y\":3}}";
    let (rows, faults) = parse(text, &rules(&columns));
    assert_eq!(rows[0], ["[1, NULL, 2]", "{a: 3, b: NULL}", "{x: 4, y: [p]}"]);
    assert_eq!(rows[1], ["[]", "{}", "{x: NULL, y: NULL}"]);
    assert_eq!(rows[2], ["NULL", "NULL", "NULL"]);
    assert_eq!(rows.len(), 4, "an array is text in a list of text");
    assert_eq!(faults, [(3, Fault::Mismatch(0)), (5, Fault::Mismatch(2))]);
    let lax = Rules::new(&columns, &[], (false, None, false));
    let (rows, faults) = parse(text, &lax);
    assert_eq!((rows.len(), faults.len()), (6, 0));
    assert_eq!(rows[3], ["NULL", "NULL", "NULL"]);
}

#[test]
fn nesting_has_a_limit() {
    let rules = rules(&[column("a", "JSON")]);
    let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(parse(&nested(MAX_DEPTH - 1), &rules).0.len(), 1);
    assert_eq!(parse(&nested(MAX_DEPTH), &rules).1, [(0, Fault::TooDeep)]);
    assert_eq!(parse(&nested(400_000), &rules).1, [(0, Fault::TooDeep)]);
}

fn documents() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,5})?([eE][+-]?[0-9]{1,3})?",
        "[a-z{}\\[\\],:\u{e9}]{0,12}".prop_map(|text| format!("\"{text}\"")),
        Just("\"\\\"\\\\\\n\\u00e9\"".to_owned()),
    ];
    let value = leaf.prop_recursive(4, 24, 4, |inner| {
        let pair = ("[a-d]", inner.clone()).prop_map(|(key, value)| format!("\"{key}\" : {value}"));
        prop_oneof![
            prop::collection::vec(inner, 0..4).prop_map(|items| format!("[{}]", items.join(" ,\n"))),
            prop::collection::vec(pair, 0..4).prop_map(|pairs| format!("{{{}}}", pairs.join(","))),
        ]
    });
    prop::collection::vec(("[a-d]", value), 0..4).prop_map(|pairs| {
        let pairs: Vec<String> = pairs.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
        format!("{{{}}}", pairs.join(","))
    })
}

/// Text that is nearly JSON.
fn noise() -> impl Strategy<Value = Vec<u8>> {
    let pieces = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        "\"",
        "\\",
        ":",
        ",",
        "\n",
        " ",
        "\"a\"",
        "1",
        "-",
        "e5",
        "true",
        "null",
        "\\u",
        "d800",
        "{\"a\":1}",
        "\u{e9}",
        ".",
        "[{}]",
    ]);
    let bytes = prop::collection::vec(any::<u8>(), 0..3);
    prop::collection::vec(prop_oneof![20 => pieces.prop_map(|p| p.as_bytes().to_vec()), 1 => bytes], 0..40)
        .prop_map(|pieces| pieces.concat())
}

fn cut_in_blocks(text: &[u8], splitter: &mut dyn Splitter, steps: &[usize]) -> Vec<(Vec<u8>, u64)> {
    let mut blocks = Vec::new();
    splitter.begin();
    let (mut start, mut arrived, mut number, mut step) = (0, 0, 0, steps.iter().cycle());
    while start < text.len() {
        arrived = (arrived + step.next().unwrap()).min(text.len());
        if let Some(end) = splitter.last_end(&text[start..arrived], arrived == text.len()) {
            let block = text[start..start + end].to_vec();
            let numbers = splitter.count(&block);
            blocks.push((block, number));
            number += numbers;
            start += end;
            splitter.begin();
        }
    }
    blocks
}

proptest! {
    #![proptest_config(crate::decode::fuzz::config(256))]

    #[test]
    fn fuzz_the_scanner_takes_what_serde_json_takes(text in prop_oneof![noise(), documents().prop_map(String::into_bytes)]) {
        let Ok(text) = std::str::from_utf8(&text) else { return Ok(()) };
        let mut scanner = Scanner::new(text.as_bytes(), 0);
        scanner.skip_blanks();
        let ours = scanner.value(0).is_ok() && { scanner.skip_blanks(); scanner.at == text.len() };
        let theirs = serde_json::from_str::<&serde_json::value::RawValue>(text).is_ok();
        // It does not look whether two halves of a character belong together.
        prop_assert!(ours == theirs || (theirs && text.contains("\\u")), "{:?}: {} {}", text, ours, theirs);
    }

    #[test]
    fn fuzz_cutting_at_any_border_gives_the_same_rows(
        parts in prop::collection::vec(prop_oneof![4 => documents(), 1 => noise().prop_map(|n| String::from_utf8_lossy(&n).into_owned())], 0..8),
        steps in prop::collection::vec(1usize..40, 1..10), array in any::<bool>(), separator in prop::sample::select(vec!["\n", " \r\n", "\n\n"]),
    ) {
        let text = if array { format!("[\n{}]", parts.join(",")) } else { parts.join(separator) };
        let mut rules = rules(&[column("a", "STRING"), column("b", "JSON")]);
        rules.strip_outer_array = true;
        let layout = layout(text.as_bytes());
        let (rows, numbers, faults) = parse_block(text.as_bytes(), &rules, layout, true);
        let mut lines = LineSplitter::new(b'\n');
        let mut brackets = BracketSplitter::new(layout == Layout::Elements);
        let splitter: &mut dyn Splitter = if layout == Layout::Lines { &mut lines } else { &mut brackets };
        let (mut rows_cut, mut numbers_cut, mut faults_cut) = (Vec::new(), Vec::new(), Vec::new());
        for (index, (block, number)) in cut_in_blocks(text.as_bytes(), splitter, &steps).into_iter().enumerate() {
            let (rows, numbers, faults) = parse_block(&block, &rules, layout, index == 0);
            rows_cut.extend(rows);
            let number = u32::try_from(number).unwrap();
            numbers_cut.extend(numbers.iter().map(|n| n + number));
            faults_cut.extend(faults.iter().map(|(n, fault)| (n + number, fault.code())));
        }
        prop_assert_eq!(&rows, &rows_cut);
        prop_assert_eq!(&numbers, &numbers_cut);
        let faults: Vec<_> = faults.iter().map(|(number, fault)| (*number, fault.code())).collect();
        prop_assert_eq!(faults, faults_cut);
    }

    #[test]
    fn fuzz_paths_do_not_panic(path in "[$.a\\[\\]\"'0-9*\u{e9}]{0,12}") {
        JsonPath::parse(&path).ok();
    }
}
