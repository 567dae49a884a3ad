//! The sort key as numbers: if all its columns together fit 64 bits, rows compare as integers; else by
//! the bytes of a row format. NULL comes first.

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, PrimitiveArray};
use arrow::compute::cast;
use arrow::datatypes::{
    ArrowPrimitiveType, DataType as ArrowType, Date32Type, Decimal128Type, Int8Type, Int16Type, Int32Type,
    Int64Type, TimeUnit, TimestampMicrosecondType,
};
use arrow::row::{RowConverter, Rows, SortField};

use super::TabletError;
use super::column::{Column, Kind};
use super::records::Records;

/// What is known of the values of one key column over all rows so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KeyRange {
    /// Smallest and largest value; `None` while every row is NULL.
    pub(crate) bounds: Option<(i128, i128)>,
    /// Whether a NULL is among them.
    pub(crate) nulls: bool,
}

impl KeyRange {
    /// Of no rows.
    pub(crate) const EMPTY: Self = Self { bounds: None, nulls: false };

    /// Of the rows of both.
    pub(crate) fn union(self, other: Self) -> Self {
        let bounds = match (self.bounds, other.bounds) {
            (Some((a, b)), Some((c, d))) => Some((a.min(c), b.max(d))),
            (bounds, None) | (None, bounds) => bounds,
        };
        Self { bounds, nulls: self.nulls || other.nulls }
    }

    /// Of an array of an integer-like type; of other types only whether there are NULLs.
    pub(crate) fn of(array: &dyn Array) -> Self {
        let nulls = array.logical_null_count() > 0;
        let bounds = match array.data_type() {
            ArrowType::Boolean => Some((0, 1)),
            ArrowType::Int8 => bounds::<Int8Type>(array),
            ArrowType::Int16 => bounds::<Int16Type>(array),
            ArrowType::Int32 => bounds::<Int32Type>(array),
            ArrowType::Int64 => bounds::<Int64Type>(array),
            ArrowType::Date32 => bounds::<Date32Type>(array),
            ArrowType::Timestamp(TimeUnit::Microsecond, None) => bounds::<TimestampMicrosecondType>(array),
            ArrowType::Decimal128(..) => bounds::<Decimal128Type>(array),
            _ => None,
        };
        Self { bounds, nulls }
    }
}

fn bounds<T: ArrowPrimitiveType<Native: Into<i128>>>(array: &dyn Array) -> Option<(i128, i128)> {
    let array = array.as_primitive::<T>();
    let min = arrow::compute::min(array)?;
    let max = arrow::compute::max(array)?;
    Some((min.into(), max.into()))
}

/// Whether a column of the type is ordered as an integer.
fn is_integer(data_type: &ArrowType) -> bool {
    matches!(
        data_type,
        ArrowType::Boolean
            | ArrowType::Int8
            | ArrowType::Int16
            | ArrowType::Int32
            | ArrowType::Int64
            | ArrowType::Date32
            | ArrowType::Timestamp(TimeUnit::Microsecond, None)
            | ArrowType::Decimal128(..)
    )
}

/// One column's share of a number that orders rows.
#[derive(Debug)]
struct KeyPart {
    column: usize,
    /// The number of the smallest value; values are counted from here.
    base: i64,
    /// 1 if NULL takes the number 0.
    null_offset: u64,
    bits: u32,
    /// For text in codes: the rank of each code.
    ranks: Option<Vec<u32>>,
}

impl KeyPart {
    fn number(&self, value: i64) -> u64 {
        value.wrapping_sub(self.base).cast_unsigned().wrapping_add(self.null_offset)
    }
}

/// How the rows of a run or a merge are compared.
#[derive(Debug)]
pub(crate) enum KeyPlan {
    /// By numbers of so many bits; 0 bits: all rows are equal.
    Numbers(NumberPlan),
    /// By the row format of these columns.
    Rows(RowPlan),
}

