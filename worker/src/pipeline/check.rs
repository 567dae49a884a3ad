//! One task of a dry run: everything but its segments.

use std::collections::{BTreeMap, BTreeSet};

use arrow::array::RecordBatch;
use longshore_storage::load::{FileReport, PlannedTask};
use longshore_storage::schema::{PartitionIndices, Partitioner, TableSchema};
use longshore_storage::tablet::TaskIdentity;

use super::files::TaskFiles;
use super::{Job, stream_rows, writer};
use crate::load::LoadFailure;

/// Partitions that are noted; more than a load may bring.
const NOTED_PARTITIONS: usize = 1 << 16;

/// What a task would do.
#[derive(Debug)]
pub struct TaskChecked {
    /// Counts of each file, in the plan's order; of one that cannot be read, none.
    pub files: Vec<FileReport>,
    /// Why files cannot be read, by their place in the task.
    pub failures: BTreeMap<usize, LoadFailure>,
    /// Names of the partitions in which rows lie.
    pub partitions: BTreeSet<String>,
}

/// Runs one task without writing anything; blocking. What it finds goes to the job's findings.
pub fn check_task(job: &Job, number: u32, task: &PlannedTask) -> Result<TaskChecked, LoadFailure> {
    let identity = TaskIdentity {
        label: job.request.label.clone(),
        run: job.request.run,
        attempt: 0,
        task: number,
        writer: String::new(),
    };
    // It makes nothing before rows come, and refuses from the start what it would refuse then.
    writer(job, &identity)?.abandon();
    let files = TaskFiles::new(job, number, task, []);
    let mut partitions = Partitions::new(&job.schema);
    stream_rows(job, &files, &mut |batch| partitions.note(batch))?;
    let reports = files.reports()?;
    let failures = files.bad.into_found();
    Ok(TaskChecked { files: reports, failures, partitions: partitions.names })
}

/// The partitions of the rows that pass.
struct Partitions {
    partitioner: Option<Partitioner>,
    indices: PartitionIndices,
    /// Numbers up to here are noted, where partitions are made as they appear.
    noted: u32,
    names: BTreeSet<String>,
}

impl Partitions {
    fn new(schema: &TableSchema) -> Self {
        let partitioner = Partitioner::new(schema);
        Self { partitioner, indices: PartitionIndices::default(), noted: 0, names: BTreeSet::new() }
    }

    fn note(&mut self, batch: &RecordBatch) -> Result<(), LoadFailure> {
        let Some(partitioner) = &mut self.partitioner else { return Ok(()) };
        let assigned = partitioner.assign_columns(batch.columns(), &mut self.indices);
        assigned.map_err(|error| LoadFailure::Internal { message: error.to_string() })?;
        if partitioner.can_reject() {
            let ids: BTreeSet<u32> = self.indices.ids().iter().copied().collect();
            self.names.extend(ids.into_iter().filter_map(|id| partitioner.partition(id)).map(|p| p.name));
            return Ok(());
        }
        while self.names.len() < NOTED_PARTITIONS
            && let Some(partition) = partitioner.partition(self.noted)
        {
            self.names.insert(partition.name);
            self.noted += 1;
        }
        Ok(())
    }
}
