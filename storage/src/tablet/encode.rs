//! Chooses the encoding of each column by encoding a sample in every way that readers know and comparing
//! what it costs (design §9).

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use parquet::arrow::ArrowSchemaConverter;
use parquet::arrow::arrow_writer::{ArrowWriter, ArrowWriterOptions};
use parquet::basic::{Compression as ParquetCompression, Encoding, Type as PhysicalType, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, SortingColumn};
use parquet::file::properties::{
    EnabledStatistics, WriterProperties, WriterPropertiesBuilder, WriterVersion,
};
use parquet::schema::types::{ColumnPath, SchemaDescriptor};

use crate::schema::{Compression, TableSchema};

/// Rows of the sample.
pub(crate) const SAMPLE_ROWS: usize = 1 << 14;
/// Most rows of a row group.
const ROW_GROUP_ROWS: f64 = (1 << 20) as f64;
/// Fewest rows of a row group that a tight budget leads to.
const MIN_ROW_GROUP_ROWS: f64 = (1 << 14) as f64;
/// Bytes of a column's statistics; longer text is cut, its maximum raised.
const STATISTICS_BYTES: usize = 256;
/// Largest page and largest dictionary.
const MAX_PAGE_BYTES: usize = 1 << 20;
/// Smallest page and smallest dictionary that a tight budget leads to.
pub(crate) const MIN_PAGE_BYTES: usize = 8 << 10;

/// Bytes a row that a dictionary costs in time, beside its weight: each value is looked up.
const DICTIONARY_ROW_BYTES: f64 = 0.1;

/// One way to encode a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Way {
    scheme: Scheme,
    compressed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scheme {
    /// As the values are.
    Plain,
    /// What the type has of its own: deltas of integers and of text lengths, floats split by bytes.
    Typed,
    /// A dictionary; what does not fit it any more is typed.
    Dictionary,
}

impl Way {
    /// Seconds of encoding and reading weigh as bytes do: a way must be so much smaller to be chosen.
    fn weight(self) -> f64 {
        let scheme = match self.scheme {
            Scheme::Plain => 1.0,
            Scheme::Typed => 1.02,
            Scheme::Dictionary => 1.2,
        };
        if self.compressed { scheme * 1.15 } else { scheme }
    }
}

/// How the leaves of a table's columns are encoded, and what that costs.
#[derive(Debug, Clone)]
pub(crate) struct EncodingPlan {
    ways: Vec<Way>,
    /// Bytes of an encoded row, estimated.
    pub(crate) row_bytes: f64,
}

/// What does not change between the segments of a writer.
#[derive(Debug)]
pub(crate) struct Encoder {
    schema: SchemaRef,
    leaves: Vec<(ColumnPath, PhysicalType)>,
    codec: Option<ParquetCompression>,
    sorting: Vec<SortingColumn>,
    /// Bytes that one open segment may use.
    bytes: usize,
    /// Bytes of a page, at most.
    page_bytes: usize,
    /// Bytes of a dictionary, at most.
    dictionary_bytes: usize,
}

impl Encoder {
    /// An encoder of a table's segments, which may use `bytes` for each open segment.
    pub(crate) fn new(schema: &TableSchema, bytes: usize) -> Result<Self, ParquetError> {
        let descriptor: SchemaDescriptor =
            ArrowSchemaConverter::new().with_coerce_types(true).convert(schema.arrow())?;
        let leaves: Vec<(ColumnPath, PhysicalType)> =
            descriptor.columns().iter().map(|leaf| (leaf.path().clone(), leaf.physical_type())).collect();
        let codec = match schema.definition().compression {
            Compression::Zstd => Some(ParquetCompression::ZSTD(ZstdLevel::try_new(1)?)),
            Compression::Lz4 => Some(ParquetCompression::LZ4_RAW),
            Compression::Snappy => Some(ParquetCompression::SNAPPY),
            Compression::None => None,
        };
        // The first leaf of each sort column; nested columns are not in a sort key.
        let sorting = schema.sort_key().iter().filter_map(|&column| {
            let name = schema.columns()[column].name.as_str();
            let leaf =
                leaves.iter().position(|(path, _)| path.parts().len() == 1 && path.parts()[0] == name)?;
            Some(SortingColumn {
                column_idx: i32::try_from(leaf).ok()?,
                descending: false,
                nulls_first: true,
            })
        });
        let sorting = sorting.collect();
        let of_leaf =
            |part: usize| (bytes / part / leaves.len().max(1)).clamp(MIN_PAGE_BYTES, MAX_PAGE_BYTES);
        let (page_bytes, dictionary_bytes) = (of_leaf(8), of_leaf(3));
        let schema = Arc::clone(schema.arrow());
        Ok(Self { schema, sorting, leaves, codec, bytes, page_bytes, dictionary_bytes })
    }

