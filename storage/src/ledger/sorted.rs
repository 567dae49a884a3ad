//! A sorted file: immutable, entries by key in blocks, an index of the blocks behind them, and at its end where
//! the index lies. Opening reads the index alone; a look-up reads one block, and look-ups in the order of keys,
//! as stores list them, each block once.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::block::{Block, BlockBuilder, put_key, read_block, read_key};
use super::codec::{CHECKSUM_BYTES, Reader, checksum, put_text, put_u64};
use super::error::LedgerError;
use super::key::FileKey;
use super::log_file::{Put, check_meta};
use super::meta::{LedgerTotals, Meta};
use super::names::LedgerFile;
use crate::durable::{FileSystem, ReadFile, SyncSite, VolumeError};
use crate::parquet_io::CountedFile;

/// Bytes at which a block is full.
const BLOCK_BYTES: usize = 16 << 10;
/// Bytes that are given to the volume at once.
const WRITE_BYTES: usize = 1 << 20;
/// What the file ends with.
const MAGIC: [u8; 8] = *b"LsSorted";
/// Offset and length of the index, its checksum, magic.
const TAIL_BYTES: usize = 8 + 8 + CHECKSUM_BYTES + MAGIC.len();
/// What the checksum of the index stands for: no block begins there.
const INDEX: u64 = u64::MAX;

/// Where a block lies.
#[derive(Debug)]
struct IndexEntry {
    first: FileKey,
    offset: u64,
    length: u32,
    /// One bit for each state in it.
    states: u8,
}

/// A sorted file that is being written, under a temporary name.
pub(super) struct SortedWriter {
    file: CountedFile,
    path: PathBuf,
    block: BlockBuilder,
    index: Vec<IndexEntry>,
    waiting: Vec<u8>,
    /// Bytes of all blocks so far.
    length: u64,
    entries: u64,
    own: LedgerTotals,
}

impl SortedWriter {
    pub(super) fn create(files: &dyn FileSystem, path: &Path) -> Result<Self, LedgerError> {
        Ok(Self {
            file: CountedFile::create(files, path)?,
            path: path.to_owned(),
            block: BlockBuilder::default(),
            index: Vec::new(),
            waiting: Vec::new(),
            length: 0,
            entries: 0,
            own: LedgerTotals::default(),
        })
    }

    /// Appends an entry; keys go up.
    pub(super) fn push(&mut self, (key, entry): Put) -> Result<(), LedgerError> {
        self.own.replace(None, &entry);
        self.entries += 1;
        self.block.push(key, &entry);
        if self.block.len() >= BLOCK_BYTES { self.end_block() } else { Ok(()) }
    }

    fn end_block(&mut self) -> Result<(), LedgerError> {
        let Some(Block { bytes, first, states }) = self.block.take() else { return Ok(()) };
        let offset = self.length;
        let length = u32::try_from(bytes.len())
            .map_err(|_| LedgerError::damaged(&self.path, "an entry is longer than 4 GiB"))?;
        self.index.push(IndexEntry { first, offset, length, states });
        self.waiting.extend_from_slice(&bytes);
        self.waiting.extend_from_slice(&checksum(offset, &bytes));
        self.length += (bytes.len() + CHECKSUM_BYTES) as u64;
        if self.waiting.len() >= WRITE_BYTES { self.write_out() } else { Ok(()) }
    }

    fn write_out(&mut self) -> Result<(), LedgerError> {
        let waiting = std::mem::take(&mut self.waiting);
        self.file.write_all(&waiting).map_err(|e| LedgerError::volume("write", &self.path, e))
    }

    /// Completes the file and makes its contents durable; its name is not. Answers what can be read back when it
    /// is whole.
    pub(super) fn finish(mut self, meta: &Meta) -> Result<Contents, LedgerError> {
        self.end_block()?;
        let meta =
            serde_json::to_string(meta).map_err(|e| LedgerError::damaged(&self.path, e.to_string()))?;
        let mut index = Vec::new();
        put_text(&mut index, &meta);
        put_u64(&mut index, self.entries);
        put_u64(&mut index, self.index.len() as u64);
        let mut before = None;
        for entry in &self.index {
            put_key(&mut index, before, &entry.first);
            put_u64(&mut index, entry.length.into());
            index.push(entry.states);
            before = Some(&entry.first);
        }
        let sum = checksum(INDEX, &index);
        let (offset, length) = (self.length, index.len() as u64);
        self.waiting.extend_from_slice(&index);
        for number in [offset, length] {
            self.waiting.extend_from_slice(&number.to_le_bytes());
        }
        self.waiting.extend_from_slice(&sum);
        self.waiting.extend_from_slice(&MAGIC);
        self.write_out()?;
        self.file.flush().map_err(|e| LedgerError::volume("write", &self.path, e))?;
        self.file
            .sync(SyncSite::LedgerSortedContents)
            .map_err(|e| LedgerError::volume("fsync", &self.path, e))?;
        Ok(Contents { entries: self.entries, totals: self.own })
    }
}

