//! One column of the run buffer: its values go into a field of the records, text beside them.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayData, ArrayRef, AsArray, BooleanArray, DictionaryArray, Int32Array, make_array,
};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, ScalarBuffer};
use arrow::compute::interleave;
use arrow::datatypes::{ArrowNativeType, DataType as ArrowType, Int32Type};

use super::TabletError;
use super::dictionary::{Dictionary, Remap};
use super::records::Records;
use super::text::{self, Texts};

/// What a column's field of the records holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The value's bits, of so many bytes: 1, 2, 4, 8 or 16.
    Fixed(usize),
    /// 0 or 1.
    Boolean,
    /// A code of the dictionary: text with few distinct values.
    Code,
    /// The place of a text or of bytes.
    Text,
    /// Nothing: nested values stay in the batches' own arrays.
    Nested,
}

impl Kind {
    /// Bytes of the field.
    pub(crate) fn width(self) -> usize {
        match self {
            Self::Fixed(width) => width,
            Self::Boolean => 1,
            Self::Code => size_of::<u16>(),
            Self::Text => size_of::<text::Place>(),
            Self::Nested => 0,
        }
    }
}

/// Where a column lies in the records: its field, and the bit that says that it is NULL.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Slot {
    offset: usize,
    null_byte: usize,
    null_bit: u8,
}

impl Slot {
    /// A field at `offset`, with the null bit of column `number`.
    pub(crate) fn new(offset: usize, number: usize) -> Self {
        Self { offset, null_byte: number / 8, null_bit: 1 << (number % 8) }
    }
}

/// A growing column.
#[derive(Debug)]
pub(crate) struct Column {
    data_type: ArrowType,
    kind: Kind,
    slot: Slot,
    has_nulls: bool,
    rows: usize,
    texts: Texts,
    dictionary: Dictionary,
    remap: Remap,
    /// Codes of the batch that comes next.
    pending: Vec<u16>,
    /// Nested values, the number of the first row of each array, and their bytes.
    arrays: Vec<ArrayRef>,
    starts: Vec<usize>,
    nested_bytes: usize,
}

impl Column {
    /// An empty column of an Arrow type of the table; its slot is to be set.
    pub(crate) fn new(data_type: &ArrowType) -> Self {
        let kind = match data_type {
            ArrowType::Boolean => Kind::Boolean,
            // Text begins as codes; the first batch that is no dictionary ends that.
            ArrowType::Utf8 => Kind::Code,
            ArrowType::Binary => Kind::Text,
            other => other.primitive_width().map_or(Kind::Nested, Kind::Fixed),
        };
        Self {
            data_type: data_type.clone(),
            kind,
            slot: Slot::new(0, 0),
            has_nulls: false,
            rows: 0,
            texts: Texts::default(),
            dictionary: Dictionary::default(),
            remap: Remap::default(),
            pending: Vec::new(),
            arrays: Vec::new(),
            starts: Vec::new(),
            nested_bytes: 0,
        }
    }

    /// What the field holds.
    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    /// Moves the column, which has no rows.
    pub(crate) fn place(&mut self, slot: Slot) {
        self.slot = slot;
    }

    /// Whether text is kept as codes.
    pub(crate) fn is_codes(&self) -> bool {
        self.kind == Kind::Code
    }

    /// From now on text is kept as it is; the column has no rows.
    pub(crate) fn give_up_codes(&mut self) {
        if self.kind == Kind::Code {
            self.kind = Kind::Text;
        }
    }

    /// Looks up the codes of the batch that comes next. `false`: it cannot be kept as codes, because there
    /// are too many values or the batch has no dictionary.
    pub(crate) fn prepare(&mut self, array: &ArrayRef) -> bool {
        if !self.is_codes() {
            return true;
        }
        self.pending.clear();
        let Some(dictionary) = array.as_dictionary_opt::<Int32Type>() else { return false };
        let nulls = array.logical_nulls();
        let is_null = |row: usize| nulls.as_ref().is_some_and(|nulls| nulls.is_null(row));
        let keys = dictionary.keys().values();
        self.remap.append(&mut self.dictionary, dictionary.values(), keys, is_null, &mut self.pending)
    }

