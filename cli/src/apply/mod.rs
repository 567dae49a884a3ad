//! `longshore apply`: read and check every manifest, then make the Tables, then run the LoadJobs,
//! then the Pipes.

mod job;
mod pipe;
mod settle;
mod status;
mod table;

use std::path::PathBuf;

use longshore_crds::{LoadJob, Pipe, Table};
use tokio_util::sync::CancellationToken;

use crate::args::ApplyArgs;
use crate::data_dir::DataDir;
use crate::manifest::{self, Document, Object, Problem};
use crate::objects::Kind;

pub use settle::settle;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ended {
    /// Everything is as it was asked for.
    Done,
    /// Something failed; what, is said.
    Failed,
    /// Stopped by a person.
    Interrupted,
}

/// The objects of all manifests, checked.
#[derive(Debug, Default)]
struct Checked {
    tables: Vec<Table>,
    jobs: Vec<LoadJob>,
    pipes: Vec<Pipe>,
}

/// Applies manifests. Nothing is done if one of them has a fault.
pub async fn run(args: &ApplyArgs, data_dir: &DataDir, cancel: &CancellationToken) -> anyhow::Result<Ended> {
    let Some(checked) = check(&args.filename, data_dir)? else { return Ok(Ended::Failed) };
    for table in checked.tables {
        let title = table.title();
        if let Err(error) = Box::pin(table::apply(table, data_dir, cancel)).await {
            eprintln!("{title}: {error:#}");
            return Ok(Ended::Failed);
        }
    }
    let mut ended = Ended::Done;
    for job in checked.jobs {
        let title = job.title();
        let this = job::apply(job, data_dir, args.memory, cancel).await.unwrap_or_else(|error| {
            eprintln!("{title}: {error:#}");
            Ended::Failed
        });
        ended = ended.max(this);
        if cancel.is_cancelled() {
            return Ok(ended);
        }
    }
    Ok(ended.max(pipe::apply(checked.pipes, data_dir, args.memory, cancel).await))
}

/// Reads and checks all manifests, and says every fault; `None`: there was one.
fn check(paths: &[PathBuf], data_dir: &DataDir) -> anyhow::Result<Option<Checked>> {
    let mut checked = Checked::default();
    let mut faults = 0;
    for document in &manifest::read(paths)? {
        let found = match manifest::parse(&document.value) {
            Ok(Object::Table(table)) => {
                let problems = table::check(&table, data_dir)?;
                checked.tables.push(*table);
                problems
            }
            Ok(Object::LoadJob(job)) => {
                let problems = job::check(&job, data_dir)?;
                checked.jobs.push(*job);
                problems
            }
            Ok(Object::Pipe(pipe)) => {
                let problems = pipe::check(&pipe, data_dir)?;
                checked.pipes.push(*pipe);
                problems
            }
            Ok(Object::Foreign { name }) => {
                eprintln!("{name} skipped: local mode has no use for it");
                Vec::new()
            }
            Err(problems) => problems,
        };
        faults += found.len();
        say(document, &found);
    }
    if faults > 0 {
        eprintln!("nothing was applied");
        return Ok(None);
    }
    Ok(Some(checked))
}

fn say(document: &Document, problems: &[Problem]) {
    for problem in problems {
        eprintln!("{}: {problem}", document.place);
    }
}
