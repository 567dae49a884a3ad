//! One statement: its names are opened, the engine plans it, its rows stream.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::catalog::{MemorySchemaProvider, SchemaProvider, TableProvider};
use datafusion::datasource::MemTable;
use datafusion::execution::context::SQLOptions;
use datafusion::physical_plan::SendableRecordBatchStream;
use datafusion::prelude::{SessionConfig, SessionContext};
use futures::StreamExt;
use longshore_expression::functions::{Registry, Session};
use longshore_expression::zone::Zone;
use longshore_storage::durable::Posix;
use longshore_storage::table::Table;
use longshore_worker::source::{ConnectContext, RequestMetrics};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use crate::error::SqlError;
use crate::files::Files;
use crate::ledgers::{Pipes, known};
use crate::pipe_files::PipeFiles;
use crate::pipes::pipes;
use crate::statement::Statement;
use crate::table::Snapshot;
use crate::views::{VIEWS, view};

/// Requests in flight at once.
const MAX_CONCURRENT_REQUESTS: usize = 16;
/// A row for each pipe; and a row for each file of its ledger.
const PIPES: &str = "pipes";
const PIPE_VIEWS: [&str; 2] = [PIPES, "pipe_files"];
/// The schema of the views.
const INFORMATION_SCHEMA: &str = "information_schema";

/// A view of it: its name and its rows.
type View = (&'static str, Arc<dyn TableProvider>);

/// What a session works with.
#[derive(Debug, Clone)]
pub struct Options {
    /// The folder of the tables: one folder each.
    pub tables: PathBuf,
    /// The Pipes, for their views.
    pub pipes: Pipes,
    /// The folder of secrets, for `files(…, secret => 'NAME')`.
    pub secrets: Option<PathBuf>,
    /// Zone of `now()`, `from_unixtime` and their kin.
    pub zone: Zone,
    /// The instant of `now()`, microseconds since the epoch.
    pub now_micros: i64,
}

/// Answers statements.
#[derive(Debug)]
pub struct Engine {
    options: Options,
}

/// The rows of an answer, while they are made.
pub struct Rows {
    stream: SendableRecordBatchStream,
    cancel: CancellationToken,
}

impl Rows {
    /// The columns.
    pub fn schema(&self) -> SchemaRef {
        self.stream.schema()
    }

    /// The next batch; an error once the query was cancelled.
    pub async fn next(&mut self) -> Option<Result<RecordBatch, SqlError>> {
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Some(Err(SqlError::Cancelled)),
            batch = self.stream.next() => batch.map(|batch| batch.map_err(SqlError::from)),
        }
    }
}

impl std::fmt::Debug for Rows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rows").field("schema", &self.schema()).finish_non_exhaustive()
    }
}

impl Engine {
    /// A session over a data directory.
    pub fn new(options: Options) -> Self {
        Self { options }
    }

    /// Begins to answer a statement; needs a runtime of several threads. What the statement names is read as
    /// it is now.
    ///
    /// # Errors
    /// Where the text is no query, or names what is not there. What goes wrong with the rows comes with them.
    pub async fn query(&self, text: &str, cancel: &CancellationToken) -> Result<Rows, SqlError> {
        let answer = async {
            let mut statement = Statement::read(text)?;
            let context = self.context();
            let columns = self.register(&context, &mut statement, cancel).await?;
            statement.spell(&columns);
            let only_queries =
                SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
            let frame = context.sql_with_options(&statement.text(), only_queries).await?;
            Ok::<_, SqlError>(frame.execute_stream().await?)
        };
        let stream = tokio::select! {
            biased;
            () = cancel.cancelled() => return Err(SqlError::Cancelled),
            stream = answer => stream?,
        };
        Ok(Rows { stream, cancel: cancel.clone() })
    }

    /// The names of the tables, sorted.
    pub fn tables(&self) -> Vec<String> {
        let Ok(folders) = fs::read_dir(&self.options.tables) else { return Vec::new() };
        let mut names: Vec<String> = folders
            .flatten()
            .filter(|folder| folder.path().join("_delta_log").is_dir())
            .filter_map(|folder| folder.file_name().into_string().ok())
            .collect();
        names.sort_unstable();
        names
    }

