//! Looking files up in a ledger.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::chain::Chain;
use super::entry::{FileEntry, FileState};
use super::error::LedgerError;
use super::folder;
use super::key::FileKey;
use super::log_file::{LogContents, Put};
use super::meta::{LedgerTotals, Progress};
use super::names::{LedgerFile, Place};
use super::sorted::SortedFile;
use crate::durable::FileSystem;
use crate::log::claim::check_label;

/// A ledger as it stood when it was opened. Any number of processes may read beside the one that writes; what
/// the table's log says of batches that ended since is not in it.
#[derive(Debug)]
pub struct LedgerReader {
    pub(super) folder: PathBuf,
    pub(super) sorted: Vec<(LedgerFile, SortedFile)>,
    /// What is not sorted yet.
    pub(super) recent: BTreeMap<FileKey, FileEntry>,
    pub(super) progress: Progress,
}

impl LedgerReader {
    /// Opens the ledger of this name in a table's folder. One that was never begun is empty.
    ///
    /// # Errors
    /// A file that is damaged or missing, by name: the category is `DamagedLedger`.
    pub fn open(files: &dyn FileSystem, root: &Path, ledger: &str) -> Result<Self, LedgerError> {
        check_label(ledger)?;
        let folder = folder(root, ledger);
        let chain = Chain::open(files, &folder)?;
        Ok(Self::of(&folder, chain).0)
    }

    /// The reader of a chain, and the places that are not sorted yet with the one before them.
    pub(super) fn of(folder: &Path, chain: Chain) -> (Self, Option<(Place, Option<Place>)>) {
        let newest = chain.newest().map(|meta| meta.progress).unwrap_or_default();
        let mut reader = Self {
            folder: folder.to_owned(),
            sorted: chain.sorted,
            recent: BTreeMap::new(),
            progress: newest,
        };
        let Some(LogContents { meta, progress, puts }) = chain.log else { return (reader, None) };
        reader.progress = progress;
        reader.recent.extend(puts);
        (reader, Some((meta.first, meta.previous)))
    }

    /// How many files stand where.
    pub fn totals(&self) -> &LedgerTotals {
        &self.progress.totals
    }

    /// The first version of the table of which the ledger does not tell: batches that were committed from it on
    /// are in the history alone.
    pub fn next_version(&self) -> u64 {
        self.progress.next_version
    }

    /// When the ledger was begun, milliseconds since the epoch; 0: it was not.
    pub fn begun_ms(&self) -> u64 {
        self.progress.begun_ms
    }

    /// What is known of a file. It costs a block of each sorted file, and almost nothing where the block is that
    /// of the look-up before: so look up in the order of keys.
    pub fn find(&mut self, key: &FileKey) -> Result<Option<FileEntry>, LedgerError> {
        if let Some(entry) = self.recent.get(key) {
            return Ok(Some(entry.clone()));
        }
        for (_, file) in self.sorted.iter_mut().rev() {
            if let Some((_, entry)) = file.find(key)? {
                return Ok(Some(entry.clone()));
            }
        }
        Ok(None)
    }

    /// Where a file stands; as [`find`](Self::find), without the rest of what is known of it.
    pub fn state(&mut self, key: &FileKey) -> Result<Option<FileState>, LedgerError> {
        if let Some(entry) = self.recent.get(key) {
            return Ok(Some(entry.state));
        }
        for (_, file) in self.sorted.iter_mut().rev() {
            if let Some((_, entry)) = file.find(key)? {
                return Ok(Some(entry.state));
            }
        }
        Ok(None)
    }

    /// Every file that is known under a key, by ETag.
    pub fn versions(&mut self, bucket: &str, key: &str) -> Result<Vec<Put>, LedgerError> {
        let from = FileKey::new(bucket, key, "");
        let mut found: BTreeMap<FileKey, FileEntry> = BTreeMap::new();
        for (_, file) in &mut self.sorted {
            file.visit_from(&from, |(key, entry)| {
                let same = key.same_object(&from);
                if same {
                    found.insert(key.clone(), entry.clone());
                }
                same
            })?;
        }
        let recent = self.recent.range(from.clone()..).take_while(|(key, _)| key.same_object(&from));
        found.extend(recent.map(|(key, entry)| (key.clone(), entry.clone())));
        Ok(found.into_iter().collect())
    }

    /// Gives every file in one of the states to `visit`, in no order, as long as it answers true. It reads only
    /// what holds such files, or held them once.
    pub fn visit(
        &mut self,
        states: &[FileState],
        mut visit: impl FnMut(&FileKey, &FileEntry) -> bool,
    ) -> Result<(), LedgerError> {
        let wanted = states.iter().fold(0, |bits, state| bits | state.bit());
        for (key, entry) in &self.recent {
            if entry.state.bit() & wanted != 0 && !visit(key, entry) {
                return Ok(());
            }
        }
        for at in (0..self.sorted.len()).rev() {
            let (older, newer) = self.sorted.split_at_mut(at + 1);
            let Some((_, file)) = older.last_mut() else { continue };
            for block in file.blocks_with(wanted) {
                for (key, entry) in file.puts(block)? {
                    if entry.state.bit() & wanted == 0 || self.recent.contains_key(key) {
                        continue;
                    }
                    let mut is_newest = true;
                    for (_, file) in &mut *newer {
                        is_newest &= file.find(key)?.is_none();
                    }
                    if is_newest && !visit(key, entry) {
                        return Ok(());
                    }
                }
            }
        }
        Ok(())
    }

    /// Reads everything, and compares it with its checksums and the totals.
    pub fn verify(&mut self) -> Result<LedgerTotals, LedgerError> {
        for (_, file) in &mut self.sorted {
            file.verify()?;
        }
        let mut totals = LedgerTotals::default();
        self.visit(&FileState::ALL, |_, entry| {
            totals.replace(None, entry);
            true
        })?;
        if totals == self.progress.totals {
            return Ok(totals);
        }
        let what = format!("it holds {totals:?}, and says {:?}", self.progress.totals);
        Err(LedgerError::damaged(&self.folder, what))
    }
}

/// Names of the ledgers of a table.
pub fn ledgers(files: &dyn FileSystem, root: &Path) -> Result<Vec<String>, LedgerError> {
    let path = root.join(super::PIPES_FOLDER);
    let entries = match files.list(&path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(LedgerError::volume("list", &path, error)),
    };
    let names = entries.into_iter().filter(|entry| entry.is_dir && check_label(&entry.name).is_ok());
    let mut names: Vec<String> = names.map(|entry| entry.name).collect();
    names.sort();
    Ok(names)
}
