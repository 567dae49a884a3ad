//! How a ledger stands many files: made of batches in no order of their keys, then opened and asked by another
//! process, as a worker asks that lists the source.
//!
//! `ledger make FOLDER FILES` makes a ledger (the table knows of no batch); `ledger open FOLDER` opens it and prints seconds, bytes in
//! memory, and what a look-up costs of each file that is known and of files that are new.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use longshore_storage::durable::Posix;
use longshore_storage::ledger::{FileKey, FileState, Ledger, LedgerOptions, LedgerReader};
use longshore_storage::schema::{Column, Compression, Distribution, PartitionBy, TableDefinition};
use longshore_storage::table::Table;
use longshore_storage::types::DataType;

/// As in the worker.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const LEDGER: &str = "figures";
const BATCH_FILES: u64 = 20_000;
const NEW_FILES: u64 = 100;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [_, "make", folder, files] => make(Path::new(folder), files.parse()?),
        [_, "open", folder] => open(Path::new(folder)),
        _ => Err("usage: ledger make FOLDER FILES | ledger open FOLDER".into()),
    }
}

/// A key as writers of logs make them: a day, an hour, a number, something random.
fn key(number: u64) -> FileKey {
    let random = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let (day, hour) = (number / 24_000, number / 1_000 % 24);
    let path = format!("events/dt={day:05}/hour={hour:02}/part-{:05}-{random:016x}.parquet", number % 1_000);
    FileKey::new("production-events", &path, &format!("{random:016x}{:016x}", random.rotate_left(21)))
}

fn make(root: &Path, files: u64) -> Result<()> {
    let begin = Instant::now();
    let mut table = Table::create(Arc::new(Posix), root, &definition())?;
    // Few merges: what is measured is how the ledger opens.
    let options = LedgerOptions { recent_files: 1 << 20, log_bytes: 1 << 30 };
    let mut ledger = Ledger::begin(&mut table, LEDGER, options)?;
    let batches = files.div_ceil(BATCH_FILES);
    let (mut folding, mut longest) = (Duration::ZERO, Duration::ZERO);
    for round in 0..batches {
        // Each is the neighbour of none before it, as far as that goes.
        let batch = round * step(batches) % batches;
        let keys = (batch * BATCH_FILES..files.min((batch + 1) * BATCH_FILES))
            .map(|number| (key(number), 10_000, 7));
        let put = ledger.put_batch(&table, "", Vec::new())?;
        ledger.committed(&put, table.version() + round, keys, 1_700_000_100_000)?;
        let start = Instant::now();
        ledger.fold_if_due(&mut table)?;
        folding += start.elapsed();
        longest = longest.max(start.elapsed());
    }
    ledger.fold(&mut table)?;
    println!(
        "{files} files in {batches} batches: {:.1} s, merging {:.1} s, the longest merge {:.2} s",
        begin.elapsed().as_secs_f64(),
        folding.as_secs_f64(),
        longest.as_secs_f64()
    );
    Ok(())
}

/// A step that visits every batch once before it comes back.
fn step(batches: u64) -> u64 {
    let divides =
        |step: u64| (2..=step.min(batches)).any(|d| step.is_multiple_of(d) && batches.is_multiple_of(d));
    (batches * 2 / 3..).find(|step| *step > 0 && !divides(*step)).unwrap_or(1)
}

fn open(root: &Path) -> Result<()> {
    let mut table = Table::open(Arc::new(Posix), root)?;
    let before = resident()?;
    let start = Instant::now();
    let mut reader = LedgerReader::open(&Posix, root, LEDGER)?;
    println!("opened for reading in {:.2} s", start.elapsed().as_secs_f64());
    let files = reader.totals().of(FileState::Finished).files;
    drop(reader);
    let start = Instant::now();
    let mut ledger = Ledger::begin(&mut table, LEDGER, LedgerOptions::default())?;
    let opened = start.elapsed().as_secs_f64();
    println!(
        "{files} files: opened by a worker in {opened:.2} s, {:.1} MiB in memory, {:.0} MiB on the volume",
        (resident()?.saturating_sub(before)) as f64 / f64::from(1 << 20),
        on_volume(root)? as f64 / f64::from(1 << 20),
    );
    let start = Instant::now();
    reader = LedgerReader::open(&Posix, root, LEDGER)?;
    for number in 0..files {
        if reader.state(&key(number))? != Some(FileState::Finished) {
            return Err(format!("file {number} is not known").into());
        }
    }
    let all = start.elapsed();
    println!(
        "every known file looked up in the order of a listing: {:.1} s, {:.2} µs each",
        all.as_secs_f64(),
        all.as_secs_f64() * 1e6 / files.max(1) as f64
    );
    let start = Instant::now();
    for number in files..files + NEW_FILES {
        if ledger.reader().state(&key(number))?.is_some() {
            return Err(format!("file {number} is known").into());
        }
    }
    println!("{NEW_FILES} new files looked up: {:.2} ms", start.elapsed().as_secs_f64() * 1e3);
    println!("peak of memory: {:.1} MiB", peak()? as f64 / f64::from(1 << 20));
    Ok(())
}

fn on_volume(root: &Path) -> Result<u64> {
    let folder = root.join("_longshore/pipes").join(LEDGER);
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        bytes += entry?.metadata()?.len();
    }
    Ok(bytes)
}

fn status(name: &str) -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)).ok_or("no such figure")?;
    let kib: u64 = line.trim_matches([':', '\t', ' ', 'k', 'B']).trim().parse()?;
    Ok(kib << 10)
}

fn resident() -> Result<u64> {
    status("VmRSS")
}

fn peak() -> Result<u64> {
    status("VmHWM")
}

fn definition() -> TableDefinition {
    TableDefinition {
        columns: vec![Column {
            name: "id".to_owned(),
            data_type: DataType::BigInt,
            nullable: true,
            default: None,
        }],
        key: Vec::new(),
        order_by: Vec::new(),
        partition_by: PartitionBy::None,
        distribution: Distribution::Random { buckets: 1 },
        compression: Compression::Zstd,
    }
}
