//! A process of the workloads: it does the steps of a load as the worker does, and writes down what it was
//! told. Errors are outcomes: with a fault or a rival each step may fail, and says so.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use arrow::array::{ArrayRef, Int32Array, StringArray, TimestampMicrosecondArray};
use longshore_storage::compact::{CompactionOptions, Compactor, PlanOptions};
use longshore_storage::durable::VolumeError;
use longshore_storage::load::{
    LoadFolder, RejectedRecord, RejectedWriter, Segment, TaskReport, adoptable, label_hash,
};
use longshore_storage::schema::Column;
use longshore_storage::table::{
    Claim, ClaimError, CleanOptions, CloseOutcome, CommitError, CommitOutcome, Epoch, LabelState, LoadCommit,
    LoadMode, Maintenance, OverwriteScope, Table,
};
use longshore_storage::tablet::{TabletWriter, TaskIdentity, WriterMetrics, WriterOptions};
use longshore_storage::types::DataType;
use longshore_storage::vacuum::VacuumOptions;

use super::promise::Promise;
use super::recording::ROOT;
use super::support::{definition, plan, record, report, write_segment};
use super::volume::{Fault, Volume};
use crate::log::support::{column, failed_record};
use crate::tablet::batch;

/// Category of the error that ended a step.
pub type Failed = &'static str;

/// A process with its place in the log.
pub struct Process {
    pub volume: Volume,
    pub table: Table,
    /// One digit of 16, which stand in the names of its files.
    pub name: &'static str,
}

impl Process {
    /// Makes the table, or opens it if it is there.
    pub fn create(volume: Volume, name: &'static str) -> Result<Self, Failed> {
        let made = Table::create(volume.files(), Path::new(ROOT), &definition());
        let table = made.map_err(|error| error.category())?;
        volume.promise(Promise::Version(table.version()));
        Ok(Self { volume, table, name })
    }

    pub fn open(volume: Volume, name: &'static str) -> Result<Self, Failed> {
        let table = Table::open(volume.files(), Path::new(ROOT)).map_err(|error| error.category())?;
        Ok(Self { volume, table, name })
    }

    /// The random id of the process.
    fn writer(&self) -> String {
        self.name.repeat(16)
    }

    /// Someone was told what stands at the version that was read.
    fn told(&self) {
        self.volume.promise(Promise::Version(self.table.version()));
    }

    pub fn claim(&mut self, label: &str, run: u32) -> Result<Claim, Failed> {
        let claimed = self.table.claim(label, run);
        match &claimed {
            Ok(_) | Err(ClaimError::AlreadyLoaded { .. } | ClaimError::RunPassed { .. }) => self.told(),
            Err(_) => {}
        }
        claimed.map_err(|error| error.category())
    }

    /// Says what is known of a label.
    pub fn answer(&mut self, label: &str) -> Result<(), Failed> {
        self.table.refresh().map_err(|error| error.category())?;
        self.table.label(label).map_err(|error| error.category())?;
        self.told();
        Ok(())
    }

    pub fn checkpoint(&mut self) -> Result<(), Failed> {
        self.table.refresh().map_err(|error| error.category())?;
        self.table.checkpoint().map_err(|error| error.category())?;
        self.told();
        Ok(())
    }

    /// A checkpoint of the version that was read, which need not be the newest any more.
    pub fn checkpoint_here(&mut self) -> Result<(), Failed> {
        self.table.checkpoint().map_err(|error| error.category())?;
        self.told();
        Ok(())
    }

    /// A checkpoint by a process that dies before the hint.
    pub fn checkpoint_without_hint(&mut self) -> Result<(), Failed> {
        self.table.refresh().map_err(|error| error.category())?;
        self.volume.fail(Fault::Rename);
        let made = self.table.checkpoint();
        assert!(self.volume.mend().is_some() && made.is_err(), "{made:?}");
        self.table.refresh().map_err(|error| error.category())
    }

