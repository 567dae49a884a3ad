//! `longshore table checkpoint`.

use std::io::Write;

use longshore_storage::table::{CleanOptions, Table};
use serde_json::json;

use super::args::OneTable;
use super::{Form, print_json};
use crate::apply::Ended;

/// Makes a checkpoint, folds the history and cleans the log.
pub fn run(args: &OneTable, table: &mut Table, out: &mut dyn Write) -> anyhow::Result<Ended> {
    let version = table.checkpoint()?;
    let folded = table.fold_history()?;
    let cleaned = table.clean_log(&CleanOptions::default())?;
    match args.output {
        Form::Json => print_json(
            out,
            &json!({
                "version": version, "foldedRecords": folded.records, "removedCommits": cleaned.commits,
                "removedCheckpoints": cleaned.checkpoints, "removedBytes": cleaned.bytes,
            }),
        )?,
        Form::Table => writeln!(
            out,
            "checkpoint of version {version}; {} history records folded; {} commits and {} checkpoints \
             removed from the log ({} bytes)",
            folded.records, cleaned.commits, cleaned.checkpoints, cleaned.bytes
        )?,
    }
    Ok(Ended::Done)
}
