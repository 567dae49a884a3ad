//! Pipes: checked, then run in this process by the code that a pod runs, all at once, until Ctrl-C or until they
//! are finished.

use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use indicatif::{HumanBytes, HumanCount};
use kube::ResourceExt;
use longshore_crds::{Pipe, PipeProgress, PipeRequest, PipeState, PipeStatus, Table, conditions, reasons};
use longshore_worker::metrics::Metrics;
use longshore_worker::pipe::{self, PipeContext, PipeEnd, SharedProgress};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::{Ended, table};
use crate::data_dir::{DataDir, LabelLock};
use crate::manifest::{Problem, check_rules};
use crate::objects::{Kind, admit, now};

/// How often the progress line is written: on a terminal, and elsewhere.
const LINE_INTERVAL: Duration = Duration::from_millis(500);
const LOG_INTERVAL: Duration = Duration::from_secs(5);

/// Every fault of a Pipe that can be found without its table and its source.
pub fn check(pipe: &Pipe, data_dir: &DataDir) -> anyhow::Result<Vec<Problem>> {
    let old = data_dir.objects().get::<Pipe>(&pipe.name_any())?;
    let mut new = pipe.clone();
    new.status = old.as_ref().and_then(|old| old.status.clone());
    Ok(check_rules(&new, old.as_ref()).err().unwrap_or_default())
}

/// Runs pipes side by side until each is finished, or a person stops them.
pub async fn apply(
    pipes: Vec<Pipe>,
    data_dir: &DataDir,
    memory_bytes: u64,
    cancel: &CancellationToken,
) -> Ended {
    // They share the memory: each has its part from the start.
    let memory_bytes = memory_bytes / pipes.len().max(1) as u64;
    let mut runs = Vec::with_capacity(pipes.len());
    for pipe in pipes {
        let (data_dir, cancel) = (data_dir.clone(), cancel.clone());
        // A thread each: the volume is read and written in place.
        runs.push(tokio::task::spawn_blocking(move || {
            let title = pipe.title();
            let ended = Handle::current().block_on(Box::pin(run(pipe, &data_dir, memory_bytes, &cancel)));
            ended.unwrap_or_else(|error| {
                eprintln!("{title}: {error:#}");
                Ended::Failed
            })
        }));
    }
    let mut ended = Ended::Done;
    for run in runs {
        let this = run.await.unwrap_or_else(|error| {
            eprintln!("a pipe failed inside: {error}");
            Ended::Failed
        });
        ended = ended.max(this);
    }
    ended
}

async fn run(
    mut pipe: Pipe,
    data_dir: &DataDir,
    memory_bytes: u64,
    cancel: &CancellationToken,
) -> anyhow::Result<Ended> {
    let objects = data_dir.objects();
    let old = objects.get::<Pipe>(&pipe.name_any())?;
    let change = admit(&mut pipe, old.as_ref());
    pipe.status = old.and_then(|old| old.status);
    if objects.get::<Table>(&pipe.spec.table)?.is_none() {
        bail!("spec.table: there is no table `{0}`; apply the Table `{0}` first", pipe.spec.table);
    }
    println!("{} {}", pipe.title(), change.name());
    if pipe.spec.suspend {
        let mut status = pipe.status.take().unwrap_or_default();
        status.state = Some(PipeState::Suspended);
        pipe.status = Some(status);
        objects.put(&pipe)?;
        return Ok(Ended::Done);
    }
    let _lock = lock(&pipe, data_dir)?;
    objects.put(&pipe)?;
    let request = PipeRequest::from_pipe(&pipe)?;
    let metrics = Metrics::default();
    let progress = SharedProgress::of(&request, Arc::clone(&metrics.progress))?;
    let context = PipeContext {
        table_root: data_dir.table(&pipe.spec.table),
        secrets_dir: data_dir.secrets(),
        memory_bytes,
        parallelism: 0,
        metrics,
        progress: progress.clone(),
        cancel: cancel.clone(),
    };
    let shown = CancellationToken::new();
    let show = tokio::spawn(show(pipe.name_any(), progress.clone(), shown.clone()));
    let end = Box::pin(run_anew(request, context)).await;
    shown.cancel();
    if let Err(error) = show.await {
        tracing::warn!(%error, "the progress display failed");
    }
    finish(pipe, &end, &progress.snapshot(), data_dir)
}

/// Runs the pipe; when its epoch is lost because a person put files back (`pipe retry`), it begins anew with them, as
/// a pod would that is started again.
async fn run_anew(request: PipeRequest, context: PipeContext) -> PipeEnd {
    loop {
        match Box::pin(pipe::run(request.clone(), context.clone())).await {
            PipeEnd::Failed(failure) if failure.category() == "PipeEpochLost" => {
                eprintln!("{}: files were put back; it begins anew", request.pipe);
            }
            end => return end,
        }
    }
}

