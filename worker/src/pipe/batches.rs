//! Cutting batches: by files and bytes, and smaller and smaller around a file that cannot be loaded.
//!
//! A batch that fails leaves each of its files with the number of files that failed together. Those go into batches of
//! their own, of half as many at most, until the bad one stands alone; the others are loaded on the way.
//! All of it follows from what the ledger keeps, so a restart changes nothing.

use longshore_storage::ledger::{BatchId, FileEntry, FileState};

/// Starts without an outcome after which a batch counts as failed: its worker dies of it.
pub const MOST_STARTS: u32 = 3;

/// How large a batch may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchLimits {
    /// Files, from 1.
    pub files: u32,
    /// Bytes; a larger file is a batch of its own.
    pub bytes: u64,
}

/// A file that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting<K> {
    /// Which file it is.
    pub key: K,
    /// Bytes.
    pub size: u64,
    /// Files of the smallest batch that failed with it; 0: none did.
    pub failed_with: u32,
    /// The batch that it was in last.
    pub batch: BatchId,
    /// Not to be tried before (milliseconds since the epoch).
    pub not_before_ms: u64,
}

impl<K> Waiting<K> {
    /// A file as the ledger knows it; `None`: it does not wait.
    pub fn of(key: K, entry: &FileEntry, not_before_ms: u64) -> Option<Self> {
        (entry.state == FileState::Unloaded).then_some(Self {
            key,
            size: entry.size,
            failed_with: entry.failed_with,
            batch: entry.batch,
            not_before_ms,
        })
    }
}

/// Which files have their turn.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Turn {
    /// Those that were in no batch that failed.
    #[default]
    Fresh,
    /// Those that were.
    Suspect,
}

impl Turn {
    /// The other one: they take turns, so that neither waits for all of the other.
    pub fn next(self) -> Self {
        match self {
            Self::Fresh => Self::Suspect,
            Self::Suspect => Self::Fresh,
        }
    }
}

/// The next batch, as places in `waiting`, in its order; empty: no file may be tried now. Those whose turn it is come
/// first, the others if there is none.
pub fn next_batch<K>(waiting: &[Waiting<K>], limits: BatchLimits, turn: Turn, now_ms: u64) -> Vec<usize> {
    let batch = batch_of(waiting, limits, turn, now_ms);
    if batch.is_empty() { batch_of(waiting, limits, turn.next(), now_ms) } else { batch }
}

fn batch_of<K>(waiting: &[Waiting<K>], limits: BatchLimits, turn: Turn, now_ms: u64) -> Vec<usize> {
    let ready = waiting.iter().enumerate().filter(|(_, file)| file.not_before_ms <= now_ms);
    match turn {
        Turn::Fresh => fill(ready.filter(|(_, file)| file.failed_with == 0), limits),
        Turn::Suspect => {
            let mut suspects = ready.filter(|(_, file)| file.failed_with > 0);
            let Some(first) = suspects.next() else { return Vec::new() };
            let (batch, failed_with) = (first.1.batch, first.1.failed_with);
            // Only those that failed together, so that the half that is good is found to be.
            let together =
                suspects.filter(|(_, file)| (file.batch, file.failed_with) == (batch, failed_with));
            let files = failed_with.div_ceil(2).min(limits.files);
            fill(std::iter::once(first).chain(together), BatchLimits { files, ..limits })
        }
    }
}

