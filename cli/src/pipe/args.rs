//! Arguments of `pipe`.

use clap::{Args, Subcommand, ValueEnum};
use longshore_storage::ledger::FileState;

/// Arguments of `pipe`.
#[derive(Debug, Args)]
pub struct PipeArgs {
    /// What to do
    #[command(subcommand)]
    pub command: PipeCommand,
}

/// What to do with a pipe.
#[derive(Debug, Subcommand)]
pub enum PipeCommand {
    /// List the files that the ledger of a Pipe knows
    Files(FilesArgs),
    /// Put files in ERROR back: all, or one
    Retry(RetryArgs),
    /// Say what became of a file: loaded, waiting, given up, left alone, or not known
    Why(WhyArgs),
    /// Make the ledger of a Pipe again from the table's history
    RebuildLedger(OnePipe),
}

/// The pipe.
#[derive(Debug, Args)]
pub struct OnePipe {
    /// Name of a Pipe of the data directory
    pub name: String,
}

/// Arguments of `pipe files`.
#[derive(Debug, Args)]
pub struct FilesArgs {
    #[command(flatten)]
    pub pipe: OnePipe,
    /// Only files in this state; may be repeated
    #[arg(long, value_name = "STATE")]
    pub state: Vec<StateName>,
    /// Files to show; 0: all
    #[arg(long, default_value_t = 100, value_name = "N")]
    pub limit: usize,
}

/// Arguments of `pipe retry`.
#[derive(Debug, Args)]
pub struct RetryArgs {
    #[command(flatten)]
    pub pipe: OnePipe,
    /// Only this file, s3://bucket/key
    #[arg(long, value_name = "FILE")]
    pub file: Option<String>,
}

/// Arguments of `pipe why`.
#[derive(Debug, Args)]
pub struct WhyArgs {
    /// The file, s3://bucket/key
    pub file: String,
    /// Only this Pipe; default: all of the data directory
    #[arg(long, value_name = "NAME")]
    pub pipe: Option<String>,
}

/// A state on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "UPPER")]
pub enum StateName {
    /// Waits for its batch
    Unloaded,
    /// In a batch
    Loading,
    /// Its rows are in the table
    Finished,
    /// Given up
    Error,
    /// Left alone by a rule
    Ignored,
}

impl StateName {
    /// The state in the ledger.
    pub fn state(self) -> FileState {
        match self {
            Self::Unloaded => FileState::Unloaded,
            Self::Loading => FileState::Loading,
            Self::Finished => FileState::Finished,
            Self::Error => FileState::Error,
            Self::Ignored => FileState::Ignored,
        }
    }
}
