//! An ORC file whose footer has been read.

use super::codec::Codec;
use super::reader::Stripe;
use super::schema::{FileColumn, Node, file_columns};
use super::streams::StripeFooter;
use super::tail::{StripePlace, decompress_all, invalid, read_tail};
use crate::decode::fetch::Fetch;
use crate::decode::{DataFile, DecodeError, Part, Parts, Read};
use crate::source::ReadObject;
use arrow::datatypes::{Schema, SchemaRef};
use std::sync::Arc;

/// No footer of a stripe is longer, decompressed.
const MAX_STRIPE_FOOTER: usize = 16 << 20;

/// An ORC file: its footer is read, checked and parsed, its stripes are not. Cheap to clone.
#[derive(Clone)]
pub struct OrcFile(Arc<Opened>);

pub(super) struct Opened {
    pub object: Arc<dyn ReadObject>,
    pub codec: Option<Codec>,
    stripes: Vec<StripePlace>,
    columns: Vec<FileColumn>,
    schema: SchemaRef,
}

impl OrcFile {
    /// Reads the footer: one fetch of the last 64 KiB, and a second one if the footer is longer. Blocks.
    ///
    /// # Errors
    /// [`DecodeError::InvalidFile`] if the object is empty, truncated, encrypted, compressed in a way that
    /// cannot be read, or no ORC file; [`DecodeError::Source`] if it cannot be fetched. A column of a type that
    /// is not supported is no error here, only when it is read.
    pub fn open(object: Arc<dyn ReadObject>) -> Result<Self, DecodeError> {
        let tail = read_tail(&*object)?;
        let columns = file_columns(&tail.types).map_err(|reason| invalid(object.name(), reason))?;
        let fields: Vec<_> = columns.iter().map(|column| Arc::clone(&column.field)).collect();
        let schema = Arc::new(Schema::new(fields));
        Ok(Self(Arc::new(Opened { object, codec: tail.codec, stripes: tail.stripes, columns, schema })))
    }
}

impl DataFile for OrcFile {
    fn name(&self) -> &str {
        self.0.object.name()
    }

    fn schema(&self) -> &SchemaRef {
        &self.0.schema
    }

    fn announced_rows(&self) -> Option<u64> {
        Some(self.0.stripes.iter().map(|stripe| stripe.rows).sum())
    }

    fn parts(&self, read: Arc<Read>) -> Result<Box<dyn Parts>, DecodeError> {
        let nodes = read.columns.iter().map(|column| self.0.node(*column)).collect::<Result<_, _>>()?;
        let mut stripes =
            Stripes { file: Arc::clone(&self.0), read, nodes, next: 0, first_row: 1, footer: None };
        stripes.fetch_footer();
        Ok(Box::new(stripes))
    }
}

impl Opened {
    /// The type of a column that is to be read.
    fn node(&self, column: usize) -> Result<Arc<(String, Node)>, DecodeError> {
        let file = self.object.name();
        let found = self.columns.get(column);
        let found = found.ok_or_else(|| invalid(file, format!("it has no column {column}")))?;
        let name = found.field.name().clone();
        match &found.node {
            Ok(node) => Ok(Arc::new((name, node.clone()))),
            Err(reason) => Err(DecodeError::UnsupportedType {
                file: file.to_owned(),
                column: name,
                reason: reason.clone(),
            }),
        }
    }

    /// Something in a stripe is damaged.
    pub fn damaged(&self, stripe: usize, column: Option<&str>, reason: String) -> DecodeError {
        let place = match column {
            Some(column) => format!("stripe {stripe}, column {column:?}"),
            None => format!("stripe {stripe}"),
        };
        DecodeError::Damaged { file: self.object.name().to_owned(), place, reason }
    }
}

impl std::fmt::Debug for OrcFile {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&str> = self.0.schema.fields().iter().map(|field| field.name().as_str()).collect();
        formatter
            .debug_struct("OrcFile")
            .field("name", &self.name())
            .field("stripes", &self.0.stripes.len())
            .field("columns", &names)
            .finish()
    }
}

/// The stripes, each with its footer, which is fetched while the one before is handed out.
struct Stripes {
    file: Arc<Opened>,
    read: Arc<Read>,
    nodes: Vec<Arc<(String, Node)>>,
    next: usize,
    first_row: u64,
    footer: Option<Arc<Fetch>>,
}

impl Stripes {
    /// Asks for the footer of the next stripe that has rows.
    fn fetch_footer(&mut self) {
        let stripes = &self.file.stripes;
        while stripes.get(self.next).is_some_and(|stripe| stripe.rows == 0) {
            self.next += 1;
        }
        self.footer = stripes.get(self.next).map(|stripe| {
            let start = stripe.offset + stripe.index + stripe.data;
            Fetch::start(&*self.file.object, start..start + stripe.footer)
        });
    }

    fn next_stripe(&mut self) -> Result<Option<Stripe>, DecodeError> {
        let Some(fetch) = self.footer.take() else { return Ok(None) };
        let number = self.next;
        let place = self.file.stripes[number];
        let stored = fetch.bytes(self.file.object.name())?;
        let footer = decompress_all(self.file.codec.as_ref(), &stored, MAX_STRIPE_FOOTER)
            .map_err(|reason| format!("its footer is damaged: {reason}"))
            .and_then(|footer| StripeFooter::read(&footer, &place))
            .map_err(|reason| self.file.damaged(number, None, reason))?;
        let first_row = self.first_row;
        self.first_row += place.rows;
        self.next += 1;
        self.fetch_footer();
        Ok(Some(Stripe {
            file: Arc::clone(&self.file),
            read: Arc::clone(&self.read),
            nodes: self.nodes.clone(),
            number,
            place,
            footer: Arc::new(footer),
            first_row,
        }))
    }
}

impl Parts for Stripes {
    fn next(&mut self) -> Option<Result<Box<dyn Part>, DecodeError>> {
        let stripe = self.next_stripe().transpose()?;
        Some(stripe.map(|stripe| Box::new(stripe) as Box<dyn Part>))
    }
}
