//! Following the files of a table from version to version: the first look reads all of them, later looks
//! only what was committed since. So an operation that depends on them is not starved by faster writers.

use super::actions::Add;
use super::error::TableError;
use super::head::Head;

/// What an operation keeps of the files.
pub(crate) trait FileSet {
    /// Forgets everything.
    fn clear(&mut self);
    /// A file is in the table.
    fn add(&mut self, add: Add);
    /// The file with this (encoded) path is no more in the table.
    fn remove(&mut self, path: &str);
}

/// A set of files, and the versions that went into it.
#[derive(Debug)]
pub(crate) struct Followed<S> {
    set: S,
    /// First version after the checkpoint that was read, and the version to read next.
    read: Option<(u64, u64)>,
}

impl<S: FileSet> Followed<S> {
    pub(crate) fn new(set: S) -> Self {
        Self { set, read: None }
    }

    /// Brings the set to the version of the head. `None`: the commits after its checkpoint were cleaned
    /// meanwhile, the head must be reopened.
    pub(crate) fn at(&mut self, head: &Head) -> Result<Option<&mut S>, TableError> {
        let read = self.read_to(head);
        // Also after an error: a commit may have vanished under the reader.
        match (head.check_not_expired(), read) {
            (Ok(()), Ok(())) => Ok(Some(&mut self.set)),
            (Err(TableError::SnapshotExpired { .. }), _) => {
                self.read = None;
                Ok(None)
            }
            (_, Err(error)) | (Err(error), _) => {
                self.read = None;
                Err(error)
            }
        }
    }

    fn read_to(&mut self, head: &Head) -> Result<(), TableError> {
        let tail = head.tail();
        match self.read {
            // The same checkpoint: nothing that was read can have been cleaned.
            Some((start, next)) if start == tail.start && next <= tail.end => {
                for version in next..tail.end {
                    head.log().for_each_action(version, |action| {
                        if let Some(remove) = action.remove {
                            self.set.remove(&remove.path);
                        }
                        if let Some(add) = action.add {
                            head.refuse_deletion_vector(&add)?;
                            self.set.add(add);
                        }
                        Ok(())
                    })?;
                }
            }
            _ => {
                self.set.clear();
                let touched = head.touched()?;
                head.visit_files(&touched, |add| {
                    self.set.add(add);
                    Ok(())
                })?;
            }
        }
        self.read = Some((tail.start, tail.end));
        Ok(())
    }
}
