//! `Table.spec.partitionBy`: how a table is cut into partitions.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A part of what decides a row's partition; exactly one of the fields. `range` and `list` stand alone; of
/// `column` and `dateTrunc` each combination of values is a partition that loads make.
#[derive(KubeSchema, Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("[has(self.column), has(self.dateTrunc), has(self.range), has(self.list)].filter(stated, stated).size() == 1").message("state exactly one of column, dateTrunc, range and list"))]
pub struct PartitionTermSpec {
    /// A partition for each value of this column: BOOLEAN, an integer, DECIMAL, DATE, DATETIME or text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255))]
    pub column: Option<String>,
    /// A partition for each unit of time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date_trunc: Option<DateTruncSpec>,
    /// Named ranges of a column's values. A row outside of all of them is filtered; NULL belongs to the lowest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<RangePartitionsSpec>,
    /// Named lists of values. A row whose values no list has is filtered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub list: Option<ListPartitionsSpec>,
}

/// A partition for each unit of time in which a column's values lie.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DateTruncSpec {
    /// The unit; weeks begin on Monday.
    pub unit: DateUnitSpec,
    /// A DATETIME column, or, for units of a day and more, a DATE column.
    #[schemars(length(min = 1, max = 255))]
    pub column: String,
}

/// A unit of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DateUnitSpec {
    /// Hours.
    Hour,
    /// Days.
    Day,
    /// Weeks.
    Week,
    /// Months.
    Month,
    /// Quarters.
    Quarter,
    /// Years.
    Year,
}

/// Named ranges of a column's values, without overlap.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RangePartitionsSpec {
    /// The column: an integer, DECIMAL, DATE, DATETIME or text.
    #[schemars(length(min = 1, max = 255))]
    pub column: String,
    /// The partitions.
    #[schemars(length(min = 1, max = 4096))]
    pub partitions: Vec<RangePartitionSpec>,
}

/// A range: `lessThan`, or `start` with `end`.
#[derive(KubeSchema, Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.start) == has(self.end) && has(self.lessThan) != has(self.end)").message("state either lessThan, or start and end"))]
pub struct RangePartitionSpec {
    /// Name of the partition, unique in the table.
    #[schemars(length(min = 1, max = 64), regex(pattern = "^[A-Za-z0-9_][A-Za-z0-9_.-]*$"))]
    pub name: String,
    /// Values from the end of the partition before (of the first: from the lowest) to below this one, as text;
    /// `MAXVALUE`: all that are left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub less_than: Option<String>,
    /// The lowest value, as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub start: Option<String>,
    /// The value that all are below, as text; `MAXVALUE`: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub end: Option<String>,
}

/// Named lists of values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListPartitionsSpec {
    /// The columns: BOOLEAN, integers, DECIMAL, DATE, DATETIME or text.
    #[schemars(length(min = 1, max = 16), inner(length(min = 1, max = 255)))]
    pub columns: Vec<String>,
    /// The partitions.
    #[schemars(length(min = 1, max = 4096))]
    pub partitions: Vec<ListPartitionSpec>,
}

/// A list of values: `values` of one column, `tuples` of several.
#[derive(KubeSchema, Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.values) != has(self.tuples)").message("state either values (of one column) or tuples (of several)"))]
pub struct ListPartitionSpec {
    /// Name of the partition, unique in the table.
    #[schemars(length(min = 1, max = 64), regex(pattern = "^[A-Za-z0-9_][A-Za-z0-9_.-]*$"))]
    pub name: String,
    /// Values of the one column, as text; null: NULL.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 4096), inner(length(max = 1024)))]
    pub values: Vec<Option<String>>,
    /// Values of all columns, in their order, as text; null: NULL.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 4096), inner(length(max = 16), inner(length(max = 1024))))]
    pub tuples: Vec<Vec<Option<String>>>,
}
