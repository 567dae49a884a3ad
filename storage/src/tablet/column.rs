//! One column of the run buffer: rows are appended once and gathered in any order.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayData, ArrayRef, AsArray, BooleanArray, BooleanBufferBuilder, DictionaryArray, Int32Array,
    make_array,
};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, ScalarBuffer};
use arrow::compute::interleave;
use arrow::datatypes::{ArrowNativeType, DataType as ArrowType, Int32Type};

use super::TabletError;
use super::dictionary::{Dictionary, Remap};
use super::text::{TEXT_ROW_BYTES, Texts};

/// A growing column.
#[derive(Debug)]
pub(crate) struct ColumnBuffer {
    data_type: ArrowType,
    values: Values,
    /// Validity by row; absent while there is no NULL.
    validity: Option<BooleanBufferBuilder>,
    rows: usize,
    remap: Remap,
    dictionary: Dictionary,
    /// Codes of the batch that comes next.
    pending: Vec<u32>,
}

/// Values of fixed width by their bits, whatever they mean; text as codes while it has few distinct values.
#[derive(Debug)]
pub(crate) enum Values {
    Bytes1(Vec<u8>),
    Bytes2(Vec<u16>),
    Bytes4(Vec<u32>),
    Bytes8(Vec<u64>),
    Bytes16(Vec<i128>),
    Booleans(Vec<u8>),
    Codes(Vec<u32>),
    Texts(Texts),
    /// Nested values: the batches' own arrays, and the number of the first row of each.
    Chunks {
        arrays: Vec<ArrayRef>,
        starts: Vec<usize>,
        bytes: usize,
    },
}

impl ColumnBuffer {
    /// An empty column of an Arrow type of the table.
    pub(crate) fn new(data_type: &ArrowType) -> Self {
        let values = match data_type {
            ArrowType::Boolean => Values::Booleans(Vec::new()),
            // Text begins as codes; the first batch that is no dictionary ends that.
            ArrowType::Utf8 => Values::Codes(Vec::new()),
            ArrowType::Binary => Values::Texts(Texts::default()),
            other => match other.primitive_width() {
                Some(1) => Values::Bytes1(Vec::new()),
                Some(2) => Values::Bytes2(Vec::new()),
                Some(4) => Values::Bytes4(Vec::new()),
                Some(8) => Values::Bytes8(Vec::new()),
                Some(16) => Values::Bytes16(Vec::new()),
                _ => Values::Chunks { arrays: Vec::new(), starts: Vec::new(), bytes: 0 },
            },
        };
        Self {
            data_type: data_type.clone(),
            values,
            validity: None,
            rows: 0,
            remap: Remap::default(),
            dictionary: Dictionary::default(),
            pending: Vec::new(),
        }
    }

    /// Looks up the codes of the batch that comes next. `false`: appending it will turn the column's codes
    /// into texts, because there are too many values or the batch has no dictionary.
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

    /// Bytes that each row costs at least, whatever it holds.
    pub(crate) fn row_bytes(&self) -> usize {
        match &self.values {
            Values::Bytes1(_) | Values::Booleans(_) => 1,
            Values::Bytes2(_) => 2,
            Values::Bytes4(_) | Values::Codes(_) => 4,
            Values::Bytes8(_) => 8,
            Values::Bytes16(_) => 16,
            Values::Texts(_) => TEXT_ROW_BYTES,
            Values::Chunks { .. } => 8,
        }
    }

    /// Takes room for `rows` rows in one piece. The pages stay untouched until rows come, and no growth
    /// has to copy.
    pub(crate) fn reserve(&mut self, rows: usize) {
        match &mut self.values {
            Values::Bytes1(values) | Values::Booleans(values) => values.reserve_exact(rows),
            Values::Bytes2(values) => values.reserve_exact(rows),
            Values::Bytes4(values) | Values::Codes(values) => values.reserve_exact(rows),
            Values::Bytes8(values) => values.reserve_exact(rows),
            Values::Bytes16(values) => values.reserve_exact(rows),
            Values::Texts(texts) => texts.reserve(rows),
            Values::Chunks { .. } => {}
        }
    }

    /// Bytes in use.
    pub(crate) fn memory(&self) -> usize {
        let nulls = if self.validity.is_some() { self.rows / 8 } else { 0 };
        let beside = match &self.values {
            Values::Texts(texts) => texts.bytes(),
            Values::Chunks { bytes, .. } => *bytes,
            _ => 0,
        };
        self.row_bytes() * self.rows + beside + nulls + self.dictionary.memory()
    }

