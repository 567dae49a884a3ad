//! What the tablet writer costs: rows of the user guide's table, made in memory in random order, go through
//! route, sort, gather, encode, and with a small budget spill and merge.
//!
//! `tablet_cost ROWS BUDGET_MIB FOLDER [THREADS [DAYS]]` prints CPU seconds, seconds of threads by stage,
//! bytes, and the peak of memory. With DAYS the rows lie in as many partitions of 8 buckets.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use arrow::array::{
    ArrayRef, DictionaryArray, Int32Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType as ArrowType, Field, Schema};
use longshore_storage::durable::Posix;
use longshore_storage::schema::{
    Column, Compression, DateUnit, Distribution, PartitionBy, PartitionTerm, TableDefinition, TableSchema,
};
use longshore_storage::tablet::{TabletWriter, TaskIdentity, WriterMetrics, WriterOptions};
use longshore_storage::types::DataType;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

/// As in the worker.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const BATCH_ROWS: usize = 8192;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, rows, budget, folder, rest @ ..] = arguments.as_slice() else {
        return Err("usage: tablet_cost ROWS BUDGET_MIB FOLDER [THREADS [DAYS]]".into());
    };
    let rows: usize = rows.parse()?;
    let threads = rest.first().map_or(Ok(2), |threads| threads.parse())?;
    let days: Option<i64> = rest.get(1).map(|days| days.parse()).transpose()?;
    let options =
        WriterOptions { budget_bytes: budget.parse::<usize>()? << 20, threads, ..WriterOptions::default() };
    let root = PathBuf::from(folder);
    std::fs::create_dir_all(&root)?;
    let schema = user_behavior(days.is_some());
    let identity = TaskIdentity {
        label: "cost".into(),
        run: 1,
        attempt: 1,
        task: 0,
        writer: format!("{:016x}", std::process::id()),
    };
    let metrics = Arc::new(WriterMetrics::default());
    let mut writer = TabletWriter::new(
        Arc::new(Posix),
        root,
        Arc::clone(&schema),
        identity,
        options,
        Arc::clone(&metrics),
    )?;
    let mut generator = Generator::new(days.unwrap_or(9));
    let before = status_kib("VmRSS:");
    let (mut generated, start) = (0.0, Instant::now());
    let cpu = cpu_seconds();
    for first in (0..rows).step_by(BATCH_ROWS) {
        let making = cpu_seconds_of_thread();
        let batch = generator.batch(first, BATCH_ROWS.min(rows - first))?;
        generated += cpu_seconds_of_thread() - making;
        writer.append(&batch)?;
    }
    let segments = writer.finish()?;
    let cpu = cpu_seconds() - cpu - generated;
    println!("{rows} rows, budget {budget} MiB, {threads} threads");
    println!(
        "CPU {cpu:.2} s (making the rows: {generated:.2} s beside it), wall {:.2} s",
        start.elapsed().as_secs_f64()
    );
    let seconds = |counter: &AtomicU64| counter.load(Ordering::Relaxed) as f64 / 1e9;
    println!(
        "seconds of threads: route {:.2}, sort {:.2}, gather {:.2}, encode {:.2}, spill {:.2}, merge {:.2}, fsync {:.2}",
        seconds(&metrics.route_nanos),
        seconds(&metrics.sort_nanos),
        seconds(&metrics.gather_nanos),
        seconds(&metrics.encode_nanos),
        seconds(&metrics.spill_nanos),
        seconds(&metrics.merge_nanos),
        seconds(&metrics.sync_nanos),
    );
    println!(
        "{} runs, {} MB spilled, {} segments, {:.1} MB written",
        metrics.runs.load(Ordering::Relaxed),
        metrics.spilled_bytes.load(Ordering::Relaxed) / 1_000_000,
        segments.len(),
        segments.iter().map(|segment| segment.bytes).sum::<u64>() as f64 / 1e6,
    );
    println!("peak {} MiB, before {} MiB", status_kib("VmHWM:") >> 10, before >> 10);
    Ok(())
}

