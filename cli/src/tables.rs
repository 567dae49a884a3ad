//! The tables of local mode, as the storage crate keeps them.

use std::path::Path;
use std::sync::Arc;

use longshore_crds::{ColumnOrigin, ColumnStatus, TableStatus};
use longshore_storage::durable::Posix;
use longshore_storage::schema::TableDefinition;
use longshore_storage::table::{Table, TableError};

pub use longshore_storage::table::LabelState;

/// Columns that a status lists.
const LISTED_COLUMNS: usize = 200;

/// Makes the table, or opens the one that is there if its definition is the same.
pub fn create(root: &Path, definition: &TableDefinition) -> Result<TableStatus, TableError> {
    status(&Table::create(Arc::new(Posix), root, definition)?)
}

/// What is known of the table now.
pub fn read(root: &Path) -> Result<TableStatus, TableError> {
    status(&Table::open(Arc::new(Posix), root)?)
}

/// What the table's log says of a label.
pub fn label(root: &Path, label: &str) -> Result<LabelState, TableError> {
    Table::open(Arc::new(Posix), root)?.label(label)
}

fn status(table: &Table) -> Result<TableStatus, TableError> {
    let totals = table.totals()?;
    let columns = table.schema().columns();
    let listed = columns.iter().take(LISTED_COLUMNS).map(|column| ColumnStatus {
        name: column.name.clone(),
        data_type: column.data_type.to_string(),
        origin: ColumnOrigin::Declared,
    });
    Ok(TableStatus {
        columns: listed.collect(),
        column_count: u32::try_from(columns.len()).ok(),
        version: Some(table.version()),
        rows: Some(totals.rows),
        bytes: Some(totals.bytes),
        files: Some(totals.files),
        tablets: Some(u64::from(table.schema().buckets())),
        ..TableStatus::default()
    })
}
