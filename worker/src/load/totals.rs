//! The totals of a load, and the judgement over them.

use longshore_crds::{LoadCounts, LoadRequest, RowError, SkippedFile, loaded_reason};
use longshore_storage::history::{HistoryFailure, HistoryFile, HistoryRecord};
use longshore_storage::load::{
    AbsentEntry, FileReport, FirstError, Plan, PlannedFile, PlannedTask, SkippedFile as SkippedInTask,
    TaskReport,
};

use super::{FilterRatio, LoadFailure};
use crate::pipeline::FIRST_ERRORS;

/// Skipped files that a report names.
const NAMED_SKIPPED: usize = 10;
/// Code of an optional entry of a manifest that names no object.
const ABSENT: &str = "OptionalFileMissing";

/// Figures of a load, whatever its end.
#[derive(Debug, Clone, Default)]
pub struct Details {
    /// The counts.
    pub counts: LoadCounts,
    /// Every file of the plan, then the optional ones that are not there.
    pub files: Vec<HistoryFile>,
    /// The first errors.
    pub first_errors: Vec<FirstError>,
    /// Files of rejected rows, relative to the table's folder.
    pub rejected: Vec<String>,
    /// The first files that were skipped.
    pub skipped: Vec<SkippedFile>,
    /// Of the skipped files, those that an optional entry of a manifest names in vain.
    absent: u64,
}

impl Details {
    /// The figures that the history holds.
    pub fn of(record: HistoryRecord) -> Self {
        let counts = record.counts;
        let skipped = record.files.iter().filter_map(|file| {
            let HistoryFailure { category, message } = file.skipped.clone()?;
            Some(SkippedFile { file: uri(&file.bucket, &file.key), code: category, message })
        });
        Self {
            counts: LoadCounts {
                scan_rows: counts.scan_rows,
                scan_bytes: counts.scan_bytes,
                filtered_rows: counts.filtered_rows,
                unselected_rows: counts.unselected_rows,
                sink_rows: counts.sink_rows,
                file_number: counts.file_number,
                file_size: counts.file_size,
                skipped_files: counts.skipped_files,
            },
            skipped: skipped.take(NAMED_SKIPPED).collect(),
            files: record.files,
            first_errors: record
                .first_errors
                .into_iter()
                .map(|error| FirstError {
                    file: error.file,
                    row: error.row,
                    column: error.column,
                    code: error.code,
                })
                .collect(),
            rejected: record.rejected,
            absent: 0,
        }
    }

