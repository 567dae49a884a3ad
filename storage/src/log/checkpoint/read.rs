//! Reading a checkpoint by kinds: only the columns of one kind, only the row groups that hold it.

use std::path::{Path, PathBuf};

use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::statistics::Statistics;

use super::columns::{ADD, METADATA, PROTOCOL, REMOVE, TXN};
use super::rows::Rows;
use crate::log::actions::{Add, Metadata, Protocol, Remove, Txn};
use crate::log::error::TableError;
use crate::log::folder::LogFolder;
use crate::parquet_io::Ranged;

/// Rows taken at once.
const BATCH_ROWS: usize = 4_096;

/// What a checkpoint says of the table as a whole.
pub(crate) struct Base {
    pub(crate) protocol: Protocol,
    pub(crate) metadata: Metadata,
}

/// Reads protocol and schema.
pub(crate) fn read_base(log: &LogFolder, version: u64) -> Result<Base, TableError> {
    let file = CheckpointReader::open(log, version)?;
    let mut metadata = None;
    let mut protocol = None;
    file.visit(
        METADATA,
        |_| true,
        |rows| {
            metadata = rows.metadata()?.or(metadata.take());
            Ok(())
        },
    )?;
    file.visit(
        PROTOCOL,
        |_| true,
        |rows| {
            protocol = rows.protocol()?.or(protocol.take());
            Ok(())
        },
    )?;
    match (protocol, metadata) {
        (Some(protocol), Some(metadata)) => Ok(Base { protocol, metadata }),
        _ => Err(file.damaged("it holds no protocol or no metaData")),
    }
}

/// Reads the number of one application.
pub(crate) fn read_txn(log: &LogFolder, version: u64, app_id: &str) -> Result<Option<i64>, TableError> {
    let file = CheckpointReader::open(log, version)?;
    let may_hold = |group: &RowGroupMetaData| bounds_hold(group, "txn.appId", app_id.as_bytes());
    let mut number = None;
    for batch in file.batches_of(TXN, Some(&["appId", "version"]), may_hold)? {
        let batch = batch.map_err(|e| file.damaged(e))?;
        if let Some(rows) = Rows::of(&batch, TXN) {
            number = rows.number_of(app_id).map_err(|e| file.damaged(e))?.or(number);
        }
    }
    Ok(number)
}

/// Reads a checkpoint from end to end: every page is there and can be decoded.
pub(crate) fn read_through(log: &LogFolder, version: u64) -> Result<(), TableError> {
    let path = log.checkpoint_path(version);
    let file = Ranged::open(log.files(), &path)?;
    // Not by what is remembered of it.
    let footer = CheckpointReader::read_footer(&file, &path)?;
    let file = CheckpointReader { file, path, footer };
    let all = ParquetRecordBatchReaderBuilder::new_with_metadata(file.file.clone(), file.footer.clone())
        .with_batch_size(BATCH_ROWS)
        .build()
        .map_err(|e| file.damaged(e))?;
    for batch in all {
        batch.map_err(|e| file.damaged(e))?;
    }
    read_base(log, version).map(|_| ())
}

/// Gives every number, in batches.
pub(crate) fn visit_txns(
    log: &LogFolder,
    version: u64,
    mut visit: impl FnMut(Vec<Txn>) -> Result<(), TableError>,
) -> Result<(), TableError> {
    CheckpointReader::open(log, version)?.visit_all(TXN, |rows| rows.txns(), &mut visit)
}

/// Gives every file, in batches.
pub(crate) fn visit_adds(
    log: &LogFolder,
    version: u64,
    mut visit: impl FnMut(Vec<Add>) -> Result<(), TableError>,
) -> Result<(), TableError> {
    CheckpointReader::open(log, version)?.visit_all(ADD, |rows| rows.adds(), &mut visit)
}

/// Gives every removed file, in batches.
pub(crate) fn visit_removes(
    log: &LogFolder,
    version: u64,
    mut visit: impl FnMut(Vec<Remove>) -> Result<(), TableError>,
) -> Result<(), TableError> {
    CheckpointReader::open(log, version)?.visit_all(REMOVE, |rows| rows.removes(), &mut visit)
}

/// A checkpoint that is open.
struct CheckpointReader {
    file: Ranged,
    path: PathBuf,
    footer: ArrowReaderMetadata,
}

impl CheckpointReader {
    fn open(log: &LogFolder, version: u64) -> Result<Self, TableError> {
        let path = log.checkpoint_path(version);
        let file = Ranged::open(log.files(), &path)?;
        let footer = match log.known_footer(version) {
            Some(footer) => footer,
            None => {
                let footer = Self::read_footer(&file, &path)?;
                log.keep_footer(version, &footer);
                footer
            }
        };
        Ok(Self { file, path, footer })
    }

