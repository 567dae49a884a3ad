//! A pipe against its bounds: the worker's program as a process of its own, over a light S3 server.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, bail};
use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use longshore_crds::{Pipe, PipeProgress, PipeRequest, TableSpec};
use longshore_storage::durable::Posix;
use longshore_storage::ledger::{FileKey, Ledger, LedgerOptions};
use longshore_storage::table::Table;
use parquet::arrow::ArrowWriter;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::child::{self, Cost};
use crate::load::LightServer;

/// Name of the Pipe and of its ledger.
const NAME: &str = "figures";
/// Rows of a small file: about 10 KB.
const SMALL_ROWS: i64 = 330;
/// New keys among those that are known.
const NEW_KEYS: u64 = 100;
/// Objects that appear one after the other.
const APPEARANCES: u32 = 10;
/// Seconds between two listings while objects appear.
const POLL_SECONDS: u64 = 1;
/// Memory budgets of the worker, MiB: as it is used to, and for a million keys.
const MEMORY: u64 = 256;
const SMALL_MEMORY: u64 = 64;
/// Versions whose mean is taken, at the beginning and at the end.
const WINDOW: usize = 500;
/// No wait takes longer.
const PATIENCE: Duration = Duration::from_secs(60);

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub struct Sizes {
    /// Files of 10 KB that are loaded at once.
    pub small_files: u64,
    /// Keys that are known and listed.
    pub keys: u64,
    /// Batches of one file.
    pub batches: u64,
}

/// Measures a pipe and prints the figures.
///
/// # Errors
/// A worker that fails, or loads other rows than it should.
pub fn measure(sizes: &Sizes) -> anyhow::Result<()> {
    appear()?;
    small_files(sizes.small_files)?;
    known_keys(sizes.keys)?;
    many_batches(sizes.batches)
}

/// A table, a bucket, and the programs.
struct Place {
    folder: TempDir,
    worker: PathBuf,
    server: PathBuf,
    /// Budget of the worker, MiB.
    memory: u64,
}

impl Place {
    fn new() -> anyhow::Result<Self> {
        let beside =
            |name: &str| -> anyhow::Result<PathBuf> { Ok(std::env::current_exe()?.with_file_name(name)) };
        let place = Self {
            folder: tempfile::tempdir()?,
            worker: beside("longshore-worker")?,
            server: beside("longshore-light-s3")?,
            memory: MEMORY,
        };
        fs::create_dir_all(place.bucket())?;
        fs::write(place.bucket().join(".small"), small_file()?)?;
        Table::create(
            Arc::new(Posix),
            &place.table(),
            &longshore_worker::table::definition(&table_spec()?)?,
        )?;
        Ok(place)
    }

    fn bucket(&self) -> PathBuf {
        self.folder.path().join("s3/bucket")
    }

    fn table(&self) -> PathBuf {
        self.folder.path().join("table")
    }

    /// So many keys below each prefix, all with the content of the small file.
    fn copies(&self, counts: &[(&str, u64)]) -> std::io::Result<()> {
        let lines = counts.iter().map(|(prefix, count)| format!("{prefix} {count} .small\n"));
        fs::write(self.bucket().join(".copies"), lines.collect::<String>())
    }

    fn serve(&self) -> anyhow::Result<LightServer> {
        LightServer::start(&self.server, &self.folder.path().join("s3"))
    }

    fn command(&self, endpoint: &str, spec: Value) -> anyhow::Result<Command> {
        let (request, message) = (self.folder.path().join("request.json"), self.message());
        fs::write(&request, serde_json::to_vec(&pipe_request(endpoint, spec)?)?)?;
        let mut command = Command::new(&self.worker);
        command.arg("pipe").arg("--request").arg(&request).arg("--table-dir").arg(self.table());
        command
            .arg("--memory")
            .arg((self.memory << 20).to_string())
            .arg("--termination-message")
            .arg(message);
        command.env("AWS_ACCESS_KEY_ID", "benchmark").env("AWS_SECRET_ACCESS_KEY", "benchmark");
        command.env("LONGSHORE_LOG", "warn");
        Ok(command)
    }

    fn message(&self) -> PathBuf {
        self.folder.path().join("message.json")
    }

    /// Runs a pipe that lists once to its end.
    fn run(&self, mut spec: Value) -> anyhow::Result<(Cost, PipeProgress)> {
        let server = self.serve()?;
        spec["autoIngest"] = json!(false);
        let mut command = self.command(server.endpoint(), spec)?;
        let finished =
            child::run(&mut command).with_context(|| format!("cannot run {}", self.worker.display()))?;
        if finished.code != Some(0) {
            bail!("the worker ended with {:?}:\n{}", finished.code, finished.stderr);
        }
        Ok((finished.cost, serde_json::from_slice(&fs::read(self.message())?)?))
    }
}

