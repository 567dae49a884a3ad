//! `_longshore/format.json`: whose folder this is, and by which layout.

use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::TableError;
use crate::durable::{FileSystem, PutSites, SyncSite, put_new, read_all};
use crate::log::folder::LOG_FOLDER;

/// Our own folder in the table's.
pub(super) const OWN_FOLDER: &str = "_longshore";
/// The newest layout that this build knows.
pub(super) const LAYOUT_VERSION: u64 = 1;

const NAME: &str = "format.json";
const FORMAT: &str = "longshore";

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    format: String,
    layout_version: u64,
}

/// Puts the document in place, durable.
pub(super) fn write(files: &dyn FileSystem, root: &Path) -> Result<(), TableError> {
    let folder = root.join(OWN_FOLDER);
    let document = Document { format: FORMAT.to_owned(), layout_version: LAYOUT_VERSION };
    let bytes = serde_json::to_vec(&document).map_err(|e| foreign(root, &e))?;
    let sites = PutSites { contents: SyncSite::FormatContents, name: SyncSite::FormatName };
    put_new(files, &folder, NAME, &bytes, sites)?;
    Ok(())
}

/// Refuses a folder that is not ours, or of a newer layout.
pub(super) fn check(files: &dyn FileSystem, root: &Path) -> Result<(), TableError> {
    match read(files, root)? {
        Some(_) => Ok(()),
        None if is_delta(files, root)? => {
            Err(foreign(root, &"it is a Delta table of another engine; choose another folder"))
        }
        None => Err(foreign(root, &"there is no table in it")),
    }
}

/// The layout version; `None`: there is no document. A newer one is refused.
pub(super) fn read(files: &dyn FileSystem, root: &Path) -> Result<Option<u64>, TableError> {
    let path = root.join(OWN_FOLDER).join(NAME);
    let bytes = match read_all(files, &path) {
        Ok(bytes) => bytes,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(TableError::volume("read", &path, error)),
    };
    let document: Document =
        serde_json::from_slice(&bytes).map_err(|e| foreign(root, &format!("{}: {e}", path.display())))?;
    if document.format != FORMAT {
        return Err(foreign(root, &format!("{} names the format {}", path.display(), document.format)));
    }
    if document.layout_version > LAYOUT_VERSION {
        let (found, known) = (document.layout_version, LAYOUT_VERSION);
        return Err(TableError::NewerLayout { path: root.to_owned(), found, known });
    }
    Ok(Some(document.layout_version))
}

/// Whether there is anything in the folder's log.
pub(super) fn is_delta(files: &dyn FileSystem, root: &Path) -> Result<bool, TableError> {
    let path = root.join(LOG_FOLDER);
    match files.list(&path) {
        Ok(entries) => Ok(entries.iter().any(|entry| !entry.name.starts_with('.'))),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(false)
        }
        Err(error) => Err(TableError::volume("list", &path, error)),
    }
}

pub(super) fn foreign(root: &Path, reason: &dyn std::fmt::Display) -> TableError {
    TableError::NotALongshoreTable { path: root.to_owned(), reason: reason.to_string() }
}
