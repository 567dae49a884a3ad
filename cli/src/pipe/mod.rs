//! `longshore pipe`: what a person asks of a pipe's ledger.

mod args;

use std::fmt::Write;
use std::sync::Arc;

use anyhow::{Context, bail};
use longshore_crds::Pipe;
use longshore_storage::durable::Posix;
use longshore_storage::ledger::{FileEntry, FileKey, FileState, Ledger, LedgerOptions, LedgerReader};
use longshore_storage::table::Table;
use longshore_worker::pipe::{instant, retry};

use crate::data_dir::DataDir;
use crate::get::existing;
use crate::objects::Kind;
use crate::print::grid;

pub use args::PipeArgs;
use args::{FilesArgs, PipeCommand, RetryArgs, WhyArgs};

const HEADER: [&str; 8] = ["FILE", "STATE", "SIZE", "ROWS", "VERSION", "LISTED", "FINISHED", "ERROR"];

/// The answer to one of the commands.
pub fn run(args: &PipeArgs, data_dir: &DataDir) -> anyhow::Result<String> {
    match &args.command {
        PipeCommand::Files(args) => files(args, data_dir),
        PipeCommand::Retry(args) => put_back(args, data_dir),
        PipeCommand::Why(args) => why(args, data_dir),
        PipeCommand::RebuildLedger(args) => rebuild(&existing(&args.name, data_dir)?, data_dir),
    }
}

fn reader(pipe: &Pipe, data_dir: &DataDir) -> anyhow::Result<LedgerReader> {
    let root = data_dir.table(&pipe.spec.table);
    LedgerReader::open(&Posix, &root, &pipe.ledger())
        .with_context(|| format!("the ledger of {} cannot be read", pipe.title()))
}

fn files(args: &FilesArgs, data_dir: &DataDir) -> anyhow::Result<String> {
    let pipe: Pipe = existing(&args.pipe.name, data_dir)?;
    let mut reader = reader(&pipe, data_dir)?;
    let states: Vec<FileState> = match args.state.as_slice() {
        [] => FileState::ALL.to_vec(),
        named => named.iter().map(|name| name.state()).collect(),
    };
    let all: u64 = states.iter().map(|state| reader.totals().of(*state).files).sum();
    let mut found: Vec<(FileKey, FileEntry)> = Vec::new();
    reader.visit(&states, |key, entry| {
        found.push((key.clone(), entry.clone()));
        args.limit == 0 || found.len() < args.limit
    })?;
    if found.is_empty() {
        return Ok(format!("no such file in the ledger of {}\n", pipe.title()));
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    let rows: Vec<Vec<String>> = found.iter().map(|(key, entry)| row(key, entry)).collect();
    let mut text = grid(&HEADER.map(str::to_owned), &rows);
    if (found.len() as u64) < all {
        writeln!(text, "{} of {all} files; --limit 0 shows all", found.len())?;
    }
    Ok(text)
}

fn row(key: &FileKey, entry: &FileEntry) -> Vec<String> {
    let at = |ms: u64| if ms == 0 { String::new() } else { instant(ms) };
    let counted = |number: u64| if entry.version == 0 { String::new() } else { number.to_string() };
    vec![
        uri(key),
        entry.state.name().to_owned(),
        entry.size.to_string(),
        counted(entry.rows),
        counted(entry.version),
        at(entry.staged_ms),
        at(entry.finished_ms),
        entry.fault.as_ref().map(|fault| fault.category.clone()).unwrap_or_default(),
    ]
}

fn uri(key: &FileKey) -> String {
    format!("s3://{}/{}", key.bucket, key.key).replace('\n', "\\n")
}

fn put_back(args: &RetryArgs, data_dir: &DataDir) -> anyhow::Result<String> {
    let pipe: Pipe = existing(&args.pipe.name, data_dir)?;
    let put = retry(&data_dir.table(&pipe.spec.table), &pipe.ledger(), args.file.as_deref())?;
    Ok(match put.files {
        0 => format!("no file of {} is in ERROR\n", pipe.title()),
        files => format!("{files} files of {} wait again; apply it to load them\n", pipe.title()),
    })
}

fn why(args: &WhyArgs, data_dir: &DataDir) -> anyhow::Result<String> {
    let Some((bucket, key)) = args.file.strip_prefix("s3://").and_then(|path| path.split_once('/')) else {
        bail!("{:?} is no s3://bucket/key", args.file);
    };
    let pipes = match &args.pipe {
        Some(name) => vec![existing::<Pipe>(name, data_dir)?],
        None => data_dir.objects().list::<Pipe>()?,
    };
    let mut text = String::new();
    for pipe in &pipes {
        for (key, entry) in reader(pipe, data_dir)?.versions(bucket, key)? {
            writeln!(text, "{}: {}", pipe.title(), told(&key, &entry))?;
        }
    }
    if text.is_empty() {
        bail!(
            "no pipe of this data directory knows {}: it is listed next when its pipe is applied, if a path of its \
             source matches it",
            args.file
        );
    }
    Ok(text)
}

/// What became of a file, in a sentence.
fn told(key: &FileKey, entry: &FileEntry) -> String {
    let fault = entry.fault.as_ref();
    let fault = fault.map(|fault| format!("{}: {}", fault.category, fault.message)).unwrap_or_default();
    let etag = &key.etag;
    match entry.state {
        FileState::Finished => format!(
            "loaded: {} rows, version {}, {} (ETag {etag})",
            entry.rows,
            entry.version,
            instant(entry.finished_ms)
        ),
        FileState::Loading => format!("in batch {} that runs (ETag {etag})", entry.batch.number),
        FileState::Unloaded if fault.is_empty() => {
            format!("waits for its batch since {} (ETag {etag})", instant(entry.staged_ms))
        }
        FileState::Unloaded => {
            format!("waits for its attempt {} (ETag {etag}); {fault}", entry.attempts + 1)
        }
        FileState::Error => format!(
            "given up {} after {} attempts (ETag {etag}); {fault}",
            instant(entry.finished_ms),
            entry.attempts.max(1)
        ),
        FileState::Ignored => format!("left alone (ETag {etag}); {fault}"),
    }
}

fn rebuild(pipe: &Pipe, data_dir: &DataDir) -> anyhow::Result<String> {
    let mut table = Table::open(Arc::new(Posix), &data_dir.table(&pipe.spec.table))?;
    let ledger = Ledger::rebuild(&mut table, &pipe.ledger(), LedgerOptions::default())?;
    let finished = ledger.totals().of(FileState::Finished).files;
    Ok(format!(
        "the ledger of {} is made again from the history: {finished} files are loaded\n",
        pipe.title()
    ))
}
