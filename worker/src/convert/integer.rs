//! To TINYINT, SMALLINT, INT and BIGINT.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray};
use arrow::datatypes::{
    DataType as ArrowType, Decimal128Type, Float16Type, Float32Type, Float64Type, Int64Type,
    Time32MillisecondType, Time32SecondType, Time64MicrosecondType, Time64NanosecondType, TimeUnit,
};

use super::column::{Column, Fault, Misfit, collect, without};
use super::decimal::{as_decimal128, power_of_ten};
use super::parse::parse_integer;
use super::pattern::{integers, texts};

/// One integer type into another: the value cut to the target's bits, and whether it is still the same.
pub(super) trait Narrow<T>: Copy {
    fn narrow(self) -> (T, bool);
}

macro_rules! narrow {
    (signed $($from:ty),+; $to:ty) => {$(
        impl Narrow<$to> for $from {
            #[inline]
            #[allow(clippy::cast_lossless, reason = "wide and narrow targets share this text")]
            fn narrow(self) -> ($to, bool) {
                let to = self as $to;
                (to, i128::from(to) == i128::from(self))
            }
        }
    )+};
    ($($to:ty),+) => {$(
        narrow!(signed i8, i16, i32, i64, u8, u16, u32, u64; $to);
    )+};
}
narrow!(i8, i16, i32, i64);

/// The integers a table can hold.
pub(super) trait Integer: ArrowPrimitiveType {
    fn from_i64(value: i64) -> Option<Self::Native>;
    fn from_i128(value: i128) -> Option<Self::Native>;
    /// Cuts the fraction; NaN, infinities and what is outside the range have no integer.
    fn from_f64(value: f64) -> Option<Self::Native>;
}

macro_rules! integer {
    ($($arrow:ty => $native:ty),+) => {$(
        impl Integer for $arrow {
            fn from_i64(value: i64) -> Option<$native> {
                <$native>::try_from(value).ok()
            }
            fn from_i128(value: i128) -> Option<$native> {
                <$native>::try_from(value).ok()
            }
            #[allow(clippy::cast_lossless, reason = "wide and narrow targets share this text")]
            fn from_f64(value: f64) -> Option<$native> {
                // The bound is a power of two and so exact, unlike MAX itself; NaN compares false.
                const BOUND: f64 = -(<$native>::MIN as f64);
                let whole = value.trunc();
                (-BOUND..BOUND).contains(&whole).then_some(whole as $native)
            }
        }
    )+};
}
integer!(
    arrow::datatypes::Int8Type => i8,
    arrow::datatypes::Int16Type => i16,
    arrow::datatypes::Int32Type => i32,
    Int64Type => i64
);

/// Casts to an integer type; `None`: no value of this type can become one.
pub(super) fn to_integer<T: Integer>(array: &ArrayRef) -> Option<Column>
where
    i8: Narrow<T::Native>,
    i16: Narrow<T::Native>,
    i32: Narrow<T::Native>,
    i64: Narrow<T::Native>,
    u8: Narrow<T::Native>,
    u16: Narrow<T::Native>,
    u32: Narrow<T::Native>,
    u64: Narrow<T::Native>,
{
    if *array.data_type() == T::DATA_TYPE {
        return Some(Column::fits(Arc::clone(array)));
    }
    let narrowed = integers!(array, a => Some(narrow_all::<_, T>(a)), _ => None);
    if narrowed.is_some() {
        return narrowed;
    }
    let parsed = texts!(array, a => Some(collect::<T>(a.len(), a.nulls(), |row| {
        T::from_i64(parse_integer(a.value(row).as_bytes())?).ok_or(Fault::OutOfRange)
    })), _ => None);
    if parsed.is_some() {
        return parsed;
    }
    match array.data_type() {
        ArrowType::Boolean => {
            let a = array.as_boolean();
            Some(from_values::<T>(array, |row| T::from_i64(i64::from(a.value(row)))))
        }
        ArrowType::Float16 => {
            let a = array.as_primitive::<Float16Type>();
            Some(from_values::<T>(array, |row| T::from_f64(a.value(row).to_f64())))
        }
        ArrowType::Float32 => {
            let a = array.as_primitive::<Float32Type>();
            Some(from_values::<T>(array, |row| T::from_f64(f64::from(a.value(row)))))
        }
        ArrowType::Float64 => {
            let a = array.as_primitive::<Float64Type>();
            Some(from_values::<T>(array, |row| T::from_f64(a.value(row))))
        }
        ArrowType::Decimal32(..) | ArrowType::Decimal64(..) | ArrowType::Decimal128(..) => {
            from_decimal::<T>(array)
        }
        ArrowType::Time32(_) | ArrowType::Time64(_) if T::DATA_TYPE == ArrowType::Int64 => {
            from_time::<T>(array)
        }
        _ => None,
    }
}

