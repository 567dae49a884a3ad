//! Arguments of `table`.

use clap::{Args, Subcommand, ValueEnum};

use crate::args::parse_bytes;

/// Arguments of `table`.
#[derive(Debug, Args)]
pub struct TableArgs {
    /// What to do
    #[command(subcommand)]
    pub command: TableCommand,
}

/// What to do with a table.
#[derive(Debug, Subcommand)]
pub enum TableCommand {
    /// Show the loads that ended, the newest last
    History(HistoryArgs),
    /// Compare what is on the volume with what the log says; changes nothing. Ends with 0 if the table is
    /// sound, with 1 if something is lost or wrong
    Verify(VerifyArgs),
    /// Merge small files; no row changes, and loads and readers go on
    Compact(CompactArgs),
    /// Remove files that no one can need any more
    Vacuum(VacuumArgs),
    /// Make a checkpoint, fold the history, and remove commits that are a day old and not needed
    Checkpoint(OneTable),
}

/// The table.
#[derive(Debug, Args)]
pub struct OneTable {
    /// Name of a Table of the data directory, or the folder of a table
    #[arg(value_name = "NAME|PATH")]
    pub name: String,
    /// Form of the answer
    #[arg(short, long, value_name = "FORM", default_value = "table")]
    pub output: Form,
}

/// Forms of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// For a person
    Table,
    /// For a program
    Json,
}

/// Arguments of `table history`.
#[derive(Debug, Args)]
pub struct HistoryArgs {
    #[command(flatten)]
    pub table: OneTable,
    /// Only this label
    #[arg(long)]
    pub label: Option<String>,
    /// Entries to show, the newest ones; 0: all
    #[arg(long, default_value_t = 20, value_name = "N")]
    pub limit: usize,
}

/// Arguments of `table verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    #[command(flatten)]
    pub table: OneTable,
    /// Read every row too: pages, statistics, order, tablets
    #[arg(long)]
    pub full: bool,
}

/// Arguments of `table compact`.
#[derive(Debug, Args)]
pub struct CompactArgs {
    #[command(flatten)]
    pub table: OneTable,
    /// Memory that the merges may use, for instance 512Mi or 2Gi
    #[arg(long, default_value = "256Mi", value_name = "BYTES", value_parser = parse_bytes)]
    pub memory: u64,
    /// Tablets that are merged at a time
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
    pub threads: u32,
}

/// Arguments of `table vacuum`.
#[derive(Debug, Args)]
pub struct VacuumArgs {
    #[command(flatten)]
    pub table: OneTable,
    /// Only show what would go, and why
    #[arg(long)]
    pub dry_run: bool,
    /// How long files that a version removed, rejected rows and reports stay; default: as the table says (168)
    #[arg(long, value_name = "HOURS")]
    pub retention_hours: Option<u64>,
}
