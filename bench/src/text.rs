//! CSV and NDJSON from memory to the table's types, on one core, beside a copy of the same bytes in the same run.

use std::fmt::Write;
use std::hint::black_box;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use bytes::Bytes;
use longshore_crds::OnMissingColumn;
use longshore_crds::format::{CsvOptions, Format, JsonOptions};
use longshore_crds::source::Source;
use longshore_storage::schema::{
    Column, Compression, Distribution, PartitionBy, TableDefinition, TableSchema,
};
use longshore_storage::types::DataType;
use longshore_worker::convert::{Converter, FileMapping, Rules, Zone};
use longshore_worker::decode::{self, FileContext, Read};
use longshore_worker::source::{PendingBytes, ReadObject};

/// The five columns of the user guide's table.
const COLUMNS: [(&str, &str); 5] = [
    ("UserID", "INT"),
    ("ItemID", "INT"),
    ("CategoryID", "INT"),
    ("BehaviorType", "VARCHAR(65533)"),
    ("Timestamp", "DATETIME"),
];
/// Rows of a batch, and bytes of a block, as a load has them.
const BATCH_ROWS: usize = 32_768;
const BLOCK_BYTES: usize = 1 << 20;

/// An object in memory.
struct Memory(Bytes);

impl ReadObject for Memory {
    fn name(&self) -> &str {
        "memory"
    }

    fn size(&self) -> u64 {
        self.0.len() as u64
    }

    fn fetch(&self, range: Range<u64>) -> PendingBytes {
        let (start, end) = (range.start as usize, range.end as usize);
        PendingBytes::ready(Ok(self.0.slice(start..end)))
    }
}

/// Measures each format twice and prints the better figure. CPU time of this thread, where the system tells.
pub fn measure(rows: u32) -> anyhow::Result<()> {
    let comma = CsvOptions { column_separator: ",".to_owned(), ..CsvOptions::default() };
    let quoted = CsvOptions { enclose: Some("\"".to_owned()), ..comma.clone() };
    println!("{:<28} {:>8} {:>8} {:>10}", "one core, to typed Arrow", "MB/s", "copy", "of a copy");
    for (name, format, text) in [
        ("CSV, no quotes", Format::Csv(comma), csv(rows, "")),
        ("CSV, enclose set, no quotes", Format::Csv(quoted.clone()), csv(rows, "")),
        ("CSV, every field quoted", Format::Csv(quoted), csv(rows, "\"")),
        ("NDJSON", Format::Json(JsonOptions::default()), ndjson(rows)),
    ] {
        let megabytes = text.len() as f64 / 1e6;
        let bytes = Bytes::from(text);
        let mut best = [f64::MAX; 2];
        for _ in 0..2 {
            best[0] = best[0].min(decode_all(&bytes, &format, rows)?.as_secs_f64());
            best[1] = best[1].min(copy(&bytes).as_secs_f64());
        }
        let [decode, copy] = best.map(|seconds| megabytes / seconds);
        println!("{name:<28} {decode:>8.0} {copy:>8.0} {:>9.1}%", decode / copy * 100.0);
    }
    Ok(())
}

fn copy(bytes: &Bytes) -> Duration {
    let mut target = vec![0; bytes.len()];
    let begin = cpu_time();
    target.copy_from_slice(bytes);
    black_box(&target);
    cpu_time() - begin
}

fn decode_all(bytes: &Bytes, format: &Format, rows: u32) -> anyhow::Result<Duration> {
    let table = table();
    let source = Source { format: Some(format.clone()), ..Source::default() };
    let begin = cpu_time();
    let context = FileContext { source: &source, table: &table, strict: true, now_micros: 0 };
    let file = decode::open(Arc::new(Memory(bytes.clone())), context)?;
    let mapping = FileMapping::new("memory", &table, file.schema(), None, OnMissingColumn::Fail)?;
    let read = Read {
        columns: mapping.projection().to_vec(),
        dictionary_columns: Vec::new(),
        batch_rows: BATCH_ROWS,
        budget_bytes: 24 << 20,
        block_bytes: BLOCK_BYTES,
    };
    let rules = Rules { strict: true, timezone: Zone::UTC, now_micros: 0 };
    let mut converter = Converter::new(mapping, rules);
    let mut parts = file.parts(Arc::new(read))?;
    let mut loaded = 0;
    while let Some(part) = parts.next() {
        let mut reader = part?.start()?;
        while let Some(decoded) = reader.next(0) {
            let decoded = decoded?;
            let converted = converter.convert(&decoded.batch, &decoded.origin, 0)?;
            loaded += black_box(converted.batch).num_rows();
        }
    }
    anyhow::ensure!(loaded == rows as usize, "{loaded} of {rows} rows fit");
    Ok(cpu_time() - begin)
}

/// CPU time of this thread; wall time where the system does not tell.
fn cpu_time() -> Duration {
    static BEGIN: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    let tell = || -> anyhow::Result<Duration> {
        let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
        let nanos = text.split_whitespace().next().context("no figure")?.parse()?;
        Ok(Duration::from_nanos(nanos))
    };
    tell().unwrap_or_else(|_| BEGIN.get_or_init(Instant::now).elapsed())
}

fn table() -> Arc<TableSchema> {
    let columns = COLUMNS.iter().map(|(name, data_type)| Column {
        name: (*name).to_owned(),
        data_type: DataType::parse(data_type).unwrap_or(DataType::String),
        nullable: true,
        default: None,
    });
    Arc::new(TableSchema::new(TableDefinition {
        columns: columns.collect(),
        key: vec![COLUMNS[0].0.to_owned()],
        order_by: Vec::new(),
        partition_by: PartitionBy::None,
        distribution: Distribution::Hash { columns: vec![COLUMNS[0].0.to_owned()], buckets: 4 },
        compression: Compression::Zstd,
    }))
}

/// The same pseudo-random values in every run: user, item, category, behavior, second of a week.
fn values(rows: u32) -> impl Iterator<Item = (u64, u64, u64, &'static str, String)> {
    let mut state = 42u64;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    (0..rows).map(move |_| {
        let second = next() % 86_400;
        let time = format!(
            "2017-11-{:02} {:02}:{:02}:{:02}",
            24 + next() % 7,
            second / 3_600,
            second / 60 % 60,
            second % 60
        );
        let behavior = ["pv", "buy", "cart", "fav"][(next() % 4) as usize];
        (next() % 1_000_000, next() % 5_000_000, next() % 10_000_000, behavior, time)
    })
}

fn csv(rows: u32, quote: &str) -> String {
    let mut text = String::new();
    for (user, item, category, behavior, time) in values(rows) {
        let fields = [user.to_string(), item.to_string(), category.to_string(), behavior.to_owned(), time];
        for (index, field) in fields.iter().enumerate() {
            let end = if index == 4 { '\n' } else { ',' };
            for part in [quote, field, quote] {
                text.push_str(part);
            }
            text.push(end);
        }
    }
    text
}

fn ndjson(rows: u32) -> String {
    let mut text = String::new();
    for (user, item, category, behavior, time) in values(rows) {
        let written = writeln!(
            text,
            "{{\"UserID\":{user},\"ItemID\":{item},\"CategoryID\":{category},\"BehaviorType\":\"{behavior}\",\
             \"Timestamp\":\"{time}\"}}"
        );
        debug_assert!(written.is_ok(), "a text takes what is written");
    }
    text
}
