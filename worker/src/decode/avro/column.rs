//! A column that grows record by record.

use super::cursor::{Cursor, Fault, Result};
use super::node::{Kind, Node, Null, entries_field};
use super::schema::{Schema, Type, TypeId};
use super::values::{Offsets, Values};
use arrow::array::{Array, ArrayRef, ListArray, MapArray, NullBufferBuilder, StructArray};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Field, FieldRef};
use arrow::error::ArrowError;
use std::sync::Arc;

/// Values inside of values that are passed over, at most.
const MAX_SKIP_DEPTH: usize = 500;

/// One column, or a part of one.
#[derive(Debug)]
pub(super) struct Column {
    null: Option<Null>,
    valid: NullBufferBuilder,
    inner: Inner,
}

#[derive(Debug)]
enum Inner {
    Values(Values),
    Array { offsets: Offsets, items: Box<Column>, count: usize, field: FieldRef },
    Map { offsets: Offsets, keys: Box<Values>, values: Box<Column>, count: usize, field: FieldRef },
    Record { parts: Vec<Column>, fields: Vec<Field>, count: usize },
}

impl Column {
    /// Nothing yet.
    pub fn new(node: &Node, keep_dictionary: bool) -> Self {
        let inner = match (&node.kind, Values::new(&node.kind, keep_dictionary)) {
            (_, Some(values)) => Inner::Values(values),
            (Kind::Array(item), None) => Inner::Array {
                offsets: Offsets::new(),
                items: Box::new(Self::new(item, false)),
                count: 0,
                field: Arc::new(item.field("item")),
            },
            (Kind::Map(value), None) => Inner::Map {
                offsets: Offsets::new(),
                keys: Box::new(Values::Text(Offsets::new(), Vec::new())),
                values: Box::new(Self::new(value, false)),
                count: 0,
                field: Arc::new(entries_field(value)),
            },
            (Kind::Record(parts), None) => Inner::Record {
                parts: parts.iter().map(|(_, part)| Self::new(part, false)).collect(),
                fields: parts.iter().map(|(name, part)| part.field(name)).collect(),
                count: 0,
            },
            // Every kind that holds no other has values.
            (_, None) => Inner::Values(Values::Null(0)),
        };
        Self { null: node.null, valid: NullBufferBuilder::new(0), inner }
    }

    /// Reads one value; gives the bytes that it takes. `left`: bytes that it may take.
    pub fn read(&mut self, cursor: &mut Cursor<'_>, left: u64) -> Result<usize> {
        if let Some(null) = self.null {
            let is_null = match (null, cursor.long()?) {
                (Null::First, 0) | (Null::Second, 1) => true,
                (Null::First, 1) | (Null::Second | Null::Never, 0) => false,
                (_, other) => return Err(Fault::Damaged(format!("a union has no variant {other}"))),
            };
            if is_null {
                return Ok(self.skip());
            }
        }
        self.valid.append_non_null();
        match &mut self.inner {
            Inner::Values(values) => values.read(cursor),
            Inner::Array { offsets, items, count, .. } => {
                let read = read_items(cursor, left, |cursor, left| {
                    *count += 1;
                    items.read(cursor, left)
                })?;
                offsets.end(*count)?;
                Ok(read)
            }
            Inner::Map { offsets, keys, values, count, .. } => {
                let read = read_items(cursor, left, |cursor, left| {
                    *count += 1;
                    Ok(keys.read(cursor)? + values.read(cursor, left)?)
                })?;
                offsets.end(*count)?;
                Ok(read)
            }
            Inner::Record { parts, count, .. } => {
                *count += 1;
                let mut read = 1;
                for part in parts {
                    read += part.read(cursor, left.saturating_sub(read as u64))?;
                }
                Ok(read)
            }
        }
    }

    /// Adds a NULL; gives the bytes that it takes.
    fn skip(&mut self) -> usize {
        self.valid.append_null();
        match &mut self.inner {
            Inner::Values(values) => values.skip(),
            Inner::Array { offsets, .. } | Inner::Map { offsets, .. } => {
                offsets.repeat();
                4
            }
            Inner::Record { parts, count, .. } => {
                *count += 1;
                1 + parts.iter_mut().map(Self::skip).sum::<usize>()
            }
        }
    }

    /// The array of all values; none are left.
    pub fn finish(&mut self) -> std::result::Result<ArrayRef, ArrowError> {
        let nulls: Option<NullBuffer> = self.valid.finish();
        match &mut self.inner {
            Inner::Values(values) => values.finish(nulls),
            Inner::Array { offsets, items, count, field } => {
                *count = 0;
                let list = ListArray::try_new(Arc::clone(field), offsets.finish(), items.finish()?, nulls)?;
                Ok(Arc::new(list))
            }
            Inner::Map { offsets, keys, values, count, field } => {
                *count = 0;
                let DataType::Struct(fields) = field.data_type() else {
                    return Err(ArrowError::ComputeError("a map without entries".to_owned()));
                };
                let entries = vec![keys.finish(None)?, values.finish()?];
                let entries = StructArray::try_new(fields.clone(), entries, None)?;
                Ok(Arc::new(MapArray::try_new(Arc::clone(field), offsets.finish(), entries, nulls, false)?))
            }
            Inner::Record { parts, fields, count } => {
                let rows = std::mem::take(count);
                if parts.is_empty() {
                    return Ok(Arc::new(StructArray::new_empty_fields(rows, nulls)));
                }
                let arrays =
                    parts.iter_mut().map(Self::finish).collect::<std::result::Result<Vec<_>, _>>()?;
                // What an array says of its type is what its field says.
                let fields: Vec<_> = fields
                    .iter()
                    .zip(&arrays)
                    .map(|(field, array)| field.clone().with_data_type(array.data_type().clone()))
                    .collect();
                Ok(Arc::new(StructArray::try_new(fields.into(), arrays, nulls)?))
            }
        }
    }
}

