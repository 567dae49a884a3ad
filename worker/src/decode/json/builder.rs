//! Values of a document into columns: text for scalars, lists, maps and structs of text for nested types.

use std::sync::Arc;

use arrow::array::{ArrayRef, ListArray, MapArray, StructArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType as ArrowType, Field, FieldRef, Fields};
use arrow::error::ArrowError;
use longshore_storage::types::DataType;

use super::number::whole_part;
use super::path::is_key;
use super::scan::{Kind, Scanner, Value};
use super::text::unescape;
use crate::decode::text::{TextBuilder, validity};

/// How a scalar becomes text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scalar {
    /// As it is meant; nested values as they were written.
    Text,
    /// For a number's column: truth values are 1 and 0.
    Number,
    /// For an integer's column: the fraction of a number is cut, too.
    Integer,
    /// As it was written: JSON stays JSON.
    Json,
}

/// The shape that a column's values are given in.
#[derive(Debug, Clone)]
pub(super) enum Shape {
    Text(Scalar),
    List(Box<Shape>),
    Map(Box<Shape>, Box<Shape>),
    Struct(Vec<(String, Shape)>),
}

impl Shape {
    /// The shape for a column of a type; without one, text.
    pub(super) fn of(data_type: Option<&DataType>) -> Self {
        match data_type {
            Some(DataType::TinyInt | DataType::SmallInt | DataType::Int | DataType::BigInt) => {
                Self::Text(Scalar::Integer)
            }
            Some(DataType::LargeInt | DataType::Decimal { .. } | DataType::Float | DataType::Double) => {
                Self::Text(Scalar::Number)
            }
            Some(DataType::Json) => Self::Text(Scalar::Json),
            Some(DataType::Array(element)) => Self::List(Box::new(Self::of(Some(element)))),
            Some(DataType::Map(key, value)) => {
                Self::Map(Box::new(Self::of(Some(key))), Box::new(Self::of(Some(value))))
            }
            Some(DataType::Struct(fields)) => Self::Struct(
                fields.iter().map(|field| (field.name.clone(), Self::of(Some(&field.data_type)))).collect(),
            ),
            _ => Self::Text(Scalar::Text),
        }
    }

    /// The type of the column that is built.
    pub(super) fn arrow(&self) -> ArrowType {
        match self {
            Self::Text(_) => ArrowType::Utf8,
            Self::List(element) => ArrowType::List(element_field(element)),
            Self::Map(key, value) => ArrowType::Map(entry_field(key, value), false),
            Self::Struct(parts) => ArrowType::Struct(part_fields(parts)),
        }
    }

    /// Whether a value, which was checked, has this shape in all its parts.
    pub(super) fn fits(&self, bytes: &[u8], value: Value) -> bool {
        if value.kind == Kind::Null {
            return true;
        }
        let mut fits = true;
        let mut scanner = Scanner::new(bytes, value.start);
        match (self, value.kind) {
            (Self::Text(_), _) => {}
            (Self::List(element), Kind::Array) => each_element(&mut scanner, |value| {
                fits &= element.fits(bytes, value);
            }),
            (Self::Map(_, inner), Kind::Object) => each_key(&mut scanner, |_, value| {
                fits &= inner.fits(bytes, value);
            }),
            (Self::Struct(parts), Kind::Object) => each_key(&mut scanner, |key, value| {
                if let Some((_, part)) = parts.iter().find(|(name, _)| is_key(bytes, key, name)) {
                    fits &= part.fits(bytes, value);
                }
            }),
            _ => fits = false,
        }
        fits
    }
}

/// The values were checked when the document was: nothing can fail here.
fn each_key(scanner: &mut Scanner<'_>, mut see: impl FnMut(Value, Value)) {
    let passed = scanner.for_each_key(0, |key, value| {
        see(key, value);
        Ok(())
    });
    debug_assert!(passed.is_ok());
}

pub(super) fn each_element(scanner: &mut Scanner<'_>, mut see: impl FnMut(Value)) {
    let passed = scanner.for_each_element(0, |_, value| {
        see(value);
        Ok(())
    });
    debug_assert!(passed.is_ok());
}

