//! Rows as bytes for spills: the buffers of Arrow arrays one after another, each at a multiple of 64 bytes,
//! so that a block that was read is used in place. Private to one process; nothing else ever reads it.

use std::sync::Arc;

use arrow::array::{Array, ArrayData, ArrayRef, MutableArrayData, RecordBatch, make_array};
use arrow::buffer::{BooleanBuffer, Buffer, MutableBuffer, NullBuffer};
use arrow::datatypes::{DataType as ArrowType, Field, Schema as ArrowSchema, SchemaRef};

use super::TabletError;

/// Alignment of each buffer in a block.
const ALIGNMENT: usize = 64;

/// Appends the columns of `batch` to `out`. Of a dictionary only the keys are kept.
pub(crate) fn write(batch: &RecordBatch, out: &mut Vec<u8>) -> Result<(), TabletError> {
    batch.columns().iter().try_for_each(|column| write_data(&column.to_data(), out))
}

fn write_data(data: &ArrayData, out: &mut Vec<u8>) -> Result<(), TabletError> {
    if data.offset() != 0 {
        let mut copy = MutableArrayData::new(vec![data], false, data.len());
        copy.try_extend(0, 0, data.len())?;
        return write_data(&copy.freeze(), out);
    }
    put_number(data.len(), out);
    match data.nulls() {
        Some(nulls) => put_buffer(nulls.inner().sliced().as_slice(), out),
        None => put_number(0, out),
    }
    for buffer in data.buffers() {
        put_buffer(buffer.as_slice(), out);
    }
    if !matches!(data.data_type(), ArrowType::Dictionary(..)) {
        data.child_data().iter().try_for_each(|child| write_data(child, out))?;
    }
    Ok(())
}

fn put_number(number: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(&(number as u64).to_le_bytes());
}

fn put_buffer(bytes: &[u8], out: &mut Vec<u8>) {
    put_number(bytes.len(), out);
    out.resize(out.len().next_multiple_of(ALIGNMENT), 0);
    out.extend_from_slice(bytes);
}

/// How the columns of the blocks of one spill are read back.
#[derive(Debug)]
pub(crate) struct BlockReader {
    /// The dictionary of each column that is kept as keys.
    dictionaries: Vec<Option<ArrayRef>>,
    types: Vec<ArrowType>,
    schema: SchemaRef,
}

impl BlockReader {
    /// A reader of blocks whose columns have the table's `types`, or are keys into their `dictionaries`.
    pub(crate) fn new(names: &[String], types: &[ArrowType], dictionaries: Vec<Option<ArrayRef>>) -> Self {
        let types: Vec<ArrowType> = types
            .iter()
            .zip(&dictionaries)
            .map(|(of, dictionary)| match dictionary {
                Some(_) => ArrowType::Dictionary(Box::new(ArrowType::Int32), Box::new(of.clone())),
                None => of.clone(),
            })
            .collect();
        let fields = names.iter().zip(&types).map(|(name, of)| Field::new(name, of.clone(), true));
        let schema = Arc::new(ArrowSchema::new(fields.collect::<Vec<_>>()));
        Self { dictionaries, types, schema }
    }

    /// The schema of the blocks.
    pub(crate) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The columns of a block.
    pub(crate) fn read(&self, bytes: MutableBuffer) -> Result<Vec<ArrayRef>, TabletError> {
        let mut cursor = Cursor { bytes: bytes.into(), at: 0 };
        let columns = self.types.iter().zip(&self.dictionaries);
        columns.map(|(of, dictionary)| Ok(make_array(cursor.data(of, dictionary.as_ref())?))).collect()
    }
}

struct Cursor {
    bytes: Buffer,
    at: usize,
}

impl Cursor {
    fn number(&mut self) -> Result<usize, TabletError> {
        let bytes = self.bytes.as_slice().get(self.at..self.at + 8).and_then(|bytes| bytes.try_into().ok());
        self.at += 8;
        usize::try_from(u64::from_le_bytes(bytes.ok_or_else(damaged)?)).map_err(|_| damaged())
    }

    fn buffer(&mut self) -> Result<Buffer, TabletError> {
        let length = self.number()?;
        self.at = self.at.next_multiple_of(ALIGNMENT);
        if self.at + length > self.bytes.len() {
            return Err(damaged());
        }
        let buffer = self.bytes.slice_with_length(self.at, length);
        self.at += length;
        Ok(buffer)
    }

    fn nulls(&mut self, length: usize) -> Result<Option<NullBuffer>, TabletError> {
        let mark = self.at;
        if self.number()? == 0 {
            return Ok(None);
        }
        self.at = mark;
        let bits = self.buffer()?;
        if bits.len() * 8 < length {
            return Err(damaged());
        }
        Ok(Some(NullBuffer::new(BooleanBuffer::new(bits, 0, length))))
    }

    fn data(&mut self, of: &ArrowType, dictionary: Option<&ArrayRef>) -> Result<ArrayData, TabletError> {
        let length = self.number()?;
        let mut data = ArrayData::builder(of.clone()).len(length).nulls(self.nulls(length)?);
        let buffers = match of {
            ArrowType::Struct(_) => 0,
            ArrowType::Utf8 | ArrowType::Binary => 2,
            _ => 1,
        };
        for _ in 0..buffers {
            data = data.add_buffer(self.buffer()?);
        }
        match of {
            ArrowType::Dictionary(..) => {
                data = data.add_child_data(dictionary.ok_or_else(damaged)?.to_data());
            }
            ArrowType::List(field) | ArrowType::Map(field, _) => {
                data = data.add_child_data(self.data(field.data_type(), None)?);
            }
            ArrowType::Struct(fields) => {
                for field in fields {
                    data = data.add_child_data(self.data(field.data_type(), None)?);
                }
            }
            _ => {}
        }
        Ok(data.build()?)
    }
}

fn damaged() -> TabletError {
    TabletError::DamagedSpill
}
