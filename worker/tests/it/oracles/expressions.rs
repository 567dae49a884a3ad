//! Random expressions give what DuckDB gives, in the part of SQL that means the same in both.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, StringArray};
use arrow::datatypes::DataType;
use longshore_expression::zone::Zone;
use longshore_expression::{Column, Compiler};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::json;

use super::python;
use crate::world::texts;

const EXPRESSIONS: usize = 400;
const ROWS: usize = 40;

/// A random expression of a type: `i`nteger, `t`ext or `b`oolean.
fn random(of: &mut StdRng, kind: char, depth: u32) -> String {
    let leaf = depth == 0 || of.random_ratio(1, 5);
    let part = |of: &mut StdRng, kind| random(of, kind, depth.saturating_sub(1));
    match (kind, leaf) {
        ('i', true) => {
            let number = of.random_range(-20..20).to_string();
            ["a", "b", "NULL", &number][of.random_range(0..4)].to_owned()
        }
        ('t', true) => ["s", "t", "'x'", "''", "'aB c'"][of.random_range(0..5)].to_owned(),
        ('b', true) => ["a > 3", "s = 'x'", "b IS NULL", "TRUE"][of.random_range(0..4)].to_owned(),
        ('i', false) => {
            let (one, other, condition, text) = (part(of, 'i'), part(of, 'i'), part(of, 'b'), part(of, 't'));
            match of.random_range(0..10) {
                0 => format!("({one} + {other})"),
                1 => format!("({one} - {other})"),
                2 => format!("({one} * 3)"),
                3 => format!("({one} % {other})"),
                4 => format!("abs({one})"),
                5 => format!("coalesce({one}, {other})"),
                6 => format!("nullif({one}, {other})"),
                7 => format!("CASE WHEN {condition} THEN {one} ELSE {other} END"),
                8 => format!("greatest(coalesce({one}, 0), coalesce({other}, 0), 1)"),
                _ => format!("char_length({text})"),
            }
        }
        ('t', false) => {
            let (one, other, condition, number) =
                (part(of, 't'), part(of, 't'), part(of, 'b'), of.random_range(1..5));
            match of.random_range(0..8) {
                0 => format!("upper({one})"),
                1 => format!("lower({one})"),
                2 => format!("replace({one}, 'a', {other})"),
                3 => format!("substr({one}, {number}, 2)"),
                4 => format!("coalesce({one}, {other})"),
                5 => format!("CASE WHEN {condition} THEN {one} ELSE {other} END"),
                6 => format!("trim({one})"),
                _ => format!("reverse({one})"),
            }
        }
        _ => {
            let (one, other, left, right) = (part(of, 'i'), part(of, 'i'), part(of, 'b'), part(of, 'b'));
            let text = part(of, 't');
            match of.random_range(0..9) {
                0 => format!("({one} = {other})"),
                1 => format!("({one} < {other})"),
                2 => format!("({left} AND {right})"),
                3 => format!("({left} OR {right})"),
                4 => format!("(NOT {left})"),
                5 => format!("({one} IN (1, 2, {other}))"),
                6 => format!("({one} BETWEEN {other} AND 10)"),
                7 => format!("({text} LIKE '%a%')"),
                _ => format!("({one} IS NOT NULL)"),
            }
        }
    }
}

#[test]
fn expressions_agree_with_duckdb() {
    let mut of = StdRng::seed_from_u64(6);
    let numbers = |of: &mut StdRng| -> Vec<Option<i64>> {
        (0..ROWS).map(|_| (!of.random_ratio(1, 6)).then(|| of.random_range(-9..20))).collect()
    };
    let words = |of: &mut StdRng| -> Vec<Option<&str>> {
        let words = ["x", "", "abc", "aBc dä", " a ", "öä%_"];
        (0..ROWS).map(|_| (!of.random_ratio(1, 6)).then(|| words[of.random_range(0..words.len())])).collect()
    };
    let (a, b, s, t) = (numbers(&mut of), numbers(&mut of), words(&mut of), words(&mut of));
    let expressions: Vec<String> =
        (0..EXPRESSIONS).map(|index| random(&mut of, ['i', 't', 'b'][index % 3], 4)).collect();

    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from(a.clone())),
        Arc::new(Int64Array::from(b.clone())),
        Arc::new(StringArray::from(s.clone())),
        Arc::new(StringArray::from(t.clone())),
    ];
    let names = ["a", "b", "s", "t"].into_iter().zip(&columns);
    let compiler = Compiler::new(
        names.map(|(name, array)| Column::new(name, array.data_type().clone())).collect(),
        Zone::UTC,
        0,
    );
    let ours: Vec<Vec<String>> = expressions
        .iter()
        .map(|text| {
            let expression = compiler.compile("x", text).unwrap();
            let used: Vec<ArrayRef> =
                expression.columns().iter().map(|&index| Arc::clone(&columns[index])).collect();
            let values = expression.evaluate(&used, ROWS).unwrap();
            assert!(matches!(
                values.data_type(),
                DataType::Int64 | DataType::Utf8 | DataType::Boolean | DataType::Null
            ));
            texts(&values)
        })
        .collect();

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("expressions.json");
    let document = json!({"a": a, "b": b, "s": s, "t": t, "expressions": expressions});
    std::fs::write(&file, document.to_string()).unwrap();
    let answer = python("expressions.py", &[file.to_str().unwrap()]);
    let theirs: Vec<Vec<String>> = serde_json::from_str(&answer).unwrap();
    assert_eq!(theirs.len(), EXPRESSIONS);
    let differing: Vec<&String> = expressions
        .iter()
        .zip(ours.iter().zip(&theirs))
        .filter(|(_, (ours, theirs))| ours != theirs)
        .map(|(text, _)| text)
        .collect();
    assert!(
        differing.is_empty(),
        "{} of {EXPRESSIONS} differ: {:#?}",
        differing.len(),
        &differing[..differing.len().min(5)]
    );
}