fn table_spec() -> anyhow::Result<TableSpec> {
    let spec = json!({
        "columns": [{"name": "n", "type": "BIGINT"}, {"name": "text", "type": "STRING"}],
        "key": {"type": "Duplicate", "columns": ["n"]},
        "distribution": {"hash": {"columns": ["n"], "buckets": 4}},
        "storage": {"size": "10Gi"},
    });
    serde_json::from_value(spec).context("the benchmark's table does not fit the API")
}

fn pipe_request(endpoint: &str, mut spec: Value) -> anyhow::Result<PipeRequest> {
    spec["table"] = json!("table");
    spec["source"] = json!({
        "paths": ["s3://bucket/in/*.parquet"],
        "s3": {"endpoint": endpoint, "forcePathStyle": true, "region": "us-east-1"},
    });
    let manifest = json!({
        "apiVersion": "longshore.dev/v1alpha1", "kind": "Pipe", "metadata": {"name": NAME}, "spec": spec,
    });
    let pipe: Pipe = serde_json::from_value(manifest).context("the benchmark's pipe does not fit the API")?;
    Ok(PipeRequest::from_pipe(&pipe)?)
}

/// Numbers and text that do not compress to nothing.
fn small_file() -> anyhow::Result<Vec<u8>> {
    let mixed = |row: i64| row.wrapping_mul(0x9E37_79B9_7F4A_7C15_u64.cast_signed());
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values((0..SMALL_ROWS).map(mixed)));
    let texts = (0..SMALL_ROWS).map(|row| format!("{:016x}", mixed(row + SMALL_ROWS)));
    let texts: ArrayRef = Arc::new(StringArray::from_iter_values(texts));
    let batch = RecordBatch::try_from_iter([("n", numbers), ("text", texts)])?;
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None)?;
    writer.write(&batch)?;
    writer.close()?;
    Ok(bytes)
}

/// From the instant at which an object lies in the bucket to that at which a reader of the table sees its rows.
fn appear() -> anyhow::Result<()> {
    let place = Place::new()?;
    fs::write(place.bucket().join(".live"), "")?;
    fs::create_dir_all(place.bucket().join("in"))?;
    let server = place.serve()?;
    let mut command = place.command(server.endpoint(), json!({"pollIntervalSeconds": POLL_SECONDS}))?;
    let worker = Running(command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?);
    let mut table = Table::open(Arc::new(Posix), &place.table())?;
    let mut seconds = Vec::new();
    for number in 1..=APPEARANCES {
        let hidden = place.bucket().join("in/.new");
        fs::copy(place.bucket().join(".small"), &hidden)?;
        fs::rename(&hidden, place.bucket().join(format!("in/{number:04}.parquet")))?;
        let begin = Instant::now();
        let expected = u64::from(number) * SMALL_ROWS.unsigned_abs();
        loop {
            table.refresh()?;
            if table.totals()?.rows >= expected {
                break;
            }
            if begin.elapsed() > PATIENCE {
                bail!("object {number} is not visible after {} s", PATIENCE.as_secs());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        seconds.push(begin.elapsed().as_secs_f64());
        // The next one comes at another instant of the interval.
        std::thread::sleep(Duration::from_millis(u64::from(number) * 97 % 500));
    }
    drop(worker);
    seconds.sort_by(f64::total_cmp);
    let (median, longest) = (seconds[seconds.len() / 2], seconds[seconds.len() - 1]);
    println!(
        "appear to visible, poll interval {POLL_SECONDS} s: median {median:.2} s, longest {longest:.2} s \
         (bound {} s)",
        POLL_SECONDS + 1
    );
    Ok(())
}

/// A worker that is ended when this is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        if let Err(error) = self.0.kill().and_then(|()| self.0.wait()) {
            eprintln!("the worker did not end well: {error}");
        }
    }
}

fn small_files(count: u64) -> anyhow::Result<()> {
    let place = Place::new()?;
    place.copies(&[("in/", count)])?;
    let (cost, progress) = place.run(json!({}))?;
    check_loaded(&place, progress.loaded_files, count)?;
    let table = Table::open(Arc::new(Posix), &place.table())?;
    println!(
        "small files: {count} of {} KB in {:.1} s: {:.0} a second (bound 200 on 2 cores), {:.1} CPU s, {} segments",
        fs::metadata(place.bucket().join(".small"))?.len() / 1_000,
        cost.wall_seconds,
        count as f64 / cost.wall_seconds,
        cost.cpu_seconds,
        table.totals()?.files
    );
    Ok(())
}

fn check_loaded(place: &Place, loaded: u64, expected: u64) -> anyhow::Result<()> {
    let rows = Table::open(Arc::new(Posix), &place.table())?.totals()?.rows;
    if (loaded, rows) != (expected, expected * SMALL_ROWS.unsigned_abs()) {
        bail!("{loaded} files with {rows} rows are loaded, {expected} files were expected");
    }
    Ok(())
}

