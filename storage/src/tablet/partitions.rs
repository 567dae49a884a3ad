//! The partitions of a writer's rows: made as they appear, up to so many.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::RecordBatch;

use super::TabletError;
use super::segment::Segments;
use crate::log::TableError;
use crate::schema::{MAX_NEW_PARTITIONS, PartitionIndices, Partitioner, TableSchema};

/// Names of the partitions that a table has, read when a load brings so many that it matters.
pub type KnownPartitions = Arc<dyn Fn() -> Result<BTreeSet<String>, TableError> + Send + Sync>;

/// Tells each row's partition, and the segments of each partition.
pub(crate) struct Partitions {
    partitioner: Option<Partitioner>,
    indices: PartitionIndices,
    /// Partitions that the segments know.
    told: usize,
    /// Those among them that the table does not have, as far as that is known.
    new: usize,
    known: Option<KnownPartitions>,
    known_names: Option<BTreeSet<String>>,
}

impl Partitions {
    /// Partitions of a table's rows.
    pub(crate) fn new(schema: &TableSchema) -> Self {
        Self {
            partitioner: Partitioner::new(schema),
            indices: PartitionIndices::default(),
            told: 0,
            new: 0,
            known: None,
            known_names: None,
        }
    }

    /// Does not count the partitions that the table has.
    pub(crate) fn set_known(&mut self, known: KnownPartitions) {
        self.known = Some(known);
    }

    /// Assigns the rows of a batch; [`Self::ids`] are theirs then.
    ///
    /// # Errors
    /// `TooManyPartitions`; `WrongBatch`, should a row belong to none.
    pub(crate) fn assign(&mut self, batch: &RecordBatch, segments: &Segments) -> Result<(), TabletError> {
        let Some(partitioner) = &mut self.partitioner else { return Ok(()) };
        partitioner.assign_columns(batch.columns(), &mut self.indices)?;
        if self.indices.outside() > 0 {
            let row = self.indices.ids().iter().position(|id| *id == PartitionIndices::OUTSIDE);
            let row = row.unwrap_or_default();
            return Err(TabletError::WrongBatch(format!("its row {row} belongs to no partition")));
        }
        let are_made = !partitioner.can_reject();
        while let Some(partition) = self.partitioner.as_ref().and_then(|p| p.partition(self.told as u32)) {
            self.told += 1;
            let known = self.known_names.as_ref().is_some_and(|known| known.contains(&partition.name));
            self.new += usize::from(are_made && !known);
            let name = partition.name.clone();
            segments.add_partition(partition)?;
            if self.new > MAX_NEW_PARTITIONS {
                self.count_new(segments)?;
            }
            if self.new > MAX_NEW_PARTITIONS {
                return Err(TabletError::TooManyPartitions { limit: MAX_NEW_PARTITIONS, partition: name });
            }
        }
        Ok(())
    }

    /// Counts once more, now that it matters which ones the table has.
    fn count_new(&mut self, segments: &Segments) -> Result<(), TabletError> {
        let Some(known) = self.known.take() else { return Ok(()) };
        let names = known().map_err(|error| TabletError::Table(Box::new(error)))?;
        self.new = segments.count_partitions(|partition| !names.contains(&partition.name))?;
        self.known_names = Some(names);
        Ok(())
    }

    /// The partition of each row that was assigned last; `None`: the table has no partitions.
    pub(crate) fn ids(&self) -> Option<&[u32]> {
        self.partitioner.as_ref().map(|_| self.indices.ids())
    }
}
