//! `longshore-worker close`: closes a run from outside, and tells what the log holds.

use std::path::PathBuf;

use longshore_crds::ClosingOutcome;
use longshore_worker::load::{self, CloseRequest};

/// Its flags.
#[derive(Debug, clap::Args)]
pub struct CloseArguments {
    /// Label of the load.
    #[arg(long)]
    label: String,
    /// Run to close.
    #[arg(long)]
    run: u32,
    /// Why: what the table's history says of the run.
    #[arg(long)]
    outcome: Outcome,
    /// Reason, one CamelCase word.
    #[arg(long)]
    reason: String,
    /// A sentence for a person.
    #[arg(long, default_value = "")]
    message: String,
    /// The table's folder.
    #[arg(long, env = "LONGSHORE_TABLE_DIR")]
    table_dir: PathBuf,
    /// Where to write the report: a pod's termination message.
    #[arg(long, env = "LONGSHORE_TERMINATION_MESSAGE")]
    termination_message: Option<PathBuf>,
    /// `text` or `json`.
    #[arg(long, env = "LONGSHORE_LOG_FORMAT", default_value = "text")]
    pub log_format: String,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Outcome {
    Cancelled,
    TimedOut,
    Failed,
    NextRun,
}

impl From<Outcome> for ClosingOutcome {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Cancelled => Self::Cancelled,
            Outcome::TimedOut => Self::TimedOut,
            Outcome::Failed => Self::Failed,
            Outcome::NextRun => Self::NextRun,
        }
    }
}

/// Closes, tells the report, and returns the exit code. No port and no signal handler: it is quick, and what
/// it did not do when it was ended, the next such process does.
pub fn run(arguments: CloseArguments) -> u8 {
    let request = CloseRequest {
        label: arguments.label,
        run: arguments.run,
        outcome: arguments.outcome.into(),
        reason: arguments.reason,
        message: arguments.message,
    };
    let report = load::close(&request, &arguments.table_dir);
    crate::pod::tell(&report, report.termination_message(), arguments.termination_message.as_deref());
    report.exit_code
}