    /// Reason of a load that came to its end.
    pub fn loaded_reason(&self) -> &'static str {
        loaded_reason(self.counts.skipped_files, self.counts.filtered_rows)
    }

    /// The first errors as statuses carry them.
    pub fn row_errors(&self) -> Vec<RowError> {
        let row_error = |error: &FirstError| {
            let FirstError { file, row, column, code } = error.clone();
            RowError { file, row, column, code }
        };
        self.first_errors.iter().map(row_error).collect()
    }

    /// The folder of the rejected rows; with adopted tasks, the one above the attempts.
    pub fn rejected_folder(&self) -> Option<String> {
        let first = folder_of(self.rejected.first()?);
        let same = self.rejected.iter().all(|path| folder_of(path) == first);
        Some(if same { first } else { folder_of(first) }.to_owned())
    }

    /// Adds a task with its report.
    pub fn add_task(&mut self, task: &PlannedTask, report: &TaskReport) -> Result<(), LoadFailure> {
        let rows_in_segments: u64 = report.segments.iter().map(|segment| segment.rows).sum();
        let rows_in_files: u64 = report.files.iter().map(|file| file.loaded).sum();
        if report.files.len() != task.files.len() || rows_in_segments != rows_in_files {
            return Err(LoadFailure::LostRows {
                task: report.task,
                loaded: rows_in_files,
                written: rows_in_segments,
            });
        }
        self.add_files(task, &report.files, &report.skipped)?;
        self.rejected.extend(report.rejected.clone());
        let room = FIRST_ERRORS - self.first_errors.len();
        self.first_errors.extend(report.first_errors.iter().take(room).cloned());
        Ok(())
    }

    /// Adds the files of a task with their counts; the lists have the same length.
    pub fn add_files(
        &mut self,
        task: &PlannedTask,
        counts: &[FileReport],
        skipped: &[SkippedInTask],
    ) -> Result<(), LoadFailure> {
        let mut skipped = skipped.iter().peekable();
        for ((place, file), counted) in (0_u32..).zip(&task.files).zip(counts) {
            let skipped = skipped.next_if(|skipped| skipped.file == place);
            self.add_file(file, *counted, skipped)?;
        }
        Ok(())
    }

    fn add_file(
        &mut self,
        file: &PlannedFile,
        counted: FileReport,
        skipped: Option<&SkippedInTask>,
    ) -> Result<(), LoadFailure> {
        let none_of_it = skipped.is_none() || counted.read == 0;
        if counted.bytes != file.size
            || counted.read != counted.loaded + counted.filtered + counted.unselected
            || !none_of_it
        {
            return Err(LoadFailure::RowAccounting {
                file: uri(&file.bucket, &file.key),
                announced: counted.read,
                report: counted,
            });
        }
        let counts = &mut self.counts;
        counts.scan_rows += counted.read;
        counts.scan_bytes += if skipped.is_some() { 0 } else { counted.bytes };
        counts.filtered_rows += counted.filtered;
        counts.unselected_rows += counted.unselected;
        counts.sink_rows += counted.loaded;
        counts.file_number += 1;
        counts.file_size += file.size;
        let why = skipped.map(|skipped| HistoryFailure {
            category: skipped.code.clone(),
            message: skipped.message.clone(),
        });
        self.note_skipped(&file.bucket, &file.key, why.as_ref());
        self.files.push(HistoryFile {
            source: file.source,
            bucket: file.bucket.clone(),
            key: file.key.clone(),
            etag: file.etag.clone(),
            size: file.size,
            read: counted.read,
            loaded: counted.loaded,
            filtered: counted.filtered,
            unselected: counted.unselected,
            skipped: why,
        });
        Ok(())
    }

    /// Adds the optional entries of manifests that name no object.
    pub fn add_absent(&mut self, plan: &Plan) {
        for manifest in &plan.manifests {
            let name = uri(&manifest.file.bucket, &manifest.file.key);
            for AbsentEntry { entry, bucket, key } in &manifest.absent {
                let message =
                    format!("entry {entry} of manifest {name} is optional, and its file is not there");
                let why = Some(HistoryFailure { category: ABSENT.to_owned(), message });
                self.note_skipped(bucket, key, why.as_ref());
                self.absent += 1;
                self.files.push(HistoryFile {
                    source: manifest.file.source,
                    bucket: bucket.clone(),
                    key: key.clone(),
                    skipped: why,
                    ..HistoryFile::default()
                });
            }
        }
    }

    fn note_skipped(&mut self, bucket: &str, key: &str, why: Option<&HistoryFailure>) {
        let Some(HistoryFailure { category, message }) = why.cloned() else { return };
        self.counts.skipped_files += 1;
        if self.skipped.len() < NAMED_SKIPPED {
            self.skipped.push(SkippedFile { file: uri(bucket, key), code: category, message });
        }
    }

    /// Points at the first bad row, so that a person knows where to look.
    fn hint(&self) -> String {
        let Some(first) = self.first_errors.first() else { return "look at the source".to_owned() };
        let FirstError { file, row, column, code } = first;
        let kept = self.rejected.first().map(|path| format!("; rejected rows: {}", folder_of(path)));
        let column = if column.is_empty() { String::new() } else { format!(", column {column}") };
        format!("the first: {file} row {row}{column}: {code}{}", kept.unwrap_or_default())
    }
}

/// Adds up the task reports and judges them: every task, every file, then the ratio (A34, A39).
pub fn check(
    request: &LoadRequest,
    plan: &Plan,
    reports: &[TaskReport],
    ratio: FilterRatio,
) -> Result<Details, LoadFailure> {
    let mut details = Details::default();
    if reports.len() != plan.tasks.len() {
        return Err(LoadFailure::Internal {
            message: format!("{} task reports for {} tasks", reports.len(), plan.tasks.len()),
        });
    }
    for (task, report) in plan.tasks.iter().zip(reports) {
        details.add_task(task, report)?;
    }
    details.add_absent(plan);
    judge(request, details, ratio)
}

/// Judges the totals of all files: files that were skipped, the ratio, whether anything is left.
pub fn judge(request: &LoadRequest, details: Details, ratio: FilterRatio) -> Result<Details, LoadFailure> {
    let counts = details.counts;
    let unread = counts.skipped_files - details.absent;
    if unread > 0 && unread == counts.file_number {
        return Err(LoadFailure::AllFilesSkipped {
            files: unread,
            first: details.skipped.first().map(|first| first.message.clone()).unwrap_or_default(),
            details: Box::new(details),
        });
    }
    if ratio.is_exceeded(counts.filtered_rows, counts.sink_rows) {
        return Err(LoadFailure::Quality {
            filtered: counts.filtered_rows,
            loaded: counts.sink_rows,
            ratio: request.max_filter_ratio.clone(),
            hint: details.hint(),
            details: Box::new(details),
        });
    }
    if counts.sink_rows == 0 && !request.allow_empty {
        return Err(LoadFailure::EmptyLoad { files: counts.file_number, details: Box::new(details) });
    }
    Ok(details)
}

fn uri(bucket: &str, key: &str) -> String {
    if bucket.is_empty() { key.to_owned() } else { format!("s3://{bucket}/{key}") }
}

fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(folder, _)| folder)
}
