//! What the labels of the mix bring: everything follows from a label's number, so that any process can load
//! it, and the test knows its rows.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch};
use longshore_storage::schema::{
    Column, Compression, Distribution, PartitionBy, TableDefinition, TableSchema,
};
use longshore_storage::table::{LoadMode, OverwriteScope};
use longshore_storage::types::DataType;

use crate::log::support::column;

/// Labels that the processes take from.
const LABELS: i64 = 400;
/// Columns that may be added.
pub const EXTRA_COLUMNS: usize = 4;

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

    /// One in twelve replaces what is there.
    pub fn overwrites(self) -> bool {
        self.0 % 12 == 5
    }

    pub fn mode(self) -> LoadMode {
        if self.overwrites() { LoadMode::Overwrite(OverwriteScope::Table) } else { LoadMode::Append }
    }

    /// One in nine fails for good in its first run.
    pub fn fails_at_first(self) -> bool {
        self.0 % 9 == 4
    }

    /// Rows 0..n.
    pub fn rows(self) -> i64 {
        1 + (self.0 * 37) % 120
    }
}

pub fn definition() -> TableDefinition {
    TableDefinition {
        columns: vec![column("n", DataType::BigInt, false), column("label", DataType::BigInt, false)],
        key: vec!["n".to_owned()],
        order_by: Vec::new(),
        partition_by: PartitionBy::None,
        distribution: Distribution::Hash { columns: vec!["n".to_owned()], buckets: 2 },
        compression: Compression::Zstd,
    }
}

pub fn extra_column(number: usize) -> Column {
    column(&format!("extra{number}"), DataType::BigInt, true)
}

/// The rows of a label under a schema: columns that were added repeat `n`.
pub fn batch(label: Label, schema: &TableSchema) -> RecordBatch {
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..label.rows()));
    let labels: ArrayRef = Arc::new(Int64Array::from_value(label.0, usize::try_from(label.rows()).unwrap()));
    let columns = schema.columns().iter().map(|column| match column.name.as_str() {
        "label" => Arc::clone(&labels),
        _ => Arc::clone(&numbers),
    });
    RecordBatch::try_new(Arc::clone(schema.arrow()), columns.collect()).unwrap()
}
