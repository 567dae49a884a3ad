//! CSV files end to end.

use longshore_crds::format::{CsvOptions, Format, OnColumnMismatch, TextCompression};
use longshore_crds::{LoadReport, LoadRequest, Outcome, exit};
use longshore_storage::schema::DefaultValue;

use super::quality::rejected;
use crate::world::{World, column, definition, not_null, with_default};

fn comma() -> CsvOptions {
    CsvOptions { column_separator: ",".to_owned(), ..CsvOptions::default() }
}

fn world() -> World {
    World::with_table(&definition(vec![column("id", "INT"), column("v", "STRING")]))
}

fn request(world: &World, pattern: &str, options: CsvOptions) -> LoadRequest {
    let mut request = world.request("load", pattern);
    request.sources[0].format = Some(Format::Csv(options));
    request
}

fn lenient(mut request: LoadRequest) -> LoadRequest {
    request.max_filter_ratio = "1".to_owned();
    request
}

fn counts(report: &LoadReport) -> (u64, u64, u64) {
    (report.counts.scan_rows, report.counts.sink_rows, report.counts.filtered_rows)
}

#[test]
fn a14_files_without_rows_load_as_none() {
    let world = world();
    world.put("a/1.csv", "id\tv\n");
    world.put("a/2.csv", "");
    world.put("a/3.csv", "id\tv\n1\tx\n");
    world.put("a/4.csv", "id\tv");
    let options = CsvOptions { skip_header: 1, ..CsvOptions::default() };
    let report = world.load(request(&world, "a/*.csv", options.clone()));
    assert_eq!((report.outcome, counts(&report)), (Outcome::Loaded, (1, 1, 0)), "{report:?}");

    let none = self::world();
    none.put("a/1.csv", "id\tv\n");
    none.put("a/2.csv", "");
    none.put("a/3.csv.gz", "");
    let report = none.load(request(&none, "a/*", options.clone()));
    assert_ne!(report.outcome, Outcome::Loaded, "a load without any row fails");
    let mut allowed = request(&none, "a/*", options);
    allowed.label = "allowed".to_owned();
    allowed.allow_empty = true;
    let report = none.load(allowed);
    assert_eq!((report.outcome, counts(&report)), (Outcome::Loaded, (0, 0, 0)), "{report:?}");
}

#[test]
pub fn a15_defaults_are_tab_line_feed_and_backslash_n() {
    let world = world();
    world.put("a.csv", "1\tx\n\\N\t\\N\r\n\ty\n3\t\n");
    let report = world.load(lenient(world.request("load", "a.csv")));
    assert_eq!(counts(&report), (4, 3, 1), "an empty field is no INT: {report:?}");
    assert_eq!(world.sorted("id"), ["1", "3", "NULL"]);
    assert_eq!(world.sorted("v"), ["", "NULL", "x"]);
    let rejected = rejected(&world, &report);
    assert_eq!(
        (rejected[0].row, rejected[0].code.as_str(), rejected[0].column.as_str()),
        (3, "ParseError", "id")
    );
    assert_eq!((rejected[0].byte_offset, rejected[0].raw_record.as_str()), (Some(11), "\ty"));
}

#[test]
pub fn a16_separators_of_several_bytes_and_escapes() {
    for (separator, delimiter, text) in [
        ("||", "\\n", "1||x\n2||y".to_owned()),
        ("\\x01", "\\x02\\n", "1\u{1}x\u{2}\n2\u{1}y".to_owned()),
        (&*"|".repeat(50), "0x0d0a", format!("1{0}x\r\n2{0}y\r\n", "|".repeat(50))),
    ] {
        let world = world();
        world.put("a.csv", text);
        let options = CsvOptions {
            column_separator: separator.to_owned(),
            row_delimiter: delimiter.to_owned(),
            ..CsvOptions::default()
        };
        let report = world.load(request(&world, "a.csv", options));
        assert_eq!(counts(&report), (2, 2, 0), "{separator} {report:?}");
        assert_eq!(world.sorted("v"), ["x", "y"]);
    }
    let world = world();
    world.put("a.csv", "1,x\n");
    let options = CsvOptions { column_separator: "|".repeat(51), ..CsvOptions::default() };
    let report = world.load(request(&world, "a.csv", options));
    assert_eq!(report.exit_code, exit::REQUEST, "{report:?}");
    assert!(report.message.contains("columnSeparator has 51 bytes"), "{}", report.message);
}

