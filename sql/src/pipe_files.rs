//! `information_schema.pipe_files`: a row for each file that a ledger knows. The rows stream from the ledgers, and
//! a condition on the pipe, the state or the name of the file is answered by the ledger itself.

use std::sync::Arc;

use arrow::array::{RecordBatch, StringBuilder, TimestampMicrosecondBuilder, UInt32Builder, UInt64Builder};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DataFusionError, Result as EngineResult};
use datafusion::logical_expr::expr::InList;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use longshore_storage::ledger::{FileEntry, FileKey, FileState};

use crate::error::SqlError;
use crate::ledgers::KnownLedger;
use crate::table::blocking_rows;

/// Rows of a batch.
const BATCH_ROWS: usize = 8_192;

/// The view over these ledgers.
#[derive(Debug)]
pub(crate) struct PipeFiles {
    ledgers: Vec<KnownLedger>,
    schema: SchemaRef,
}

impl PipeFiles {
    pub(crate) fn new(ledgers: Vec<KnownLedger>) -> Self {
        Self { ledgers, schema: schema() }
    }
}

fn schema() -> SchemaRef {
    let text = |name: &str| Field::new(name, DataType::Utf8, true);
    let number = |name: &str| Field::new(name, DataType::UInt64, true);
    let time = |name: &str| Field::new(name, DataType::Timestamp(TimeUnit::Microsecond, None), true);
    Arc::new(Schema::new(vec![
        text("PIPE_NAME"),
        text("TABLE_NAME"),
        text("FILE_NAME"),
        text("FILE_VERSION"),
        number("FILE_SIZE"),
        time("LAST_MODIFIED"),
        text("LOAD_STATE"),
        time("STAGED_TIME"),
        time("START_LOAD_TIME"),
        time("FINISH_LOAD_TIME"),
        number("LOADED_ROWS"),
        number("TABLE_VERSION"),
        Field::new("ERROR_COUNT", DataType::UInt32, true),
        text("ERROR_TYPE"),
        text("ERROR_MSG"),
    ]))
}

#[async_trait]
impl TableProvider for PipeFiles {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> EngineResult<Vec<TableProviderFilterPushDown>> {
        let pushed = |filter: &&Expr| match one_of(filter) {
            // The engine looks again.
            Some((column, _)) if ASKED.contains(&column) => TableProviderFilterPushDown::Inexact,
            _ => TableProviderFilterPushDown::Unsupported,
        };
        Ok(filters.iter().map(pushed).collect())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> EngineResult<Arc<dyn ExecutionPlan>> {
        let asked = Asked::of(filters);
        let ledgers: Vec<KnownLedger> =
            self.ledgers.iter().filter(|ledger| asked.takes(ledger)).cloned().collect();
        let columns = projection.cloned().unwrap_or_else(|| (0..self.schema.fields().len()).collect());
        let output = Arc::new(self.schema.project(&columns)?);
        blocking_rows(state, &output, limit, ledgers.len().max(1), move |part, send| {
            let Some(ledger) = ledgers.get(part) else { return Ok(()) };
            let mut rows = Rows::new(ledger);
            let mut failed = None;
            let read = asked.visit(ledger, &mut |key, entry| {
                rows.add(key, entry);
                if rows.count < BATCH_ROWS {
                    return true;
                }
                match rows.take(&columns) {
                    Ok(batch) => send(batch),
                    Err(error) => {
                        failed = Some(error);
                        false
                    }
                }
            });
            read.map_err(|error| DataFusionError::External(Box::new(error)))?;
            if let Some(error) = failed {
                return Err(error);
            }
            if rows.count > 0 {
                send(rows.take(&columns)?);
            }
            Ok(())
        })
    }
}

/// Columns whose conditions the ledger answers.
const ASKED: [&str; 4] = ["PIPE_NAME", "TABLE_NAME", "FILE_NAME", "LOAD_STATE"];

/// The values that a condition leaves to a column: `c = 'a'`, `c IN ('a', 'b')`.
fn one_of(filter: &Expr) -> Option<(&str, Vec<&str>)> {
    let column = |expr: &'_ Expr| matches!(expr, Expr::Column(_));
    let (column, values) = match filter {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) => match column(left) {
            true => (left, vec![text(right)?]),
            false => (right, vec![text(left)?]),
        },
        Expr::InList(InList { expr, list, negated: false }) => {
            (expr, list.iter().map(text).collect::<Option<Vec<_>>>()?)
        }
        _ => return None,
    };
    match column.as_ref() {
        Expr::Column(column) => Some((column.name.as_str(), values)),
        _ => None,
    }
}

fn text(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Literal(value, _) => value.try_as_str().flatten(),
        _ => None,
    }
}

/// What the conditions of a statement leave; `None`: everything.
#[derive(Debug, Default)]
struct Asked {
    pipes: Option<Vec<String>>,
    tables: Option<Vec<String>>,
    files: Option<Vec<String>>,
    states: Option<Vec<FileState>>,
}