    /// Bytes that appending `array` would add, from above.
    pub(crate) fn cost(&self, array: &ArrayRef) -> usize {
        let rows = array.len();
        let nulls = rows / 8 + 1;
        let beside = match (&self.values, array.data_type()) {
            (Values::Texts(_), ArrowType::Dictionary(..)) => {
                let dictionary = array.as_dictionary::<Int32Type>();
                let Some(texts) = dictionary.values().as_string_opt::<i32>() else { return usize::MAX / 4 };
                dictionary.keys().iter().flatten().map(|key| texts.value_length(key as usize) as usize).sum()
            }
            (Values::Texts(_), ArrowType::Utf8) => offsets_length(array.as_string::<i32>().value_offsets()),
            (Values::Texts(_), _) => offsets_length(array.as_binary::<i32>().value_offsets()),
            (Values::Codes(_), ArrowType::Utf8) => offsets_length(array.as_string::<i32>().value_offsets()),
            (Values::Chunks { .. }, _) => {
                array.to_data().get_slice_memory_size().unwrap_or_else(|_| array.get_array_memory_size())
            }
            _ => 0,
        };
        rows * self.row_bytes() + beside + nulls
    }

    /// Appends all rows of `array`, of the column's type or, for text, a dictionary of it, after
    /// [`Self::prepare`] has seen it.
    pub(crate) fn append(&mut self, array: &ArrayRef) -> Result<(), TabletError> {
        let nulls = array.logical_nulls().filter(|nulls| nulls.null_count() > 0);
        match array.data_type() {
            ArrowType::Dictionary(..) => self.append_dictionary(array, nulls.as_ref())?,
            other if *other == self.data_type || self.data_type.is_nested() => self.append_plain(array)?,
            other => {
                return Err(TabletError::WrongBatch(format!("{other} where {} is due", self.data_type)));
            }
        }
        self.append_validity(array.len(), nulls.as_ref());
        self.rows += array.len();
        Ok(())
    }

    fn append_validity(&mut self, rows: usize, nulls: Option<&NullBuffer>) {
        if nulls.is_none() && self.validity.is_none() {
            return;
        }
        let before = self.rows;
        let validity = self.validity.get_or_insert_with(|| {
            let mut all = BooleanBufferBuilder::new(before + rows);
            all.append_n(before, true);
            all
        });
        match nulls {
            Some(nulls) => validity.append_buffer(nulls.inner()),
            None => validity.append_n(rows, true),
        }
    }

    fn append_plain(&mut self, array: &ArrayRef) -> Result<(), TabletError> {
        if let (Values::Codes(_), ArrowType::Utf8) = (&self.values, array.data_type()) {
            self.give_up_codes();
        }
        match &mut self.values {
            Values::Bytes1(values) => values.extend_from_slice(native(array)?.as_ref()),
            Values::Bytes2(values) => values.extend_from_slice(native(array)?.as_ref()),
            Values::Bytes4(values) => values.extend_from_slice(native(array)?.as_ref()),
            Values::Bytes8(values) => values.extend_from_slice(native(array)?.as_ref()),
            Values::Bytes16(values) => values.extend_from_slice(native(array)?.as_ref()),
            Values::Booleans(values) => {
                values.extend(array.as_boolean().values().iter().map(u8::from));
            }
            Values::Texts(texts) => match array.data_type() {
                ArrowType::Utf8 => {
                    let array = array.as_string::<i32>();
                    texts.extend(array.value_offsets(), array.value_data());
                }
                _ => {
                    let array = array.as_binary::<i32>();
                    texts.extend(array.value_offsets(), array.value_data());
                }
            },
            Values::Codes(_) => return Err(TabletError::WrongBatch("text that is no text".into())),
            Values::Chunks { arrays, starts, bytes } => {
                *bytes += array.to_data().get_slice_memory_size()?;
                starts.push(self.rows);
                arrays.push(Arc::clone(array));
            }
        }
        Ok(())
    }

