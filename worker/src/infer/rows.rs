//! Rows of files with the columns that were found in them: queries and previews, no table.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use longshore_crds::source::Source;
use longshore_crds::{InferFrom, OnMissingColumn};
use longshore_storage::schema::TableSchema;
use tokio_util::sync::CancellationToken;

use super::sample::table_of;
use super::{InferError, Purpose, infer_listed};
use crate::convert::{Converter, Rules, Zone};
use crate::decode::{self, FileContext, Read};
use crate::select::{self, FileFacts};
use crate::source::{ListedObject, Store};

/// Bytes that one reader may hold.
const READER_BYTES: usize = 64 << 20;
/// Bytes of a block of records.
const BLOCK_BYTES: usize = 2 << 20;
/// Rows of a batch.
const BATCH_ROWS: usize = 8192;

/// Files as rows of one list of columns: those of all files. One that a file lacks is NULL for its rows.
pub struct FileRows {
    source: Source,
    table: Arc<TableSchema>,
    store: Store,
    listed: Vec<ListedObject>,
    left_out: Vec<(String, String)>,
    zone: Zone,
}

impl std::fmt::Debug for FileRows {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("FileRows")
            .field("table", &self.table)
            .field("files", &self.listed.len())
            .finish_non_exhaustive()
    }
}

impl FileRows {
    /// Finds the columns of files that were listed. `guess`: whether the types of texts are guessed. `zone`:
    /// in which instants become local times. Blocks.
    ///
    /// # Errors
    /// As for [`infer_listed`].
    pub fn open(
        from: &InferFrom,
        guess: bool,
        (store, listed): (Store, Vec<ListedObject>),
        zone: Zone,
        cancel: &CancellationToken,
    ) -> Result<Self, InferError> {
        let found = infer_listed(from, Purpose::Query { guess }, &store, &listed, cancel)?;
        let columns = found.columns.into_iter().map(|column| (column.name, column.data_type));
        let source = Source {
            paths: from.paths.clone(),
            s3: from.s3.clone(),
            format: from.format.clone(),
            columns_from_path: from.columns_from_path.clone(),
            ..Source::default()
        };
        let (table, left_out) = (table_of(columns), found.left_out);
        Ok(Self { source, table, store, listed, left_out, zone })
    }

    /// The columns.
    pub fn schema(&self) -> &SchemaRef {
        self.table.arrow()
    }

    /// Columns that cannot be read, and why.
    pub fn left_out(&self) -> &[(String, String)] {
        &self.left_out
    }

    /// Reads these columns of every row, file after file, until `take` gives false. Text may come as a
    /// dictionary. Blocks.
    ///
    /// # Errors
    /// What keeps a file from being read; a row that does not fit the columns, which none may drop silently.
    pub fn read(
        &self,
        columns: &[usize],
        take: &mut dyn FnMut(RecordBatch) -> bool,
    ) -> Result<(), InferError> {
        // Rows are counted by a column.
        let counted = [0];
        let wanted = if columns.is_empty() { &counted } else { columns };
        let all = self.table.columns();
        let table = table_of(wanted.iter().map(|&column| {
            let column = &all[column];
            (column.name.clone(), column.data_type.clone())
        }));
        for object in &self.listed {
            let mut with_columns = |batch: RecordBatch| {
                let batch = if columns.is_empty() { batch.project(&[]) } else { Ok(batch) };
                batch.map(&mut *take)
            };
            if !self.read_file(object, &table, &mut with_columns)? {
                break;
            }
        }
        Ok(())
    }

    /// Reads one file; false: no more rows are wanted.
    fn read_file(
        &self,
        object: &ListedObject,
        table: &Arc<TableSchema>,
        take: &mut dyn FnMut(RecordBatch) -> Result<bool, arrow::error::ArrowError>,
    ) -> Result<bool, InferError> {
        let planned = object.planned(0);
        let context = FileContext { source: &self.source, table: &self.table, strict: true, now_micros: 0 };
        let file = decode::open(self.store.object(&planned), context)?;
        let facts = FileFacts {
            source_index: 0,
            source: &self.source,
            table,
            name: file.name(),
            key: &planned.key,
            size: planned.size,
            etag: &planned.etag,
            modified_ms: planned.modified_ms,
            label: "",
            zone: self.zone,
            now_micros: 0,
        };
        let mapping = Arc::new(select::mapping(&facts, file.schema(), None, OnMissingColumn::UseDefault)?);
        let read = Read {
            columns: mapping.projection().to_vec(),
            dictionary_columns: mapping.dictionary_columns(),
            batch_rows: BATCH_ROWS,
            budget_bytes: READER_BYTES,
            block_bytes: BLOCK_BYTES,
        };
        let mut converter =
            Converter::new(mapping, Rules { strict: true, timezone: self.zone, now_micros: 0 });
        let mut parts = file.parts(Arc::new(read))?;
        while let Some(part) = parts.next() {
            let mut reader = part?.start()?;
            while let Some(decoded) = reader.next(1) {
                let decoded = decoded?;
                let converted = converter.convert(&decoded.batch, &decoded.origin, 1)?;
                if let Some(rejected) = decoded.rejected.first().or(converted.rejected.first()) {
                    return Err(InferError::row(file.name(), rejected));
                }
                let go_on = take(converted.batch);
                if !go_on.map_err(|error| InferError::Internal(error.to_string()))? {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }
}
