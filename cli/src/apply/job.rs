//! One LoadJob: checked, then run in this process by the code that a pod runs.

use std::sync::Arc;

use anyhow::{Context, bail};
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;
use longshore_crds::{
    LastLoad, LoadJob, LoadJobStatus, LoadReport, LoadRequest, LoadState, Outcome, Table, exit,
};
use longshore_worker::load::{self, DryRunEnd, LoadContext};
use longshore_worker::metrics::Metrics;
use tokio_util::sync::CancellationToken;

use super::settle::settle;
use super::status::{self, Verdict};
use super::{Ended, table};
use crate::data_dir::DataDir;
use crate::manifest::{Problem, check_rules};
use crate::objects::{Change, Kind, admit, now};
use crate::print;
use crate::progress::Watch;
use crate::tables::{self, LabelState};

/// Every fault of a LoadJob that can be found without its table and its source.
pub fn check(job: &LoadJob, data_dir: &DataDir) -> anyhow::Result<Vec<Problem>> {
    let old = known(job, data_dir)?;
    let mut new = job.clone();
    new.status = old.as_ref().and_then(|old| old.status.clone());
    if let Err(problems) = check_rules(&new, old.as_ref()) {
        return Ok(problems);
    }
    let same_label = |other: &LoadJob| {
        other.name_any() != job.name_any()
            && other.spec.table == job.spec.table
            && other.label() == job.label()
    };
    let holder = data_dir.objects().list::<LoadJob>()?.into_iter().find(same_label);
    let problem = holder.map(|holder| Problem {
        field: "spec.label".to_owned(),
        message: format!(
            "label `{}` of table `{}` belongs to {}; choose another label",
            job.label(),
            job.spec.table,
            holder.title()
        ),
    });
    Ok(problem.into_iter().collect())
}

/// The object of that name as it was applied before, with a state that is true.
fn known(job: &LoadJob, data_dir: &DataDir) -> anyhow::Result<Option<LoadJob>> {
    let mut old = data_dir.objects().get::<LoadJob>(&job.name_any())?;
    if let Some(old) = &mut old {
        settle(old, data_dir);
    }
    Ok(old)
}

/// Runs the load unless it is over.
pub async fn apply(
    mut job: LoadJob,
    data_dir: &DataDir,
    memory_bytes: u64,
    cancel: &CancellationToken,
) -> anyhow::Result<Ended> {
    let objects = data_dir.objects();
    let old = known(&job, data_dir)?;
    let change = admit(&mut job, old.as_ref());
    job.status = old.and_then(|old| old.status);
    if let Some(status) = cancelled_before(job.status.as_ref(), change) {
        say_still_cancelled(&job, status);
        return Ok(Ended::Failed);
    }
    if objects.get::<Table>(&job.spec.table)?.is_none() {
        bail!("spec.table: there is no table `{0}`; apply the Table `{0}` first", job.spec.table);
    }
    let _lock = data_dir.lock_label(&job.spec.table, &job.label())?;
    let in_log = tables::label(&data_dir.table(&job.spec.table), &job.label())
        .with_context(|| format!("table `{}` cannot be read", job.spec.table))?;
    let run = run_number(job.status.as_ref(), change, &in_log);
    let looks = job.spec.dry_run.is_some();
    if looks || !matches!(in_log, LabelState::Loaded { .. }) {
        let old = job.status.take();
        job.status = Some(status::started(old, job.label(), run, job.metadata.generation, &now()));
        println!("{} {}", job.title(), change.name());
    }
    objects.put(&job)?;
    let report = run_load(&job, run, data_dir, memory_bytes, cancel).await?;
    finish(job, &report, change, data_dir)
}

/// The status of a load that is CANCELLED and was not edited: it does not start again.
fn cancelled_before(status: Option<&LoadJobStatus>, change: Change) -> Option<&LoadJobStatus> {
    status.filter(|status| status.state == Some(LoadState::Cancelled) && change == Change::Unchanged)
}

/// The number of this run: the next one if the load was edited or its run is closed, else the same.
fn run_number(status: Option<&LoadJobStatus>, change: Change, in_log: &LabelState) -> u32 {
    let own = match (status.and_then(|status| status.run), change) {
        (None, _) => 1,
        (Some(run), Change::Configured) => run + 1,
        (Some(run), _) => run,
    };
    match in_log {
        LabelState::Closed { run } => own.max(run + 1),
        LabelState::Claimed { run, .. } => own.max(*run),
        LabelState::Unknown | LabelState::Loaded { .. } => own,
    }
}

async fn run_load(
    job: &LoadJob,
    run: u32,
    data_dir: &DataDir,
    memory_bytes: u64,
    cancel: &CancellationToken,
) -> anyhow::Result<LoadReport> {
    let timeout = SignedDuration::from_secs(i64::from(job.spec.timeout_seconds));
    let deadline = Timestamp::now().checked_add(timeout)?.to_string();
    let request = LoadRequest::from_load_job(job, run, Some(deadline));
    let metrics = Metrics::default();
    let watch = Watch::start(job.name_any(), Arc::clone(&metrics.progress));
    let context = LoadContext {
        table_root: data_dir.table(&job.spec.table),
        secrets_dir: data_dir.secrets(),
        memory_bytes,
        metrics,
        cancel: cancel.clone(),
    };
    let report = if request.dry_run.is_some() {
        let DryRunEnd { report, found } = Box::pin(load::dry_run(request, None, context)).await;
        watch.end().await;
        if let Some(found) = found {
            print!("{found}");
        }
        return Ok(report);
    } else {
        Box::pin(load::run(request, context)).await
    };
    watch.end().await;
    Ok(report)
}

