//! `longshore table history`.

use std::collections::VecDeque;
use std::io::Write;

use longshore_storage::history::{HistoryEntry, HistoryFilter};
use longshore_storage::table::Table;

use super::args::HistoryArgs;
use super::{Form, print_json};
use crate::apply::Ended;
use crate::print::grid;

const HEADER: [&str; 10] = [
    "VERSION",
    "OPERATION",
    "LABEL",
    "RUN",
    "OUTCOME",
    "SCAN ROWS",
    "FILTERED",
    "SINK ROWS",
    "FINISHED",
    "ERROR",
];

/// Shows the loads that ended. Entries that cannot be read are named, and make it fail in the end.
pub fn run(args: &HistoryArgs, table: &Table, out: &mut dyn Write) -> anyhow::Result<Ended> {
    let filter = HistoryFilter { label: args.label.clone(), ..HistoryFilter::default() };
    let mut ended = Ended::Done;
    let mut entries = VecDeque::new();
    for entry in table.history(&filter)? {
        match entry {
            Ok(entry) => entries.push_back(entry),
            Err(error) => {
                eprintln!("longshore: {error}");
                ended = Ended::Failed;
            }
        }
        if args.limit > 0 && entries.len() > args.limit {
            entries.pop_front();
        }
    }
    match args.table.output {
        Form::Json => print_json(out, &entries)?,
        Form::Table if entries.is_empty() => writeln!(out, "no load has ended in this table")?,
        Form::Table => {
            let rows: Vec<Vec<String>> = entries.iter().map(row).collect();
            out.write_all(grid(&HEADER.map(str::to_owned), &rows).as_bytes())?;
        }
    }
    Ok(ended)
}

fn row(entry: &HistoryEntry) -> Vec<String> {
    let record = &entry.record;
    let finished = record.times.finish.as_ref().or(record.times.commit.as_ref());
    vec![
        entry.version.to_string(),
        entry.operation.clone(),
        record.label.clone(),
        record.run.to_string(),
        format!("{:?}", record.outcome),
        record.counts.scan_rows.to_string(),
        record.counts.filtered_rows.to_string(),
        record.counts.sink_rows.to_string(),
        finished.cloned().unwrap_or_default(),
        record.error.as_ref().map(|error| error.category.clone()).unwrap_or_default(),
    ]
}
