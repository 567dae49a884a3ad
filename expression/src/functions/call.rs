//! What the body of a function works with: arguments by row, and arrays made row by row.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayAccessor, ArrayRef, AsArray, BinaryArray, BooleanArray, Date32Array, Decimal128Array,
    Float64Array, Int64Array, StringArray, StringBuilder, TimestampMicrosecondArray,
};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, FieldRef, Float64Type, Int64Type, TimestampMicrosecondType,
};
use datafusion_common::{Result, internal_datafusion_err};
use datafusion_expr::ColumnarValue;

use super::definition::{Session, is_json};

/// One call over the rows of a batch. An argument that is the same in every row is held once.
#[derive(Debug)]
pub struct Call<'a> {
    arguments: Vec<(ArrayRef, bool)>,
    /// Rows of the result.
    pub rows: usize,
    /// Zone and instant.
    pub session: Session,
    /// Type of the result.
    pub returns: &'a DataType,
    /// Fields of the arguments.
    fields: &'a [FieldRef],
}

/// The values of an argument.
#[derive(Debug, Clone, Copy)]
pub struct Values<A> {
    array: A,
    constant: bool,
}

impl<A: ArrayAccessor> Values<A> {
    /// The value in a row; `None` is NULL.
    #[inline]
    pub fn get(&self, row: usize) -> Option<A::Item> {
        let row = if self.constant { 0 } else { row };
        self.array.is_valid(row).then(|| self.array.value(row))
    }

    /// The value that stands in every row, if one does and it is not NULL.
    pub fn constant(&self) -> Option<A::Item> {
        (self.constant && !self.array.is_empty()).then(|| self.get(0)).flatten()
    }
}

impl<'a> Call<'a> {
    pub(super) fn new(
        arguments: &[ColumnarValue],
        fields: &'a [FieldRef],
        rows: usize,
        session: Session,
        returns: &'a DataType,
    ) -> Result<Self> {
        let arguments = arguments.iter().map(|argument| match argument {
            ColumnarValue::Array(array) => Ok((Arc::clone(array), false)),
            ColumnarValue::Scalar(value) => Ok((value.to_array_of_size(1)?, true)),
        });
        Ok(Self { arguments: arguments.collect::<Result<_>>()?, rows, session, returns, fields })
    }

    /// Whether the argument at a place is JSON, and not only text.
    pub fn is_json(&self, index: usize) -> bool {
        self.fields.get(index).is_some_and(|field| is_json(field))
    }

    /// Number of arguments.
    pub fn len(&self) -> usize {
        self.arguments.len()
    }

    /// Whether the argument at a place was given.
    pub fn has(&self, index: usize) -> bool {
        index < self.arguments.len()
    }

    fn argument(&self, index: usize) -> Result<&(ArrayRef, bool)> {
        self.arguments.get(index).ok_or_else(|| internal_datafusion_err!("argument {index} is not there"))
    }

    /// The argument at a place with as many rows as the result.
    pub fn array(&self, index: usize) -> Result<ArrayRef> {
        let (array, constant) = self.argument(index)?;
        if !constant {
            return Ok(Arc::clone(array));
        }
        let value = datafusion_common::ScalarValue::try_from_array(array, 0)?;
        value.to_array_of_size(self.rows)
    }

    /// Type of the argument at a place.
    pub fn data_type(&self, index: usize) -> Result<&DataType> {
        Ok(self.argument(index)?.0.data_type())
    }

    fn values<'b, A>(
        &'b self,
        index: usize,
        view: impl FnOnce(&'b ArrayRef) -> Option<A>,
    ) -> Result<Values<A>> {
        let (array, constant) = self.argument(index)?;
        let typed = view(array)
            .ok_or_else(|| internal_datafusion_err!("argument {index} is {}", array.data_type()))?;
        Ok(Values { array: typed, constant: *constant })
    }

    /// A STRING argument.
    pub fn text(&self, index: usize) -> Result<Values<&StringArray>> {
        self.values(index, |array| array.as_string_opt::<i32>())
    }

    /// A VARBINARY argument.
    pub fn binary(&self, index: usize) -> Result<Values<&BinaryArray>> {
        self.values(index, |array| array.as_binary_opt::<i32>())
    }

    /// A BIGINT argument.
    pub fn integer(&self, index: usize) -> Result<Values<&Int64Array>> {
        self.values(index, |array| array.as_primitive_opt::<Int64Type>())
    }

