//! Expressions over columns: what is taken, what is refused, and where the message points.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, DictionaryArray, Int32Array, Int64Array, StringArray};
use arrow::datatypes::{DataType, Int32Type, Int64Type};
use proptest::prelude::*;

use crate::{Column, Compiler, ExpressionError, Problem, check_text, zone::Zone};

fn compiler() -> Compiler {
    let columns = vec![
        Column::new("UserID", DataType::Int32),
        Column::new("Timestamp", DataType::Utf8),
        Column::new("day", DataType::Date32),
        Column::new("at", crate::types::DATETIME),
        Column::new("price", DataType::Decimal128(10, 2)),
        Column::new("flag", DataType::Boolean),
        Column::new("two words", DataType::Utf8),
        Column::new("tags", DataType::new_list(DataType::Utf8, true)),
        Column::constant("dt", Arc::new(StringArray::from(vec!["2024-01-01"]))),
    ];
    Compiler::new(columns, Zone::UTC, 0)
}

fn refused(text: &str) -> ExpressionError {
    compiler().compile("sources[0].set.x", text).map(|_| ()).unwrap_err()
}

/// The condition over rows of one text column `t`.
fn selected(condition: &str, texts: &[Option<&str>]) -> Vec<bool> {
    let compiler = Compiler::new(vec![Column::new("t", DataType::Utf8)], Zone::UTC, 0);
    let expression = compiler.compile_condition("where", condition).unwrap();
    let array: ArrayRef = Arc::new(StringArray::from(texts.to_vec()));
    expression.condition(&[array], texts.len()).unwrap().iter().map(|value| value == Some(true)).collect()
}

#[test]
fn a28_errors_name_the_place_and_what_may_have_been_meant() {
    let error = refused("1 +\n  Timestmap");
    assert_eq!(
        error.to_string(),
        "sources[0].set.x, line 2 column 3: there is no column Timestmap; did you mean Timestamp?"
    );
    assert_eq!(error.category(), "UnknownColumn");
    let error = refused("str_to_dtae(Timestamp, '%Y')");
    assert_eq!((error.line, error.column), (1, 1));
    assert!(
        error.to_string().ends_with("there is no function str_to_dtae; did you mean str_to_date?"),
        "{error}"
    );
    let error = refused("a +");
    assert_eq!(error.category(), "ExpressionSyntax");
    assert_eq!(refused("UserID UserID").column, 8);
    assert_eq!(refused("'open").category(), "ExpressionSyntax");
    assert_eq!(refused(" ").problem, Problem::Syntax("the expression is empty".to_owned()));
    assert!(refused("split_part(Timestamp, ' ')").to_string().contains("it takes 3 arguments, not 2"));
    assert!(refused("nothing").to_string().contains("the columns are UserID, Timestamp, day"));
}

#[test]
fn a28_what_needs_more_than_a_row_is_refused_with_the_reason() {
    for (text, reason) in [
        ("sum(UserID)", "sum is an aggregate"),
        ("COUNT(*)", "count is an aggregate"),
        ("row_number() OVER (ORDER BY day)", "is a window"),
        ("lag(UserID)", "lag is a window function"),
        ("(SELECT 1)", "a subquery has no place"),
        ("UserID IN (SELECT 1)", "a subquery has no place"),
        ("EXISTS (SELECT 1)", "a subquery has no place"),
        ("rand()", "rand is not deterministic"),
        ("UserID + random()", "random is not deterministic"),
        ("user()", "not deterministic"),
        ("?", "placeholder"),
        ("\"Timestamp\"", "in double quotes is a text"),
        ("UserID || 'x'", "two meanings"),
        ("day + 1", "date_add"),
        ("INTERVAL 1 DAY", "no value of its own"),
        ("flag > day", "cannot be compared"),
        ("tags + 1", "no arithmetic"),
        ("CAST(tags AS INT)", "cannot become INT"),
        ("CAST(1 AS DECIMAL(39,2))", "there is no DECIMAL(39,2)"),
        ("tags.x", "only a STRUCT has parts"),
    ] {
        let error = refused(text);
        assert!(error.to_string().contains(reason), "{text}: {error}");
    }
}

#[test]
fn a_condition_is_one_and_depends_on_the_row() {
    let refused = |text: &str| {
        compiler().compile_condition("sources[0].where", text).map(|_| ()).unwrap_err().to_string()
    };
    assert!(refused("1 = 1").contains("names no column"));
    assert!(refused("true").contains("names no column"));
    assert!(refused("UserID").contains("gives INT and no condition"));
    assert!(refused("Timestamp").contains("gives STRING and no condition"));
    for text in ["flag", "dt = '2024-01-01'", "NOT flag", "UserID IS NULL", "day IN ('2024-01-01')"] {
        assert!(compiler().compile_condition("where", text).is_ok(), "{text}");
    }
}

