//! `longshore table`: what a person, or a timer, does to look after one table.

mod args;
mod checkpoint;
mod compact;
mod history;
mod vacuum;
mod verify;

use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use longshore_storage::durable::Posix;
use longshore_storage::table::Table;

pub use args::TableArgs;
use args::{Form, TableCommand};

use crate::apply::Ended;
use crate::data_dir::DataDir;

/// Runs one of the commands.
pub fn run(args: &TableArgs, data_dir: &DataDir) -> anyhow::Result<Ended> {
    let mut out = io::stdout().lock();
    let ended = match &args.command {
        TableCommand::History(args) => history::run(args, &open(&args.table.name, data_dir)?, &mut out),
        TableCommand::Verify(args) => verify::run(args, &mut open(&args.table.name, data_dir)?, &mut out),
        TableCommand::Compact(args) => compact::run(args, &mut open(&args.table.name, data_dir)?, &mut out),
        TableCommand::Vacuum(args) => vacuum::run(args, &mut open(&args.table.name, data_dir)?, &mut out),
        TableCommand::Checkpoint(args) => checkpoint::run(args, &mut open(&args.name, data_dir)?, &mut out),
    };
    match ended {
        // A reader that has seen enough (`| head`) is no error.
        Err(error) if is_broken_pipe(&error) => Ok(Ended::Done),
        other => other,
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io = error.downcast_ref::<io::Error>();
    let json = error.downcast_ref::<serde_json::Error>().and_then(serde_json::Error::io_error_kind);
    io.map(io::Error::kind).or(json) == Some(ErrorKind::BrokenPipe)
}

fn open(name: &str, data_dir: &DataDir) -> anyhow::Result<Table> {
    let root = folder(name, data_dir)?;
    Table::open(Arc::new(Posix), &root)
        .with_context(|| format!("cannot open the table in {}", root.display()))
}

/// The folder of a table by its name in the data directory, or by its path.
fn folder(name: &str, data_dir: &DataDir) -> anyhow::Result<PathBuf> {
    let path = Path::new(name);
    let is_name = path.components().count() == 1 && !name.starts_with('.');
    let in_data_dir = data_dir.table(name);
    if is_name && in_data_dir.is_dir() {
        return Ok(in_data_dir);
    }
    if !path.is_dir() {
        bail!(
            "no table {name} in this data directory, and no folder of that name; look into another --data-dir"
        );
    }
    Ok(path.to_owned())
}

fn print_json(out: &mut dyn Write, value: &impl serde::Serialize) -> anyhow::Result<()> {
    serde_json::to_writer_pretty(&mut *out, value)?;
    Ok(writeln!(out)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_found_by_name_then_by_path() {
        let folder_of_data = tempfile::tempdir().unwrap();
        let data_dir = DataDir::new(folder_of_data.path());
        let table = folder_of_data.path().join("tables/t");
        std::fs::create_dir_all(&table).unwrap();
        assert_eq!(folder("t", &data_dir).unwrap(), table);
        assert_eq!(folder(table.to_str().unwrap(), &data_dir).unwrap(), table);
        assert_eq!(folder(".", &data_dir).unwrap(), Path::new("."));
        let error = folder("other", &data_dir).unwrap_err().to_string();
        assert!(error.starts_with("no table other in this data directory"), "{error}");
    }
}
