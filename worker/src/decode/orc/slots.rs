//! The rows of a batch, and which of them have a value.

use arrow::buffer::NullBuffer;

/// Rows of which some are NULL. Values are stored for the others only.
#[derive(Debug)]
pub(super) struct Slots {
    pub rows: usize,
    /// Rows that are not NULL.
    pub values: usize,
    /// Which rows are not NULL; absent if all are not.
    pub nulls: Option<NullBuffer>,
}

impl Slots {
    /// So many rows.
    pub fn new(rows: usize, nulls: Option<NullBuffer>) -> Self {
        Self { rows, values: rows - nulls.as_ref().map_or(0, NullBuffer::null_count), nulls }
    }

    /// Puts values where rows have one; the others get the default.
    pub fn spread<T: Default + Clone>(&self, values: impl Iterator<Item = T>) -> Vec<T> {
        let Some(nulls) = &self.nulls else { return values.take(self.rows).collect() };
        let mut spread = vec![T::default(); self.rows];
        for (place, value) in nulls.valid_indices().zip(values) {
            spread[place] = value;
        }
        spread
    }
}