#[test]
fn constants_cost_nothing_a_row() {
    let folded = |text: &str| compiler().compile("x", text).unwrap();
    assert!(folded("1 + 1").is_constant());
    assert!(folded("upper('a')").constant().is_some());
    let partition = folded("str_to_date(dt, '%Y-%m-%d')");
    assert!(!partition.is_constant());
    assert!(partition.columns().is_empty());
    assert_eq!(partition.constant().unwrap().len(), 1);
    let mixed = folded("concat(Timestamp, dt)");
    assert_eq!(mixed.columns(), [1]);
    assert!(!folded("uuid()").is_constant());
}

#[test]
fn text_meets_numbers_as_a_number_and_dates_as_a_date() {
    assert_eq!(
        selected("t > 9", &[Some("10"), Some("9.5"), Some("x"), None, Some("8")]),
        [true, true, false, false, false]
    );
    assert_eq!(selected("t = 10", &[Some("10.0"), Some(" 10 ")]), [true, true]);
    assert_eq!(selected("t IN (1, 2)", &[Some("2"), Some("02"), Some("3")]), [true, true, false]);
    assert_eq!(selected("t BETWEEN 2 AND 10", &[Some("3"), Some("11")]), [true, false]);
    assert_eq!(
        selected("t = '1' OR t LIKE 'a%'", &[Some("1"), Some("1.0"), Some("abc")]),
        [true, false, true]
    );
    assert_eq!(selected("t <=> NULL", &[None, Some("")]), [true, false]);
    assert_eq!(selected("t = 'a' || t = 'b'", &[Some("b"), Some("c")]), [true, false]);
    assert_eq!(selected("!(t = 'a') && t IS NOT NULL", &[Some("b"), Some("a"), None]), [true, false, false]);
    let over = |condition: &str, day: i32| {
        let expression = compiler().compile_condition("where", condition).unwrap();
        let days: ArrayRef = Arc::new(arrow::array::Date32Array::from(vec![day]));
        expression.condition(&[days], 1).unwrap().value(0)
    };
    assert!(over("day >= '2024-01-01'", 19_723));
    assert!(!over("day > '2024-01-01'", 19_723));
    assert!(!over("day >= '2024-01-01 00:00:01'", 19_723));
    assert!(compiler().compile_condition("where", "day = 20240101").is_err());
}

#[test]
fn names_are_found_whatever_their_case_and_in_backquotes() {
    for text in ["userid", "USERID", "`UserID`", "`userid` + 0"] {
        assert_eq!(compiler().compile("x", text).unwrap().columns(), [0], "{text}");
    }
    assert_eq!(compiler().compile("x", "upper(`Two Words`)").unwrap().columns(), [6]);
    assert_eq!(compiler().compile("x", "UPPER(`Two Words`)").unwrap().columns(), [6]);
}

#[test]
fn a_dictionary_is_worked_on_once_a_text() {
    let compiler = Compiler::new(vec![Column::new("t", DataType::Utf8)], Zone::UTC, 0);
    let expression = compiler.compile("x", "ifnull(length(t), -1)").unwrap();
    let texts: DictionaryArray<Int32Type> =
        vec![Some("a"), None, Some("bcd"), Some("a"), Some("a")].into_iter().collect();
    let values = expression.evaluate(&[Arc::new(texts)], 5).unwrap();
    assert_eq!(values.as_primitive::<Int64Type>(), &Int64Array::from(vec![1, -1, 3, 1, 1]));
}

#[test]
fn a_row_without_a_value_is_null_and_its_neighbours_are_not() {
    let compiler = Compiler::new(vec![Column::new("n", DataType::Int32)], Zone::UTC, 0);
    let numbers: ArrayRef = Arc::new(Int32Array::from(vec![Some(4), Some(0), None, Some(i32::MAX)]));
    let quotient = compiler.compile("x", "8 DIV n").unwrap().evaluate(&[Arc::clone(&numbers)], 4).unwrap();
    assert_eq!(quotient.as_primitive::<Int64Type>(), &Int64Array::from(vec![Some(2), None, None, Some(0)]));
    let product = compiler.compile("x", "n * 9223372036854775807").unwrap().evaluate(&[numbers], 4).unwrap();
    assert_eq!(product.as_primitive::<Int64Type>(), &Int64Array::from(vec![None, Some(0), None, None]));
}

