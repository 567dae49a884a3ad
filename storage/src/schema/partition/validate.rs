//! What is wrong with the partitions of a definition, by partition and column.

use std::collections::{HashMap, HashSet};

use super::value::Value;
use super::{
    DateUnit, ListPartition, MAX_DECLARED_PARTITIONS, PartitionBy, PartitionRange, PartitionTerm, RangeEnd,
    RangePartition,
};
use crate::schema::validate::{Place, Role, SchemaError, has_no_key_order};
use crate::schema::{Column, TableDefinition};
use crate::types::DataType;

/// Characters of a declared name.
const MAX_NAME: usize = 64;

/// The role of a column that decides partitions.
const PARTITION_COLUMN: Role = Role {
    name: "a partition column",
    refuses,
    instead: "a BOOLEAN, integer, DECIMAL, DATE, DATETIME, CHAR, VARCHAR or STRING column",
};

/// Whether values of the type cannot decide partitions.
fn refuses(data_type: &DataType) -> bool {
    has_no_key_order(data_type) || matches!(data_type, DataType::Varbinary(_))
}

/// A range with its bounds, which are values of the column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ResolvedRange {
    /// Absent: the lowest.
    pub(super) start: Option<Value>,
    /// Absent: there is none.
    pub(super) end: Option<Value>,
    /// Place in the declaration.
    pub(super) index: usize,
}

/// What is wrong with a declared partition.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Problem {
    /// Its place in the declaration.
    index: usize,
    what: String,
}

impl TableDefinition {
    /// Checks the partitions; columns were checked.
    pub(crate) fn validate_partitions(&self) -> Result<(), SchemaError> {
        let names: Vec<String> = self.partition_by.columns().into_iter().map(str::to_owned).collect();
        self.validate_role(&names, Place::PartitionColumn, &PARTITION_COLUMN)?;
        let columns: Vec<&Column> = names.iter().filter_map(|name| self.column(name)).collect();
        if names.is_empty() && !self.partition_by.is_none() {
            return Err(SchemaError::NoPartitionColumns);
        }
        let problem = |partition: &str, Problem { index, what }: Problem| SchemaError::Partition {
            place: Place::Partition(index),
            partition: partition.to_owned(),
            columns: names.join(", "),
            problem: what,
        };
        match &self.partition_by {
            PartitionBy::None => Ok(()),
            PartitionBy::Expression(terms) => check_terms(terms, &columns),
            PartitionBy::Range { partitions, .. } => {
                check_names(partitions.iter().map(|partition| partition.name.as_str()))?;
                let data_type = &columns[0].data_type;
                if *data_type == DataType::Boolean {
                    return Err(SchemaError::UnsuitableType {
                        place: Place::PartitionColumn(0),
                        name: names.join(", "),
                        data_type: data_type.clone(),
                        role: "the column of ranges",
                        instead: "a list of values",
                    });
                }
                let resolved = ranges(partitions, data_type);
                resolved.map(|_| ()).map_err(|found| problem(&partitions[found.index].name, found))
            }
            PartitionBy::List { partitions, .. } => {
                check_names(partitions.iter().map(|partition| partition.name.as_str()))?;
                let resolved = lists(partitions, &columns);
                resolved.map(|_| ()).map_err(|found| problem(&partitions[found.index].name, found))
            }
        }
    }

    fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name.eq_ignore_ascii_case(name))
    }
}

fn check_terms(terms: &[PartitionTerm], columns: &[&Column]) -> Result<(), SchemaError> {
    for (index, (term, column)) in terms.iter().zip(columns).enumerate() {
        let PartitionTerm::DateTrunc { unit, .. } = term else { continue };
        let instead = match (unit, &column.data_type) {
            (_, DataType::DateTime) => continue,
            (DateUnit::Hour, DataType::Date) => "a DATETIME column, or the unit day",
            (_, DataType::Date) => continue,
            _ => "a DATE or DATETIME column",
        };
        return Err(SchemaError::UnsuitableType {
            place: Place::PartitionColumn(index),
            name: column.name.clone(),
            data_type: column.data_type.clone(),
            role: "cut to a unit of time",
            instead,
        });
    }
    Ok(())
}