    /// Bytes beside the records.
    pub(crate) fn memory(&self) -> usize {
        self.texts.bytes() + self.nested_bytes + self.dictionary.memory()
    }

    /// Bytes beside the records that appending `array` would add.
    pub(crate) fn cost(&self, array: &ArrayRef) -> usize {
        match (self.kind, array.data_type()) {
            (Kind::Text, ArrowType::Dictionary(..)) => {
                let dictionary = array.as_dictionary::<Int32Type>();
                let Some(texts) = dictionary.values().as_string_opt::<i32>() else { return 0 };
                dictionary.keys().iter().flatten().map(|key| texts.value_length(key as usize) as usize).sum()
            }
            (Kind::Text | Kind::Code, ArrowType::Utf8) => span(array.as_string::<i32>().value_offsets()),
            (Kind::Text, ArrowType::Binary) => span(array.as_binary::<i32>().value_offsets()),
            (Kind::Nested, _) => {
                array.to_data().get_slice_memory_size().unwrap_or_else(|_| array.get_array_memory_size())
            }
            _ => 0,
        }
    }

    /// Writes all rows of `array`, of the column's type or, for text, a dictionary of it, into the records
    /// from `first` on. [`Self::prepare`] has seen it.
    pub(crate) fn append(
        &mut self,
        array: &ArrayRef,
        records: &mut Records,
        first: usize,
    ) -> Result<(), TabletError> {
        let offset = self.slot.offset;
        match (self.kind, array.data_type()) {
            (_, ArrowType::Dictionary(..)) => self.append_dictionary(array, records, first)?,
            (_, other) if *other != self.data_type => return Err(self.wrong(array)),
            (Kind::Fixed(1), _) => put(records, first, offset, &native::<u8>(array)?, u8::to_le_bytes),
            (Kind::Fixed(2), _) => put(records, first, offset, &native::<u16>(array)?, u16::to_le_bytes),
            (Kind::Fixed(4), _) => put(records, first, offset, &native::<u32>(array)?, u32::to_le_bytes),
            (Kind::Fixed(8), _) => put(records, first, offset, &native::<u64>(array)?, u64::to_le_bytes),
            (Kind::Fixed(16), _) => put(records, first, offset, &native::<i128>(array)?, i128::to_le_bytes),
            (Kind::Boolean, _) => {
                records.put(first, offset, array.as_boolean().values().iter().map(|v| [u8::from(v)]));
            }
            (Kind::Text, ArrowType::Utf8) => {
                let array = array.as_string::<i32>();
                records.put(first, offset, self.texts.extend(array.value_offsets(), array.value_data()));
            }
            (Kind::Text, ArrowType::Binary) => {
                let array = array.as_binary::<i32>();
                records.put(first, offset, self.texts.extend(array.value_offsets(), array.value_data()));
            }
            (Kind::Nested, _) => {
                self.nested_bytes += self.cost(array);
                self.starts.push(first);
                self.arrays.push(Arc::clone(array));
            }
            (Kind::Code | Kind::Text | Kind::Fixed(_), _) => return Err(self.wrong(array)),
        }
        if let Some(nulls) = array.logical_nulls().filter(|nulls| nulls.null_count() > 0) {
            self.has_nulls = true;
            for row in (0..array.len()).filter(|row| nulls.is_null(*row)) {
                records.set_bit(first + row, self.slot.null_byte, self.slot.null_bit);
            }
        }
        self.rows += array.len();
        Ok(())
    }

    fn wrong(&self, array: &ArrayRef) -> TabletError {
        TabletError::WrongBatch(format!("{} where {} is due", array.data_type(), self.data_type))
    }

