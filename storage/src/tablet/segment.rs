//! Writes the segments of one tablet: sorted Parquet files, each durable before it is reported.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType as ArrowType, Float32Type, Float64Type};
use parquet::arrow::ArrowWriter;
use parquet::errors::ParquetError;

use super::TabletError;
use super::encode::{Encoder, EncodingPlan};
use super::metrics::{WriterMetrics, add, timed};
use super::names::SegmentNames;
use super::tablets::Tablet;
use crate::durable::{FileSystem, SyncSite, WriteFile};
use crate::load::Segment;
use crate::log::stats;
use crate::schema::{Partition, TableSchema};

/// Bytes that go to the volume at once, at most.
const WRITE_BYTES: usize = 1 << 20;

/// All segments of one task or compaction, written by any number of threads.
pub(crate) struct Segments {
    files: Arc<dyn FileSystem>,
    root: PathBuf,
    schema: Arc<TableSchema>,
    encoder: Encoder,
    metrics: Arc<WriterMetrics>,
    names: Arc<SegmentNames>,
    target_bytes: u64,
    /// Bytes that one open segment may use.
    pub(crate) memory: usize,
    state: Mutex<SegmentsState>,
}

#[derive(Default)]
struct SegmentsState {
    /// Every file that was made, finished or not.
    made: Vec<PathBuf>,
    /// Folders of tablets, by the folder of their partition (empty: the table's own).
    folders: BTreeMap<String, BTreeSet<String>>,
    partitions: Vec<Arc<Partition>>,
    finished: Vec<Segment>,
}

impl Segments {
    /// No segments yet. `memory` is what each of the segments that are open at a time may use.
    pub(crate) fn new(
        files: Arc<dyn FileSystem>,
        root: PathBuf,
        schema: Arc<TableSchema>,
        names: Arc<SegmentNames>,
        target_bytes: u64,
        memory: usize,
        metrics: Arc<WriterMetrics>,
    ) -> Result<Self, TabletError> {
        let encoder = Encoder::new(&schema, memory)
            .map_err(|source| TabletError::Encode { path: root.clone(), source })?;
        Ok(Self {
            files,
            root,
            schema,
            encoder,
            metrics,
            names,
            target_bytes,
            memory,
            state: Mutex::default(),
        })
    }

    /// The encoding for rows like those of `sample`; see [`Encoder::choose`].
    pub(crate) fn choose(&self, sample: &RecordBatch, rows: usize) -> Result<EncodingPlan, TabletError> {
        let encode = |source| TabletError::Encode { path: self.root.clone(), source };
        self.encoder.choose(sample, rows).map_err(encode)
    }

