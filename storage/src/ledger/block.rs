//! A block of a sorted file: entries in the order of their keys, each key by what it does not share with the one
//! before it.

use super::codec::{Reader, put_text, put_u64};
use super::entry::FileEntry;
use super::key::FileKey;
use super::log_file::Put;

/// A block that is being filled.
#[derive(Debug, Default)]
pub(super) struct BlockBuilder {
    bytes: Vec<u8>,
    first: Option<FileKey>,
    before: FileKey,
    /// One bit for each state in it.
    states: u8,
}

/// A block that is full.
pub(super) struct Block {
    pub(super) bytes: Vec<u8>,
    pub(super) first: FileKey,
    pub(super) states: u8,
}

impl BlockBuilder {
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn push(&mut self, key: FileKey, entry: &FileEntry) {
        put_key(&mut self.bytes, self.first.as_ref().map(|_| &self.before), &key);
        entry.encode(&mut self.bytes);
        self.states |= entry.state.bit();
        self.first.get_or_insert_with(|| key.clone());
        self.before = key;
    }

    /// The block; `None`: nothing is in it. The next one begins.
    pub(super) fn take(&mut self) -> Option<Block> {
        let Self { bytes, first, states, .. } = std::mem::take(self);
        Some(Block { bytes, first: first?, states })
    }
}

/// Reads a whole block; `None`: it is not one.
pub(super) fn read_block(bytes: &[u8]) -> Option<Vec<Put>> {
    let mut reader = Reader::new(bytes);
    let mut puts: Vec<Put> = Vec::new();
    while !reader.is_empty() {
        let key = read_key(&mut reader, puts.last().map(|(key, _)| key))?;
        puts.push((key, FileEntry::decode(&mut reader)?));
    }
    Some(puts)
}

/// Writes a key by what it does not share with the one before it.
pub(super) fn put_key(out: &mut Vec<u8>, before: Option<&FileKey>, key: &FileKey) {
    let same_bucket = before.filter(|before| before.bucket == key.bucket);
    match same_bucket {
        Some(_) => out.push(0),
        None => {
            put_u64(out, key.bucket.len() as u64 + 1);
            out.extend_from_slice(key.bucket.as_bytes());
        }
    }
    let shared = same_bucket.map_or(0, |before| shared(&before.key, &key.key));
    put_u64(out, shared as u64);
    put_text(out, &key.key[shared..]);
    match md5(&key.etag) {
        Some(digest) => {
            out.push(0);
            out.extend_from_slice(&digest);
        }
        None => {
            put_u64(out, key.etag.len() as u64 + 1);
            out.extend_from_slice(key.etag.as_bytes());
        }
    }
}

pub(super) fn read_key(reader: &mut Reader<'_>, before: Option<&FileKey>) -> Option<FileKey> {
    let bucket = match reader.length()? {
        0 => before?.bucket.clone(),
        length => std::str::from_utf8(reader.bytes(length - 1)?).ok()?.into(),
    };
    let shared = reader.length()?;
    let begin = if shared == 0 { "" } else { before?.key.get(..shared)? };
    let end = reader.text()?;
    let mut key = String::with_capacity(begin.len() + end.len());
    key.push_str(begin);
    key.push_str(end);
    let etag = match reader.length()? {
        0 => hex::encode(reader.bytes(16)?).into(),
        length => std::str::from_utf8(reader.bytes(length - 1)?).ok()?.into(),
    };
    Some(FileKey { bucket, key: key.into(), etag })
}

/// Bytes that two texts begin with, cut where a character ends.
fn shared(one: &str, other: &str) -> usize {
    let same = one.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count();
    other.floor_char_boundary(same)
}

/// The bytes of an ETag that is an MD5 in lower-case hex digits, as most are.
fn md5(etag: &str) -> Option<[u8; 16]> {
    let plain = etag.len() == 32 && etag.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    let mut digest = [0; 16];
    (plain && hex::decode_to_slice(etag, &mut digest).is_ok()).then_some(digest)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_block_reads_back(
            keys in prop::collection::btree_map(
                ("[ab]{0,2}", "(a/|b|ä|,|\"|\n|\u{1F600}){0,6}", "([0-9a-f]{32}|[0-9A-Fa-f\"-]{0,6})"), 0_u64..9, 0..40
            ),
        ) {
            let puts: BTreeMap<FileKey, FileEntry> = keys
                .into_iter()
                .map(|((bucket, key, etag), size)| {
                    (FileKey::new(&bucket, &key, &etag), FileEntry::staged(size, 1, 2))
                })
                .collect();
            let mut builder = BlockBuilder::default();
            for (key, entry) in &puts {
                builder.push(key.clone(), entry);
            }
            let block = builder.take();
            prop_assert_eq!(block.is_some(), !puts.is_empty());
            if let Some(block) = block {
                prop_assert_eq!(Some(&block.first), puts.keys().next());
                prop_assert_eq!(read_block(&block.bytes), Some(puts.into_iter().collect()));
            }
        }
    }
}
