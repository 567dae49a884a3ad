//! What an overwrite removes: the files in its scope, at the version on which it is committed.

use std::collections::{BTreeMap, BTreeSet};

use super::{CommitError, OverwriteScope};
use crate::load::Segment;
use crate::log::actions::{Add, Remove};
use crate::log::files::{partition_of, remove_of, rows_of};
use crate::log::follow::FileSet;

/// Which files an overwrite replaces.
#[derive(Debug)]
enum Scope {
    /// All of them, of other engines too.
    All,
    /// Those of these partitions; `named`: a person named them.
    Partitions { partitions: BTreeSet<String>, named: bool },
}

/// The files in the scope of an overwrite.
#[derive(Debug)]
pub(super) struct Scoped {
    scope: Scope,
    /// By path, with the rows as their only statistics.
    files: BTreeMap<String, Add>,
    /// Files of other engines, if they are in no scope.
    foreign: BTreeSet<String>,
    /// Partitions of the new segments.
    new: BTreeSet<String>,
}

impl Scoped {
    pub(super) fn new(scope: &OverwriteScope, segments: &[Segment]) -> Self {
        let new: BTreeSet<String> = segments.iter().map(|segment| segment.partition.clone()).collect();
        let scope = match scope {
            OverwriteScope::Table => Scope::All,
            OverwriteScope::Partitions(names) => {
                Scope::Partitions { partitions: names.iter().cloned().collect(), named: true }
            }
            OverwriteScope::Dynamic => Scope::Partitions { partitions: new.clone(), named: false },
        };
        Self { scope, files: BTreeMap::new(), foreign: BTreeSet::new(), new }
    }

    /// Says why the overwrite cannot be. A named partition is known if a file is in it, if the table's
    /// definition names it, or if the load has rows for it.
    pub(super) fn check(&self, label: &str, declared: &[&str]) -> Result<(), CommitError> {
        let Scope::Partitions { partitions, named } = &self.scope else { return Ok(()) };
        if let Some(path) = self.foreign.first() {
            return Err(CommitError::ForeignFiles { label: label.to_owned(), path: path.clone() });
        }
        if !named {
            return Ok(());
        }
        let occupied: BTreeSet<&str> = self.files.values().filter_map(partition_of).collect();
        let known =
            |name: &str| occupied.contains(name) || self.new.contains(name) || declared.contains(&name);
        // First of all: whoever mistypes a name has rows for another partition as well.
        if let Some(partition) = partitions.iter().find(|name| !known(name)) {
            let (label, partition) = (label.to_owned(), partition.clone());
            return Err(CommitError::UnknownPartition { label, partition });
        }
        match self.new.difference(partitions).next() {
            None => Ok(()),
            Some(partition) => {
                let (label, partition) = (label.to_owned(), partition.clone());
                Err(CommitError::PartitionOutOfScope { label, partition })
            }
        }
    }

    /// Rows of all files in scope, as far as their statistics tell.
    pub(super) fn rows(&self) -> u64 {
        self.files.values().filter_map(|add| add.stats.as_deref()).map(rows_of).sum()
    }

    /// The removes of all files in scope.
    pub(super) fn removes(&self, deletion_timestamp: i64) -> Vec<Remove> {
        self.files.values().map(|add| remove_of(add, deletion_timestamp, true)).collect()
    }
}

impl FileSet for Scoped {
    fn clear(&mut self) {
        self.files.clear();
        self.foreign.clear();
    }

