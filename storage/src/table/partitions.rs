//! The partitions of a version.

use std::collections::{BTreeMap, BTreeSet};

use super::{Table, TableError, Totals};
use crate::load::Segment;
use crate::schema::{MAX_NEW_PARTITIONS, PartitionBy};

/// A partition of a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionSummary {
    /// Name.
    pub name: String,
    /// Values by column, as text; absent: NULL. Empty for ranges and lists.
    pub values: BTreeMap<String, Option<String>>,
    /// What its files hold.
    pub totals: Totals,
}

impl Table {
    /// The partitions that have files at this version, by name; like [`segments`](Self::segments), without
    /// keeping the files. A table without partitions, and files of other engines, have the name "".
    pub fn partitions(&self) -> Result<Vec<PartitionSummary>, TableError> {
        let mut partitions = BTreeMap::<String, PartitionSummary>::new();
        self.visit_segments(|segment| {
            let summary = match partitions.get_mut(&segment.partition) {
                Some(summary) => summary,
                None => {
                    let (name, values) = (segment.partition.clone(), segment.partition_values);
                    let new = PartitionSummary { name, values, totals: Totals::default() };
                    partitions.entry(segment.partition).or_insert(new)
                }
            };
            summary.totals.add(segment.rows, segment.bytes);
        })?;
        Ok(partitions.into_values().collect())
    }

    /// Names of the partitions that have files at this version.
    pub fn partition_names(&self) -> Result<BTreeSet<String>, TableError> {
        let mut names = BTreeSet::new();
        self.visit_segments(|segment| {
            if !names.contains(&segment.partition) {
                names.insert(segment.partition);
            }
        })?;
        Ok(names)
    }

    /// A partition that a load of these files would bring beyond [`MAX_NEW_PARTITIONS`] new ones; `None`: it
    /// may be committed. The list of files is read only for a load of more partitions than that.
    pub fn partition_beyond_limit<'a>(
        &self,
        segments: impl IntoIterator<Item = &'a Segment>,
    ) -> Result<Option<String>, TableError> {
        if !matches!(self.schema().definition().partition_by, PartitionBy::Expression(_)) {
            return Ok(None);
        }
        let mut names: BTreeSet<&str> = segments.into_iter().map(|s| s.partition.as_str()).collect();
        if names.len() > MAX_NEW_PARTITIONS {
            let known = self.partition_names()?;
            names.retain(|name| !known.contains(*name));
        }
        Ok(names.into_iter().nth(MAX_NEW_PARTITIONS).map(str::to_owned))
    }
}
