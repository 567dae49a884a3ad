//! The Parquet columns of a checkpoint: one struct a kind of action, from actions to Arrow.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use arrow::array::{
    ArrayRef, BooleanArray, Int32Array, Int64Array, ListBuilder, MapBuilder, MapFieldNames, RecordBatch,
    StringArray, StringBuilder, StructArray, new_null_array,
};
use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef};
use arrow::error::ArrowError;

use crate::log::actions::{Add, Metadata, Protocol, Remove, Txn};

/// The columns, in the protocol's order.
pub(crate) const TXN: &str = "txn";
/// The column by which numbers are looked up.
pub(crate) const TXN_ID: &str = "txn.appId";
pub(crate) const TXN_NUMBER: &str = "txn.version";
pub(crate) const ADD: &str = "add";
pub(crate) const REMOVE: &str = "remove";
pub(crate) const METADATA: &str = "metaData";
pub(crate) const PROTOCOL: &str = "protocol";

/// The schema of every checkpoint that we write.
pub(crate) static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let columns = [
        (TXN, txns(&[])),
        (ADD, adds(&[])),
        (REMOVE, removes(&[])),
        (METADATA, metadata(&[])),
        (PROTOCOL, protocols(&[])),
    ];
    let fields =
        columns.into_iter().map(|(name, (fields, _))| Field::new(name, DataType::Struct(fields), true));
    Arc::new(Schema::new(fields.collect::<Fields>()))
});

/// The fields of a kind, and its columns.
type Columns = (Fields, Vec<ArrayRef>);

/// A batch in which only the column `kind` is set.
pub(crate) fn batch(kind: &str, (fields, columns): Columns) -> Result<RecordBatch, ArrowError> {
    let values: ArrayRef = Arc::new(StructArray::try_new(fields, columns, None)?);
    let rows = values.len();
    let of_field = |field: &Arc<Field>| {
        if field.name() == kind { Arc::clone(&values) } else { new_null_array(field.data_type(), rows) }
    };
    RecordBatch::try_new(Arc::clone(&SCHEMA), SCHEMA.fields().iter().map(of_field).collect())
}

fn columns(named: Vec<(&str, ArrayRef)>) -> Columns {
    let fields =
        named.iter().map(|(name, array)| Field::new(*name, array.data_type().clone(), true)).collect();
    (fields, named.into_iter().map(|(_, array)| array).collect())
}

pub(crate) fn txns(txns: &[Txn]) -> Columns {
    columns(vec![
        ("appId", text(txns.iter().map(|t| Some(&t.app_id)))),
        ("version", long(txns.iter().map(|t| Some(t.version)))),
        ("lastUpdated", long(txns.iter().map(|t| t.last_updated))),
    ])
}

pub(crate) fn adds(adds: &[Add]) -> Columns {
    columns(vec![
        ("path", text(adds.iter().map(|a| Some(&a.path)))),
        ("partitionValues", map(adds.iter().map(|a| Some(&a.partition_values)))),
        ("size", long(adds.iter().map(|a| Some(a.size)))),
        ("modificationTime", long(adds.iter().map(|a| Some(a.modification_time)))),
        // A checkpoint changes nothing: the protocol asks for false.
        ("dataChange", boolean(adds.iter().map(|_| Some(false)))),
        ("stats", text(adds.iter().map(|a| a.stats.as_ref()))),
        ("tags", map(adds.iter().map(|a| a.tags.as_ref()))),
    ])
}

pub(crate) fn removes(removes: &[Remove]) -> Columns {
    columns(vec![
        ("path", text(removes.iter().map(|r| Some(&r.path)))),
        ("deletionTimestamp", long(removes.iter().map(|r| r.deletion_timestamp))),
        ("dataChange", boolean(removes.iter().map(|_| Some(false)))),
        ("extendedFileMetadata", boolean(removes.iter().map(|r| r.extended_file_metadata))),
        ("partitionValues", map(removes.iter().map(|r| r.partition_values.as_ref()))),
        ("size", long(removes.iter().map(|r| r.size))),
        ("tags", map(removes.iter().map(|r| r.tags.as_ref()))),
    ])
}

