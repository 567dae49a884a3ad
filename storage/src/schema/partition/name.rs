//! What partitions are called: a name that people use, and a folder that every volume takes.
//!
//! Both follow from the values alone and tell all partitions of a table apart: plain values stand in them as
//! they are, others as a digest behind `~`, which no plain value has.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::unit::DateUnit;
use super::value::{Value, date, narrow, split, year};
use crate::types::DataType;

/// Characters of a name that shows its values.
const MAX_NAME: usize = 64;
/// Bytes of a folder's name that shows its values.
const MAX_FOLDER: usize = 100;
/// Characters of the values that stand before a digest.
const HEAD: usize = 20;
/// Bytes of a digest: so many that no one can make two values that have it.
const DIGEST: usize = 16;
const NULL_NAME: &str = "NULL";
const NULL_FOLDER: &str = "null-";

/// A partition of a table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Partition {
    /// Name, unique in the table: declared, or `p` and the values, `p20240101`. Empty: the table has none.
    pub name: String,
    /// Folder below the table's, plain ASCII without `/` and `=`. Empty: the table has none.
    pub folder: String,
    /// Values by column, as text; of a unit of time the instant where it begins; absent: NULL. Empty for
    /// ranges and lists, which the definition tells.
    pub values: BTreeMap<String, Option<String>>,
}

/// What a value of a partition expression is.
#[derive(Debug, Clone)]
pub(super) struct Shape {
    /// Name of the column.
    pub(super) column: String,
    /// Type of the column.
    pub(super) data_type: DataType,
    /// The unit that its values are cut to: they are numbers of units.
    pub(super) unit: Option<DateUnit>,
}

impl Shape {
    /// The value of the column where the unit begins; of no unit, the value itself.
    pub(super) fn start(&self, value: &Value) -> Value {
        match (self.unit, value) {
            (Some(unit), Value::Number(number)) => self.instant(unit, narrow(*number)),
            _ => value.clone(),
        }
    }

    /// The value of the column where the next unit begins.
    pub(super) fn next_start(&self, value: &Value) -> Option<Value> {
        match (self.unit, value) {
            (Some(unit), Value::Number(number)) => Some(self.instant(unit, narrow(*number) + 1)),
            _ => None,
        }
    }

    fn instant(&self, unit: DateUnit, number: i64) -> Value {
        let (day, hour) = unit.start(number);
        Value::Number(match self.data_type {
            DataType::Date => day.into(),
            _ => (i128::from(day) * 24 + i128::from(hour)) * 3_600_000_000,
        })
    }
}

impl Partition {
    /// A declared partition.
    pub(super) fn declared(name: &str) -> Self {
        Self { name: name.to_owned(), folder: format!("p-{name}"), values: BTreeMap::new() }
    }

    /// The partition of a tuple of values of an expression.
    pub(super) fn of_values(shapes: &[Shape], values: &[Value]) -> Self {
        let single = shapes.len() == 1;
        let parts: Vec<Parts> = shapes.iter().zip(values).map(|(s, v)| Parts::of(s, v, single)).collect();
        let join = |part: fn(&Parts) -> Option<&str>| -> Option<String> {
            Some(parts.iter().map(part).collect::<Option<Vec<&str>>>()?.join("_"))
        };
        let hashed = || {
            let plain = |c: &char| c.is_ascii_alphanumeric();
            let head = parts.iter().flat_map(|part| part.text.chars()).filter(plain).take(HEAD);
            format!("{}~{}", head.collect::<String>(), digest(values))
        };
        let name = join(|parts| parts.name.as_deref()).filter(|name| name.chars().count() < MAX_NAME);
        let folder = join(|parts| parts.folder.as_deref()).filter(|folder| folder.len() < MAX_FOLDER);
        let of_column = |(shape, value): (&Shape, &Value)| {
            (shape.column.clone(), shape.start(value).text(&shape.data_type))
        };
        Self {
            name: format!("p{}", name.unwrap_or_else(hashed)),
            folder: format!("p-{}", folder.unwrap_or_else(hashed)),
            values: shapes.iter().zip(values).map(of_column).collect(),
        }
    }
}

/// How one value stands in a name and in a folder; `None`: it cannot.
struct Parts {
    name: Option<String>,
    folder: Option<String>,
    /// As text, for people.
    text: String,
}