fn user_behavior(by_day: bool) -> Arc<TableSchema> {
    let columns = [
        ("UserID", DataType::Int),
        ("ItemID", DataType::Int),
        ("CategoryID", DataType::Int),
        ("BehaviorType", DataType::Varchar(65533)),
        ("Timestamp", DataType::DateTime),
    ];
    Arc::new(TableSchema::new(TableDefinition {
        columns: columns
            .into_iter()
            .map(|(name, data_type)| Column { name: name.into(), data_type, nullable: true, default: None })
            .collect(),
        key: vec!["UserID".into()],
        order_by: Vec::new(),
        partition_by: if by_day {
            PartitionBy::Expression(vec![PartitionTerm::DateTrunc {
                unit: DateUnit::Day,
                column: "Timestamp".into(),
            }])
        } else {
            PartitionBy::None
        },
        distribution: Distribution::Hash {
            columns: vec!["UserID".into()],
            buckets: if by_day { 8 } else { 4 },
        },
        compression: Compression::Zstd,
    }))
}

struct Generator {
    seconds: i64,
    random: SmallRng,
    behaviors: ArrayRef,
    schema: Arc<Schema>,
}

impl Generator {
    fn new(days: i64) -> Self {
        let text = ArrowType::Dictionary(Box::new(ArrowType::Int32), Box::new(ArrowType::Utf8));
        let instant = DataType::DateTime.arrow();
        let fields = vec![
            Field::new("UserID", ArrowType::Int32, true),
            Field::new("ItemID", ArrowType::Int32, true),
            Field::new("CategoryID", ArrowType::Int32, true),
            Field::new("BehaviorType", text, true),
            Field::new("Timestamp", instant, true),
        ];
        Self {
            seconds: days * 86_400,
            random: SmallRng::seed_from_u64(42),
            behaviors: Arc::new(StringArray::from(vec!["pv", "buy", "cart", "fav"])),
            schema: Arc::new(Schema::new(fields)),
        }
    }

    fn batch(&mut self, _first: usize, rows: usize) -> Result<RecordBatch, Box<dyn std::error::Error>> {
        let (random, seconds) = (&mut self.random, self.seconds);
        let users = Int32Array::from_iter_values((0..rows).map(|_| random.random_range(1..=1_000_000)));
        // Popular items are many: the cube of a uniform number leans to the small.
        let items = Int32Array::from_iter_values((0..rows).map(|_| {
            let at: f64 = random.random();
            ((at * at * at * 4_000_000.0) as i32).wrapping_mul(1_000_003) & 0x3f_ffff
        }));
        let categories =
            Int32Array::from_iter_values((0..rows).map(|_| random.random_range(0..9_400) * 521 + 80));
        let kinds = Int32Array::from_iter_values((0..rows).map(|_| match random.random_range(0..100) {
            0..90 => 0,
            90..92 => 1,
            92..97 => 2,
            _ => 3,
        }));
        let instants = TimestampMicrosecondArray::from_iter_values(
            (0..rows).map(|_| 1_511_539_200_000_000 + random.random_range(0..seconds) * 1_000_000),
        );
        let behaviors = DictionaryArray::try_new(kinds, Arc::clone(&self.behaviors))?;
        let columns: Vec<ArrayRef> = vec![
            Arc::new(users),
            Arc::new(items),
            Arc::new(categories),
            Arc::new(behaviors),
            Arc::new(instants),
        ];
        Ok(RecordBatch::try_new(Arc::clone(&self.schema), columns)?)
    }
}

/// User and system seconds of a `stat` file of this process; the unit is a hundredth of a second.
fn ticks(path: &str) -> f64 {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let behind_name = text.rsplit(')').next().unwrap_or_default();
    behind_name.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>()
        / 100.0
}

fn cpu_seconds() -> f64 {
    ticks("/proc/self/stat")
}

/// Nanoseconds on a CPU, as the scheduler counts them.
fn cpu_seconds_of_thread() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split_whitespace().next().and_then(|nanos| nanos.parse::<f64>().ok()).unwrap_or(0.0) / 1e9
}

fn status_kib(name: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).unwrap_or(0)
}
