//! A log of many labels and files: opening, appending, a checkpoint.

use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use longshore_storage::durable::Posix;
use longshore_storage::history::{HistoryOutcome, HistoryRecord};
use longshore_storage::load::Segment;
use longshore_storage::schema::{Column, Compression, Distribution, PartitionBy, TableDefinition};
use longshore_storage::table::{LoadCommit, LoadMode, Table};
use longshore_storage::types::DataType;

use crate::Scale;
use crate::figures::{Figures, Outcome, forget_peak, median, memory_mib, timed};

/// Loads in one version of a log that is made up.
const LOADS_A_VERSION: usize = 1_000;
/// Appends that are measured.
const APPENDS: usize = 41;

/// Labels that are looked up.
const LOOK_UPS: usize = 1_000;

/// A table of five columns in 8 buckets.
pub fn create(root: &Path) -> Outcome<Table> {
    let columns = [
        ("UserID", DataType::Int),
        ("ItemID", DataType::Int),
        ("CategoryID", DataType::Int),
        ("BehaviorType", DataType::Varchar(65533)),
        ("Timestamp", DataType::DateTime),
    ];
    let column = |(name, data_type): (&str, DataType)| Column {
        name: name.to_owned(),
        data_type,
        nullable: true,
        default: None,
    };
    let definition = TableDefinition {
        columns: columns.into_iter().map(column).collect(),
        key: vec!["UserID".to_owned()],
        order_by: Vec::new(),
        distribution: Distribution::Hash { columns: vec!["UserID".to_owned()], buckets: 8 },
        compression: Compression::Zstd,
        partition_by: PartitionBy::default(),
    };
    Ok(Table::create(Arc::new(Posix), root, &definition)?)
}

/// Statistics as segments of the table have them.
fn stats(number: usize) -> String {
    let bound = |low: bool| {
        let (id, time) =
            if low { (number % 1_000, "00:00:00.000") } else { (1_000_000 - number % 1_000, "23:59:59.999") };
        format!(
            r#"{{"UserID":{id},"ItemID":{id},"CategoryID":{id},"BehaviorType":"{}","Timestamp":"2017-11-25T{time}"}}"#,
            if low { "buy" } else { "pv" },
        )
    };
    let nulls = r#"{"UserID":0,"ItemID":0,"CategoryID":0,"BehaviorType":0,"Timestamp":0}"#;
    format!(
        r#"{{"numRecords":100000,"minValues":{},"maxValues":{},"nullCount":{nulls},"tightBounds":true}}"#,
        bound(true),
        bound(false),
    )
}

fn segment(number: usize) -> Segment {
    let bucket = (number % 8) as u32;
    Segment {
        path: format!("b-{bucket:05}/d618fb157a4b382e-1-1-0-{number}-f3c0ab920d2d234c.parquet"),
        partition: String::new(),
        partition_values: std::collections::BTreeMap::new(),
        bucket,
        rows: 100_000,
        bytes: 3_000_000,
        modified_ms: 1_700_000_000_000,
        stats: stats(number),
    }
}

