//! The streams of a stripe: where each lies, how its column is encoded, and opening it.

use super::codec::Codec;
use super::fault::{Fault, Result};
use super::integer::{Integers, Version};
use super::memory::{Memory, Share};
use super::protobuf::{Fields, Malformed};
use super::stream::Stream;
use super::tail::StripePlace;
use super::time::WriterZone;
use crate::decode::fetch::Fetch;
use crate::decode::stored::{Stored, Windows};
use crate::source::ReadObject;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

/// The streams that hold data; indexes and filters are not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum StreamKind {
    Present,
    Data,
    Length,
    DictionaryData,
    Secondary,
}

impl StreamKind {
    fn of(number: u64) -> Option<Self> {
        match number {
            0 => Some(Self::Present),
            1 => Some(Self::Data),
            2 => Some(Self::Length),
            3 => Some(Self::DictionaryData),
            5 => Some(Self::Secondary),
            _ => None,
        }
    }
}

/// How a column is encoded in a stripe.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Encoding {
    kind: u64,
    dictionary_size: u64,
}

/// What a stripe's footer says.
#[derive(Debug, Default)]
pub(super) struct StripeFooter {
    streams: HashMap<(u32, StreamKind), Range<u64>>,
    encodings: Vec<Encoding>,
    zone: Option<String>,
}

impl StripeFooter {
    /// Parses a footer, and checks that every stream lies inside of its stripe.
    pub fn read(bytes: &[u8], stripe: &StripePlace) -> std::result::Result<Self, String> {
        let damaged = |Malformed| "its footer is damaged: a length in it is out of bounds".to_owned();
        let mut footer = Self::default();
        let mut offset = stripe.offset;
        let end = stripe.offset + stripe.index + stripe.data;
        for field in Fields::of(bytes) {
            match field.map_err(damaged)? {
                (1, value) => {
                    let (kind, column, length) = value.bytes().and_then(read_stream).map_err(damaged)?;
                    let range = offset..offset.saturating_add(length);
                    if range.end > end {
                        return Err(format!("a stream of column {column} lies outside of the stripe"));
                    }
                    offset = range.end;
                    if let (Some(kind), Ok(column)) = (StreamKind::of(kind), u32::try_from(column))
                        && footer.streams.insert((column, kind), range).is_some()
                    {
                        return Err(format!("a stream of column {column} stands twice"));
                    }
                }
                (2, value) => {
                    footer.encodings.push(value.bytes().and_then(read_encoding).map_err(damaged)?);
                }
                (3, value) => footer.zone = Some(value.text().map_err(damaged)?.to_owned()),
                (4, _) => return Err("it is encrypted, and encrypted files are not supported".to_owned()),
                _ => {}
            }
        }
        Ok(footer)
    }

    /// Where the streams of these types lie.
    pub fn ranges(&self, ids: &[u32]) -> Vec<Range<u64>> {
        let kinds = [
            StreamKind::Present,
            StreamKind::Data,
            StreamKind::Length,
            StreamKind::DictionaryData,
            StreamKind::Secondary,
        ];
        let places = ids.iter().flat_map(|id| kinds.map(|kind| (*id, kind)));
        places
            .filter_map(|place| self.streams.get(&place).cloned())
            .filter(|range| !range.is_empty())
            .collect()
    }
}

fn read_stream(bytes: &[u8]) -> std::result::Result<(u64, u64, u64), Malformed> {
    let (mut kind, mut column, mut length) = (0, 0, 0);
    for field in Fields::of(bytes) {
        match field? {
            (1, value) => kind = value.number()?,
            (2, value) => column = value.number()?,
            (3, value) => length = value.number()?,
            _ => {}
        }
    }
    Ok((kind, column, length))
}

fn read_encoding(bytes: &[u8]) -> std::result::Result<Encoding, Malformed> {
    let mut encoding = Encoding::default();
    for field in Fields::of(bytes) {
        match field? {
            (1, value) => encoding.kind = value.number()?,
            (2, value) => encoding.dictionary_size = value.number()?,
            _ => {}
        }
    }
    Ok(encoding)
}

/// Opens the streams of one stripe.
pub(super) struct Streams<'a> {
    pub object: &'a Arc<dyn ReadObject>,
    pub codec: Option<Codec>,
    pub footer: &'a StripeFooter,
    /// Fetches that were started with the stripe.
    pub fetches: &'a [Arc<Fetch>],
    pub windows: Windows,
    pub memory: &'a Memory,
}

impl Streams<'_> {
    /// Whether a column has such a stream.
    pub fn has(&self, id: u32, kind: StreamKind) -> bool {
        self.footer.streams.contains_key(&(id, kind))
    }

    /// A stream; one without bytes if the stripe does not have it.
    pub fn open(&self, id: u32, kind: StreamKind) -> Stream {
        let stored = self
            .footer
            .streams
            .get(&(id, kind))
            .map(|range| Stored::new(Arc::clone(self.object), range.clone(), self.fetches, self.windows));
        Stream::new(stored, self.codec, self.memory.share())
    }

    /// A stream of integers in the encoding of its column.
    pub fn integers(&self, id: u32, kind: StreamKind, signed: bool) -> Result<Integers> {
        let version = match self.encoding(id)?.kind {
            0 | 1 => Version::One,
            2 | 3 => Version::Two,
            other => return Err(Fault::Damaged(format!("its encoding {other} is not known"))),
        };
        Ok(Integers::new(self.open(id, kind), version, signed))
    }

    /// Values of the column's dictionary; `None`: it has none.
    pub fn dictionary_size(&self, id: u32) -> Result<Option<usize>> {
        let encoding = self.encoding(id)?;
        match encoding.kind {
            1 | 3 => usize::try_from(encoding.dictionary_size)
                .map(Some)
                .map_err(|_| Fault::damaged("its dictionary is too large")),
            _ => Ok(None),
        }
    }

    /// The zone in which local times were written.
    pub fn zone(&self) -> std::result::Result<WriterZone, String> {
        self.footer.zone.as_deref().map_or(Ok(WriterZone::UTC), WriterZone::of)
    }

    /// A share of the memory.
    pub fn share(&self) -> Share {
        self.memory.share()
    }

    fn encoding(&self, id: u32) -> Result<Encoding> {
        let encoding = self.footer.encodings.get(id as usize).copied();
        encoding.ok_or_else(|| Fault::damaged("the footer of the stripe does not say how it is encoded"))
    }
}
