//! The types of a file, and the column that each becomes.

use super::protobuf::{Fields, Malformed};
use crate::decode::UNSUPPORTED_KEY;
use arrow::datatypes::{DataType, Field, FieldRef, Fields as ArrowFields, TimeUnit};
use std::collections::HashMap;
use std::sync::Arc;

/// Types inside of types, at most: what a table's types allow is less.
const MAX_DEPTH: usize = 100;
/// What old writers mean that state no precision.
const USUAL_DECIMAL: (u64, u64) = (38, 10);
/// Most digits.
const MAX_PRECISION: u64 = 38;

/// A type as the footer has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct OrcType {
    kind: u64,
    subtypes: Vec<u64>,
    names: Vec<String>,
    precision: Option<u64>,
    scale: Option<u64>,
}

impl OrcType {
    /// Parses a type's message.
    pub fn read(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut found = Self::default();
        for field in Fields::of(bytes) {
            match field? {
                (1, value) => found.kind = value.number()?,
                (2, value) => value.numbers_into(&mut found.subtypes)?,
                (3, value) => found.names.push(value.text()?.to_owned()),
                (5, value) => found.precision = Some(value.number()?),
                (6, value) => found.scale = Some(value.number()?),
                _ => {}
            }
        }
        Ok(found)
    }
}

/// A type that can be decoded. `id` is the number under which the streams of a stripe stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node {
    /// Number of the type in the file.
    pub id: u32,
    /// What it holds.
    pub kind: Kind,
}

/// What a type holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    Boolean,
    Byte,
    Short,
    Int,
    Long,
    Float,
    Double,
    /// STRING, VARCHAR and CHAR.
    Text,
    Binary,
    /// Local time, as it was written.
    Timestamp,
    /// An instant.
    Instant,
    Date,
    Decimal {
        precision: u8,
        scale: u8,
    },
    List(Box<Node>),
    Map(Box<Node>, Box<Node>),
    Struct(Vec<(String, Node)>),
}

/// A top-level column.
#[derive(Debug, Clone)]
pub(super) struct FileColumn {
    /// Its field; of type `Null`, with the reason, if the column is not supported.
    pub field: FieldRef,
    /// Its type, or why it cannot be read.
    pub node: Result<Node, String>,
}

/// The columns of a file: the parts of its root.
///
/// # Errors
/// If the types are no tree, or its root no STRUCT.
pub(super) fn file_columns(types: &[OrcType]) -> Result<Vec<FileColumn>, String> {
    let root = types.first().ok_or("it has no types")?;
    if root.kind != STRUCT {
        return Err("its root type is no STRUCT".to_owned());
    }
    // Numbers are given in the order of the tree: who keeps to it can have no cycle.
    let mut tree = Tree { types, next: 1 };
    let children = parts(root, 0)?;
    let columns = children.iter().map(|(name, id)| {
        let node = tree.node(*id, 1)?;
        Ok(file_column(name, node))
    });
    columns.collect()
}

/// An unsupported type is no fault of the file's: only the column is refused.
type Supported<T> = Result<T, String>;

const STRUCT: u64 = 12;

struct Tree<'a> {
    types: &'a [OrcType],
    next: u64,
}

impl Tree<'_> {
    /// The type with this number and all below it. The outer error is about the file, the inner one about
    /// the column.
    fn node(&mut self, id: u64, depth: usize) -> Result<Supported<Node>, String> {
        if id != self.next {
            return Err(format!("its types are not in order: {id} stands where {} belongs", self.next));
        }
        self.next += 1;
        let found = usize::try_from(id).ok().and_then(|id| self.types.get(id));
        let found = found.ok_or_else(|| format!("type {id} is missing"))?;
        if depth > MAX_DEPTH {
            return Err(format!("its types are nested more than {MAX_DEPTH} deep"));
        }
        let mut below = Vec::with_capacity(found.subtypes.len());
        for subtype in &found.subtypes {
            below.push(self.node(*subtype, depth + 1)?);
        }
        let kind = match kind(found, below, id)? {
            Ok(kind) => kind,
            Err(reason) => return Ok(Err(reason)),
        };
        let id = u32::try_from(id).map_err(|_| format!("type {id} is one too many"))?;
        Ok(Ok(Node { id, kind }))
    }
}

