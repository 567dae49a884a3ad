//! Reading the history: what is folded, then the records that the newest commits name.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::entry::{HistoryEntry, NamedRecord, Naming};
use super::folded::{FoldedReader, FoldedRecords};
use super::listing::{FoldedFile, HistoryListing};
use super::record::{HistoryRecord, RecordReference, parse_document, read_document};
use super::{HISTORY_FOLDER, HistoryError};
use crate::durable::FileSystem;
use crate::log::TableError;
use crate::log::head::Head;

/// How often the folder is read again because what it showed was folded meanwhile.
const LOOKS: usize = 100;

/// Which part of the history to read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HistoryFilter {
    /// Only this label; none: all.
    pub label: Option<String>,
    /// Only labels that begin with this; none: all.
    pub label_prefix: Option<String>,
    /// First version.
    pub from_version: u64,
    /// Last version; none: the one that was read.
    pub to_version: Option<u64>,
}

/// The folded history, open: it can be read even when other processes fold on.
pub(crate) struct OpenHistory {
    /// Files with the first and the last version that is read from each.
    parts: Vec<(FoldedReader, u64, u64)>,
    /// The first version that is not folded.
    pub(crate) next: u64,
}

impl OpenHistory {
    pub(crate) fn open(files: &dyn FileSystem, root: &Path) -> Result<Self, HistoryError> {
        let mut looks = 0;
        loop {
            let cover = HistoryListing::read(files, root)?.cover();
            let open = |part: &super::listing::Part| {
                open_cover(files, root, &part.file).map(|reader| (reader, part.from, part.file.to))
            };
            match cover.parts.iter().map(open).collect::<Result<Vec<_>, _>>() {
                Ok(parts) => return Ok(Self { parts, next: cover.next }),
                // It was folded into another one between the two calls.
                Err(HistoryError::Missing { .. }) if looks < LOOKS => looks += 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// The record of the commit that loaded a label under a claim.
    pub(crate) fn load_of(
        &self,
        label: &str,
        run: u32,
        attempt: u32,
    ) -> Result<Option<NamedRecord>, HistoryError> {
        // The newest first: whoever asks has mostly just loaded.
        for (reader, ..) in self.parts.iter().rev() {
            for record in reader.records_of(label)? {
                let record = record?;
                let naming = &record.naming;
                if naming.loads && (naming.run, naming.attempt) == (run, attempt) {
                    return Ok(Some(record));
                }
            }
        }
        Ok(None)
    }

    /// The folded record that lay at a path.
    pub(crate) fn record_at(&self, path: &str) -> Result<Option<NamedRecord>, HistoryError> {
        for (reader, ..) in self.parts.iter().rev() {
            if let Some(record) = reader.record_at(path)? {
                return Ok(Some(record));
            }
        }
        Ok(None)
    }

    /// The folded records of `from..=to`, in order; those of a file end with its first error, and the next
    /// file follows.
    pub(crate) fn records(
        &self,
        from: u64,
        to: u64,
    ) -> impl Iterator<Item = Result<NamedRecord, HistoryError>> {
        let parts = self.parts.iter().filter(move |(_, first, last)| *first <= to && *last >= from);
        parts.flat_map(move |(reader, first, last)| {
            let (records, error) = match reader.records((*first).max(from), (*last).min(to)) {
                Ok(records) => (Some(records), None),
                Err(error) => (None, Some(Err(error))),
            };
            records.into_iter().flatten().chain(error)
        })
    }
}

/// Opens one folded file; `Missing`: it is gone.
pub(super) fn open_cover(
    files: &dyn FileSystem,
    root: &Path,
    file: &FoldedFile,
) -> Result<FoldedReader, HistoryError> {
    let path = root.join(HISTORY_FOLDER).join(&file.name);
    FoldedReader::open(files, &path).map_err(|error| match error.io_kind() {
        io::ErrorKind::NotFound => HistoryError::Missing { path },
        _ => error.into(),
    })
}

/// What the commit of a version says of its record; `None`: it names none.
pub(crate) fn naming_of(head: &Head, version: u64) -> Result<Option<Naming>, TableError> {
    match head.log().read_info(version)? {
        Some(info) => Ok(Naming::of(version, info)),
        None => Err(TableError::damaged(
            head.log().path(),
            format!("version {version} is missing, and its history is not folded"),
        )),
    }
}

/// The record that the commit of a version names, wherever it lies by now.
pub(crate) fn record_of(
    files: &dyn FileSystem,
    root: &Path,
    version: u64,
    reference: &RecordReference,
) -> Result<HistoryRecord, HistoryError> {
    let path = root.join(&reference.path);
    parse_document(&document_of(files, root, version, reference)?, &path)
}

fn document_of(
    files: &dyn FileSystem,
    root: &Path,
    version: u64,
    reference: &RecordReference,
) -> Result<Vec<u8>, HistoryError> {
    let mut looks = 0;
    loop {
        let missing = match read_document(files, root, reference) {
            Err(error @ HistoryError::Missing { .. }) => error,
            other => return other,
        };
        let history = OpenHistory::open(files, root)?;
        match history.record_at(&reference.path)? {
            Some(record) if record.naming.reference == *reference => return Ok(record.document),
            // It is gone from its own file because it is folded, only the listing did not show where.
            None if history.next <= version && looks < LOOKS => looks += 1,
            _ => return Err(missing),
        }
    }
}

/// The history up to the version that was read.
pub(crate) fn history(
    files: Arc<dyn FileSystem>,
    head: &Head,
    filter: &HistoryFilter,
) -> Result<History, TableError> {
    let to = filter.to_version.unwrap_or(u64::MAX).min(head.version());
    let (open, tail) = with_tail(head, filter.from_version, to)?;
    Ok(History {
        root: head.root().to_owned(),
        parts: open.parts.into(),
        reading: None,
        tail: tail.into(),
        files,
        label: filter.label.clone(),
        label_prefix: filter.label_prefix.clone(),
        from: filter.from_version,
        to,
    })
}

/// The folded history, and what the commits of `from..=to` say that are not folded.
pub(crate) fn with_tail(head: &Head, from: u64, to: u64) -> Result<(OpenHistory, Vec<Naming>), TableError> {
    let (files, root) = (head.log().files(), head.root());
    let mut looks = 0;
    loop {
        let open = OpenHistory::open(files, root)?;
        let tail = (open.next.max(from)..=to.min(head.version())).map(|version| naming_of(head, version));
        let tail: Result<Vec<_>, _> = tail.filter_map(Result::transpose).collect();
        // What was folded and cleaned since is not read from the log: a paused writer may have left
        // something there.
        if HistoryListing::read(files, root)?.cover().next == open.next || looks == LOOKS {
            return Ok((open, tail?));
        }
        looks += 1;
    }
}

/// The history of a table, the oldest entry first. An error stands for what could not be read; what follows
/// is given nevertheless.
pub struct History {
    files: Arc<dyn FileSystem>,
    root: PathBuf,
    parts: VecDeque<(FoldedReader, u64, u64)>,
    /// Records of the file whose turn it is, with the versions that are read from it.
    reading: Option<(FoldedRecords, u64, u64)>,
    tail: VecDeque<Naming>,
    label: Option<String>,
    label_prefix: Option<String>,
    from: u64,
    to: u64,
}

impl std::fmt::Debug for History {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("History").field("root", &self.root).finish_non_exhaustive()
    }
}

impl History {
    fn next_record(&mut self) -> Option<Result<NamedRecord, HistoryError>> {
        loop {
            if let Some((records, first, last)) = &mut self.reading {
                match records.next() {
                    Some(Ok(record)) if !(*first..=*last).contains(&record.naming.version) => continue,
                    Some(Ok(record)) if !begins(&self.label_prefix, &record.naming.label) => continue,
                    Some(Ok(record)) => return Some(Ok(record)),
                    other => {
                        self.reading = None;
                        if other.is_some() {
                            return other;
                        }
                    }
                }
            }
            let Some((reader, first, last)) = self.parts.pop_front() else { break };
            let (first, last) = (first.max(self.from), last.min(self.to));
            if first > last {
                continue;
            }
            let records = match &self.label {
                Some(label) => reader.records_of(label),
                None => reader.records(first, last),
            };
            match records {
                Ok(records) => self.reading = Some((records, first, last)),
                Err(error) => return Some(Err(error)),
            }
        }
        let naming = loop {
            let naming = self.tail.pop_front()?;
            if self.label.as_ref().is_none_or(|label| *label == naming.label)
                && begins(&self.label_prefix, &naming.label)
            {
                break naming;
            }
        };
        let document = document_of(self.files.as_ref(), &self.root, naming.version, &naming.reference);
        Some(document.map(|document| NamedRecord { naming, document }))
    }
}

fn begins(prefix: &Option<String>, label: &str) -> bool {
    prefix.as_ref().is_none_or(|prefix| label.starts_with(prefix))
}

impl Iterator for History {
    type Item = Result<HistoryEntry, TableError>;

    fn next(&mut self) -> Option<Self::Item> {
        let record = self.next_record()?;
        Some(record.and_then(|record| record.into_entry(&self.root)).map_err(TableError::from))
    }
}
