//! `longshore-worker ask`: what the pod of `kubectl longshore pipe` runs. The answer is on standard output alone,
//! what went wrong in the termination message alone: the logs of a pod do not keep two streams apart.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use longshore_crds::exit;
use longshore_worker::ask::{AskError, FilesOptions, LedgerOf};

/// Flags of every question.
#[derive(Debug, Args)]
pub struct AskArguments {
    /// The table's folder.
    #[arg(long, env = "LONGSHORE_TABLE_DIR", global = true, default_value = "/table")]
    table_dir: PathBuf,
    /// Name of the Pipe, for messages.
    #[arg(long)]
    pipe: String,
    /// Name of its ledger.
    #[arg(long)]
    ledger: String,
    /// Where to write what went wrong: a pod's termination message.
    #[arg(long, env = "LONGSHORE_TERMINATION_MESSAGE", global = true)]
    termination_message: Option<PathBuf>,
    #[command(subcommand)]
    question: Question,
}

#[derive(Debug, Subcommand)]
enum Question {
    /// Lists the files that the ledger knows.
    Files(FilesOptions),
    /// Puts files in ERROR back.
    Retry {
        /// Only this file.
        #[arg(long)]
        file: Option<String>,
    },
    /// Says what became of a file; prints nothing if the ledger does not know it.
    Why {
        /// s3://bucket/key.
        file: String,
    },
    /// Makes the ledger again from the table's history.
    RebuildLedger,
}

/// Answers; the exit code.
pub fn run(arguments: &AskArguments) -> u8 {
    match answer(arguments) {
        Ok(text) => {
            print!("{text}");
            exit::LOADED
        }
        Err(error) => {
            tell(&error.to_string(), arguments.termination_message.as_deref());
            exit::TABLE_REFUSED
        }
    }
}

fn answer(arguments: &AskArguments) -> Result<String, AskError> {
    let of = LedgerOf::new(&arguments.pipe, arguments.table_dir.clone(), arguments.ledger.clone());
    match &arguments.question {
        Question::Files(options) => of.files(options),
        Question::Retry { file } => of.retry(file.as_deref()),
        Question::Why { file } => Ok(of.why(file)?.unwrap_or_default()),
        Question::RebuildLedger => of.rebuild(),
    }
}

fn tell(message: &str, path: Option<&Path>) {
    let Some(path) = path else {
        eprintln!("longshore-worker: {message}");
        return;
    };
    if let Err(error) = std::fs::write(path, message) {
        eprintln!("longshore-worker: {message}; it cannot be written to {}: {error}", path.display());
    }
}
