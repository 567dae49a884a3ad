//! The command line: one program for the recorder, the workload, the cuts and the clients.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::{blocks, clients};

/// Ended as it must.
const HELD: u8 = 0;
/// A promise was broken.
const VIOLATED: u8 = 1;
/// The test could not be run.
const NOT_RUN: u8 = 2;

/// How a test ended that could be run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Every promise was kept.
    Held,
    /// One was broken; it was printed with what repeats it.
    Violated,
}

/// Power cuts on real file systems, and two clients of one network volume.
#[derive(Debug, Parser)]
#[command(name = "longshore-e2e-storage")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Offer one file as a disk, and record every write and fsync of it, until it is unmounted
    Record(blocks::RecordOptions),
    /// Do the operations of a seed on a table, and write down each acknowledgement
    Work(blocks::WorkOptions),
    /// Mount what a power cut could have left of a recorded disk, many times, and check the table
    Cuts(blocks::CutOptions),
    /// Check a table after a power cut, in a folder that is mounted already
    Check(blocks::CheckOptions),
    /// Let two processes work on one folder, each through its own client of a network volume
    Clients(clients::ClientsOptions),
    /// One of the two processes; takes orders from its standard input
    #[command(hide = true)]
    Client {
        /// The table's folder
        root: PathBuf,
    },
}

/// Runs the command: exit code 0, held; 1, a promise was broken; 2, the test could not be run.
pub fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(Verdict::Held) => ExitCode::from(HELD),
        Ok(Verdict::Violated) => ExitCode::from(VIOLATED),
        Err(error) => {
            eprintln!("longshore: {error:#}");
            ExitCode::from(NOT_RUN)
        }
    }
}

fn run(command: Command) -> Result<Verdict> {
    match command {
        Command::Record(options) => blocks::record(&options),
        Command::Work(options) => blocks::work(&options),
        Command::Cuts(options) => blocks::cuts(&options),
        Command::Check(options) => blocks::check(&options),
        Command::Clients(options) => clients::run(&options),
        Command::Client { root } => clients::obey(&root),
    }
}
