//! Folding: the records of the versions that are not folded yet go into one file, together with the last
//! folded files as long as those are small. So the files are few and each about twice the one after it, and
//! each record is written again as often as a number of files doubles.
//!
//! Temporary file → write → fsync → read back and compare → link(2) → fsync of the folder → only then are the
//! single records and the smaller files removed. Any number of processes may fold at once: what one of them
//! holds is removed by whoever sees that another file holds more.

use std::path::Path;

use super::entry::{NamedRecord, Naming};
use super::folded::{FoldedReader, FoldedWriter};
use super::listing::{Cover, HistoryListing};
use super::names::folded_name;
use super::read::{naming_of, open_cover};
use super::record::read_document;
use super::{HISTORY_FOLDER, HistoryError, is_record_path};
use crate::durable::{FileSystem, SyncSite, VolumeError, discard, unique_name};
use crate::log::TableError;
use crate::log::head::Head;

/// Versions that are folded at once, at most.
const MOST_VERSIONS: u64 = 4_096;
/// Folded files below it are always taken along.
const SMALL_BYTES: u64 = 64 << 10;
/// Bytes of records for one of a folded file, about.
const PACKING: u64 = 4;

/// What folding did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FoldOutcome {
    /// Records that were folded now.
    pub records: u64,
    /// The version up to which all records are folded; none: nothing is.
    pub folded_to: Option<u64>,
}

/// Folds the records of every version up to the one that was read.
pub(crate) fn fold(head: &Head) -> Result<FoldOutcome, TableError> {
    let mut outcome = FoldOutcome::default();
    loop {
        let listing = HistoryListing::read(head.log().files(), head.root())?;
        let cover = listing.cover();
        outcome.folded_to = cover.next.checked_sub(1);
        if cover.next > head.version() {
            remove_left_over(head, &listing)?;
            return Ok(outcome);
        }
        match fold_next(head, &listing, &cover) {
            Ok(records) => outcome.records += records,
            // Another process may have folded them meanwhile, or a file that is read along, and cleaned up after
            // itself.
            Err(error) => {
                if HistoryListing::read(head.log().files(), head.root())?.cover() == cover {
                    return Err(error);
                }
            }
        }
    }
}

/// Folds what follows the cover; gives the number of records that are new.
fn fold_next(head: &Head, listing: &HistoryListing, cover: &Cover) -> Result<u64, TableError> {
    let from = cover.next;
    let to = head.version().min(from + MOST_VERSIONS - 1);
    // The file must never name what a power cut could take back.
    head.make_durable(SyncSite::FoldBaseNames)?;
    let mut namings = Vec::new();
    for version in from..=to {
        namings.extend(naming_of(head, version)?);
    }
    // A version that was folded and cleaned since may have been read as what a paused writer left there.
    if HistoryListing::read(head.log().files(), head.root())?.cover().next != from {
        return Ok(0);
    }
    let along = take_along(listing, cover, &namings);
    match write(head, cover, along, &namings, to) {
        // A file that cannot be read is left as it is: folding goes on without it.
        Err(TableError::History(HistoryError::Damaged { path, .. })) if along < cover.parts.len() => {
            tracing::warn!(path = %path.display(), "folded history cannot be read and is left as it is");
            write(head, cover, cover.parts.len(), &namings, to)?;
        }
        other => other?,
    }
    for naming in namings.iter().filter(|naming| is_record_path(&naming.reference.path)) {
        discard(head.log().files(), &head.root().join(&naming.reference.path));
    }
    remove_contained(head.log().files(), head.root())?;
    Ok(namings.len() as u64)
}

