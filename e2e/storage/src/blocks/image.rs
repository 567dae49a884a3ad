//! The contents of a disk in memory, as blocks; blocks of zeros are not kept.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

/// What a cut may tear a write into, bytes.
pub const BLOCK: u64 = 4096;

/// A disk. A copy shares the blocks until they are written.
#[derive(Debug, Clone, Default)]
pub struct Image {
    blocks: BTreeMap<u64, Arc<[u8]>>,
}

/// Cuts a range at the borders of blocks: (offset, start within the range, length).
pub fn pieces(offset: u64, length: u64) -> impl Iterator<Item = (u64, u64, u64)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        if done == length {
            return None;
        }
        let at = offset + done;
        let piece = (BLOCK - at % BLOCK).min(length - done);
        done += piece;
        Some((at, done - piece, piece))
    })
}

impl Image {
    /// Writes bytes that lie within one block or over many.
    pub fn write(&mut self, offset: u64, bytes: &[u8]) {
        for (at, start, length) in pieces(offset, bytes.len() as u64) {
            let block = self.blocks.entry(at / BLOCK).or_insert_with(|| vec![0; BLOCK as usize].into());
            let block = Arc::make_mut(block);
            let within = (at % BLOCK) as usize;
            let source = &bytes[start as usize..(start + length) as usize];
            block[within..within + source.len()].copy_from_slice(source);
        }
    }

    /// Writes zeros.
    pub fn zero(&mut self, offset: u64, length: u64) {
        for (at, _, length) in pieces(offset, length) {
            if length == BLOCK {
                self.blocks.remove(&(at / BLOCK));
            } else if let Some(block) = self.blocks.get_mut(&(at / BLOCK)) {
                let within = (at % BLOCK) as usize;
                Arc::make_mut(block)[within..within + length as usize].fill(0);
            }
        }
    }

    /// Makes a sparse file of it.
    pub fn save(&self, path: &Path, size: u64) -> io::Result<()> {
        let file = File::create(path)?;
        file.set_len(size)?;
        for (number, block) in &self.blocks {
            file.write_all_at(block, number * BLOCK)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_cut_at_the_borders_of_blocks() {
        let cut: Vec<_> = pieces(4000, 5000).collect();
        assert_eq!(cut, [(4000, 0, 96), (4096, 96, 4096), (8192, 4192, 808)]);
    }

    #[test]
    fn what_was_written_last_stands() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("image");
        let mut image = Image::default();
        image.write(4000, &[1; 5000]);
        image.zero(4096, 4096);
        image.zero(8192, 8);
        image.write(4096, &[2; 4]);
        image.save(&path, 16384).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(bytes.len(), 16384);
        assert_eq!((bytes[3999], bytes[4000], bytes[4095]), (0, 1, 1));
        assert_eq!((bytes[4096], bytes[4099], bytes[4100]), (2, 2, 0));
        assert_eq!((bytes[8199], bytes[8200], bytes[8999], bytes[9000]), (0, 1, 1, 0));
    }
}