    /// The folder of a claim with its plan.
    pub fn plan(&self, claim: &Claim, tasks: u32) -> Result<LoadFolder, Failed> {
        let folder = self.table.load_folder(claim).map_err(|error| error.category())?;
        folder.put_plan(&plan(&self.table, tasks)).map_err(|error| error.category())?;
        self.file(format!("{}/plan.json", folder.path().display()));
        Ok(folder)
    }

    fn file(&self, path: String) {
        self.volume.promise(Promise::File(path));
    }

    /// Writes the segments of a task, the rows that it rejects, and the report.
    pub fn task(&self, folder: &LoadFolder, task: u32, rows: i32) -> Result<TaskReport, Failed> {
        let claim = folder.claim();
        let identity = TaskIdentity {
            label: claim.label().to_owned(),
            run: claim.run(),
            attempt: claim.attempt(),
            task,
            writer: self.writer(),
        };
        let options = WriterOptions { threads: 1, budget_bytes: 1 << 20, ..WriterOptions::default() };
        let schema = Arc::clone(self.table.schema());
        let metrics = Arc::new(WriterMetrics::default());
        let (files, root) = (self.volume.files(), Path::new(ROOT).to_owned());
        let mut writer = TabletWriter::new(files, root, Arc::clone(&schema), identity, options, metrics)
            .map_err(|error| error.category())?;
        let numbers = (0..rows).map(|row| row.wrapping_mul(-1_640_531_527).wrapping_add(task as i32));
        let numbers: ArrayRef = Arc::new(Int32Array::from_iter_values(numbers));
        let kinds = (0..rows).map(|row| format!("{:x}", i64::from(row) * 0x1234_5677));
        let kinds: ArrayRef = Arc::new(StringArray::from_iter_values(kinds));
        let times: ArrayRef = Arc::new(TimestampMicrosecondArray::from_iter_values((0..rows).map(i64::from)));
        let mut columns = vec![numbers, kinds, times];
        // Columns that were added have no value.
        columns.resize(schema.columns().len(), Arc::new(Int32Array::new_null(columns[0].len())));
        let written = writer.append(&batch(&schema, columns));
        if let Err(error) = written {
            writer.abandon();
            return Err(error.category());
        }
        let segments = writer.finish().map_err(|error| error.category())?;
        let mut report = report(task, segments);
        // The first task has a row that does not fit.
        if task == 0 {
            let rejected = folder.rejected_path(task, &self.writer());
            self.rejected(&rejected, claim.label())?;
            (report.rejected, report.rejected_rows) = (Some(rejected), 1);
        }
        self.put_report(folder, &report)
    }

    fn rejected(&self, path: &str, label: &str) -> Result<(), Failed> {
        let path = format!("{ROOT}/{path}");
        let mut writer =
            RejectedWriter::create(&self.volume.files(), Path::new(&path)).map_err(|e| e.category())?;
        let row = RejectedRecord {
            file: "s3://b/o".to_owned(),
            row: 1,
            byte_offset: None,
            column: "UserID".to_owned(),
            code: "OutOfRange".to_owned(),
            message: "m".to_owned(),
            raw_value: "v".to_owned(),
            raw_record: "r".to_owned(),
            label: label.to_owned(),
        };
        writer.write(&[row]).map_err(|e| e.category())?;
        writer.finish().map_err(|e| e.category())?;
        self.file(path);
        Ok(())
    }

    fn put_report(&self, folder: &LoadFolder, report: &TaskReport) -> Result<TaskReport, Failed> {
        let stands = folder.put_task_report(report).map_err(|error| error.category())?;
        self.file(format!("{}/task-{:04}.json", folder.path().display(), report.task));
        for segment in &stands.segments {
            self.file(format!("{ROOT}/{}", segment.path));
        }
        Ok(stands)
    }

