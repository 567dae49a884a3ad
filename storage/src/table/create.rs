//! Making a table. Every step can be repeated: one that was interrupted is completed by the next call, and
//! of two at once the first to link version 0 wins.

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::format::{self, LAYOUT_VERSION, OWN_FOLDER};
use super::{Table, TableError, probe};
use crate::durable::{FileSystem, SyncSite, make_dir, make_dirs};
use crate::history::HISTORY_FOLDER;
use crate::log::actions::Action;
use crate::log::compatible::differences;
use crate::log::folder::{LOG_FOLDER, LogFolder};
use crate::log::put::Commit;
use crate::log::{CommitError, delta_schema, protocol};
use crate::schema::TableDefinition;

/// Spills and probes: worthless after their process.
pub(crate) const TEMPORARY_FOLDER: &str = "_longshore/tmp";

pub(super) fn create(
    files: Arc<dyn FileSystem>,
    root: &Path,
    definition: &TableDefinition,
) -> Result<Table, TableError> {
    definition.validate().map_err(|error| TableError::InvalidDefinition(error.to_string()))?;
    refuse_foreign(files.as_ref(), root)?;
    if !format::is_delta(files.as_ref(), root)? {
        lay_out(files.as_ref(), root)?;
        put_version_zero(&files, root, definition)?;
    }
    let table = Table::open(files, root)?;
    let differences = differences(table.schema().definition(), definition);
    if !differences.is_empty() {
        let differences = differences.join("; ");
        return Err(TableError::DefinitionDiffers { path: root.to_owned(), differences });
    }
    table.head.make_durable(SyncSite::CreateAnswer)?;
    Ok(table)
}

/// Refuses a folder in which something else lies, before anything in it is touched.
fn refuse_foreign(files: &dyn FileSystem, root: &Path) -> Result<(), TableError> {
    if format::read(files, root)?.is_some() {
        return Ok(());
    }
    if format::is_delta(files, root)? {
        return format::check(files, root);
    }
    let entries = match files.list(root) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(TableError::volume("list", root, error)),
    };
    let known = ["lost+found", OWN_FOLDER, LOG_FOLDER];
    match entries.into_iter().find(|entry| !known.contains(&entry.name.as_str())) {
        None => Ok(()),
        Some(entry) => {
            let reason = format!("it holds {}; choose an empty folder", entry.name);
            Err(format::foreign(root, &reason))
        }
    }
}

/// Makes what must be there, durable, before there is a version: a table that has one is never laid out again.
fn lay_out(files: &dyn FileSystem, root: &Path) -> Result<(), TableError> {
    let temporary = root.join(TEMPORARY_FOLDER);
    make_dirs(files, root, SyncSite::TableFolderName)?;
    make_dir(files, &root.join(OWN_FOLDER))?;
    make_dir(files, &temporary)?;
    probe::probe(files, root, &temporary)?;
    make_dir(files, &root.join(HISTORY_FOLDER))?;
    make_dir(files, &root.join(LOG_FOLDER))?;
    // Makes the names in the own folder durable as well.
    format::write(files, root)?;
    files
        .sync_dir(root, SyncSite::TableLayoutNames)
        .map_err(|e| TableError::volume("fsync the folder", root, e))
}

fn put_version_zero(
    files: &Arc<dyn FileSystem>,
    root: &Path,
    definition: &TableDefinition,
) -> Result<(), TableError> {
    let log = LogFolder::new(Arc::clone(files), root);
    let info = super::lines::info("CREATE TABLE", true);
    let created = info.timestamp.unwrap_or_default();
    let id = uuid::Uuid::new_v4().to_string();
    let metadata = delta_schema::metadata(definition, id, LAYOUT_VERSION, created);
    let actions = vec![
        Action { protocol: Some(protocol::initial()), ..Action::default() },
        Action { meta_data: Some(metadata), ..Action::default() },
    ];
    let commit =
        Commit::new(&info, actions).map_err(|error| TableError::InvalidDefinition(error.to_string()))?;
    match log.put(0, &commit, None) {
        // Also when another creator was first: what stands is compared with what was asked for.
        Ok(_) => Ok(()),
        Err(CommitError::Table(error)) => Err(error),
        Err(other) => Err(TableError::CreationUnknown { path: root.to_owned(), what: other.to_string() }),
    }
}