fn fill<'a, K: 'a>(files: impl Iterator<Item = (usize, &'a Waiting<K>)>, limits: BatchLimits) -> Vec<usize> {
    let mut batch = Vec::new();
    let mut bytes = 0_u64;
    for (at, file) in files {
        let with = bytes.checked_add(file.size).filter(|with| *with <= limits.bytes);
        if !batch.is_empty() && (with.is_none() || batch.len() >= limits.files as usize) {
            break;
        }
        bytes = with.unwrap_or(u64::MAX);
        batch.push(at);
    }
    batch
}

/// Whether a file whose batch was begun so often, without anyone saying how it ended, counts as failed.
pub fn kills_its_worker(entry: &FileEntry) -> bool {
    entry.state == FileState::Unloaded && entry.starts >= MOST_STARTS
}

/// Whether a file that failed is given up: it stood alone, as often as it may.
pub fn is_given_up(entry: &FileEntry, max_attempts: u32) -> bool {
    entry.state == FileState::Unloaded && entry.failed_with == 1 && entry.attempts >= max_attempts
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use longshore_storage::ledger::{FileEvent, FileFault};
    use proptest::prelude::*;

    use super::*;

    fn waiting(sizes: &[u64]) -> Vec<Waiting<usize>> {
        let file = |(key, size): (usize, &u64)| Waiting {
            key,
            size: *size,
            failed_with: 0,
            batch: BatchId::default(),
            not_before_ms: 0,
        };
        sizes.iter().enumerate().map(file).collect()
    }

    #[test]
    fn a_batch_ends_at_its_files_or_its_bytes() {
        let cut = |sizes: &[u64], files, bytes| {
            next_batch(&waiting(sizes), BatchLimits { files, bytes }, Turn::Fresh, 0)
        };
        assert_eq!(cut(&[1, 1, 1], 2, 100), [0, 1]);
        assert_eq!(cut(&[60, 40, 1], 9, 100), [0, 1]);
        assert_eq!(cut(&[60, 41, 1], 9, 100), [0], "a batch keeps to its bytes");
        assert_eq!(cut(&[500, 1], 9, 100), [0], "a larger file is a batch of its own");
        assert_eq!(cut(&[], 9, 100), [0; 0]);
        assert_eq!(cut(&[u64::MAX, u64::MAX], 9, u64::MAX), [0]);
    }

    #[test]
    fn a_file_that_waits_for_its_next_try_holds_no_one_up() {
        let mut files = waiting(&[1, 1, 1]);
        (files[0].failed_with, files[0].not_before_ms) = (1, 10);
        let limits = BatchLimits { files: 9, bytes: 9 };
        assert_eq!(next_batch(&files, limits, Turn::Suspect, 9), [1, 2]);
        assert_eq!(next_batch(&files, limits, Turn::Suspect, 10), [0]);
        assert_eq!(next_batch(&files, limits, Turn::Fresh, 10), [1, 2]);
    }

    /// What a bad file does.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Bad {
        /// Its batch fails.
        Fails,
        /// Its batch kills the worker.
        Kills,
    }

    /// Runs batches until nothing waits; gives what became of the files and how many batches were begun.
    fn run(
        sizes: &[u64],
        bad: &BTreeMap<usize, Bad>,
        limits: BatchLimits,
        attempts: u32,
    ) -> (Vec<FileEntry>, u32) {
        let mut files: Vec<FileEntry> = sizes.iter().map(|size| FileEntry::staged(*size, 0, 0)).collect();
        let (mut turn, mut number) = (Turn::default(), 0);
        let fault = |category: &str| FileFault { category: category.to_owned(), message: String::new() };
        loop {
            let waiting: Vec<_> =
                files.iter().enumerate().filter_map(|(at, entry)| Waiting::of(at, entry, 0)).collect();
            let cut = next_batch(&waiting, limits, turn, 0);
            turn = turn.next();
            if cut.is_empty() {
                return (files, number);
            }
            number += 1;
            let batch = BatchId { number, epoch: 1 };
            let members: Vec<usize> = cut.iter().map(|at| waiting[*at].key).collect();
            let mut happens = |at: usize, event: &FileEvent| {
                files[at] = FileEntry::after(Some(&files[at]), event).unwrap_or_else(|| files[at].clone());
            };
            members.iter().for_each(|at| happens(*at, &FileEvent::Started { batch, now_ms: 0 }));
            let kind = members.iter().filter_map(|at| bad.get(at)).max_by_key(|bad| **bad == Bad::Kills);
            let events = match kind {
                None => vec![FileEvent::Finished { batch, version: 1, size: 1, rows: 1, now_ms: 0 }],
                Some(Bad::Kills) => vec![FileEvent::Lost],
                Some(Bad::Fails) => {
                    vec![FileEvent::Failed { files: members.len() as u32, fault: fault("Damaged") }]
                }
            };
            members.iter().for_each(|at| events.iter().for_each(|event| happens(*at, event)));
            // What the loop makes of it.
            if members.iter().any(|at| kills_its_worker(&files[*at])) {
                let failed = FileEvent::Failed { files: members.len() as u32, fault: fault("WorkerDied") };
                for at in &members {
                    files[*at] =
                        FileEntry::after(Some(&files[*at]), &failed).unwrap_or_else(|| files[*at].clone());
                }
            }
            for at in members {
                if is_given_up(&files[at], attempts) {
                    let given_up = FileEvent::GivenUp { fault: fault("Damaged"), now_ms: 0 };
                    files[at] = FileEntry::after(Some(&files[at]), &given_up).unwrap();
                }
            }
        }
    }

    #[test]
    fn a54_one_bad_file_among_256_ends_alone_in_error() {
        let limits = BatchLimits { files: 256, bytes: u64::MAX };
        for bad in [Bad::Fails, Bad::Kills] {
            let (files, batches) = run(&[1; 256], &BTreeMap::from([(77, bad)]), limits, 5);
            let error: Vec<usize> = (0..256).filter(|at| files[*at].state == FileState::Error).collect();
            assert_eq!(error, [77], "{bad:?}");
            assert_eq!(files.iter().filter(|file| file.state == FileState::Finished).count(), 255);
            // 256, 128, …, 1 with the bad one, as many without it, and its own attempts.
            let most = if bad == Bad::Fails { 8 + 8 + 5 } else { 3 * (9 + 5) + 8 };
            assert!(batches <= most, "{bad:?}: {batches} batches");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

        #[test]
        fn bad_files_end_in_error_and_all_others_are_loaded(
            sizes in prop::collection::vec(0_u64..100, 1..120),
            bad in prop::collection::btree_map(
                0_usize..120, prop_oneof![Just(Bad::Fails), Just(Bad::Kills)], 0..6
            ),
            files in 1_u32..40,
            bytes in 1_u64..1_000,
            attempts in 1_u32..4,
        ) {
            let bad: BTreeMap<usize, Bad> = bad.into_iter().filter(|(at, _)| *at < sizes.len()).collect();
            let (ended, batches) = run(&sizes, &bad, BatchLimits { files, bytes }, attempts);
            for (at, file) in ended.iter().enumerate() {
                let expected = if bad.contains_key(&at) { FileState::Error } else { FileState::Finished };
                prop_assert_eq!(file.state, expected, "file {}", at);
                // Nothing is given up before it was tried alone, as often as was asked.
                prop_assert!(expected == FileState::Finished || file.attempts == attempts);
            }
            let halvings = files.ilog2() + 2;
            let most = sizes.len() as u32 + bad.len() as u32 * 3 * (attempts + 2 * halvings);
            prop_assert!(batches <= most, "{} batches, {} at most", batches, most);
        }
    }
}
