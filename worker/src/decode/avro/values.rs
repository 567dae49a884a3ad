//! Arrays of values that grow record by record.

use super::cursor::{Cursor, Fault, Result};
use super::node::Kind;
use super::schema::Unit;
use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, BooleanBufferBuilder, Date32Array, Decimal128Array, Decimal256Array,
    DictionaryArray, FixedSizeBinaryArray, Float32Array, Float64Array, Int32Array, Int64Array, NullArray,
    StringArray, Time32MillisecondArray, Time64MicrosecondArray, TimestampMicrosecondArray,
    TimestampMillisecondArray, TimestampNanosecondArray,
};
use arrow::buffer::{Buffer, NullBuffer, OffsetBuffer};
use arrow::compute::take;
use arrow::datatypes::{Int32Type, i256};
use arrow::error::ArrowError;
use std::sync::Arc;

/// Digits of the smaller of Arrow's decimals.
const DECIMAL_128: u8 = 38;

/// Offsets of values of different lengths.
#[derive(Debug)]
pub(super) struct Offsets(Vec<i32>);

impl Offsets {
    pub fn new() -> Self {
        Self(vec![0])
    }

    /// The next value ends here.
    pub fn end(&mut self, end: usize) -> Result<()> {
        self.0.push(i32::try_from(end).map_err(|_| Fault::TooLarge(end as u64))?);
        Ok(())
    }

    /// The next value has no length.
    pub fn repeat(&mut self) {
        self.0.push(self.0[self.0.len() - 1]);
    }

    /// The offsets; none are left.
    pub fn finish(&mut self) -> OffsetBuffer<i32> {
        // Ascending from 0, as every end is one of a growing array.
        OffsetBuffer::new(std::mem::replace(&mut self.0, vec![0]).into())
    }
}

/// Values of a type that holds no others.
#[derive(Debug)]
pub(super) enum Values {
    Null(usize),
    Boolean(BooleanBufferBuilder),
    Int(Vec<i32>, IntKind),
    Long(Vec<i64>, LongKind),
    Float(Vec<f32>),
    Double(Vec<f64>),
    Bytes(Offsets, Vec<u8>),
    Text(Offsets, Vec<u8>),
    Fixed(i32, usize, Vec<u8>),
    Enum { symbols: Arc<[String]>, numbers: Vec<i32>, keep: bool },
    Decimal128 { numbers: Vec<i128>, precision: u8, scale: u8, fixed: Option<usize> },
    Decimal256 { numbers: Vec<i256>, precision: u8, scale: u8, fixed: Option<usize> },
}

#[derive(Debug, Clone, Copy)]
pub(super) enum IntKind {
    Int,
    Date,
    TimeMillis,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum LongKind {
    Long,
    TimeMicros,
    Timestamp(Unit, bool),
}

impl Values {
    /// Nothing yet; `None` for a type that holds others. `keep_dictionary`: an enum is given with its symbols.
    pub fn new(kind: &Kind, keep_dictionary: bool) -> Option<Self> {
        Some(match kind {
            Kind::Null => Self::Null(0),
            Kind::Boolean => Self::Boolean(BooleanBufferBuilder::new(0)),
            Kind::Int => Self::Int(Vec::new(), IntKind::Int),
            Kind::Date => Self::Int(Vec::new(), IntKind::Date),
            Kind::TimeMillis => Self::Int(Vec::new(), IntKind::TimeMillis),
            Kind::Long => Self::Long(Vec::new(), LongKind::Long),
            Kind::TimeMicros => Self::Long(Vec::new(), LongKind::TimeMicros),
            Kind::Timestamp(unit, instant) => Self::Long(Vec::new(), LongKind::Timestamp(*unit, *instant)),
            Kind::Float => Self::Float(Vec::new()),
            Kind::Double => Self::Double(Vec::new()),
            Kind::Bytes => Self::Bytes(Offsets::new(), Vec::new()),
            Kind::Text { .. } => Self::Text(Offsets::new(), Vec::new()),
            Kind::Fixed { size, .. } => Self::Fixed(*size, 0, Vec::new()),
            Kind::Enum(symbols) => {
                Self::Enum { symbols: Arc::clone(symbols), numbers: Vec::new(), keep: keep_dictionary }
            }
            Kind::Decimal { precision, scale, fixed } if *precision <= DECIMAL_128 => {
                Self::Decimal128 { numbers: Vec::new(), precision: *precision, scale: *scale, fixed: *fixed }
            }
            Kind::Decimal { precision, scale, fixed } => {
                Self::Decimal256 { numbers: Vec::new(), precision: *precision, scale: *scale, fixed: *fixed }
            }
            Kind::Array(_) | Kind::Map(_) | Kind::Record(_) => return None,
        })
    }

