//! `information_schema`: what became of the loads, by the tables' own history.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray, TimestampMicrosecondArray, UInt32Array, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use longshore_storage::durable::Posix;
use longshore_storage::history::{HistoryEntry, HistoryFilter, HistoryOutcome};
use longshore_storage::load::{RejectedRecord, read_rejected};
use longshore_storage::table::Table;

use crate::error::SqlError;

/// The views by their name.
pub(crate) const VIEWS: [&str; 4] = ["loads", "tables", "rejected_records", "history"];

/// A table of the data directory, open, with its name.
pub(crate) type Named = (String, Table);

/// The rows of a view.
pub(crate) fn view(name: &str, tables: &[Named]) -> Result<RecordBatch, SqlError> {
    match name {
        "loads" => loads(tables),
        "tables" => summaries(tables),
        "rejected_records" => rejected(tables),
        _ => history(tables),
    }
}

/// Columns with their values, made side by side.
pub(crate) struct Columns {
    fields: Vec<Field>,
    arrays: Vec<ArrayRef>,
}

impl Columns {
    pub(crate) fn new() -> Self {
        Self { fields: Vec::new(), arrays: Vec::new() }
    }

    fn add(mut self, name: &str, array: ArrayRef) -> Self {
        self.fields.push(Field::new(name, array.data_type().clone(), true));
        self.arrays.push(array);
        self
    }

    pub(crate) fn text<'a>(self, name: &str, values: impl Iterator<Item = Option<&'a str>>) -> Self {
        self.add(name, Arc::new(values.collect::<StringArray>()))
    }

    pub(crate) fn number(self, name: &str, values: impl Iterator<Item = Option<u64>>) -> Self {
        self.add(name, Arc::new(values.collect::<UInt64Array>()))
    }

    /// Instants as DATETIME in UTC.
    fn time<'a>(self, name: &str, values: impl Iterator<Item = Option<&'a String>>) -> Self {
        self.instant(name, values.map(|text| text.and_then(|text| micros(text))))
    }

    /// Microseconds since the epoch as DATETIME.
    pub(crate) fn instant(self, name: &str, micros: impl Iterator<Item = Option<i64>>) -> Self {
        self.add(name, Arc::new(micros.collect::<TimestampMicrosecondArray>()))
    }

    pub(crate) fn batch(self) -> Result<RecordBatch, SqlError> {
        let schema: SchemaRef = Arc::new(Schema::new(self.fields));
        Ok(RecordBatch::try_new(schema, self.arrays)?)
    }
}

/// An RFC 3339 instant in microseconds.
fn micros(text: &str) -> Option<i64> {
    let array: ArrayRef = Arc::new(StringArray::from(vec![text]));
    let instants =
        arrow::compute::cast(&array, &DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))).ok()?;
    let instants =
        arrow::array::AsArray::as_primitive_opt::<arrow::datatypes::TimestampMicrosecondType>(&instants)?;
    arrow::array::Array::is_valid(instants, 0).then(|| instants.value(0))
}

/// All entries of all tables; what cannot be read is an error of the query.
fn entries(tables: &[Named]) -> Result<Vec<(&str, HistoryEntry)>, SqlError> {
    let mut entries = Vec::new();
    for (name, table) in tables {
        for entry in table.history(&HistoryFilter::default())? {
            entries.push((name.as_str(), entry?));
        }
    }
    Ok(entries)
}

fn state(outcome: HistoryOutcome) -> &'static str {
    if outcome == HistoryOutcome::Loaded { "FINISHED" } else { "CANCELLED" }
}

/// The place of each in their order, from 1.
fn places(starts: &[Option<i64>]) -> Vec<u64> {
    let mut order: Vec<usize> = (0..starts.len()).collect();
    order.sort_by_key(|&row| starts[row]);
    let mut places = vec![0; starts.len()];
    for (place, row) in (1..).zip(order) {
        places[row] = place;
    }
    places
}

/// A row for each label: how its last run ended.
fn loads(tables: &[Named]) -> Result<RecordBatch, SqlError> {
    let mut last: Vec<(&str, HistoryEntry)> = Vec::new();
    let mut places_of: HashMap<(&str, String), usize> = HashMap::new();
    for (table, entry) in entries(tables)? {
        let place = *places_of.entry((table, entry.record.label.clone())).or_insert(last.len());
        match last.get_mut(place) {
            Some(other) => *other = (table, entry),
            None => last.push((table, entry)),
        }
    }
    let rows = || last.iter().map(|(_, entry)| &entry.record);
    let starts: Vec<Option<i64>> =
        rows().map(|record| record.times.start.as_deref().and_then(micros)).collect();
    Columns::new()
        .number("JOB_ID", places(&starts).into_iter().map(Some))
        .text("LABEL", rows().map(|record| Some(record.label.as_str())))
        .text("TABLE_NAME", last.iter().map(|(table, _)| Some(*table)))
        .text("STATE", rows().map(|record| Some(state(record.outcome))))
        .text(
            "PROGRESS",
            rows().map(|record| Some(if state(record.outcome) == "FINISHED" { "LOAD:100%" } else { "N/A" })),
        )
        .number("SCAN_ROWS", rows().map(|record| Some(record.counts.scan_rows)))
        .number("SCAN_BYTES", rows().map(|record| Some(record.counts.scan_bytes)))
        .number("FILTERED_ROWS", rows().map(|record| Some(record.counts.filtered_rows)))
        .number("UNSELECTED_ROWS", rows().map(|record| Some(record.counts.unselected_rows)))
        .number("SINK_ROWS", rows().map(|record| Some(record.counts.sink_rows)))
        .number("FILE_NUMBER", rows().map(|record| Some(record.counts.file_number)))
        .number("FILE_SIZE", rows().map(|record| Some(record.counts.file_size)))
        .time("LOAD_START_TIME", rows().map(|record| record.times.start.as_ref()))
        .time("LOAD_COMMIT_TIME", rows().map(|record| record.times.commit.as_ref()))
        .time("LOAD_FINISH_TIME", rows().map(|record| record.times.finish.as_ref()))
        .text("ERROR_MSG", rows().map(|record| record.error.as_ref().map(|error| error.message.as_str())))
        .text("REJECTED_RECORD_PATH", rows().map(|record| record.rejected.first().map(String::as_str)))
        .number("TABLE_VERSION", last.iter().map(|(_, entry)| Some(entry.version)))
        .batch()
}