/// Checks the names of declared partitions, which are also names of folders.
fn check_names<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> Result<(), SchemaError> {
    let count = names.len();
    if count == 0 || count > MAX_DECLARED_PARTITIONS {
        return Err(SchemaError::PartitionCount { count });
    }
    let mut seen = HashSet::new();
    for (index, name) in names.enumerate() {
        let first = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let plain = name.starts_with(first) && name.chars().all(|c| first(c) || matches!(c, '-' | '.'));
        if !plain || name.len() > MAX_NAME {
            return Err(SchemaError::PartitionName {
                place: Place::Partition(index),
                name: name.to_owned(),
                problem: format!(
                    "the name of a partition begins with a letter, a digit or _, has only those, `-` and `.`, and at most {MAX_NAME} characters"
                ),
            });
        }
        if !seen.insert(name) {
            return Err(SchemaError::PartitionName {
                place: Place::Partition(index),
                name: name.to_owned(),
                problem: "it is declared twice; rename one".to_owned(),
            });
        }
    }
    Ok(())
}

/// The ranges in the order of their values.
pub(super) fn ranges(
    partitions: &[RangePartition],
    data_type: &DataType,
) -> Result<Vec<ResolvedRange>, Problem> {
    let mut resolved: Vec<ResolvedRange> = Vec::with_capacity(partitions.len());
    for (index, RangePartition { range, .. }) in partitions.iter().enumerate() {
        let problem = |what: String| Problem { index, what };
        let parse = |text: &str| Value::parse(text, data_type).map_err(problem);
        let end = match range.end() {
            RangeEnd::Value(text) => Some(parse(text)?),
            RangeEnd::MaxValue => None,
        };
        let start = match (range, resolved.last()) {
            (PartitionRange::Between { start, .. }, _) => Some(parse(start)?),
            (PartitionRange::LessThan(_), None) => None,
            (PartitionRange::LessThan(_), Some(before)) if before.end.is_some() => before.end.clone(),
            (PartitionRange::LessThan(_), Some(before)) => {
                let before = &partitions[before.index].name;
                return Err(problem(format!("it follows `{before}`, which has no end; put that one last")));
            }
        };
        if let (Some(low), Some(high)) = (&start, &end)
            && low >= high
        {
            let text = |value: &Value| value.text(data_type).unwrap_or_default();
            let (low, high) = (text(low), text(high));
            return Err(problem(format!(
                "it begins at `{low}` and ends before `{high}`, so it is empty; put the partitions in ascending order"
            )));
        }
        resolved.push(ResolvedRange { start, end, index });
    }
    // An absent start is below all values, as `None` is.
    resolved.sort_by(|a, b| a.start.cmp(&b.start));
    for pair in resolved.windows(2) {
        let [low, high] = pair else { continue };
        let apart = matches!((&low.end, &high.start), (Some(end), Some(start)) if end <= start);
        if !apart {
            let (index, other) = (low.index.max(high.index), low.index.min(high.index));
            let other = &partitions[other].name;
            return Err(Problem {
                index,
                what: format!("it overlaps `{other}`; a value may be in one partition"),
            });
        }
    }
    Ok(resolved)
}

/// The tuples of values with the places of their partitions.
pub(super) fn lists(
    partitions: &[ListPartition],
    columns: &[&Column],
) -> Result<Vec<(Vec<Value>, usize)>, Problem> {
    let mut resolved: Vec<(Vec<Value>, usize)> = Vec::new();
    let mut seen: HashMap<Vec<Value>, usize> = HashMap::new();
    for (index, ListPartition { values, .. }) in partitions.iter().enumerate() {
        let problem = |what: String| Problem { index, what };
        if values.is_empty() {
            return Err(problem("it lists no value; list at least one".to_owned()));
        }
        for tuple in values {
            let values = tuple_of(tuple, columns).map_err(problem)?;
            if let Some(other) = seen.insert(values.clone(), index) {
                let shown: Vec<String> =
                    tuple.iter().map(|value| value.clone().unwrap_or_else(|| "NULL".to_owned())).collect();
                let (shown, other) = (shown.join(", "), &partitions[other].name);
                return Err(problem(format!("the value ({shown}) is in `{other}` already; list it once")));
            }
            resolved.push((values, index));
        }
    }
    Ok(resolved)
}

