//! A column of a stripe, decoded batch by batch.

use super::bits::{Bits, ByteRuns};
use super::decimal::Decimals;
use super::fault::{BatchSpace, Fault, Result};
use super::integer::Integers;
use super::schema::{Kind, Node, entries_field, part_fields};
use super::slots::Slots;
use super::stream::Stream;
use super::streams::{StreamKind, Streams};
use super::text::{Dictionary, Direct, offsets, total};
use super::time::{Timestamps, WriterZone};
use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, BooleanArray, Int8Array, ListArray, MapArray, PrimitiveArray,
    StructArray, UInt32Array,
};
use arrow::buffer::NullBuffer;
use arrow::compute::take;
use arrow::datatypes::{
    DataType, Date32Type, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type, UInt32Type,
};
use std::sync::Arc;

/// Decodes one column, or a part of one.
pub(super) struct ColumnDecoder {
    /// Which values are not NULL; absent if all are not.
    present: Option<Bits>,
    values: Values,
}

/// The values that are not NULL.
enum Values {
    Boolean(Bits),
    Byte(ByteRuns),
    Short(Integers),
    Int(Integers),
    Long(Integers),
    Date(Integers),
    Float(Stream),
    Double(Stream),
    Text(Direct),
    Dictionary(Dictionary),
    Binary(Direct),
    Timestamp(Timestamps),
    Decimal(Decimals),
    List { lengths: Integers, item: Box<ColumnDecoder>, node: Node },
    Map { lengths: Integers, key: Box<ColumnDecoder>, value: Box<ColumnDecoder>, nodes: Box<(Node, Node)> },
    Struct { parts: Vec<ColumnDecoder>, nodes: Vec<(String, Node)> },
}

impl ColumnDecoder {
    /// Begins to decode; blocks where a dictionary has to be read. `keep_dictionary`: text that has one is
    /// given with it.
    pub fn new(node: &Node, streams: &Streams<'_>, keep_dictionary: bool) -> Result<Self> {
        let present = streams.has(node.id, StreamKind::Present);
        let present = present.then(|| Bits::new(streams.open(node.id, StreamKind::Present)));
        Ok(Self { present, values: Values::new(node, streams, keep_dictionary)? })
    }

    /// The next `rows` rows.
    pub fn next(&mut self, rows: usize, space: &mut BatchSpace) -> Result<ArrayRef> {
        let nulls = match &mut self.present {
            Some(present) => present.next_nulls(rows, space)?,
            None => None,
        };
        self.values.next(Slots::new(rows, nulls), space)
    }
}

impl Values {
    fn new(node: &Node, streams: &Streams<'_>, keep_dictionary: bool) -> Result<Self> {
        let open = |kind| streams.open(node.id, kind);
        let integers = |kind, signed| streams.integers(node.id, kind, signed);
        let below = |node: &Node| ColumnDecoder::new(node, streams, false);
        let timestamps = |zone, instants| -> Result<Timestamps> {
            let seconds = integers(StreamKind::Data, true)?;
            Ok(Timestamps { seconds, nanos: integers(StreamKind::Secondary, false)?, zone, instants })
        };
        Ok(match &node.kind {
            Kind::Boolean => Self::Boolean(Bits::new(open(StreamKind::Data))),
            Kind::Byte => Self::Byte(ByteRuns::new(open(StreamKind::Data))),
            Kind::Short => Self::Short(integers(StreamKind::Data, true)?),
            Kind::Int => Self::Int(integers(StreamKind::Data, true)?),
            Kind::Long => Self::Long(integers(StreamKind::Data, true)?),
            Kind::Date => Self::Date(integers(StreamKind::Data, true)?),
            Kind::Float => Self::Float(open(StreamKind::Data)),
            Kind::Double => Self::Double(open(StreamKind::Data)),
            Kind::Binary => Self::Binary(Direct {
                lengths: integers(StreamKind::Length, false)?,
                bytes: open(StreamKind::Data),
            }),
            Kind::Text => match streams.dictionary_size(node.id)? {
                None => Self::Text(Direct {
                    lengths: integers(StreamKind::Length, false)?,
                    bytes: open(StreamKind::Data),
                }),
                Some(size) => {
                    let numbers = integers(StreamKind::Data, false)?;
                    let values = Direct {
                        lengths: integers(StreamKind::Length, false)?,
                        bytes: open(StreamKind::DictionaryData),
                    };
                    let share = streams.share();
                    Self::Dictionary(Dictionary::read(numbers, values, size, keep_dictionary, share)?)
                }
            },
            Kind::Timestamp => Self::Timestamp(timestamps(streams.zone().map_err(Fault::Damaged)?, false)?),
            Kind::Instant => Self::Timestamp(timestamps(WriterZone::UTC, true)?),
            Kind::Decimal { precision, scale } => Self::Decimal(Decimals {
                numbers: open(StreamKind::Data),
                scales: integers(StreamKind::Secondary, true)?,
                precision: *precision,
                scale: *scale,
            }),
            Kind::List(item) => Self::List {
                lengths: integers(StreamKind::Length, false)?,
                item: Box::new(below(item)?),
                node: Node::clone(item),
            },
            Kind::Map(key, value) => Self::Map {
                lengths: integers(StreamKind::Length, false)?,
                key: Box::new(below(key)?),
                value: Box::new(below(value)?),
                nodes: Box::new((Node::clone(key), Node::clone(value))),
            },
            Kind::Struct(nodes) => Self::Struct {
                parts: nodes.iter().map(|(_, part)| below(part)).collect::<Result<_>>()?,
                nodes: nodes.clone(),
            },
        })
    }

