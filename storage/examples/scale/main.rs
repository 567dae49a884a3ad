//! How the table's log and the tablet writer stand large numbers: each figure is printed beside its bound,
//! and one that is missed ends the program with an error.
//!
//! `scale [--work FOLDER] [--commits N] [--labels N] [--files N] [--bytes N] [PART…]`, parts: `commits`,
//! `commits-of-a-day`, `labels`, `files`, `checkpoint`, `tablets`; default: all. Each runs as a process of its own, so that its
//! peak of memory is its own.

mod commits;
mod figures;
mod log;
mod tablets;

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use figures::{Figures, Outcome};

/// As in the worker.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const PARTS: [&str; 6] = ["commits", "commits-of-a-day", "labels", "files", "checkpoint", "tablets"];

/// What is measured, and where.
#[derive(Debug, Clone)]
pub struct Scale {
    /// Folder for tables; each part makes its own below it.
    work: PathBuf,
    /// Loads of the part `commits`.
    commits: usize,
    /// Labels of the part `labels`.
    labels: usize,
    /// Files of the parts `files` and `checkpoint`.
    files: usize,
    /// Bytes of rows of the part `tablets`.
    bytes: u64,
    parts: Vec<String>,
}

fn main() -> Outcome<ExitCode> {
    let scale = Scale::parse(std::env::args().skip(1))?;
    if let [part] = scale.parts.as_slice() {
        let folder = tempfile::tempdir_in(&scale.work)?;
        let mut figures = Figures::default();
        match part.as_str() {
            "commits" => commits::measure(&scale, folder.path(), true, &mut figures)?,
            "commits-of-a-day" => commits::measure(&scale, folder.path(), false, &mut figures)?,
            "labels" => log::labels(&scale, folder.path(), &mut figures)?,
            "files" => log::files(&scale, folder.path(), &mut figures)?,
            "checkpoint" => log::checkpoint(&scale, folder.path(), &mut figures)?,
            _ => tablets::measure(&scale, folder.path(), &mut figures)?,
        }
        return Ok(if figures.all_hold() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    let mut all_hold = true;
    for part in PARTS {
        println!("{part}");
        let mut command = Command::new(std::env::current_exe()?);
        command.args(std::env::args().skip(1)).arg(part);
        all_hold &= command.status()?.success();
    }
    Ok(if all_hold { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Scale {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Outcome<Self> {
        let mut scale = Self {
            work: std::env::temp_dir(),
            commits: 10_000,
            labels: 100_000,
            files: 100_000,
            bytes: 10_000_000_000,
            parts: Vec::new(),
        };
        while let Some(argument) = arguments.next() {
            if PARTS.contains(&argument.as_str()) {
                scale.parts.push(argument);
                continue;
            }
            let value = arguments.next().ok_or_else(|| format!("{argument} has no value"))?;
            match argument.as_str() {
                "--work" => scale.work = value.into(),
                "--commits" => scale.commits = value.parse()?,
                "--labels" => scale.labels = value.parse()?,
                "--files" => scale.files = value.parse()?,
                "--bytes" => scale.bytes = value.parse()?,
                _ => return Err(format!("{argument} is not known").into()),
            }
        }
        std::fs::create_dir_all(&scale.work)?;
        Ok(scale)
    }
}
