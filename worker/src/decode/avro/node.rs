//! What each column of a file becomes.

use super::schema::{Logical, Schema, Type, TypeId, Unit};
use crate::decode::{EXTENSION_INTERVAL, EXTENSION_KEY, EXTENSION_UUID, UNSUPPORTED_KEY};
use arrow::datatypes::{DataType, Field, FieldRef, TimeUnit};
use std::collections::HashMap;
use std::sync::Arc;

/// Types inside of types, at most.
const MAX_DEPTH: usize = 100;
/// Types of one column, each counted as often as it stands there.
const MAX_NODES: usize = 20_000;
/// Bytes of a fixed type, at most: a NULL takes as many.
const MAX_FIXED: usize = 1 << 20;
/// Arrow's longest decimals.
const DECIMAL_128: u8 = 38;
const DECIMAL_256: u8 = 76;

/// A type that can be decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node {
    /// Which variant of a union of two is the NULL.
    pub null: Option<Null>,
    /// What is not NULL.
    pub kind: Kind,
}

/// Place of the NULL among the variants of a union; with one variant there may be none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Null {
    First,
    Second,
    /// A union of one type: the number of the variant stands before each value all the same.
    Never,
}

/// What a type holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Date,
    TimeMillis,
    TimeMicros,
    Timestamp(Unit, bool),
    Bytes,
    Text {
        uuid: bool,
    },
    Fixed {
        size: i32,
        extension: Option<&'static str>,
    },
    Enum(Arc<[String]>),
    /// Of bytes of any length, or of a fixed number.
    Decimal {
        precision: u8,
        scale: u8,
        fixed: Option<usize>,
    },
    Array(Box<Node>),
    Map(Box<Node>),
    Record(Vec<(String, Node)>),
}

/// A column, or why it cannot be read.
pub(super) type FileColumn = (FieldRef, Result<Node, String>);

/// The columns of a file: the fields of its record, or one for a root of another type.
pub(super) fn file_columns(schema: &Schema) -> Vec<(FileColumn, TypeId)> {
    match schema.get(0) {
        Type::Record(_, fields) => {
            fields.iter().map(|(name, id)| (file_column(schema, name, *id, &mut vec![0]), *id)).collect()
        }
        _ => vec![(file_column(schema, "value", 0, &mut Vec::new()), 0)],
    }
}

fn file_column(schema: &Schema, name: &str, id: TypeId, above: &mut Vec<TypeId>) -> FileColumn {
    let mut left = MAX_NODES;
    let node = node(schema, id, above, &mut left);
    let field = match &node {
        Ok(node) => node.field(name),
        Err(reason) => {
            let metadata = HashMap::from([(UNSUPPORTED_KEY.to_owned(), reason.clone())]);
            Field::new(name, DataType::Null, true).with_metadata(metadata)
        }
    };
    (Arc::new(field), node)
}

fn node(schema: &Schema, id: TypeId, above: &mut Vec<TypeId>, left: &mut usize) -> Result<Node, String> {
    if above.contains(&id) {
        return Err(match schema.get(id) {
            Type::Record(name, _) => format!("type {name} contains itself, which is not supported"),
            _ => "its type contains itself, which is not supported".to_owned(),
        });
    }
    *left = left.checked_sub(1).ok_or_else(|| format!("its type has more than {MAX_NODES} parts"))?;
    if above.len() > 2 * MAX_DEPTH {
        return Err(format!("its types are nested more than {MAX_DEPTH} deep"));
    }
    above.push(id);
    let node = match schema.get(id) {
        Type::Union(variants) => union(schema, variants, above, left),
        _ => kind(schema, id, above, left).map(|kind| Node { null: None, kind }),
    };
    above.pop();
    node
}

fn union(
    schema: &Schema,
    variants: &[TypeId],
    above: &mut Vec<TypeId>,
    left: &mut usize,
) -> Result<Node, String> {
    let is_null = |id: TypeId| *schema.get(id) == Type::Null;
    let (null, id) = match *variants {
        [one] => (Null::Never, one),
        [first, second] if is_null(first) => (Null::First, second),
        [first, second] if is_null(second) => (Null::Second, first),
        _ => {
            let names: Vec<_> = variants.iter().map(|id| name(schema.get(*id))).collect();
            return Err(format!(
                "a union of {} is not supported, only one of a type with null",
                names.join(", ")
            ));
        }
    };
    let inner = node(schema, id, above, left)?;
    if inner.null.is_some() {
        return Err("a union inside of a union is not supported".to_owned());
    }
    Ok(Node { null: Some(null), kind: inner.kind })
}

