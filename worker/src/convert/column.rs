//! A column after its cast, and the rows of it that did not fit.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, BooleanBufferBuilder, PrimitiveArray};
use arrow::buffer::NullBuffer;

/// Why a value does not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// Text that is no value of the type.
    Parse,
    /// A value, but not one of the type's.
    OutOfRange,
    /// Text or bytes longer than declared.
    TooLong,
    /// Bytes that are not UTF-8.
    InvalidUtf8,
    /// Text that is not JSON.
    InvalidJson,
    /// NULL where none may stand.
    Null,
    /// No partition of the table takes the row.
    NoPartition,
}

impl Fault {
    /// Stable code, as rejected rows carry it.
    pub(super) fn code(self) -> &'static str {
        match self {
            Self::Parse => "ParseError",
            Self::OutOfRange => "OutOfRange",
            Self::TooLong => "TooLong",
            Self::InvalidUtf8 => "InvalidUtf8",
            Self::InvalidJson => "InvalidJson",
            Self::Null => "NullInNotNull",
            Self::NoPartition => "NoPartition",
        }
    }

    /// Whether the row is filtered also where strict mode is off: a cut text would be a lie, and so would
    /// a NULL in its place.
    pub(super) fn filters_always(self) -> bool {
        matches!(self, Self::TooLong | Self::InvalidUtf8 | Self::Null | Self::NoPartition)
    }
}

/// A row whose value did not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Misfit {
    pub(super) row: usize,
    pub(super) fault: Fault,
}

/// Values of the table's type. Where a value did not fit stands NULL (or, if its fault always filters the
/// row, anything valid), and `misfits` has the row; they are in order of rows, at most one a row.
#[derive(Debug, Clone)]
pub(super) struct Column {
    pub(super) array: ArrayRef,
    pub(super) misfits: Vec<Misfit>,
}

impl Column {
    /// A column in which every value fits.
    pub(super) fn fits(array: ArrayRef) -> Self {
        Self { array, misfits: Vec::new() }
    }
}

/// Casts value by value: `value` is asked for every row that is not NULL.
pub(super) fn collect<T: ArrowPrimitiveType>(
    len: usize,
    nulls: Option<&NullBuffer>,
    value: impl FnMut(usize) -> Result<T::Native, Fault>,
) -> Column {
    let (array, misfits) = collect_primitive::<T>(len, nulls, value);
    Column { array: Arc::new(array), misfits }
}

/// [`collect`] with the array's type kept, for types that carry parameters.
pub(super) fn collect_primitive<T: ArrowPrimitiveType>(
    len: usize,
    nulls: Option<&NullBuffer>,
    mut value: impl FnMut(usize) -> Result<T::Native, Fault>,
) -> (PrimitiveArray<T>, Vec<Misfit>) {
    let mut misfits = Vec::new();
    let mut values = Vec::with_capacity(len);
    let mut one = |row: usize| {
        value(row).unwrap_or_else(|fault| {
            misfits.push(Misfit { row, fault });
            T::Native::default()
        })
    };
    match nulls.filter(|nulls| nulls.null_count() > 0) {
        None => values.extend((0..len).map(&mut one)),
        Some(nulls) => {
            values.extend(
                (0..len).map(|row| if nulls.is_valid(row) { one(row) } else { T::Native::default() }),
            );
        }
    }
    let nulls = without(nulls, len, &misfits);
    (PrimitiveArray::new(values.into(), nulls), misfits)
}

/// The validity of `nulls` with the rows of `misfits` made NULL too.
pub(super) fn without(nulls: Option<&NullBuffer>, len: usize, misfits: &[Misfit]) -> Option<NullBuffer> {
    if misfits.is_empty() {
        return nulls.cloned();
    }
    let mut valid = BooleanBufferBuilder::new(len);
    match nulls {
        Some(nulls) => valid.append_buffer(nulls.inner()),
        None => valid.append_n(len, true),
    }
    for misfit in misfits {
        valid.set_bit(misfit.row, false);
    }
    Some(NullBuffer::new(valid.finish()))
}

/// Misfits by a test of every row that is not NULL.
pub(super) fn misfits_where(
    array: &dyn Array,
    fault: Fault,
    mut bad: impl FnMut(usize) -> bool,
) -> Vec<Misfit> {
    (0..array.len()).filter(|&row| array.is_valid(row) && bad(row)).map(|row| Misfit { row, fault }).collect()
}
