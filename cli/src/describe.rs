//! `longshore describe`.

use std::fmt::Write;

use kube::ResourceExt;
use longshore_crds::{LoadJob, Pipe, Table};
use longshore_storage::table::PartitionSummary;
use serde_json::Value;

use crate::apply::settle;
use crate::args::{DescribeArgs, KindName};
use crate::data_dir::DataDir;
use crate::get::existing;
use crate::objects::Kind;
use crate::print::grid;
use crate::tables;

/// The columns of `information_schema.loads`, and where they stand in a LoadJob.
const LOAD_FIELDS: [(&str, &str); 22] = [
    ("LABEL", "/status/label"),
    ("TABLE_NAME", "/spec/table"),
    ("STATE", "/status/state"),
    ("PROGRESS", "/status/progress"),
    ("RUN", "/status/run"),
    ("SCAN_ROWS", "/status/scanRows"),
    ("SCAN_BYTES", "/status/scanBytes"),
    ("FILTERED_ROWS", "/status/filteredRows"),
    ("UNSELECTED_ROWS", "/status/unselectedRows"),
    ("SINK_ROWS", "/status/sinkRows"),
    ("SKIPPED_FILES", "/status/skippedFiles"),
    ("FILE_NUMBER", "/status/fileNumber"),
    ("FILE_SIZE", "/status/fileSize"),
    ("CREATE_TIME", "/status/createTime"),
    ("LOAD_START_TIME", "/status/loadStartTime"),
    ("LOAD_COMMIT_TIME", "/status/loadCommitTime"),
    ("LOAD_FINISH_TIME", "/status/loadFinishTime"),
    ("TABLE_VERSION", "/status/tableVersion"),
    ("ERROR_TYPE", "/status/error/type"),
    ("ERROR_MSG", "/status/error/message"),
    ("REJECTED_RECORD_PATH", "/status/rejectedRecordPath"),
    ("MAX_FILTER_RATIO", "/spec/maxFilterRatio"),
];

const TABLE_FIELDS: [(&str, &str); 7] = [
    ("VERSION", "/status/version"),
    ("ROWS", "/status/rows"),
    ("BYTES", "/status/bytes"),
    ("FILES", "/status/files"),
    ("TABLETS", "/status/tablets"),
    ("COLUMNS", "/status/columnCount"),
    ("LAST_LOAD", "/status/lastLoad/label"),
];

/// The columns of `information_schema.pipes`, and where they stand in a Pipe.
const PIPE_FIELDS: [(&str, &str); 14] = [
    ("TABLE_NAME", "/spec/table"),
    ("STATE", "/status/state"),
    ("LOADED_FILES", "/status/loadedFiles"),
    ("LOADED_BYTES", "/status/loadedBytes"),
    ("LOADING_FILES", "/status/loadingFiles"),
    ("UNLOADED_FILES", "/status/unloadedFiles"),
    ("ERROR_FILES", "/status/errorFiles"),
    ("IGNORED_FILES", "/status/ignoredFiles"),
    ("LAG_SECONDS", "/status/lagSeconds"),
    ("LIST_REQUESTS", "/status/listRequests"),
    ("LAST_LOADED_TIME", "/status/lastLoadedTime"),
    ("LAST_LIST_TIME", "/status/lastListTime"),
    ("ERROR_TYPE", "/status/lastError/type"),
    ("ERROR_MSG", "/status/lastError/message"),
];

/// Partitions that are listed.
const LISTED_PARTITIONS: usize = 200;
/// Characters of a partition's value that are shown.
const SHOWN_CHARACTERS: usize = 40;

/// The answer to `describe`.
pub fn run(args: &DescribeArgs, data_dir: &DataDir) -> anyhow::Result<String> {
    match args.kind {
        KindName::Tables => {
            let table: Table = existing(&args.name, data_dir)?;
            let folder = data_dir.table(&args.name).display().to_string();
            let mut text = header(&table, &[("Folder", folder)])?;
            let partitions = partitions(&table, data_dir)?;
            let object = serde_json::to_value(&table)?;
            text += &fields("Table", &TABLE_FIELDS, &object)?;
            text += &list(&object, "/status/columns", "Columns", &["name", "type", "origin"])?;
            text += &partitions;
            tail(text, &object)
        }
        KindName::Pipes => {
            let pipe: Pipe = existing(&args.name, data_dir)?;
            let folder = data_dir.table(&pipe.spec.table).display().to_string();
            let mut text = header(&pipe, &[("Table folder", folder), ("Ledger", pipe.ledger())])?;
            let object = serde_json::to_value(&pipe)?;
            text += &fields("Pipe", &PIPE_FIELDS, &object)?;
            text += &list(&object, "/status/failedFiles", "Failed files", &["file", "type", "message"])?;
            tail(text, &object)
        }
        KindName::LoadJobs => {
            let mut job: LoadJob = existing(&args.name, data_dir)?;
            settle(&mut job, data_dir);
            let folder = data_dir.table(&job.spec.table).display().to_string();
            let mut text = header(&job, &[("Table folder", folder)])?;
            let object = serde_json::to_value(&job)?;
            text += &fields("Load", &LOAD_FIELDS, &object)?;
            text +=
                &list(&object, "/status/firstErrors", "First errors", &["file", "row", "column", "code"])?;
            tail(text, &object)
        }
    }
}

