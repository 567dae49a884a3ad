//! `longshore sql`: queries over tables, files and the history.

mod prompt;

use std::io::{self, ErrorKind, Write};
use std::path::Path;

use anyhow::bail;
use chrono::Utc;
use longshore_sql::{Engine, Form, Options, Pipes, SqlError, write_parquet, write_text};
use longshore_worker::convert::Zone;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use crate::apply::Ended;
use crate::args::{SqlArgs, SqlForm};
use crate::data_dir::DataDir;

/// Answers the statement, or what is typed at the prompt.
pub fn run(
    args: &SqlArgs,
    data_dir: &DataDir,
    runtime: &Runtime,
    cancel: &CancellationToken,
) -> anyhow::Result<Ended> {
    let engine = Engine::new(Options {
        tables: data_dir.tables(),
        pipes: pipes(data_dir),
        secrets: data_dir.secrets(),
        zone: Zone::parse(&args.timezone)?,
        now_micros: Utc::now().timestamp_micros(),
    });
    match &args.statement {
        Some(statement) => match runtime.block_on(answer(&engine, statement, args, cancel)) {
            Err(error) if matches!(error.downcast_ref(), Some(SqlError::Cancelled)) => Ok(Ended::Interrupted),
            other => other.map(|()| Ended::Done),
        },
        None if args.output.is_some() => bail!("--output needs a statement"),
        None => prompt::run(&engine, args, data_dir, runtime),
    }
}

/// The Pipes of the data directory, each time they are asked for. Without those that cannot be read the views tell
/// of their ledgers alone.
fn pipes(data_dir: &DataDir) -> Pipes {
    let objects = data_dir.objects();
    Pipes::new(move || {
        objects.list().unwrap_or_else(|error| {
            tracing::warn!(%error, "the Pipes cannot be read");
            Vec::new()
        })
    })
}

/// Answers one statement.
async fn answer(
    engine: &Engine,
    statement: &str,
    args: &SqlArgs,
    cancel: &CancellationToken,
) -> anyhow::Result<()> {
    let rows = engine.query(statement, cancel).await?;
    if let Some(path) = &args.output {
        return write_file(rows, path, args.format).await;
    }
    let form = match args.format {
        None | Some(SqlForm::Table) => Form::Table,
        Some(SqlForm::Csv) => Form::Csv,
        Some(SqlForm::Json) => Form::JsonLines,
        Some(SqlForm::Parquet) => bail!("Parquet is not for a terminal; write --output FILE"),
    };
    let mut text = Vec::new();
    write_text(rows, form, &mut text).await?;
    // A reader that has seen enough (`| head`) is no error.
    match io::stdout().write_all(&text) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// Writes the answer into a new file; without a form, by its suffix.
async fn write_file(rows: longshore_sql::Rows, path: &Path, form: Option<SqlForm>) -> anyhow::Result<()> {
    let suffix = path.extension().and_then(|suffix| suffix.to_str()).unwrap_or_default();
    let form = match (form, suffix) {
        (Some(form), _) => form,
        (None, "parquet") => SqlForm::Parquet,
        (None, "csv") => SqlForm::Csv,
        (None, "json" | "jsonl" | "ndjson") => SqlForm::Json,
        (None, _) => SqlForm::Table,
    };
    let number = match form {
        SqlForm::Parquet => write_parquet(rows, path).await?,
        SqlForm::Csv => write_text(rows, Form::Csv, &mut new_file(path)?).await?,
        SqlForm::Json => write_text(rows, Form::JsonLines, &mut new_file(path)?).await?,
        SqlForm::Table => write_text(rows, Form::Table, &mut new_file(path)?).await?,
    };
    eprintln!("{number} rows written to {}", path.display());
    Ok(())
}

fn new_file(path: &Path) -> anyhow::Result<io::BufWriter<std::fs::File>> {
    let file = std::fs::File::options().write(true).create_new(true).open(path);
    match file {
        Ok(file) => Ok(io::BufWriter::new(file)),
        Err(error) => bail!("cannot write {}: {error}", path.display()),
    }
}
