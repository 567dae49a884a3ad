//! Loads with files of true names, and what vacuum does to them.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use longshore_storage::durable::writer_id;
use longshore_storage::load::{Segment, label_hash};
use longshore_storage::table::{Claim, CommitOutcome, LoadCommit, LoadMode, Table};
use longshore_storage::vacuum::{VacuumItem, VacuumKind, VacuumOptions, VacuumOutcome};

use crate::log::support::{Place, record, segment};

/// Whatever may go, goes, however young.
pub const AT_ONCE: VacuumOptions =
    VacuumOptions { retention: Some(Duration::ZERO), min_age: Duration::ZERO, dry_run: false };

/// As by default, but for temporary files.
pub const KEEP_REMOVED: VacuumOptions =
    VacuumOptions { retention: None, min_age: Duration::ZERO, dry_run: false };

/// Writes a segment of a claim; vacuum never looks into one.
pub fn write_segment(root: &Path, claim: &Claim, n: u32) -> Segment {
    let hash = label_hash(claim.label());
    let name = format!("{hash}-{}-{}-0-{n}-{}", claim.run(), claim.attempt(), writer_id());
    write_named(root, &name)
}

/// Writes a segment of a compaction.
pub fn write_output(root: &Path, epoch: u64, n: u32) -> Segment {
    write_named(root, &format!("compact-{epoch}-{n}-{}", writer_id()))
}

fn write_named(root: &Path, name: &str) -> Segment {
    let segment = Segment { bytes: 7, ..segment(name, 3) };
    put(root, &segment.path, "segment");
    segment
}

/// Puts a file in place with the folders above it.
pub fn put(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// Makes a file look changed hours ago.
pub fn age(path: &Path, hours: u64) {
    let file = fs::File::open(path).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(hours * 3_600)).unwrap();
}

pub fn is_there(place: &Place, segment: &Segment) -> bool {
    place.root.join(&segment.path).exists()
}

pub fn commit_with(
    table: &mut Table,
    claim: &Claim,
    segments: Vec<Segment>,
    mode: LoadMode,
) -> CommitOutcome {
    let rows = segments.iter().map(|segment| segment.rows).sum();
    let load = LoadCommit {
        segments,
        schema: Arc::clone(table.schema()),
        record: record(claim, rows),
        deadline: None,
        mode,
        new_columns: Vec::new(),
    };
    table.commit_load(claim, load).unwrap()
}

/// Claims, writes one segment and commits.
pub fn load(place: &Place, label: &str, mode: LoadMode) -> Segment {
    let mut table = place.open();
    let claim = table.claim(label, 1).unwrap();
    let segment = write_segment(&place.root, &claim, 0);
    commit_with(&mut table, &claim, vec![segment.clone()], mode);
    segment
}

pub fn vacuum(place: &Place, options: &VacuumOptions) -> VacuumOutcome {
    place.open().vacuum(options, &mut |_| {}).unwrap()
}

/// Paths that go, with their kinds, in order.
pub fn items(place: &Place, options: &VacuumOptions) -> Vec<VacuumItem> {
    let mut items = Vec::new();
    place.open().vacuum(options, &mut |item| items.push(item.clone())).unwrap();
    items.sort_by(|a, b| a.path.cmp(&b.path));
    items
}

pub fn files(outcome: &VacuumOutcome, kind: VacuumKind) -> u64 {
    outcome.removed.get(&kind).map_or(0, |count| count.files)
}

/// Every segment that the newest version names is there.
pub fn nothing_named_is_missing(place: &Place) {
    for segment in place.open().segments().unwrap() {
        assert!(is_there(place, &segment), "{}", segment.path);
    }
}
