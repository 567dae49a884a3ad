//! The values of a column as small numbers, batch by batch.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType as ArrowType, Date32Type, Decimal128Type, Int8Type, Int16Type, Int32Type,
    Int64Type, TimeUnit, TimestampMicrosecondType,
};
use arrow::error::ArrowError;

use super::unit::DateUnit;
use super::value::Value;

/// The code of a value that has none.
pub(super) const OUTSIDE: u32 = u32::MAX;
/// Of an entry of a dictionary that no row has asked for.
const UNKNOWN: u32 = u32::MAX - 1;

/// Gives a value its code.
pub(super) trait Lookup {
    fn null(&mut self) -> u32;
    fn number(&mut self, number: i128) -> u32;
    fn text(&mut self, text: &str) -> u32;
}

/// Hashes numbers by multiplication: a load has few different ones, and who chooses them slows down nothing
/// but that load.
#[derive(Default, Clone)]
pub(crate) struct FastHasher(u64);

impl Hasher for FastHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, number: u64) {
        let wide = u128::from(self.0 ^ number) * 0x9e37_79b9_7f4a_7c15;
        self.0 = (wide as u64) ^ ((wide >> 64) as u64);
    }

    fn write_i128(&mut self, number: i128) {
        self.write_u64(number as u64);
        self.write_u64((number >> 64) as u64);
    }
}

/// A map from numbers.
pub(crate) type FastMap<K> = HashMap<K, u32, BuildHasherDefault<FastHasher>>;

/// Codes of a column's values, in order of their first appearance.
#[derive(Debug, Clone, Default)]
pub(super) struct Interner {
    numbers: FastMap<i128>,
    texts: HashMap<Arc<str>, u32>,
    null: Option<u32>,
    /// By code.
    pub(super) values: Vec<Value>,
    /// No value gets a code any more.
    pub(super) frozen: bool,
}

impl Interner {
    fn add(&mut self, value: Value) -> u32 {
        self.values.push(value);
        (self.values.len() - 1) as u32
    }

    /// The code of a value.
    pub(super) fn code(&mut self, value: &Value) -> u32 {
        match value {
            Value::Null => self.null(),
            Value::Number(number) => self.number(*number),
            Value::Text(text) => self.text(text),
        }
    }
}

impl Lookup for Interner {
    fn null(&mut self) -> u32 {
        match self.null {
            Some(code) => code,
            None if self.frozen => OUTSIDE,
            None => {
                let code = self.add(Value::Null);
                *self.null.insert(code)
            }
        }
    }

    #[inline]
    fn number(&mut self, number: i128) -> u32 {
        match self.numbers.get(&number) {
            Some(code) => *code,
            None if self.frozen => OUTSIDE,
            None => {
                let code = self.add(Value::Number(number));
                self.numbers.insert(number, code);
                code
            }
        }
    }

    fn text(&mut self, text: &str) -> u32 {
        match self.texts.get(text) {
            Some(code) => *code,
            None if self.frozen => OUTSIDE,
            None => {
                let text: Arc<str> = Arc::from(text);
                let code = self.add(Value::Text(Arc::clone(&text)));
                self.texts.insert(text, code);
                code
            }
        }
    }
}

/// Codes of the entries of one dictionary. Kept between batches: a decoder gives the same dictionary for all
/// batches of a column chunk.
#[derive(Debug, Clone, Default)]
pub(super) struct Entries {
    of: Option<ArrayRef>,
    codes: Vec<u32>,
}

impl Entries {
    fn of(&mut self, values: &ArrayRef) -> &mut [u32] {
        let known = self
            .of
            .as_ref()
            .is_some_and(|of| Arc::ptr_eq(of, values) || of.to_data().ptr_eq(&values.to_data()));
        if !known {
            self.of = Some(Arc::clone(values));
            self.codes.clear();
            self.codes.resize(values.len(), UNKNOWN);
        }
        &mut self.codes
    }
}