/// One pass without a branch; only if some value was cut, a second one over the rows that are not NULL (what
/// lies under a NULL is anything).
fn narrow_all<S: ArrowPrimitiveType, T: Integer>(array: &PrimitiveArray<S>) -> Column
where
    S::Native: Narrow<T::Native>,
{
    let mut all_fit = true;
    let values: Vec<T::Native> = array
        .values()
        .iter()
        .map(|value| {
            let (narrow, fits) = value.narrow();
            all_fit &= fits;
            narrow
        })
        .collect();
    let mut misfits = Vec::new();
    if !all_fit {
        for (row, value) in array.values().iter().enumerate() {
            if !value.narrow().1 && array.is_valid(row) {
                misfits.push(Misfit { row, fault: Fault::OutOfRange });
            }
        }
    }
    let nulls = without(array.nulls(), array.len(), &misfits);
    Column { array: Arc::new(PrimitiveArray::<T>::new(values.into(), nulls)), misfits }
}

fn from_values<T: Integer>(array: &ArrayRef, value: impl Fn(usize) -> Option<T::Native>) -> Column {
    collect::<T>(array.len(), array.nulls(), |row| value(row).ok_or(Fault::OutOfRange))
}

fn from_decimal<T: Integer>(array: &ArrayRef) -> Option<Column> {
    let (array, scale) = as_decimal128(array)?;
    let a = array.as_primitive::<Decimal128Type>();
    Some(collect::<T>(a.len(), a.nulls(), |row| {
        let unscaled = a.value(row);
        let whole = match power_of_ten(i32::from(scale.unsigned_abs())) {
            Some(power) if scale >= 0 => Some(unscaled / power),
            Some(power) => unscaled.checked_mul(power),
            None => None,
        };
        whole.and_then(T::from_i128).ok_or(Fault::OutOfRange)
    }))
}

/// A TIME as the number of its own unit since midnight.
fn from_time<T: Integer>(array: &ArrayRef) -> Option<Column> {
    Some(match array.data_type() {
        ArrowType::Time32(TimeUnit::Second) => {
            let a = array.as_primitive::<Time32SecondType>();
            from_values::<T>(array, |row| T::from_i64(i64::from(a.value(row))))
        }
        ArrowType::Time32(TimeUnit::Millisecond) => {
            let a = array.as_primitive::<Time32MillisecondType>();
            from_values::<T>(array, |row| T::from_i64(i64::from(a.value(row))))
        }
        ArrowType::Time64(TimeUnit::Microsecond) => {
            let a = array.as_primitive::<Time64MicrosecondType>();
            from_values::<T>(array, |row| T::from_i64(a.value(row)))
        }
        ArrowType::Time64(TimeUnit::Nanosecond) => {
            let a = array.as_primitive::<Time64NanosecondType>();
            from_values::<T>(array, |row| T::from_i64(a.value(row)))
        }
        _ => return None,
    })
}
