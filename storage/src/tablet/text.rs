//! Growing storage of byte strings that never moves what it holds: growing costs no second copy in memory.

/// Bytes of a chunk; a longer value has a chunk of its own.
const CHUNK: usize = 1 << 20;

/// Where a byte string lies, as a field of a record: chunk, offset, length.
pub(crate) type Place = [u8; 12];

/// Byte strings by place.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    chunks: Vec<Vec<u8>>,
    bytes: usize,
}

fn place(chunk: usize, offset: usize, length: usize) -> Place {
    let mut place = [0; 12];
    place[..4].copy_from_slice(&(chunk as u32).to_le_bytes());
    place[4..8].copy_from_slice(&(offset as u32).to_le_bytes());
    place[8..].copy_from_slice(&(length as u32).to_le_bytes());
    place
}

fn number(bytes: &[u8]) -> usize {
    let mut number = [0; 4];
    number.copy_from_slice(bytes);
    u32::from_le_bytes(number) as usize
}

/// Bytes of the string at a place.
pub(crate) fn length(place: Place) -> usize {
    number(&place[8..])
}

impl Texts {
    /// Keeps one string.
    pub(crate) fn push(&mut self, value: &[u8]) -> Place {
        let chunk = self.chunk_for(value.len());
        let bytes = &mut self.chunks[chunk];
        let place = place(chunk, bytes.len(), value.len());
        bytes.extend_from_slice(value);
        self.bytes += value.len();
        place
    }

    /// Keeps strings that lie behind each other: string i is `data[offsets[i]..offsets[i + 1]]`.
    pub(crate) fn extend<'a>(
        &'a mut self,
        offsets: &'a [i32],
        data: &'a [u8],
    ) -> Box<dyn Iterator<Item = Place> + 'a> {
        let first = offsets.first().map_or(0, |offset| *offset as usize);
        let last = offsets.last().map_or(0, |offset| *offset as usize);
        if last - first > CHUNK {
            let strings = offsets.windows(2).map(|pair| &data[pair[0] as usize..pair[1] as usize]);
            return Box::new(strings.map(|value| self.push(value)));
        }
        let chunk = self.chunk_for(last - first);
        let bytes = &mut self.chunks[chunk];
        let start = bytes.len();
        bytes.extend_from_slice(&data[first..last]);
        self.bytes += last - first;
        let of_pair =
            move |pair: &[i32]| place(chunk, start + pair[0] as usize - first, (pair[1] - pair[0]) as usize);
        Box::new(offsets.windows(2).map(of_pair))
    }

    /// The chunk that takes `length` more bytes.
    fn chunk_for(&mut self, length: usize) -> usize {
        let fits = self.chunks.last().is_some_and(|chunk| chunk.capacity() - chunk.len() >= length);
        if !fits {
            self.chunks.push(Vec::with_capacity(length.max(CHUNK)));
        }
        self.chunks.len() - 1
    }

    /// The string at a place.
    #[inline]
    pub(crate) fn value(&self, place: Place) -> &[u8] {
        let start = number(&place[4..8]);
        &self.chunks[number(&place[..4])][start..start + length(place)]
    }

    /// Bytes of the strings.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Forgets all strings.
    pub(crate) fn clear(&mut self) {
        self.chunks.clear();
        self.bytes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_and_short_strings_come_back() {
        let mut texts = Texts::default();
        let long = vec![7; CHUNK + 3];
        let mut places: Vec<Place> = [&b"a"[..], &long, b""].map(|value| texts.push(value)).to_vec();
        places.extend(texts.extend(&[2, 4, 4, 7], b"..abcde"));
        let offsets: Vec<i32> = (0..=3).map(|i| i * CHUNK as i32 / 2).collect();
        places.extend(texts.extend(&offsets, &vec![9; 2 * CHUNK]));
        assert_eq!(texts.value(places[1]), long);
        assert_eq!([0, 2, 3, 4, 5].map(|at| texts.value(places[at])), [&b"a"[..], b"", b"ab", b"", b"cde"]);
        assert_eq!(texts.value(places[8]), vec![9; CHUNK / 2]);
        assert_eq!(length(places[8]), CHUNK / 2);
        assert_eq!(texts.bytes(), 1 + long.len() + 5 + 3 * CHUNK / 2);
        texts.clear();
        assert_eq!(texts.bytes(), 0);
    }
}