/// A ledger is one process's of this machine at a time; the system frees it when that ends.
fn lock(pipe: &Pipe, data_dir: &DataDir) -> anyhow::Result<LabelLock> {
    Ok(data_dir.lock_label(&pipe.spec.table, &format!("pipe.{}", pipe.ledger()))?)
}

/// Writes down where it stands, and says it.
fn finish(
    mut pipe: Pipe,
    end: &PipeEnd,
    progress: &PipeProgress,
    data_dir: &DataDir,
) -> anyhow::Result<Ended> {
    let mut status = pipe.status.take().unwrap_or_default();
    status.take_figures(progress);
    status.observed_generation = pipe.metadata.generation;
    set_conditions(&mut status, end, pipe.metadata.generation);
    pipe.status = Some(status);
    data_dir.objects().put(&pipe)?;
    table::refresh(&pipe.spec.table, None, data_dir)?;
    let (title, loaded) = (pipe.title(), progress.loaded_files);
    Ok(match end {
        PipeEnd::Finished { errors: 0 } => {
            println!("{title} FINISHED ({loaded} files loaded)");
            Ended::Done
        }
        PipeEnd::Finished { errors } => {
            eprintln!("{title} ended with {errors} files in ERROR ({loaded} loaded)");
            eprintln!("longshore pipe files {} --state ERROR tells why", pipe.name_any());
            Ended::Failed
        }
        PipeEnd::Stopped => {
            eprintln!("{title} stopped ({loaded} files loaded); apply it again to go on where it stood");
            Ended::Interrupted
        }
        PipeEnd::Failed(failure) => {
            eprintln!("{title} failed ({}): {failure}", failure.category());
            Ended::Failed
        }
    })
}

fn set_conditions(status: &mut PipeStatus, end: &PipeEnd, generation: Option<i64>) {
    let now = now();
    match end {
        PipeEnd::Failed(failure) => {
            let message = failure.to_string();
            status.set_conditions(&[], failure.category(), &message, generation, &now);
        }
        _ => status.set_conditions(&[conditions::READY], reasons::INGESTING, "", generation, &now),
    }
}

/// A line that is written over on a terminal, and now and then elsewhere; on standard error.
async fn show(name: String, progress: SharedProgress, ended: CancellationToken) {
    let is_terminal = std::io::stderr().is_terminal();
    let interval = if is_terminal { LINE_INTERVAL } else { LOG_INTERVAL };
    loop {
        tokio::select! {
            () = ended.cancelled() => break,
            () = tokio::time::sleep(interval) => {}
        }
        let line = line(&name, &progress.snapshot());
        let written = match is_terminal {
            true => write!(std::io::stderr(), "\r\x1b[2K{line}"),
            false => writeln!(std::io::stderr(), "{line}"),
        };
        if written.is_err() {
            return;
        }
    }
    if is_terminal {
        eprint!("\r\x1b[2K");
    }
}

fn line(name: &str, progress: &PipeProgress) -> String {
    let mut line = format!(
        "{name}: {} files loaded ({}), {} waiting, {} in error",
        HumanCount(progress.loaded_files),
        HumanBytes(progress.loaded_bytes),
        HumanCount(progress.unloaded_files),
        HumanCount(progress.error_files)
    );
    match (&progress.batch, &progress.source) {
        (_, Some(source)) if !source.reachable => {
            line.push_str(&format!("; the store does not answer ({})", source.reason));
        }
        (Some(batch), _) => line.push_str(&format!(
            "; batch {} of {} files: {} rows",
            batch.number,
            batch.files,
            HumanCount(batch.rows_read)
        )),
        _ => {}
    }
    line
}

#[cfg(test)]
mod tests {
    use longshore_crds::SourceState;

    use super::*;

    #[test]
    fn the_line_tells_what_waits_and_why() {
        let mut progress = PipeProgress::new("l", "d");
        (progress.loaded_files, progress.loaded_bytes, progress.unloaded_files) = (1_200, 5 << 20, 3);
        assert_eq!(line("p", &progress), "p: 1,200 files loaded (5.00 MiB), 3 waiting, 0 in error");
        progress.source = Some(SourceState {
            reachable: false,
            reason: "AccessDenied".to_owned(),
            message: String::new(),
            next_try: None,
        });
        assert!(line("p", &progress).ends_with("; the store does not answer (AccessDenied)"));
    }
}
