//! Reports of dry runs, `_longshore/dry-runs/<label>-<milliseconds>-<writer>-<n>.json`: for whoever reads them;
//! nothing follows from them, and vacuum takes them after the retention time.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::durable::unique_name;
use crate::log::TableError;
use crate::table::Table;

/// Folder of the reports, relative to the table's folder.
pub(crate) const DRY_RUNS_FOLDER: &str = "_longshore/dry-runs";

/// Leaves the report of a dry run of `label`; gives its path, relative to the table's folder. It is not made
/// durable.
///
/// # Errors
/// The volume.
pub fn write_dry_run_report(table: &Table, label: &str, report: &[u8]) -> Result<String, TableError> {
    let folder = table.root().join(DRY_RUNS_FOLDER);
    let files = table.files();
    files.create_dir(&folder).map_err(|e| TableError::volume("make the folder", &folder, e))?;
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let relative = format!("{DRY_RUNS_FOLDER}/{label}-{}-{}.json", since_epoch.as_millis(), unique_name());
    let path = table.root().join(&relative);
    let mut file = files.create(&path).map_err(|e| TableError::volume("create", &path, e))?;
    let written = file.write_all(report).and_then(|()| file.flush());
    written.map_err(|e| TableError::volume("write", &path, e))?;
    Ok(relative)
}
