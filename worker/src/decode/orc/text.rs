//! Text and bytes: one after the other, or numbers of a dictionary.

use super::fault::{BatchSpace, Fault, Result};
use super::integer::Integers;
use super::memory::Share;
use super::slots::Slots;
use super::stream::Stream;
use arrow::array::{Array, ArrayRef, BinaryArray, DictionaryArray, Int32Array, StringArray};
use arrow::buffer::{Buffer, NullBuffer, OffsetBuffer};
use arrow::compute::take;
use arrow::datatypes::Int32Type;
use std::sync::Arc;

/// Lengths that are read at a time while a dictionary grows.
const STEP: usize = 4096;

/// Values one after the other: their lengths in one stream, their bytes in another.
pub(super) struct Direct {
    pub lengths: Integers,
    pub bytes: Stream,
}

impl Direct {
    /// The next values as text.
    pub fn next_text(&mut self, slots: Slots, space: &mut BatchSpace) -> Result<ArrayRef> {
        let (offsets, bytes) = self.next(&slots, space)?;
        let texts = StringArray::try_new(offsets, bytes, slots.nulls).map_err(|error| no_text(&error))?;
        Ok(Arc::new(texts))
    }

    /// The next values as bytes.
    pub fn next_bytes(&mut self, slots: Slots, space: &mut BatchSpace) -> Result<ArrayRef> {
        let (offsets, bytes) = self.next(&slots, space)?;
        let bytes = BinaryArray::try_new(offsets, bytes, slots.nulls).map_err(|error| no_text(&error))?;
        Ok(Arc::new(bytes))
    }

    fn next(&mut self, slots: &Slots, space: &mut BatchSpace) -> Result<(OffsetBuffer<i32>, Buffer)> {
        space.take(slots.values, 8)?;
        space.take(slots.rows + 1, 4)?;
        let mut lengths = vec![0; slots.values];
        self.lengths.fill(&mut lengths)?;
        let total = total(&lengths)?;
        space.take(total, 1)?;
        // Grows as the bytes come: lengths only claim them.
        let mut bytes = Vec::with_capacity(total.min(1 << 20));
        self.bytes.append(&mut bytes, total)?;
        Ok((offsets(&lengths, slots.nulls.as_ref())?, Buffer::from_vec(bytes)))
    }
}

/// The sum of lengths, each of which is one.
pub(super) fn total(lengths: &[i64]) -> Result<usize> {
    let sum = lengths.iter().try_fold(
        0i64,
        |sum, length| {
            if *length < 0 { None } else { sum.checked_add(*length) }
        },
    );
    sum.and_then(|sum| usize::try_from(sum).ok()).ok_or_else(|| Fault::damaged("a length is out of range"))
}

/// Offsets of values with these lengths; NULL ones have none. `lengths` are those of [`total`].
pub(super) fn offsets(lengths: &[i64], nulls: Option<&NullBuffer>) -> Result<OffsetBuffer<i32>> {
    let rows = nulls.map_or(lengths.len(), NullBuffer::len);
    let mut offsets = Vec::with_capacity(rows + 1);
    let mut end = 0i64;
    offsets.push(0i32);
    let mut lengths = lengths.iter();
    for row in 0..rows {
        if nulls.is_none_or(|nulls| nulls.is_valid(row)) {
            end += lengths.next().copied().unwrap_or_default();
        }
        offsets.push(i32::try_from(end).map_err(|_| Fault::BatchTooLarge(end as u64))?);
    }
    // Ascending from 0, as every length is at least 0.
    Ok(OffsetBuffer::new(offsets.into()))
}

fn no_text(error: &arrow::error::ArrowError) -> Fault {
    Fault::Damaged(format!("a text is no UTF-8: {error}"))
}

/// Numbers that point into a dictionary, which is held for the whole stripe.
pub(super) struct Dictionary {
    numbers: Integers,
    values: ArrayRef,
    /// Given as a dictionary, not as text.
    keep: bool,
    _share: Share,
}

impl Dictionary {
    /// Reads the dictionary of `size` values.
    pub fn read(
        numbers: Integers,
        mut values: Direct,
        size: usize,
        keep: bool,
        mut share: Share,
    ) -> Result<Self> {
        let (mut lengths, mut bytes) = (Vec::new(), Vec::new());
        while lengths.len() < size {
            let begun = lengths.len();
            lengths.resize(size.min(begun + STEP), 0);
            values.lengths.fill(&mut lengths[begun..])?;
            let step = total(&lengths[begun..])?;
            // A length takes 8 bytes, later 4 as an offset, and both at once in between.
            let held =
                (bytes.len() as u64).saturating_add(step as u64).saturating_add(12 * lengths.len() as u64);
            share.hold(held)?;
            values.bytes.append(&mut bytes, step)?;
        }
        let offsets = offsets(&lengths, None)?;
        let values =
            StringArray::try_new(offsets, Buffer::from_vec(bytes), None).map_err(|error| no_text(&error))?;
        Ok(Self { numbers, values: Arc::new(values), keep, _share: share })
    }

    /// The next values.
    pub fn next(&mut self, slots: Slots, space: &mut BatchSpace) -> Result<ArrayRef> {
        space.take(slots.values, 8)?;
        space.take(slots.rows, 4)?;
        let mut numbers = vec![0; slots.values];
        self.numbers.fill(&mut numbers)?;
        let size = self.values.len() as u64;
        if numbers.iter().any(|number| *number as u64 >= size) {
            return Err(Fault::Damaged(format!(
                "a value points outside of the dictionary, which has {size}"
            )));
        }
        let keys = slots.spread(numbers.iter().map(|number| *number as i32));
        let keys = Int32Array::new(keys.into(), slots.nulls);
        if self.keep {
            let array = DictionaryArray::<Int32Type>::try_new(keys, Arc::clone(&self.values))
                .map_err(|error| no_text(&error))?;
            return Ok(Arc::new(array));
        }
        self.check_length(&keys, space)?;
        take(&self.values, &keys, None).map_err(|error| no_text(&error))
    }

    /// The texts may be far more bytes than the numbers.
    fn check_length(&self, keys: &Int32Array, space: &mut BatchSpace) -> Result<()> {
        let Some(texts) = self.values.as_any().downcast_ref::<StringArray>() else { return Ok(()) };
        let bytes: u64 = keys.iter().flatten().map(|key| texts.value_length(key as usize) as u64).sum();
        if bytes > i32::MAX as u64 {
            return Err(Fault::BatchTooLarge(bytes));
        }
        space.take(bytes as usize, 1)
    }
}