    fn state(&self) -> Result<std::sync::MutexGuard<'_, SegmentsState>, TabletError> {
        self.state.lock().map_err(|_| TabletError::Thread)
    }

    /// Gives a partition the next number, from 0; a table without partitions has one of that number.
    pub(crate) fn add_partition(&self, partition: Partition) -> Result<u32, TabletError> {
        let mut state = self.state()?;
        state.partitions.push(Arc::new(partition));
        Ok((state.partitions.len() - 1) as u32)
    }

    /// How many partitions are such.
    pub(crate) fn count_partitions(&self, such: impl Fn(&Partition) -> bool) -> Result<usize, TabletError> {
        Ok(self.state()?.partitions.iter().filter(|partition| such(partition)).count())
    }

    /// Makes all names durable and gives the segments, by partition and bucket: what is in a folder was synced
    /// before.
    pub(crate) fn finish(&self) -> Result<Vec<Segment>, TabletError> {
        let mut state = self.state()?;
        timed(&self.metrics.sync_nanos, || {
            if !state.folders.is_empty() {
                // A folder may be new, whoever made it: its own name comes first.
                let in_partitions = state.folders.keys().any(|folder| !folder.is_empty());
                let site =
                    if in_partitions { SyncSite::PartitionFolderName } else { SyncSite::TabletFolderName };
                self.sync_dir(&self.root, site)?;
            }
            for (partition, tablets) in &state.folders {
                let partition_folder = self.root.join(partition);
                if !partition.is_empty() {
                    self.sync_dir(&partition_folder, SyncSite::TabletFolderName)?;
                }
                for tablet in tablets {
                    self.sync_dir(&partition_folder.join(tablet), SyncSite::SegmentName)?;
                }
            }
            Ok::<_, TabletError>(())
        })?;
        let mut segments = std::mem::take(&mut state.finished);
        segments.sort_by(|a, b| (&a.partition, a.bucket, &a.path).cmp(&(&b.partition, b.bucket, &b.path)));
        Ok(segments)
    }

    fn sync_dir(&self, path: &Path, site: SyncSite) -> Result<(), TabletError> {
        self.files.sync_dir(path, site).map_err(|error| TabletError::volume(path, error))
    }

    /// Removes every file that was made, as far as that can be done.
    pub(crate) fn abandon(&self) {
        let Ok(mut state) = self.state.lock() else { return };
        state.finished.clear();
        for path in state.made.drain(..) {
            if let Err(error) = self.files.remove(&path) {
                tracing::warn!(path = %path.display(), %error, "a segment of a given-up task stays for vacuum");
            }
        }
    }

    fn create_folders(&self, partition: &str, tablet: &str) -> Result<(), TabletError> {
        let mut directory = self.root.clone();
        for part in [partition, tablet].into_iter().filter(|part| !part.is_empty()) {
            directory.push(part);
            self.files.create_dir(&directory).map_err(|error| TabletError::volume(&directory, error))?;
        }
        Ok(())
    }

    /// Makes a new file in the tablet's folder.
    fn create(&self, tablet: Tablet) -> Result<NewFile, TabletError> {
        let partition = self.state()?.partitions.get(tablet.partition as usize).cloned();
        // What was never told is a table's only partition.
        let partition = partition.unwrap_or_default();
        let folder = format!("b-{:05}", tablet.bucket);
        self.create_folders(&partition.folder, &folder)?;
        let name = self.names.next();
        let relative = match partition.folder.as_str() {
            "" => format!("{folder}/{name}"),
            of_partition => format!("{of_partition}/{folder}/{name}"),
        };
        let path = self.root.join(&relative);
        let file = match self.files.create(&path) {
            // Vacuum found the folder empty for a day, and removed it between the two calls.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.create_folders(&partition.folder, &folder)?;
                self.files.create(&path)
            }
            other => other,
        };
        let file = file.map_err(|error| TabletError::volume(&path, error))?;
        let mut state = self.state()?;
        state.made.push(path.clone());
        state.folders.entry(partition.folder.clone()).or_default().insert(folder);
        drop(state);
        Ok(NewFile { path, relative, file, partition })
    }
}

/// A segment's file.
struct NewFile {
    path: PathBuf,
    /// Path in the table.
    relative: String,
    file: Box<dyn WriteFile>,
    partition: Arc<Partition>,
}

/// Writes the rows of one tablet, in order, to one segment or, past the target size, several.
pub(crate) struct TabletOutput<'a> {
    segments: &'a Segments,
    plan: &'a EncodingPlan,
    tablet: Tablet,
    open: Option<OpenSegment>,
}

struct OpenSegment {
    path: PathBuf,
    relative: String,
    partition: Arc<Partition>,
    writer: ArrowWriter<SegmentFile>,
    rows: u64,
    /// By column: whether a NaN was written.
    has_nan: Vec<bool>,
}

impl<'a> TabletOutput<'a> {
    /// Nothing is made before the first row.
    pub(crate) fn new(segments: &'a Segments, plan: &'a EncodingPlan, tablet: impl Into<Tablet>) -> Self {
        Self { segments, plan, tablet: tablet.into(), open: None }
    }

    /// Appends rows that come after those before.
    pub(crate) fn write(&mut self, batch: &RecordBatch) -> Result<(), TabletError> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let segments = self.segments;
        let size = timed(&segments.metrics.encode_nanos, || {
            let open = match &mut self.open {
                Some(open) => open,
                none => none.insert(begin(segments, self.plan, self.tablet)?),
            };
            open.write(batch, segments.memory / 2)
        })?;
        if size >= segments.target_bytes { self.close() } else { Ok(()) }
    }

    /// Ends the segment that is open, if any; it is durable then, but for its name.
    pub(crate) fn close(&mut self) -> Result<(), TabletError> {
        let Some(open) = self.open.take() else { return Ok(()) };
        let segments = self.segments;
        let segment = open.finish(segments, self.tablet)?;
        add(&segments.metrics.written_bytes, segment.bytes);
        add(&segments.metrics.written_rows, segment.rows);
        add(&segments.metrics.segments, 1);
        segments.state()?.finished.push(segment);
        Ok(())
    }
}