impl Parts {
    /// `single`: no other value stands beside it, so that `_` can stand in it.
    fn of(shape: &Shape, value: &Value, single: bool) -> Self {
        let both = |name: String, folder: String| {
            let safe = |text: &String| !text.starts_with('-');
            // Years before 0 are told by their sign alone: they have a digest instead.
            Self { text: name.clone(), name: Some(name).filter(safe), folder: Some(folder).filter(safe) }
        };
        match (value, shape.unit, &shape.data_type) {
            (Value::Null, ..) => Self {
                name: Some(NULL_NAME.to_owned()),
                folder: Some(NULL_FOLDER.to_owned()),
                text: NULL_NAME.to_owned(),
            },
            (Value::Text(text), ..) => Self::of_text(text, single),
            (Value::Number(number), Some(unit), _) => {
                let (name, folder) = unit_parts(unit, narrow(*number));
                both(name, folder)
            }
            (Value::Number(number), None, DataType::Date) => {
                both(date(narrow(*number), ""), date(narrow(*number), "-"))
            }
            (Value::Number(number), None, DataType::DateTime) => {
                let (day, time) = split(narrow(*number));
                both(
                    format!("{}{}", date(day, ""), time.text("")),
                    format!("{}T{}", date(day, "-"), time.text("-")),
                )
            }
            (Value::Number(_), None, other) => {
                let text = value.text(other).unwrap_or_default();
                Self { name: Some(text.clone()), folder: Some(text.clone()), text }
            }
        }
    }

    fn of_text(text: &str, single: bool) -> Self {
        // A long text is never plain, and is not looked through.
        let fits = !text.is_empty() && text.len() <= 4 * MAX_NAME;
        let mark = |c: char| matches!(c, '-' | '.') || (single && c == '_');
        let plain = |of: fn(char) -> bool, reserved: &str| {
            let plain = fits && text != reserved && text.chars().all(|c| of(c) || mark(c));
            plain.then(|| text.to_owned())
        };
        Self {
            name: plain(char::is_alphanumeric, NULL_NAME),
            folder: plain(|c| c.is_ascii_alphanumeric(), NULL_FOLDER),
            text: text.chars().take(MAX_NAME).collect(),
        }
    }
}

/// Name and folder of a unit of time.
fn unit_parts(unit: DateUnit, number: i64) -> (String, String) {
    let (day, hour) = unit.start(number);
    let (name, folder) = (date(day, ""), date(day, "-"));
    let month = |text: String, cut: usize| text[..text.len() - cut].to_owned();
    match unit {
        DateUnit::Hour => (format!("{name}{hour:02}"), format!("{folder}-{hour:02}")),
        DateUnit::Day | DateUnit::Week => (name, folder),
        DateUnit::Month => (month(name, 2), month(folder, 3)),
        DateUnit::Quarter => {
            let (of, quarter) = (year(number.div_euclid(4)), number.rem_euclid(4) + 1);
            (format!("{of}Q{quarter}"), format!("{of}-q{quarter}"))
        }
        DateUnit::Year => (year(number), year(number)),
    }
}

