//! What a load is compared with: decoding alone, and a plain copy.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Context;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::child::{self, Finished};

/// Rows of a decoded batch.
const BATCH: usize = 8192;

/// Decodes all columns of local files with `threads` threads and drops them. Gives the rows.
pub fn decode(files: &[PathBuf], threads: usize) -> anyhow::Result<u64> {
    let next = AtomicUsize::new(0);
    let work = || -> anyhow::Result<u64> {
        let mut rows = 0;
        while let Some(path) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            rows += decode_file(path)?;
        }
        Ok(rows)
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(work)).collect();
        let rows = threads
            .into_iter()
            .map(|thread| thread.join().map_err(|_| anyhow::anyhow!("a decoder ended early"))?);
        rows.sum()
    })
}

fn decode_file(path: &Path) -> anyhow::Result<u64> {
    let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    let reader = ParquetRecordBatchReaderBuilder::try_new(file)?.with_batch_size(BATCH).build()?;
    let mut rows = 0;
    for batch in reader {
        rows += std::hint::black_box(batch?).num_rows() as u64;
    }
    Ok(rows)
}

/// Copies the files to a folder with `cp`, without sharing blocks.
pub fn copy(files: &[PathBuf], folder: &Path) -> anyhow::Result<Finished> {
    let mut command = Command::new("cp");
    command.arg("--reflink=never").args(files).arg(folder);
    child::run(&mut command).context("cannot run cp")
}