#[test]
pub fn a17_enclosure_escape_and_trim() {
    let world = world();
    world.put("a.csv", "1,\"a,b\"\n2,\"c\nd\"\n3,\"e\"\"f\"\n4,\"g\\\"h\"\n5,i\\\"j\n6, \"a \" \n");
    let options = CsvOptions {
        enclose: Some("\"".to_owned()),
        escape: Some("\\".to_owned()),
        trim_space: true,
        ..comma()
    };
    let report = world.load(request(&world, "a.csv", options));
    assert_eq!(counts(&report), (6, 6, 0), "{report:?}");
    assert_eq!(world.sorted("v"), ["a ", "a,b", "c\nd", "e\"f", "g\"h", "i\"j"]);
}

#[test]
pub fn a18_the_header_is_skipped_in_each_file() {
    let world = world();
    for file in 0..3 {
        let lines: String = (0..10).map(|row| format!("{},x\n", file * 10 + row)).collect();
        world.put(&format!("{file}.csv"), lines);
    }
    let report = world.load(request(&world, "*.csv", CsvOptions { skip_header: 1, ..comma() }));
    assert_eq!(counts(&report), (27, 27, 0), "{report:?}");
    let more = self::world();
    more.put("a.csv", "1,x\n");
    more.put("b.csv", "1,x\n\n2,y\n3,z");
    let report = more.load(request(&more, "*.csv", CsvOptions { skip_header: 3, ..comma() }));
    assert_eq!((counts(&report), more.sorted("id")), ((1, 1, 0), vec!["3".to_owned()]), "{report:?}");
}

#[test]
pub fn a19_a_wrong_number_of_fields_is_filtered_and_a_blank_line_is_nothing() {
    let text = "1,a\n2\n\n3,c,d\r\n\r\n4,e\n";
    let world = world();
    world.put("a.csv", text);
    let report = world.load(lenient(request(&world, "a.csv", comma())));
    assert_eq!(counts(&report), (4, 2, 2), "{report:?}");
    let rows: Vec<_> = rejected(&world, &report).into_iter().map(|row| (row.row, row.code)).collect();
    assert_eq!(rows, [(2, "FieldCount".to_owned()), (4, "FieldCount".to_owned())]);

    for (policy, expected) in
        [(OnColumnMismatch::PadWithNull, (4, 3, 1)), (OnColumnMismatch::IgnoreExtra, (4, 3, 1))]
    {
        let world = self::world();
        world.put("a.csv", text);
        let options = CsvOptions { on_column_mismatch: policy, ..comma() };
        let report = world.load(lenient(request(&world, "a.csv", options)));
        assert_eq!(counts(&report), expected, "{policy:?} {report:?}");
    }
    let world = self::world();
    world.put("a.csv", text);
    let options = CsvOptions { on_column_mismatch: OnColumnMismatch::Fail, ..comma() };
    let report = world.load(lenient(request(&world, "a.csv", options)));
    assert_ne!(report.outcome, Outcome::Loaded);
    assert!(report.message.contains("record 2 at byte 4"), "{}", report.message);
    assert_eq!(world.row_count(), 0);
}

#[test]
pub fn a20_invalid_utf8_is_filtered_with_its_line() {
    let world = world();
    world.put("a.csv", b"1,a\n2,\xff\xfe\n3,\xc3\xa9\n".as_slice());
    let report = world.load(lenient(request(&world, "a.csv", comma())));
    assert_eq!(counts(&report), (3, 2, 1), "{report:?}");
    let rejected = rejected(&world, &report);
    assert_eq!((rejected[0].row, rejected[0].code.as_str()), (2, "InvalidUtf8"));
    assert_eq!(report.first_errors[0].row, 2);
    assert_eq!(world.sorted("v"), ["a", "\u{e9}"]);
}

