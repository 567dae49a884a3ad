//! `longshore-worker`: what a pod runs.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use ask_command::AskArguments;
use clap::{Parser, Subcommand};
use close_command::CloseArguments;
use longshore_crds::{TableTask, exit};
use table_command::TaskArguments;

mod ask_command;
mod close_command;
mod load_command;
mod pipe_command;
mod pod;
mod table_command;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Loads S3 objects into a table on a volume.
#[derive(Debug, Parser)]
#[command(name = "longshore-worker", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs one load and ends; the exit code says how.
    Load(LoadArguments),
    /// Closes a run of a label, so that no attempt of it loads any more, and tells what the log holds.
    Close(CloseArguments),
    /// Loads the files of a pipe as they appear, each once; ends when it is stopped, or has loaded what was there
    /// if the request says so.
    Pipe(LoadArguments),
    /// Answers a question about the ledger of a pipe, or puts files of it back.
    Ask(AskArguments),
    /// Makes a table, or checks the one that is there and adds the columns that it lacks.
    Table(TaskArguments),
    /// Merges small segments, removes files that no one needs, and makes a checkpoint if one pays.
    Maintain(TaskArguments),
}

#[derive(Debug, clap::Args)]
struct LoadArguments {
    /// The request, JSON.
    #[arg(long)]
    request: PathBuf,
    /// The table's folder.
    #[arg(long, env = "LONGSHORE_TABLE_DIR")]
    table_dir: PathBuf,
    /// Folder with one folder a Secret: access-key-id, secret-access-key, session-token.
    #[arg(long, env = "LONGSHORE_SECRETS_DIR")]
    secrets_dir: Option<PathBuf>,
    /// Memory budget in bytes; default: 0.6 of the limit of this container, else 1 GiB.
    #[arg(long, env = "LONGSHORE_MEMORY_BYTES")]
    memory: Option<u64>,
    /// Where to write the report: a pod's termination message.
    #[arg(long, env = "LONGSHORE_TERMINATION_MESSAGE")]
    termination_message: Option<PathBuf>,
    /// Address of /healthz, /progress and /metrics; port 0 takes a free one.
    #[arg(long, env = "LONGSHORE_LISTEN")]
    listen: Option<SocketAddr>,
    /// Print the metrics to standard error at the end.
    #[arg(long)]
    print_metrics: bool,
    /// `text` or `json`.
    #[arg(long, env = "LONGSHORE_LOG_FORMAT", default_value = "text")]
    log_format: String,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    logging(match &arguments.command {
        Command::Load(arguments) | Command::Pipe(arguments) => &arguments.log_format,
        Command::Close(arguments) => &arguments.log_format,
        // Whose answer stands in the pod's log.
        Command::Ask(_) => "text",
        Command::Table(arguments) | Command::Maintain(arguments) => &arguments.log_format,
    });
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "cannot start the runtime");
            return ExitCode::from(exit::TRANSIENT);
        }
    };
    let code = runtime.block_on(async {
        match arguments.command {
            Command::Load(arguments) => Box::pin(load_command::run(arguments)).await,
            Command::Pipe(arguments) => Box::pin(pipe_command::run(arguments)).await,
            Command::Close(arguments) => close_command::run(arguments),
            Command::Ask(arguments) => ask_command::run(&arguments),
            Command::Table(arguments) => table_command::run(arguments, TableTask::Declare).await,
            Command::Maintain(arguments) => table_command::run(arguments, TableTask::Maintain).await,
        }
    });
    // Reads that were given up may still hold a thread; their bytes are of no use any more.
    runtime.shutdown_background();
    ExitCode::from(code)
}

fn logging(format: &str) {
    let filter = tracing_subscriber::EnvFilter::try_from_env("LONGSHORE_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if format == "json" { logs.json().init() } else { logs.init() }
}