/// Keys that are known, listed by a worker: first alone, then with some new ones among them.
fn known_keys(keys: u64) -> anyhow::Result<()> {
    let place = Place { memory: SMALL_MEMORY, ..Place::new()? };
    know(&place.table(), keys)?;
    place.copies(&[("in/", keys)])?;
    let (listed, progress) = place.run(json!({}))?;
    println!(
        "listing: {keys} known keys in {:.1} s: {:.0} keys a second (bound 50000), {} list requests, \
         peak {:.0} MiB",
        listed.wall_seconds,
        keys as f64 / listed.wall_seconds,
        progress.list_requests,
        mebibytes(listed.peak_bytes)
    );
    place.copies(&[("in/", keys), ("in/0500-new-", NEW_KEYS)])?;
    let (cost, progress) = place.run(json!({}))?;
    let rows = Table::open(Arc::new(Posix), &place.table())?.totals()?.rows;
    if progress.loaded_files != keys + NEW_KEYS || rows != NEW_KEYS * SMALL_ROWS.unsigned_abs() {
        bail!("{} files are known as loaded, {rows} rows are in the table", progress.loaded_files);
    }
    println!(
        "{keys} known keys and {NEW_KEYS} new ones: {:.1} s, {} list requests, peak {:.0} MiB of a budget \
         of {SMALL_MEMORY} (bound 95)",
        cost.wall_seconds,
        progress.list_requests,
        mebibytes(cost.peak_bytes)
    );
    Ok(())
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// A ledger that knows the keys as loaded; the table knows of no batch.
fn know(root: &Path, keys: u64) -> anyhow::Result<()> {
    const AT_ONCE: u64 = 20_000;
    let mut table = Table::open(Arc::new(Posix), root)?;
    let mut ledger = Ledger::begin(&mut table, NAME, LedgerOptions::default())?;
    let mut first = 0;
    while first < keys {
        let last = (first + AT_ONCE).min(keys);
        let batch = ledger.put_batch(&table, "", Vec::new())?;
        let key = |number: u64| {
            FileKey::new("bucket", &format!("in/{number:07}.parquet"), &format!("{number:032x}"))
        };
        let files = (first..last).map(|number| (key(number), 10_000, 1));
        ledger.committed(&batch, table.version(), files, 1_700_000_100_000)?;
        ledger.fold_if_due(&mut table)?;
        first = last;
    }
    Ok(ledger.fold(&mut table)?)
}

/// Time from one commit to the next, at the beginning and after many batches of one file.
fn many_batches(batches: u64) -> anyhow::Result<()> {
    let place = Place::new()?;
    place.copies(&[("in/", batches)])?;
    let (cost, progress) = place.run(json!({"batchFiles": 1}))?;
    check_loaded(&place, progress.loaded_files, batches)?;
    let times = commit_times(&place.table())?;
    let (first, last) =
        (mean(times.get(..WINDOW)), mean(times.len().checked_sub(WINDOW).and_then(|at| times.get(at..))));
    println!(
        "{batches} batches of one file in {:.0} s, {} versions: {first:.1} ms each of the first {WINDOW}, \
         {last:.1} ms of the last: x {:.2} (bound 1.2); {} segments",
        cost.wall_seconds,
        times.len(),
        last / first,
        Table::open(Arc::new(Posix), &place.table())?.totals()?.files
    );
    Ok(())
}

/// When each version was put in place, in their order.
fn commit_times(root: &Path) -> anyhow::Result<Vec<SystemTime>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root.join("_delta_log"))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.strip_suffix(".json").is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_digit())) {
            found.push((name, entry.metadata()?.modified()?));
        }
    }
    found.sort();
    Ok(found.into_iter().map(|(_, time)| time).collect())
}

/// Milliseconds from one instant to the next. A mean: file systems tell times in steps of milliseconds.
fn mean(times: Option<&[SystemTime]>) -> f64 {
    match times.unwrap_or_default() {
        [first, between @ .., last] => {
            let whole = last.duration_since(*first).unwrap_or_default();
            whole.as_secs_f64() * 1e3 / (between.len() + 1) as f64
        }
        _ => f64::NAN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_request_the_table_and_the_file_are_as_they_should_be() {
        longshore_worker::table::definition(&table_spec().unwrap()).unwrap();
        let request = pipe_request("http://127.0.0.1:1", json!({"batchFiles": 1})).unwrap();
        assert_eq!((request.batch_files, request.ledger.as_str()), (1, NAME));
        let bytes = small_file().unwrap().len();
        assert!((8_000..12_000).contains(&bytes), "{bytes}");
        let times =
            [0, 4, 20].map(|milliseconds| SystemTime::UNIX_EPOCH + Duration::from_millis(milliseconds));
        assert_eq!(mean(Some(&times)), 10.0);
    }
}
