//! The tables of local mode, as the storage crate keeps them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use longshore_crds::{ColumnOrigin, TableStatus};
use longshore_storage::durable::Posix;
use longshore_storage::schema::TableDefinition;
use longshore_storage::table::{CommitError, PartitionSummary, Table, TableError, Totals};
use longshore_worker::table::{columns, figures};

pub use longshore_storage::table::LabelState;

/// Makes the table, or opens the one that is there if it agrees with the definition; nullable columns that it
/// lacks are added.
pub fn declare(
    root: &Path,
    definition: &TableDefinition,
    origin: ColumnOrigin,
) -> Result<TableStatus, CommitError> {
    let (table, _) = Table::declare(Arc::new(Posix), root, definition)?;
    Ok(status(&table, origin)?)
}

/// What is known of the table now.
pub fn read(root: &Path, origin: ColumnOrigin) -> Result<TableStatus, TableError> {
    status(&Table::open(Arc::new(Posix), root)?, origin)
}

/// What the table's log says of a label.
pub fn label(root: &Path, label: &str) -> Result<LabelState, TableError> {
    Table::open(Arc::new(Posix), root)?.label(label)
}

/// The partitions of the table now, those too that are declared and have no rows.
pub fn partitions(root: &Path) -> Result<Vec<PartitionSummary>, TableError> {
    let table = Table::open(Arc::new(Posix), root)?;
    let mut partitions = table.partitions()?;
    for name in table.schema().definition().partition_by.declared().unwrap_or_default() {
        if !partitions.iter().any(|partition| partition.name == name) {
            let (values, totals) = (BTreeMap::new(), Totals::default());
            partitions.push(PartitionSummary { name: name.to_owned(), values, totals });
        }
    }
    Ok(partitions)
}

fn status(table: &Table, origin: ColumnOrigin) -> Result<TableStatus, TableError> {
    let figures = figures(table)?;
    Ok(TableStatus {
        columns: columns(table, origin)?,
        column_count: Some(figures.column_count),
        version: Some(figures.table_version),
        rows: Some(figures.rows),
        bytes: Some(figures.bytes),
        files: Some(figures.files),
        tablets: Some(figures.tablets),
        ..TableStatus::default()
    })
}
