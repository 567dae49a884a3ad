//! Reading a checkpoint by kinds: only the columns of one kind, only the row groups that hold it.

use std::collections::hash_map::Entry;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;

use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
    RowSelection,
};
use parquet::bloom_filter::Sbbf;
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, RowGroupMetaData};
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::file::statistics::Statistics;

use super::columns::{ADD, METADATA, PROTOCOL, REMOVE, TXN, TXN_ID};
use super::rows::Rows;
use crate::log::actions::{Add, Metadata, Protocol, Remove, Txn};
use crate::log::error::TableError;
use crate::log::folder::{Filters, Footer, LogFolder};
use crate::parquet_io::Ranged;

/// The kind of rows that name files with further rows.
const SIDECAR: &str = "sidecar";

/// Rows taken at once.
const BATCH_ROWS: usize = 4_096;

/// What a checkpoint says of the table as a whole.
pub(crate) struct Base {
    pub(crate) protocol: Protocol,
    pub(crate) metadata: Metadata,
    /// Actions in it.
    pub(crate) actions: u64,
}

/// Reads protocol and schema.
pub(crate) fn read_base(log: &LogFolder, version: u64) -> Result<Base, TableError> {
    let file = CheckpointReader::open(log, version)?;
    let mut metadata = None;
    let mut protocol = None;
    file.visit(METADATA, |rows| {
        metadata = rows.metadata()?.or(metadata.take());
        Ok(())
    })?;
    file.visit(PROTOCOL, |rows| {
        protocol = rows.protocol()?.or(protocol.take());
        Ok(())
    })?;
    match (protocol, metadata) {
        (Some(protocol), Some(metadata)) => {
            // A table that says it has them is refused by its protocol; one that does not would lose files.
            if file.holds(SIDECAR) && !names_v2_checkpoints(&protocol) {
                return Err(log.unsupported("a checkpoint with sidecar files (v2Checkpoint)"));
            }
            let rows = file.footer.metadata().file_metadata().num_rows();
            Ok(Base { protocol, metadata, actions: rows.cast_unsigned() })
        }
        _ => Err(file.damaged("it holds no protocol or no metaData")),
    }
}

fn names_v2_checkpoints(protocol: &Protocol) -> bool {
    protocol.reader_features.iter().flatten().any(|feature| feature == "v2Checkpoint")
}

/// Reads the number of one application: of a checkpoint of ours, one page of each of two columns; nothing, if
/// the filters that were read before say that it is not there.
pub(crate) fn read_txn(log: &LogFolder, version: u64, app_id: &str) -> Result<Option<i64>, TableError> {
    let file = CheckpointReader::open(log, version)?;
    let Some(leaf) = leaf(file.footer.metadata(), TXN_ID) else { return Ok(None) };
    let groups = file.groups_that_may_hold(leaf, app_id.as_bytes())?;
    if groups.is_empty() {
        return Ok(None);
    }
    let file = CheckpointReader::open_indexed(log, version)?;
    let metadata = file.footer.metadata();
    let mut number = None;
    for at in groups {
        let builder = file.builder_of(TXN, Some(&["appId", "version"])).with_row_groups(vec![at]);
        let builder = match pages_that_may_hold(metadata, at, leaf, app_id.as_bytes()) {
            Some(pages) if pages.is_empty() => continue,
            Some(pages) => {
                let rows = usize::try_from(metadata.row_group(at).num_rows()).map_err(|e| file.damaged(e))?;
                builder.with_row_selection(RowSelection::from_consecutive_ranges(pages.into_iter(), rows))
            }
            None => builder,
        };
        for batch in builder.build().map_err(|e| file.damaged(e))? {
            let batch = batch.map_err(|e| file.damaged(e))?;
            if let Some(rows) = Rows::of(&batch, TXN) {
                number = rows.number_of(app_id).map_err(|e| file.damaged(e))?.or(number);
            }
        }
    }
    Ok(number)
}

