//! `spec.partitionBy`.

use longshore_crds::{
    DateUnitSpec, ListPartitionSpec, ListPartitionsSpec, PartitionTermSpec, RangePartitionSpec,
    RangePartitionsSpec,
};
use longshore_storage::schema::{
    DateUnit, ListPartition, PartitionBy, PartitionRange, PartitionTerm, Place, RangeEnd, RangePartition,
};

use super::TableSpecError;

/// The end of a range that has none.
const MAXVALUE: &str = "MAXVALUE";

/// Reads the parts.
pub(super) fn partition_by(terms: &[PartitionTermSpec]) -> Result<PartitionBy, TableSpecError> {
    match terms {
        [] => Ok(PartitionBy::None),
        [PartitionTermSpec { range: Some(range), column: None, date_trunc: None, list: None }] => {
            ranges(range)
        }
        [PartitionTermSpec { list: Some(list), column: None, date_trunc: None, range: None }] => lists(list),
        terms => {
            let terms = terms.iter().enumerate().map(|(index, term)| self::term(index, term));
            Ok(PartitionBy::Expression(terms.collect::<Result<_, _>>()?))
        }
    }
}

fn term(index: usize, term: &PartitionTermSpec) -> Result<PartitionTerm, TableSpecError> {
    match term {
        PartitionTermSpec { column: Some(column), date_trunc: None, range: None, list: None } => {
            Ok(PartitionTerm::Column(column.clone()))
        }
        PartitionTermSpec { date_trunc: Some(trunc), column: None, range: None, list: None } => {
            Ok(PartitionTerm::DateTrunc { unit: unit(trunc.unit), column: trunc.column.clone() })
        }
        _ => Err(TableSpecError::Partitions {
            field: format!("spec.partitionBy[{index}]"),
            problem: "state exactly one of column and dateTrunc; range and list stand alone",
        }),
    }
}

fn unit(unit: DateUnitSpec) -> DateUnit {
    match unit {
        DateUnitSpec::Hour => DateUnit::Hour,
        DateUnitSpec::Day => DateUnit::Day,
        DateUnitSpec::Week => DateUnit::Week,
        DateUnitSpec::Month => DateUnit::Month,
        DateUnitSpec::Quarter => DateUnit::Quarter,
        DateUnitSpec::Year => DateUnit::Year,
    }
}

fn ranges(spec: &RangePartitionsSpec) -> Result<PartitionBy, TableSpecError> {
    let end = |text: &String| match text.as_str() {
        MAXVALUE => RangeEnd::MaxValue,
        _ => RangeEnd::Value(text.clone()),
    };
    let partition = |(index, spec): (usize, &RangePartitionSpec)| {
        let range = match (&spec.less_than, &spec.start, &spec.end) {
            (Some(less_than), None, None) => PartitionRange::LessThan(end(less_than)),
            (None, Some(start), Some(text)) => {
                PartitionRange::Between { start: start.clone(), end: end(text) }
            }
            _ => {
                return Err(TableSpecError::Partitions {
                    field: format!("spec.partitionBy[0].range.partitions[{index}]"),
                    problem: "state either lessThan, or start and end",
                });
            }
        };
        Ok(RangePartition { name: spec.name.clone(), range })
    };
    let partitions = spec.partitions.iter().enumerate().map(partition).collect::<Result<_, _>>()?;
    Ok(PartitionBy::Range { column: spec.column.clone(), partitions })
}

fn lists(spec: &ListPartitionsSpec) -> Result<PartitionBy, TableSpecError> {
    let partition = |(index, list): (usize, &ListPartitionSpec)| {
        let values = match (list.values.as_slice(), list.tuples.as_slice()) {
            (values, []) if spec.columns.len() == 1 => {
                values.iter().map(|value| vec![value.clone()]).collect()
            }
            ([], tuples) => tuples.to_vec(),
            _ => {
                return Err(TableSpecError::Partitions {
                    field: format!("spec.partitionBy[0].list.partitions[{index}]"),
                    problem: "state either values (of one column) or tuples (of several)",
                });
            }
        };
        Ok(ListPartition { name: list.name.clone(), values })
    };
    let partitions = spec.partitions.iter().enumerate().map(partition).collect::<Result<_, _>>()?;
    Ok(PartitionBy::List { columns: spec.columns.clone(), partitions })
}