    fn append_dictionary(&mut self, array: &ArrayRef, nulls: Option<&NullBuffer>) -> Result<(), TabletError> {
        let due = self.data_type.clone();
        let of_text = || TabletError::WrongBatch(format!("{} where {due} is due", array.data_type()));
        let dictionary = array.as_dictionary_opt::<Int32Type>().ok_or_else(of_text)?;
        let texts = dictionary.values().as_string_opt::<i32>().ok_or_else(of_text)?;
        let keys = dictionary.keys().values();
        let is_null = |row: usize| nulls.is_some_and(|nulls| nulls.is_null(row));
        if let Values::Codes(codes) = &mut self.values {
            if self.pending.len() == keys.len() {
                codes.append(&mut self.pending);
                return Ok(());
            }
            self.give_up_codes();
        }
        let Values::Texts(out) = &mut self.values else { return Err(of_text()) };
        for (row, key) in keys.iter().enumerate() {
            let value = if is_null(row) { "" } else { texts.value(*key as usize) };
            out.push(value.as_bytes());
        }
        Ok(())
    }

    /// From now on the column is kept as texts: it has too many values, or they came without a dictionary.
    fn give_up_codes(&mut self) {
        let Values::Codes(codes) = &self.values else { return };
        let mut texts = Texts::default();
        texts.reserve(codes.capacity());
        for (row, code) in codes.iter().enumerate() {
            let is_null = self.validity.as_ref().is_some_and(|validity| !validity.get_bit(row));
            texts.push(if is_null { &[] } else { self.dictionary.value(*code).as_bytes() });
        }
        self.values = Values::Texts(texts);
    }

    /// Forgets the rows and keeps the room, the dictionary, and whether text is kept as codes.
    pub(crate) fn clear(&mut self) {
        match &mut self.values {
            Values::Bytes1(values) | Values::Booleans(values) => values.clear(),
            Values::Bytes2(values) => values.clear(),
            Values::Bytes4(values) | Values::Codes(values) => values.clear(),
            Values::Bytes8(values) => values.clear(),
            Values::Bytes16(values) => values.clear(),
            Values::Texts(texts) => texts.clear(),
            Values::Chunks { arrays, starts, bytes } => {
                arrays.clear();
                starts.clear();
                *bytes = 0;
            }
        }
        self.validity = None;
        self.rows = 0;
    }

    /// Gives back the room of the rows, which are none.
    pub(crate) fn release(&mut self) {
        match &mut self.values {
            Values::Bytes1(values) | Values::Booleans(values) => *values = Vec::new(),
            Values::Bytes2(values) => *values = Vec::new(),
            Values::Bytes4(values) | Values::Codes(values) => *values = Vec::new(),
            Values::Bytes8(values) => *values = Vec::new(),
            Values::Bytes16(values) => *values = Vec::new(),
            Values::Texts(texts) => *texts = Texts::default(),
            Values::Chunks { .. } => {}
        }
        self.remap = Remap::default();
    }

    /// The values, for the sort key.
    pub(crate) fn values(&self) -> &Values {
        &self.values
    }

    /// Whether a row holds a value.
    pub(crate) fn is_valid(&self, row: usize) -> bool {
        self.validity.as_ref().is_none_or(|validity| validity.get_bit(row))
    }

    /// Whether a NULL may be among the rows.
    pub(crate) fn has_nulls(&self) -> bool {
        self.validity.is_some()
    }

    /// The dictionary of the column's codes.
    pub(crate) fn dictionary(&self) -> &Dictionary {
        &self.dictionary
    }

    /// Makes the dictionary's array for the gathers that follow.
    pub(crate) fn dictionary_array(&mut self) -> ArrayRef {
        self.dictionary.array()
    }

    /// Whether text is kept as codes.
    pub(crate) fn is_codes(&self) -> bool {
        matches!(self.values, Values::Codes(_))
    }

    /// Bytes that a row's value has beyond [`Self::row_bytes`].
    pub(crate) fn value_bytes(&self, row: usize) -> usize {
        match &self.values {
            Values::Texts(texts) => texts.length(row),
            Values::Chunks { bytes, .. } => *bytes / self.rows.max(1),
            _ => 0,
        }
    }

    /// Whether [`Self::value_bytes`] differs by row.
    pub(crate) fn varies(&self) -> bool {
        matches!(self.values, Values::Texts(_) | Values::Chunks { .. })
    }

