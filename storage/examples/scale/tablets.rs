//! 365 days of 8 buckets each, loaded in narrow memory: few segments a tablet and task.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use arrow::array::{ArrayRef, Int32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use longshore_storage::durable::Posix;
use longshore_storage::schema::{
    Column, Compression, DateUnit, Distribution, PartitionBy, PartitionTerm, TableDefinition, TableSchema,
};
use longshore_storage::tablet::{TabletWriter, TaskIdentity, WriterMetrics, WriterOptions};
use longshore_storage::types::DataType;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use crate::Scale;
use crate::figures::{Figures, Outcome, memory_mib, timed};

const DAYS: i64 = 365;
const BUCKETS: u32 = 8;
const DAY_MICROS: i64 = 86_400_000_000;
/// 2023-01-01.
const FIRST_DAY: i64 = 19_358;
/// Bytes of a task, as a load cuts them.
const TASK_BYTES: u64 = 1 << 30;
/// What a worker may use in all.
const BUDGET_BYTES: usize = 256 << 20;
/// What a worker of that budget leaves to its tablet writer.
const WRITER_BYTES: usize = 43 << 20;
const BATCH_ROWS: usize = 4_096;
/// Bytes of a row's values: two integers, an instant, a number, text.
const ROW_BYTES: u64 = 4 + 4 + 8 + 8 + TEXT_BYTES as u64;
const TEXT_BYTES: usize = 76;

/// Segments a tablet and task, and memory.
pub fn measure(scale: &Scale, folder: &Path, figures: &mut Figures) -> Outcome<()> {
    let schema = schema();
    let tasks = scale.bytes.div_ceil(TASK_BYTES);
    let metrics = Arc::new(WriterMetrics::default());
    let mut most = 0;
    let (mut tablets, mut segments_in_all, mut rows_in_all) = (HashMap::<_, usize>::new(), 0, 0);
    let (time, ()) = timed(|| {
        for task in 0..tasks {
            let identity = TaskIdentity {
                label: "scale".to_owned(),
                run: 1,
                attempt: 1,
                task: task as u32,
                writer: format!("{:016x}", std::process::id()),
            };
            let options = WriterOptions { budget_bytes: WRITER_BYTES, ..WriterOptions::default() };
            let (root, metrics) = (folder.to_owned(), Arc::clone(&metrics));
            let mut writer =
                TabletWriter::new(Arc::new(Posix), root, Arc::clone(&schema), identity, options, metrics)?;
            let rows = (scale.bytes - task * TASK_BYTES).min(TASK_BYTES) / ROW_BYTES;
            let mut random = SmallRng::seed_from_u64(task);
            for first in (0..rows).step_by(BATCH_ROWS) {
                let rows = usize::try_from(rows - first)?.min(BATCH_ROWS);
                writer.append(&batch(&schema, &mut random, rows)?)?;
            }
            let mut of_task = HashMap::<_, usize>::new();
            for segment in writer.finish()? {
                *of_task.entry((segment.partition.clone(), segment.bucket)).or_default() += 1;
                *tablets.entry((segment.partition, segment.bucket)).or_default() += 1;
                segments_in_all += 1;
                rows_in_all += segment.rows;
                // Only counted: the volume need not hold all of them.
                std::fs::remove_file(folder.join(&segment.path))?;
            }
            most = most.max(of_task.values().copied().max().unwrap_or(0));
        }
        Ok(())
    })?;
    let megabytes = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed) as f64 / 1e6;
    println!(
        "  {:.1} GB in {tasks} tasks, budget {} MiB, of which the writer has {}",
        scale.bytes as f64 / 1e9,
        BUDGET_BYTES >> 20,
        WRITER_BYTES >> 20
    );
    figures.plain("tablets", tablets.len() as f64, "");
    figures.plain("segments", f64::from(segments_in_all), "");
    figures.plain("rows", rows_in_all as f64, "");
    figures.plain("time", time / 1e3, "s");
    figures.plain("spilled", megabytes(&metrics.spilled_bytes), "MB");
    figures.plain("written", megabytes(&metrics.written_bytes), "MB");
    figures.bounded("segments a tablet and task, at most", most as f64, 2.0, "");
    figures.bounded("peak memory of the process", memory_mib("VmHWM:"), (BUDGET_BYTES >> 20) as f64, "MiB");
    Ok(())
}

fn schema() -> Arc<TableSchema> {
    let columns = [
        ("UserID", DataType::Int),
        ("ItemID", DataType::Int),
        ("At", DataType::DateTime),
        ("Amount", DataType::BigInt),
        ("Text", DataType::String),
    ];
    Arc::new(TableSchema::new(TableDefinition {
        columns: columns
            .into_iter()
            .map(|(name, data_type)| Column { name: name.into(), data_type, nullable: true, default: None })
            .collect(),
        key: vec!["UserID".to_owned()],
        order_by: Vec::new(),
        distribution: Distribution::Hash { columns: vec!["UserID".to_owned()], buckets: BUCKETS },
        compression: Compression::Zstd,
        partition_by: PartitionBy::Expression(vec![PartitionTerm::DateTrunc {
            unit: DateUnit::Day,
            column: "At".to_owned(),
        }]),
    }))
}

fn batch(schema: &TableSchema, random: &mut SmallRng, rows: usize) -> Outcome<RecordBatch> {
    let users = Int32Array::from_iter_values((0..rows).map(|_| random.random_range(1..=1_000_000)));
    let items = Int32Array::from_iter_values((0..rows).map(|_| random.random_range(1..=4_000_000)));
    let at = TimestampMicrosecondArray::from_iter_values(
        (0..rows).map(|_| FIRST_DAY * DAY_MICROS + random.random_range(0..DAYS * DAY_MICROS)),
    );
    let amounts = Int64Array::from_iter_values((0..rows).map(|_| random.random_range(0..100_000)));
    let texts =
        StringArray::from_iter_values((0..rows).map(|_| {
            (0..TEXT_BYTES).map(|_| char::from(random.random_range(b'a'..=b'p'))).collect::<String>()
        }));
    let columns: Vec<ArrayRef> =
        vec![Arc::new(users), Arc::new(items), Arc::new(at), Arc::new(amounts), Arc::new(texts)];
    Ok(RecordBatch::try_new(Arc::clone(schema.arrow()), columns)?)
}
