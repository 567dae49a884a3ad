//! Arguments of `pipe`.

use clap::{Args, Subcommand};
use longshore_worker::ask::FilesOptions;

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
    /// Name of the Pipe
    pub name: String,
}

/// Arguments of `pipe files`.
#[derive(Debug, Args)]
pub struct FilesArgs {
    #[command(flatten)]
    pub pipe: OnePipe,
    #[command(flatten)]
    pub options: FilesOptions,
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
    /// Only this Pipe; default: all
    #[arg(long, value_name = "NAME")]
    pub pipe: Option<String>,
}