/// Writes versions that say what `loads` loads of one file each would have said.
fn make_up(table: &Table, loads: usize) -> Outcome<()> {
    let log = table.root().join("_delta_log");
    for (version, first) in (table.version() + 1..).zip((0..loads).step_by(LOADS_A_VERSION)) {
        let mut file = BufWriter::new(std::fs::File::create(log.join(format!("{version:020}.json")))?);
        writeln!(file, r#"{{"commitInfo":{{"operation":"WRITE","txnId":"{version}"}}}}"#)?;
        for load in first..(first + LOADS_A_VERSION).min(loads) {
            let segment = segment(load);
            let bucket = segment.bucket;
            for (kind, number) in [("claim", 1_048_577), ("load", 1_048_577)] {
                writeln!(
                    file,
                    r#"{{"txn":{{"appId":"{kind}/daily_{load:08}","version":{number},"lastUpdated":1700000000000}}}}"#
                )?;
            }
            let add = serde_json::json!({"add": {
                "path": segment.path, "partitionValues": {}, "size": segment.bytes,
                "modificationTime": segment.modified_ms, "dataChange": true, "stats": segment.stats,
                "tags": {"longshore.partition": "", "longshore.bucket": bucket.to_string(),
                         "longshore.load": format!("daily_{load:08}")},
            }});
            writeln!(file, "{add}")?;
        }
        // Or the first fsync that is measured writes all of it.
        file.into_inner()?.sync_all()?;
    }
    Ok(())
}

/// Claims a label and commits a file under it, as a load does.
pub fn append(table: &mut Table, label: &str, number: usize) -> Outcome<()> {
    let claim = table.claim(label, 1)?;
    let load = LoadCommit {
        segments: vec![segment(number)],
        schema: Arc::clone(table.schema()),
        record: HistoryRecord::new(label, claim.run(), claim.attempt(), HistoryOutcome::Loaded),
        deadline: None,
        mode: LoadMode::Append,
        new_columns: Vec::new(),
    };
    table.commit_load(&claim, load)?;
    Ok(())
}

/// Opening a table with many labels.
pub fn labels(scale: &Scale, folder: &Path, figures: &mut Figures) -> Outcome<()> {
    let root = folder.join("table");
    let mut table = create(&root)?;
    make_up(&table, scale.labels)?;
    table.refresh()?;
    table.checkpoint()?;
    drop(table);
    forget_peak()?;
    let before = memory_mib("VmRSS:");
    let (opening, table) = timed(|| Ok(Table::open(Arc::new(Posix), &root)?))?;
    let (first, _) = timed(|| Ok(table.label("never_loaded")?))?;
    let (second, _) = timed(|| Ok(table.label("daily_never")?))?;
    let mut times = Vec::with_capacity(LOOK_UPS);
    for number in 0..LOOK_UPS {
        let label = format!("daily_{:08}_never", number * 7_919 % scale.labels);
        times.push(timed(|| Ok(table.label(&label)?))?.0);
    }
    let peak = memory_mib("VmHWM:") - before;
    println!("  {} labels", scale.labels);
    figures.bounded("open", opening, 500.0, "ms");
    figures.bounded("open and look labels up: memory beside the process's own", peak, 64.0, "MiB");
    figures.plain("look a label up", first, "ms");
    figures.plain("look another label up", second, "ms");
    figures.plain("look labels up anywhere, the middle", median(&times), "ms");
    Ok(())
}

/// An append to a table of many files beside one to an empty table.
pub fn files(scale: &Scale, folder: &Path, figures: &mut Figures) -> Outcome<()> {
    let mut empty = create(&folder.join("empty"))?;
    let full_root = folder.join("full");
    let mut full = create(&full_root)?;
    make_up(&full, scale.files)?;
    full.refresh()?;
    full.checkpoint()?;
    let mut full = Table::open(Arc::new(Posix), &full_root)?;
    let (mut to_empty, mut to_full) = (Vec::new(), Vec::new());
    for number in 0..APPENDS {
        let label = format!("new_{number}");
        to_empty.push(timed(|| append(&mut empty, &label, number))?.0);
        to_full.push(timed(|| append(&mut full, &label, scale.files + number))?.0);
    }
    println!("  {} files", scale.files);
    figures.plain("append (claim and commit) to an empty table", median(&to_empty), "ms");
    figures.plain("append (claim and commit)", median(&to_full), "ms");
    figures.bounded("append against one to an empty table", median(&to_full) / median(&to_empty), 1.2, "x");
    Ok(())
}

/// A checkpoint of many files on top of another: memory.
pub fn checkpoint(scale: &Scale, folder: &Path, figures: &mut Figures) -> Outcome<()> {
    let mut table = create(&folder.join("table"))?;
    make_up(&table, scale.files)?;
    table.refresh()?;
    table.checkpoint()?;
    for number in 0..10 {
        append(&mut table, &format!("new_{number}"), scale.files + number)?;
    }
    let (first_peak, root) = (memory_mib("VmHWM:"), table.root().to_owned());
    drop(table);
    let mut table = Table::open(Arc::new(Posix), &root)?;
    forget_peak()?;
    let before = memory_mib("VmRSS:");
    let (time, version) = timed(|| Ok(table.checkpoint()?))?;
    let peak = memory_mib("VmHWM:");
    let name = format!("_delta_log/{version:020}.checkpoint.parquet");
    println!("  {} files and as many labels", scale.files);
    figures.plain("time", time, "ms");
    figures.plain("bytes", std::fs::metadata(root.join(name))?.len() as f64 / 1e6, "MB");
    figures.bounded("memory of the process while it streams", peak, 100.0, "MiB");
    figures.plain("of that before it began", before, "MiB");
    figures.plain("peak of the first checkpoint, from commits alone", first_peak, "MiB");
    Ok(())
}
