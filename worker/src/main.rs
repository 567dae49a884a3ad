//! `longshore-worker`: what a pod runs.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use close_command::CloseArguments;
use longshore_crds::{LoadReport, LoadRequest, TableTask, exit};
use longshore_worker::load::{self, LoadContext};
use longshore_worker::metrics::Metrics;
use longshore_worker::{budget, http};
use table_command::TaskArguments;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

mod close_command;
mod pipe_command;
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
            Command::Load(arguments) => Box::pin(run(arguments)).await,
            Command::Pipe(arguments) => Box::pin(pipe_command::run(arguments)).await,
            Command::Close(arguments) => close_command::run(arguments),
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

async fn run(arguments: LoadArguments) -> u8 {
    let request = match read_request(&arguments.request) {
        Ok(request) => request,
        Err(message) => {
            tracing::error!("{message}");
            if let Some(path) = &arguments.termination_message
                && let Err(error) = std::fs::write(path, &message)
            {
                tracing::error!(path = %path.display(), %error, "cannot write the termination message");
            }
            return exit::REQUEST;
        }
    };
    let cancel = CancellationToken::new();
    if let Err(error) = stop_on_signals(cancel.clone()) {
        tracing::error!(%error, "cannot listen for signals");
        return exit::TRANSIENT;
    }
    let metrics = Metrics::default();
    if let Some(address) = arguments.listen {
        match http::serve(address, metrics.clone(), None, cancel.clone()).await {
            Ok(bound) => tracing::info!(%bound, "serving /healthz, /progress and /metrics"),
            Err(error) => {
                tracing::error!(%address, %error, "cannot serve HTTP there; choose another address");
                return exit::TRANSIENT;
            }
        }
    }
    let context = LoadContext {
        table_root: arguments.table_dir,
        secrets_dir: arguments.secrets_dir,
        memory_bytes: arguments.memory.unwrap_or_else(budget::of_this_container),
        metrics: metrics.clone(),
        cancel,
    };
    let report = load::run(request, context).await;
    tell(&report, arguments.termination_message.as_deref());
    if arguments.print_metrics {
        match metrics.text() {
            Ok(text) => eprint!("{}", String::from_utf8_lossy(&text)),
            Err(error) => tracing::warn!(%error, "cannot print the metrics"),
        }
    }
    report.exit_code
}

fn read_request(path: &std::path::Path) -> Result<LoadRequest, String> {
    let text = std::fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    LoadRequest::from_json(&text).map_err(|error| format!("{}: {error}", path.display()))
}

/// SIGTERM (the kubelet) and SIGINT (a person) both stop cleanly.
fn stop_on_signals(cancel: CancellationToken) -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => tracing::info!("SIGTERM: stopping"),
            _ = interrupt.recv() => tracing::info!("interrupted: stopping"),
        }
        cancel.cancel();
    });
    Ok(())
}

/// The report goes to standard output and, cut to size, to the termination message.
fn tell(report: &LoadReport, termination_message: Option<&std::path::Path>) {
    match serde_json::to_string(report) {
        Ok(text) => println!("{text}"),
        Err(error) => tracing::error!(%error, "cannot write the report"),
    }
    let Some(path) = termination_message else { return };
    let written = report
        .termination_message()
        .map_err(std::io::Error::other)
        .and_then(|message| std::fs::write(path, message));
    if let Err(error) = written {
        tracing::error!(path = %path.display(), %error, "cannot write the termination message");
    }
}
