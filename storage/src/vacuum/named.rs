//! Which files the versions name, in a few bytes each.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::log::TableError;
use crate::log::files::decode_path;
use crate::log::head::Head;

/// Paths by their hashes: of two with the same hash both are taken for named, so the rarer fault costs
/// space, never a file.
#[derive(Debug, Default)]
struct Paths(Vec<u64>);

impl Paths {
    fn add(&mut self, path: &str) {
        self.0.push(hash(path));
    }

    fn seal(&mut self) {
        self.0.sort_unstable();
        self.0.dedup();
        self.0.shrink_to_fit();
    }

    fn contains(&self, path: &str) -> bool {
        self.0.binary_search(&hash(path)).is_ok()
    }
}

fn hash(path: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    path.hash(&mut hasher);
    hasher.finish()
}

/// The files that a version, or whoever reads an older one, may need.
#[derive(Debug, Default)]
pub(super) struct Named {
    /// In the version, or removed within the retention time.
    needed: Paths,
    /// Removed longer ago.
    expired: Paths,
}

/// What the log says of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// A version, or a snapshot of one, needs it.
    Needed,
    /// A version removed it, longer ago than the retention time.
    Expired,
    /// No version that the log still tells of names it.
    Unnamed,
}

impl Named {
    pub(super) fn read(head: &Head, retention: Duration) -> Result<Self, TableError> {
        let mut named = Self::default();
        let touched = head.touched()?;
        head.visit_files(&touched, |add| {
            named.needed.add(&decode_path(&add.path));
            Ok(())
        })?;
        let until = SystemTime::now().checked_sub(retention).unwrap_or(UNIX_EPOCH);
        let until = until.duration_since(UNIX_EPOCH).unwrap_or_default();
        let until = i64::try_from(until.as_millis()).unwrap_or(i64::MAX);
        head.visit_removed(&touched, |remove| {
            let path = decode_path(&remove.path);
            if remove.deletion_timestamp.unwrap_or(0) <= until {
                named.expired.add(&path);
            } else {
                named.needed.add(&path);
            }
            Ok(())
        })?;
        head.check_not_expired()?;
        named.needed.seal();
        named.expired.seal();
        Ok(named)
    }

    pub(super) fn standing(&self, path: &str) -> Standing {
        if self.needed.contains(path) {
            Standing::Needed
        } else if self.expired.contains(path) {
            Standing::Expired
        } else {
            Standing::Unnamed
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hundred_thousand_files_are_less_than_a_megabyte() {
        let mut paths = Paths::default();
        for number in 0..100_000 {
            paths.add(&format!(
                "b-{:05}/d618fb157a4b382e-1-1-0-{number}-f3c0ab920d2d234c.parquet",
                number % 8
            ));
        }
        paths.seal();
        assert!(paths.0.capacity() * size_of::<u64>() <= 800_000);
        assert!(paths.contains("b-00007/d618fb157a4b382e-1-1-0-7-f3c0ab920d2d234c.parquet"));
        assert!(!paths.contains("b-00007/d618fb157a4b382e-1-1-0-8-f3c0ab920d2d234c.parquet"));
    }
}
