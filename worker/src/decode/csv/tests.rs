//! The tokenizers against each other and against a splitter that is plainly right.

use arrow::array::{Array, AsArray};
use proptest::prelude::*;

use super::columns::text_column;
use super::dialect::Dialect;
use super::split::splitter;
use super::tokens::{Fault, Mismatch, Shape, Tokens, tokenize};

pub(super) type Row = Vec<Option<String>>;

fn dialect(separator: &str, delimiter: &str, enclose: Option<u8>, escape: Option<u8>) -> Dialect {
    Dialect {
        separator: separator.as_bytes().to_vec(),
        delimiter: delimiter.as_bytes().to_vec(),
        enclose,
        escape,
        ..Dialect::default()
    }
}

fn shape(expected: usize) -> Shape {
    Shape { expected, mismatch: Mismatch::Filter }
}

/// The rows of tokens as text.
fn rows(bytes: &[u8], tokens: &Tokens, width: usize, dialect: &Dialect) -> Vec<Row> {
    let columns: Vec<_> = (0..width)
        .map(|column| text_column(bytes, tokens, (column, width), 0..tokens.rows.len(), dialect).unwrap())
        .collect();
    (0..tokens.rows.len())
        .map(|row| {
            let value = |column: &arrow::array::ArrayRef| {
                let text = column.as_string::<i32>();
                text.is_valid(row).then(|| text.value(row).to_owned())
            };
            columns.iter().map(value).collect()
        })
        .collect()
}

fn parse(text: &[u8], width: usize, dialect: &Dialect) -> (Vec<Row>, Vec<Fault>) {
    let tokens = tokenize(text, dialect, shape(width));
    (rows(text, &tokens, width, dialect), tokens.faults.iter().map(|(_, fault)| *fault).collect())
}

fn row(values: &[&str]) -> Row {
    values.iter().map(|value| (*value != "NULL").then(|| (*value).to_owned())).collect()
}

#[test]
fn a15_defaults() {
    let (rows, faults) = parse(b"1\t\\N\t\n2\tx\ty\r\n\r\n\n3\t\t\\N", 3, &Dialect::default());
    assert_eq!(rows, [row(&["1", "NULL", ""]), row(&["2", "x", "y"]), row(&["3", "", "NULL"])]);
    assert_eq!(faults, []);
}

#[test]
fn a17_enclosure_escape_and_trim() {
    let mut plain = dialect(",", "\n", Some(b'"'), None);
    let text = b"\"a,b\",\"c\nd\",\"e\"\"f\"\n\"\\N\",x\"y,\"p\"q\n";
    let expected = [row(&["a,b", "c\nd", "e\"f"]), row(&["\\N", "x\"y", "pq"])];
    assert_eq!(parse(text, 3, &plain).0, expected);
    plain.trim = true;
    let text = b" \"a \" ,\t b c , \\N \r\n\" x\"y ,,\n";
    assert_eq!(parse(text, 3, &plain).0, [row(&["a ", "b c", "NULL"]), row(&[" xy ", "", ""])]);
    let escaped = dialect(",", "\n", Some(b'"'), Some(b'\\'));
    let text = b"\"a\\\"b\",\\\"c,d\\,e\n\"\\\\\",\\N,\"\\N\"\n";
    assert_eq!(parse(text, 3, &escaped).0, [row(&["a\"b", "\"c", "d,e"]), row(&["\\", "NULL", "N"])]);
}

#[test]
fn a16_separators_of_several_bytes() {
    let wide = dialect("||", "<>\n", Some(b'"'), None);
    let text = b"a||b|c||\"d||<>\n\"<>\n1||2||3";
    assert_eq!(parse(text, 3, &wide).0, [row(&["a", "b|c", "d||<>\n"]), row(&["1", "2", "3"])]);
    let fifty = dialect(&"|".repeat(50), "\n", None, None);
    let text = format!("a{0}b\n{0}\n", "|".repeat(50));
    assert_eq!(parse(text.as_bytes(), 2, &fifty).0, [row(&["a", "b"]), row(&["", ""])]);
    // A record ends where the longer of two that begin alike stands.
    let alike = dialect("|", "|\n", None, None);
    assert_eq!(parse(b"a|b|\nc|d", 2, &alike).0, [row(&["a", "b"]), row(&["c", "d"])]);
}

