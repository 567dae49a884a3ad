//! `longshore`: the manifests of a cluster on one machine.
#![allow(
    rustdoc::invalid_html_tags,
    rustdoc::bare_urls,
    reason = "doc comments of arguments are what --help prints"
)]

mod apply;
mod args;
mod data_dir;
mod describe;
mod files;
mod get;
mod kubectl;
mod manifest;
mod objects;
mod pipe;
mod plan;
mod print;
mod progress;
mod sql;
mod table;
mod tables;

use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use crate::apply::Ended;
use crate::args::{Cli, Command};
use crate::data_dir::DataDir;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What a shell expects of a process that was stopped by Ctrl-C.
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    let is_plugin = kubectl::is_plugin(std::env::args_os().next().as_deref());
    let ended = if is_plugin {
        log_to_stderr();
        kubectl::run()
    } else {
        let cli = Cli::parse();
        log_to_stderr();
        run(&cli)
    };
    match ended {
        Ok(Ended::Done) => ExitCode::SUCCESS,
        Ok(Ended::Failed) => ExitCode::FAILURE,
        Ok(Ended::Interrupted) => ExitCode::from(INTERRUPTED),
        Err(error) => {
            eprintln!("longshore: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> anyhow::Result<Ended> {
    let data_dir = DataDir::new(&cli.data_dir);
    match &cli.command {
        Command::Apply(args) => {
            let runtime = Runtime::new()?;
            let cancel = cancelled_by_signals(&runtime)?;
            runtime.block_on(apply::run(args, &data_dir, &cancel))
        }
        Command::Plan(args) => {
            let runtime = Runtime::new()?;
            let cancel = cancelled_by_signals(&runtime)?;
            runtime.block_on(plan::run(args, &data_dir, &cancel))
        }
        Command::Files(args) => {
            let runtime = Runtime::new()?;
            let cancel = cancelled_by_signals(&runtime)?;
            answer(&runtime.block_on(files::run(args, &data_dir, &cancel))?)
        }
        Command::Get(args) => answer(&get::run(args, &data_dir)?),
        Command::Describe(args) => answer(&describe::run(args, &data_dir)?),
        Command::Sql(args) => {
            let runtime = Runtime::new()?;
            let cancel = match args.statement {
                Some(_) => cancelled_by_signals(&runtime)?,
                // At the prompt Ctrl-C ends a query and not the session.
                None => CancellationToken::new(),
            };
            sql::run(args, &data_dir, &runtime, &cancel)
        }
        Command::Table(args) => table::run(args, &data_dir),
        Command::Pipe(args) => answer(&pipe::run(args, &data_dir)?),
        Command::Completion { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Cli::command(), "longshore", &mut script);
            answer(&String::from_utf8(script)?)
        }
    }
}

/// Prints a result; a reader that has seen enough (`| head`) is no error.
fn answer(text: &str) -> anyhow::Result<Ended> {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(Ended::Done),
    }
}

/// A token that the first Ctrl-C or SIGTERM cancels; the second ends the process at once.
fn cancelled_by_signals(runtime: &Runtime) -> io::Result<CancellationToken> {
    use tokio::signal::unix::{SignalKind, signal};
    let cancel = CancellationToken::new();
    let token = cancel.clone();
    let _guard = runtime.enter();
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    runtime.spawn(async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if token.is_cancelled() {
                std::process::exit(i32::from(INTERRUPTED));
            }
            eprintln!("stopping; once more to stop at once");
            token.cancel();
        }
    });
    Ok(cancel)
}

fn log_to_stderr() {
    let filter = EnvFilter::try_from_env("LONGSHORE_LOG").unwrap_or_else(|_| EnvFilter::new("error"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).init();
}