/// Rows as numbers.
#[derive(Debug)]
pub(crate) struct NumberPlan {
    parts: Vec<KeyPart>,
    /// Bits of the numbers.
    pub(crate) bits: u32,
}

/// Rows as bytes.
#[derive(Debug)]
pub(crate) struct RowPlan {
    columns: Vec<usize>,
    types: Vec<ArrowType>,
}

impl KeyPlan {
    /// The plan for rows whose key columns keep to `ranges`; `columns` and `types` are those of the table.
    pub(crate) fn new(
        sort_key: &[usize],
        ranges: &[KeyRange],
        columns: &[Column],
        types: &[ArrowType],
    ) -> Self {
        if let Some(bits) = Self::shape(sort_key, ranges, columns, types) {
            let part = |(&column, range): (&usize, &KeyRange)| {
                let ranks = columns[column].is_codes().then(|| columns[column].dictionary().ranks());
                let (base, bits) = number_shape(*range, &columns[column], &types[column])?;
                Some(KeyPart { column, base, null_offset: u64::from(range.nulls), bits, ranks })
            };
            return Self::Numbers(NumberPlan {
                parts: sort_key.iter().zip(ranges).filter_map(part).collect(),
                bits,
            });
        }
        let types = sort_key.iter().map(|&column| types[column].clone()).collect();
        Self::Rows(RowPlan { columns: sort_key.to_vec(), types })
    }

    /// The bits of the numbers that would order such rows; `None` if the row format must.
    pub(crate) fn shape(
        sort_key: &[usize],
        ranges: &[KeyRange],
        columns: &[Column],
        types: &[ArrowType],
    ) -> Option<u32> {
        let mut bits = 0;
        for (&column, range) in sort_key.iter().zip(ranges) {
            bits += number_shape(*range, &columns[column], &types[column])?.1;
        }
        (bits <= u64::BITS).then_some(bits)
    }
}

/// The smallest value of a column and the bits that count from it, NULL included, if its values are numbers.
fn number_shape(range: KeyRange, buffer: &Column, data_type: &ArrowType) -> Option<(i64, u32)> {
    let (base, distance) = if buffer.is_codes() {
        (0, buffer.dictionary().len().saturating_sub(1) as u64)
    } else if is_integer(data_type) {
        let (min, max) = range.bounds.unwrap_or((0, 0));
        let (base, end) = (i64::try_from(min).ok()?, i64::try_from(max).ok()?);
        (base, end.wrapping_sub(base).cast_unsigned())
    } else {
        return None;
    };
    let largest = distance.checked_add(u64::from(range.nulls))?;
    Some((base, u64::BITS - largest.leading_zeros()))
}

impl NumberPlan {
    /// The numbers of some rows of the run buffer, in the order of `rows`, into `numbers`.
    pub(crate) fn of_rows(
        &self,
        columns: &[Column],
        records: &Records,
        rows: &[u32],
        numbers: &mut Vec<u64>,
    ) {
        numbers.clear();
        numbers.resize(rows.len(), 0);
        for part in &self.parts {
            let column = &columns[part.column];
            let valid = |at: usize| column.is_valid(records, rows[at] as usize);
            let nulls = column.has_nulls();
            macro_rules! fold {
                ($native:ty, $number:expr) => {{
                    let number = $number;
                    let field = |at: usize| column.field(records, rows[at] as usize);
                    push(numbers, part, nulls, valid, |at| number(<$native>::from_le_bytes(field(at))));
                }};
            }
            match column.kind() {
                Kind::Fixed(1) => fold!(i8, i64::from),
                Kind::Fixed(2) => fold!(i16, i64::from),
                Kind::Fixed(4) => fold!(i32, i64::from),
                Kind::Fixed(8) => fold!(i64, i64::from),
                // The plan was made because the range fits 64 bits.
                Kind::Fixed(_) => fold!(i128, |v: i128| v as i64),
                Kind::Boolean => fold!(u8, i64::from),
                Kind::Code => {
                    let ranks = part.ranks.as_deref().unwrap_or_default();
                    fold!(u16, |code: u16| ranks.get(usize::from(code)).copied().map_or(0, i64::from));
                }
                Kind::Text | Kind::Nested => {}
            }
        }
    }