fn name(of: &Type) -> &str {
    match of {
        Type::Null => "null",
        Type::Boolean => "boolean",
        Type::Int(_) => "int",
        Type::Long(_) => "long",
        Type::Float => "float",
        Type::Double => "double",
        Type::Bytes(_) => "bytes",
        Type::Text(_) => "string",
        Type::Fixed(..) => "fixed",
        Type::Enum(_) => "enum",
        Type::Array(_) => "array",
        Type::Map(_) => "map",
        Type::Record(name, _) => name,
        Type::Union(_) => "union",
    }
}

fn kind(schema: &Schema, id: TypeId, above: &mut Vec<TypeId>, left: &mut usize) -> Result<Kind, String> {
    Ok(match schema.get(id) {
        Type::Null | Type::Union(_) => Kind::Null,
        Type::Boolean => Kind::Boolean,
        Type::Float => Kind::Float,
        Type::Double => Kind::Double,
        Type::Int(Some(Logical::Date)) => Kind::Date,
        Type::Int(Some(Logical::TimeMillis)) => Kind::TimeMillis,
        Type::Int(_) => Kind::Int,
        Type::Long(Some(Logical::TimeMicros)) => Kind::TimeMicros,
        Type::Long(Some(Logical::Timestamp(unit))) => Kind::Timestamp(*unit, true),
        Type::Long(Some(Logical::LocalTimestamp(unit))) => Kind::Timestamp(*unit, false),
        Type::Long(_) => Kind::Long,
        Type::Bytes(Some(Logical::Decimal { precision, scale })) => decimal(*precision, *scale, None)?,
        Type::Bytes(_) => Kind::Bytes,
        Type::Text(logical) => Kind::Text { uuid: *logical == Some(Logical::Uuid) },
        Type::Fixed(size, Some(Logical::Decimal { precision, scale })) => {
            decimal(*precision, *scale, Some(*size))?
        }
        Type::Fixed(size, logical) => {
            let extension = match logical {
                Some(Logical::Uuid) => Some(EXTENSION_UUID),
                Some(Logical::Duration) => Some(EXTENSION_INTERVAL),
                _ => None,
            };
            if *size > MAX_FIXED {
                return Err(format!("a fixed type of {size} bytes is not supported, {MAX_FIXED} are"));
            }
            let size = *size as i32;
            Kind::Fixed { size, extension }
        }
        Type::Enum(symbols) => Kind::Enum(Arc::clone(symbols)),
        Type::Array(item) => Kind::Array(Box::new(node(schema, *item, above, left)?)),
        Type::Map(value) => Kind::Map(Box::new(node(schema, *value, above, left)?)),
        Type::Record(_, fields) => {
            let parts = fields.iter().map(|(name, id)| Ok((name.clone(), node(schema, *id, above, left)?)));
            Kind::Record(parts.collect::<Result<_, String>>()?)
        }
    })
}

fn decimal(precision: u8, scale: u8, fixed: Option<usize>) -> Result<Kind, String> {
    if precision > DECIMAL_256 {
        return Err(format!("type DECIMAL with {precision} digits is not supported, {DECIMAL_256} are"));
    }
    Ok(Kind::Decimal { precision, scale, fixed })
}

impl Node {
    /// The field of its arrays.
    pub fn field(&self, name: &str) -> Field {
        let extension = match &self.kind {
            Kind::Fixed { extension, .. } => *extension,
            Kind::Text { uuid: true } => Some(EXTENSION_UUID),
            _ => None,
        };
        let metadata = extension.map(|value| (EXTENSION_KEY.to_owned(), value.to_owned()));
        Field::new(name, self.arrow(), true).with_metadata(metadata.into_iter().collect())
    }