    /// The rows in the order given. Text in codes becomes a dictionary array over `dictionary`, or plain
    /// text if that is absent.
    pub(crate) fn gather(
        &self,
        rows: &[u32],
        dictionary: Option<&ArrayRef>,
    ) -> Result<ArrayRef, TabletError> {
        let nulls = self.validity.as_ref().map(|validity| {
            NullBuffer::new(BooleanBuffer::collect_bool(rows.len(), |at| validity.get_bit(rows[at] as usize)))
        });
        let nulls = nulls.filter(|nulls| nulls.null_count() > 0);
        match &self.values {
            Values::Bytes1(values) => self.fixed(take(values, rows), rows.len(), nulls),
            Values::Bytes2(values) => self.fixed(take(values, rows), rows.len(), nulls),
            Values::Bytes4(values) => self.fixed(take(values, rows), rows.len(), nulls),
            Values::Bytes8(values) => self.fixed(take(values, rows), rows.len(), nulls),
            Values::Bytes16(values) => self.fixed(take(values, rows), rows.len(), nulls),
            Values::Booleans(values) => {
                let bits = BooleanBuffer::collect_bool(rows.len(), |at| values[rows[at] as usize] != 0);
                Ok(Arc::new(BooleanArray::new(bits, nulls)))
            }
            Values::Codes(codes) => match dictionary {
                Some(dictionary) => {
                    let keys = rows.iter().map(|&row| codes[row as usize].cast_signed()).collect::<Vec<_>>();
                    let keys = Int32Array::new(ScalarBuffer::from(keys), nulls);
                    Ok(Arc::new(DictionaryArray::try_new(keys, Arc::clone(dictionary))?))
                }
                None => {
                    let text =
                        |row: usize| if self.is_valid(row) { self.dictionary.value(codes[row]) } else { "" };
                    self.texts(rows, nulls, |row| text(row).as_bytes())
                }
            },
            Values::Texts(texts) => self.texts(rows, nulls, |row| texts.value(row)),
            Values::Chunks { arrays, starts, .. } => {
                let place = |row: &u32| {
                    let row = *row as usize;
                    let chunk = starts.partition_point(|start| *start <= row) - 1;
                    (chunk, row - starts[chunk])
                };
                let places: Vec<(usize, usize)> = rows.iter().map(place).collect();
                let arrays: Vec<&dyn Array> = arrays.iter().map(|array| array.as_ref()).collect();
                if arrays.is_empty() {
                    return Ok(arrow::array::new_empty_array(&self.data_type));
                }
                Ok(interleave(&arrays, &places)?)
            }
        }
    }

    fn fixed(&self, values: Buffer, rows: usize, nulls: Option<NullBuffer>) -> Result<ArrayRef, TabletError> {
        let data = ArrayData::builder(self.data_type.clone()).len(rows).add_buffer(values).nulls(nulls);
        Ok(make_array(data.build()?))
    }

    fn texts<'a>(
        &self,
        rows: &[u32],
        nulls: Option<NullBuffer>,
        value: impl Fn(usize) -> &'a [u8],
    ) -> Result<ArrayRef, TabletError> {
        let mut offsets: Vec<i32> = Vec::with_capacity(rows.len() + 1);
        let mut data: Vec<u8> = Vec::new();
        offsets.push(0);
        for &row in rows {
            data.extend_from_slice(value(row as usize));
            offsets.push(
                i32::try_from(data.len()).map_err(|_| {
                    TabletError::WrongBatch("more than 2 GiB of text in one block".to_owned())
                })?,
            );
        }
        let array = ArrayData::builder(self.data_type.clone())
            .len(rows.len())
            .add_buffer(Buffer::from_vec(offsets))
            .add_buffer(Buffer::from_vec(data))
            .nulls(nulls);
        Ok(make_array(array.build()?))
    }
}

/// The values of the rows, in the order of the rows.
fn take<T: ArrowNativeType>(values: &[T], rows: &[u32]) -> Buffer {
    Buffer::from_vec(rows.iter().map(|&row| values[row as usize]).collect::<Vec<T>>())
}

/// The values of a fixed-width array by their bits.
fn native<T: ArrowNativeType>(array: &ArrayRef) -> Result<ScalarBuffer<T>, TabletError> {
    let data = array.to_data();
    let buffer =
        data.buffers().first().ok_or_else(|| TabletError::WrongBatch("an array without values".into()))?;
    Ok(ScalarBuffer::new(buffer.clone(), data.offset(), data.len()))
}

fn offsets_length(offsets: &[i32]) -> usize {
    match (offsets.first(), offsets.last()) {
        (Some(first), Some(last)) => (last - first) as usize,
        _ => 0,
    }
}