/// Appends the code of each row of a column whose values are cut to `unit`.
///
/// # Errors
/// A column of an Arrow type that no partition column has.
pub(super) fn codes(
    column: &ArrayRef,
    unit: Option<DateUnit>,
    lookup: &mut impl Lookup,
    entries: &mut Entries,
    out: &mut Vec<u32>,
) -> Result<(), ArrowError> {
    out.reserve(column.len());
    match (column.data_type(), unit) {
        (ArrowType::Boolean, _) => {
            let values = column.as_boolean();
            each(column, lookup, out, |lookup, row| lookup.number(values.value(row).into()));
        }
        (ArrowType::Int8, _) => numbers::<Int8Type>(column, lookup, out, i128::from),
        (ArrowType::Int16, _) => numbers::<Int16Type>(column, lookup, out, i128::from),
        (ArrowType::Int32, _) => numbers::<Int32Type>(column, lookup, out, i128::from),
        (ArrowType::Int64, _) => numbers::<Int64Type>(column, lookup, out, i128::from),
        (ArrowType::Decimal128(..), _) => numbers::<Decimal128Type>(column, lookup, out, |number| number),
        (ArrowType::Date32, None) => numbers::<Date32Type>(column, lookup, out, i128::from),
        (ArrowType::Date32, Some(unit)) => {
            numbers::<Date32Type>(column, lookup, out, |days| unit.of_days(days.into()).into());
        }
        (ArrowType::Timestamp(TimeUnit::Microsecond, None), None) => {
            numbers::<TimestampMicrosecondType>(column, lookup, out, i128::from);
        }
        (ArrowType::Timestamp(TimeUnit::Microsecond, None), Some(unit)) => {
            numbers::<TimestampMicrosecondType>(column, lookup, out, |micros| unit.of_micros(micros).into());
        }
        (ArrowType::Utf8, _) => {
            let values = column.as_string::<i32>();
            each(column, lookup, out, |lookup, row| lookup.text(values.value(row)));
        }
        (ArrowType::Dictionary(key, value), _) if **key == ArrowType::Int32 && **value == ArrowType::Utf8 => {
            let dictionary = column.as_dictionary::<Int32Type>();
            let values = dictionary.values();
            let texts = values.as_string::<i32>();
            let keys = dictionary.keys().values();
            let known = entries.of(values);
            each(column, lookup, out, |lookup, row| {
                let entry = keys[row] as usize;
                if known[entry] == UNKNOWN {
                    known[entry] =
                        if texts.is_null(entry) { lookup.null() } else { lookup.text(texts.value(entry)) };
                }
                known[entry]
            });
        }
        (other, _) => {
            return Err(ArrowError::InvalidArgumentError(format!(
                "no partition column is of Arrow type {other}"
            )));
        }
    }
    Ok(())
}

fn numbers<T: ArrowPrimitiveType>(
    column: &ArrayRef,
    lookup: &mut impl Lookup,
    out: &mut Vec<u32>,
    of: impl Fn(T::Native) -> i128,
) {
    let values = column.as_primitive::<T>().values();
    // Rows often come in the order of their partitions.
    let mut last: Option<(i128, u32)> = None;
    each(column, lookup, out, |lookup, row| {
        let number = of(values[row]);
        match last {
            Some((same, code)) if same == number => code,
            _ => {
                let code = lookup.number(number);
                last = Some((number, code));
                code
            }
        }
    });
}

/// `of` is asked for the rows that are not NULL.
fn each<L: Lookup>(
    column: &ArrayRef,
    lookup: &mut L,
    out: &mut Vec<u32>,
    mut of: impl FnMut(&mut L, usize) -> u32,
) {
    match column.nulls() {
        None => out.extend((0..column.len()).map(|row| of(lookup, row))),
        Some(nulls) => out.extend(
            (0..column.len()).map(|row| if nulls.is_valid(row) { of(lookup, row) } else { lookup.null() }),
        ),
    }
}