/// Reads the items of an array or a map, block by block; gives the bytes that they take.
fn read_items(
    cursor: &mut Cursor<'_>,
    left: u64,
    mut read: impl FnMut(&mut Cursor<'_>, u64) -> Result<usize>,
) -> Result<usize> {
    let mut bytes = 4;
    loop {
        let count = cursor.item_count()?;
        if count == 0 {
            return Ok(bytes);
        }
        for _ in 0..count {
            bytes += read(cursor, left.saturating_sub(bytes as u64))?;
            // Items without a length could be any number.
            if bytes as u64 > left {
                return Err(Fault::TooLarge(bytes as u64));
            }
        }
    }
}

/// Passes over a value of any type, one that cannot be decoded too.
pub(super) fn skip_value(schema: &Schema, id: TypeId, cursor: &mut Cursor<'_>, depth: usize) -> Result<()> {
    if depth > MAX_SKIP_DEPTH {
        return Err(Fault::Damaged(format!("a value is nested more than {MAX_SKIP_DEPTH} deep")));
    }
    match schema.get(id) {
        Type::Null => Ok(()),
        Type::Boolean => cursor.take(1).map(drop),
        Type::Int(_) | Type::Long(_) | Type::Enum(_) => cursor.long().map(drop),
        Type::Float => cursor.take(4).map(drop),
        Type::Double => cursor.take(8).map(drop),
        Type::Bytes(_) | Type::Text(_) => cursor.bytes().map(drop),
        Type::Fixed(size, _) => cursor.take(*size).map(drop),
        Type::Array(item) => skip_items(cursor, |cursor| skip_value(schema, *item, cursor, depth + 1)),
        Type::Map(value) => skip_items(cursor, |cursor| {
            cursor.bytes()?;
            skip_value(schema, *value, cursor, depth + 1)
        }),
        Type::Record(_, fields) => {
            fields.iter().try_for_each(|(_, field)| skip_value(schema, *field, cursor, depth + 1))
        }
        Type::Union(variants) => {
            let number = cursor.long()?;
            let variant = usize::try_from(number).ok().and_then(|number| variants.get(number));
            let variant =
                variant.ok_or_else(|| Fault::Damaged(format!("a union has no variant {number}")))?;
            skip_value(schema, *variant, cursor, depth + 1)
        }
    }
}

fn skip_items(cursor: &mut Cursor<'_>, mut skip: impl FnMut(&mut Cursor<'_>) -> Result<()>) -> Result<()> {
    loop {
        let count = cursor.long()?;
        if count == 0 {
            return Ok(());
        }
        if count < 0 {
            // The items say how many bytes they have.
            let bytes =
                usize::try_from(cursor.long()?).map_err(|_| Fault::damaged("a length is negative"))?;
            cursor.take(bytes)?;
            continue;
        }
        for _ in 0..count {
            let before = cursor.left();
            skip(cursor)?;
            if cursor.left() == before {
                // Neither have the others any bytes.
                break;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::avro::node::file_columns;
    use arrow::array::AsArray;

    fn column(json: &str) -> (Schema, Column) {
        let schema = Schema::parse(json.as_bytes()).unwrap();
        let (column, _) = file_columns(&schema).remove(0);
        let column = Column::new(&column.1.unwrap(), false);
        (schema, column)
    }

    #[test]
    fn items_come_in_blocks_with_and_without_their_size() {
        let (schema, mut column) = column(r#"{"type": "array", "items": ["int", "null"]}"#);
        let bytes = [4, 0, 2, 2, 3, 8, 0, 6, 0, 8, 0];
        assert_eq!(column.read(&mut Cursor::new(&bytes), 1000).unwrap(), 4 + 4 + 16 + 4 + 4);
        let array = column.finish().unwrap();
        let values = array.as_list::<i32>().value(0);
        assert_eq!(
            values.as_primitive::<arrow::datatypes::Int32Type>().iter().collect::<Vec<_>>(),
            [Some(1), None, Some(3), Some(4)]
        );
        let mut cursor = Cursor::new(&bytes);
        skip_value(&schema, 0, &mut cursor, 0).unwrap();
        assert_eq!(cursor.left(), 0);
    }

    #[test]
    fn items_without_bytes_are_counted() {
        let (schema, mut column) = column(r#"{"type": "array", "items": "null"}"#);
        // 2^40 of them.
        let bytes = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1, 0];
        assert_eq!(column.read(&mut Cursor::new(&bytes), 1000), Err(Fault::TooLarge(1001)));
        assert_eq!(skip_value(&schema, 0, &mut Cursor::new(&bytes), 0), Ok(()));
    }

    #[test]
    fn a_variant_that_is_not_there_is_damage() {
        let (schema, mut column) = column(r#"["null", "int"]"#);
        assert!(column.read(&mut Cursor::new(&[4, 0]), 1000).is_err());
        assert!(column.read(&mut Cursor::new(&[1, 0]), 1000).is_err());
        assert!(skip_value(&schema, 0, &mut Cursor::new(&[4, 0]), 0).is_err());
    }
}