    fn arrow(&self) -> DataType {
        match &self.kind {
            Kind::Null => DataType::Null,
            Kind::Boolean => DataType::Boolean,
            Kind::Int => DataType::Int32,
            Kind::Long => DataType::Int64,
            Kind::Float => DataType::Float32,
            Kind::Double => DataType::Float64,
            Kind::Date => DataType::Date32,
            Kind::TimeMillis => DataType::Time32(TimeUnit::Millisecond),
            Kind::TimeMicros => DataType::Time64(TimeUnit::Microsecond),
            Kind::Timestamp(unit, instant) => {
                let unit = match unit {
                    Unit::Millis => TimeUnit::Millisecond,
                    Unit::Micros => TimeUnit::Microsecond,
                    Unit::Nanos => TimeUnit::Nanosecond,
                };
                DataType::Timestamp(unit, instant.then(|| "UTC".into()))
            }
            Kind::Bytes => DataType::Binary,
            Kind::Text { .. } | Kind::Enum(_) => DataType::Utf8,
            Kind::Fixed { size, .. } => DataType::FixedSizeBinary(*size),
            Kind::Decimal { precision, scale, .. } if *precision <= DECIMAL_128 => {
                DataType::Decimal128(*precision, *scale as i8)
            }
            Kind::Decimal { precision, scale, .. } => DataType::Decimal256(*precision, *scale as i8),
            Kind::Array(item) => DataType::List(Arc::new(item.field("item"))),
            Kind::Map(value) => DataType::Map(Arc::new(entries_field(value)), false),
            Kind::Record(parts) => {
                DataType::Struct(parts.iter().map(|(name, part)| part.field(name)).collect())
            }
        }
    }
}

/// The field of a map's entries.
pub(super) fn entries_field(value: &Node) -> Field {
    let fields = vec![Field::new("key", DataType::Utf8, false), value.field("value")];
    Field::new("entries", DataType::Struct(fields.into()), false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(fields: &str) -> Vec<FileColumn> {
        let json = format!(r#"{{"type": "record", "name": "R", "fields": [{fields}]}}"#);
        let schema = Schema::parse(json.as_bytes()).unwrap();
        file_columns(&schema).into_iter().map(|(column, _)| column).collect()
    }

    #[test]
    fn what_has_no_counterpart_is_refused_alone() {
        let columns = columns(
            r#"{"name": "a", "type": ["null", "int"]},
               {"name": "b", "type": ["null", "int", "string"]},
               {"name": "c", "type": ["null", "R"]},
               {"name": "d", "type": {"type": "array", "items": {"type": "record", "name": "S", "fields": [
                   {"name": "s", "type": ["S", "null"]}]}}},
               {"name": "e", "type": ["string"]}"#,
        );
        assert_eq!(columns[0].1.as_ref().unwrap().null, Some(Null::First));
        let reasons: Vec<&str> =
            columns[1..4].iter().map(|(_, node)| node.as_ref().unwrap_err().as_str()).collect();
        assert_eq!(
            reasons,
            [
                "a union of null, int, string is not supported, only one of a type with null",
                "type R contains itself, which is not supported",
                "type S contains itself, which is not supported"
            ]
        );
        assert_eq!(columns[1].0.metadata()[UNSUPPORTED_KEY], reasons[0]);
        assert_eq!(columns[4].1.as_ref().unwrap().null, Some(Null::Never));
    }

    #[test]
    fn a_schema_that_unfolds_without_end_is_refused() {
        let mut fields =
            r#"{"name": "x0", "type": {"type": "record", "name": "T0", "fields": []}}"#.to_owned();
        for level in 1..40 {
            fields.push_str(&format!(
                r#", {{"name": "x{level}", "type": {{"type": "record", "name": "T{level}", "fields": [
                    {{"name": "a", "type": "T{below}"}}, {{"name": "b", "type": "T{below}"}}]}}}}"#,
                below = level - 1
            ));
        }
        let columns = columns(&fields);
        assert!(columns[39].1.as_ref().unwrap_err().contains("parts"));
        assert!(columns[5].1.is_ok());
    }

    #[test]
    fn a_root_that_is_no_record_is_one_column() {
        let schema = Schema::parse(br#"{"type": "array", "items": "long"}"#).unwrap();
        let columns = file_columns(&schema);
        assert_eq!(columns[0].0.0.name(), "value");
        assert_eq!(columns[0].0.1.as_ref().unwrap().null, None);
    }
}