pub(crate) fn metadata(metadata: &[Metadata]) -> Columns {
    let format = columns(vec![
        ("provider", text(metadata.iter().map(|m| Some(&m.format.provider)))),
        ("options", map_of_text(metadata.iter().map(|m| &m.format.options))),
    ]);
    let format = StructArray::new(format.0, format.1, None);
    columns(vec![
        ("id", text(metadata.iter().map(|m| Some(&m.id)))),
        ("name", text(metadata.iter().map(|m| m.name.as_ref()))),
        ("description", text(metadata.iter().map(|m| m.description.as_ref()))),
        ("format", Arc::new(format)),
        ("schemaString", text(metadata.iter().map(|m| Some(&m.schema_string)))),
        ("partitionColumns", list(metadata.iter().map(|m| Some(&m.partition_columns)))),
        ("configuration", map_of_text(metadata.iter().map(|m| &m.configuration))),
        ("createdTime", long(metadata.iter().map(|m| m.created_time))),
    ])
}

pub(crate) fn protocols(protocols: &[Protocol]) -> Columns {
    let integer = |values: Vec<i32>| -> ArrayRef { Arc::new(Int32Array::from(values)) };
    columns(vec![
        ("minReaderVersion", integer(protocols.iter().map(|p| p.min_reader_version).collect())),
        ("minWriterVersion", integer(protocols.iter().map(|p| p.min_writer_version).collect())),
        ("readerFeatures", list(protocols.iter().map(|p| p.reader_features.as_ref()))),
        ("writerFeatures", list(protocols.iter().map(|p| p.writer_features.as_ref()))),
    ])
}

fn text<'a>(values: impl Iterator<Item = Option<&'a String>>) -> ArrayRef {
    Arc::new(values.collect::<StringArray>())
}

fn long(values: impl Iterator<Item = Option<i64>>) -> ArrayRef {
    Arc::new(values.collect::<Int64Array>())
}

fn boolean(values: impl Iterator<Item = Option<bool>>) -> ArrayRef {
    Arc::new(values.collect::<BooleanArray>())
}

fn list<'a>(values: impl Iterator<Item = Option<&'a Vec<String>>>) -> ArrayRef {
    let mut builder =
        ListBuilder::new(StringBuilder::new()).with_field(Field::new("element", DataType::Utf8, true));
    for value in values {
        for item in value.into_iter().flatten() {
            builder.values().append_value(item);
        }
        builder.append(value.is_some());
    }
    Arc::new(builder.finish())
}

type TextMap = BTreeMap<String, Option<String>>;

/// Maps from text to text, as the Parquet specification names their parts.
struct Maps(MapBuilder<StringBuilder, StringBuilder>);

impl Maps {
    fn new() -> Self {
        let names =
            MapFieldNames { entry: "key_value".to_owned(), key: "key".to_owned(), value: "value".to_owned() };
        Self(MapBuilder::new(Some(names), StringBuilder::new(), StringBuilder::new()))
    }

    fn entry(&mut self, key: &str, value: Option<&str>) {
        self.0.keys().append_value(key);
        self.0.values().append_option(value);
    }

    fn end(&mut self, set: bool) {
        // Keys and values are appended in pairs: the builder cannot find them uneven.
        if let Err(error) = self.0.append(set) {
            tracing::error!(%error, "a map of a checkpoint is uneven");
        }
    }
}

fn map<'a>(values: impl Iterator<Item = Option<&'a TextMap>>) -> ArrayRef {
    let mut maps = Maps::new();
    for value in values {
        for (key, value) in value.into_iter().flatten() {
            maps.entry(key, value.as_deref());
        }
        maps.end(value.is_some());
    }
    Arc::new(maps.0.finish())
}

fn map_of_text<'a>(values: impl Iterator<Item = &'a BTreeMap<String, String>>) -> ArrayRef {
    let mut maps = Maps::new();
    for value in values {
        for (key, value) in value {
            maps.entry(key, Some(value));
        }
        maps.end(true);
    }
    Arc::new(maps.0.finish())
}