#[test]
fn long_texts_end_in_an_error_or_an_expression() {
    let many = vec!["UserID = 1"; 1000].join(" OR ");
    assert!(compiler().compile_condition("where", &many).is_ok());
    let list: Vec<String> = (0..1500).map(|n| n.to_string()).collect();
    assert!(compiler().compile_condition("where", &format!("UserID IN ({})", list.join(","))).is_ok());
    for text in [
        "(".repeat(3000),
        format!("{}1{}", "(".repeat(150), ")".repeat(150)),
        vec!["1"; 2000].join(" + "),
        "NOT ".repeat(3000) + "flag",
        "-".repeat(4000),
        vec!["a"; 5000].join(" "),
    ] {
        assert!(compiler().compile("x", &text).is_err(), "{}", &text[..20]);
    }
}

#[test]
fn a_text_is_checked_before_its_columns_are_known() {
    let names = check_text("x", "concat(a, `B c`)").unwrap();
    assert!(names.contains("a") && names.contains("b c"));
    assert!(check_text("x", "nope(a)").is_err());
    assert!(check_text("x", "sum(a)").is_err());
    assert!(check_text("x", "a +").is_err());
    for text in
        ["a.b.c", "a[1]", "a -> '$.x'", "a + INTERVAL 1 DAY", "CASE a WHEN 1 THEN b END", "a > 1 AND b"]
    {
        assert!(check_text("x", text).is_ok(), "{text}");
    }
}

/// Texts that come near to expressions.
fn near_sql() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "UserID",
        "Timestamp",
        "day",
        "at",
        "price",
        "flag",
        "tags",
        "dt",
        "1",
        "2.5",
        "1e3",
        "'a'",
        "'2024-01-01'",
        "NULL",
        "TRUE",
        "+",
        "-",
        "*",
        "/",
        "%",
        "DIV",
        "=",
        "<",
        ">=",
        "<=>",
        "!=",
        "AND",
        "OR",
        "NOT",
        "||",
        "&&",
        "(",
        ")",
        ",",
        "IN",
        "BETWEEN",
        "LIKE",
        "IS NULL",
        "CASE",
        "WHEN",
        "THEN",
        "ELSE",
        "END",
        "CAST(",
        "AS INT)",
        "concat(",
        "if(",
        "str_to_date(",
        "date_add(",
        "INTERVAL 1 DAY",
        "[",
        "]",
        ".",
        "->",
        "substr(",
        "coalesce(",
        "split(",
        "`",
        "\"",
        "'",
        "\\",
        "--",
        "/*",
        "get_json_string(",
        "round(",
        "greatest(",
        "md5(",
        "uuid()",
        "now()",
        "::",
        "@",
        "$1",
    ]);
    prop::collection::vec(word, 0..14).prop_map(|words| words.join(" "))
}

proptest! {
    // `make fuzz` says how many by PROPTEST_CASES.
    #![proptest_config(match std::env::var_os("PROPTEST_CASES") {
        Some(_) => ProptestConfig::default(),
        None => ProptestConfig::with_cases(400),
    })]

    #[test]
    fn fuzz_any_text_ends_in_an_error_or_an_expression(text in any::<String>()) {
        let compiled = compiler().compile("x", &text);
        if let Err(error) = compiled {
            prop_assert!(!error.to_string().contains("the engine failed"), "{}", error);
        }
    }

    #[test]
    fn fuzz_words_of_sql_end_in_an_error_or_in_values(text in near_sql()) {
        match compiler().compile("x", &text) {
            Err(error) => prop_assert!(!error.to_string().contains("the engine failed"), "{}", error),
            Ok(expression) => {
                let columns: Vec<ArrayRef> = expression
                    .columns()
                    .iter()
                    .map(|&index| arrow::array::new_null_array(&compiler().columns()[index].data_type, 3))
                    .collect();
                let values = expression.evaluate(&columns, 3).unwrap();
                prop_assert_eq!(values.len(), 3);
                prop_assert_eq!(values.data_type(), expression.data_type());
            }
        }
    }

    #[test]
    fn fuzz_formats_of_dates_never_fail(text in any::<String>(), format in "[%a-zA-Z0-9 :-]{0,12}") {
        let compiler = Compiler::new(vec![Column::new("t", DataType::Utf8), Column::new("f", DataType::Utf8)], Zone::UTC, 0);
        for call in ["str_to_date(t, f)", "date_format(t, f)", "date_format('2024-01-31', f)", "get_json_string(t, f)",
            "regexp_extract(t, f, 1)", "unix_timestamp(t, f)", "conv(t, 10, 16)", "from_base64(t)", "url_decode(t)"] {
            let expression = compiler.compile("x", call).unwrap();
            let columns: Vec<ArrayRef> = expression.columns().iter().map(|&index| {
                let text = if index == 0 { text.as_str() } else { format.as_str() };
                Arc::new(StringArray::from(vec![text])) as ArrayRef
            }).collect();
            prop_assert_eq!(expression.evaluate(&columns, 1).unwrap().len(), 1);
        }
    }
}