fn element_field(element: &Shape) -> FieldRef {
    Arc::new(Field::new("element", element.arrow(), true))
}

fn entry_field(key: &Shape, value: &Shape) -> FieldRef {
    let entry = [Field::new("key", key.arrow(), false), Field::new("value", value.arrow(), true)];
    Arc::new(Field::new("key_value", ArrowType::Struct(entry.into_iter().collect()), false))
}

fn part_fields(parts: &[(String, Shape)]) -> Fields {
    parts.iter().map(|(name, shape)| Field::new(name, shape.arrow(), true)).collect()
}

/// Builds a column of a shape.
#[derive(Debug)]
pub(super) enum Builder {
    Text(Scalar, TextBuilder),
    List {
        element: Box<Builder>,
        ends: Vec<usize>,
        nulls: Vec<usize>,
        shape: Shape,
    },
    Map {
        key: Box<Builder>,
        value: Box<Builder>,
        ends: Vec<usize>,
        nulls: Vec<usize>,
        shape: Box<(Shape, Shape)>,
    },
    Struct {
        parts: Vec<(String, Builder)>,
        rows: usize,
        nulls: Vec<usize>,
        fields: Fields,
        found: Vec<Option<Value>>,
    },
}

impl Builder {
    /// Room for so many rows, and bytes in a column of text.
    pub(super) fn new(shape: &Shape, rows: usize, bytes: usize) -> Self {
        match shape {
            Shape::Text(scalar) => Self::Text(*scalar, TextBuilder::new(rows, bytes)),
            Shape::List(element) => Self::List {
                element: Box::new(Self::new(element, rows, bytes)),
                ends: Vec::with_capacity(rows),
                nulls: Vec::new(),
                shape: element.as_ref().clone(),
            },
            Shape::Map(key, value) => Self::Map {
                key: Box::new(Self::new(key, rows, bytes)),
                value: Box::new(Self::new(value, rows, bytes)),
                ends: Vec::with_capacity(rows),
                nulls: Vec::new(),
                shape: Box::new((key.as_ref().clone(), value.as_ref().clone())),
            },
            Shape::Struct(parts) => Self::Struct {
                parts: parts
                    .iter()
                    .map(|(name, shape)| (name.clone(), Self::new(shape, rows, bytes)))
                    .collect(),
                rows: 0,
                nulls: Vec::new(),
                fields: part_fields(parts),
                found: vec![None; parts.len()],
            },
        }
    }

    /// A value that was checked. Where a part has not the shape, NULL stands in its place.
    #[inline]
    pub(super) fn push(&mut self, bytes: &[u8], value: Value) {
        if value.kind == Kind::Null {
            return self.null();
        }
        let mut scanner = Scanner::new(bytes, value.start);
        match self {
            Self::Text(scalar, out) => scalar.write(bytes, value, out),
            Self::List { element, ends, .. } if value.kind == Kind::Array => {
                let mut count = ends.last().copied().unwrap_or(0);
                each_element(&mut scanner, |value| {
                    element.push(bytes, value);
                    count += 1;
                });
                ends.push(count);
            }
            Self::Map { key, value: inner, ends, .. } if value.kind == Kind::Object => {
                let entries = last_of_equal_keys(bytes, &mut scanner);
                for (name, value) in &entries {
                    key.push(bytes, *name);
                    inner.push(bytes, *value);
                }
                ends.push(ends.last().copied().unwrap_or(0) + entries.len());
            }
            Self::Struct { parts, rows, found, .. } if value.kind == Kind::Object => {
                found.fill(None);
                each_key(&mut scanner, |key, value| {
                    if let Some(place) = parts.iter().position(|(name, _)| is_key(bytes, key, name)) {
                        found[place] = Some(value);
                    }
                });
                for ((_, part), value) in parts.iter_mut().zip(found) {
                    match value {
                        Some(value) => part.push(bytes, *value),
                        None => part.null(),
                    }
                }
                *rows += 1;
            }
            _ => self.null(),
        }
    }

