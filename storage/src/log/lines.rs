//! Lines of a commit, read in pieces: a commit of a hundred thousand files never lies in memory whole.

use std::io;

use crate::durable::ReadFile;

/// Bytes asked for at once.
const PIECE: usize = 256 * 1024;

/// Lines of a file, without their ends.
pub(crate) struct Lines {
    file: Box<dyn ReadFile>,
    length: u64,
    offset: u64,
    buffer: Vec<u8>,
    /// Start of the next line in the buffer.
    next: usize,
}

impl Lines {
    pub(crate) fn new(file: Box<dyn ReadFile>) -> io::Result<Self> {
        let length = file.len()?;
        Ok(Self { file, length, offset: 0, buffer: Vec::new(), next: 0 })
    }

    /// The next line that is not empty.
    pub(crate) fn next_line(&mut self) -> io::Result<Option<&[u8]>> {
        loop {
            let mut searched = self.next;
            let end = loop {
                if let Some(at) = self.buffer[searched..].iter().position(|byte| *byte == b'\n') {
                    break searched + at;
                }
                searched = self.buffer.len();
                if self.offset == self.length {
                    break searched;
                }
                searched -= self.fill()?;
            };
            let start = self.next;
            self.next = (end + 1).min(self.buffer.len());
            if start < end {
                return Ok(Some(&self.buffer[start..end]));
            }
            if self.next == self.buffer.len() && self.offset == self.length {
                return Ok(None);
            }
        }
    }

    /// Drops the lines that were given and reads the next piece; gives the number of bytes dropped.
    fn fill(&mut self) -> io::Result<usize> {
        let dropped = self.next;
        self.buffer.drain(..dropped);
        self.next = 0;
        let left = self.length - self.offset;
        let piece = usize::try_from(left).map_or(PIECE, |left| left.min(PIECE));
        let start = self.buffer.len();
        self.buffer.resize(start + piece, 0);
        self.file.read_exact_at(&mut self.buffer[start..], self.offset)?;
        self.offset += piece as u64;
        Ok(dropped)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    struct Bytes(Vec<u8>);

    impl ReadFile for Bytes {
        fn len(&self) -> io::Result<u64> {
            Ok(self.0.len() as u64)
        }

        fn changed(&self) -> io::Result<std::time::SystemTime> {
            Ok(std::time::SystemTime::UNIX_EPOCH)
        }

        fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
            let offset = usize::try_from(offset).map_err(io::Error::other)?;
            buffer.copy_from_slice(&self.0[offset..offset + buffer.len()]);
            Ok(())
        }
    }

    fn lines(text: Vec<u8>) -> Vec<Vec<u8>> {
        let mut lines = Lines::new(Box::new(Bytes(text))).unwrap();
        let mut all = Vec::new();
        while let Some(line) = lines.next_line().unwrap() {
            all.push(line.to_vec());
        }
        all
    }

    #[test]
    fn long_lines_pass_the_pieces() {
        let long = vec![b'x'; 3 * PIECE + 5];
        let text = [b"a\n".as_slice(), &long, b"\n\nb"].concat();
        assert_eq!(lines(text), [b"a".to_vec(), long, b"b".to_vec()]);
        assert!(lines(Vec::new()).is_empty());
        assert!(lines(b"\n\n".to_vec()).is_empty());
    }

    proptest! {
        #[test]
        fn lines_are_those_of_a_split(lengths in prop::collection::vec(0_usize..PIECE, 0..8)) {
            let text = lengths.iter().flat_map(|n| [vec![b'y'; *n], vec![b'\n']].concat()).collect::<Vec<_>>();
            let expected: Vec<_> =
                text.split(|b| *b == b'\n').filter(|l| !l.is_empty()).map(<[u8]>::to_vec).collect();
            prop_assert_eq!(lines(text), expected);
        }
    }
}
