//! A Parquet file as the pipeline sees it.

use std::ops::Range;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;

use super::{ParquetFile, ReadOptions, RowGroupReader};
use crate::decode::{BatchReader, DataFile, DecodeError, Decoded, Part, Parts, Read};
use crate::rows::Origin;

impl DataFile for ParquetFile {
    fn name(&self) -> &str {
        self.name()
    }

    fn schema(&self) -> &SchemaRef {
        self.schema()
    }

    fn announced_rows(&self) -> Option<u64> {
        Some(self.total_rows())
    }

    fn parts(&self, read: Arc<Read>) -> Result<Box<dyn Parts>, DecodeError> {
        Ok(Box::new(RowGroups { file: self.clone(), read, groups: 0..self.row_groups() }))
    }
}

struct RowGroups {
    file: ParquetFile,
    read: Arc<Read>,
    groups: Range<usize>,
}

impl Parts for RowGroups {
    fn next(&mut self) -> Option<Result<Box<dyn Part>, DecodeError>> {
        let group = self.groups.next()?;
        Some(Ok(Box::new(RowGroup { file: self.file.clone(), read: Arc::clone(&self.read), group })))
    }
}

struct RowGroup {
    file: ParquetFile,
    read: Arc<Read>,
    group: usize,
}

impl Part for RowGroup {
    fn bytes(&self) -> usize {
        0
    }

    fn start(self: Box<Self>) -> Result<Box<dyn BatchReader>, DecodeError> {
        let options = ReadOptions {
            batch_rows: self.read.batch_rows,
            budget_bytes: self.read.budget_bytes,
            dictionary_columns: self.read.dictionary_columns.clone(),
        };
        let reader = self.file.read(self.group, &self.read.columns, &options)?;
        Ok(Box::new(Batches { reader, next_row: self.file.first_row(self.group) + 1 }))
    }
}

struct Batches {
    reader: RowGroupReader,
    next_row: u64,
}

impl BatchReader for Batches {
    fn next(&mut self, _keep: usize) -> Option<Result<Decoded, DecodeError>> {
        let batch = match self.reader.next()? {
            Ok(batch) => batch,
            Err(error) => return Some(Err(error)),
        };
        let origin = Origin::Rows { first: self.next_row };
        self.next_row += batch.num_rows() as u64;
        Some(Ok(Decoded { batch, origin, filtered: 0, rejected: Vec::new(), bytes: 0 }))
    }
}
