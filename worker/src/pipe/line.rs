//! Files that wait for their batch, and which of them the next batch is made of: pure.

use std::collections::BTreeMap;

use longshore_crds::PipeRetry;
use longshore_storage::ledger::{FileEntry, FileKey};

/// Batches that were begun with a file and whose worker died, before that counts as a failure.
pub const DEATHS: u32 = 3;
/// Longest wait before a file is tried again, seconds.
const LONGEST_BACKOFF: u64 = 3_600;

/// A file that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Which file.
    pub key: FileKey,
    /// What the ledger knows of it.
    pub entry: FileEntry,
}

/// Bounds of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchLimits {
    /// Bytes after which it is cut.
    pub bytes: u64,
    /// Files at most, from 1.
    pub files: u32,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// These files are the next batch.
    Batch(Vec<Waiting>),
    /// Nothing until this instant, milliseconds since the epoch.
    At(u64),
    /// Nothing waits.
    Nothing,
}

/// The files that wait, as far as they are held in memory.
#[derive(Debug, Default)]
pub struct Line {
    /// Those of which no batch has failed, the one that waits longest first.
    fresh: BTreeMap<(u64, FileKey), Waiting>,
    /// Those of a batch that failed, by the number of its files.
    suspects: BTreeMap<u32, BTreeMap<FileKey, Waiting>>,
    /// Those that failed alone, by the instant of their next attempt.
    alone: BTreeMap<(u64, FileKey), Waiting>,
}

impl Line {
    /// Adds a file.
    pub fn add(&mut self, waiting: Waiting, retry: &PipeRetry) {
        let Waiting { key, entry } = &waiting;
        match entry.failed_with {
            0 => {
                self.fresh.insert((entry.staged_ms, key.clone()), waiting);
            }
            1 if entry.attempts > 0 => {
                self.alone.insert((due_ms(entry, retry), key.clone()), waiting);
            }
            files => {
                self.suspects.entry(files).or_default().insert(key.clone(), waiting);
            }
        }
    }