/// The rows of those pages whose bounds do not shut the value out; `None`: the file has no index of them.
fn pages_that_may_hold(
    metadata: &ParquetMetaData,
    group: usize,
    leaf: usize,
    value: &[u8],
) -> Option<Vec<Range<usize>>> {
    let ColumnIndexMetaData::BYTE_ARRAY(bounds) = metadata.column_index()?.get(group)?.get(leaf)? else {
        return None;
    };
    let pages = metadata.offset_index()?.get(group)?.get(leaf)?.page_locations();
    let rows = metadata.row_group(group).num_rows();
    let first_row = |page: usize| pages.get(page).map_or(rows, |page| page.first_row_index);
    let may_hold = |page: &usize| {
        bounds.min_value(*page).is_none_or(|min| min <= value)
            && bounds.max_value(*page).is_none_or(|max| value <= max)
    };
    let range = |page| {
        let (first, end) = (usize::try_from(first_row(page)), usize::try_from(first_row(page + 1)));
        Some(first.ok()?..end.ok()?)
    };
    (0..pages.len()).filter(may_hold).map(range).collect()
}

/// Reads a checkpoint from end to end: every page is there and can be decoded.
pub(crate) fn read_through(log: &LogFolder, version: u64) -> Result<(), TableError> {
    let path = log.checkpoint_path(version);
    let file = Ranged::open(log.files(), &path)?;
    // Not by what is remembered of it.
    let footer = CheckpointReader::read_footer(&file, &path, PageIndexPolicy::Optional)?;
    let file = CheckpointReader { file, path, footer, filters: Filters::default() };
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
    filters: Filters,
}

impl CheckpointReader {
    fn open(log: &LogFolder, version: u64) -> Result<Self, TableError> {
        Self::open_with(log, version, false)
    }

    /// With the index of its pages, which only look-ups need.
    fn open_indexed(log: &LogFolder, version: u64) -> Result<Self, TableError> {
        Self::open_with(log, version, true)
    }

    fn open_with(log: &LogFolder, version: u64, is_indexed: bool) -> Result<Self, TableError> {
        let path = log.checkpoint_path(version);
        let file = Ranged::open(log.files(), &path)?;
        let footer = match log.known_footer(version) {
            Some(footer) if footer.is_indexed || !is_indexed => footer,
            known => {
                let policy = if is_indexed { PageIndexPolicy::Optional } else { PageIndexPolicy::Skip };
                let metadata = Self::read_footer(&file, &path, policy)?;
                let filters = known.map(|known| known.filters).unwrap_or_default();
                let footer = Footer { metadata, is_indexed, filters };
                log.keep_footer(version, &footer);
                footer
            }
        };
        Ok(Self { file, path, footer: footer.metadata, filters: footer.filters })
    }