    /// Leaves of a table's columns.
    pub(crate) fn leaf_count(schema: &TableSchema) -> Result<usize, ParquetError> {
        Ok(ArrowSchemaConverter::new().with_coerce_types(true).convert(schema.arrow())?.num_columns())
    }

    /// A writer of a segment.
    pub(crate) fn writer<W: std::io::Write + Send>(
        &self,
        output: W,
        plan: &EncodingPlan,
    ) -> Result<ArrowWriter<W>, ParquetError> {
        let sorting = (!self.sorting.is_empty()).then(|| self.sorting.clone());
        let properties = self
            .properties(&plan.ways)
            .set_max_row_group_row_count(Some(self.row_group_rows(plan.row_bytes)))
            .set_sorting_columns(sorting)
            .build();
        self.open(output, properties)
    }

    /// Rows of a row group whose encoded rows have so many bytes.
    fn row_group_rows(&self, row_bytes: f64) -> usize {
        ((self.bytes / 3) as f64 / row_bytes.max(0.1)).clamp(MIN_ROW_GROUP_ROWS, ROW_GROUP_ROWS) as usize
    }

    fn open<W: std::io::Write + Send>(
        &self,
        output: W,
        properties: WriterProperties,
    ) -> Result<ArrowWriter<W>, ParquetError> {
        let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
        ArrowWriter::try_new_with_options(output, Arc::clone(&self.schema), options)
    }

    fn properties(&self, ways: &[Way]) -> WriterPropertiesBuilder {
        let mut builder = WriterProperties::builder()
            .set_writer_version(WriterVersion::PARQUET_1_0)
            .set_created_by("longshore".to_owned())
            .set_coerce_types(true)
            .set_statistics_enabled(EnabledStatistics::Page)
            .set_statistics_truncate_length(Some(STATISTICS_BYTES))
            .set_data_page_size_limit(self.page_bytes)
            .set_dictionary_page_size_limit(self.dictionary_bytes)
            .set_write_batch_size(4096);
        for ((path, physical), way) in self.leaves.iter().zip(ways) {
            let codec = self.codec.filter(|_| way.compressed).unwrap_or(ParquetCompression::UNCOMPRESSED);
            let encoding = if way.scheme == Scheme::Plain { Encoding::PLAIN } else { typed(*physical) };
            builder = builder
                .set_column_compression(path.clone(), codec)
                .set_column_encoding(path.clone(), encoding)
                .set_column_dictionary_enabled(path.clone(), way.scheme == Scheme::Dictionary);
        }
        builder
    }

