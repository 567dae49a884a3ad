//! Files of the volume as the Parquet crate wants them, for checkpoints and folded history.

use std::io::{self, BufReader, Read, Write};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};

use crate::durable::{FileSystem, ReadFile, SyncSite, VolumeError, WriteFile};

/// A file to be read at offsets.
#[derive(Clone)]
pub(crate) struct Ranged {
    file: Arc<dyn ReadFile>,
    length: u64,
}

impl Ranged {
    pub(crate) fn open(files: &dyn FileSystem, path: &Path) -> Result<Self, VolumeError> {
        let failed = |e| VolumeError::new("open", path, e);
        let file: Arc<dyn ReadFile> = Arc::from(files.open(path).map_err(failed)?);
        let length = file.len().map_err(failed)?;
        Ok(Self { file, length })
    }
}

impl Length for Ranged {
    fn len(&self) -> u64 {
        self.length
    }
}

impl ChunkReader for Ranged {
    type T = BufReader<RangedRead>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        Ok(BufReader::new(RangedRead { file: self.clone(), offset: start }))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        let mut buffer = vec![0; length];
        self.file.read_exact_at(&mut buffer, start).map_err(ParquetError::from)?;
        Ok(buffer.into())
    }
}

/// Reads on from an offset.
pub(crate) struct RangedRead {
    file: Ranged,
    offset: u64,
}

impl Read for RangedRead {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.file.length.saturating_sub(self.offset);
        let count = usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len()));
        self.file.file.read_exact_at(&mut buffer[..count], self.offset)?;
        self.offset += count as u64;
        Ok(count)
    }
}

/// A file that is being written and counts its bytes.
pub(crate) struct CountedFile {
    inner: Box<dyn WriteFile>,
    bytes: u64,
    /// What the volume said first: encoders wrap it beyond recognition.
    error: Option<io::Error>,
}

impl CountedFile {
    /// Makes a new file.
    pub(crate) fn create(files: &dyn FileSystem, path: &Path) -> Result<Self, VolumeError> {
        let inner = files.create(path).map_err(|e| VolumeError::new("create", path, e))?;
        Ok(Self { inner, bytes: 0, error: None })
    }

    /// Bytes written so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The error of the volume that ended the writing, if one did.
    pub(crate) fn take_error(&mut self) -> Option<io::Error> {
        self.error.take()
    }

    /// Makes the contents durable.
    pub(crate) fn sync(&mut self, site: SyncSite) -> io::Result<()> {
        self.inner.sync(site)
    }
}

impl Write for CountedFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.inner.write(bytes) {
            Ok(written) => {
                self.bytes += written as u64;
                Ok(written)
            }
            Err(error) => {
                let kind = error.kind();
                self.error = Some(error);
                Err(kind.into())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// What the volume said, which comes through the Parquet crate in its wrapping; else what that crate said.
pub(crate) fn unwrap_io(error: ParquetError) -> Result<io::Error, String> {
    match error {
        ParquetError::External(inner) => match inner.downcast::<io::Error>() {
            Ok(error) if error.kind() != io::ErrorKind::UnexpectedEof => Ok(*error),
            Ok(error) => Err(error.to_string()),
            Err(other) => Err(other.to_string()),
        },
        other => Err(other.to_string()),
    }
}