fn kind(found: &OrcType, below: Vec<Supported<Node>>, id: u64) -> Result<Supported<Kind>, String> {
    // A UNION has no counterpart, whatever its parts are.
    if found.kind == 13 {
        return Ok(Err("type UNION is not supported".to_owned()));
    }
    let below = match below.into_iter().collect::<Supported<Vec<Node>>>() {
        Ok(below) => below,
        Err(reason) => return Ok(Err(reason)),
    };
    let mut below = below.into_iter();
    let wrong = || format!("type {id} has a wrong number of parts");
    let kind = match found.kind {
        0 => Kind::Boolean,
        1 => Kind::Byte,
        2 => Kind::Short,
        3 => Kind::Int,
        4 => Kind::Long,
        5 => Kind::Float,
        6 => Kind::Double,
        7 | 16 | 17 => Kind::Text,
        8 => Kind::Binary,
        9 => Kind::Timestamp,
        10 => Kind::List(Box::new(below.next().ok_or_else(wrong)?)),
        11 => Kind::Map(Box::new(below.next().ok_or_else(wrong)?), Box::new(below.next().ok_or_else(wrong)?)),
        STRUCT => {
            parts(found, id)?;
            Kind::Struct(found.names.iter().cloned().zip(below.by_ref()).collect())
        }
        14 => return Ok(decimal(found)),
        15 => Kind::Date,
        18 => Kind::Instant,
        other => return Ok(Err(format!("type {other} is not known"))),
    };
    if below.next().is_some() { Err(wrong()) } else { Ok(Ok(kind)) }
}

fn decimal(found: &OrcType) -> Supported<Kind> {
    let (precision, scale) = match (found.precision, found.scale) {
        (None | Some(0), None | Some(0)) => USUAL_DECIMAL,
        (precision, scale) => (precision.unwrap_or(USUAL_DECIMAL.0), scale.unwrap_or(0)),
    };
    if !(1..=MAX_PRECISION).contains(&precision) || scale > precision {
        return Err(format!("type DECIMAL({precision}, {scale}) is not supported"));
    }
    Ok(Kind::Decimal { precision: precision as u8, scale: scale as u8 })
}

/// Names and numbers of the parts of a STRUCT.
fn parts(found: &OrcType, id: u64) -> Result<Vec<(&str, u64)>, String> {
    if found.names.len() != found.subtypes.len() {
        return Err(format!("type {id} has a wrong number of parts"));
    }
    Ok(found.names.iter().map(String::as_str).zip(found.subtypes.iter().copied()).collect())
}

fn file_column(name: &str, node: Supported<Node>) -> FileColumn {
    let field = match &node {
        Ok(node) => Field::new(name, node.arrow(), true),
        Err(reason) => {
            let metadata = HashMap::from([(UNSUPPORTED_KEY.to_owned(), reason.clone())]);
            Field::new(name, DataType::Null, true).with_metadata(metadata)
        }
    };
    FileColumn { field: Arc::new(field), node }
}

impl Node {
    /// The Arrow type of its arrays; text as `Utf8`.
    pub fn arrow(&self) -> DataType {
        match &self.kind {
            Kind::Boolean => DataType::Boolean,
            Kind::Byte => DataType::Int8,
            Kind::Short => DataType::Int16,
            Kind::Int => DataType::Int32,
            Kind::Long => DataType::Int64,
            Kind::Float => DataType::Float32,
            Kind::Double => DataType::Float64,
            Kind::Text => DataType::Utf8,
            Kind::Binary => DataType::Binary,
            Kind::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
            Kind::Instant => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Kind::Date => DataType::Date32,
            Kind::Decimal { precision, scale } => DataType::Decimal128(*precision, *scale as i8),
            Kind::List(item) => DataType::List(item.item_field()),
            Kind::Map(key, value) => DataType::Map(entries_field(key, value), false),
            Kind::Struct(parts) => DataType::Struct(part_fields(parts)),
        }
    }