    /// The plan for rows like those of `sample`, which are consecutive rows of a tablet in order, of which
    /// there are `rows`.
    pub(crate) fn choose(&self, sample: &RecordBatch, rows: usize) -> Result<EncodingPlan, ParquetError> {
        let sample = sample.slice(0, sample.num_rows().min(SAMPLE_ROWS));
        let taken = sample.num_rows().max(1);
        let plain = self.measure(&sample, Way { scheme: Scheme::Plain, compressed: false })?;
        let plain_bytes = plain.iter().map(|leaf| leaf.data).sum::<u64>() as f64 / taken as f64;
        // As a rule rows become half as large; what a dictionary costs is shared by those of a row group.
        let rows = rows.min(self.row_group_rows(plain_bytes / 2.0)).max(taken);
        let half = sample.slice(0, sample.num_rows() / 2);
        let half = self.measure(&half, Way { scheme: Scheme::Dictionary, compressed: false })?;
        let mut best: Vec<Option<(f64, f64, Way)>> = vec![None; self.leaves.len()];
        for scheme in [Scheme::Plain, Scheme::Typed, Scheme::Dictionary] {
            for compressed in [false, true] {
                let way = Way { scheme, compressed };
                if compressed && self.codec.is_none() {
                    continue;
                }
                let measured = self.measure(&sample, way)?;
                for ((leaf, half), best) in measured.iter().zip(&half).zip(best.iter_mut()) {
                    let Some(bytes) = self.extrapolate(way, *leaf, *half, rows as f64 / taken as f64) else {
                        continue;
                    };
                    let lookups = if scheme == Scheme::Dictionary { DICTIONARY_ROW_BYTES } else { 0.0 };
                    let cost = bytes * way.weight() + lookups * rows as f64;
                    if best.is_none_or(|(least, _, _)| cost < least) {
                        *best = Some((cost, bytes, way));
                    }
                }
            }
        }
        let plain = Way { scheme: Scheme::Plain, compressed: false };
        let row_bytes = best.iter().flatten().map(|(_, bytes, _)| bytes).sum::<f64>() / rows as f64;
        Ok(EncodingPlan {
            ways: best.iter().map(|best| best.map_or(plain, |(_, _, way)| way)).collect(),
            row_bytes,
        })
    }

    /// Bytes of a leaf in a row group `factor` times the sample; `None` if its dictionary would not fit.
    fn extrapolate(&self, way: Way, leaf: LeafSize, half: LeafSize, factor: f64) -> Option<f64> {
        let data = leaf.data as f64 * factor;
        if way.scheme != Scheme::Dictionary {
            return Some(data);
        }
        if leaf.dictionary == 0 {
            return None;
        }
        // Each doubling of the rows makes the dictionary grow as the last one did, at most.
        let growth = (leaf.dictionary as f64 / half.dictionary.max(1) as f64).clamp(1.0, 2.0);
        let dictionary = leaf.dictionary as f64 * growth.powf(factor.log2());
        (dictionary <= self.dictionary_bytes as f64).then_some(data + dictionary)
    }

    /// Sizes of each leaf of the sample encoded in one way.
    fn measure(&self, sample: &RecordBatch, way: Way) -> Result<Vec<LeafSize>, ParquetError> {
        let properties = self.properties(&vec![way; self.leaves.len()]).build();
        let mut writer = self.open(Vec::new(), properties)?;
        writer.write(sample)?;
        let metadata: ParquetMetaData = writer.close()?;
        let Some(group) = metadata.row_groups().first() else {
            return Ok(vec![LeafSize::default(); self.leaves.len()]);
        };
        let sizes = group.columns().iter().map(|column| {
            let all = u64::try_from(column.compressed_size()).unwrap_or(0);
            let dictionary = column
                .dictionary_page_offset()
                .map_or(0, |start| u64::try_from(column.data_page_offset() - start).unwrap_or(0));
            LeafSize { data: all.saturating_sub(dictionary), dictionary }
        });
        Ok(sizes.collect())
    }
}

#[derive(Debug, Clone, Copy, Default)]
struct LeafSize {
    data: u64,
    dictionary: u64,
}

/// The encoding that suits a physical type; all of them are read by every engine that reads Delta tables.
fn typed(physical: PhysicalType) -> Encoding {
    match physical {
        PhysicalType::INT32 | PhysicalType::INT64 => Encoding::DELTA_BINARY_PACKED,
        PhysicalType::BYTE_ARRAY => Encoding::DELTA_LENGTH_BYTE_ARRAY,
        PhysicalType::FLOAT | PhysicalType::DOUBLE => Encoding::BYTE_STREAM_SPLIT,
        PhysicalType::BOOLEAN | PhysicalType::INT96 | PhysicalType::FIXED_LEN_BYTE_ARRAY => Encoding::PLAIN,
    }
}
