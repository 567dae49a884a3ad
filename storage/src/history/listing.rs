//! What lies in the folder of the history, and which folded files tell it without gaps.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use super::names::{HistoryName, RecordName};
use super::{HISTORY_FOLDER, HistoryError};
use crate::durable::{DirectoryEntry, FileSystem, VolumeError};

/// A file of folded records by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FoldedFile {
    pub(crate) name: String,
    /// First version whose record would be in it.
    pub(crate) from: u64,
    /// Last version whose record would be in it.
    pub(crate) to: u64,
    pub(crate) bytes: u64,
}

impl FoldedFile {
    /// Whether another file holds all that this one holds. Of two with the same versions the one whose name
    /// comes first stays: every process decides alike, whatever else it sees, so one always stays.
    fn is_contained_in(&self, other: &Self) -> bool {
        let same = (other.from, other.to) == (self.from, self.to);
        other.from <= self.from && self.to <= other.to && (!same || other.name < self.name)
    }
}

/// A folded file with the versions that are read from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) file: FoldedFile,
    /// First version that is read from it; the last is the file's.
    pub(crate) from: u64,
}

/// Folded files that tell all versions from 0 on, without a gap.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Cover {
    pub(crate) parts: Vec<Part>,
    /// The first version that is not folded.
    pub(crate) next: u64,
}

/// One reading of the folder.
#[derive(Debug, Default)]
pub(crate) struct HistoryListing {
    pub(crate) folded: Vec<FoldedFile>,
    /// Records in files of their own: bytes and parts of the name, by name.
    pub(crate) records: BTreeMap<String, (u64, RecordName)>,
    /// Everything else.
    pub(crate) other: Vec<DirectoryEntry>,
}

/// How often the folder is listed again because it changed meanwhile.
const LOOKS: usize = 100;

impl HistoryListing {
    /// Lists the folder.
    ///
    /// readdir(3) is no snapshot: where a larger file takes the place of a smaller one meanwhile, one listing
    /// may show neither, and the history would seem to end before it. So it is listed until two listings in
    /// a row show the same folded files.
    pub(crate) fn read(files: &dyn FileSystem, root: &Path) -> Result<Self, HistoryError> {
        let mut listing = Self::read_once(files, root)?;
        for _ in 0..LOOKS {
            let again = Self::read_once(files, root)?;
            if again.has_folded_of(&listing) {
                return Ok(again);
            }
            listing = again;
        }
        Ok(listing)
    }

    fn has_folded_of(&self, other: &Self) -> bool {
        let names =
            |listing: &Self| listing.folded.iter().map(|file| file.name.clone()).collect::<BTreeSet<_>>();
        names(self) == names(other)
    }

    fn read_once(files: &dyn FileSystem, root: &Path) -> Result<Self, HistoryError> {
        let folder = root.join(HISTORY_FOLDER);
        let entries = match files.list(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(VolumeError::new("list", &folder, error).into()),
        };
        let mut listing = Self::default();
        for entry in entries {
            match HistoryName::parse(&entry.name) {
                HistoryName::Folded { from, to } if !entry.is_dir => {
                    listing.folded.push(FoldedFile { name: entry.name, from, to, bytes: entry.size });
                }
                HistoryName::Record(name) if !entry.is_dir => {
                    listing.records.insert(entry.name, (entry.size, name));
                }
                _ => listing.other.push(entry),
            }
        }
        Ok(listing)
    }

    /// The fewest files that tell the versions from 0 on.
    pub(crate) fn cover(&self) -> Cover {
        let mut cover = Cover::default();
        loop {
            let next = cover.next;
            let reaching = self.folded.iter().filter(|file| file.from <= next && file.to >= next);
            let farthest = reaching.max_by(|a, b| (a.to, &b.from, &b.name).cmp(&(b.to, &a.from, &a.name)));
            let Some(file) = farthest else { return cover };
            cover.parts.push(Part { file: file.clone(), from: next });
            cover.next = file.to + 1;
        }
    }

    /// Folded files that another one holds.
    pub(crate) fn contained(&self) -> impl Iterator<Item = &FoldedFile> {
        self.folded.iter().filter(|file| self.folded.iter().any(|other| file.is_contained_in(other)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn listing(ranges: &[(u64, u64)]) -> HistoryListing {
        let file = |(at, (from, to)): (usize, &(u64, u64))| FoldedFile {
            name: format!("{at:03}"),
            from: *from,
            to: *to,
            bytes: 0,
        };
        HistoryListing { folded: ranges.iter().enumerate().map(file).collect(), ..HistoryListing::default() }
    }

    fn told(cover: &Cover) -> Vec<(u64, u64)> {
        cover.parts.iter().map(|part| (part.from, part.file.to)).collect()
    }

    #[test]
    fn files_follow_one_another_up_to_the_first_gap() {
        assert_eq!(listing(&[]).cover().next, 0);
        assert_eq!(listing(&[(5, 9)]).cover().next, 0);
        let cover = listing(&[(0, 4), (5, 9), (11, 12)]).cover();
        assert_eq!((told(&cover), cover.next), (vec![(0, 4), (5, 9)], 10));
        // A larger file stands for those that it was made of, and overlapping ones are not told twice.
        let cover = listing(&[(0, 4), (5, 9), (0, 9), (3, 12)]).cover();
        assert_eq!((told(&cover), cover.next), (vec![(0, 9), (10, 12)], 13));
    }

    proptest! {
        /// Processes that each see only a part of the folder, and remove what they find contained, never
        /// lose a version between them.
        #[test]
        fn removing_contained_files_keeps_what_is_told(
            ranges in prop::collection::vec((0_u64..12, 0_u64..6), 1..9),
            seen in prop::collection::vec(any::<u16>(), 1..5),
        ) {
            let ranges: Vec<_> = ranges.into_iter().map(|(from, more)| (from, from + more)).collect();
            let all = listing(&ranges);
            let mut left = all.folded.clone();
            for mask in seen {
                let folded = all.folded.iter().enumerate().filter(|(at, _)| mask & (1 << at) != 0);
                let part =
                    HistoryListing { folded: folded.map(|(_, f)| f.clone()).collect(), ..Default::default() };
                let gone: Vec<String> = part.contained().map(|file| file.name.clone()).collect();
                left.retain(|file| !gone.contains(&file.name));
            }
            let left = HistoryListing { folded: left, ..Default::default() };
            prop_assert_eq!(left.cover().next, all.cover().next);
        }
    }
}
