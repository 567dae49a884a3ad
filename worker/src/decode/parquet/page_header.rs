//! The header of a page, read and checked before anything is allocated for the page.

use super::thrift::{Damage, Kind, Walker};

/// Kinds of pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PageKind {
    /// Values with levels before them, all compressed together.
    Data,
    /// Values with levels before them that are not compressed.
    DataV2,
    /// The values that the data pages point into.
    Dictionary,
    /// An index, or a kind of a later version: skipped.
    Other,
}

/// What the header of a page announces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PageHeader {
    /// Bytes of the header itself.
    pub length: u64,
    pub kind: PageKind,
    /// Bytes of the page in the file, without the header.
    pub compressed: u64,
    /// Bytes of the page once decompressed.
    pub uncompressed: u64,
    /// CRC-32 of the page as it stands in the file.
    pub crc: Option<u32>,
    /// Values, NULLs and empty lists included.
    pub values: u64,
    /// Rows, where the header tells.
    pub rows: Option<u64>,
    /// Number of the values' encoding.
    pub encoding: i64,
    /// Bytes of the repetition and definition levels, where the header tells.
    pub levels: Option<u64>,
}

/// Reads the header at the beginning of `bytes`.
///
/// # Errors
/// [`Damage::Ends`] if `bytes` end before the header does, [`Damage::Invalid`] if they hold none.
pub(super) fn read_page_header(bytes: &[u8]) -> Result<PageHeader, Damage> {
    let mut walker = Walker::new(bytes);
    let mut fields = [None; 4];
    let mut details = None;
    let mut last = 0;
    while let Some((number, kind)) = walker.field(&mut last)? {
        match (number, kind) {
            (1..=4, Kind::Integer) => fields[number as usize - 1] = Some(walker.integer()?),
            (5 | 7 | 8, Kind::Struct) => details = Some((number, read_details(&mut walker)?)),
            (_, kind) => walker.skip(kind)?,
        }
    }
    let [kind, uncompressed, compressed, crc] = fields;
    let kind = match kind.ok_or(Damage::Invalid)? {
        0 => PageKind::Data,
        2 => PageKind::Dictionary,
        3 => PageKind::DataV2,
        _ => PageKind::Other,
    };
    let size = |value: Option<i64>| value.and_then(|v| u64::try_from(v).ok()).ok_or(Damage::Invalid);
    let mut header = PageHeader {
        length: walker.position() as u64,
        kind,
        compressed: size(compressed)?,
        uncompressed: size(uncompressed)?,
        crc: crc.map(|crc| crc as u32),
        values: 0,
        rows: None,
        encoding: 0,
        levels: None,
    };
    let number = match kind {
        PageKind::Data => 5,
        PageKind::Dictionary => 7,
        PageKind::DataV2 => 8,
        PageKind::Other => return Ok(header),
    };
    let (_, details) = details.filter(|(found, _)| *found == number).ok_or(Damage::Invalid)?;
    header.values = size(details[0])?;
    header.encoding = match kind {
        PageKind::DataV2 => details[3],
        _ => details[1],
    }
    .ok_or(Damage::Invalid)?;
    if kind == PageKind::DataV2 {
        header.rows = Some(size(details[2])?);
        header.levels = size(details[4])?.checked_add(size(details[5])?);
    }
    Ok(header)
}

/// The first six fields of the structure for one kind of page, as far as they are integers.
fn read_details(walker: &mut Walker<'_>) -> Result<[Option<i64>; 6], Damage> {
    let mut details = [None; 6];
    let mut last = 0;
    while let Some((number, kind)) = walker.field(&mut last)? {
        match (number, kind) {
            (1..=6, Kind::Integer) => details[number as usize - 1] = Some(walker.integer()?),
            (_, kind) => walker.skip(kind)?,
        }
    }
    Ok(details)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A data page of 6 bytes, 9 decompressed, 3 values, PLAIN, CRC 1.
    const HEADER: [u8; 19] =
        [0x15, 0, 0x15, 18, 0x15, 12, 0x15, 2, 0x1c, 0x15, 6, 0x15, 0, 0x15, 6, 0x15, 6, 0, 0];

    #[test]
    fn a_header_is_read_whole() {
        let header = read_page_header(&HEADER).unwrap();
        assert_eq!(header.kind, PageKind::Data);
        assert_eq!((header.length, header.compressed, header.uncompressed), (19, 6, 9));
        assert_eq!((header.values, header.encoding, header.crc), (3, 0, Some(1)));
    }

    #[test]
    fn a_cut_header_asks_for_more_bytes() {
        for length in 0..HEADER.len() {
            assert_eq!(read_page_header(&HEADER[..length]), Err(Damage::Ends), "{length} bytes");
        }
    }

    #[test]
    fn negative_sizes_are_invalid() {
        let mut header = HEADER;
        header[5] = 1; // compressed = -1
        assert_eq!(read_page_header(&header), Err(Damage::Invalid));
    }

    proptest! {
        #[test]
        fn any_bytes_end_in_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            if let Ok(header) = read_page_header(&bytes) {
                prop_assert!(header.length <= bytes.len() as u64);
            }
        }
    }
}
