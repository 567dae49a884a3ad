//! The table of `docs/formats.md`: an option, the formats it was tried with, and the test that does it. An
//! entry names a function, so that none outlives its test.

use std::fmt::Write;
use std::path::Path;

use super::{ALL, COLUMNAR, FileFormat, NAMED, TEXT, columns, damage, quality, runs, text};
use crate::load::{csv, json};

/// What a test shows.
struct Shown {
    option: &'static str,
    formats: &'static [FileFormat],
    test: &'static str,
    _is_a_test: fn(),
}

macro_rules! shown {
    ($($option:literal, $formats:expr, $module:ident::$test:ident;)*) => {
        &[$(Shown {
            option: $option,
            formats: $formats,
            test: stringify!($test),
            _is_a_test: $module::$test,
        }),*]
    };
}

const CSV: &[FileFormat] = &[FileFormat::Csv];
const JSON: &[FileFormat] = &[FileFormat::Json];

const SHOWN: &[Shown] = shown! {
    "`format`, whatever the suffix", ALL, damage::a22_a_stated_format_is_honoured_whatever_the_suffix;
    "a file of another kind is refused by what it is", ALL, damage::a22_a_file_of_another_kind_says_what_it_is;
    "files without rows", ALL, damage::a14_files_without_rows_among_others_give_none;
    "a cut file fails the load (text: a cut stream)", ALL, damage::a21_a_cut_file_fails_the_load_or_is_skipped_whole;
    "`onFileError: SkipFile`", ALL, damage::a21_a_cut_file_fails_the_load_or_is_skipped_whole;
    "columns by name, others ignored", ALL, columns::a31_columns_match_by_name_in_any_order;
    "`onMissingColumn`, file by file", NAMED, columns::a31_what_a_file_lacks_is_decided_for_each_file;
    "a column that is missing: default, NULL, `uuid()`", ALL, columns::a30_literals_and_null_fill_what_a_file_lacks;
    "names that differ in case only are refused", COLUMNAR, columns::names_that_differ_in_case_only_are_refused;
    "`schemaDrift`", NAMED, columns::schema_drift_ignores_refuses_or_adds_columns;
    "`columns` with temporary names, `set`, `where`", ALL, columns::a27_temporary_names_feed_set_and_where_counts_what_it_leaves_out;
    "`set`: NULL of an expression is no error", ALL, columns::a37_strict_mode_does_not_touch_a_computed_column;
    "columns and expressions are checked first", ALL, columns::a28_what_cannot_work_is_refused_before_any_request;
    "`columnsFromPath`", ALL, columns::a29_values_of_the_path_feed_columns_and_expressions;
    "`onMissingPathKey`", ALL, columns::a29_a_key_that_lacks_a_name_fails_gives_null_or_is_left_out;
    "`_file`, `_file_row` and their kin", ALL, columns::pseudo_columns_say_where_a_row_comes_from;
    "`strictMode`", ALL, quality::a32_strict_mode_filters_what_lax_mode_makes_null;
    "numbers out of range", ALL, quality::a32_numbers_out_of_range_are_filtered_by_name_or_null;
    "NOT NULL", ALL, quality::a33_not_null_filters_in_both_modes;
    "NOT NULL in dictionaries", ALL, quality::a38_not_null_holds_for_dictionary_encoded_columns;
    "length in bytes", ALL, quality::a36_the_length_of_varchar_counts_bytes;
    "`maxFilterRatio`", ALL, quality::a34_the_ratio_is_exact_and_equality_passes;
    "`maxFilterRatio` with `where`", ALL, columns::a35_unselected_rows_do_not_enter_the_ratio;
    "read = loaded + filtered + unselected", ALL, quality::a39_read_is_loaded_plus_filtered_for_each_file_and_the_load;
    "`rejectedRecords`", ALL, quality::a40_rejected_rows_are_kept_up_to_a_limit_in_total;
    "`dryRun`", ALL, runs::a_dry_run_counts_what_the_load_counts;
    "`manifest`", ALL, runs::a_manifest_names_the_files;
    "`mode: Overwrite`", ALL, runs::an_overwrite_replaces_what_was_there;
    "partitions", ALL, runs::rows_go_to_their_partitions;
    "several tasks", ALL, runs::two_tasks_and_many_files_give_every_row_once;
    "`compression`", TEXT, text::a21_every_codec_gives_the_rows_of_the_plain_file;
    "`columnSeparator`, `rowDelimiter`", CSV, csv::a16_separators_of_several_bytes_and_escapes;
    "`nullValue`", CSV, csv::a15_defaults_are_tab_line_feed_and_backslash_n;
    "`enclose`, `escape`, `trimSpace`", CSV, csv::a17_enclosure_escape_and_trim;
    "`skipHeader`", CSV, csv::a18_the_header_is_skipped_in_each_file;
    "`header`", CSV, csv::a_header_names_the_columns;
    "`onColumnMismatch`", CSV, csv::a19_a_wrong_number_of_fields_is_filtered_and_a_blank_line_is_nothing;
    "`maxRecordBytes`", CSV, csv::a_record_above_the_limit_is_filtered_and_the_next_one_loads;
    "text that is not UTF-8 is filtered", CSV, csv::a20_invalid_utf8_is_filtered_with_its_line;
    "`stripOuterArray`", JSON, json::a23_lines_and_one_array_give_the_same_rows;
    "`jsonRoot`, `jsonPaths`", JSON, json::a25_outer_array_root_and_paths_nest_in_that_order;
    "a malformed line is filtered alone", JSON, json::a26_a_malformed_line_is_filtered_alone;
    "keys by case, JSON values up to 16 MiB", JSON, json::a24_keys_defaults_and_the_limit_of_json_values;
};

const BEGIN: &str = "<!-- table: begin -->\n";
const END: &str = "<!-- table: end -->\n";

fn table() -> String {
    let mut text = String::from(
        "| option or behaviour | Parquet | ORC | CSV | JSON | Avro | test |\n|---|---|---|---|---|---|---|\n",
    );
    for shown in SHOWN {
        let mark = |format| if shown.formats.contains(format) { "yes" } else { "–" };
        let marks: Vec<&str> = ALL.iter().map(mark).collect();
        writeln!(text, "| {} | {} | `{}` |", shown.option, marks.join(" | "), shown.test).unwrap();
    }
    text
}

#[test]
fn the_table_of_the_documentation_is_that_of_the_tests() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/formats.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(BEGIN).expect("docs/formats.md has a place for the table");
    let (stands, after) = rest.split_once(END).expect("the table of docs/formats.md has an end");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, format!("{before}{BEGIN}{}{END}{after}", table())).unwrap();
        return;
    }
    assert_eq!(stands, table(), "run this test with UPDATE_DOCS=1 and commit docs/formats.md");
}
