//! `longshore-worker table` and `maintain`: what a pod does with a table itself.

use std::net::SocketAddr;
use std::path::PathBuf;

use longshore_crds::{TableReport, TableRequest, TableTask, exit};
use longshore_worker::budget;
use longshore_worker::metrics::Metrics;
use longshore_worker::table::task::{self, TaskContext};

use crate::pod;

/// Flags of both.
#[derive(Debug, clap::Args)]
pub struct TaskArguments {
    /// The table request, JSON.
    #[arg(long)]
    request: PathBuf,
    /// The table's folder.
    #[arg(long, env = "LONGSHORE_TABLE_DIR")]
    table_dir: PathBuf,
    /// Memory budget in bytes; default: 0.6 of the limit of this container, else 1 GiB.
    #[arg(long, env = "LONGSHORE_MEMORY_BYTES")]
    memory: Option<u64>,
    /// Folder of mounted Secrets: `<dir>/<secret>/access-key-id` and its fellows.
    #[arg(long, env = "LONGSHORE_SECRETS_DIR")]
    secrets_dir: Option<PathBuf>,
    /// Where to write the report: a pod's termination message.
    #[arg(long, env = "LONGSHORE_TERMINATION_MESSAGE")]
    termination_message: Option<PathBuf>,
    /// Address of /healthz and /metrics; port 0 takes a free one.
    #[arg(long, env = "LONGSHORE_LISTEN")]
    listen: Option<SocketAddr>,
    /// `text` or `json`.
    #[arg(long, env = "LONGSHORE_LOG_FORMAT", default_value = "text")]
    pub log_format: String,
}

/// Does the task, tells the report, and returns the exit code.
pub async fn run(arguments: TaskArguments, task: TableTask) -> u8 {
    let report = perform(&arguments, task).await;
    pod::tell(&report, report.termination_message(), arguments.termination_message.as_deref());
    report.exit_code
}

async fn perform(arguments: &TaskArguments, task: TableTask) -> TableReport {
    let request = match read(&arguments.request, task) {
        Ok(request) => request,
        Err(message) => return failed(task, exit::REQUEST, "InvalidRequest", message),
    };
    let cancel = match pod::start(arguments.listen, &Metrics::default(), None).await {
        Ok(cancel) => cancel,
        Err(error) => return failed(task, exit::TRANSIENT, "Internal", error.to_string()),
    };
    let context = TaskContext {
        table_root: arguments.table_dir.clone(),
        memory_bytes: arguments.memory.unwrap_or_else(budget::of_this_container),
        secrets_dir: arguments.secrets_dir.clone(),
        cancel,
    };
    task::run(request, context).await
}

fn read(path: &std::path::Path, task: TableTask) -> Result<TableRequest, String> {
    let request = pod::read(path, TableRequest::from_json)?;
    if request.task != task {
        let asked = request.task.role();
        return Err(format!("{} asks for `{asked}`; run that command", path.display()));
    }
    Ok(request)
}

fn failed(task: TableTask, exit_code: u8, reason: &str, message: String) -> TableReport {
    TableReport { exit_code, reason: reason.to_owned(), message, ..task::nothing_done("", task) }
}
