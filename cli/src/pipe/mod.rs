//! `longshore pipe`: what a person asks of a pipe's ledger.

mod args;
mod unknown;

use anyhow::bail;
use kube::ResourceExt;
use longshore_crds::Pipe;
use longshore_storage::ledger::FileKey;
use longshore_worker::ask::LedgerOf;

use crate::data_dir::DataDir;
use crate::get::existing;

pub use args::{PipeArgs, PipeCommand, RetryArgs, WhyArgs};
pub use unknown::{matches, unknown};

/// The answer to one of the commands.
pub fn run(args: &PipeArgs, data_dir: &DataDir) -> anyhow::Result<String> {
    let of = |name: &str| Ok::<_, anyhow::Error>(ledger_of(&existing(name, data_dir)?, data_dir));
    Ok(match &args.command {
        PipeCommand::Files(args) => of(&args.pipe.name)?.files(&args.options)?,
        PipeCommand::Retry(args) => of(&args.pipe.name)?.retry(args.file.as_deref())?,
        PipeCommand::Why(args) => why(args, data_dir)?,
        PipeCommand::RebuildLedger(args) => of(&args.name)?.rebuild()?,
    })
}

fn ledger_of(pipe: &Pipe, data_dir: &DataDir) -> LedgerOf {
    LedgerOf::new(&pipe.name_any(), data_dir.table(&pipe.spec.table), pipe.ledger())
}

fn why(args: &WhyArgs, data_dir: &DataDir) -> anyhow::Result<String> {
    let pipes = match &args.pipe {
        Some(name) => vec![existing::<Pipe>(name, data_dir)?],
        None => data_dir.objects().list::<Pipe>()?,
    };
    let mut text = String::new();
    for pipe in &pipes {
        text += &ledger_of(pipe, data_dir).why(&args.file)?.unwrap_or_default();
    }
    if text.is_empty() {
        let reasons: Vec<String> = pipes.iter().map(|pipe| unknown(pipe, &args.file)).collect();
        bail!("no pipe of this data directory knows {}\n{}", args.file, reasons.join("\n"));
    }
    Ok(text)
}

/// Refuses what is no `s3://bucket/key`.
pub fn check_file(file: &str) -> anyhow::Result<()> {
    match FileKey::parse_uri(file) {
        Some(_) => Ok(()),
        None => bail!("{file:?} is no s3://bucket/key"),
    }
}
