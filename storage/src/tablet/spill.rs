//! Sorted runs that wait on the volume for the merge. Never fsynced: they are worthless after this process.

use std::io::Write;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use arrow::array::{ArrayRef, RecordBatch};
use arrow::buffer::MutableBuffer;

use super::TabletError;
use super::block::{self, BlockReader};
use super::tablets::Tablet;
use crate::durable::{FileSystem, ReadFile, WriteFile};

/// Where a block of one tablet's rows lies.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BlockPlace {
    tablet: Tablet,
    offset: u64,
    length: usize,
    rows: usize,
}

/// A spill that is being written, by any number of threads: blocks of a tablet come in order, tablets mix.
pub(crate) struct SpillWriter {
    path: PathBuf,
    state: Mutex<SpillState>,
}

struct SpillState {
    file: Box<dyn WriteFile>,
    length: u64,
    places: Vec<BlockPlace>,
}

impl SpillWriter {
    /// Makes the file, which must not be there.
    pub(crate) fn create(files: &dyn FileSystem, path: PathBuf) -> Result<Self, TabletError> {
        let file = files.create(&path).map_err(|error| TabletError::volume(&path, error))?;
        Ok(Self { path, state: Mutex::new(SpillState { file, length: 0, places: Vec::new() }) })
    }

    /// Appends rows of one tablet, which come after those appended for it before; `scratch` is room that
    /// a thread uses again. Returns the bytes written.
    pub(crate) fn append(
        &self,
        tablet: impl Into<Tablet>,
        batch: &RecordBatch,
        scratch: &mut Vec<u8>,
    ) -> Result<usize, TabletError> {
        scratch.clear();
        block::write(batch, scratch)?;
        let mut state = self.state.lock().map_err(|_| TabletError::Thread)?;
        state.file.write_all(scratch).map_err(|error| TabletError::volume(&self.path, error))?;
        let tablet = tablet.into();
        let place =
            BlockPlace { tablet, offset: state.length, length: scratch.len(), rows: batch.num_rows() };
        state.length += scratch.len() as u64;
        state.places.push(place);
        Ok(scratch.len())
    }

    /// Closes the file. `codes` tells which columns are kept as keys into their dictionary.
    pub(crate) fn finish(self, codes: Vec<bool>) -> Result<Spill, TabletError> {
        let mut state = self.state.into_inner().map_err(|_| TabletError::Thread)?;
        state.file.flush().map_err(|error| TabletError::volume(&self.path, error))?;
        // Stable: the order of a tablet's blocks stays.
        state.places.sort_by_key(|place| place.tablet);
        Ok(Spill { path: self.path, places: state.places.into(), codes })
    }
}

/// A sorted run on the volume.
#[derive(Debug)]
pub(crate) struct Spill {
    path: PathBuf,
    places: Arc<[BlockPlace]>,
    codes: Vec<bool>,
}

impl Spill {
    /// The file.
    pub(crate) fn path(&self) -> &PathBuf {
        &self.path
    }

    /// Bytes of its largest block.
    pub(crate) fn largest_block(&self) -> usize {
        self.places.iter().map(|place| place.length).max().unwrap_or(0)
    }

    /// Tablets that have rows, ascending, each with its rows.
    pub(crate) fn tablets(&self) -> impl Iterator<Item = (Tablet, usize)> {
        self.places
            .chunk_by(|a, b| a.tablet == b.tablet)
            .map(|places| (places[0].tablet, places.iter().map(|place| place.rows).sum()))
    }

    /// Opens the spill for reading.
    pub(crate) fn open(
        &self,
        files: &dyn FileSystem,
        names: &[String],
        types: &[arrow::datatypes::DataType],
        dictionaries: &[ArrayRef],
    ) -> Result<SpillReader, TabletError> {
        let file = files.open(&self.path).map_err(|error| TabletError::volume(&self.path, error))?;
        let own =
            self.codes.iter().zip(dictionaries).map(|(codes, values)| codes.then(|| Arc::clone(values)));
        let blocks = BlockReader::new(names, types, own.collect());
        Ok(SpillReader { path: self.path.clone(), file, places: Arc::clone(&self.places), blocks })
    }
}

/// A spill open for reading, from any number of threads.
pub(crate) struct SpillReader {
    path: PathBuf,
    file: Box<dyn ReadFile>,
    places: Arc<[BlockPlace]>,
    blocks: BlockReader,
}

impl SpillReader {
    /// Blocks of one tablet in order.
    pub(crate) fn blocks(&self, tablet: impl Into<Tablet>) -> &[BlockPlace] {
        let tablet = tablet.into();
        let start = self.places.partition_point(|place| place.tablet < tablet);
        let end = self.places.partition_point(|place| place.tablet <= tablet);
        &self.places[start..end]
    }

    /// Reads the columns of a block.
    pub(crate) fn read(&self, place: &BlockPlace) -> Result<Vec<ArrayRef>, TabletError> {
        let mut bytes = MutableBuffer::from_len_zeroed(place.length);
        self.file
            .read_exact_at(bytes.as_slice_mut(), place.offset)
            .map_err(|error| TabletError::volume(&self.path, error))?;
        self.blocks.read(bytes)
    }

    /// Whether each column's blocks are keys into a dictionary.
    pub(crate) fn schema(&self) -> &arrow::datatypes::SchemaRef {
        self.blocks.schema()
    }
}