    fn next(&mut self, slots: Slots, space: &mut BatchSpace) -> Result<ArrayRef> {
        match self {
            Self::Boolean(bits) => boolean(bits, slots, space),
            Self::Byte(bytes) => {
                space.take(slots.values, 2)?;
                let mut found = vec![0; slots.values];
                bytes.fill(&mut found)?;
                let found = slots.spread(found.into_iter().map(|byte| byte as i8));
                Ok(Arc::new(Int8Array::new(found.into(), slots.nulls)))
            }
            Self::Short(numbers) => integers::<Int16Type>(numbers, slots, space),
            Self::Int(numbers) => integers::<Int32Type>(numbers, slots, space),
            Self::Date(numbers) => integers::<Date32Type>(numbers, slots, space),
            Self::Long(numbers) => integers::<Int64Type>(numbers, slots, space),
            Self::Float(stream) => floats::<Float32Type, 4>(stream, slots, space, f32::from_le_bytes),
            Self::Double(stream) => floats::<Float64Type, 8>(stream, slots, space, f64::from_le_bytes),
            Self::Text(texts) => texts.next_text(slots, space),
            Self::Binary(bytes) => bytes.next_bytes(slots, space),
            Self::Dictionary(dictionary) => dictionary.next(slots, space),
            Self::Timestamp(timestamps) => timestamps.next(slots, space),
            Self::Decimal(decimals) => decimals.next(slots, space),
            Self::List { lengths, item, node } => {
                let (lengths, count) = next_lengths(lengths, &slots, space)?;
                let items = item.next(count, space)?;
                let offsets = offsets(&lengths, slots.nulls.as_ref())?;
                let list = ListArray::try_new(node.item_field(), offsets, items, slots.nulls);
                Ok(Arc::new(list.map_err(|error| Fault::Damaged(error.to_string()))?))
            }
            Self::Map { lengths, key, value, nodes } => {
                let (lengths, count) = next_lengths(lengths, &slots, space)?;
                let (keys, values) = (key.next(count, space)?, value.next(count, space)?);
                map(&lengths, keys, values, slots.nulls, nodes)
            }
            Self::Struct { parts, nodes } => structs(parts, nodes, slots, space),
        }
    }
}

fn boolean(bits: &mut Bits, slots: Slots, space: &mut BatchSpace) -> Result<ArrayRef> {
    let found = bits.next(slots.values, space)?;
    let found = if slots.nulls.is_none() { found } else { slots.spread(found.iter()).into() };
    Ok(Arc::new(BooleanArray::new(found, slots.nulls)))
}