    fn read_footer(file: &Ranged, path: &Path) -> Result<ArrowReaderMetadata, TableError> {
        // Types as the file says, not as the engine that wrote it had them in memory.
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        ArrowReaderMetadata::load(file, options)
            .map_err(|e| TableError::damaged(path, format!("the checkpoint cannot be read: {e}")))
    }

    fn damaged(&self, what: impl std::fmt::Display) -> TableError {
        TableError::damaged(&self.path, format!("the checkpoint cannot be read: {what}"))
    }

    /// Gives the rows of one kind, from the row groups that hold it and that `wanted` lets pass.
    fn visit(
        &self,
        kind: &str,
        wanted: impl Fn(&RowGroupMetaData) -> bool,
        mut visit: impl FnMut(Rows<'_>) -> Result<(), String>,
    ) -> Result<(), TableError> {
        for batch in self.batches(kind, wanted)? {
            let batch = batch.map_err(|e| self.damaged(e))?;
            if let Some(rows) = Rows::of(&batch, kind) {
                visit(rows).map_err(|e| self.damaged(e))?;
            }
        }
        Ok(())
    }

    fn visit_all<T>(
        &self,
        kind: &str,
        read: impl Fn(&Rows<'_>) -> Result<Vec<T>, String>,
        visit: &mut impl FnMut(Vec<T>) -> Result<(), TableError>,
    ) -> Result<(), TableError> {
        for batch in self.batches(kind, |_| true)? {
            let batch = batch.map_err(|e| self.damaged(e))?;
            if let Some(rows) = Rows::of(&batch, kind) {
                visit(read(&rows).map_err(|e| self.damaged(e))?)?;
            }
        }
        Ok(())
    }

    fn batches(
        &self,
        kind: &str,
        wanted: impl Fn(&RowGroupMetaData) -> bool,
    ) -> Result<ParquetRecordBatchReader, TableError> {
        self.batches_of(kind, None, wanted)
    }

    /// The same, with some of the kind's columns only.
    fn batches_of(
        &self,
        kind: &str,
        columns: Option<&[&str]>,
        wanted: impl Fn(&RowGroupMetaData) -> bool,
    ) -> Result<ParquetRecordBatchReader, TableError> {
        let builder =
            ParquetRecordBatchReaderBuilder::new_with_metadata(self.file.clone(), self.footer.clone());
        let schema = builder.parquet_schema();
        let leaves = (0..schema.num_columns()).filter(|leaf| match schema.column(*leaf).path().parts() {
            [root, rest @ ..] if root == kind => columns
                .is_none_or(|columns| rest.first().is_some_and(|name| columns.contains(&name.as_str()))),
            _ => false,
        });
        let mask = ProjectionMask::leaves(schema, leaves.collect::<Vec<_>>());
        let groups = builder.metadata().row_groups().iter().enumerate();
        let groups = groups.filter(|(_, group)| holds_kind(group, kind) && wanted(group)).map(|(at, _)| at);
        let groups = groups.collect();
        builder
            .with_projection(mask)
            .with_row_groups(groups)
            .with_batch_size(BATCH_ROWS)
            .build()
            .map_err(|e| self.damaged(e))
    }
}

/// The leaf that is set in each row of a kind.
fn required_leaf(kind: &str) -> &'static str {
    match kind {
        TXN => "txn.appId",
        ADD => "add.path",
        REMOVE => "remove.path",
        METADATA => "metaData.id",
        _ => "protocol.minReaderVersion",
    }
}

/// `false` only if the statistics prove that no row of the kind is in the group.
fn holds_kind(group: &RowGroupMetaData, kind: &str) -> bool {
    let rows = u64::try_from(group.num_rows()).unwrap_or(u64::MAX);
    statistics(group, required_leaf(kind))
        .and_then(Statistics::null_count_opt)
        .is_none_or(|nulls| nulls < rows)
}

/// `false` only if the statistics prove that the value is not in the group.
fn bounds_hold(group: &RowGroupMetaData, leaf: &str, value: &[u8]) -> bool {
    let Some(statistics) = statistics(group, leaf) else { return true };
    let above = statistics.min_bytes_opt().is_none_or(|min| min <= value);
    let below = statistics.max_bytes_opt().is_none_or(|max| value <= max);
    above && below
}

fn statistics<'a>(group: &'a RowGroupMetaData, leaf: &str) -> Option<&'a Statistics> {
    group.columns().iter().find(|column| column.column_path().string() == leaf)?.statistics()
}