    fn append_dictionary(
        &mut self,
        array: &ArrayRef,
        records: &mut Records,
        first: usize,
    ) -> Result<(), TabletError> {
        let dictionary = array.as_dictionary_opt::<Int32Type>().ok_or_else(|| self.wrong(array))?;
        let texts = dictionary.values().as_string_opt::<i32>().ok_or_else(|| self.wrong(array))?;
        match self.kind {
            Kind::Code if self.pending.len() == array.len() => {
                records.put(first, self.slot.offset, self.pending.drain(..).map(u16::to_le_bytes));
            }
            Kind::Text => {
                let nulls = array.logical_nulls();
                let keys = dictionary.keys().values().iter().enumerate();
                let places = keys.map(|(row, key)| {
                    let is_null = nulls.as_ref().is_some_and(|nulls| nulls.is_null(row));
                    self.texts.push(if is_null { &[] } else { texts.value(*key as usize).as_bytes() })
                });
                records.put(first, self.slot.offset, places);
            }
            _ => return Err(self.wrong(array)),
        }
        Ok(())
    }

    /// Forgets the rows; the dictionary stays, and whether text is kept as codes.
    pub(crate) fn clear(&mut self) {
        self.texts.clear();
        self.arrays.clear();
        self.starts.clear();
        self.nested_bytes = 0;
        self.has_nulls = false;
        self.rows = 0;
    }

    /// Whether a row holds a value.
    #[inline]
    pub(crate) fn is_valid(&self, records: &Records, row: usize) -> bool {
        let [byte] = records.get(row, self.slot.null_byte);
        byte & self.slot.null_bit == 0
    }

    /// Whether a NULL is among the rows.
    pub(crate) fn has_nulls(&self) -> bool {
        self.has_nulls
    }

    /// The field of a row.
    #[inline]
    pub(crate) fn field<const N: usize>(&self, records: &Records, row: usize) -> [u8; N] {
        records.get(row, self.slot.offset)
    }

    /// The dictionary of the column's codes.
    pub(crate) fn dictionary(&self) -> &Dictionary {
        &self.dictionary
    }

    /// Makes the dictionary's array for the gathers that follow.
    pub(crate) fn dictionary_array(&mut self) -> ArrayRef {
        self.dictionary.array()
    }

    /// Bytes of a row's value beside its record.
    pub(crate) fn value_bytes(&self, records: &Records, row: usize) -> usize {
        match self.kind {
            Kind::Text => text::length(self.field(records, row)),
            Kind::Nested => self.nested_bytes / self.rows.max(1),
            _ => 0,
        }
    }

    /// Whether values stay in the arrays that they came in, and are found by when their row came.
    pub(crate) fn is_nested(&self) -> bool {
        matches!(self.kind, Kind::Nested)
    }

    /// Whether [`Self::value_bytes`] differs by row.
    pub(crate) fn varies(&self) -> bool {
        matches!(self.kind, Kind::Text | Kind::Nested)
    }

