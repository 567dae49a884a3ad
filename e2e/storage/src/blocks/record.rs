//! The record of a disk: writes, fsyncs and the workload's marks in the order in which they came.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::model::Mark;

const WRITE: u8 = 1;
const ZEROS: u8 = 2;
const SYNC: u8 = 3;
const MARK: u8 = 4;

/// One thing that happened to the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// Bytes were written.
    Write {
        /// Place on the disk, bytes.
        offset: u64,
        /// What.
        bytes: Vec<u8>,
    },
    /// Zero bytes were written.
    Zeros {
        /// Place on the disk, bytes.
        offset: u64,
        /// How many.
        length: u64,
    },
    /// An fsync: every write before it is durable.
    Sync,
    /// The workload wrote something down.
    Mark(Mark),
}

/// Writes a record. Each entry: kind, offset, length, bytes; numbers little-endian.
#[derive(Debug)]
pub struct RecordWriter(BufWriter<File>);

impl RecordWriter {
    /// Begins a new file.
    pub fn create(path: &Path) -> io::Result<Self> {
        Ok(Self(BufWriter::with_capacity(1 << 20, File::create_new(path)?)))
    }

    /// A write of these bytes.
    pub fn write(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        if bytes.iter().all(|byte| *byte == 0) {
            self.entry(ZEROS, offset, bytes.len() as u64, &[])
        } else {
            self.entry(WRITE, offset, bytes.len() as u64, bytes)
        }
    }

    /// An fsync.
    pub fn sync(&mut self) -> io::Result<()> {
        self.entry(SYNC, 0, 0, &[])
    }

    /// A mark of the workload, as JSON.
    pub fn mark(&mut self, mark: Mark) -> io::Result<()> {
        let text = serde_json::to_vec(&mark)?;
        self.entry(MARK, 0, text.len() as u64, &text)
    }

    /// Ends the file.
    pub fn finish(&mut self) -> io::Result<()> {
        self.0.flush()
    }

    fn entry(&mut self, kind: u8, offset: u64, length: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(&[kind])?;
        self.0.write_all(&offset.to_le_bytes())?;
        self.0.write_all(&length.to_le_bytes())?;
        self.0.write_all(bytes)
    }
}

/// Reads a whole record.
pub fn read(path: &Path) -> Result<Vec<Entry>> {
    let file = File::open(path).with_context(|| format!("cannot open the record {}", path.display()))?;
    let mut reader = BufReader::with_capacity(1 << 20, file);
    let mut entries = Vec::new();
    while let Some(entry) = read_entry(&mut reader)
        .with_context(|| format!("entry {} of {} is damaged", entries.len(), path.display()))?
    {
        entries.push(entry);
    }
    Ok(entries)
}

fn read_entry(reader: &mut impl Read) -> Result<Option<Entry>> {
    let mut kind = [0];
    if reader.read(&mut kind)? == 0 {
        return Ok(None);
    }
    let offset = read_number(reader)?;
    let length = read_number(reader)?;
    let mut bytes = |length: u64| -> Result<Vec<u8>> {
        let mut bytes = vec![0; usize::try_from(length)?];
        reader.read_exact(&mut bytes)?;
        Ok(bytes)
    };
    Ok(Some(match kind[0] {
        WRITE => Entry::Write { offset, bytes: bytes(length)? },
        ZEROS => Entry::Zeros { offset, length },
        SYNC => Entry::Sync,
        MARK => Entry::Mark(serde_json::from_slice(&bytes(length)?)?),
        other => bail!("kind {other} is not known"),
    }))
}

fn read_number(reader: &mut impl Read) -> io::Result<u64> {
    let mut bytes = [0; 8];
    reader.read_exact(&mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("record");
        let mut writer = RecordWriter::create(&path).unwrap();
        writer.write(4096, b"abc").unwrap();
        writer.write(0, &[0; 512]).unwrap();
        writer.sync().unwrap();
        writer.mark(Mark::Done(3, 9)).unwrap();
        writer.finish().unwrap();
        let due = [
            Entry::Write { offset: 4096, bytes: b"abc".to_vec() },
            Entry::Zeros { offset: 0, length: 512 },
            Entry::Sync,
            Entry::Mark(Mark::Done(3, 9)),
        ];
        assert_eq!(read(&path).unwrap(), due);
    }
}