fn integers<T: ArrowPrimitiveType>(
    numbers: &mut Integers,
    slots: Slots,
    space: &mut BatchSpace,
) -> Result<ArrayRef>
where
    T::Native: TryFrom<i64>,
{
    space.take(slots.values, 8)?;
    space.take(slots.rows, size_of::<T::Native>())?;
    let mut found = vec![0; slots.values];
    numbers.fill(&mut found)?;
    let narrow: std::result::Result<Vec<T::Native>, _> = found.into_iter().map(T::Native::try_from).collect();
    let narrow = narrow.map_err(|_| Fault::damaged("a number is out of the range of its type"))?;
    let narrow = if slots.nulls.is_none() { narrow } else { slots.spread(narrow.into_iter()) };
    Ok(Arc::new(PrimitiveArray::<T>::new(narrow.into(), slots.nulls)))
}

fn floats<T: ArrowPrimitiveType, const WIDTH: usize>(
    stream: &mut Stream,
    slots: Slots,
    space: &mut BatchSpace,
    read: fn([u8; WIDTH]) -> T::Native,
) -> Result<ArrayRef> {
    space.take(slots.values + slots.rows, WIDTH)?;
    let mut bytes = vec![0; slots.values * WIDTH];
    stream.exact(&mut bytes)?;
    let (chunks, _) = bytes.as_chunks::<WIDTH>();
    let found = slots.spread(chunks.iter().map(|chunk| read(*chunk)));
    Ok(Arc::new(PrimitiveArray::<T>::new(found.into(), slots.nulls)))
}

/// The lengths of lists that are not NULL, and how many items they have together.
fn next_lengths(lengths: &mut Integers, slots: &Slots, space: &mut BatchSpace) -> Result<(Vec<i64>, usize)> {
    space.take(slots.values, 8)?;
    space.take(slots.rows + 1, 4)?;
    let mut found = vec![0; slots.values];
    lengths.fill(&mut found)?;
    let count = total(&found)?;
    // What items of no width are, they still are.
    space.take(count, 1)?;
    Ok((found, count))
}

fn map(
    lengths: &[i64],
    keys: ArrayRef,
    values: ArrayRef,
    nulls: Option<NullBuffer>,
    nodes: &(Node, Node),
) -> Result<ArrayRef> {
    if keys.null_count() > 0 {
        return Err(Fault::damaged("a key of a map is NULL"));
    }
    let damaged = |error: arrow::error::ArrowError| Fault::Damaged(error.to_string());
    let field = entries_field(&nodes.0, &nodes.1);
    let DataType::Struct(fields) = field.data_type() else {
        return Err(Fault::damaged("a map has no entries"));
    };
    let entries = StructArray::try_new(fields.clone(), vec![keys, values], None).map_err(damaged)?;
    let offsets = offsets(lengths, nulls.as_ref())?;
    Ok(Arc::new(MapArray::try_new(field, offsets, entries, nulls, false).map_err(damaged)?))
}

/// Parts of a NULL are not stored.
fn structs(
    parts: &mut [ColumnDecoder],
    nodes: &[(String, Node)],
    slots: Slots,
    space: &mut BatchSpace,
) -> Result<ArrayRef> {
    let damaged = |error: arrow::error::ArrowError| Fault::Damaged(error.to_string());
    let places = slots.nulls.as_ref().map(|nulls| {
        let places = slots.spread(0..slots.values as u32);
        UInt32Array::new(places.into(), Some(nulls.clone()))
    });
    let mut arrays = Vec::with_capacity(parts.len());
    for part in parts {
        let array = part.next(slots.values, space)?;
        arrays.push(match &places {
            None => array,
            Some(places) => at_places(&array, places, space)?,
        });
    }
    let array = if nodes.is_empty() {
        StructArray::new_empty_fields(slots.rows, slots.nulls)
    } else {
        StructArray::try_new(part_fields(nodes), arrays, slots.nulls).map_err(damaged)?
    };
    Ok(Arc::new(array))
}

/// The values at these places; NULL where there is none.
fn at_places(
    array: &ArrayRef,
    places: &PrimitiveArray<UInt32Type>,
    space: &mut BatchSpace,
) -> Result<ArrayRef> {
    space.take(array.get_buffer_memory_size(), 1)?;
    take(array, places, None).map_err(|error| Fault::Damaged(error.to_string()))
}
