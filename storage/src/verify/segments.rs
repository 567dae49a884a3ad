//! Each segment of the version: there, of its size, with a footer that can be read and its rows.

use std::io;
use std::sync::Arc;

use parquet::file::metadata::ParquetMetaDataReader;

use super::{Run, Severity, contents};
use crate::load::Segment;
use crate::log::TableError;
use crate::log::files::segment_of;
use crate::parquet_io::{Ranged, unwrap_io};
use crate::table::Table;

pub(super) const RESTORE: &str = "restore the file from a backup, or load its rows again into a new table";

/// What the log says together.
#[derive(Debug, Default)]
pub(super) struct Counted {
    /// Rows, as the statistics say.
    pub(super) rows: u64,
    /// Segments without a number of rows, or of another engine: the history does not account for them.
    pub(super) foreign: u64,
}

pub(super) fn check(table: &Table, run: &mut Run<'_>) -> Result<Counted, TableError> {
    let mut counted = Counted::default();
    let head = table.head();
    let Some(touched) = run.take(head.touched())? else { return Ok(counted) };
    let contents = contents::Checker::new(table);
    let visited = head.visit_files(&touched, |add| {
        let has_statistics = add.stats.is_some();
        let segment = segment_of(add);
        run.outcome.segments += 1;
        run.outcome.rows += segment.rows;
        run.outcome.bytes += segment.bytes;
        counted.rows += segment.rows;
        counted.foreign += u64::from(segment.bucket == Segment::NO_BUCKET || !has_statistics);
        if check_file(table, run, &segment, has_statistics)? && run.full {
            contents.check(run, &segment);
        }
        Ok(())
    });
    run.take(visited)?;
    if counted.foreign > 0 {
        let what = format!("{} files in the table were written by another engine", counted.foreign);
        run.find(
            Severity::Info,
            "",
            what,
            "nothing: their rows are read, and the history does not tell of them",
        );
    }
    Ok(counted)
}

/// Whether the file can be read further.
fn check_file(
    table: &Table,
    run: &mut Run<'_>,
    segment: &Segment,
    has_statistics: bool,
) -> Result<bool, TableError> {
    let path = table.root().join(&segment.path);
    let bytes = match table.files().open(&path).and_then(|file| file.len()) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            run.find(Severity::Error, &segment.path, "the segment is missing", RESTORE);
            return Ok(false);
        }
        Err(error) => {
            run.find(
                Severity::Error,
                &segment.path,
                format!("the segment cannot be opened: {error}"),
                RESTORE,
            );
            return Ok(false);
        }
    };
    if bytes != segment.bytes {
        let what = format!("the segment has {bytes} bytes, the log says {}", segment.bytes);
        run.find(Severity::Error, &segment.path, what, RESTORE);
        return Ok(false);
    }
    let input = Ranged::open(table.files().as_ref(), &path)?;
    let metadata = match ParquetMetaDataReader::new().parse_and_finish(&input) {
        Ok(metadata) => Arc::new(metadata),
        Err(error) => {
            let what = unwrap_io(error).map_or_else(|what| what, |error| error.to_string());
            let what = format!("the footer of the segment cannot be read: {what}");
            run.find(Severity::Error, &segment.path, what, RESTORE);
            return Ok(false);
        }
    };
    let rows = metadata.file_metadata().num_rows().cast_unsigned();
    if has_statistics && rows != segment.rows {
        let what = format!("the segment has {rows} rows, the log says {}", segment.rows);
        run.find(Severity::Error, &segment.path, what, RESTORE);
        return Ok(false);
    }
    Ok(true)
}
