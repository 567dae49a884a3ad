//! The answer as text, or as a Parquet file.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use arrow::array::RecordBatch;
use arrow::csv::WriterBuilder;
use arrow::json::LineDelimitedWriter;
use arrow::util::display::FormatOptions;
use arrow::util::pretty::pretty_format_batches_with_options;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use crate::engine::Rows;
use crate::error::SqlError;

/// Forms of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Columns with a frame, for people.
    Table,
    /// CSV with a header.
    Csv,
    /// One JSON object a line.
    JsonLines,
}

/// Writes the rows as text as they come (a table: once all are there); gives their number.
pub async fn write_text(mut rows: Rows, form: Form, out: &mut (dyn Write + Send)) -> Result<u64, SqlError> {
    let schema = rows.schema();
    let mut number = 0;
    match form {
        Form::Table => {
            let mut batches = vec![RecordBatch::new_empty(schema)];
            while let Some(batch) = rows.next().await {
                let batch = batch?;
                number += batch.num_rows() as u64;
                batches.push(batch);
            }
            let options = FormatOptions::new().with_null("NULL");
            let options = options.with_timestamp_format(Some("%Y-%m-%d %H:%M:%S%.f"));
            writeln!(out, "{}", pretty_format_batches_with_options(&batches, &options)?)
                .map_err(|error| stdout(&error))?;
        }
        Form::Csv => {
            let mut writer = WriterBuilder::new().with_header(true).build(&mut *out);
            writer.write(&RecordBatch::new_empty(schema))?;
            while let Some(batch) = rows.next().await {
                let batch = batch?;
                number += batch.num_rows() as u64;
                writer.write(&batch)?;
            }
        }
        Form::JsonLines => {
            let mut writer = LineDelimitedWriter::new(&mut *out);
            while let Some(batch) = rows.next().await {
                let batch = batch?;
                number += batch.num_rows() as u64;
                writer.write(&batch)?;
            }
            writer.finish()?;
        }
    }
    out.flush().map_err(|error| stdout(&error))?;
    Ok(number)
}

fn stdout(error: &std::io::Error) -> SqlError {
    SqlError::Output { path: "the answer".to_owned(), error: error.to_string() }
}

/// Writes the rows into a new Parquet file; gives their number. A file that is there is not overwritten.
pub async fn write_parquet(mut rows: Rows, path: &Path) -> Result<u64, SqlError> {
    let failed = |error: &dyn std::fmt::Display| SqlError::Output {
        path: path.display().to_string(),
        error: error.to_string(),
    };
    let file = File::options().write(true).create_new(true).open(path).map_err(|error| failed(&error))?;
    let properties =
        WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default())).build();
    let mut writer =
        ArrowWriter::try_new(file, rows.schema(), Some(properties)).map_err(|error| failed(&error))?;
    let mut number = 0;
    while let Some(batch) = rows.next().await {
        let batch = batch?;
        number += batch.num_rows() as u64;
        writer.write(&batch).map_err(|error| failed(&error))?;
    }
    writer.close().map_err(|error| failed(&error))?;
    Ok(number)
}
