//! `longshore table vacuum`.

use std::io::Write;
use std::time::Duration;

use longshore_storage::table::Table;
use longshore_storage::vacuum::{VacuumItem, VacuumOptions, VacuumOutcome};
use serde_json::json;

use super::args::VacuumArgs;
use super::{Form, print_json};
use crate::apply::Ended;
use crate::print::grid;

/// Removes what no one can need, or shows what would go.
pub fn run(args: &VacuumArgs, table: &mut Table, out: &mut dyn Write) -> anyhow::Result<Ended> {
    let retention = args.retention_hours.map(|hours| Duration::from_secs(hours.saturating_mul(3_600)));
    let options = VacuumOptions { retention, dry_run: args.dry_run, ..VacuumOptions::default() };
    let mut items = Vec::new();
    let outcome = table.vacuum(&options, &mut |item| {
        if args.dry_run {
            items.push(item.clone());
        }
    })?;
    match args.table.output {
        Form::Json => {
            let document = json!({"dryRun": args.dry_run, "outcome": outcome, "files": items});
            print_json(out, &document)?;
        }
        Form::Table => out.write_all(text(&outcome, &items, args.dry_run).as_bytes())?,
    }
    Ok(Ended::Done)
}

fn text(outcome: &VacuumOutcome, items: &[VacuumItem], dry_run: bool) -> String {
    let mut text = String::new();
    if !items.is_empty() {
        let rows: Vec<Vec<String>> = items
            .iter()
            .map(|item| vec![item.path.clone(), item.bytes.to_string(), item.why.clone()])
            .collect();
        text += &grid(&["FILE", "BYTES", "WHY"].map(str::to_owned), &rows);
        text.push('\n');
    }
    let row =
        |name: &str, files: u64, bytes: u64| vec![name.to_owned(), files.to_string(), bytes.to_string()];
    let mut rows: Vec<Vec<String>> =
        outcome.removed.iter().map(|(kind, count)| row(kind.text(), count.files, count.bytes)).collect();
    let total = outcome.total();
    rows.push(row("all", total.files, total.bytes));
    let header = [if dry_run { "WOULD GO" } else { "REMOVED" }, "FILES", "BYTES"].map(str::to_owned);
    text += &grid(&header, &rows);
    if outcome.open_files > 0 {
        text += &format!("{} files stay: their loads may still commit\n", outcome.open_files);
    }
    if outcome.foreign_files > 0 {
        text += &format!("{} files or folders are not Longshore's and stay\n", outcome.foreign_files);
    }
    text
}
