//! `_longshore/format.json`: whose folder this is, and by which layout.

use std::io;
use std::path::Path;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::TableError;
use crate::durable::{FileSystem, PutSites, SyncSite, put_new, read_all};
use crate::log::delta_schema::LAYOUT_VERSION as LAYOUT_PROPERTY;
use crate::log::folder::{LOG_FOLDER, LOOK_AGAIN, NAME_WAIT};
use crate::log::names::commit_name;

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
    let until = Instant::now() + NAME_WAIT;
    loop {
        if read(files, root)?.is_some() {
            return Ok(());
        }
        if !is_delta(files, root)? {
            return Err(foreign(root, &"there is no table in it"));
        }
        // Our document is durable before our log begins: a network volume may go on for a while to take its
        // name for absent.
        if !begins_as_ours(files, root)? || Instant::now() >= until {
            return Err(foreign(root, &"it is a Delta table of another engine; choose another folder"));
        }
        std::thread::sleep(LOOK_AGAIN);
    }
}

/// Whether the log begins with the metadata that we write.
fn begins_as_ours(files: &dyn FileSystem, root: &Path) -> Result<bool, TableError> {
    let path = root.join(LOG_FOLDER).join(commit_name(0));
    match read_all(files, &path) {
        Ok(bytes) => {
            Ok(bytes.windows(LAYOUT_PROPERTY.len()).any(|bytes| bytes == LAYOUT_PROPERTY.as_bytes()))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(TableError::volume("read", &path, error)),
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
