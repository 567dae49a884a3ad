//! What a table is: its columns, key, sort key, partitions and distribution.

mod default;
pub(crate) mod partition;
mod validate;

use std::sync::Arc;

use arrow::datatypes::{Field, Schema as ArrowSchema, SchemaRef};
use sha2::{Digest, Sha256};

use crate::types::DataType;

pub use partition::{
    DateUnit, ListPartition, MAX_DECLARED_PARTITIONS, MAX_NEW_PARTITIONS, Partition, PartitionBy,
    PartitionIndices, PartitionRange, PartitionTerm, Partitioner, RangeEnd, RangePartition,
};
pub use validate::{MAX_BUCKETS, MAX_COLUMN_NAME_BYTES, MAX_COLUMNS, Place, SchemaError};

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Name; unique ignoring case.
    pub name: String,
    /// Type.
    pub data_type: DataType,
    /// Whether NULL may stand in it.
    pub nullable: bool,
    /// The declared default.
    pub default: Option<DefaultValue>,
}

/// A declared default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DefaultValue {
    /// A literal, as text; cast to the column's type by the rules of a load in strict mode.
    Literal(String),
    /// `CURRENT_TIMESTAMP`: one instant a load, frozen in the plan.
    CurrentTimestamp,
    /// `uuid()`: another value in each row.
    Uuid,
}

/// How rows are spread over the tablets of a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Distribution {
    /// By the bucket hash of these columns.
    Hash {
        /// Names of the columns.
        columns: Vec<String>,
        /// Number of buckets.
        buckets: u32,
    },
    /// Evenly, by turns.
    Random {
        /// Number of buckets.
        buckets: u32,
    },
}

/// Codec of the segments' pages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Compression {
    /// zstd level 1 where it pays.
    #[default]
    Zstd,
    /// LZ4 raw where it pays.
    Lz4,
    /// Snappy where it pays.
    Snappy,
    /// None.
    None,
}

/// A table as declared. `TableDefinition::validate` says what is wrong with it, by column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableDefinition {
    /// Columns in order.
    pub columns: Vec<Column>,
    /// Key columns of a Duplicate-key table (may be empty).
    pub key: Vec<String>,
    /// Sort key; empty: the key columns.
    pub order_by: Vec<String>,
    /// Partitions.
    pub partition_by: PartitionBy,
    /// Distribution, in each partition.
    pub distribution: Distribution,
    /// Codec.
    pub compression: Compression,
}

/// A table's schema, resolved: names are indices, and the Arrow schema is made once.
#[derive(Debug, Clone)]
pub struct TableSchema {
    definition: TableDefinition,
    arrow: SchemaRef,
    sort_key: Vec<usize>,
    hash_columns: Vec<usize>,
    partition_columns: Vec<usize>,
}

impl TableSchema {
    /// Resolves a definition that was validated.
    pub fn new(definition: TableDefinition) -> Self {
        let fields = definition.columns.iter().map(|c| Field::new(&c.name, c.data_type.arrow(), c.nullable));
        let arrow = Arc::new(ArrowSchema::new(fields.collect::<Vec<_>>()));
        let index = |name: &String| definition.columns.iter().position(|c| c.name.eq_ignore_ascii_case(name));
        let sort_names = if definition.order_by.is_empty() { &definition.key } else { &definition.order_by };
        let sort_key = sort_names.iter().filter_map(index).collect();
        let hash_columns = match &definition.distribution {
            Distribution::Hash { columns, .. } => columns.iter().filter_map(index).collect(),
            Distribution::Random { .. } => Vec::new(),
        };
        let by = |name: &str| definition.columns.iter().position(|c| c.name.eq_ignore_ascii_case(name));
        let partition_columns = definition.partition_by.columns().into_iter().filter_map(by).collect();
        Self { arrow, sort_key, hash_columns, partition_columns, definition }
    }

    /// The definition.
    pub fn definition(&self) -> &TableDefinition {
        &self.definition
    }

    /// Stands for the whole definition: two that differ have different digests (hex). Equal ones may have
    /// different digests in two versions of Longshore; it is for asking whether work can be taken over.
    pub fn digest(&self) -> String {
        hex::encode(Sha256::digest(format!("{:?}", self.definition)))
    }

    /// Columns in order.
    pub fn columns(&self) -> &[Column] {
        &self.definition.columns
    }

    /// The Arrow schema of the rows in memory and in segments, columns in order.
    pub fn arrow(&self) -> &SchemaRef {
        &self.arrow
    }

    /// Indices of the sort key's columns.
    pub fn sort_key(&self) -> &[usize] {
        &self.sort_key
    }

    /// Indices of the distribution's columns; empty: random.
    pub fn hash_columns(&self) -> &[usize] {
        &self.hash_columns
    }

    /// Indices of the columns that decide a row's partition; empty: the table has no partitions.
    pub fn partition_columns(&self) -> &[usize] {
        &self.partition_columns
    }

    /// Buckets of a partition.
    pub fn buckets(&self) -> u32 {
        match self.definition.distribution {
            Distribution::Hash { buckets, .. } | Distribution::Random { buckets } => buckets,
        }
    }
}