    fn add(&mut self, add: Add) {
        let is_in = match (&self.scope, partition_of(&add)) {
            (Scope::All, _) => true,
            (Scope::Partitions { partitions, .. }, Some(partition)) => partitions.contains(partition),
            (Scope::Partitions { .. }, None) => {
                self.foreign.insert(add.path);
                return;
            }
        };
        if is_in {
            let rows = add.stats.as_deref().map(|stats| format!(r#"{{"numRecords":{}}}"#, rows_of(stats)));
            self.files.insert(add.path.clone(), Add { stats: rows, ..add });
        }
    }

    fn remove(&mut self, path: &str) {
        self.files.remove(path);
        self.foreign.remove(path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::files::add_of;

    fn segment(partition: &str, name: &str) -> Segment {
        Segment {
            path: format!("{partition}/b-00000/{name}.parquet"),
            partition: partition.to_owned(),
            partition_values: BTreeMap::new(),
            bucket: 0,
            rows: 1,
            bytes: 10,
            modified_ms: 5,
            stats: r#"{"numRecords":1}"#.to_owned(),
        }
    }

    fn partitions(names: &[&str]) -> OverwriteScope {
        OverwriteScope::Partitions(names.iter().map(|name| (*name).to_owned()).collect())
    }

    /// Files x in p-a, y in p-b, and what else is given.
    fn scoped(scope: &OverwriteScope, segments: &[Segment], foreign: Option<&str>) -> Scoped {
        let mut scoped = Scoped::new(scope, segments);
        scoped.add(add_of(&segment("p-a", "x"), Some("l")));
        scoped.add(add_of(&segment("p-b", "y"), Some("l")));
        if let Some(path) = foreign {
            let mut add = add_of(&segment("", "z"), None);
            (add.path, add.tags) = (path.to_owned(), None);
            scoped.add(add);
        }
        scoped
    }

    fn removed(scoped: &Scoped) -> Vec<String> {
        scoped.removes(7).into_iter().map(|remove| remove.path).collect()
    }

    fn refused(scoped: &Scoped) -> &'static str {
        scoped.check("l", &["p-declared"]).map_or_else(|e| e.category(), |()| "fine")
    }

    #[test]
    fn the_scope_says_what_goes() {
        let new = [segment("p-b", "n")];
        assert_eq!(
            removed(&scoped(&OverwriteScope::Table, &new, Some("other"))),
            ["other", "p-a/b-00000/x.parquet", "p-b/b-00000/y.parquet"]
        );
        assert_eq!(removed(&scoped(&OverwriteScope::Dynamic, &new, None)), ["p-b/b-00000/y.parquet"]);
        assert_eq!(removed(&scoped(&partitions(&["p-a"]), &[], None)), ["p-a/b-00000/x.parquet"]);
        assert!(removed(&scoped(&OverwriteScope::Dynamic, &[], None)).is_empty());
    }

    #[test]
    fn a_file_that_went_is_not_removed_again() {
        let mut scoped = scoped(&OverwriteScope::Table, &[], None);
        scoped.remove("p-a/b-00000/x.parquet");
        assert_eq!(removed(&scoped), ["p-b/b-00000/y.parquet"]);
        scoped.clear();
        assert!(removed(&scoped).is_empty());
    }

    #[test]
    fn what_a_remove_says_comes_from_its_file() {
        let remove = &scoped(&partitions(&["p-a"]), &[], None).removes(7)[0];
        assert_eq!((remove.deletion_timestamp, remove.size, remove.data_change), (Some(7), Some(10), true));
        assert_eq!(remove.extended_file_metadata, Some(true));
        assert_eq!(remove.tags, add_of(&segment("p-a", "x"), Some("l")).tags);
    }

    #[test]
    fn partitions_that_are_not_known_rows_outside_and_files_of_others_are_refused() {
        let new = [segment("p-new", "n")];
        assert_eq!(refused(&scoped(&partitions(&["p-a", "p-x"]), &[], None)), "UnknownPartition");
        assert_eq!(refused(&scoped(&partitions(&["p-a", "p-declared"]), &[], None)), "fine");
        assert_eq!(refused(&scoped(&partitions(&["p-new"]), &new, None)), "fine");
        assert_eq!(refused(&scoped(&partitions(&["p-a"]), &new, None)), "PartitionOutOfScope");
        assert_eq!(refused(&scoped(&partitions(&["p-a"]), &[], Some("other"))), "ForeignFiles");
        assert_eq!(refused(&scoped(&OverwriteScope::Dynamic, &new, Some("other"))), "ForeignFiles");
        assert_eq!(refused(&scoped(&OverwriteScope::Table, &new, Some("other"))), "fine");
    }
}