impl Asked {
    fn of(filters: &[Expr]) -> Self {
        let mut asked = Self::default();
        for (column, values) in filters.iter().filter_map(one_of) {
            let owned = || Some(values.iter().map(|&value| value.to_owned()).collect());
            match column {
                "PIPE_NAME" => asked.pipes = owned(),
                "TABLE_NAME" => asked.tables = owned(),
                "FILE_NAME" => asked.files = owned(),
                "LOAD_STATE" => {
                    let named = FileState::ALL.into_iter().filter(|state| values.contains(&state.name()));
                    asked.states = Some(named.collect());
                }
                _ => {}
            }
        }
        asked
    }

    fn takes(&self, ledger: &KnownLedger) -> bool {
        let takes =
            |asked: &Option<Vec<String>>, name: &String| asked.as_ref().is_none_or(|all| all.contains(name));
        takes(&self.pipes, &ledger.pipe) && takes(&self.tables, &ledger.table)
    }

    fn visit(
        &self,
        ledger: &KnownLedger,
        visit: &mut dyn FnMut(&FileKey, &FileEntry) -> bool,
    ) -> Result<(), SqlError> {
        let mut reader = ledger.open()?;
        let Some(files) = &self.files else {
            let states = self.states.as_deref().unwrap_or(&FileState::ALL);
            return Ok(reader.visit(states, visit)?);
        };
        for (bucket, key) in files.iter().filter_map(|file| FileKey::parse_uri(file)) {
            for (key, entry) in reader.versions(bucket, key)? {
                if !visit(&key, &entry) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

/// Rows that are not sent yet.
struct Rows<'a> {
    ledger: &'a KnownLedger,
    count: usize,
    texts: [StringBuilder; 7],
    numbers: [UInt64Builder; 3],
    attempts: UInt32Builder,
    times: [TimestampMicrosecondBuilder; 4],
}

impl<'a> Rows<'a> {
    fn new(ledger: &'a KnownLedger) -> Self {
        Self {
            ledger,
            count: 0,
            texts: Default::default(),
            numbers: Default::default(),
            attempts: UInt32Builder::new(),
            times: Default::default(),
        }
    }

    fn add(&mut self, key: &FileKey, entry: &FileEntry) {
        self.count += 1;
        let uri = key.uri();
        let fault = entry.fault.as_ref();
        let texts = [
            Some(self.ledger.pipe.as_str()),
            Some(self.ledger.table.as_str()),
            Some(uri.as_str()),
            Some(&*key.etag),
            Some(entry.state.name()),
            fault.map(|fault| fault.category.as_str()),
            fault.map(|fault| fault.message.as_str()),
        ];
        for (builder, text) in self.texts.iter_mut().zip(texts) {
            builder.append_option(text);
        }
        let loaded = |number: u64| (entry.state == FileState::Finished).then_some(number);
        let numbers = [Some(entry.size), loaded(entry.rows), loaded(entry.version)];
        for (builder, number) in self.numbers.iter_mut().zip(numbers) {
            builder.append_option(number);
        }
        self.attempts.append_value(entry.attempts);
        let times = [entry.modified_ms, entry.staged_ms, entry.started_ms, entry.finished_ms];
        for (builder, ms) in self.times.iter_mut().zip(times) {
            let micros = i64::try_from(ms).ok().filter(|ms| *ms > 0).and_then(|ms| ms.checked_mul(1_000));
            builder.append_option(micros);
        }
    }

    /// The rows by now, with these columns.
    fn take(&mut self, columns: &[usize]) -> EngineResult<RecordBatch> {
        self.count = 0;
        let [pipe, table, file, version, state, error_type, error] = &mut self.texts;
        let [size, rows, at_version] = &mut self.numbers;
        let [modified, staged, started, finished] = &mut self.times;
        let arrays = vec![
            Arc::new(pipe.finish()) as _,
            Arc::new(table.finish()) as _,
            Arc::new(file.finish()) as _,
            Arc::new(version.finish()) as _,
            Arc::new(size.finish()) as _,
            Arc::new(modified.finish()) as _,
            Arc::new(state.finish()) as _,
            Arc::new(staged.finish()) as _,
            Arc::new(started.finish()) as _,
            Arc::new(finished.finish()) as _,
            Arc::new(rows.finish()) as _,
            Arc::new(at_version.finish()) as _,
            Arc::new(self.attempts.finish()) as _,
            Arc::new(error_type.finish()) as _,
            Arc::new(error.finish()) as _,
        ];
        Ok(RecordBatch::try_new(schema(), arrays)?.project(columns)?)
    }
}

#[cfg(test)]
mod tests {
    use datafusion::logical_expr::{col, lit};

    use super::*;

    #[test]
    fn conditions_are_answered_by_the_ledger() {
        let name = |name: &str| col(format!("\"{name}\""));
        let asked = Asked::of(&[
            name("LOAD_STATE").in_list(vec![lit("ERROR"), lit("IGNORED")], false),
            lit("s3://b/k").eq(name("FILE_NAME")),
            name("PIPE_NAME").eq(lit("p")),
            name("FILE_SIZE").gt(lit(1_u64)),
            name("LOAD_STATE").in_list(vec![lit("ERROR")], true),
        ]);
        assert_eq!(asked.states, Some(vec![FileState::Error, FileState::Ignored]));
        assert_eq!(asked.files.as_deref(), Some(&["s3://b/k".to_owned()][..]));
        assert_eq!(asked.pipes.as_deref(), Some(&["p".to_owned()][..]));
        assert_eq!(asked.tables, None);
    }
}