#[test]
fn a19_counts_of_fields() {
    let mut comma = dialect(",", "\n", None, None);
    let text = b"1,2\n1\n\n1,2,3\n3,4\n";
    let (rows, faults) = parse(text, 2, &comma);
    assert_eq!(rows, [row(&["1", "2"]), row(&["3", "4"])]);
    assert_eq!(faults, [Fault::ColumnCount(1), Fault::ColumnCount(3)]);
    let numbers: Vec<_> = tokenize(text, &comma, shape(2)).rows.iter().map(|row| row.number).collect();
    assert_eq!(numbers, [0, 4]);
    for (mismatch, expected) in [
        (Mismatch::PadWithNull, vec![row(&["1", "2"]), row(&["1", "NULL"]), row(&["3", "4"])]),
        (Mismatch::IgnoreExtra, vec![row(&["1", "2"]), row(&["1", "2"]), row(&["3", "4"])]),
    ] {
        let tokens = tokenize(text, &comma, Shape { expected: 2, mismatch });
        assert_eq!(self::rows(text, &tokens, 2, &comma), expected);
        assert_eq!(tokens.faults.len(), 1);
    }
    comma.max_record_bytes = 3;
    assert_eq!(parse(b"1,2\n1,22\n", 2, &comma), (vec![row(&["1", "2"])], vec![Fault::TooLong]));
}

#[test]
fn a20_bytes_that_are_not_utf8() {
    let comma = dialect(",", "\n", None, None);
    let text = b"a,b\nc,\xff\n\xc3\xa9,d\n";
    assert_eq!(
        parse(text, 2, &comma),
        (vec![row(&["a", "b"]), row(&["\u{e9}", "d"])], vec![Fault::InvalidUtf8])
    );
    let tokens = tokenize(text, &comma, shape(2));
    assert_eq!(tokens.faults[0].0.number, 1);
    // A separator that is no UTF-8 cuts text that is.
    let byte = Dialect { separator: vec![0xa9], ..comma };
    assert_eq!(parse("a\u{e9}".as_bytes(), 2, &byte).1, [Fault::InvalidUtf8]);
    let byte = Dialect { separator: vec![0xfe], ..byte };
    assert_eq!(parse(b"a\xfeb\n", 2, &byte).0, [row(&["a", "b"])]);
}

#[test]
fn an_enclosure_that_does_not_end_is_one_record() {
    for escape in [None, Some(b'\\')] {
        let quoted = dialect(",", "\n", Some(b'"'), escape);
        let (rows, faults) = parse(b"a,b\n\"c,d\ne,f\n", 2, &quoted);
        assert_eq!((rows, faults), (vec![row(&["a", "b"])], vec![Fault::Unclosed]));
    }
}

#[test]
fn lines_are_counted_within_enclosures() {
    let quoted = dialect(",", "\n", Some(b'"'), None);
    let numbers = |text: &[u8], dialect: &Dialect| -> Vec<u32> {
        tokenize(text, dialect, shape(2)).rows.iter().map(|row| row.number).collect()
    };
    let text = b"a,\"b\nc\n\"\nd,e\n\nf,g";
    assert_eq!(numbers(text, &quoted), [0, 3, 5]);
    let general = Dialect { escape: Some(b'\\'), ..quoted.clone() };
    assert_eq!(numbers(text, &general), [0, 3, 5]);
    assert_eq!(splitter(&quoted).count(text), 5);
    assert!(!splitter(&quoted).unfinished());
}

/// All ends of records, by the splitter on the whole text.
fn ends(text: &[u8], dialect: &Dialect) -> Vec<usize> {
    let mut splitter = splitter(dialect);
    let (mut ends, mut at) = (Vec::new(), 0);
    while at < text.len() {
        splitter.begin();
        let Some(end) = splitter.first_end(&text[at..], true) else { break };
        at += end;
        ends.push(at);
    }
    ends
}

fn dialects() -> impl Strategy<Value = Dialect> {
    let separator = prop::sample::select(vec![",", "\t", "||", "|", "ab", "\u{a6}"]);
    let delimiter = prop::sample::select(vec!["\n", "\r\n", ";", "|\n", "xyz"]);
    let enclose = prop::sample::select(vec![None, Some(b'"'), Some(b'\'')]);
    let escape = prop::sample::select(vec![None, Some(b'\\')]);
    (separator, delimiter, enclose, escape, any::<bool>())
        .prop_map(|(s, d, enclose, escape, trim)| Dialect { trim, ..dialect(s, d, enclose, escape) })
}