fn tuple_of(tuple: &[Option<String>], columns: &[&Column]) -> Result<Vec<Value>, String> {
    if tuple.len() != columns.len() {
        let (has, due) = (tuple.len(), columns.len());
        return Err(format!("a tuple of {has} values where {due} are due"));
    }
    let value = |(text, column): (&Option<String>, &&Column)| match text {
        Some(text) => {
            Value::parse(text, &column.data_type).map_err(|what| format!("column `{}`: {what}", column.name))
        }
        None if column.nullable => Ok(Value::Null),
        None => Err(format!("column `{}` does not take NULL; leave it out", column.name)),
    };
    tuple.iter().zip(columns).map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{Compression, Distribution};

    fn check(by: PartitionBy) -> Result<(), SchemaError> {
        let column = |(name, data_type, nullable): (&str, &str, bool)| Column {
            name: name.to_owned(),
            data_type: DataType::parse(data_type).unwrap(),
            nullable,
            default: None,
        };
        let columns = [
            ("d", "DATE", true),
            ("t", "DATETIME", true),
            ("i", "INT", false),
            ("s", "VARCHAR(3)", true),
            ("f", "DOUBLE", true),
            ("j", "JSON", true),
            ("a", "ARRAY<INT>", true),
            ("b", "BOOLEAN", true),
        ];
        let definition = TableDefinition {
            columns: columns.map(column).to_vec(),
            key: Vec::new(),
            order_by: Vec::new(),
            partition_by: by,
            distribution: Distribution::Random { buckets: 1 },
            compression: Compression::Zstd,
        };
        definition.validate()
    }

    fn less_than(name: &str, end: &str) -> RangePartition {
        let end = if end == "MAX" { RangeEnd::MaxValue } else { RangeEnd::Value(end.to_owned()) };
        RangePartition { name: name.to_owned(), range: PartitionRange::LessThan(end) }
    }

    fn between(name: &str, start: &str, end: &str) -> RangePartition {
        let end = RangeEnd::Value(end.to_owned());
        RangePartition {
            name: name.to_owned(),
            range: PartitionRange::Between { start: start.to_owned(), end },
        }
    }

    fn range(column: &str, partitions: Vec<RangePartition>) -> PartitionBy {
        PartitionBy::Range { column: column.to_owned(), partitions }
    }

    fn list(columns: &[&str], partitions: &[(&str, &[&[Option<&str>]])]) -> PartitionBy {
        let tuple = |values: &&[Option<&str>]| values.iter().map(|value| value.map(str::to_owned)).collect();
        let partition = |(name, values): &(&str, &[&[Option<&str>]])| ListPartition {
            name: (*name).to_owned(),
            values: values.iter().map(tuple).collect(),
        };
        PartitionBy::List {
            columns: columns.iter().map(|name| (*name).to_owned()).collect(),
            partitions: partitions.iter().map(partition).collect(),
        }
    }

    fn day(column: &str, unit: DateUnit) -> PartitionBy {
        PartitionBy::Expression(vec![PartitionTerm::DateTrunc { unit, column: column.to_owned() }])
    }

    #[test]
    fn what_makes_partitions_is_taken() {
        for by in [
            day("t", DateUnit::Hour),
            day("d", DateUnit::Quarter),
            PartitionBy::Expression(vec![
                PartitionTerm::Column("s".into()),
                PartitionTerm::Column("b".into()),
            ]),
            range(
                "d",
                vec![less_than("p1", "2024-01-01"), less_than("p2", "2024-02-01"), less_than("pmax", "MAX")],
            ),
            // With a hole, in any order, one of them bounded by the one before.
            range("i", vec![between("b", "100", "200"), less_than("c", "300"), between("a", "-5", "5")]),
            range("s", vec![less_than("P", "b"), less_than("p", "c")]),
            list(&["s"], &[("a", &[&[Some("x")], &[None]]), ("b", &[&[Some("")]])]),
            list(&["i", "b"], &[("a", &[&[Some("1"), Some("true")]]), ("b", &[&[Some("1"), None]])]),
        ] {
            check(by).unwrap();
        }
    }

    #[test]
    fn faults_name_partition_and_column() {
        let expression = |columns: &[&str]| {
            PartitionBy::Expression(columns.iter().map(|c| PartitionTerm::Column((*c).to_owned())).collect())
        };
        let many = (0..5000).map(|at: i32| less_than(&format!("p{at}"), &at.to_string())).collect();
        for (by, message, place) in [
            (expression(&[]), "at least one column", Place::Partitions),
            (expression(&["x"]), "column `x` is not declared", Place::PartitionColumn(0)),
            (expression(&["s", "S"]), "column `S` is named twice", Place::PartitionColumn(1)),
            (
                expression(&["f"]),
                "column `f` is DOUBLE, which cannot be a partition column",
                Place::PartitionColumn(0),
            ),
            (expression(&["i", "j"]), "column `j` is JSON", Place::PartitionColumn(1)),
            (expression(&["a"]), "column `a` is ARRAY<INT>", Place::PartitionColumn(0)),
            (day("d", DateUnit::Hour), "column `d` is DATE", Place::PartitionColumn(0)),
            (
                day("i", DateUnit::Day),
                "column `i` is INT, which cannot be cut to a unit",
                Place::PartitionColumn(0),
            ),
            (range("b", vec![less_than("p", "1")]), "column `b` is BOOLEAN", Place::PartitionColumn(0)),
            (range("i", vec![]), "0 partitions are declared", Place::Partitions),
            (range("i", many), "5000 partitions are declared", Place::Partitions),
            (
                range("i", vec![less_than("p", "x")]),
                "partition `p` of `i`: the value `x` is no INT",
                Place::Partition(0),
            ),
            (
                range("i", vec![less_than("p", "1"), less_than("q", "1")]),
                "partition `q` of `i`: it begins at `1`",
                Place::Partition(1),
            ),
            (
                range("i", vec![between("p", "2", "1")]),
                "partition `p` of `i`: it begins at `2`",
                Place::Partition(0),
            ),
            (
                range("i", vec![less_than("p", "MAX"), less_than("q", "1")]),
                "partition `q` of `i`: it follows `p`",
                Place::Partition(1),
            ),
            (
                range("i", vec![between("p", "1", "5"), between("q", "-1", "2")]),
                "partition `q` of `i`: it overlaps `p`",
                Place::Partition(1),
            ),
            (
                range("i", vec![less_than("p", "5"), between("q", "1", "2")]),
                "partition `q` of `i`: it overlaps `p`",
                Place::Partition(1),
            ),
            (
                range("i", vec![less_than("p", "5"), less_than("p", "6")]),
                "partition `p`: it is declared twice",
                Place::Partition(1),
            ),
            (range("i", vec![less_than("a/b", "5")]), "partition `a/b`: the name", Place::Partition(0)),
            (range("i", vec![less_than("", "5")]), "partition ``: the name", Place::Partition(0)),
            (list(&["s"], &[("p", &[])]), "partition `p` of `s`: it lists no value", Place::Partition(0)),
            (list(&["s"], &[("p", &[&[Some("long")]])]), "column `s`: the value `long`", Place::Partition(0)),
            (
                list(&["s"], &[("p", &[&[None]]), ("q", &[&[None]])]),
                "partition `q` of `s`: the value (NULL) is in `p`",
                Place::Partition(1),
            ),
            (list(&["i"], &[("p", &[&[None]])]), "column `i` does not take NULL", Place::Partition(0)),
            (
                list(&["i", "s"], &[("p", &[&[Some("1")]])]),
                "a tuple of 1 values where 2 are due",
                Place::Partition(0),
            ),
            // Equal by value, not by text.
            (
                list(&["i"], &[("p", &[&[Some("1")], &[Some("+1")]])]),
                "the value (+1) is in `p`",
                Place::Partition(0),
            ),
        ] {
            let error = check(by).unwrap_err();
            assert!(error.to_string().contains(message), "{error} | {message}");
            assert_eq!(error.place(), place, "{error}");
        }
    }
}
