//! Columns that a Table leaves to files.

use std::path::Path;
use std::sync::Arc;

use longshore_crds::{ColumnOrigin, ColumnSpec, TableSpec};
use longshore_storage::durable::Posix;
use longshore_storage::table::Table;

use crate::infer::{InferError, infer};
use crate::source::ConnectContext;

/// Where the columns come from that no load brought.
pub fn origin(spec: &TableSpec) -> ColumnOrigin {
    if spec.infer_from.is_some() { ColumnOrigin::Inferred } else { ColumnOrigin::Declared }
}

/// The spec with its columns. Those that it leaves to files are the columns of the table at `root`, if it
/// stands: files are asked once, when the table is made.
///
/// # Errors
/// What keeps the files from having columns.
pub async fn resolved(
    spec: &TableSpec,
    root: &Path,
    context: &ConnectContext,
) -> Result<TableSpec, InferError> {
    let mut spec = spec.clone();
    let Some(from) = spec.infer_from.take() else { return Ok(spec) };
    let column = |name: &str, data_type: String| ColumnSpec {
        name: name.to_owned(),
        data_type,
        nullable: true,
        default: None,
    };
    let root = root.to_owned();
    let standing = tokio::task::spawn_blocking(move || {
        let table = Table::open(Arc::new(Posix), &root).ok()?;
        let columns = table.schema().columns().iter();
        Some(columns.map(|stands| column(&stands.name, stands.data_type.to_string())).collect())
    });
    spec.columns = match standing.await.map_err(|error| InferError::Internal(error.to_string()))? {
        Some(columns) => columns,
        None => {
            let found = infer(&from, context).await?.columns.into_iter();
            found.map(|found| column(&found.name, found.data_type.to_string())).collect()
        }
    };
    Ok(spec)
}
