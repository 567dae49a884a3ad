//! Growing storage of byte strings that never moves what it holds: growing costs no second copy in memory.

/// Bytes of a chunk; a longer value has a chunk of its own.
const CHUNK: usize = 1 << 20;

/// Byte strings by row.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    chunks: Vec<Vec<u8>>,
    /// Chunk and offset of each row.
    places: Vec<(u32, u32)>,
    lengths: Vec<u32>,
    bytes: usize,
}

/// Bytes a row costs beside its text.
pub(crate) const TEXT_ROW_BYTES: usize = 12;

impl Texts {
    /// Makes room for rows, untouched until used.
    pub(crate) fn reserve(&mut self, rows: usize) {
        self.places.reserve(rows);
        self.lengths.reserve(rows);
    }

    pub(crate) fn push(&mut self, value: &[u8]) {
        let chunk = self.chunk_for(value.len());
        let bytes = &mut self.chunks[chunk];
        self.places.push((chunk as u32, bytes.len() as u32));
        self.lengths.push(value.len() as u32);
        bytes.extend_from_slice(value);
        self.bytes += value.len();
    }

    /// Appends rows that lie behind each other: row i is `data[offsets[i]..offsets[i + 1]]`.
    pub(crate) fn extend(&mut self, offsets: &[i32], data: &[u8]) {
        let (Some(&first), Some(&last)) = (offsets.first(), offsets.last()) else { return };
        let total = (last - first) as usize;
        if total > CHUNK {
            for pair in offsets.windows(2) {
                self.push(&data[pair[0] as usize..pair[1] as usize]);
            }
            return;
        }
        let chunk = self.chunk_for(total);
        let bytes = &mut self.chunks[chunk];
        let start = bytes.len() as u32;
        bytes.extend_from_slice(&data[first as usize..last as usize]);
        let of_row = |offset: i32| (chunk as u32, start + (offset - first) as u32);
        self.places.extend(offsets[..offsets.len() - 1].iter().map(|offset| of_row(*offset)));
        self.lengths.extend(offsets.windows(2).map(|pair| (pair[1] - pair[0]) as u32));
        self.bytes += total;
    }

    /// The chunk that takes `length` more bytes.
    fn chunk_for(&mut self, length: usize) -> usize {
        let fits = self.chunks.last().is_some_and(|chunk| chunk.capacity() - chunk.len() >= length);
        if !fits {
            self.chunks.push(Vec::with_capacity(length.max(CHUNK)));
        }
        self.chunks.len() - 1
    }

    pub(crate) fn value(&self, row: usize) -> &[u8] {
        let (chunk, offset) = self.places[row];
        let start = offset as usize;
        &self.chunks[chunk as usize][start..start + self.lengths[row] as usize]
    }

    pub(crate) fn length(&self, row: usize) -> usize {
        self.lengths[row] as usize
    }

    /// Bytes of the texts, without what a row costs.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn clear(&mut self) {
        self.chunks.clear();
        self.places.clear();
        self.lengths.clear();
        self.bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_and_short_values_come_back() {
        let mut texts = Texts::default();
        let long = vec![7; CHUNK + 3];
        texts.push(b"a");
        texts.push(&long);
        texts.push(b"");
        texts.extend(&[2, 4, 4, 7], b"..abcde");
        assert_eq!(texts.value(1), long);
        assert_eq!([0, 2, 3, 4, 5].map(|row| texts.value(row)), [&b"a"[..], b"", b"ab", b"", b"cde"]);
        let offsets: Vec<i32> = (0..=3).map(|i| i * CHUNK as i32 / 2).collect();
        texts.extend(&offsets, &vec![9; 2 * CHUNK]);
        assert_eq!(texts.value(8), vec![9; CHUNK / 2]);
        assert_eq!(texts.bytes(), 1 + long.len() + 5 + 3 * CHUNK / 2);
        texts.clear();
        assert_eq!(texts.lengths.len() + texts.bytes(), 0);
    }
}
