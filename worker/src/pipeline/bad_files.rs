//! Files of a task that cannot be read, and what follows: the load ends, or goes on without them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use longshore_crds::{LoadRequest, OnFileError};

use crate::load::LoadFailure;

/// What a load does about files that cannot be read.
#[derive(Debug)]
pub enum BadFilePolicy {
    /// The first one ends it.
    Abort,
    /// They are left out, up to so many.
    Skip {
        /// Most files.
        limit: u32,
        /// Files so far.
        skipped: AtomicU32,
    },
    /// All of them are noted, whatever the load would do: a dry run.
    Note,
}

impl BadFilePolicy {
    /// What the request says; `skipped`: files that adopted tasks left out.
    pub fn of(request: &LoadRequest, skipped: u32) -> Self {
        if request.dry_run.is_some() {
            return Self::Note;
        }
        match request.on_file_error {
            OnFileError::Abort => Self::Abort,
            OnFileError::SkipFile => Self::Skip {
                limit: request.max_skipped_files.unwrap_or_default(),
                skipped: AtomicU32::new(skipped),
            },
        }
    }
}

/// The bad files of one task, by their place in it.
#[derive(Debug, Default)]
pub struct BadFiles {
    /// Set for those that nothing more is wanted of.
    flags: Vec<AtomicBool>,
    found: Mutex<BTreeMap<usize, LoadFailure>>,
    /// A row of a bad file was counted: what is being written is worthless.
    spoiled: AtomicBool,
}

impl BadFiles {
    /// Of so many files, those of `known` are bad: another round found them.
    pub fn new(files: usize, known: impl IntoIterator<Item = usize>) -> Self {
        let bad = Self { flags: (0..files).map(|_| AtomicBool::new(false)).collect(), ..Self::default() };
        known.into_iter().for_each(|file| bad.flags[file].store(true, Ordering::Relaxed));
        bad
    }

    /// Whether nothing more is wanted of a file.
    pub fn is_bad(&self, file: usize) -> bool {
        self.flags[file].load(Ordering::Acquire)
    }

    /// Whether a row of a bad file is among those written.
    pub fn is_spoiled(&self) -> bool {
        self.spoiled.load(Ordering::Relaxed)
    }

    /// Notes that rows of a bad file were counted.
    pub fn spoil(&self) {
        self.spoiled.store(true, Ordering::Relaxed);
    }

    /// A file failed. `Ok`: the load goes on without it; the error otherwise ends it.
    pub fn failed(
        &self,
        policy: &BadFilePolicy,
        file: usize,
        failure: LoadFailure,
    ) -> Result<(), LoadFailure> {
        if !failure.is_of_file() || matches!(policy, BadFilePolicy::Abort) {
            return Err(failure);
        }
        let mut found = self.lock();
        // Another part of it was first.
        if self.flags[file].swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        if let BadFilePolicy::Skip { limit, skipped } = policy
            && skipped.fetch_add(1, Ordering::Relaxed) >= *limit
        {
            return Err(LoadFailure::TooManySkippedFiles { limit: *limit, last: Box::new(failure) });
        }
        found.insert(file, failure);
        Ok(())
    }

    /// A file is left out by a policy of its own, whatever the one for bad files says; it is named all the same.
    pub fn leave_out(&self, file: usize, reason: LoadFailure) {
        let mut found = self.lock();
        if !self.flags[file].swap(true, Ordering::AcqRel) {
            found.insert(file, reason);
        }
    }

    /// What this round found.
    pub fn into_found(self) -> BTreeMap<usize, LoadFailure> {
        self.found.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// A panic of another thread leaves it consistent: each section changes it at its end.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<usize, LoadFailure>> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::SourceError;

    fn damaged() -> LoadFailure {
        SourceError::RangeOutside { object: "s3://b/k".to_owned(), start: 0, end: 9, size: 4 }.into()
    }

    fn skip(limit: u32) -> BadFilePolicy {
        BadFilePolicy::Skip { limit, skipped: AtomicU32::new(0) }
    }

    #[test]
    fn one_failure_a_file_is_kept_and_the_limit_counts_files() {
        let bad = BadFiles::new(4, [3]);
        let policy = skip(2);
        for file in [0, 0, 3, 1] {
            bad.failed(&policy, file, damaged()).unwrap();
        }
        let beyond = bad.failed(&policy, 2, damaged()).unwrap_err();
        assert_eq!(beyond.category(), "TooManySkippedFiles");
        assert!(beyond.to_string().contains("(2)") && beyond.to_string().contains("s3://b/k"), "{beyond}");
        assert_eq!(bad.into_found().into_keys().collect::<Vec<_>>(), [0, 1]);
    }

    #[test]
    fn what_is_no_files_fault_ends_the_load() {
        for policy in [skip(9), BadFilePolicy::Note, BadFilePolicy::Abort] {
            let bad = BadFiles::new(1, []);
            assert_eq!(bad.failed(&policy, 0, LoadFailure::Cancelled).unwrap_err().category(), "Terminated");
        }
        let bad = BadFiles::new(1, []);
        assert_eq!(bad.failed(&BadFilePolicy::Abort, 0, damaged()).unwrap_err().category(), "RangeOutside");
        assert!(!bad.is_bad(0));
    }
}
