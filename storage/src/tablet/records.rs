//! Rows of the run buffer, field by field side by side: a row moves as a whole.

/// Records are made wider to a multiple of this, so that they move in words.
const WORD: usize = 8;
/// Widest record that is moved: beyond, a row costs few misses of the cache for its size where it lies.
const MAX_MOVED: usize = 64;

/// Records of one width, one behind the other.
#[derive(Debug)]
pub(crate) struct Records {
    width: usize,
    bytes: Vec<u8>,
}

impl Records {
    /// No records of at least `width` bytes.
    pub(crate) fn new(width: usize) -> Self {
        Self { width: width.max(1).next_multiple_of(WORD), bytes: Vec::new() }
    }

    /// Bytes that there is room for.
    pub(crate) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Whether [`Self::scatter`] can move such records.
    pub(crate) fn can_scatter(&self) -> bool {
        self.width <= MAX_MOVED
    }

    /// As many records of zeros, in one piece whose pages stay untouched until they are written.
    pub(crate) fn zeros(&self, records: usize) -> Self {
        Self { width: self.width, bytes: vec![0; records * self.width] }
    }

    /// Copies each record to its place in `to`, which has as many records in the end. `place` is asked for
    /// each record in order; the places are all numbers below the number of records.
    pub(crate) fn scatter(&self, to: &mut Self, place: impl FnMut(usize) -> usize) {
        to.bytes.resize(self.bytes.len(), 0);
        match self.width {
            8 => self.scatter_of::<8>(to, place),
            16 => self.scatter_of::<16>(to, place),
            24 => self.scatter_of::<24>(to, place),
            32 => self.scatter_of::<32>(to, place),
            40 => self.scatter_of::<40>(to, place),
            48 => self.scatter_of::<48>(to, place),
            56 => self.scatter_of::<56>(to, place),
            _ => self.scatter_of::<MAX_MOVED>(to, place),
        }
    }

    fn scatter_of<const N: usize>(&self, to: &mut Self, mut place: impl FnMut(usize) -> usize) {
        for (number, record) in self.bytes.chunks_exact(N).enumerate() {
            let at = place(number) * N;
            to.bytes[at..at + N].copy_from_slice(record);
        }
    }

    /// Bytes of a record.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// Takes room for records in one piece. The pages stay untouched until records come, and no growth has
    /// to copy.
    pub(crate) fn reserve(&mut self, records: usize) {
        self.bytes.reserve_exact(records * self.width);
    }

    /// Adds records of zeros.
    pub(crate) fn grow(&mut self, records: usize) {
        self.bytes.resize(self.bytes.len() + records * self.width, 0);
    }

    /// Writes a field of the records from `first` on.
    #[inline]
    pub(crate) fn put<const N: usize>(
        &mut self,
        first: usize,
        offset: usize,
        values: impl Iterator<Item = [u8; N]>,
    ) {
        let records = self.bytes[first * self.width..].chunks_exact_mut(self.width);
        for (record, value) in records.zip(values) {
            record[offset..offset + N].copy_from_slice(&value);
        }
    }

    /// Sets a bit of a record's byte.
    #[inline]
    pub(crate) fn set_bit(&mut self, record: usize, byte: usize, bit: u8) {
        self.bytes[record * self.width + byte] |= bit;
    }

    /// A field of a record.
    #[inline]
    pub(crate) fn get<const N: usize>(&self, record: usize, offset: usize) -> [u8; N] {
        let at = record * self.width + offset;
        let mut value = [0; N];
        value.copy_from_slice(&self.bytes[at..at + N]);
        value
    }

    /// Forgets the records, keeps the room.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
    }
}
