//! The columns of a file as Arrow types, each decided by itself.
//!
//! Only Parquet's own types decide: an Arrow schema that the writer embedded (`ARROW:schema`) is ignored,
//! so that a file means the same whoever wrote it. Four rules on top of the crate's mapping:
//!
//! - INT96 becomes `Timestamp(Microsecond, "UTC")`: nanoseconds would overflow outside of 1677…2262.
//! - ENUM is text, like STRING and JSON; BSON and plain BYTE_ARRAY are bytes.
//! - INTERVAL stays 12 bytes: no Arrow interval that the decoder knows holds its months.
//! - UUID, JSON, BSON and INTERVAL are told from plain bytes and text by [`EXTENSION_KEY`].

use arrow::datatypes::{DataType, Field, FieldRef, Fields, TimeUnit};
use parquet::arrow::parquet_to_arrow_schema;
use parquet::basic::{ConvertedType, LogicalType, Type as PhysicalType};
use parquet::errors::ParquetError;
use parquet::schema::types::{ColumnDescriptor, SchemaDescriptor, Type, TypePtr};
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

/// Metadata key of a field whose Parquet type says more than its Arrow type. Values: [`EXTENSION_UUID`],
/// [`EXTENSION_JSON`], [`EXTENSION_BSON`], [`EXTENSION_INTERVAL`].
pub const EXTENSION_KEY: &str = "ARROW:extension:name";
/// 16 bytes, big-endian: a UUID.
pub const EXTENSION_UUID: &str = "arrow.uuid";
/// Text that is JSON.
pub const EXTENSION_JSON: &str = "arrow.json";
/// Bytes that are BSON.
pub const EXTENSION_BSON: &str = "longshore.bson";
/// 12 bytes: months, days, milliseconds, each a little-endian `u32`.
pub const EXTENSION_INTERVAL: &str = "longshore.interval";
/// Metadata key of a field that cannot be decoded; the value says why. Its Arrow type is `Null`.
pub const UNSUPPORTED_KEY: &str = "longshore.unsupported";

/// The crate's largest decimal.
const MAX_PRECISION: i32 = 76;

/// One top-level column of a file.
#[derive(Debug)]
pub(super) struct FileColumn {
    /// Its field; of type `Null` if the column is not supported.
    pub field: FieldRef,
    /// Its leaves among all leaves of the file.
    pub leaves: Range<usize>,
    /// A schema of this column alone.
    pub descriptor: Arc<SchemaDescriptor>,
    /// Why the column cannot be read.
    pub unsupported: Option<String>,
}

impl FileColumn {
    /// One BYTE_ARRAY leaf of text, not nested: what can be given as a dictionary.
    pub fn is_plain_text(&self) -> bool {
        *self.field.data_type() == DataType::Utf8
    }
}

/// The top-level columns of a file, in its order.
pub(super) fn file_columns(schema: &SchemaDescriptor) -> Vec<FileColumn> {
    let mut first_leaf = 0;
    schema
        .root_schema()
        .get_fields()
        .iter()
        .map(|root| {
            let leaves = first_leaf..first_leaf + count_leaves(root);
            first_leaf = leaves.end;
            file_column(root, leaves)
        })
        .collect()
}

fn count_leaves(node: &Type) -> usize {
    if node.is_primitive() { 1 } else { node.get_fields().iter().map(|child| count_leaves(child)).sum() }
}

fn file_column(root: &TypePtr, leaves: Range<usize>) -> FileColumn {
    match supported_column(root) {
        Ok((field, descriptor)) => FileColumn { field, leaves, descriptor, unsupported: None },
        Err(reason) => {
            let metadata = HashMap::from([(UNSUPPORTED_KEY.to_owned(), reason.clone())]);
            let field = Field::new(root.name(), DataType::Null, true).with_metadata(metadata);
            let descriptor = Arc::new(SchemaDescriptor::new(Arc::new(Type::GroupType {
                basic_info: root.get_basic_info().clone(),
                fields: Vec::new(),
            })));
            FileColumn { field: Arc::new(field), leaves, descriptor, unsupported: Some(reason) }
        }
    }
}

fn supported_column(root: &TypePtr) -> Result<(FieldRef, Arc<SchemaDescriptor>), String> {
    refuse_unknown(root)?;
    let text = |error: ParquetError| format!("its type is not supported: {error}");
    let rewritten = rewrite(root).map_err(text)?;
    let schema = Type::group_type_builder("schema").with_fields(vec![rewritten]).build().map_err(text)?;
    let descriptor = Arc::new(SchemaDescriptor::new(Arc::new(schema)));
    let natural = natural_field(&descriptor)?;
    // Extensions are told from the types as they stand in the file, before the rewriting.
    let field = refined(&natural, &descriptor, &original_leaves(root), &mut 0)?;
    Ok((Arc::new(field), descriptor))
}

/// The field as the decoder would give it by itself.
fn natural_field(descriptor: &SchemaDescriptor) -> Result<FieldRef, String> {
    let schema = crate::decode::error::shielded(|| parquet_to_arrow_schema(descriptor, None))?
        .map_err(|error| format!("its type is not supported: {error}"))?;
    match schema.fields().iter().as_slice() {
        [field] => Ok(Arc::clone(field)),
        _ => Err("it has no leaf column".to_owned()),
    }
}