#[test]
fn a22_a_stated_format_is_honoured_whatever_the_suffix() {
    let world = world();
    world.put("x.parquet", "1,a\n2,b\n");
    let report = world.load(request(&world, "x.parquet", comma()));
    assert_eq!(counts(&report), (2, 2, 0), "{report:?}");
    // The codec still follows from the name, unless it is stated too.
    let mut bytes = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut bytes, b"3,c\n").unwrap();
    let bytes = bytes.finish().unwrap();
    world.put("y.parquet.gz", &bytes);
    world.put("y.orc", &bytes);
    for (label, key, compression) in
        [("gz", "y.parquet.gz", TextCompression::Auto), ("orc", "y.orc", TextCompression::Gzip)]
    {
        let mut request = request(&world, key, CsvOptions { compression, ..comma() });
        request.label = label.to_owned();
        let report = world.load(request);
        assert_eq!(counts(&report), (1, 1, 0), "{report:?}");
    }
}

#[test]
fn a22_a_file_of_another_kind_says_what_it_is() {
    let parquet = crate::world::parquet_bytes(&crate::world::batch(vec![(
        "id",
        std::sync::Arc::new(arrow::array::Int32Array::from(vec![1])),
    )]));
    for (key, bytes, format, expected) in [
        ("a.csv", parquet, None, "those of a Parquet file"),
        ("a.parquet", b"1,2\n".to_vec(), None, "its first bytes are text"),
        ("a.csv", b"\x1f\x8b\x08\x00\x00\x00\x00\x00".to_vec(), None, "gzip data"),
        ("a.unknown", b"1,2\n".to_vec(), None, "state one under sources[].format"),
        ("a.csv", b"\xff\xfe1\x00,\x002\x00".to_vec(), Some(comma()), "UTF-16"),
    ] {
        let world = world();
        world.put(key, bytes);
        let mut request = lenient(world.request("load", key));
        request.sources[0].format = format.map(Format::Csv);
        let report = world.load(request);
        assert_ne!(report.outcome, Outcome::Loaded, "{key}");
        assert!(report.message.contains(expected), "{}", report.message);
        assert!(report.message.contains(key), "{}", report.message);
    }
}

#[test]
pub fn a_header_names_the_columns() {
    let columns = vec![
        column("id", "INT"),
        column("v", "STRING"),
        with_default(column("d", "INT"), DefaultValue::Literal("7".to_owned())),
    ];
    let world = World::with_table(&definition(columns));
    world.put("a.csv", "\u{feff}V,extra,\"ID\"\nx,e,1\ny,e,2\n");
    world.put("b.csv", "id,v\n3,z\n");
    world.put("c.csv", "");
    world.put("d.csv", "id,v");
    let options = CsvOptions { header: true, enclose: Some("\"".to_owned()), ..comma() };
    let report = world.load(request(&world, "*.csv", options));
    assert_eq!(counts(&report), (3, 3, 0), "{report:?}");
    assert_eq!(
        (world.sorted("id"), world.sorted("v")),
        (
            vec!["1".to_owned(), "2".to_owned(), "3".to_owned()],
            vec!["x".to_owned(), "y".to_owned(), "z".to_owned()],
        )
    );
    assert_eq!(world.sorted("d"), ["7", "7", "7"]);
}

