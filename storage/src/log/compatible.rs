//! Whether segments written under one schema fit a table that has another by now.

use super::conflict::Change;
use crate::schema::TableDefinition;

/// Says what does not fit, and which change that is; `None`: the segments may be committed.
pub(crate) fn conflict(written: &TableDefinition, now: &TableDefinition) -> Option<(Change, String)> {
    if written == now {
        return None;
    }
    let redefined = |what: String| Some((Change::TableRedefined, what));
    if written.distribution != now.distribution
        || written.partition_by != now.partition_by
        || sort_key(written) != sort_key(now)
        || written.key != now.key
    {
        return redefined("its key, sort key, partitions or distribution changed".to_owned());
    }
    for column in &written.columns {
        let same = |other: &&crate::schema::Column| other.name == column.name;
        match now.columns.iter().find(same) {
            None => return redefined(format!("column {} is gone", column.name)),
            Some(other) if other.data_type != column.data_type => {
                let what =
                    format!("column {} was {} and is {}", column.name, column.data_type, other.data_type);
                return Some((Change::ColumnRetyped, what));
            }
            Some(other) if column.nullable && !other.nullable => {
                return redefined(format!("column {} does not take NULL any more", column.name));
            }
            Some(_) => {}
        }
    }
    let new = |name: &str| !written.columns.iter().any(|column| column.name == name);
    now.columns
        .iter()
        .find(|column| new(&column.name) && !column.nullable)
        .and_then(|column| redefined(format!("the new column {} does not take NULL", column.name)))
}

/// Names the differences between a table and a declaration; empty: none.
pub(crate) fn differences(stands: &TableDefinition, declared: &TableDefinition) -> Vec<String> {
    let mut differences = Vec::new();
    for column in &declared.columns {
        match stands.columns.iter().find(|other| other.name == column.name) {
            None => differences.push(format!("column {} is declared and not in the table", column.name)),
            Some(other) => {
                if other.data_type != column.data_type {
                    differences.push(format!(
                        "column {} is declared {} and is {}",
                        column.name, column.data_type, other.data_type
                    ));
                }
                if other.nullable != column.nullable {
                    let word = |nullable| if nullable { "NULL" } else { "NOT NULL" };
                    differences.push(format!(
                        "column {} is declared {} and is {}",
                        column.name,
                        word(column.nullable),
                        word(other.nullable)
                    ));
                }
                if other.default != column.default {
                    differences.push(format!("column {} has another default", column.name));
                }
            }
        }
    }
    for column in &stands.columns {
        if !declared.columns.iter().any(|other| other.name == column.name) {
            differences.push(format!("column {} is in the table and not declared", column.name));
        }
    }
    let order = |definition: &TableDefinition| -> Vec<String> {
        definition.columns.iter().map(|column| column.name.clone()).collect()
    };
    if differences.is_empty() && order(stands) != order(declared) {
        differences.push(format!("the order of the columns is {}", order(stands).join(", ")));
    }
    if stands.key != declared.key {
        differences.push(format!("the key is ({})", stands.key.join(", ")));
    }
    if sort_key(stands) != sort_key(declared) {
        differences.push(format!("the sort key is ({})", sort_key(stands).join(", ")));
    }
    if stands.partition_by != declared.partition_by {
        differences.push("it has other partitions".to_owned());
    }
    if stands.distribution != declared.distribution {
        differences.push(format!("the distribution is {:?}", stands.distribution));
    }
    if stands.compression != declared.compression {
        differences.push(format!("the compression is {:?}", stands.compression));
    }
    differences
}

fn sort_key(definition: &TableDefinition) -> &[String] {
    if definition.order_by.is_empty() { &definition.key } else { &definition.order_by }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{Column, Compression, Distribution};
    use crate::types::DataType;

    fn definition(columns: &[(&str, DataType, bool)]) -> TableDefinition {
        let column = |(name, data_type, nullable): &(&str, DataType, bool)| Column {
            name: (*name).to_owned(),
            data_type: data_type.clone(),
            nullable: *nullable,
            default: None,
        };
        TableDefinition {
            columns: columns.iter().map(column).collect(),
            key: vec!["a".to_owned()],
            order_by: Vec::new(),
            partition_by: crate::schema::PartitionBy::None,
            distribution: Distribution::Random { buckets: 2 },
            compression: Compression::Zstd,
        }
    }

    fn check(written: &TableDefinition, now: &TableDefinition) -> Option<String> {
        conflict(written, now).map(|(_, what)| what)
    }

    #[test]
    fn a_new_nullable_column_lets_an_append_go_on_and_anything_else_does_not() {
        let written = definition(&[("a", DataType::Int, false), ("b", DataType::String, true)]);
        let mut wider = written.clone();
        wider.columns.push(definition(&[("c", DataType::Int, true)]).columns.remove(0));
        assert_eq!(check(&written, &wider), None);

        wider.columns[2].nullable = false;
        assert_eq!(check(&written, &wider).unwrap(), "the new column c does not take NULL");

        let mut retyped = written.clone();
        retyped.columns[0].data_type = DataType::BigInt;
        assert_eq!(check(&written, &retyped).unwrap(), "column a was INT and is BIGINT");

        let narrow = definition(&[("a", DataType::Int, false)]);
        assert_eq!(check(&written, &narrow).unwrap(), "column b is gone");

        let mut strict = written.clone();
        strict.columns[1].nullable = false;
        assert_eq!(check(&written, &strict).unwrap(), "column b does not take NULL any more");

        let mut spread = written.clone();
        spread.distribution = Distribution::Random { buckets: 3 };
        assert!(check(&written, &spread).is_some());
    }

    #[test]
    fn differences_are_named_and_an_omitted_sort_key_is_the_key() {
        let stands = definition(&[("a", DataType::Int, false), ("b", DataType::String, true)]);
        let mut declared = stands.clone();
        declared.order_by = declared.key.clone();
        assert!(differences(&stands, &declared).is_empty());

        declared.columns[0].data_type = DataType::BigInt;
        declared.columns[1].name = "c".to_owned();
        declared.compression = Compression::None;
        assert_eq!(
            differences(&stands, &declared),
            [
                "column a is declared BIGINT and is INT",
                "column c is declared and not in the table",
                "column b is in the table and not declared",
                "the compression is Zstd",
            ]
        );
    }
}
