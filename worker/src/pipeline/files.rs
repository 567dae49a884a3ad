//! The files of a task: opening them ahead of the decoders, and the accounting of their rows.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use longshore_crds::SchemaDrift;
use longshore_storage::load::{FileReport, PlannedFile, PlannedTask};

use super::Job;
use super::bad_files::BadFiles;
use super::decoder::BATCH_ROWS;
use super::memory::Decoders;
use super::work::WorkList;
use crate::convert::FileMapping;
use crate::decode::{self, FileContext, Part, Parts, Read};
use crate::dry_run::{self, FilePlace};
use crate::load::{LoadFailure, refuse_new_columns, wanted_columns};
use crate::progress::Progress;
use crate::select::{self, FileFacts};

/// A part of a file that waits to be decoded.
pub struct Unit {
    /// Place of the file in the task.
    pub file: usize,
    /// Which columns of the file feed which of the table.
    pub mapping: Arc<FileMapping>,
    /// What is to be decoded.
    pub part: Box<dyn Part>,
}

/// A file whose columns are mapped, with the parts that are still to be cut.
struct OpenFile {
    mapping: Arc<FileMapping>,
    parts: Box<dyn Parts>,
}

/// What became of the rows of a batch.
#[derive(Debug, Clone, Copy)]
pub struct RowCounts {
    /// Those that the decoder gave, or could not make a row of.
    pub read: u64,
    /// Those that go into the table.
    pub loaded: u64,
    /// Those that do not fit.
    pub filtered: u64,
    /// Those that `where` leaves out.
    pub unselected: u64,
}

/// The files of one task with their counts.
pub struct TaskFiles<'a> {
    job: &'a Job,
    number: u32,
    files: &'a [PlannedFile],
    counts: Vec<FileCounts>,
    /// Those that cannot be read.
    pub bad: BadFiles,
}

#[derive(Default)]
struct FileCounts {
    /// Rows that a footer announces; empty until the file is open, and for formats that announce none.
    announced: OnceLock<u64>,
    read: AtomicU64,
    loaded: AtomicU64,
    filtered: AtomicU64,
    unselected: AtomicU64,
    /// Parts that are not decoded yet, and one more until the file is cut to its end.
    parts_left: AtomicU64,
    /// Set when the file was cut and decoded to its end.
    done: AtomicBool,
    progress_bytes: AtomicU64,
}

impl<'a> TaskFiles<'a> {
    /// Nothing opened yet. `bad`: files that are left out from the start.
    pub fn new(
        job: &'a Job,
        number: u32,
        task: &'a PlannedTask,
        bad: impl IntoIterator<Item = usize>,
    ) -> Self {
        let counts = task.files.iter().map(|_| FileCounts::default()).collect();
        Self { job, number, files: &task.files, counts, bad: BadFiles::new(task.files.len(), bad) }
    }

    /// Number of files.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// `s3://bucket/key` of a file.
    pub fn name(&self, file: usize) -> String {
        self.files[file].uri()
    }

    /// Place of a file in the plan.
    pub fn place(&self, file: usize) -> FilePlace {
        (self.number, file)
    }

    /// A file cannot be read. `Ok`: the load goes on without it.
    pub fn failed(&self, file: usize, failure: LoadFailure) -> Result<(), LoadFailure> {
        self.bad.failed(&self.job.bad_files, file, failure)?;
        if Progress::get(&self.counts[file].read) > 0 {
            self.bad.spoil();
        }
        Ok(())
    }

    /// Opens one file and maps its columns.
    fn open(&self, file: usize, memory: Decoders) -> Result<OpenFile, LoadFailure> {
        let planned = &self.files[file];
        let index = planned.source as usize;
        let source = &self.job.request.sources[index];
        let object = self.job.stores[index].object(planned);
        let context = FileContext {
            source,
            table: &self.job.schema,
            strict: self.job.rules.strict,
            now_micros: self.job.rules.now_micros,
        };
        let data = decode::open(object, context)?;
        let columns = source.columns.as_deref();
        let wanted = wanted_columns(&self.job.schema, self.job.declared_columns, data.schema());
        if self.job.request.schema_drift == SchemaDrift::Fail && columns.is_none() {
            refuse_new_columns(&self.name(file), &self.job.schema, source, data.schema())?;
        }
        let name = self.name(file);
        let facts = FileFacts {
            source_index: index,
            source,
            table: &self.job.schema,
            name: &name,
            key: &planned.key,
            size: planned.size,
            etag: &planned.etag,
            modified_ms: planned.modified_ms,
            label: &self.job.request.label,
            zone: self.job.rules.timezone,
            now_micros: self.job.rules.now_micros,
        };
        let columns = columns.or(wanted.as_deref());
        let mapping = select::mapping(&facts, data.schema(), columns, self.job.on_missing())?;
        let counts = &self.counts[file];
        if let Some(rows) = data.announced_rows() {
            counts.announced.get_or_init(|| rows);
        }
        counts.parts_left.store(1, Ordering::Relaxed);
        if let Some(findings) = &self.job.findings {
            let (columns, extra) = dry_run::fills(&mapping, source, data.schema());
            findings.opened(self.place(file), dry_run::format_of(source, &planned.key), columns, extra);
        }
        let read = Read {
            columns: mapping.projection().to_vec(),
            dictionary_columns: mapping.dictionary_columns(),
            batch_rows: BATCH_ROWS,
            budget_bytes: memory.reader_bytes,
            block_bytes: memory.block_bytes,
        };
        Ok(OpenFile { mapping: Arc::new(mapping), parts: data.parts(Arc::new(read))? })
    }

