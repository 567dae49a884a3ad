//! One load of the data set by the worker, as a process of its own.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;

use anyhow::{Context, bail};
use longshore_crds::{LoadReport, TableSpec};
use longshore_storage::durable::Posix;
use longshore_storage::table::Table;
use serde_json::json;

use crate::child::{self, Cost};

/// The table of the guide: text becomes a DATETIME, four buckets, sorted by user.
pub fn table_spec() -> anyhow::Result<TableSpec> {
    let column = |name: &str, data_type: &str| json!({"name": name, "type": data_type, "nullable": true});
    let spec = json!({
        "columns": [
            column("UserID", "INT"),
            column("ItemID", "INT"),
            column("CategoryID", "INT"),
            column("BehaviorType", "VARCHAR(65533)"),
            column("Timestamp", "DATETIME"),
        ],
        "key": {"type": "Duplicate", "columns": ["UserID"]},
        "distribution": {"hash": {"columns": ["UserID"], "buckets": 4}},
        "storage": {"size": "10Gi", "compression": "Zstd"},
    });
    serde_json::from_value(spec).context("the benchmark's table does not fit the API")
}

/// The light S3 server as a process; it ends when this is dropped.
#[derive(Debug)]
pub struct LightServer {
    child: Child,
    stdin: Option<ChildStdin>,
    endpoint: String,
}

impl LightServer {
    /// Serves a folder whose folders are buckets.
    pub fn start(program: &Path, folder: &Path) -> anyhow::Result<Self> {
        let mut command = Command::new(program);
        command.arg("--data-dir").arg(folder).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("cannot run {}", program.display()))?;
        let stdin = child.stdin.take();
        let mut endpoint = String::new();
        if let Some(stdout) = child.stdout.take() {
            BufReader::new(stdout).read_line(&mut endpoint).context("the light S3 server says nothing")?;
        }
        Ok(Self { child, stdin, endpoint: endpoint.trim().to_owned() })
    }

    /// Its URL.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }
}

impl Drop for LightServer {
    fn drop(&mut self) {
        // The server ends with its standard input.
        self.stdin.take();
        if let Err(error) = self.child.wait() {
            eprintln!("the light S3 server did not end well: {error}");
        }
    }
}

/// What to load, how.
#[derive(Debug)]
pub struct LoadRun<'a> {
    /// The worker's program.
    pub worker: &'a Path,
    /// Endpoint of the S3 server.
    pub endpoint: &'a str,
    /// Wildcard of the source.
    pub path: &'a str,
    /// Rows that must arrive.
    pub rows: u64,
    /// Memory budget in bytes.
    pub memory: u64,
    /// Folder for the table; made anew.
    pub folder: PathBuf,
}

/// What a load cost and wrote.
#[derive(Debug)]
pub struct Measured {
    /// Cost of the worker's process.
    pub cost: Cost,
    /// Seconds by stage, summed over threads.
    pub stages: BTreeMap<String, f64>,
    /// Bytes of the table's files.
    pub written_bytes: u64,
    /// Other figures the worker gave, by name.
    pub metrics: BTreeMap<String, f64>,
}

impl LoadRun<'_> {
    /// Makes the table, loads, checks the number of rows.
    pub fn run(&self) -> anyhow::Result<Measured> {
        std::fs::create_dir_all(&self.folder)?;
        let table = self.folder.join("table");
        let definition = longshore_worker::table::definition(&table_spec()?)?;
        Table::create(Arc::new(Posix), &table, &definition)?;
        let (request, report) = (self.folder.join("request.json"), self.folder.join("report.json"));
        std::fs::write(&request, serde_json::to_vec_pretty(&self.request())?)?;

        let mut command = Command::new(self.worker);
        command.args(["load", "--print-metrics", "--request"]).arg(&request);
        command.arg("--table-dir").arg(&table).arg("--memory").arg(self.memory.to_string());
        command.arg("--termination-message").arg(&report);
        command.env("AWS_ACCESS_KEY_ID", "benchmark").env("AWS_SECRET_ACCESS_KEY", "benchmark");
        let finished =
            child::run(&mut command).with_context(|| format!("cannot run {}", self.worker.display()))?;
        if finished.code != Some(0) {
            bail!("the worker ended with {:?}:\n{}", finished.code, finished.stderr);
        }
        let report: LoadReport = serde_json::from_slice(&std::fs::read(&report)?)?;
        if report.counts.sink_rows != self.rows {
            bail!("{} rows were loaded, {} were expected", report.counts.sink_rows, self.rows);
        }
        let metrics = read_metrics(&finished.stderr);
        let stages = stages(&metrics);
        Ok(Measured { cost: finished.cost, stages, written_bytes: folder_bytes(&table)?, metrics })
    }

    fn request(&self) -> serde_json::Value {
        json!({
            "version": 1,
            "table": "user-behavior",
            "label": "benchmark",
            "run": 1,
            "sources": [{
                "paths": [self.path],
                "s3": {"endpoint": self.endpoint, "forcePathStyle": true, "region": "us-east-1"},
            }],
            "strictMode": true,
            "maxFilterRatio": "0",
            "onMissingColumn": "Fail",
            "allowEmpty": false,
            "timezone": "UTC",
            "rejectedRecordsLimit": 0,
            "execution": {},
        })
    }
}

/// Figures in Prometheus' text form: name with labels → value. Other lines are left out.
fn read_metrics(text: &str) -> BTreeMap<String, f64> {
    let lines = text.lines().filter(|line| line.starts_with("longshore_"));
    lines
        .filter_map(|line| line.rsplit_once(' '))
        .filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?)))
        .collect()
}

fn stages(metrics: &BTreeMap<String, f64>) -> BTreeMap<String, f64> {
    let name = |metric: &str| {
        let stage = metric.strip_prefix("longshore_stage_seconds_total{stage=\"")?.strip_suffix("\"}")?;
        Some(stage.to_owned())
    };
    metrics.iter().filter_map(|(metric, seconds)| Some((name(metric)?, *seconds))).collect()
}

/// Bytes of all files below a folder.
pub fn folder_bytes(folder: &Path) -> std::io::Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        bytes += if metadata.is_dir() { folder_bytes(&entry.path())? } else { metadata.len() };
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_request_and_the_table_fit_the_api() {
        longshore_worker::table::definition(&table_spec().unwrap()).unwrap();
        let run = LoadRun {
            worker: Path::new("worker"),
            endpoint: "http://127.0.0.1:1",
            path: "s3://data/*.parquet",
            rows: 1,
            memory: 1,
            folder: PathBuf::new(),
        };
        let text = serde_json::to_vec(&run.request()).unwrap();
        longshore_crds::LoadRequest::from_json(&text).unwrap();
    }

    #[test]
    fn stages_are_read_from_the_metrics() {
        let text = "noise\n# TYPE longshore_x counter\nlongshore_stage_seconds_total{stage=\"sort\"} 1.5\n";
        assert_eq!(stages(&read_metrics(text)), BTreeMap::from([("sort".to_owned(), 1.5)]));
    }
}
