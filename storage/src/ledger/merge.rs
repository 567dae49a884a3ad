//! Merging entries into one sorted file: of a key that stands in several, the newest counts.

use std::collections::BTreeMap;
use std::path::Path;

use super::entry::FileEntry;
use super::error::LedgerError;
use super::key::FileKey;
use super::log_file::Put;
use super::meta::Meta;
use super::names::{Kind, LedgerFile, sorted_name};
use super::sorted::{SortedFile, SortedWriter};
use crate::durable::{FileSystem, SyncSite, discard, unique_name};

/// Goes through the entries of a sorted file.
struct Cursor<'a> {
    file: &'a mut SortedFile,
    /// The block to read next.
    block: usize,
    entries: std::vec::IntoIter<Put>,
    /// The entry whose turn it is; `None`: there is none left.
    head: Option<Put>,
}

impl<'a> Cursor<'a> {
    fn new(file: &'a mut SortedFile) -> Result<Self, LedgerError> {
        let mut cursor = Self { file, block: 0, entries: Vec::new().into_iter(), head: None };
        cursor.next()?;
        Ok(cursor)
    }

    /// The entry whose turn it was.
    fn next(&mut self) -> Result<Option<Put>, LedgerError> {
        loop {
            if let Some(next) = self.entries.next() {
                return Ok(self.head.replace(next));
            }
            if self.block == self.file.blocks() {
                return Ok(self.head.take());
            }
            self.entries = self.file.take(self.block)?.into_iter();
            self.block += 1;
        }
    }

    fn is_at(&self, key: &FileKey) -> bool {
        self.head.as_ref().is_some_and(|(head, _)| head == key)
    }
}

/// Writes files, the oldest first, and the entries that are newer than all of them, into one sorted file.
/// Temporary file → write → fsync → read back and compare → link(2) → fsync of the folder. `begun` is set before
/// the file gets its name: an error after that leaves in doubt what is durable.
pub(super) fn merge(
    files: &dyn FileSystem,
    folder: &Path,
    older: &mut [(LedgerFile, SortedFile)],
    newest: &BTreeMap<FileKey, FileEntry>,
    meta: &Meta,
    begun: &mut bool,
) -> Result<(LedgerFile, SortedFile), LedgerError> {
    let name = sorted_name(meta.first, meta.last);
    let temporary = folder.join(format!(".{name}.{}.tmp", unique_name()));
    let path = folder.join(&name);
    let placed = fill(files, &temporary, older, newest, meta).and_then(|file| {
        *begun = true;
        files.link(&temporary, &path).map_err(|e| LedgerError::volume("link", &path, e))?;
        Ok(file)
    });
    discard(files, &temporary);
    let file = placed?;
    files
        .sync_dir(folder, SyncSite::LedgerSortedName)
        .map_err(|e| LedgerError::volume("fsync the folder", folder, e))?;
    let named =
        LedgerFile { name, kind: Kind::Sorted, first: meta.first, last: meta.last, bytes: file.bytes };
    Ok((named, file))
}

fn fill(
    files: &dyn FileSystem,
    path: &Path,
    older: &mut [(LedgerFile, SortedFile)],
    newest: &BTreeMap<FileKey, FileEntry>,
    meta: &Meta,
) -> Result<SortedFile, LedgerError> {
    let mut writer = SortedWriter::create(files, path)?;
    let cursors: Result<Vec<_>, _> = older.iter_mut().map(|(_, file)| Cursor::new(file)).collect();
    let mut cursors = cursors?;
    let mut recent = newest.iter().peekable();
    loop {
        // The least key, and of those the newest: the last file that has it, unless it is in memory.
        let heads =
            cursors.iter().enumerate().filter_map(|(at, cursor)| Some((&cursor.head.as_ref()?.0, at)));
        let least = heads.min_by(|(one, a), (other, b)| one.cmp(other).then(b.cmp(a)));
        let in_memory = match (&least, recent.peek()) {
            (Some((key, _)), Some((recent, _))) => *recent <= *key,
            (None, Some(_)) => true,
            (_, None) => false,
        };
        let put = if in_memory {
            recent.next().map(|(key, entry)| (key.clone(), entry.clone()))
        } else {
            match least.map(|(_, at)| at) {
                Some(at) => cursors[at].next()?,
                None => None,
            }
        };
        let Some(put) = put else { break };
        for cursor in &mut cursors {
            if cursor.is_at(&put.0) {
                cursor.next()?;
            }
        }
        writer.push(put)?;
    }
    let written = writer.finish(meta)?;
    let mut file = SortedFile::open_at(files, path)?;
    let read = file.verify()?;
    if read == written {
        return Ok(file);
    }
    let what = format!("{} entries were written and {} others read", written.entries, read.entries);
    Err(LedgerError::damaged(path, what))
}
