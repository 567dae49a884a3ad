//! Segments on the volume that no version needs.

use std::io;
use std::path::Path;
use std::time::SystemTime;

use super::named::{Named, Standing};
use super::owners::{Owners, Wanted};
use super::{Run, VacuumKind};
use crate::durable::DirectoryEntry;
use crate::log::folder::LOG_FOLDER;
use crate::log::{CommitError, TableError};
use crate::table::{Maintenance, Table};
use crate::tablet::SegmentName;

/// Names beside the tablets that are not for vacuum.
const KNOWN: [&str; 3] = [LOG_FOLDER, "_longshore", "lost+found"];

/// Segments that no version needs, as far as their names tell.
#[derive(Debug, Default)]
pub(super) struct Found {
    segments: Vec<Unneeded>,
    /// Folders of tablets and partitions without anything in them, the inner ones first.
    folders: Vec<(String, SystemTime)>,
}

#[derive(Debug)]
struct Unneeded {
    path: String,
    bytes: u64,
    standing: Standing,
    name: SegmentName,
}

impl Found {
    pub(super) fn want(&self, wanted: &mut Wanted) {
        for segment in self.segments.iter().filter(|segment| segment.standing == Standing::Unnamed) {
            if let SegmentName::Load { label_hash, .. } = &segment.name {
                wanted.hash(label_hash);
            }
        }
    }

    fn has_open_compactions(&self) -> bool {
        self.segments.iter().any(|segment| {
            segment.standing == Standing::Unnamed && matches!(segment.name, SegmentName::Compaction { .. })
        })
    }
}

/// Finds what is not needed. If a compaction left something, its epoch ends here.
pub(super) fn find(table: &mut Table, run: &mut Run<'_>) -> Result<Found, CommitError> {
    let named = Named::read(table.head(), run.retention)?;
    let mut found = Found::default();
    walk(table, run, &named, &mut found)?;
    if found.has_open_compactions() && !run.options.dry_run {
        // No compaction that began before commits after this; what it committed until now is named.
        table.next_epoch(Maintenance::Compact)?;
        let named = Named::read(table.head(), run.retention)?;
        for segment in &mut found.segments {
            segment.standing = named.standing(&segment.path);
        }
        found.segments.retain(|segment| segment.standing != Standing::Needed);
    }
    Ok(found)
}

fn walk(table: &Table, run: &mut Run<'_>, named: &Named, found: &mut Found) -> Result<(), TableError> {
    for entry in list(table, "")? {
        if KNOWN.contains(&entry.name.as_str()) {
            continue;
        }
        if !entry.is_dir {
            run.outcome.foreign_files += 1;
        } else if is_bucket(&entry.name) {
            walk_bucket(table, run, named, found, &entry.name, entry.modified)?;
        } else if entry.name.starts_with("p-") {
            walk_partition(table, run, named, found, &entry)?;
        } else {
            run.outcome.foreign_files += 1;
        }
    }
    Ok(())
}

fn walk_partition(
    table: &Table,
    run: &mut Run<'_>,
    named: &Named,
    found: &mut Found,
    partition: &DirectoryEntry,
) -> Result<(), TableError> {
    let entries = list(table, &partition.name)?;
    let (all, before) = (entries.len(), found.folders.len());
    for entry in entries {
        let path = format!("{}/{}", partition.name, entry.name);
        if entry.is_dir && is_bucket(&entry.name) {
            walk_bucket(table, run, named, found, &path, entry.modified)?;
        } else {
            run.outcome.foreign_files += 1;
        }
    }
    if found.folders.len() - before == all {
        found.folders.push((partition.name.clone(), partition.modified));
    }
    Ok(())
}

fn walk_bucket(
    table: &Table,
    run: &mut Run<'_>,
    named: &Named,
    found: &mut Found,
    folder: &str,
    modified: SystemTime,
) -> Result<(), TableError> {
    let entries = list(table, folder)?;
    if entries.is_empty() {
        found.folders.push((folder.to_owned(), modified));
    }
    for entry in entries {
        let path = format!("{folder}/{}", entry.name);
        let Some(name) = SegmentName::parse(&entry.name).filter(|_| !entry.is_dir) else {
            // Another engine's file may be in the table: it is left to that engine.
            run.outcome.foreign_files += 1;
            continue;
        };
        match named.standing(&path) {
            Standing::Needed => {}
            standing => found.segments.push(Unneeded { path, bytes: entry.size, standing, name }),
        }
    }
    Ok(())
}

fn is_bucket(name: &str) -> bool {
    name.strip_prefix("b-")
        .is_some_and(|digits| digits.len() >= 5 && digits.bytes().all(|byte| byte.is_ascii_digit()))
}

pub(super) fn list(table: &Table, folder: &str) -> Result<Vec<DirectoryEntry>, TableError> {
    let path = if folder.is_empty() { table.root().to_owned() } else { table.root().join(Path::new(folder)) };
    match table.files().list(&path) {
        Ok(entries) => Ok(entries),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(TableError::volume("list", &path, error)),
    }
}

/// Removes what can never be needed.
pub(super) fn remove(
    table: &Table,
    run: &mut Run<'_>,
    found: Found,
    owners: &Owners,
) -> Result<(), TableError> {
    for segment in found.segments {
        let Unneeded { path, bytes, standing, name } = segment;
        let (kind, why) = match (standing, name) {
            (Standing::Expired, _) => {
                (VacuumKind::RemovedSegment, "a version removed it, and the retention time is over")
            }
            (_, SegmentName::Compaction { .. }) => (
                VacuumKind::CompactionSegment,
                "no version names it, and no compaction of its epoch can commit any more",
            ),
            (_, SegmentName::Load { label_hash, run: number, .. }) => {
                let Some(over) = owners.over(&label_hash, number) else {
                    run.outcome.open_files += 1;
                    continue;
                };
                let why = format!("no version names it, and {}", over.text());
                run.remove(table, VacuumKind::LoadSegment, path, bytes, &why)?;
                continue;
            }
        };
        run.remove(table, kind, path, bytes, why)?;
    }
    for (path, modified) in found.folders {
        if run.is_older(modified, run.options.min_age) {
            run.remove(table, VacuumKind::EmptyFolder, path, 0, "it is empty")?;
        }
    }
    Ok(())
}