    /// A DECIMAL argument.
    pub fn decimal(&self, index: usize) -> Result<Values<&Decimal128Array>> {
        self.values(index, |array| array.as_primitive_opt::<Decimal128Type>())
    }

    /// A DOUBLE argument.
    pub fn double(&self, index: usize) -> Result<Values<&Float64Array>> {
        self.values(index, |array| array.as_primitive_opt::<Float64Type>())
    }

    /// A BOOLEAN argument.
    pub fn boolean(&self, index: usize) -> Result<Values<&BooleanArray>> {
        self.values(index, |array| array.as_boolean_opt())
    }

    /// A DATE argument, in days since the epoch.
    pub fn date(&self, index: usize) -> Result<Values<&Date32Array>> {
        self.values(index, |array| array.as_primitive_opt::<Date32Type>())
    }

    /// A DATETIME argument, in microseconds since the epoch.
    pub fn datetime(&self, index: usize) -> Result<Values<&TimestampMicrosecondArray>> {
        self.values(index, |array| array.as_primitive_opt::<TimestampMicrosecondType>())
    }

    /// Texts: `write` appends the value of a row, or says that it is NULL.
    pub fn texts(&self, mut write: impl FnMut(usize, &mut String) -> Option<()>) -> Result<ArrayRef> {
        let mut texts = StringBuilder::with_capacity(self.rows, self.rows * 8);
        let mut text = String::new();
        for row in 0..self.rows {
            text.clear();
            texts.append_option(write(row, &mut text).map(|()| text.as_str()));
        }
        Ok(Arc::new(texts.finish()))
    }

    /// Parts of texts that are there already.
    pub fn slices<'b>(&self, mut value: impl FnMut(usize) -> Option<&'b str>) -> Result<ArrayRef> {
        let mut texts = StringBuilder::with_capacity(self.rows, self.rows * 8);
        for row in 0..self.rows {
            texts.append_option(value(row));
        }
        Ok(Arc::new(texts.finish()))
    }

    /// VARBINARYs.
    pub fn binaries(&self, value: impl FnMut(usize) -> Option<Vec<u8>>) -> Result<ArrayRef> {
        Ok(Arc::new((0..self.rows).map(value).collect::<BinaryArray>()))
    }

    /// BIGINTs.
    pub fn integers(&self, value: impl FnMut(usize) -> Option<i64>) -> Result<ArrayRef> {
        Ok(Arc::new((0..self.rows).map(value).collect::<Int64Array>()))
    }

    /// DOUBLEs; what is no number is NULL.
    pub fn doubles(&self, mut value: impl FnMut(usize) -> Option<f64>) -> Result<ArrayRef> {
        let finite = |row| value(row).filter(|value| value.is_finite());
        Ok(Arc::new((0..self.rows).map(finite).collect::<Float64Array>()))
    }

    /// DECIMALs from unscaled digits; what needs more than `precision` digits is NULL.
    pub fn decimals(
        &self,
        precision: u8,
        scale: i8,
        mut value: impl FnMut(usize) -> Option<i128>,
    ) -> Result<ArrayRef> {
        let limit = 10i128.checked_pow(u32::from(precision)).unwrap_or(i128::MAX);
        let fits = |row| value(row).filter(|value| value.unsigned_abs() < limit.unsigned_abs());
        let array: Decimal128Array = (0..self.rows).map(fits).collect();
        Ok(Arc::new(array.with_precision_and_scale(precision, scale)?))
    }

    /// BOOLEANs.
    pub fn booleans(&self, value: impl FnMut(usize) -> Option<bool>) -> Result<ArrayRef> {
        Ok(Arc::new((0..self.rows).map(value).collect::<BooleanArray>()))
    }

    /// DATEs, in days since the epoch; NULL outside the years 0 to 9999.
    pub fn dates(&self, mut value: impl FnMut(usize) -> Option<i32>) -> Result<ArrayRef> {
        let in_range = |row| value(row).filter(|days| crate::datetime::DAYS.contains(days));
        Ok(Arc::new((0..self.rows).map(in_range).collect::<Date32Array>()))
    }

    /// DATETIMEs, in microseconds since the epoch; NULL outside the years 0 to 9999.
    pub fn datetimes(&self, mut value: impl FnMut(usize) -> Option<i64>) -> Result<ArrayRef> {
        let in_range = |row| value(row).filter(|micros| crate::datetime::MICROS.contains(micros));
        Ok(Arc::new((0..self.rows).map(in_range).collect::<TimestampMicrosecondArray>()))
    }
}
