//! Every option of a load with every format: each behaviour that does not depend on the format is tried with
//! all of them, on files of the libraries that people use, and the table in `docs/formats.md` says what was.

mod columns;
mod damage;
mod files;
mod quality;
mod runs;
mod shown;
mod text;

use longshore_crds::LoadReport;
use longshore_storage::schema::Column;

pub use files::{ALL, COLUMNAR, FileFormat, NAMED, TEXT, file};
use serde_json::Value;

use crate::world::{World, column, definition};

/// A table of `id BIGINT` and what a test is about.
fn world(columns: Vec<Column>) -> World {
    World::with_table(&definition([vec![column("id", "BIGINT")], columns].concat()))
}

/// Rows of `id` (from 0) and `v`.
fn numbered(values: &[Value]) -> Vec<Vec<Value>> {
    values.iter().enumerate().map(|(id, value)| vec![id.into(), value.clone()]).collect()
}

/// Rows read, loaded, filtered, unselected.
fn counts(report: &LoadReport) -> (u64, u64, u64, u64) {
    let counts = &report.counts;
    (counts.scan_rows, counts.sink_rows, counts.filtered_rows, counts.unselected_rows)
}