    /// Reads one value; gives the bytes that it takes in its array.
    #[inline]
    pub fn read(&mut self, cursor: &mut Cursor<'_>) -> Result<usize> {
        match self {
            Self::Null(count) => {
                *count += 1;
                Ok(1)
            }
            Self::Boolean(bits) => {
                bits.append(cursor.boolean()?);
                Ok(1)
            }
            Self::Int(values, _) => {
                values.push(cursor.int()?);
                Ok(4)
            }
            Self::Long(values, _) => {
                values.push(cursor.long()?);
                Ok(8)
            }
            Self::Float(values) => {
                values.push(f32::from_le_bytes(cursor.array()?));
                Ok(4)
            }
            Self::Double(values) => {
                values.push(f64::from_le_bytes(cursor.array()?));
                Ok(8)
            }
            Self::Bytes(offsets, bytes) | Self::Text(offsets, bytes) => {
                let value = cursor.bytes()?;
                bytes.extend_from_slice(value);
                offsets.end(bytes.len())?;
                Ok(4 + value.len())
            }
            Self::Fixed(size, count, bytes) => {
                bytes.extend_from_slice(cursor.take(*size as usize)?);
                *count += 1;
                Ok(*size as usize + 1)
            }
            Self::Enum { symbols, numbers, .. } => {
                let number = cursor.int()?;
                if usize::try_from(number).is_ok_and(|number| number < symbols.len()) {
                    numbers.push(number);
                    return Ok(4 + symbols[number as usize].len());
                }
                Err(Fault::Damaged(format!("{number} is no symbol of its enum")))
            }
            Self::Decimal128 { numbers, precision, fixed, .. } => {
                let number = wide_number(cursor, *fixed)?;
                let fits = number.unsigned_abs() < 10u128.pow(u32::from(*precision));
                numbers.push(if fits { number } else { return Err(too_many_digits(*precision)) });
                Ok(16)
            }
            Self::Decimal256 { numbers, precision, fixed, .. } => {
                numbers.push(widest_number(cursor, *fixed, *precision)?);
                Ok(32)
            }
        }
    }

    /// Adds a value that is NULL, or stands in one that is; gives the bytes that it takes.
    pub fn skip(&mut self) -> usize {
        match self {
            Self::Null(count) => *count += 1,
            Self::Boolean(bits) => bits.append(false),
            Self::Int(values, _) => values.push(0),
            Self::Long(values, _) => values.push(0),
            Self::Float(values) => values.push(0.0),
            Self::Double(values) => values.push(0.0),
            Self::Bytes(offsets, _) | Self::Text(offsets, _) => offsets.repeat(),
            Self::Fixed(size, count, bytes) => {
                bytes.resize(bytes.len() + *size as usize, 0);
                *count += 1;
            }
            Self::Enum { numbers, .. } => numbers.push(0),
            Self::Decimal128 { numbers, .. } => numbers.push(0),
            Self::Decimal256 { numbers, .. } => numbers.push(i256::ZERO),
        }
        match self {
            Self::Fixed(size, ..) => *size as usize + 1,
            Self::Decimal256 { .. } => 32,
            _ => 16,
        }
    }