/// What stands in a sorted file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Contents {
    pub(super) entries: u64,
    pub(super) totals: LedgerTotals,
}

/// A sorted file that is open: it can be read even after its name is gone.
pub(super) struct SortedFile {
    file: Box<dyn ReadFile>,
    path: PathBuf,
    pub(super) meta: Meta,
    pub(super) bytes: u64,
    entries: u64,
    index: Vec<IndexEntry>,
    /// The block that was read last.
    block: Option<usize>,
    puts: Vec<Put>,
}

impl std::fmt::Debug for SortedFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SortedFile").field("path", &self.path).finish_non_exhaustive()
    }
}

impl SortedFile {
    /// Opens a file of the ledger; `None`: it is gone.
    pub(super) fn open(
        files: &dyn FileSystem,
        folder: &Path,
        file: &LedgerFile,
    ) -> Result<Option<Self>, LedgerError> {
        let path = folder.join(&file.name);
        match Self::open_at(files, &path) {
            Ok(open) => {
                check_meta(&path, file, &open.meta)?;
                Ok(Some(open))
            }
            Err(LedgerError::Volume(error)) if error.io_kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) fn open_at(files: &dyn FileSystem, path: &Path) -> Result<Self, LedgerError> {
        let failed = |e| LedgerError::Volume(VolumeError::new("open", path, e));
        let file = files.open(path).map_err(failed)?;
        let bytes = file.len().map_err(failed)?;
        let damaged = |what: &str| LedgerError::damaged(path, what);
        let tail_at = bytes.checked_sub(TAIL_BYTES as u64).ok_or_else(|| damaged("it is too short"))?;
        let mut tail = [0; TAIL_BYTES];
        file.read_exact_at(&mut tail, tail_at).map_err(failed)?;
        let mut reader = Reader::new(&tail);
        let number = |reader: &mut Reader<'_>| {
            let bytes: [u8; 8] = reader.bytes(8)?.try_into().ok()?;
            Some(u64::from_le_bytes(bytes))
        };
        let parsed =
            (number(&mut reader), number(&mut reader), reader.bytes(CHECKSUM_BYTES), reader.bytes(8));
        let (Some(offset), Some(length), Some(sum), Some(magic)) = parsed else {
            return Err(damaged("its end cannot be read"));
        };
        if magic != MAGIC || offset.checked_add(length) != Some(tail_at) {
            return Err(damaged("its end is not that of a sorted file"));
        }
        let mut index = vec![0; usize::try_from(length).map_err(|_| damaged("its index is too long"))?];
        file.read_exact_at(&mut index, offset).map_err(failed)?;
        if checksum(INDEX, &index) != *sum {
            return Err(damaged("its index is not the one that was written"));
        }
        let (meta, entries, index) =
            parse_index(&index, offset).ok_or_else(|| damaged("its index cannot be understood"))?;
        Ok(Self { file, path: path.to_owned(), meta, bytes, entries, index, block: None, puts: Vec::new() })
    }

    /// What is known here of a file.
    pub(super) fn find(&mut self, key: &FileKey) -> Result<Option<&Put>, LedgerError> {
        let Some(block) = self.block_of(key) else { return Ok(None) };
        self.read(block)?;
        Ok(self.puts.binary_search_by(|(found, _)| found.cmp(key)).ok().map(|at| &self.puts[at]))
    }

    /// Gives the entries from a key on to `visit`, as long as it answers true.
    pub(super) fn visit_from(
        &mut self,
        key: &FileKey,
        mut visit: impl FnMut(&Put) -> bool,
    ) -> Result<(), LedgerError> {
        for block in self.block_of(key).unwrap_or(0)..self.index.len() {
            self.read(block)?;
            let from = self.puts.partition_point(|(found, _)| found < key);
            if !self.puts[from..].iter().all(&mut visit) {
                break;
            }
        }
        Ok(())
    }