/// Writes the outcome down and says it.
fn finish(
    mut job: LoadJob,
    report: &LoadReport,
    change: Change,
    data_dir: &DataDir,
) -> anyhow::Result<Ended> {
    let mut status = job.status.take().unwrap_or_default();
    status::ended(&mut status, report, job.metadata.generation, &now());
    job.status = Some(status);
    data_dir.objects().put(&job)?;
    say(&job, report, change);
    if status::verdict(report) == Verdict::Looked {
        let would_load = report.dry_run.as_ref().is_some_and(|verdict| verdict.exit_code == exit::LOADED);
        return Ok(if would_load { Ended::Done } else { Ended::Failed });
    }
    if status::verdict(report) != Verdict::Loaded {
        let interrupted = report.exit_code == exit::TERMINATED;
        return Ok(if interrupted { Ended::Interrupted } else { Ended::Failed });
    }
    let newest = (report.outcome == Outcome::Loaded).then(|| LastLoad {
        label: report.label.clone(),
        rows: report.counts.sink_rows,
        time: report.times.commit.clone().unwrap_or_default(),
    });
    table::refresh(&job.spec.table, newest, data_dir)?;
    print!("{}", print::objects(&[job], true, Timestamp::now())?);
    Ok(Ended::Done)
}

fn say(job: &LoadJob, report: &LoadReport, change: Change) {
    let title = job.title();
    let (label, rows, reason) = (&report.label, report.counts.sink_rows, &report.reason);
    let version = report.table_version.map_or_else(|| "-".to_owned(), |version| version.to_string());
    match (status::verdict(report), report.outcome) {
        (Verdict::Loaded, Outcome::AlreadyLoaded) => {
            println!("{title} {} (label {label} is loaded: {rows} rows, version {version})", change.name());
        }
        (Verdict::Loaded, _) => {
            let left_out = left_out(report);
            println!("{title} loaded (label {label}: {rows} rows, version {version}{left_out})");
            say_skipped(report);
        }
        (Verdict::Looked, _) => println!("{title} {}; nothing was loaded ({reason})", report.message),
        (Verdict::Cancelled, _) => {
            eprintln!("{title} CANCELLED ({reason}): {}", report.message);
            say_rejected(job, report);
            eprintln!("nothing of it is visible; edit the manifest, or raise spec.retry, and apply it again");
        }
        (Verdict::Pending, _) if report.exit_code == exit::TERMINATED => {
            eprintln!("{title} stopped: nothing of it is visible; apply it again to go on where it stood");
        }
        (Verdict::Pending, _) => {
            eprintln!("{title} not loaded ({reason}): {}", report.message);
            eprintln!("nothing of it is visible; apply it again to go on where it stood");
        }
        (Verdict::Unknown, _) => {
            eprintln!("{title}: the outcome is not known ({reason}): {}", report.message);
            eprintln!("apply it again: the table's log decides, and nothing is loaded twice");
        }
    }
}

/// What a load that is loaded left out.
fn left_out(report: &LoadReport) -> String {
    let counts = &report.counts;
    let said = [(counts.filtered_rows, "rows filtered"), (counts.skipped_files, "files skipped")];
    let said = said.iter().filter(|(count, _)| *count > 0);
    said.map(|(count, what)| format!(", {count} {what}")).collect()
}

fn say_skipped(report: &LoadReport) {
    for skipped in &report.skipped_files {
        eprintln!("  skipped {}: {}: {}", skipped.file, skipped.code, skipped.message);
    }
}

fn say_rejected(job: &LoadJob, report: &LoadReport) {
    say_skipped(report);
    for error in report.first_errors.iter().filter(|error| error.row > 0) {
        let column =
            if error.column.is_empty() { String::new() } else { format!("column {}: ", error.column) };
        eprintln!("  {} row {}: {column}{}", error.file, error.row, error.code);
    }
    if let Some(path) = &report.rejected_record_path {
        eprintln!("  rejected rows: {path} in the folder of table {}", job.spec.table);
    }
}

fn say_still_cancelled(job: &LoadJob, status: &LoadJobStatus) {
    let error = status.error.as_ref();
    eprintln!(
        "{} unchanged, and CANCELLED before ({}): {}",
        job.title(),
        error.map_or("unknown", |error| &error.error_type),
        error.map_or("", |error| &error.message)
    );
    eprintln!("edit the manifest, or raise spec.retry above {}, and apply it again", job.spec.retry);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_goes_on_unless_it_was_edited_or_closed() {
        let status = |run| LoadJobStatus { run, ..LoadJobStatus::default() };
        let claimed = LabelState::Claimed { run: 2, attempt: 1 };
        for (run, change, in_log, expected) in [
            (None, Change::Created, LabelState::Unknown, 1),
            (Some(1), Change::Unchanged, LabelState::Unknown, 1),
            (Some(2), Change::Unchanged, claimed.clone(), 2),
            (Some(2), Change::Configured, claimed.clone(), 3),
            (None, Change::Created, claimed, 2),
            (None, Change::Created, LabelState::Closed { run: 3 }, 4),
            (Some(3), Change::Configured, LabelState::Closed { run: 3 }, 4),
        ] {
            assert_eq!(run_number(Some(&status(run)), change, &in_log), expected, "{run:?} {change:?}");
        }
    }

    #[test]
    fn a_cancelled_load_waits_for_an_edit() {
        let cancelled = LoadJobStatus { state: Some(LoadState::Cancelled), ..LoadJobStatus::default() };
        assert!(cancelled_before(Some(&cancelled), Change::Unchanged).is_some());
        assert!(cancelled_before(Some(&cancelled), Change::Configured).is_none());
        assert!(cancelled_before(None, Change::Created).is_none());
    }
}
