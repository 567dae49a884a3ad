//! What is known of a table that is open: figures and columns.

use longshore_crds::{ColumnOrigin, ColumnStatus, TableFigures};
use longshore_storage::table::{Table, TableError, Totals};

/// Columns that a status lists.
const LISTED_COLUMNS: usize = 200;

/// Rows, bytes, files and tablets of the version that is open. Reads the list of files.
///
/// # Errors
/// The log cannot be read.
pub fn figures(table: &Table) -> Result<TableFigures, TableError> {
    let partitions = table.partitions()?;
    let sum = |of: fn(&Totals) -> u64| partitions.iter().map(|partition| of(&partition.totals)).sum();
    let is_partitioned = !table.schema().partition_columns().is_empty();
    let of_table = if is_partitioned { partitions.len() as u64 } else { 1 };
    Ok(TableFigures {
        table_version: table.version(),
        rows: sum(|totals| totals.rows),
        bytes: sum(|totals| totals.bytes),
        files: sum(|totals| totals.files),
        tablets: of_table * u64::from(table.schema().buckets()),
        column_count: u32::try_from(table.schema().columns().len()).unwrap_or(u32::MAX),
    })
}

/// The first columns, in order, with where they came from: what no load brought has this `origin`.
///
/// # Errors
/// The schema in the log cannot be read.
pub fn columns(table: &Table, origin: ColumnOrigin) -> Result<Vec<ColumnStatus>, TableError> {
    let drifted = table.drifted_columns()?;
    let columns = table.schema().columns().iter().take(LISTED_COLUMNS).map(|column| ColumnStatus {
        name: column.name.clone(),
        data_type: column.data_type.to_string(),
        origin: if drifted.contains(&column.name) { ColumnOrigin::Drift } else { origin },
    });
    Ok(columns.collect())
}
