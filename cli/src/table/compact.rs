//! `longshore table compact`.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use longshore_storage::compact::{CompactionOptions, CompactionReport, Compactor};
use longshore_storage::table::Table;
use serde_json::json;
use tokio::runtime::Runtime;

use super::args::CompactArgs;
use super::{Form, print_json};
use crate::apply::Ended;
use crate::cancelled_by_signals;

/// Merges small files; the first Ctrl-C ends it after the tablet that it is at.
pub fn run(args: &CompactArgs, table: &mut Table, out: &mut dyn Write) -> anyhow::Result<Ended> {
    let runtime = Runtime::new()?;
    let token = cancelled_by_signals(&runtime)?;
    let cancel = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&cancel);
    runtime.spawn(async move {
        token.cancelled().await;
        flag.store(true, Ordering::Relaxed);
    });
    let options = CompactionOptions {
        budget_bytes: usize::try_from(args.memory)?,
        threads: args.threads as usize,
        ..CompactionOptions::default()
    };
    let report = Compactor::run(table, &options, &cancel)?;
    match args.table.output {
        Form::Json => print_json(out, &document(&report))?,
        Form::Table => out.write_all(text(&report).as_bytes())?,
    }
    Ok(if report.cancelled { Ended::Interrupted } else { Ended::Done })
}

fn document(report: &CompactionReport) -> serde_json::Value {
    let dropped: Vec<String> = report.dropped.iter().map(ToString::to_string).collect();
    json!({
        "tablets": report.tablets, "inputs": report.inputs, "outputs": report.outputs, "rows": report.rows,
        "bytesBefore": report.bytes_before, "bytesAfter": report.bytes_after, "dropped": dropped,
        "cancelled": report.cancelled,
    })
}

fn text(report: &CompactionReport) -> String {
    let CompactionReport { tablets, inputs, outputs, rows, bytes_before, bytes_after, .. } = report;
    let mut text = if *tablets == 0 {
        "nothing was worth merging\n".to_owned()
    } else {
        format!(
            "{inputs} files of {tablets} tablets became {outputs}: {rows} rows, {bytes_before} bytes before, \
             {bytes_after} after; vacuum removes the old files when their retention time is over\n"
        )
    };
    for why in &report.dropped {
        text += &format!("a part was given up: {why}; run it again\n");
    }
    text
}
