//! An Avro file whose header has been read.

use super::codec::Codec;
use super::header::{SYNC_BYTES, invalid, read_header};
use super::node::{FileColumn, file_columns};
use super::parts::Runs;
use super::schema::{Schema as Types, TypeId};
use crate::decode::{DataFile, DecodeError, Parts, Read};
use crate::source::ReadObject;
use arrow::datatypes::{Schema, SchemaRef};
use std::sync::Arc;

/// An Avro object container file: its header is read, checked and parsed, its blocks are not. Cheap to clone.
#[derive(Clone)]
pub struct AvroFile(Arc<Opened>);

pub(super) struct Opened {
    pub object: Arc<dyn ReadObject>,
    pub codec: Codec,
    pub sync: [u8; SYNC_BYTES],
    pub first_block: u64,
    pub types: Types,
    /// The fields of a record in their order, each with its type.
    pub fields: Vec<(String, TypeId)>,
    /// The same as columns.
    pub columns: Vec<FileColumn>,
    schema: SchemaRef,
}

impl AvroFile {
    /// Reads the header: one fetch of the first 64 KiB, and more if it is longer. Blocks.
    ///
    /// # Errors
    /// [`DecodeError::InvalidFile`] if the object is empty, cut off within its header, compressed in a way that
    /// cannot be read, or no Avro file; [`DecodeError::Source`] if it cannot be fetched. A column of a type that
    /// is not supported is no error here, only when it is read.
    pub fn open(object: Arc<dyn ReadObject>) -> Result<Self, DecodeError> {
        let header = read_header(&*object)?;
        let types = Types::parse(&header.schema).map_err(|reason| invalid(object.name(), reason))?;
        let (columns, ids): (Vec<FileColumn>, Vec<TypeId>) = file_columns(&types).into_iter().unzip();
        let names = columns.iter().map(|(field, _)| field.name().clone());
        let fields = names.zip(ids).collect();
        let schema = Schema::new(columns.iter().map(|(field, _)| Arc::clone(field)).collect::<Vec<_>>());
        Ok(Self(Arc::new(Opened {
            object,
            codec: header.codec,
            sync: header.sync,
            first_block: header.length,
            types,
            fields,
            columns,
            schema: Arc::new(schema),
        })))
    }
}

impl DataFile for AvroFile {
    fn name(&self) -> &str {
        self.0.object.name()
    }

    fn schema(&self) -> &SchemaRef {
        &self.0.schema
    }

    fn announced_rows(&self) -> Option<u64> {
        None
    }

    fn parts(&self, read: Arc<Read>) -> Result<Box<dyn Parts>, DecodeError> {
        for column in &read.columns {
            self.0.check_column(*column)?;
        }
        Ok(Box::new(Runs::new(Arc::clone(&self.0), read)))
    }
}

impl Opened {
    fn check_column(&self, column: usize) -> Result<(), DecodeError> {
        let file = self.object.name();
        match self.columns.get(column) {
            Some((_, Ok(_))) => Ok(()),
            Some((field, Err(reason))) => Err(DecodeError::UnsupportedType {
                file: file.to_owned(),
                column: field.name().clone(),
                reason: reason.clone(),
            }),
            None => Err(invalid(file, format!("it has no column {column}"))),
        }
    }

    /// The block at this offset is damaged.
    pub fn damaged(&self, offset: u64, reason: String) -> DecodeError {
        let file = self.object.name().to_owned();
        DecodeError::Damaged { file, place: format!("block at byte {offset}"), reason }
    }

    /// The block at this offset takes too much memory.
    pub fn too_large(&self, offset: u64, needed: u64, budget: u64) -> DecodeError {
        let file = self.object.name().to_owned();
        DecodeError::PartTooLarge { file, place: format!("block at byte {offset}"), needed, budget }
    }
}

impl std::fmt::Debug for AvroFile {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&str> = self.0.fields.iter().map(|(name, _)| name.as_str()).collect();
        formatter.debug_struct("AvroFile").field("name", &self.name()).field("columns", &names).finish()
    }
}