#[test]
pub fn a_record_above_the_limit_is_filtered_and_the_next_one_loads() {
    let world = world();
    let long = "x".repeat(3 << 20);
    world.put("a.csv", format!("1,a\n2,{long}\n3,c\n4,{}\n5,e\n", &long[..2000]));
    let options = CsvOptions { max_record_bytes: 1024, ..comma() };
    let report = world.load(lenient(request(&world, "a.csv", options)));
    assert_eq!(counts(&report), (5, 3, 2), "{report:?}");
    let rows: Vec<_> = rejected(&world, &report).into_iter().map(|row| (row.row, row.code)).collect();
    assert_eq!(rows.iter().map(|(row, _)| *row).collect::<Vec<_>>(), [2, 4]);
    assert!(rows.iter().all(|(_, code)| code == "RecordTooLong"));
    let whole = self::world();
    whole.put("a.csv", format!("1,{}\n", "y".repeat(20 << 20)));
    let report = whole.load(request(&whole, "a.csv", comma()));
    assert_eq!(counts(&report), (1, 1, 0), "a record of 20 MiB loads: {report:?}");
}

#[test]
fn a_quote_too_many_is_no_silent_loss() {
    let world = world();
    let mut text = "1,a\n2,\"b\n".to_owned();
    text.extend((3..1000).map(|row| format!("{row},x\n")));
    world.put("a.csv", text);
    let options = CsvOptions { enclose: Some("\"".to_owned()), ..comma() };
    let report = world.load(lenient(request(&world, "a.csv", options)));
    assert_ne!(report.outcome, Outcome::Loaded, "{report:?}");
    assert!(report.message.contains("enclosure"), "{}", report.message);
    assert_eq!(world.row_count(), 0);
}

#[test]
fn many_blocks_keep_row_numbers_and_quoted_lines() {
    let world = World::with_table(&definition(vec![not_null(column("id", "INT")), column("v", "STRING")]));
    let mut text = String::new();
    for row in 0..200_000 {
        // Every record takes two lines; one in 50,000 is bad.
        let id = if row % 50_000 == 49_999 { "bad".to_owned() } else { row.to_string() };
        text += &format!("{id},\"line one\nline two, {row}\"\n");
    }
    world.put("a.csv", text);
    let options = CsvOptions { enclose: Some("\"".to_owned()), ..comma() };
    let report = world.load(lenient(request(&world, "a.csv", options)));
    assert_eq!(counts(&report), (200_000, 199_996, 4), "{report:?}");
    let mut lines: Vec<_> = rejected(&world, &report).into_iter().map(|row| row.row).collect();
    lines.sort_unstable();
    assert_eq!(lines, [99_999, 199_999, 299_999, 399_999], "the line on which each record begins");
}

#[test]
fn a27_temporary_names_of_fields_feed_expressions() {
    let world = World::with_table(&definition(vec![
        column("id", "INT"),
        column("v", "STRING"),
        column("day", "DATE"),
        column("source", "STRING"),
    ]));
    world.put("dt=2024-01-02/a.csv", "1,x,10\n2,y,9\n3,z,100\nbad,w,50\n5,q,\n");
    let mut request = request(&world, "*/a.csv", comma());
    let source = &mut request.sources[0];
    source.columns = Some(["id", "name", "amount"].map(str::to_owned).to_vec());
    source.columns_from_path = vec!["dt".to_owned()];
    source.set = [("v", "concat(upper(name), '-', amount)"), ("day", "dt"), ("source", "_file")]
        .map(|(column, text)| (column.to_owned(), text.to_owned()))
        .into();
    // As numbers: as texts 9 would be above 10, and 100 below.
    source.filter = Some("amount >= 10".to_owned());
    let report = world.load(lenient(request));
    assert_eq!(counts(&report), (5, 2, 1), "{report:?}");
    assert_eq!(report.counts.unselected_rows, 2, "{report:?}");
    assert_eq!(world.sorted("id"), ["1", "3"]);
    assert_eq!(world.sorted("v"), ["X-10", "Z-100"]);
    assert_eq!(world.sorted("day"), ["2024-01-02", "2024-01-02"]);
    assert!(world.sorted("source").iter().all(|file| file.ends_with("dt=2024-01-02/a.csv")));
    assert_eq!((rejected(&world, &report)[0].row, rejected(&world, &report)[0].column.as_str()), (4, "id"));
}
