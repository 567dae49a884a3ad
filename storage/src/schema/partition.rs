//! How a table is cut into partitions: by the values of expressions, by ranges, or by lists of values.

use serde::{Deserialize, Serialize};

mod assign;
mod bounds;
mod codes;
mod name;
mod unit;
mod validate;
mod value;

pub use assign::{PartitionIndices, Partitioner};
pub use name::Partition;
pub use unit::DateUnit;

pub(crate) use bounds::PartitionBounds;
pub(crate) use codes::FastMap;

/// Most partitions that a definition may name.
pub const MAX_DECLARED_PARTITIONS: usize = 4_096;
/// Most partitions that one load may bring to a table.
pub const MAX_NEW_PARTITIONS: usize = 4_096;

/// What decides the partition of a row. Values stand as text, as the declaration has them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum PartitionBy {
    /// One partition, whose name is empty.
    #[default]
    None,
    /// A partition for each tuple of values that comes up; loads make them.
    Expression(Vec<PartitionTerm>),
    /// Ranges of one column's values. A value in none of them does not fit; NULL belongs to the lowest.
    Range {
        /// The column.
        column: String,
        /// The partitions, in any order unless they are bounded by those before them.
        partitions: Vec<RangePartition>,
    },
    /// Lists of values. What no list has, NULL too, does not fit.
    List {
        /// The columns.
        columns: Vec<String>,
        /// The partitions.
        partitions: Vec<ListPartition>,
    },
}

/// A part of a partition expression.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum PartitionTerm {
    /// The value of a column.
    Column(String),
    /// The unit of time in which the value of a DATE or DATETIME column lies.
    DateTrunc {
        /// The unit.
        unit: DateUnit,
        /// The column.
        column: String,
    },
}

/// A named range.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RangePartition {
    /// Name, unique in the table.
    pub name: String,
    /// What it holds.
    pub range: PartitionRange,
}

/// Values from a bound to another, which is not part of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum PartitionRange {
    /// From the end of the partition declared before (of the first: from the lowest value).
    LessThan(RangeEnd),
    /// From `start`.
    Between {
        /// The lowest value.
        start: String,
        /// The end.
        end: RangeEnd,
    },
}

/// The end of a range, which is not part of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum RangeEnd {
    /// A value.
    Value(String),
    /// Above all values.
    MaxValue,
}

/// A named list of values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListPartition {
    /// Name, unique in the table.
    pub name: String,
    /// Tuples of one value for each column; absent: NULL.
    pub values: Vec<Vec<Option<String>>>,
}

impl PartitionTerm {
    /// Name of the column it reads.
    pub fn column(&self) -> &str {
        match self {
            Self::Column(column) | Self::DateTrunc { column, .. } => column,
        }
    }
}

impl PartitionRange {
    /// The end.
    pub fn end(&self) -> &RangeEnd {
        match self {
            Self::LessThan(end) | Self::Between { end, .. } => end,
        }
    }
}

impl PartitionBy {
    /// Names of the columns that decide, in order.
    pub fn columns(&self) -> Vec<&str> {
        match self {
            Self::None => Vec::new(),
            Self::Expression(terms) => terms.iter().map(PartitionTerm::column).collect(),
            Self::Range { column, .. } => vec![column],
            Self::List { columns, .. } => columns.iter().map(String::as_str).collect(),
        }
    }

    /// Whether the table has no partitions.
    pub fn is_none(&self) -> bool {
        *self == Self::None
    }

    /// Names of the partitions that are declared; `None`: loads make them.
    pub fn declared(&self) -> Option<Vec<&str>> {
        match self {
            Self::None | Self::Expression(_) => None,
            Self::Range { partitions, .. } => Some(partitions.iter().map(|p| p.name.as_str()).collect()),
            Self::List { partitions, .. } => Some(partitions.iter().map(|p| p.name.as_str()).collect()),
        }
    }
}