/// Path of a part of the definition in the manifest.
pub(super) fn field(place: Place, by: &PartitionBy) -> String {
    const BY: &str = "spec.partitionBy";
    match (by, place) {
        (PartitionBy::Expression(terms), Place::PartitionColumn(index)) => match terms.get(index) {
            Some(PartitionTerm::DateTrunc { .. }) => format!("{BY}[{index}].dateTrunc.column"),
            _ => format!("{BY}[{index}].column"),
        },
        (PartitionBy::Range { .. }, Place::PartitionColumn(_)) => format!("{BY}[0].range.column"),
        (PartitionBy::Range { .. }, Place::Partition(index)) => format!("{BY}[0].range.partitions[{index}]"),
        (PartitionBy::Range { .. }, _) => format!("{BY}[0].range.partitions"),
        (PartitionBy::List { .. }, Place::PartitionColumn(index)) => format!("{BY}[0].list.columns[{index}]"),
        (PartitionBy::List { .. }, Place::Partition(index)) => format!("{BY}[0].list.partitions[{index}]"),
        (PartitionBy::List { .. }, _) => format!("{BY}[0].list.partitions"),
        _ => BY.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn parse(terms: Value) -> Vec<PartitionTermSpec> {
        serde_json::from_value(terms).unwrap()
    }

    fn text(value: &str) -> String {
        value.to_owned()
    }

    #[test]
    fn every_kind_is_read() {
        let terms = json!([{"dateTrunc": {"unit": "day", "column": "at"}}, {"column": "city"}]);
        let trunc = PartitionTerm::DateTrunc { unit: DateUnit::Day, column: text("at") };
        let expected = PartitionBy::Expression(vec![trunc, PartitionTerm::Column(text("city"))]);
        assert_eq!(partition_by(&parse(terms)).unwrap(), expected);

        let partitions = json!([
            {"name": "a", "lessThan": "1"}, {"name": "b", "start": "5", "end": "MAXVALUE"},
        ]);
        let terms = json!([{"range": {"column": "n", "partitions": partitions}}]);
        let between = PartitionRange::Between { start: text("5"), end: RangeEnd::MaxValue };
        let expected = PartitionBy::Range {
            column: text("n"),
            partitions: vec![
                RangePartition {
                    name: text("a"),
                    range: PartitionRange::LessThan(RangeEnd::Value(text("1"))),
                },
                RangePartition { name: text("b"), range: between },
            ],
        };
        assert_eq!(partition_by(&parse(terms)).unwrap(), expected);

        let list = |columns: Value, partition: Value| json!([{"list": {"columns": columns, "partitions": [partition]}}]);
        let one = list(json!(["c"]), json!({"name": "a", "values": ["x", null]}));
        let expected = |columns: &[&str], values| PartitionBy::List {
            columns: columns.iter().map(|name| text(name)).collect(),
            partitions: vec![ListPartition { name: text("a"), values }],
        };
        assert_eq!(
            partition_by(&parse(one)).unwrap(),
            expected(&["c"], vec![vec![Some(text("x"))], vec![None]])
        );
        let two = list(json!(["c", "d"]), json!({"name": "a", "tuples": [["x", null]]}));
        assert_eq!(
            partition_by(&parse(two)).unwrap(),
            expected(&["c", "d"], vec![vec![Some(text("x")), None]])
        );
    }

    #[test]
    fn what_says_too_much_or_nothing_is_refused_by_field() {
        let range = json!({"column": "n", "partitions": [{"name": "a"}]});
        let list = json!({"columns": ["a", "b"], "partitions": [{"name": "a", "values": ["x"]}]});
        for (terms, beginning) in [
            (json!([{}]), "spec.partitionBy[0]: state exactly one"),
            (json!([{"column": "a"}, {"range": range}]), "spec.partitionBy[1]: state exactly one"),
            (json!([{"range": range}]), "spec.partitionBy[0].range.partitions[0]: state either lessThan"),
            (json!([{"list": list}]), "spec.partitionBy[0].list.partitions[0]: state either values"),
        ] {
            let error = partition_by(&parse(terms)).unwrap_err().to_string();
            assert!(error.starts_with(beginning), "{error}");
        }
    }
}