    /// Blocks that hold an entry in one of the states.
    pub(super) fn blocks_with(&self, states: u8) -> Vec<usize> {
        let blocks = self.index.iter().enumerate();
        blocks.filter(|(_, entry)| entry.states & states != 0).map(|(block, _)| block).collect()
    }

    /// The entries of a block.
    pub(super) fn puts(&mut self, block: usize) -> Result<&[Put], LedgerError> {
        self.read(block)?;
        Ok(&self.puts)
    }

    /// The entries of a block, for whoever goes through all of them.
    pub(super) fn take(&mut self, block: usize) -> Result<Vec<Put>, LedgerError> {
        self.read(block)?;
        self.block = None;
        Ok(std::mem::take(&mut self.puts))
    }

    /// Number of blocks.
    pub(super) fn blocks(&self) -> usize {
        self.index.len()
    }

    /// Reads every block.
    pub(super) fn verify(&mut self) -> Result<Contents, LedgerError> {
        let mut contents = Contents { entries: 0, totals: LedgerTotals::default() };
        let mut before: Option<FileKey> = None;
        for block in 0..self.index.len() {
            self.read(block)?;
            for (key, entry) in &self.puts {
                if before.as_ref().is_some_and(|before| before >= key) {
                    return Err(LedgerError::damaged(&self.path, "its keys are not in their order"));
                }
                before = Some(key.clone());
                contents.entries += 1;
                contents.totals.replace(None, entry);
            }
        }
        if contents.entries == self.entries {
            return Ok(contents);
        }
        let what = format!("{} entries were written and {} are there", self.entries, contents.entries);
        Err(LedgerError::damaged(&self.path, what))
    }

    /// The block in which a key would be.
    fn block_of(&self, key: &FileKey) -> Option<usize> {
        let holds = |block: usize| {
            self.index[block].first <= *key && self.index.get(block + 1).is_none_or(|next| *key < next.first)
        };
        // Keys are mostly asked for in their order.
        if let Some(block) = self.block {
            if holds(block) {
                return Some(block);
            }
            if block + 1 < self.index.len() && holds(block + 1) {
                return Some(block + 1);
            }
        }
        self.index.partition_point(|entry| entry.first <= *key).checked_sub(1)
    }

    fn read(&mut self, block: usize) -> Result<(), LedgerError> {
        if self.block == Some(block) {
            return Ok(());
        }
        self.block = None;
        let IndexEntry { first, offset, length, .. } = &self.index[block];
        let mut bytes = vec![0; *length as usize + CHECKSUM_BYTES];
        self.file
            .read_exact_at(&mut bytes, *offset)
            .map_err(|e| LedgerError::volume("read", &self.path, e))?;
        let (bytes, sum) = bytes.split_at(*length as usize);
        let damaged =
            |what: &str| LedgerError::damaged(&self.path, format!("the block at byte {offset} {what}"));
        if checksum(*offset, bytes) != *sum {
            return Err(damaged("is not the one that was written"));
        }
        let puts = read_block(bytes).ok_or_else(|| damaged("cannot be understood"))?;
        if puts.first().is_none_or(|(key, _)| key != first) {
            return Err(damaged("is not the one that the index names"));
        }
        (self.puts, self.block) = (puts, Some(block));
        Ok(())
    }
}

fn parse_index(bytes: &[u8], end: u64) -> Option<(Meta, u64, Vec<IndexEntry>)> {
    let mut reader = Reader::new(bytes);
    let meta = serde_json::from_str(reader.text()?).ok()?;
    let entries = reader.u64()?;
    let count = reader.length()?;
    let mut index: Vec<IndexEntry> = Vec::with_capacity(count.min(bytes.len()));
    let mut offset = 0;
    for _ in 0..count {
        let first = read_key(&mut reader, index.last().map(|entry| &entry.first))?;
        let length = reader.u32()?;
        let states = reader.byte()?;
        index.push(IndexEntry { first, offset, length, states });
        offset += u64::from(length) + CHECKSUM_BYTES as u64;
    }
    (reader.is_empty() && offset == end).then_some((meta, entries, index))
}