/// The number of the first part that is written again together with the new records.
fn take_along(listing: &HistoryListing, cover: &Cover, namings: &[Naming]) -> usize {
    let bytes = |naming: &Naming| {
        let name = naming.reference.path.rsplit('/').next().unwrap_or_default();
        listing.records.get(name).map_or(0, |(bytes, _)| *bytes)
    };
    let mut packed = namings.iter().map(bytes).sum::<u64>() / PACKING;
    let mut first = cover.parts.len();
    while let Some(part) = first.checked_sub(1).and_then(|at| cover.parts.get(at)) {
        // A file that overlaps the one before would make another such.
        if part.from != part.file.from || part.file.bytes > packed.max(SMALL_BYTES) {
            break;
        }
        packed += part.file.bytes;
        first -= 1;
    }
    first
}

/// Writes the parts from `along` on and the new records to one file, and puts it in place, durable.
fn write(head: &Head, cover: &Cover, along: usize, namings: &[Naming], to: u64) -> Result<(), TableError> {
    let files = head.log().files();
    let folder = head.root().join(HISTORY_FOLDER);
    let from = cover.parts.get(along).map_or(cover.next, |part| part.from);
    let name = folded_name(from, to);
    let temporary = folder.join(format!(".{name}.{}.tmp", unique_name()));
    let path = folder.join(&name);
    let placed = fill(head, &cover.parts[along..], namings, &temporary)
        .and_then(|()| files.link(&temporary, &path).map_err(|e| TableError::volume("link", &path, e)));
    discard(files, &temporary);
    placed?;
    files
        .sync_dir(&folder, SyncSite::FoldedName)
        .map_err(|e| TableError::volume("fsync the folder", &folder, e))
}

/// Writes the file, durable, and compares what can be read back.
fn fill(
    head: &Head,
    along: &[super::listing::Part],
    namings: &[Naming],
    path: &Path,
) -> Result<(), TableError> {
    let files = head.log().files();
    let mut writer = FoldedWriter::create(files, path)?;
    for part in along {
        let reader = open_cover(files, head.root(), &part.file)?;
        for record in reader.records(part.from, part.file.to)? {
            writer.push(record?)?;
        }
    }
    for naming in namings {
        let document = read_document(files, head.root(), &naming.reference)?;
        writer.push(NamedRecord { naming: naming.clone(), document })?;
    }
    let written = writer.finish()?;
    let read = FoldedReader::open(files, path)?.contents()?;
    if read != written {
        let what = format!("{} records were written and {} others read", written.records, read.records);
        return Err(HistoryError::Damaged { path: path.to_owned(), what }.into());
    }
    Ok(())
}

/// Removes the folded files that another one holds.
fn remove_contained(files: &dyn FileSystem, root: &Path) -> Result<(), HistoryError> {
    let listing = HistoryListing::read(files, root)?;
    if listing.contained().next().is_some() {
        // Whoever put the larger one in place may not have come to its fsync.
        let folder = root.join(HISTORY_FOLDER);
        files
            .sync_dir(&folder, SyncSite::LargerFoldedName)
            .map_err(|e| VolumeError::new("fsync the folder", &folder, e))?;
    }
    for file in listing.contained() {
        discard(files, &root.join(HISTORY_FOLDER).join(&file.name));
    }
    Ok(())
}

/// Removes what a process left that died between putting its file in place and removing what it holds.
fn remove_left_over(head: &Head, listing: &HistoryListing) -> Result<(), TableError> {
    let (files, root) = (head.log().files(), head.root());
    remove_contained(files, root)?;
    if listing.records.is_empty() {
        return Ok(());
    }
    let history = super::OpenHistory::open(files, root)?;
    let mut synced = false;
    for name in listing.records.keys() {
        let path = format!("{HISTORY_FOLDER}/{name}");
        if history.record_at(&path)?.is_none() {
            continue;
        }
        if !synced {
            let folder = root.join(HISTORY_FOLDER);
            files
                .sync_dir(&folder, SyncSite::LeftFoldedName)
                .map_err(|e| TableError::volume("fsync the folder", &folder, e))?;
            synced = true;
        }
        discard(files, &root.join(path));
    }
    Ok(())
}