    /// The array of all values; none are left.
    pub fn finish(&mut self, nulls: Option<NullBuffer>) -> std::result::Result<ArrayRef, ArrowError> {
        use std::mem::take;
        Ok(match self {
            Self::Null(count) => Arc::new(NullArray::new(take(count))),
            Self::Boolean(bits) => Arc::new(BooleanArray::new(bits.finish(), nulls)),
            Self::Int(values, kind) => {
                let values = take(values).into();
                match kind {
                    IntKind::Int => Arc::new(Int32Array::new(values, nulls)),
                    IntKind::Date => Arc::new(Date32Array::new(values, nulls)),
                    IntKind::TimeMillis => Arc::new(Time32MillisecondArray::new(values, nulls)),
                }
            }
            Self::Long(values, kind) => longs(take(values), *kind, nulls),
            Self::Float(values) => Arc::new(Float32Array::new(take(values).into(), nulls)),
            Self::Double(values) => Arc::new(Float64Array::new(take(values).into(), nulls)),
            Self::Bytes(offsets, bytes) => {
                Arc::new(BinaryArray::try_new(offsets.finish(), Buffer::from_vec(take(bytes)), nulls)?)
            }
            Self::Text(offsets, bytes) => {
                Arc::new(StringArray::try_new(offsets.finish(), Buffer::from_vec(take(bytes)), nulls)?)
            }
            Self::Fixed(size, count, bytes) => {
                let (count, bytes) = (take(count), Buffer::from_vec(take(bytes)));
                Arc::new(FixedSizeBinaryArray::try_new_with_len(*size, bytes, nulls, count)?)
            }
            Self::Enum { symbols, numbers, keep } => enums(symbols, take(numbers), *keep, nulls)?,
            Self::Decimal128 { numbers, precision, scale, .. } => Arc::new(
                Decimal128Array::new(take(numbers).into(), nulls)
                    .with_precision_and_scale(*precision, *scale as i8)?,
            ),
            Self::Decimal256 { numbers, precision, scale, .. } => Arc::new(
                Decimal256Array::new(take(numbers).into(), nulls)
                    .with_precision_and_scale(*precision, *scale as i8)?,
            ),
        })
    }
}

fn longs(values: Vec<i64>, kind: LongKind, nulls: Option<NullBuffer>) -> ArrayRef {
    let values = values.into();
    let zone = |instant: bool| instant.then_some("UTC");
    match kind {
        LongKind::Long => Arc::new(Int64Array::new(values, nulls)),
        LongKind::TimeMicros => Arc::new(Time64MicrosecondArray::new(values, nulls)),
        LongKind::Timestamp(Unit::Millis, instant) => {
            Arc::new(TimestampMillisecondArray::new(values, nulls).with_timezone_opt(zone(instant)))
        }
        LongKind::Timestamp(Unit::Micros, instant) => {
            Arc::new(TimestampMicrosecondArray::new(values, nulls).with_timezone_opt(zone(instant)))
        }
        LongKind::Timestamp(Unit::Nanos, instant) => {
            Arc::new(TimestampNanosecondArray::new(values, nulls).with_timezone_opt(zone(instant)))
        }
    }
}

fn enums(
    symbols: &Arc<[String]>,
    numbers: Vec<i32>,
    keep: bool,
    nulls: Option<NullBuffer>,
) -> std::result::Result<ArrayRef, ArrowError> {
    let numbers = Int32Array::new(numbers.into(), nulls);
    let symbols: ArrayRef = Arc::new(StringArray::from_iter_values(symbols.iter()));
    if keep {
        return Ok(Arc::new(DictionaryArray::<Int32Type>::try_new(numbers, symbols)?));
    }
    take(&symbols, &numbers, None)
}

fn too_many_digits(precision: u8) -> Fault {
    Fault::Damaged(format!("a number has more than {precision} digits"))
}

/// Big-endian bytes of a number, without those that only repeat its sign; at most `N`.
fn number_bytes<const N: usize>(cursor: &mut Cursor<'_>, fixed: Option<usize>) -> Result<[u8; N]> {
    let bytes = match fixed {
        Some(size) => cursor.take(size)?,
        None => cursor.bytes()?,
    };
    let negative = bytes.first().is_some_and(|byte| byte & 0x80 != 0);
    let fill = if negative { 0xff } else { 0 };
    let (extra, kept) = bytes.split_at(bytes.len().saturating_sub(N));
    let whole =
        extra.iter().all(|byte| *byte == fill) && (extra.is_empty() || (kept[0] & 0x80 != 0) == negative);
    if !whole {
        return Err(Fault::Damaged(format!("a number has more than {N} bytes")));
    }
    let mut number = [fill; N];
    number[N - kept.len()..].copy_from_slice(kept);
    Ok(number)
}

fn wide_number(cursor: &mut Cursor<'_>, fixed: Option<usize>) -> Result<i128> {
    number_bytes::<16>(cursor, fixed).map(i128::from_be_bytes)
}

fn widest_number(cursor: &mut Cursor<'_>, fixed: Option<usize>, precision: u8) -> Result<i256> {
    let number = i256::from_be_bytes(number_bytes::<32>(cursor, fixed)?);
    let limit = i256::from_i128(10).checked_pow(u32::from(precision)).unwrap_or(i256::MAX);
    let fits = number < limit && number.checked_neg().is_some_and(|number| number < limit);
    if fits { Ok(number) } else { Err(too_many_digits(precision)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(bytes: &[u8], precision: u8) -> Result<i128> {
        let kind = Kind::Decimal { precision, scale: 0, fixed: Some(bytes.len()) };
        let mut values = Values::new(&kind, false).unwrap();
        values.read(&mut Cursor::new(bytes))?;
        match values {
            Values::Decimal128 { numbers, .. } => Ok(numbers[0]),
            _ => panic!("decimal"),
        }
    }

    #[test]
    fn decimals_of_any_length() {
        assert_eq!(decimal(&[], 5), Ok(0));
        assert_eq!(decimal(&[0xff], 5), Ok(-1));
        assert_eq!(decimal(&[0, 0xff], 5), Ok(255));
        assert_eq!(decimal(&[[0xff; 20].as_slice(), &[0x80, 0]].concat(), 5), Ok(-32768));
        assert_eq!(decimal(&[[0; 20].as_slice(), &[0x80, 0]].concat(), 5), Ok(32768));
        assert!(decimal(&[1; 20], 38).is_err());
        assert!(decimal(&[0x01, 0x86, 0xa0], 5).is_err());
        assert_eq!(decimal(&[0x01, 0x86, 0x9f], 5), Ok(99_999));
    }

    #[test]
    fn a_number_that_is_no_symbol_is_damage() {
        let kind = Kind::Enum(["a".to_owned(), "b".to_owned()].into());
        let mut values = Values::new(&kind, true).unwrap();
        assert_eq!(values.read(&mut Cursor::new(&[2])), Ok(5));
        assert!(values.read(&mut Cursor::new(&[4])).is_err());
        assert!(values.read(&mut Cursor::new(&[1])).is_err());
        assert_eq!(values.finish(None).unwrap().len(), 1);
    }
}