    fn context(&self) -> SessionContext {
        let mut config = SessionConfig::new().with_default_catalog_and_schema("longshore", "default");
        let options = config.options_mut();
        options.sql_parser.dialect = datafusion::common::config::Dialect::MySQL;
        // Names are spelled as the tables have them before the engine sees them.
        options.sql_parser.enable_ident_normalization = false;
        let context = SessionContext::new_with_config(config);
        let session = Session { zone: self.options.zone, now_micros: self.options.now_micros };
        for function in Registry::new(session).functions() {
            context.register_udf(function);
        }
        context
    }

    /// Registers what the statement names; gives the names of all columns.
    async fn register(
        &self,
        context: &SessionContext,
        statement: &mut Statement,
        cancel: &CancellationToken,
    ) -> Result<Vec<String>, SqlError> {
        let mut columns = Vec::new();
        for name in statement.tables(&self.tables()) {
            let snapshot = Snapshot::open(&self.options.tables.join(&name))?;
            columns.extend(snapshot.columns());
            context.register_table(datafusion::common::TableReference::bare(name), Arc::new(snapshot))?;
        }
        for (name, call) in std::mem::take(&mut statement.files) {
            let files = Files::open(call, self.options.zone, &self.connect(cancel)).await?;
            columns.extend(files.columns());
            context.register_table(datafusion::common::TableReference::bare(name), Arc::new(files))?;
        }
        if statement.names(INFORMATION_SCHEMA) {
            columns.extend(self.register_views(context, statement)?);
        }
        Ok(columns)
    }

    fn register_views(
        &self,
        context: &SessionContext,
        statement: &Statement,
    ) -> Result<Vec<String>, SqlError> {
        let schema = MemorySchemaProvider::new();
        // Names are matched regardless of case.
        let mut columns: Vec<String> = VIEWS.iter().chain(&PIPE_VIEWS).map(|&name| name.to_owned()).collect();
        columns.push(INFORMATION_SCHEMA.to_owned());
        for (name, table) in self.views(statement)? {
            columns.extend(table.schema().fields().iter().map(|field| field.name().clone()));
            schema.register_table(name.to_owned(), table)?;
        }
        if let Some(catalog) = context.catalog("longshore") {
            catalog.register_schema(INFORMATION_SCHEMA, Arc::new(schema))?;
        }
        Ok(columns)
    }

    /// The views that the statement names.
    fn views(&self, statement: &Statement) -> Result<Vec<View>, SqlError> {
        let mut views: Vec<View> = Vec::new();
        let of_rows = |rows: RecordBatch| MemTable::try_new(rows.schema(), vec![vec![rows]]).map(Arc::new);
        let named: Vec<&str> = VIEWS.into_iter().filter(|name| statement.names(name)).collect();
        if !named.is_empty() {
            let opened = |name: String| Ok((name.clone(), open(&self.options.tables.join(name))?));
            let tables = self.tables().into_iter().map(opened).collect::<Result<Vec<_>, SqlError>>()?;
            for name in named {
                views.push((name, of_rows(view(name, &tables)?)?));
            }
        }
        for name in PIPE_VIEWS.into_iter().filter(|name| statement.names(name)) {
            let known = known(&self.options.pipes, &self.options.tables, &self.tables())?;
            views.push(if name == PIPES {
                (name, of_rows(pipes(&known)?)?)
            } else {
                (name, Arc::new(PipeFiles::new(known)))
            });
        }
        Ok(views)
    }

    fn connect(&self, cancel: &CancellationToken) -> ConnectContext {
        ConnectContext {
            secrets_dir: self.options.secrets.clone(),
            runtime: Handle::current(),
            metrics: Arc::new(RequestMetrics::default()),
            cancel: cancel.clone(),
            max_concurrent_requests: MAX_CONCURRENT_REQUESTS,
        }
    }
}

fn open(root: &Path) -> Result<Table, SqlError> {
    Ok(Table::open(Arc::new(Posix), root)?)
}