fn texts() -> impl Strategy<Value = Vec<u8>> {
    let pieces = prop::sample::select(vec![
        ",",
        "\t",
        "||",
        "|",
        "\n",
        "\r\n",
        ";",
        "\"",
        "\"\"",
        "'",
        "\\",
        "a",
        "b",
        "xy",
        "z",
        " ",
        "\u{e9}",
        "\\N",
        "\u{a6}",
        "1",
        "long words, with commas",
        "ab",
    ]);
    let noise = prop::collection::vec(any::<u8>(), 0..3);
    prop::collection::vec(prop_oneof![20 => pieces.prop_map(|p| p.as_bytes().to_vec()), 1 => noise], 0..60)
        .prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(crate::decode::fuzz::config(256))]

    #[test]
    fn fuzz_splitting_at_any_border_gives_the_same_rows(
        text in texts(), dialect in dialects(), steps in prop::collection::vec(1usize..9, 1..20), width in 1usize..4,
    ) {
        let whole = parse(&text, width, &dialect);
        let expected = ends(&text, &dialect);
        // Bytes arrive in steps; blocks are cut whenever a record is whole.
        let mut splitter = splitter(&dialect);
        splitter.begin();
        let (mut start, mut arrived, mut step) = (0, 0, steps.iter().cycle());
        let (mut rows, mut faults, mut found) = (Vec::new(), Vec::new(), Vec::new());
        while start < text.len() {
            arrived = (arrived + step.next().unwrap()).min(text.len());
            let at_end = arrived == text.len();
            if let Some(end) = splitter.last_end(&text[start..arrived], at_end) {
                let block = parse(&text[start..start + end], width, &dialect);
                rows.extend(block.0);
                faults.extend(block.1);
                start += end;
                found.push(start);
                splitter.begin();
            }
        }
        for end in &found {
            prop_assert!(expected.contains(end), "{} is no end of a record: {:?}", end, expected);
        }
        prop_assert_eq!(rows, whole.0);
        prop_assert_eq!(faults, whole.1);
    }

    #[test]
    fn fuzz_a_record_that_is_passed_over_ends_where_it_would(text in texts(), dialect in dialects(), step in 1usize..7) {
        let expected = ends(&text, &dialect);
        let mut splitter = splitter(&dialect);
        splitter.begin();
        let (mut held, mut dropped, mut arrived) = (Vec::new(), 0, 0);
        while let Some(&end) = expected.first() {
            let next = (arrived + step).min(text.len());
            held.extend_from_slice(&text[arrived..next]);
            arrived = next;
            match splitter.first_end(&held, arrived == text.len()) {
                Some(found) => {
                    prop_assert_eq!(dropped + found, end);
                    break;
                }
                None => {
                    let seen = splitter.drop_seen();
                    held.drain(..seen.min(held.len()));
                    dropped += seen;
                }
            }
        }
    }

    #[test]
    fn fuzz_the_fast_ways_give_what_the_general_way_gives(text in texts(), dialect in dialects(), width in 1usize..4) {
        let dialect = Dialect { escape: None, ..dialect };
        let fast = tokenize(&text, &dialect, shape(width));
        // An escape that never occurs sends the text the general way.
        let unused = (1..=255u8).find(|byte| {
            !text.contains(byte) && !dialect.separator.contains(byte) && !dialect.delimiter.contains(byte)
        });
        prop_assume!(unused.is_some());
        let general = Dialect { escape: unused, ..dialect.clone() };
        let slow = tokenize(&text, &general, shape(width));
        prop_assert_eq!(&fast.rows, &slow.rows);
        prop_assert_eq!(&fast.faults, &slow.faults);
        prop_assert_eq!(rows(&text, &fast, width, &dialect), rows(&text, &slow, width, &general));
    }

    #[test]
    fn fuzz_what_is_written_reads_back(
        table in prop::collection::vec(prop::collection::vec(prop::option::of("[a-z,\"\n\\\\ \u{e9}]{0,12}"), 3), 0..20),
    ) {
        let quoted = dialect(",", "\n", Some(b'"'), None);
        let field = |value: &Option<String>| match value {
            Some(value) => format!("\"{}\"", value.replace('"', "\"\"")),
            None => "\\N".to_owned(),
        };
        let text: String = table.iter().map(|row| row.iter().map(field).collect::<Vec<_>>().join(",") + "\n").collect();
        prop_assert_eq!(parse(text.as_bytes(), 3, &quoted), (table, vec![]));
    }
}