    /// The numbers of all rows of arrays, one for each column of the table.
    pub(crate) fn of_arrays(&self, columns: &[ArrayRef]) -> Result<Vec<u64>, TabletError> {
        let rows = columns.first().map_or(0, |column| column.len());
        let mut numbers = vec![0; rows];
        for part in &self.parts {
            let array = columns[part.column].as_ref();
            let valid = |at: usize| array.is_valid(at);
            let nulls = array.null_count() > 0;
            macro_rules! fold {
                ($type:ty) => {{
                    let values = array.as_primitive::<$type>().values();
                    push(&mut numbers, part, nulls, valid, |at| i64::from(values[at]));
                }};
            }
            match array.data_type() {
                ArrowType::Int8 => fold!(Int8Type),
                ArrowType::Int16 => fold!(Int16Type),
                ArrowType::Int32 => fold!(Int32Type),
                ArrowType::Int64 => fold!(Int64Type),
                ArrowType::Date32 => fold!(Date32Type),
                ArrowType::Timestamp(TimeUnit::Microsecond, None) => fold!(TimestampMicrosecondType),
                ArrowType::Decimal128(..) => {
                    let values: &PrimitiveArray<Decimal128Type> = array.as_primitive();
                    push(&mut numbers, part, nulls, valid, |at| values.value(at) as i64);
                }
                ArrowType::Boolean => {
                    let values: &BooleanArray = array.as_boolean();
                    push(&mut numbers, part, nulls, valid, |at| i64::from(values.value(at)));
                }
                ArrowType::Dictionary(..) => {
                    let keys = array.as_dictionary::<Int32Type>().keys().values();
                    let ranks = part.ranks.as_deref().unwrap_or_default();
                    push(&mut numbers, part, nulls, valid, |at| i64::from(ranks[keys[at] as usize]));
                }
                other => return Err(TabletError::WrongBatch(format!("a sort key of Arrow type {other}"))),
            }
        }
        Ok(numbers)
    }
}

/// Makes room for the part's bits in each number and puts the value there.
#[inline]
fn push(
    numbers: &mut [u64],
    part: &KeyPart,
    nulls: bool,
    valid: impl Fn(usize) -> bool,
    value: impl Fn(usize) -> i64,
) {
    // A shift by all 64 bits is that of the only part: what it shifts out is 0.
    let shifted = |number: u64| number.checked_shl(part.bits).unwrap_or(0);
    if nulls {
        for (at, number) in numbers.iter_mut().enumerate() {
            let own = if valid(at) { part.number(value(at)) } else { 0 };
            *number = shifted(*number) | own;
        }
    } else {
        for (at, number) in numbers.iter_mut().enumerate() {
            *number = shifted(*number) | part.number(value(at));
        }
    }
}

impl RowPlan {
    /// A converter of the key's columns.
    pub(crate) fn converter(&self) -> Result<RowConverter, TabletError> {
        Ok(RowConverter::new(self.types.iter().map(|of| SortField::new(of.clone())).collect())?)
    }

    /// The key's columns.
    pub(crate) fn columns(&self) -> &[usize] {
        &self.columns
    }

    /// The rows of arrays, one for each column of the table.
    pub(crate) fn of_arrays(
        &self,
        converter: &RowConverter,
        columns: &[ArrayRef],
    ) -> Result<Rows, TabletError> {
        let plain = self.columns.iter().zip(&self.types).map(|(&column, of)| cast(&columns[column], of));
        Ok(converter.convert_columns(&plain.collect::<Result<Vec<_>, _>>()?)?)
    }
}
