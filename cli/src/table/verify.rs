//! `longshore table verify`.

use std::io::Write;

use longshore_storage::table::Table;
use longshore_storage::verify::{Finding, Severity, VerifyOptions, VerifyOutcome};
use serde_json::json;

use super::args::VerifyArgs;
use super::{Form, print_json};
use crate::apply::Ended;

/// Says what was found, then the verdict; fails if something is lost or wrong.
pub fn run(args: &VerifyArgs, table: &mut Table, out: &mut dyn Write) -> anyhow::Result<Ended> {
    let mut findings = Vec::new();
    let options = VerifyOptions { full: args.full };
    let outcome = table.verify(&options, &mut |finding| findings.push(finding.clone()))?;
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    match args.table.output {
        Form::Json => {
            let document = json!({"sound": outcome.is_sound(), "outcome": outcome, "findings": findings});
            print_json(out, &document)?;
        }
        Form::Table => {
            for finding in &findings {
                writeln!(out, "{}", told(finding))?;
            }
            writeln!(out, "{}", verdict(&outcome, args.full))?;
        }
    }
    Ok(if outcome.is_sound() { Ended::Done } else { Ended::Failed })
}

fn told(finding: &Finding) -> String {
    let severity = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "info",
    };
    let file = if finding.file.is_empty() { String::new() } else { format!("{}: ", finding.file) };
    format!("{severity}: {file}{}\n  {}", finding.what, finding.advice)
}

fn verdict(outcome: &VerifyOutcome, full: bool) -> String {
    let VerifyOutcome { version, segments, rows, bytes, records, checkpoints, errors, warnings, .. } =
        outcome;
    let how = if full { "every row read" } else { "rows not read: --full reads them" };
    let seen = format!(
        "version {version}, {segments} files, {rows} rows, {bytes} bytes, {records} history records, \
         {checkpoints} checkpoints compared; {how}"
    );
    if outcome.is_sound() {
        format!("sound ({warnings} warnings): {seen}")
    } else {
        format!("NOT SOUND ({errors} errors, {warnings} warnings): {seen}")
    }
}