    /// NULL.
    pub(super) fn null(&mut self) {
        match self {
            Self::Text(_, out) => out.null(),
            Self::List { ends, nulls, .. } | Self::Map { ends, nulls, .. } => {
                nulls.push(ends.len());
                ends.push(ends.last().copied().unwrap_or(0));
            }
            Self::Struct { parts, rows, nulls, .. } => {
                nulls.push(*rows);
                *rows += 1;
                parts.iter_mut().for_each(|(_, part)| part.null());
            }
        }
    }

    /// A text that the document does not hold; NULL in a nested column.
    pub(super) fn text(&mut self, text: &str) {
        match self {
            Self::Text(_, out) => out.write(|values| values.extend_from_slice(text.as_bytes())),
            _ => self.null(),
        }
    }

    /// The column.
    pub(super) fn finish(self) -> Result<ArrayRef, ArrowError> {
        match self {
            Self::Text(_, out) => out.finish(),
            Self::List { element, ends, nulls, shape } => {
                let nulls = validity(ends.len(), &nulls);
                let list =
                    ListArray::try_new(element_field(&shape), offsets(&ends)?, element.finish()?, nulls)?;
                Ok(Arc::new(list))
            }
            Self::Map { key, value, ends, nulls, shape } => {
                let nulls = validity(ends.len(), &nulls);
                let field = entry_field(&shape.0, &shape.1);
                let ArrowType::Struct(fields) = field.data_type().clone() else {
                    return Err(ArrowError::ComputeError("a map without entries".to_owned()));
                };
                let entries = StructArray::try_new(fields, vec![key.finish()?, value.finish()?], None)?;
                Ok(Arc::new(MapArray::try_new(field, offsets(&ends)?, entries, nulls, false)?))
            }
            Self::Struct { parts, rows, nulls, fields, .. } => {
                let arrays: Result<Vec<_>, _> = parts.into_iter().map(|(_, part)| part.finish()).collect();
                let array = StructArray::try_new_with_length(fields, arrays?, validity(rows, &nulls), rows)?;
                Ok(Arc::new(array))
            }
        }
    }
}

fn offsets(ends: &[usize]) -> Result<OffsetBuffer<i32>, ArrowError> {
    let offset = |end: &usize| i32::try_from(*end).map_err(|_| ArrowError::OffsetOverflowError(*end));
    let offsets: Result<Vec<i32>, _> = std::iter::once(Ok(0)).chain(ends.iter().map(offset)).collect();
    Ok(OffsetBuffer::new(offsets?.into()))
}

/// The entries of an object; of equal keys the last value counts, in the place of the first.
pub(super) fn last_of_equal_keys(bytes: &[u8], scanner: &mut Scanner<'_>) -> Vec<(Value, Value)> {
    let mut entries: Vec<(Value, Value)> = Vec::new();
    let mut places = std::collections::HashMap::new();
    each_key(scanner, |key, value| {
        let mut meant = Vec::new();
        unescape(&bytes[key.start..key.end], &mut meant);
        let place = *places.entry(meant).or_insert(entries.len());
        match entries.get_mut(place) {
            Some(entry) => entry.1 = value,
            None => entries.push((key, value)),
        }
    });
    entries
}

impl Scalar {
    #[inline]
    fn write(self, bytes: &[u8], value: Value, out: &mut TextBuilder) {
        match (self, value.kind) {
            (Self::Json, _) => out.write(|values| values.extend_from_slice(value.written(bytes))),
            (_, Kind::String { escaped: true }) => {
                out.write(|values| unescape(&bytes[value.start..value.end], values));
            }
            (Self::Integer, Kind::Number) => match whole_part(&bytes[value.start..value.end]) {
                Some(whole) => out.write(|values| values.extend_from_slice(whole.as_bytes())),
                None => out.copy(bytes, value.start, value.end),
            },
            (Self::Integer | Self::Number, Kind::True) => out.write(|values| values.push(b'1')),
            (Self::Integer | Self::Number, Kind::False) => out.write(|values| values.push(b'0')),
            _ => out.copy(bytes, value.start, value.end),
        }
    }
}