    /// Opens a file and offers its parts until it is cut to its end, or the list is closed.
    fn cut(&self, file: usize, memory: Decoders, work: &WorkList<Unit>) -> Result<(), LoadFailure> {
        let planned = &self.files[file];
        let source = &self.job.request.sources[planned.source as usize];
        if let Some(error) = select::left_out(source, &self.name(file), &planned.key) {
            self.bad.leave_out(file, error.into());
            return Ok(());
        }
        let start = Instant::now();
        let opened = self.open(file, memory);
        self.job.clock.open.add(start.elapsed());
        let OpenFile { mapping, mut parts } = opened?;
        while let Some(part) = parts.next() {
            if self.job.cancel.is_cancelled() {
                return Err(LoadFailure::Cancelled);
            }
            if self.bad.is_bad(file) {
                return Ok(());
            }
            let (part, mapping) = (part?, Arc::clone(&mapping));
            self.counts[file].parts_left.fetch_add(1, Ordering::AcqRel);
            let bytes = part.bytes();
            if !work.offer(Unit { file, mapping, part }, bytes) {
                return Ok(());
            }
        }
        self.part_done(file);
        Ok(())
    }

    /// Counts the rows of a batch. `bytes`: what they took of the file, where no footer announces the rows.
    pub fn count(&self, file: usize, rows: RowCounts, bytes: u64) {
        let counts = &self.counts[file];
        let RowCounts { read, loaded, filtered, unselected } = rows;
        Progress::add(&counts.unselected, unselected);
        Progress::add(&counts.read, read);
        Progress::add(&counts.loaded, loaded);
        Progress::add(&counts.filtered, filtered);
        let progress = &self.job.progress;
        Progress::add(&progress.rows_read, read);
        Progress::add(&progress.rows_loaded, loaded);
        Progress::add(&progress.rows_filtered, filtered);
        // Bytes advance in proportion to the rows, so that the bar moves within a large row group too.
        let share = match counts.announced.get() {
            Some(announced) if *announced > 0 => {
                let share = u128::from(self.files[file].size) * u128::from(read) / u128::from(*announced);
                u64::try_from(share).unwrap_or(0)
            }
            _ => bytes,
        };
        Progress::add(&counts.progress_bytes, share);
        Progress::add(&progress.bytes_read, share);
    }

    /// A part came to its end, or the file was cut to its end.
    pub fn part_done(&self, file: usize) {
        let counts = &self.counts[file];
        if counts.parts_left.fetch_sub(1, Ordering::AcqRel) == 1 {
            counts.done.store(true, Ordering::Release);
            self.file_done(file);
        }
    }

    /// Brings the bytes of progress to the file's size, whatever the rounding left.
    fn file_done(&self, file: usize) {
        let counted = &self.counts[file].progress_bytes;
        let rest = self.files[file].size.saturating_sub(Progress::get(counted));
        Progress::add(counted, rest);
        Progress::add(&self.job.progress.bytes_read, rest);
        Progress::add(&self.job.progress.files_done, 1);
    }

    /// The accounting, checked: each file was decoded to its end, each row that a footer announces was read,
    /// and each row read was loaded, filtered or unselected (A39).
    ///
    /// A file that cannot be read counts nothing. If rows of one are among those written, [`BadFiles::is_spoiled`]
    /// says so afterwards.
    pub fn reports(&self) -> Result<Vec<FileReport>, LoadFailure> {
        let mut reports = Vec::with_capacity(self.files.len());
        for file in 0..self.files.len() {
            if !self.bad.is_bad(file) {
                match self.report(file) {
                    Ok(report) => {
                        reports.push(report);
                        continue;
                    }
                    Err(failure) => self.failed(file, failure)?,
                }
            }
            if Progress::get(&self.counts[file].read) > 0 {
                self.bad.spoil();
            }
            reports.push(FileReport { bytes: self.files[file].size, ..FileReport::default() });
        }
        Ok(reports)
    }

    /// Takes what was counted back from the progress: the task is done again.
    pub fn take_back(&self) {
        let progress = &self.job.progress;
        for counts in &self.counts {
            for (sum, counted) in [
                (&progress.rows_read, &counts.read),
                (&progress.rows_loaded, &counts.loaded),
                (&progress.rows_filtered, &counts.filtered),
                (&progress.bytes_read, &counts.progress_bytes),
            ] {
                Progress::take_back(sum, Progress::get(counted));
            }
            if counts.done.load(Ordering::Acquire) {
                Progress::take_back(&progress.files_done, 1);
            }
        }
    }

    fn report(&self, file: usize) -> Result<FileReport, LoadFailure> {
        let counts = &self.counts[file];
        let report = FileReport {
            read: Progress::get(&counts.read),
            loaded: Progress::get(&counts.loaded),
            filtered: Progress::get(&counts.filtered),
            unselected: Progress::get(&counts.unselected),
            bytes: self.files[file].size,
        };
        let announced = counts.announced.get().copied().unwrap_or(report.read);
        if !counts.done.load(Ordering::Acquire)
            || report.read != announced
            || report.read != report.loaded + report.filtered + report.unselected
        {
            return Err(LoadFailure::RowAccounting { file: self.name(file), announced, report });
        }
        Ok(report)
    }
}

/// Opens files one after the other and cuts them into parts until none is left; several threads do.
pub fn open_all(files: &TaskFiles<'_>, memory: Decoders, work: &WorkList<Unit>) -> Result<(), LoadFailure> {
    while let Some(file) = work.next_file() {
        let cut = if files.job.cancel.is_cancelled() {
            Err(LoadFailure::Cancelled)
        } else if files.bad.is_bad(file) {
            Ok(())
        } else {
            files.cut(file, memory, work)
        };
        let cut = cut.or_else(|failure| files.failed(file, failure));
        work.file_cut();
        cut?;
    }
    Ok(())
}