/// The partitions of a table, as its log has them now.
fn partitions(table: &Table, data_dir: &DataDir) -> anyhow::Result<String> {
    if table.spec.partition_by.is_empty() {
        return Ok(String::new());
    }
    let found = match tables::partitions(&data_dir.table(&table.name_any())) {
        Ok(found) => found,
        Err(error) => return Ok(format!("\nPartitions:\n  they cannot be read: {error}\n")),
    };
    let header = ["NAME", "VALUES", "ROWS", "BYTES", "FILES"].map(str::to_owned);
    let row = |partition: &PartitionSummary| {
        let values: Vec<String> = partition
            .values
            .iter()
            .map(|(column, value)| format!("{column}={}", shown(value.as_deref())))
            .collect();
        let totals = partition.totals;
        let numbers = [totals.rows, totals.bytes, totals.files].map(|number| number.to_string());
        [vec![partition.name.clone(), values.join(", ")], numbers.to_vec()].concat()
    };
    let rows: Vec<Vec<String>> = found.iter().take(LISTED_PARTITIONS).map(row).collect();
    let mut text = format!("\nPartitions ({}):\n", found.len());
    for line in grid(&header, &rows).lines() {
        writeln!(text, "  {line}")?;
    }
    if found.len() > LISTED_PARTITIONS {
        writeln!(text, "  and {} more", found.len() - LISTED_PARTITIONS)?;
    }
    Ok(text)
}

/// A value on one line, cut where it is long.
fn shown(value: Option<&str>) -> String {
    let Some(value) = value else { return "NULL".to_owned() };
    let plain = |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    let mut text: String = value.chars().take(SHOWN_CHARACTERS).map(plain).collect();
    if value.chars().nth(SHOWN_CHARACTERS).is_some() {
        text.push('…');
    }
    text
}

fn header<K: Kind>(object: &K, more: &[(&str, String)]) -> anyhow::Result<String> {
    let mut text = String::new();
    let generation = object.meta().generation.unwrap_or_default().to_string();
    let created =
        object.meta().creation_timestamp.as_ref().map(|time| time.0.to_string()).unwrap_or_default();
    let own = [
        ("Name", object.name_any()),
        ("Kind", K::api_resource().kind),
        ("Created", created),
        ("Generation", generation),
    ];
    for (name, value) in own.iter().chain(more) {
        writeln!(text, "{:14}{value}", format!("{name}:"))?;
    }
    for (name, values) in [("Labels", object.labels()), ("Annotations", object.annotations())] {
        for (key, value) in values {
            writeln!(text, "{:14}{key}={value}", format!("{name}:"))?;
        }
    }
    Ok(text)
}

fn fields(title: &str, fields: &[(&str, &str)], object: &Value) -> anyhow::Result<String> {
    let mut text = format!("\n{title}:\n");
    for (name, pointer) in fields {
        writeln!(text, "  {name:22}{}", object.pointer(pointer).map_or_else(|| "-".to_owned(), plain))?;
    }
    Ok(text)
}

fn list(object: &Value, pointer: &str, title: &str, columns: &[&str]) -> anyhow::Result<String> {
    let Some(Value::Array(items)) = object.pointer(pointer) else { return Ok(String::new()) };
    let header: Vec<String> = columns.iter().map(|column| column.to_uppercase()).collect();
    let rows: Vec<Vec<String>> =
        items.iter().map(|item| columns.iter().map(|column| plain(&item[*column])).collect()).collect();
    let mut text = format!("\n{title}:\n");
    for line in grid(&header, &rows).lines() {
        writeln!(text, "  {line}")?;
    }
    Ok(text)
}

/// What every kind ends with: conditions and spec.
fn tail(mut text: String, object: &Value) -> anyhow::Result<String> {
    text += &list(object, "/status/conditions", "Conditions", &["type", "status", "reason", "message"])?;
    text += "\nSpec:\n";
    for line in serde_yaml::to_string(&object["spec"])?.lines() {
        writeln!(text, "  {line}")?;
    }
    Ok(text)
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