fn begin(segments: &Segments, plan: &EncodingPlan, tablet: Tablet) -> Result<OpenSegment, TabletError> {
    let NewFile { path, relative, file, partition } = segments.create(tablet)?;
    let capacity = (segments.memory / 16).min(WRITE_BYTES);
    let file = SegmentFile { file, buffer: Vec::with_capacity(capacity), written: 0, error: None };
    let writer = segments.encoder.writer(file, plan);
    let writer = writer.map_err(|source| TabletError::Encode { path: path.clone(), source })?;
    let has_nan = vec![false; segments.schema.columns().len()];
    Ok(OpenSegment { path, relative, partition, writer, rows: 0, has_nan })
}

impl OpenSegment {
    /// Returns the bytes of the segment until now, estimated.
    fn write(&mut self, batch: &RecordBatch, most_memory: usize) -> Result<u64, TabletError> {
        for (has_nan, column) in self.has_nan.iter_mut().zip(batch.columns()) {
            *has_nan = *has_nan || contains_nan(column.as_ref());
        }
        self.rows += batch.num_rows() as u64;
        let mut result = self.writer.write(batch);
        if result.is_ok() && self.writer.memory_size() > most_memory {
            result = self.writer.flush();
        }
        result.map_err(|source| self.error(source))?;
        Ok((self.writer.bytes_written() + self.writer.in_progress_size()) as u64)
    }

    /// The volume's own error if there was one: the encoder wraps it.
    fn error(&mut self, source: ParquetError) -> TabletError {
        match self.writer.inner_mut().error.take() {
            Some(error) => TabletError::volume(&self.path, error),
            None => TabletError::Encode { path: self.path.clone(), source },
        }
    }

    fn finish(mut self, segments: &Segments, tablet: Tablet) -> Result<Segment, TabletError> {
        let metadata = timed(&segments.metrics.encode_nanos, || {
            let metadata = self.writer.finish().map_err(|source| self.error(source))?;
            self.writer.inner_mut().write_out().map_err(|error| TabletError::volume(&self.path, error))?;
            Ok::<_, TabletError>(metadata)
        })?;
        let file = self.writer.inner_mut();
        let synced = timed(&segments.metrics.sync_nanos, || file.file.sync(SyncSite::SegmentContents));
        let bytes = file.written;
        synced.map_err(|error| TabletError::volume(&self.path, error))?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
        Ok(Segment {
            path: self.relative,
            partition: self.partition.name.clone(),
            partition_values: self.partition.values.clone(),
            bucket: u32::from(tablet.bucket),
            rows: self.rows,
            bytes,
            modified_ms: i64::try_from(now).unwrap_or(i64::MAX),
            stats: stats::of_segment(&segments.schema, &metadata, &self.has_nan),
        })
    }
}

fn contains_nan(column: &dyn Array) -> bool {
    match column.data_type() {
        ArrowType::Float32 => column.as_primitive::<Float32Type>().iter().flatten().any(f32::is_nan),
        ArrowType::Float64 => column.as_primitive::<Float64Type>().iter().flatten().any(f64::is_nan),
        _ => false,
    }
}

/// Collects writes and remembers the volume's error, which encoders wrap beyond recognition.
struct SegmentFile {
    file: Box<dyn WriteFile>,
    buffer: Vec<u8>,
    written: u64,
    error: Option<io::Error>,
}

impl SegmentFile {
    fn write_out(&mut self) -> io::Result<()> {
        let result = self.file.write_all(&self.buffer);
        self.buffer.clear();
        result
    }
}

impl Write for SegmentFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut result = Ok(());
        if self.buffer.len() + bytes.len() > self.buffer.capacity() {
            result = self.write_out();
        }
        if result.is_ok() {
            if bytes.len() >= self.buffer.capacity() {
                result = self.file.write_all(bytes);
            } else {
                self.buffer.extend_from_slice(bytes);
            }
        }
        match result {
            Ok(()) => {
                self.written += bytes.len() as u64;
                Ok(bytes.len())
            }
            Err(error) => {
                let copy = match error.raw_os_error() {
                    Some(code) => io::Error::from_raw_os_error(code),
                    None => io::Error::new(error.kind(), error.to_string()),
                };
                self.error = Some(error);
                Err(copy)
            }
        }
    }

    /// Nothing: the whole is written out and synced at the end.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
