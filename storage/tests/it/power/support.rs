//! Small loads: a plan of tasks, segments that are bytes (the log never looks into one), reports.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use longshore_storage::durable::{FileSystem, SyncSite};
use longshore_storage::load::{FileReport, Plan, PlannedFile, PlannedTask, Segment, TaskReport};
use longshore_storage::schema::{Compression, Distribution, TableDefinition};
use longshore_storage::table::{Claim, Table};

pub use crate::log::support::record;

use super::recording::ROOT;
use super::volume::Volume;

/// Rows of each segment.
pub const ROWS: u64 = 7;

pub fn definition() -> TableDefinition {
    let distribution = Distribution::Hash { columns: vec!["UserID".to_owned()], buckets: 2 };
    TableDefinition { distribution, compression: Compression::None, ..crate::log::support::definition() }
}

/// The same for every attempt: each finds the tasks of those before it.
pub fn plan(table: &Table, tasks: u32) -> Plan {
    let file = |task: u32| PlannedFile {
        source: 0,
        bucket: "b".to_owned(),
        key: format!("object-{task}"),
        size: 1,
        etag: "e".to_owned(),
        modified_ms: 0,
    };
    Plan {
        request_digest: "d".to_owned(),
        table_id: table.id().to_owned(),
        schema_version: 0,
        schema_digest: table.schema().digest(),
        now_micros: 7,
        manifests: Vec::new(),
        tasks: (0..tasks).map(|task| PlannedTask { files: vec![file(task)] }).collect(),
    }
}

pub fn report(task: u32, segments: Vec<Segment>) -> TaskReport {
    TaskReport {
        task,
        files: vec![FileReport::default()],
        segments,
        rejected: None,
        rejected_rows: 0,
        first_errors: Vec::new(),
        skipped: Vec::new(),
    }
}

/// Segments of bytes, each in a tablet of its own, made as the tablet writer makes them.
pub fn write_segments(volume: &Volume, claim: &Claim, task: u32, count: u32) -> io::Result<Vec<Segment>> {
    let name = format!("{}-{}-{}-{task}", claim.label(), claim.run(), claim.attempt());
    (0..count).map(|bucket| write_segment(volume, &name, bucket, ROWS)).collect()
}

/// One segment of bytes in a tablet, durable with its name.
pub fn write_segment(volume: &Volume, name: &str, bucket: u32, rows: u64) -> io::Result<Segment> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let tablet = format!("b-{bucket:05}");
    volume.create_dir(Path::new(&format!("{ROOT}/{tablet}")))?;
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let path = format!("{tablet}/{name}-{number}");
    let mut file = volume.create(Path::new(&format!("{ROOT}/{path}")))?;
    // Two blocks, neither like the other nor like any of another file.
    let bytes: Vec<u8> = (0..5_000_u64).map(|at| ((at / 7 + number * 31) % 251) as u8 + 1).collect();
    file.write_all(&bytes)?;
    file.sync(SyncSite::SegmentContents)?;
    volume.sync_dir(Path::new(ROOT), SyncSite::TabletFolderName)?;
    volume.sync_dir(Path::new(&format!("{ROOT}/{tablet}")), SyncSite::SegmentName)?;
    Ok(Segment {
        path,
        partition: String::new(),
        partition_values: BTreeMap::new(),
        bucket,
        rows,
        bytes: bytes.len() as u64,
        modified_ms: 1_700_000_000_000,
        stats: format!(r#"{{"numRecords":{rows}}}"#),
    })
}