    /// Files in it.
    pub fn len(&self) -> usize {
        self.fresh.len() + self.alone.len() + self.suspects.values().map(BTreeMap::len).sum::<usize>()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// When the file was listed that waits longest, milliseconds since the epoch.
    pub fn oldest_ms(&self) -> Option<u64> {
        let suspects = self.suspects.values().flat_map(BTreeMap::values);
        let all = self.fresh.values().chain(self.alone.values()).chain(suspects);
        all.map(|waiting| waiting.entry.staged_ms).min()
    }

    /// Takes the files of the next batch. First what is due alone, for it is little and its turns are few; then
    /// half of a batch that failed, so that the bad file is cornered and the good ones are not held up by it; then
    /// what is new, in the order in which it was listed.
    pub fn next(&mut self, limits: BatchLimits, now_ms: u64) -> Next {
        if let Some(first) = self.alone.first_entry().filter(|first| first.key().0 <= now_ms) {
            return Next::Batch(vec![first.remove()]);
        }
        if let Some(batch) = self.half_of_a_failed_batch(limits) {
            return Next::Batch(batch);
        }
        let mut batch = Vec::new();
        let mut bytes = 0_u64;
        while let Some(first) = self.fresh.first_entry() {
            let more = bytes.saturating_add(first.get().entry.size);
            if !batch.is_empty() && (more > limits.bytes || batch.len() as u64 >= u64::from(limits.files)) {
                break;
            }
            bytes = more;
            batch.push(first.remove());
        }
        match self.alone.first_key_value() {
            _ if !batch.is_empty() => Next::Batch(batch),
            Some(((due, _), _)) => Next::At(*due),
            None => Next::Nothing,
        }
    }

    fn half_of_a_failed_batch(&mut self, limits: BatchLimits) -> Option<Vec<Waiting>> {
        let mut group = self.suspects.first_entry()?;
        let failed = *group.key();
        let half = (failed / 2).clamp(1, limits.files.max(1)) as usize;
        let members = group.get_mut();
        let mut batch = Vec::with_capacity(half);
        while batch.len() < half
            && let Some((_, waiting)) = members.pop_first()
        {
            batch.push(waiting);
        }
        if members.is_empty() {
            group.remove();
        }
        Some(batch)
    }

    /// Forgets everything: it is read from the ledger again.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

/// When a file that failed alone is tried again.
fn due_ms(entry: &FileEntry, retry: &PipeRetry) -> u64 {
    let doublings = entry.attempts.saturating_sub(1).min(12);
    let seconds = (u64::from(retry.backoff_seconds) << doublings).min(LONGEST_BACKOFF);
    entry.started_ms.saturating_add(seconds * 1_000)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RETRY: PipeRetry = PipeRetry { max_attempts: 3, backoff_seconds: 10 };

    fn waiting(number: u32, size: u64, failed_with: u32, attempts: u32) -> Waiting {
        let mut entry = FileEntry::staged(size, 0, u64::from(number));
        (entry.failed_with, entry.attempts, entry.started_ms) = (failed_with, attempts, 1_000);
        Waiting { key: FileKey::new("b", &format!("{number:06}"), "e"), entry }
    }

    fn line(files: impl IntoIterator<Item = Waiting>) -> Line {
        let mut line = Line::default();
        files.into_iter().for_each(|file| line.add(file, &RETRY));
        line
    }

    fn batch(line: &mut Line, limits: BatchLimits, now_ms: u64) -> Vec<String> {
        match line.next(limits, now_ms) {
            Next::Batch(files) => files.into_iter().map(|file| file.key.key.into()).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_batch_is_cut_by_bytes_and_files_and_a_large_file_is_one_of_its_own() {
        let limits = BatchLimits { bytes: 100, files: 3 };
        let mut line = line([5, 5, 5, 5, 200, 60, 60].iter().zip(0..).map(|(&s, n)| waiting(n, s, 0, 0)));
        let sizes: Vec<usize> = (0..5).map(|_| batch(&mut line, limits, 0).len()).collect();
        assert_eq!(sizes, [3, 1, 1, 1, 1]);
        assert_eq!(line.next(limits, 0), Next::Nothing);
    }

    #[test]
    fn a_file_that_failed_alone_waits_twice_as_long_each_time() {
        let limits = BatchLimits { bytes: 100, files: 3 };
        for (attempts, due) in [(1, 11_000), (2, 21_000), (3, 41_000), (40, 3_601_000)] {
            let mut line = line([waiting(1, 1, 1, attempts)]);
            assert_eq!(line.next(limits, 1_000), Next::At(due));
            assert_eq!(batch(&mut line, limits, due), ["000001"]);
        }
    }

    /// What a worker does with a line: batches with a bad file fail as a whole, the others load.
    fn work(files: u32, bad: &[u32], limits: BatchLimits) -> (u32, Vec<String>, u32) {
        let mut line = line((0..files).map(|number| waiting(number, 1, 0, 0)));
        let (mut loaded, mut given_up, mut batches, mut now) = (0, Vec::new(), 0, 0);
        loop {
            match line.next(limits, now) {
                Next::Nothing => return (loaded, given_up, batches),
                Next::At(due) => now = due,
                Next::Batch(members) => {
                    batches += 1;
                    assert!(members.len() as u32 <= limits.files);
                    let size = members.len() as u32;
                    let is_bad = |file: &Waiting| bad.iter().any(|bad| *file.key.key == format!("{bad:06}"));
                    if !members.iter().any(is_bad) {
                        loaded += size;
                        continue;
                    }
                    for mut file in members {
                        let entry = &mut file.entry;
                        entry.failed_with = match entry.failed_with {
                            0 => size,
                            before => before.min(size),
                        };
                        entry.attempts += u32::from(size == 1);
                        entry.started_ms = now;
                        if entry.attempts >= RETRY.max_attempts {
                            given_up.push(file.key.key.to_string());
                        } else {
                            line.add(file, &RETRY);
                        }
                    }
                }
            }
        }
    }

    proptest! {
        #[test]
        fn halving_leaves_the_bad_files_alone_and_loads_all_others(
            files in 1_u32..200,
            bad in prop::collection::btree_set(0_u32..200, 0..4),
            limit in 1_u32..70,
        ) {
            let bad: Vec<u32> = bad.into_iter().filter(|bad| *bad < files).collect();
            let (loaded, mut given_up, batches) = work(files, &bad, BatchLimits { bytes: 1 << 30, files: limit });
            given_up.sort();
            let expected: Vec<String> = bad.iter().map(|bad| format!("{bad:06}")).collect();
            prop_assert_eq!(given_up, expected);
            prop_assert_eq!(loaded, files - bad.len() as u32);
            // Each bad file costs its halvings and its attempts, whatever the number of files.
            let cost = files.div_ceil(limit) + bad.len() as u32 * (4 * (limit.ilog2() + 2) + RETRY.max_attempts);
            prop_assert!(batches <= cost, "{} batches, {} expected", batches, cost);
        }
    }
}
