//! Frames of a log: each append is one, with its length, its number in the file and a checksum.
//!
//! An append is acknowledged after its fsync, and the next one is begun only then. So after a crash at most the
//! last frame is torn; a frame that cannot be read and has a whole one behind it is damage.

use super::codec::{CHECKSUM_BYTES, checksum};

/// What every frame begins with.
const MAGIC: [u8; 4] = *b"LsLf";
/// Magic, length of the payload (little-endian), checksum.
pub(super) const HEADER_BYTES: usize = 4 + 4 + CHECKSUM_BYTES;

/// A frame as it is appended; `None`: the payload is too long.
pub(super) fn frame(number: u64, payload: &[u8]) -> Option<Vec<u8>> {
    let length = u32::try_from(payload.len()).ok()?;
    let mut bytes = Vec::with_capacity(HEADER_BYTES + payload.len());
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(&checksum(number, payload));
    bytes.extend_from_slice(payload);
    Some(bytes)
}

/// What the bytes of a log hold.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Frames<'a> {
    pub(super) payloads: Vec<&'a [u8]>,
    /// Bytes of the whole frames; what follows is torn.
    pub(super) whole: usize,
}

/// Reads frames up to the torn end; an error says where the damage is.
pub(super) fn read(bytes: &[u8]) -> Result<Frames<'_>, String> {
    let mut frames = Frames { payloads: Vec::new(), whole: 0 };
    while frames.whole < bytes.len() {
        let number = frames.payloads.len() as u64;
        let Some(payload) = frame_at(bytes, frames.whole, number) else { break };
        frames.payloads.push(payload);
        frames.whole += HEADER_BYTES + payload.len();
    }
    let next = frames.payloads.len() as u64;
    match whole_after(bytes, frames.whole, next) {
        Some((at, number)) => Err(format!(
            "record {next} at byte {} cannot be read, and record {number} at byte {at} can",
            frames.whole
        )),
        None => Ok(frames),
    }
}

/// The payload of the whole frame that begins at an offset.
fn frame_at(bytes: &[u8], at: usize, number: u64) -> Option<&[u8]> {
    let header = bytes.get(at..at.checked_add(HEADER_BYTES)?)?;
    let (magic, rest) = header.split_first_chunk::<4>()?;
    let (length, sum) = rest.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    let start = at + HEADER_BYTES;
    let payload = bytes.get(start..start.checked_add(length)?)?;
    (*magic == MAGIC && checksum(number, payload) == *sum).then_some(payload)
}

/// A whole frame behind one that cannot be read. How many frames the damage took is not known; within what one
/// append can hold they are few.
fn whole_after(bytes: &[u8], from: usize, next: u64) -> Option<(usize, u64)> {
    let rest = bytes.get(from..)?;
    let starts = rest.windows(MAGIC.len()).enumerate().filter(|(_, window)| *window == MAGIC);
    for (skipped, (at, _)) in (0_u64..).zip(starts) {
        // The one that is torn or damaged may begin here itself.
        for number in next..=next + skipped + 1 {
            if frame_at(bytes, from + at, number).is_some() {
                return Some((from + at, number));
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log() -> (Vec<u8>, Vec<usize>) {
        let mut bytes = Vec::new();
        let mut starts = Vec::new();
        for (number, payload) in [&b"first"[..], b"", b"LsLf third", b"fourth"].iter().enumerate() {
            starts.push(bytes.len());
            bytes.extend(frame(number as u64, payload).unwrap());
        }
        (bytes, starts)
    }

    #[test]
    fn a_torn_end_is_left_out_and_nothing_else() {
        let (bytes, starts) = log();
        for end in 0..=bytes.len() {
            let frames = read(&bytes[..end]).unwrap();
            let whole = starts[1..].iter().chain([&bytes.len()]).filter(|start| **start <= end).count();
            assert_eq!(frames.payloads.len(), whole, "{end}");
        }
    }

    #[test]
    fn a_changed_byte_is_damage_but_in_the_last_frame() {
        let (bytes, starts) = log();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 0x40;
            let read = read(&changed);
            if at < *starts.last().unwrap() {
                assert!(read.is_err(), "byte {at}");
            } else {
                assert_eq!(read.unwrap().payloads.len(), 3, "byte {at}");
            }
        }
    }
}