    /// Takes over a finished task of an earlier attempt, or does it.
    pub fn adopt_or_do(&self, folder: &LoadFolder, tasks: u32, task: u32) -> Result<TaskReport, Failed> {
        let earlier = folder.earlier().map_err(|error| error.category())?;
        let found = adoptable(&plan(&self.table, tasks), &earlier).remove(&task);
        if let Some(found) = found
            && folder.segments_stand(&found.report.segments).map_err(|error| error.category())?
        {
            return self.put_report(folder, &found.report);
        }
        self.task(folder, task, 40)
    }

    pub fn commit(&mut self, claim: &Claim, reports: &[TaskReport]) -> Result<(), Failed> {
        self.commit_as(claim, reports, LoadMode::Append, Vec::new())
    }

    /// Commits a load that overwrites, or brings columns.
    pub fn commit_as(
        &mut self,
        claim: &Claim,
        reports: &[TaskReport],
        mode: LoadMode,
        new_columns: Vec<Column>,
    ) -> Result<(), Failed> {
        let segments: Vec<Segment> = reports.iter().flat_map(|report| report.segments.clone()).collect();
        let rows = segments.iter().map(|segment| segment.rows).sum();
        let schema = Arc::clone(self.table.schema());
        let record = record(claim, rows);
        let load = LoadCommit { segments, schema, record, deadline: None, mode, new_columns };
        let ended = self.table.commit_load(claim, load);
        match &ended {
            Ok(CommitOutcome::Committed { .. } | CommitOutcome::AlreadyLoaded { .. })
            | Err(CommitError::ClaimLost { .. }) => self.told(),
            Err(_) => {}
        }
        ended.map(|_| ()).map_err(|error| error.category())
    }

    /// Closes a run; nobody relies on what it wrote any more.
    pub fn close(&mut self, label: &str, run: u32, own: Option<&Claim>) -> Result<(), Failed> {
        let closed = self.table.close_run(label, run, own, failed_record(label, run));
        let closed = closed.map_err(|error| error.category())?;
        if closed != CloseOutcome::Superseded {
            self.told();
        }
        Ok(())
    }

    /// A load that takes the place of all rows, and brings a column with its commit.
    pub fn overwrite(&mut self, label: &str, brings: &str) -> Result<(), Failed> {
        let claim = self.claim(label, 1)?;
        let folder = self.plan(&claim, 1)?;
        let report = self.task(&folder, 0, 3)?;
        let new = vec![column(brings, DataType::Int, true)];
        self.commit_as(&claim, &[report], LoadMode::Overwrite(OverwriteScope::Table), new)
    }

    /// Commits a load that takes the place of all rows.
    pub fn overwrite_by(&mut self, claim: &Claim, report: &TaskReport) -> Result<(), Failed> {
        let mode = LoadMode::Overwrite(OverwriteScope::Table);
        self.commit_as(claim, std::slice::from_ref(report), mode, Vec::new())
    }

    pub fn add_column(&mut self, name: &str) -> Result<(), Failed> {
        let added = self.table.add_columns(&[column(name, DataType::Int, true)]);
        added.map_err(|error| error.category())?;
        self.told();
        Ok(())
    }

    /// Takes the next epoch of compactions.
    pub fn epoch(&mut self) -> Result<Epoch, Failed> {
        let epoch = self.table.next_epoch(Maintenance::Compact).map_err(|error| error.category())?;
        self.told();
        Ok(epoch)
    }

    /// Says which epoch is the newest.
    pub fn answer_epoch(&mut self) -> Result<(), Failed> {
        self.table.refresh().map_err(|error| error.category())?;
        self.table.epoch(Maintenance::Compact).map_err(|error| error.category())?;
        self.told();
        Ok(())
    }