    /// The rows in the order given. Text in codes becomes a dictionary array over `dictionary`, or plain
    /// text if that is absent.
    pub(crate) fn gather(
        &self,
        records: &Records,
        rows: &[u32],
        dictionary: Option<&ArrayRef>,
    ) -> Result<ArrayRef, TabletError> {
        let valid = |at: usize| self.is_valid(records, rows[at] as usize);
        let nulls = self.has_nulls.then(|| NullBuffer::new(BooleanBuffer::collect_bool(rows.len(), valid)));
        let nulls = nulls.filter(|nulls| nulls.null_count() > 0);
        let fields = rows.iter().map(|row| *row as usize);
        macro_rules! fixed {
            ($native:ty) => {{
                let values = fields.map(|row| <$native>::from_le_bytes(self.field(records, row)));
                self.fixed(Buffer::from_vec(values.collect::<Vec<_>>()), rows.len(), nulls)
            }};
        }
        match self.kind {
            Kind::Fixed(1) => fixed!(u8),
            Kind::Fixed(2) => fixed!(u16),
            Kind::Fixed(4) => fixed!(u32),
            Kind::Fixed(8) => fixed!(u64),
            Kind::Fixed(_) => fixed!(i128),
            Kind::Boolean => {
                let is_true = |at: usize| self.field::<1>(records, rows[at] as usize) != [0];
                Ok(Arc::new(BooleanArray::new(BooleanBuffer::collect_bool(rows.len(), is_true), nulls)))
            }
            Kind::Code => {
                let codes = fields.map(|row| u16::from_le_bytes(self.field(records, row)));
                match dictionary {
                    Some(dictionary) => {
                        let keys = ScalarBuffer::from(codes.map(i32::from).collect::<Vec<_>>());
                        let keys = Int32Array::new(keys, nulls);
                        Ok(Arc::new(DictionaryArray::try_new(keys, Arc::clone(dictionary))?))
                    }
                    // A NULL has code 0, which there may be no value for.
                    None => {
                        let texts =
                            codes.map(|code| self.dictionary.value(code).unwrap_or_default().as_bytes());
                        self.texts(texts, rows.len(), nulls)
                    }
                }
            }
            Kind::Text => {
                let texts = fields.map(|row| self.texts.value(self.field(records, row)));
                self.texts(texts, rows.len(), nulls)
            }
            Kind::Nested => {
                let arrays: Vec<&dyn Array> = self.arrays.iter().map(|array| array.as_ref()).collect();
                if arrays.is_empty() {
                    return Ok(arrow::array::new_empty_array(&self.data_type));
                }
                let places = fields.map(|row| {
                    let chunk = self.starts.partition_point(|start| *start <= row) - 1;
                    (chunk, row - self.starts[chunk])
                });
                Ok(interleave(&arrays, &places.collect::<Vec<_>>())?)
            }
        }
    }

    fn fixed(&self, values: Buffer, rows: usize, nulls: Option<NullBuffer>) -> Result<ArrayRef, TabletError> {
        let data = ArrayData::builder(self.data_type.clone()).len(rows).add_buffer(values).nulls(nulls);
        Ok(make_array(data.build()?))
    }

    fn texts<'a>(
        &self,
        texts: impl Iterator<Item = &'a [u8]>,
        rows: usize,
        nulls: Option<NullBuffer>,
    ) -> Result<ArrayRef, TabletError> {
        let mut offsets: Vec<i32> = Vec::with_capacity(rows + 1);
        let mut data: Vec<u8> = Vec::new();
        offsets.push(0);
        for text in texts {
            data.extend_from_slice(text);
            offsets.push(
                i32::try_from(data.len()).map_err(|_| {
                    TabletError::WrongBatch("more than 2 GiB of text in one block".to_owned())
                })?,
            );
        }
        let array = ArrayData::builder(self.data_type.clone())
            .len(rows)
            .add_buffer(Buffer::from_vec(offsets))
            .add_buffer(Buffer::from_vec(data))
            .nulls(nulls);
        Ok(make_array(array.build()?))
    }
}

/// The values of a fixed-width array by their bits.
fn native<T: ArrowNativeType>(array: &ArrayRef) -> Result<ScalarBuffer<T>, TabletError> {
    let data = array.to_data();
    let values = data.buffers().first();
    let values = values.ok_or_else(|| TabletError::WrongBatch("an array without values".to_owned()))?;
    Ok(ScalarBuffer::new(values.clone(), data.offset(), data.len()))
}

/// Writes a field of the records from `first` on.
fn put<T: Copy, const N: usize>(
    records: &mut Records,
    first: usize,
    offset: usize,
    values: &[T],
    bytes: impl Fn(T) -> [u8; N],
) {
    records.put(first, offset, values.iter().map(|value| bytes(*value)));
}

/// Bytes between the first and the last offset.
fn span(offsets: &[i32]) -> usize {
    match (offsets.first(), offsets.last()) {
        (Some(first), Some(last)) => (last - first) as usize,
        _ => 0,
    }
}