/// Types that are refused by name, wherever they stand in a column.
fn refuse_unknown(node: &Type) -> Result<(), String> {
    let info = node.get_basic_info();
    if let Some(LogicalType::Variant { .. }) = info.logical_type_ref() {
        return Err("type VARIANT is not supported".to_owned());
    }
    if node.is_primitive() {
        let precision = node.get_precision();
        let decimal = info.converted_type() == ConvertedType::DECIMAL
            || matches!(info.logical_type_ref(), Some(LogicalType::Decimal { .. }));
        if decimal && precision > MAX_PRECISION {
            return Err(format!(
                "type DECIMAL with {precision} digits is not supported, {MAX_PRECISION} are"
            ));
        }
        return Ok(());
    }
    node.get_fields().iter().try_for_each(|child| refuse_unknown(child))
}

/// The type with INTERVAL as plain bytes, and ENUM and JSON as text: only of what is called text does the
/// decoder check that it is UTF-8, and only that it gives as a dictionary of text.
fn rewrite(node: &TypePtr) -> Result<TypePtr, ParquetError> {
    let info = node.get_basic_info();
    if node.is_primitive() {
        let logical = match (info.converted_type(), info.logical_type_ref()) {
            (ConvertedType::INTERVAL, _) => None,
            (ConvertedType::ENUM | ConvertedType::JSON, _)
            | (_, Some(LogicalType::Enum | LogicalType::Json)) => Some(LogicalType::String),
            _ => return Ok(Arc::clone(node)),
        };
        let length = match node.as_ref() {
            Type::PrimitiveType { type_length, .. } => *type_length,
            Type::GroupType { .. } => -1,
        };
        let rewritten = Type::primitive_type_builder(node.name(), node.get_physical_type())
            .with_repetition(info.repetition())
            .with_logical_type(logical)
            .with_length(length)
            .build()?;
        return Ok(Arc::new(rewritten));
    }
    let children = node.get_fields().iter().map(rewrite).collect::<Result<Vec<_>, _>>()?;
    if children.iter().zip(node.get_fields()).all(|(new, old)| Arc::ptr_eq(new, old)) {
        return Ok(Arc::clone(node));
    }
    Ok(Arc::new(Type::GroupType { basic_info: info.clone(), fields: children }))
}

fn original_leaves(node: &TypePtr) -> Vec<TypePtr> {
    if node.is_primitive() {
        return vec![Arc::clone(node)];
    }
    node.get_fields().iter().flat_map(original_leaves).collect()
}

/// The field with our rules applied to its leaves; leaves come in the order of the Parquet schema.
fn refined(
    field: &Field,
    descriptor: &SchemaDescriptor,
    original: &[TypePtr],
    leaf: &mut usize,
) -> Result<Field, String> {
    let mut child = |field: &FieldRef| refined(field, descriptor, original, leaf).map(Arc::new);
    let data_type = match field.data_type() {
        DataType::List(item) => DataType::List(child(item)?),
        DataType::Map(entries, sorted) => DataType::Map(child(entries)?, *sorted),
        DataType::Struct(fields) => {
            DataType::Struct(fields.iter().map(child).collect::<Result<Fields, String>>()?)
        }
        primitive => {
            let column = descriptor.column(*leaf);
            let (data_type, extension) = leaf_type(primitive, &column, &original[*leaf])?;
            *leaf += 1;
            let metadata =
                extension.map(|name| (EXTENSION_KEY.to_owned(), name.to_owned())).into_iter().collect();
            return Ok(Field::new(field.name(), data_type, field.is_nullable()).with_metadata(metadata));
        }
    };
    Ok(Field::new(field.name(), data_type, field.is_nullable()))
}

/// The Arrow type of a leaf and the extension that tells what it holds.
fn leaf_type(
    natural: &DataType,
    column: &ColumnDescriptor,
    original: &Type,
) -> Result<(DataType, Option<&'static str>), String> {
    let info = original.get_basic_info();
    let extension = match (info.logical_type_ref(), info.converted_type()) {
        (Some(LogicalType::Uuid), _) => Some(EXTENSION_UUID),
        (Some(LogicalType::Json), _) | (None, ConvertedType::JSON) => Some(EXTENSION_JSON),
        (Some(LogicalType::Bson), _) | (None, ConvertedType::BSON) => Some(EXTENSION_BSON),
        (_, ConvertedType::INTERVAL) => Some(EXTENSION_INTERVAL),
        _ => None,
    };
    let limit = match natural {
        DataType::Decimal128(..) => 38,
        _ => 76,
    };
    let data_type = match natural {
        _ if column.physical_type() == PhysicalType::INT96 => {
            DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
        }
        DataType::Decimal128(precision, scale) | DataType::Decimal256(precision, scale) => {
            if *precision == 0 || *precision > limit || *scale < 0 || *scale as u8 > *precision {
                return Err(format!("type DECIMAL({precision}, {scale}) is not valid"));
            }
            natural.clone()
        }
        other => other.clone(),
    };
    Ok((data_type, extension))
}
