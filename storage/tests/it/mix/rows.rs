//! What the labels of the mix bring: everything follows from a label's number, so that any process can load
//! it, and the test knows its rows.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use longshore_storage::schema::{
    Column, Compression, Distribution, ListPartition, PartitionBy, TableDefinition, TableSchema,
};
use longshore_storage::table::{LoadMode, OverwriteScope};
use longshore_storage::types::DataType;

use crate::log::support::column;

/// Labels that the processes take from.
const LABELS: i64 = 400;
/// Columns that may be added.
pub const EXTRA_COLUMNS: usize = 4;
/// Partitions of a table that has them.
const PARTITIONS: i64 = 4;
/// Rows `n` of a partition stand together in runs of so many.
const ROWS_TOGETHER: i64 = 8;

/// The partition of the row `n`.
pub fn partition_of(n: i64) -> i64 {
    n / ROWS_TOGETHER % PARTITIONS
}

fn partition_name(partition: i64) -> String {
    format!("part{partition}")
}

/// What a label does to the rows that are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Append,
    Overwrite,
    /// Of the partitions in which its rows lie.
    Dynamic,
    /// Of two partitions that it names; its rows are those of its range that lie there, and may be none.
    Named,
}

/// One label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Label(pub i64);

impl Label {
    pub fn all() -> impl Iterator<Item = Self> {
        (0..LABELS).map(Self)
    }

    pub fn name(self) -> String {
        format!("label-{}", self.0)
    }

    pub fn of(name: &str) -> Self {
        Self(name.strip_prefix("label-").unwrap().parse().unwrap())
    }

    /// One in twelve replaces what is there; in a table with partitions one in six replaces some of them.
    pub fn kind(self, has_partitions: bool) -> Kind {
        match self.0 % 12 {
            5 => Kind::Overwrite,
            1 | 7 if has_partitions => Kind::Dynamic,
            3 | 9 if has_partitions => Kind::Named,
            _ => Kind::Append,
        }
    }

    /// The partitions that it names.
    fn named(self) -> [i64; 2] {
        [self.0 / 12 % PARTITIONS, (self.0 / 12 + 1) % PARTITIONS]
    }

    pub fn mode(self, has_partitions: bool) -> LoadMode {
        match self.kind(has_partitions) {
            Kind::Append => LoadMode::Append,
            Kind::Overwrite => LoadMode::Overwrite(OverwriteScope::Table),
            Kind::Dynamic => LoadMode::Overwrite(OverwriteScope::Dynamic),
            Kind::Named => {
                let names = self.named().map(partition_name);
                LoadMode::Overwrite(OverwriteScope::Partitions(names.into()))
            }
        }
    }

    /// The partitions whose rows it replaces.
    pub fn replaces(self, has_partitions: bool) -> BTreeSet<i64> {
        match self.kind(has_partitions) {
            Kind::Append => BTreeSet::new(),
            Kind::Overwrite => (0..PARTITIONS).collect(),
            Kind::Dynamic => self.rows(has_partitions).into_iter().map(partition_of).collect(),
            Kind::Named => self.named().into(),
        }
    }

    /// One in nine fails for good in its first run.
    pub fn fails_at_first(self) -> bool {
        self.0 % 9 == 4
    }

    /// The numbers `n` of its rows.
    pub fn rows(self, has_partitions: bool) -> BTreeSet<i64> {
        let is_in = |n: &i64| match self.kind(has_partitions) {
            Kind::Named => self.named().contains(&partition_of(*n)),
            _ => true,
        };
        (0..1 + (self.0 * 37) % 120).filter(is_in).collect()
    }
}

/// With partitions, the partition stands in a column of its own.
pub fn definition(has_partitions: bool) -> TableDefinition {
    let mut columns = vec![column("n", DataType::BigInt, false), column("label", DataType::BigInt, false)];
    let mut partition_by = PartitionBy::None;
    if has_partitions {
        columns.push(column("part", DataType::BigInt, false));
        let list = |partition: i64| ListPartition {
            name: partition_name(partition),
            values: vec![vec![Some(partition.to_string())]],
        };
        let partitions = (0..PARTITIONS).map(list).collect();
        partition_by = PartitionBy::List { columns: vec!["part".to_owned()], partitions };
    }
    TableDefinition {
        columns,
        key: vec!["n".to_owned()],
        order_by: Vec::new(),
        partition_by,
        distribution: Distribution::Hash { columns: vec!["n".to_owned()], buckets: 2 },
        compression: Compression::Zstd,
    }
}

pub fn extra_column(number: usize) -> Column {
    column(&format!("extra{number}"), DataType::BigInt, true)
}

/// The rows of a label under a schema: columns that were added repeat `n`.
pub fn batch(label: Label, schema: &TableSchema) -> RecordBatch {
    let rows = label.rows(has_partitions(schema));
    let parts: ArrayRef = Arc::new(Int64Array::from_iter_values(rows.iter().map(|n| partition_of(*n))));
    let labels: ArrayRef = Arc::new(Int64Array::from_value(label.0, rows.len()));
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(rows));
    let columns = schema.columns().iter().map(|column| match column.name.as_str() {
        "label" => Arc::clone(&labels),
        "part" => Arc::clone(&parts),
        _ => Arc::clone(&numbers),
    });
    RecordBatch::try_new(Arc::clone(schema.arrow()), columns.collect()).unwrap()
}

pub fn has_partitions(schema: &TableSchema) -> bool {
    !schema.definition().partition_by.is_none()
}