    /// One file for all those of a tablet.
    pub fn merge(&self, epoch: &Epoch, bucket: u32) -> Result<(Vec<Segment>, Segment), Failed> {
        let mut inputs = self.table.segments().map_err(|error| error.category())?;
        inputs.retain(|segment| segment.bucket == bucket);
        let rows = inputs.iter().map(|segment| segment.rows).sum();
        let name = format!("compact-{}", epoch.number());
        let output = write_segment(&self.volume, &name, bucket, rows);
        let failed = |error| VolumeError::new("write", Path::new(ROOT), error).category();
        Ok((inputs, output.map_err(failed)?))
    }

    /// Puts the file in the place of those that it holds.
    pub fn replace(&mut self, epoch: &Epoch, inputs: &[Segment], output: Segment) -> Result<(), Failed> {
        let schema = Arc::clone(self.table.schema());
        let ended = self.table.commit_compaction(epoch, &schema, inputs, vec![output]);
        ended.map_err(|error| error.category())?;
        self.told();
        Ok(())
    }

    /// Merges whatever gains.
    pub fn compact(&mut self) -> Result<(), Failed> {
        let options = CompactionOptions { plan: PlanOptions::default(), budget_bytes: 8 << 20, threads: 1 };
        let ended = Compactor::run(&mut self.table, &options, &AtomicBool::new(false));
        ended.map_err(|error| error.category())?;
        self.told();
        Ok(())
    }

    pub fn fold(&mut self) -> Result<(), Failed> {
        self.table.fold_history().map(|_| ()).map_err(|error| error.category())
    }

    /// Removes from the log whatever is not needed, however young.
    pub fn clean(&mut self) -> Result<(), Failed> {
        let options = CleanOptions { min_age: Duration::ZERO };
        self.table.clean_log(&options).map(|_| ()).map_err(|error| error.category())
    }

    /// Removes whatever no version needs, however young.
    pub fn vacuum(&mut self) -> Result<(), Failed> {
        let zero = Duration::ZERO;
        let mut options = VacuumOptions { retention: Some(zero), min_age: zero, dry_run: true };
        let mut going = Vec::new();
        let told = self.table.vacuum(&options, &mut |item| going.push(format!("{ROOT}/{}", item.path)));
        told.map_err(|error| error.category())?;
        options.dry_run = false;
        going.into_iter().for_each(|path| self.volume.promise(Promise::Release(path)));
        self.table.vacuum(&options, &mut |_| {}).map(|_| ()).map_err(|error| error.category())
    }

    /// Removes plans and reports, of a run that is closed the segments too; rejected rows stay.
    pub fn tidy(&mut self, folder: &LoadFolder) -> Result<(), Failed> {
        let label = format!("{ROOT}/_longshore/loads/{}/", folder.claim().label());
        let (nodes, _) = self.volume.snapshot();
        let state = self.table.label(folder.claim().label()).map_err(|error| error.category())?;
        let is_loaded = matches!(state, LabelState::Loaded { .. });
        let name = label_hash(folder.claim().label());
        for path in nodes.keys() {
            let document = path.starts_with(&label) && !path.contains("/rejected-");
            let segment = !is_loaded && path.contains(&format!("/{name}-")) && path.ends_with(".parquet");
            if document || segment {
                self.volume.promise(Promise::Release(path.clone()));
            }
        }
        self.table.remove_own(folder).map_err(|error| error.category())
    }

    /// A load of one task, whose documents stay.
    pub fn load_small(&mut self, label: &str) -> Result<(), Failed> {
        let claim = self.claim(label, 1)?;
        let folder = self.plan(&claim, 1)?;
        let report = self.task(&folder, 1, 3)?;
        self.commit(&claim, &[report])
    }

    /// A whole load of two tasks.
    pub fn load(&mut self, label: &str, run: u32) -> Result<(), Failed> {
        let claim = self.claim(label, run)?;
        let folder = self.plan(&claim, 2)?;
        let reports = [self.task(&folder, 0, 30)?, self.task(&folder, 1, 3)?];
        self.commit(&claim, &reports)?;
        self.tidy(&folder)
    }
}