/// Digest of a tuple, each value told apart from its neighbours.
fn digest(values: &[Value]) -> String {
    let mut hash = Sha256::new();
    for value in values {
        match value {
            Value::Null => hash.update([0]),
            Value::Number(number) => {
                hash.update([1]);
                hash.update(number.to_le_bytes());
            }
            Value::Text(text) => {
                hash.update([2]);
                hash.update((text.len() as u64).to_le_bytes());
                hash.update(text.as_bytes());
            }
        }
    }
    hex::encode(&hash.finalize()[..DIGEST])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shape(data_type: &str, unit: Option<DateUnit>) -> Shape {
        Shape { column: "c".to_owned(), data_type: DataType::parse(data_type).unwrap(), unit }
    }

    fn of(data_type: &str, unit: Option<DateUnit>, value: &str) -> (String, String, Option<String>) {
        let shape = shape(data_type, unit);
        let value = match (Value::parse(value, &shape.data_type).unwrap(), unit, &shape.data_type) {
            (Value::Number(days), Some(unit), DataType::Date) => {
                Value::Number(unit.of_days(narrow(days)).into())
            }
            (Value::Number(micros), Some(unit), _) => Value::Number(unit.of_micros(narrow(micros)).into()),
            (value, ..) => value,
        };
        let mut partition = Partition::of_values(&[shape], &[value]);
        (partition.name, partition.folder, partition.values.remove("c").unwrap())
    }

    #[test]
    fn names_are_those_that_people_know() {
        let at = "2024-01-31 13:05:00";
        for (data_type, unit, value, name, folder, text) in [
            ("DATETIME", Some(DateUnit::Hour), at, "p2024013113", "p-2024-01-31-13", "2024-01-31 13:00:00"),
            ("DATETIME", Some(DateUnit::Day), at, "p20240131", "p-2024-01-31", "2024-01-31 00:00:00"),
            ("DATETIME", Some(DateUnit::Week), at, "p20240129", "p-2024-01-29", "2024-01-29 00:00:00"),
            ("DATE", Some(DateUnit::Month), "2024-01-31", "p202401", "p-2024-01", "2024-01-01"),
            ("DATE", Some(DateUnit::Quarter), "2024-05-31", "p2024Q2", "p-2024-q2", "2024-04-01"),
            ("DATE", Some(DateUnit::Year), "0099-05-31", "p0099", "p-0099", "0099-01-01"),
            ("DATE", None, "2024-01-31", "p20240131", "p-2024-01-31", "2024-01-31"),
            ("DATETIME", None, at, "p20240131130500", "p-2024-01-31T13-05-00", at),
            ("INT", None, "-5", "p-5", "p--5", "-5"),
            ("DECIMAL(5,2)", None, "14.2", "p14.20", "p-14.20", "14.20"),
            ("BOOLEAN", None, "1", "ptrue", "p-true", "true"),
            ("STRING", None, "new_york", "pnew_york", "p-new_york", "new_york"),
        ] {
            let due = (name.to_owned(), folder.to_owned(), Some(text.to_owned()));
            assert_eq!(of(data_type, unit, value), due, "{data_type} {unit:?} {value}");
        }
        let (name, folder, _) = of("STRING", None, "北京");
        assert_eq!(name, "p北京");
        assert!(folder.starts_with("p-~") && folder.len() == 35, "{folder}");
        let (name, folder, _) = of("STRING", None, "a b/c");
        assert!(name.starts_with("pabc~") && folder.starts_with("p-abc~"), "{name} {folder}");
        let null = Partition::of_values(&[shape("STRING", None)], &[Value::Null]);
        assert_eq!((null.name.as_str(), null.folder.as_str()), ("pNULL", "p-null-"));
        assert_eq!(null.values["c"], None);
    }

    #[test]
    fn several_values_stand_side_by_side() {
        let shapes = [shape("DATE", Some(DateUnit::Day)), shape("STRING", None)];
        let values = |text: &str| [Value::Number(0), Value::Text(text.into())];
        let partition = Partition::of_values(&shapes, &values("us-east-1"));
        assert_eq!(
            (partition.name.as_str(), partition.folder.as_str()),
            ("p19700101_us-east-1", "p-1970-01-01_us-east-1")
        );
        // What could be taken for two values has a digest.
        assert!(Partition::of_values(&shapes, &values("a_b")).name.contains('~'));
    }

    /// Texts that break names: those of other values, of NULL, of digests; whole alphabets; long ones.
    fn hostile() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(Value::Null),
            prop::sample::select(&[
                "NULL", "null-", "null", "", "_", "a", "A", "a_", "_a", "~", ".", "..", "/", "=", "'", "\"",
                "\n", "a=b"
            ])
            .prop_map(|text| Value::Text(text.into())),
            "[a_~-]{0,4}".prop_map(|text| Value::Text(text.into())),
            any::<String>().prop_map(|text| Value::Text(text.into())),
            ("[ab]", 60usize..10_000).prop_map(|(c, n)| Value::Text(c.repeat(n).into())),
        ]
    }

    proptest! {
        #[test]
        fn two_tuples_share_neither_name_nor_folder(
            a in prop::collection::vec(hostile(), 2), b in prop::collection::vec(hostile(), 2), count in 1usize..3,
        ) {
            let shapes = vec![shape("STRING", None); count];
            let (a, b) = (&a[..count], &b[..count]);
            let (of_a, of_b) = (Partition::of_values(&shapes, a), Partition::of_values(&shapes, b));
            prop_assert_eq!(a == b, of_a.name == of_b.name, "{} {}", of_a.name, of_b.name);
            prop_assert_eq!(a == b, of_a.folder == of_b.folder, "{} {}", of_a.folder, of_b.folder);
            let safe = |c: char| c.is_ascii_alphanumeric() || "-._~".contains(c);
            prop_assert!(of_a.folder.chars().all(safe) && of_a.folder.len() <= 101, "{}", of_a.folder);
            prop_assert!(of_a.name.chars().count() <= 64 && !of_a.name.contains(|c: char| c.is_control()));
        }
    }
}