    /// The row groups of which neither bounds nor filter say that a value is not there.
    fn groups_that_may_hold(&self, leaf: usize, value: &[u8]) -> Result<Vec<usize>, TableError> {
        let mut filters = self.filters.lock().unwrap_or_else(PoisonError::into_inner);
        let mut may_hold = Vec::new();
        for (at, group) in self.footer.metadata().row_groups().iter().enumerate() {
            let column = group.column(leaf);
            if !bounds_hold(column.statistics(), value) {
                continue;
            }
            let filter = match filters.entry(at) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) => {
                    new.insert(Sbbf::read_from_column_chunk(column, &self.file).map_err(|e| self.damaged(e))?)
                }
            };
            if filter.as_ref().is_none_or(|filter| filter.check(value)) {
                may_hold.push(at);
            }
        }
        Ok(may_hold)
    }

    fn read_footer(
        file: &Ranged,
        path: &Path,
        index: PageIndexPolicy,
    ) -> Result<ArrowReaderMetadata, TableError> {
        // Types as the file says, not as the engine that wrote it had them in memory.
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true).with_page_index_policy(index);
        ArrowReaderMetadata::load(file, options)
            .map_err(|e| TableError::damaged(path, format!("the checkpoint cannot be read: {e}")))
    }

    fn damaged(&self, what: impl std::fmt::Display) -> TableError {
        TableError::damaged(&self.path, format!("the checkpoint cannot be read: {what}"))
    }

    /// Gives the rows of one kind, from the row groups that hold it.
    fn visit(
        &self,
        kind: &str,
        mut visit: impl FnMut(Rows<'_>) -> Result<(), String>,
    ) -> Result<(), TableError> {
        for batch in self.batches(kind)? {
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
        for batch in self.batches(kind)? {
            let batch = batch.map_err(|e| self.damaged(e))?;
            if let Some(rows) = Rows::of(&batch, kind) {
                visit(read(&rows).map_err(|e| self.damaged(e))?)?;
            }
        }
        Ok(())
    }

    /// Whether there may be rows of a kind.
    fn holds(&self, kind: &str) -> bool {
        let metadata = self.footer.metadata();
        let leaf = leaf(metadata, required_leaf(kind));
        leaf.is_some() && metadata.row_groups().iter().any(|group| holds_kind(group, leaf))
    }

    fn batches(&self, kind: &str) -> Result<ParquetRecordBatchReader, TableError> {
        let metadata = self.footer.metadata();
        let leaf = leaf(metadata, required_leaf(kind));
        let groups = metadata.row_groups().iter().enumerate();
        let groups = groups.filter(|(_, group)| holds_kind(group, leaf)).map(|(at, _)| at).collect();
        self.builder_of(kind, None).with_row_groups(groups).build().map_err(|e| self.damaged(e))
    }

    /// A reader of one kind, of all its columns or of some.
    fn builder_of(&self, kind: &str, columns: Option<&[&str]>) -> ParquetRecordBatchReaderBuilder<Ranged> {
        let builder =
            ParquetRecordBatchReaderBuilder::new_with_metadata(self.file.clone(), self.footer.clone());
        let schema = builder.parquet_schema();
        let leaves = (0..schema.num_columns()).filter(|leaf| match schema.column(*leaf).path().parts() {
            [root, rest @ ..] if root == kind => columns
                .is_none_or(|columns| rest.first().is_some_and(|name| columns.contains(&name.as_str()))),
            _ => false,
        });
        let mask = ProjectionMask::leaves(schema, leaves.collect::<Vec<_>>());
        builder.with_projection(mask).with_batch_size(BATCH_ROWS)
    }
}

/// The leaf that is set in each row of a kind.
fn required_leaf(kind: &str) -> &'static str {
    match kind {
        TXN => TXN_ID,
        ADD => "add.path",
        REMOVE => "remove.path",
        SIDECAR => "sidecar.path",
        METADATA => "metaData.id",
        _ => "protocol.minReaderVersion",
    }
}

/// The number of a leaf; `None`: the file does not have it.
fn leaf(metadata: &ParquetMetaData, path: &str) -> Option<usize> {
    let schema = metadata.file_metadata().schema_descr();
    (0..schema.num_columns()).find(|leaf| schema.column(*leaf).path().string() == path)
}

/// `false` only if the statistics prove that no row has the leaf.
fn holds_kind(group: &RowGroupMetaData, leaf: Option<usize>) -> bool {
    let rows = u64::try_from(group.num_rows()).unwrap_or(u64::MAX);
    let statistics = leaf.and_then(|leaf| group.column(leaf).statistics());
    statistics.and_then(Statistics::null_count_opt).is_none_or(|nulls| nulls < rows)
}

/// `false` only if the statistics prove that the value is not in the group.
fn bounds_hold(statistics: Option<&Statistics>, value: &[u8]) -> bool {
    let Some(statistics) = statistics else { return true };
    let above = statistics.min_bytes_opt().is_none_or(|min| min <= value);
    let below = statistics.max_bytes_opt().is_none_or(|max| value <= max);
    above && below
}