/// A row for each run that ended.
fn history(tables: &[Named]) -> Result<RecordBatch, SqlError> {
    let entries = entries(tables)?;
    let rows = || entries.iter().map(|(_, entry)| &entry.record);
    let outcomes: Vec<String> = rows().map(|record| format!("{:?}", record.outcome)).collect();
    let runs: UInt32Array = rows().map(|record| Some(record.run)).collect();
    Columns::new()
        .text("TABLE_NAME", entries.iter().map(|(table, _)| Some(*table)))
        .number("VERSION", entries.iter().map(|(_, entry)| Some(entry.version)))
        .text("OPERATION", entries.iter().map(|(_, entry)| Some(entry.operation.as_str())))
        .text("LABEL", rows().map(|record| Some(record.label.as_str())))
        .add("RUN", Arc::new(runs))
        .text("OUTCOME", outcomes.iter().map(|outcome| Some(outcome.as_str())))
        .number("SCAN_ROWS", rows().map(|record| Some(record.counts.scan_rows)))
        .number("FILTERED_ROWS", rows().map(|record| Some(record.counts.filtered_rows)))
        .number("UNSELECTED_ROWS", rows().map(|record| Some(record.counts.unselected_rows)))
        .number("SINK_ROWS", rows().map(|record| Some(record.counts.sink_rows)))
        .number("REMOVED_ROWS", entries.iter().map(|(_, entry)| Some(entry.removed_rows)))
        .time(
            "FINISH_TIME",
            rows().map(|record| record.times.finish.as_ref().or(record.times.commit.as_ref())),
        )
        .text("ERROR_TYPE", rows().map(|record| record.error.as_ref().map(|error| error.category.as_str())))
        .text("ERROR_MSG", rows().map(|record| record.error.as_ref().map(|error| error.message.as_str())))
        .batch()
}

/// A row for each table.
fn summaries(tables: &[Named]) -> Result<RecordBatch, SqlError> {
    let totals = tables.iter().map(|(_, table)| table.totals()).collect::<Result<Vec<_>, _>>()?;
    Columns::new()
        .text("TABLE_NAME", tables.iter().map(|(name, _)| Some(name.as_str())))
        .number("TABLE_VERSION", tables.iter().map(|(_, table)| Some(table.version())))
        .number("COLUMN_COUNT", tables.iter().map(|(_, table)| Some(table.schema().columns().len() as u64)))
        .number("TABLE_ROWS", totals.iter().map(|totals| Some(totals.rows)))
        .number("DATA_LENGTH", totals.iter().map(|totals| Some(totals.bytes)))
        .number("FILE_NUMBER", totals.iter().map(|totals| Some(totals.files)))
        .batch()
}

/// The rejected rows that are kept. Those whose files are gone (they live as long as `retentionHours`) are
/// left out.
fn rejected(tables: &[Named]) -> Result<RecordBatch, SqlError> {
    let mut rows: Vec<(&str, RejectedRecord)> = Vec::new();
    for (name, table) in tables {
        for entry in table.history(&HistoryFilter::default())? {
            for path in &entry?.record.rejected {
                let path = table.root().join(path);
                if Path::new(&path).is_file() {
                    let records = read_rejected(&Posix, &path, usize::MAX)
                        .map_err(|error| datafusion::error::DataFusionError::External(Box::new(error)))?;
                    rows.extend(records.into_iter().map(|record| (name.as_str(), record)));
                }
            }
        }
    }
    let text = |value: fn(&RejectedRecord) -> &str| rows.iter().map(move |(_, record)| Some(value(record)));
    Columns::new()
        .text("TABLE_NAME", rows.iter().map(|(table, _)| Some(*table)))
        .text("LABEL", text(|record| &record.label))
        .text("FILE", text(|record| &record.file))
        .number("ROW", rows.iter().map(|(_, record)| Some(record.row)))
        .number("BYTE_OFFSET", rows.iter().map(|(_, record)| record.byte_offset))
        .text("COLUMN_NAME", text(|record| &record.column))
        .text("ERROR_CODE", text(|record| &record.code))
        .text("ERROR_MESSAGE", text(|record| &record.message))
        .text("RAW_VALUE", text(|record| &record.raw_value))
        .text("REJECTED_RECORD", text(|record| &record.raw_record))
        .batch()
}
