//! The tables of local mode, as the storage crate keeps them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use longshore_crds::{ColumnOrigin, ColumnStatus, TableStatus};
use longshore_storage::durable::Posix;
use longshore_storage::schema::TableDefinition;
use longshore_storage::table::{PartitionSummary, Table, TableError, Totals};

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

fn status(table: &Table) -> Result<TableStatus, TableError> {
    let partitions = table.partitions()?;
    let sum = |of: fn(&Totals) -> u64| partitions.iter().map(|partition| of(&partition.totals)).sum();
    let is_partitioned = !table.schema().partition_columns().is_empty();
    let of_table = if is_partitioned { partitions.len() as u64 } else { 1 };
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
        rows: Some(sum(|totals| totals.rows)),
        bytes: Some(sum(|totals| totals.bytes)),
        files: Some(sum(|totals| totals.files)),
        tablets: Some(of_table * u64::from(table.schema().buckets())),
        ..TableStatus::default()
    })
}
