//! One dictionary of a text column, shared by all runs of a writer: equal codes mean equal text in every
//! batch, run and spill, so that a merge never compares strings to find out.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, StringArray};

/// Bytes of distinct values above which a column is no longer kept as codes.
const MAX_BYTES: usize = 1 << 20;

/// Distinct values in order of their first appearance. It only grows: a code once given stays.
#[derive(Debug, Default)]
pub(crate) struct Dictionary {
    values: Vec<Arc<str>>,
    codes: HashMap<Arc<str>, u16>,
    bytes: usize,
    snapshot: Option<ArrayRef>,
}

impl Dictionary {
    /// The code of a value, a new one if need be; `None` when the dictionary is full: 65,536 values, or too
    /// many bytes.
    pub(crate) fn code(&mut self, value: &str) -> Option<u16> {
        if let Some(code) = self.codes.get(value) {
            return Some(*code);
        }
        if self.bytes + value.len() > MAX_BYTES {
            return None;
        }
        let code = u16::try_from(self.values.len()).ok()?;
        let value: Arc<str> = Arc::from(value);
        self.bytes += value.len();
        self.values.push(Arc::clone(&value));
        self.codes.insert(value, code);
        self.snapshot = None;
        Some(code)
    }

    /// Number of values.
    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    /// The value of a code.
    pub(crate) fn value(&self, code: u16) -> Option<&str> {
        self.values.get(usize::from(code)).map(|value| &**value)
    }

    /// The values as an array, index = code; the same allocation until a value is added.
    pub(crate) fn array(&mut self) -> ArrayRef {
        let values = &self.values;
        Arc::clone(self.snapshot.get_or_insert_with(|| {
            Arc::new(StringArray::from_iter_values(values.iter().map(|value| &**value))) as ArrayRef
        }))
    }

    /// For each code its place among all values in byte order: codes compare by it as their texts do.
    pub(crate) fn ranks(&self) -> Vec<u32> {
        let mut order: Vec<u32> = (0..).take(self.values.len()).collect();
        order.sort_unstable_by_key(|code| &*self.values[*code as usize]);
        let mut ranks = vec![0; order.len()];
        for (rank, code) in (0..).zip(order) {
            ranks[code as usize] = rank;
        }
        ranks
    }

    /// Bytes held: values, table, and the array made of them.
    pub(crate) fn memory(&self) -> usize {
        2 * self.bytes + self.values.len() * 96
    }
}

/// Codes of the values of one batch's dictionary, looked up when a row first needs them. Kept between
/// batches: a decoder gives the same values for all batches of a column chunk.
#[derive(Debug, Default)]
pub(crate) struct Remap {
    of: Option<ArrayRef>,
    /// Absent until a row needs it.
    codes: Vec<Option<u16>>,
}

impl Remap {
    /// Appends the codes of rows whose keys into `values` are `keys`; a NULL row gets code 0. `false`,
    /// with `out` as it was, when the dictionary is full.
    pub(crate) fn append(
        &mut self,
        dictionary: &mut Dictionary,
        values: &ArrayRef,
        keys: &[i32],
        is_null: impl Fn(usize) -> bool,
        out: &mut Vec<u16>,
    ) -> bool {
        let Some(texts) = values.as_any().downcast_ref::<StringArray>() else { return false };
        let known = self
            .of
            .as_ref()
            .is_some_and(|of| Arc::ptr_eq(of, values) || of.to_data().ptr_eq(&values.to_data()));
        if !known {
            self.of = Some(Arc::clone(values));
            self.codes.clear();
            self.codes.resize(values.len(), None);
        }
        let start = out.len();
        for (row, key) in keys.iter().enumerate() {
            if is_null(row) {
                out.push(0);
                continue;
            }
            let key = *key as usize;
            let code = match self.codes[key] {
                Some(code) => code,
                None => match dictionary.code(texts.value(key)) {
                    Some(code) => *self.codes[key].insert(code),
                    None => {
                        out.truncate(start);
                        return false;
                    }
                },
            };
            out.push(code);
        }
        true
    }
}