    /// The field of a list's items.
    pub fn item_field(&self) -> FieldRef {
        Arc::new(Field::new("item", self.arrow(), true))
    }

    /// Adds the numbers of this type and all below it.
    pub fn ids_into(&self, ids: &mut Vec<u32>) {
        ids.push(self.id);
        match &self.kind {
            Kind::List(item) => item.ids_into(ids),
            Kind::Map(key, value) => {
                key.ids_into(ids);
                value.ids_into(ids);
            }
            Kind::Struct(parts) => parts.iter().for_each(|(_, part)| part.ids_into(ids)),
            _ => {}
        }
    }
}

/// The field of a map's entries.
pub(super) fn entries_field(key: &Node, value: &Node) -> FieldRef {
    let fields = vec![Field::new("key", key.arrow(), false), Field::new("value", value.arrow(), true)];
    Arc::new(Field::new("entries", DataType::Struct(fields.into()), false))
}

/// The fields of a struct's parts.
pub(super) fn part_fields(parts: &[(String, Node)]) -> ArrowFields {
    parts.iter().map(|(name, part)| Field::new(name, part.arrow(), true)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn primitive(kind: u64) -> OrcType {
        OrcType { kind, ..OrcType::default() }
    }

    fn group(kind: u64, subtypes: &[u64], names: &[&str]) -> OrcType {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        OrcType { kind, subtypes: subtypes.to_vec(), names, ..OrcType::default() }
    }

    #[test]
    fn a_union_is_refused_alone_wherever_it_stands() {
        let types = [
            group(STRUCT, &[1, 2, 6], &["a", "b", "c"]),
            primitive(4),
            group(10, &[3], &[]),
            group(13, &[4, 5], &[]),
            primitive(3),
            primitive(7),
            primitive(9),
        ];
        let columns = file_columns(&types).unwrap();
        assert_eq!(columns[0].field.data_type(), &DataType::Int64);
        assert_eq!(columns[1].field.data_type(), &DataType::Null);
        assert_eq!(columns[1].field.metadata()[UNSUPPORTED_KEY], "type UNION is not supported");
        assert_eq!(columns[2].node.as_ref().unwrap().id, 6);
    }

    #[test]
    fn types_that_are_no_tree_are_refused() {
        for types in [
            vec![],
            vec![primitive(4)],
            // A cycle, a type used twice, one that is missing.
            vec![group(STRUCT, &[1], &["a"]), group(10, &[1], &[])],
            vec![group(STRUCT, &[1, 1], &["a", "b"]), primitive(4)],
            vec![group(STRUCT, &[1], &["a"])],
            // Parts without a name, a list of nothing, a map of three.
            vec![group(STRUCT, &[1], &[]), primitive(4)],
            vec![group(STRUCT, &[1], &["a"]), group(10, &[], &[])],
            vec![
                group(STRUCT, &[1], &["a"]),
                group(11, &[2, 3, 4], &[]),
                primitive(4),
                primitive(4),
                primitive(4),
            ],
        ] {
            assert!(file_columns(&types).is_err(), "{types:?}");
        }
        let mut deep = vec![group(STRUCT, &[1], &["a"])];
        deep.extend((1..200).map(|id| group(10, &[id + 1], &[])));
        deep.push(primitive(4));
        assert!(file_columns(&deep).unwrap_err().contains("100 deep"));
    }

    #[test]
    fn decimals_without_digits_are_the_usual_ones() {
        let types = |precision, scale| {
            let decimal = OrcType { kind: 14, precision, scale, ..OrcType::default() };
            file_columns(&[group(STRUCT, &[1], &["a"]), decimal]).unwrap().remove(0)
        };
        assert_eq!(types(None, None).field.data_type(), &DataType::Decimal128(38, 10));
        assert_eq!(types(Some(9), Some(2)).field.data_type(), &DataType::Decimal128(9, 2));
        assert!(types(Some(39), Some(2)).node.is_err());
        assert!(types(Some(3), Some(4)).node.is_err());
    }
}
