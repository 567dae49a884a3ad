//! What a worker does with a table itself, from request to report: declare it, or maintain it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use longshore_crds::{
    ColumnOrigin, ColumnStatus, MaintenanceReport, TABLE_REPORT_VERSION, TableFigures, TableOutcome,
    TableReport, TableRequest, TableTask, exit,
};
use longshore_storage::compact::{CompactionOptions, Compactor};
use longshore_storage::durable::Posix;
use longshore_storage::table::{Declared, Table};
use longshore_storage::vacuum::VacuumOptions;
use tokio_util::sync::CancellationToken;

use super::{TableTaskError, columns, definition, figures, origin, resolved};
use crate::source::{ConnectContext, RequestMetrics};

/// Requests in flight at once while columns are read from files.
const MAX_CONCURRENT_REQUESTS: usize = 16;

/// What belongs to the process and not to the request.
#[derive(Debug, Clone)]
pub struct TaskContext {
    /// The table's folder.
    pub table_root: PathBuf,
    /// Memory budget of the process, bytes.
    pub memory_bytes: u64,
    /// Folder of mounted Secrets, for a table whose columns come from files.
    pub secrets_dir: Option<PathBuf>,
    /// Stops maintenance between two tablets.
    pub cancel: CancellationToken,
}

/// A task that was done.
#[derive(Debug)]
struct Done {
    outcome: TableOutcome,
    message: String,
    figures: TableFigures,
    columns: Vec<ColumnStatus>,
    maintenance: Option<MaintenanceReport>,
}

/// Does what the request asks for, or says why not.
pub async fn run(request: TableRequest, context: TaskContext) -> TableReport {
    let cancelled = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&cancelled);
    let token = context.cancel.clone();
    tokio::spawn(async move {
        token.cancelled().await;
        flag.store(true, Ordering::Relaxed);
    });
    let (table, task) = (request.table.clone(), request.task);
    let (root, origin) = (context.table_root.clone(), origin(&request.definition));
    let ended = match Box::pin(with_columns(request, &context)).await {
        Ok(request) => {
            let work = move || perform(&request, &context, &cancelled, origin);
            let ended = tokio::task::spawn_blocking(work).await;
            ended.unwrap_or_else(|error| Err(TableTaskError::Internal(error.to_string())))
        }
        Err(error) => Err(error),
    };
    let mut report = report(&table, task, ended);
    if report.outcome == TableOutcome::Failed {
        // What was refused has changed nothing: the figures of the table as it stands are still of use.
        let standing = tokio::task::spawn_blocking(move || standing(&root, origin)).await;
        if let Ok(Some((figures, columns))) = standing {
            report.figures = Some(figures);
            report.columns = columns;
        }
    }
    report
}

/// The request with the columns that its Table leaves to files.
async fn with_columns(
    mut request: TableRequest,
    context: &TaskContext,
) -> Result<TableRequest, TableTaskError> {
    if request.task == TableTask::Declare {
        let connect = ConnectContext {
            secrets_dir: context.secrets_dir.clone(),
            runtime: tokio::runtime::Handle::current(),
            metrics: Arc::new(RequestMetrics::default()),
            cancel: context.cancel.clone(),
            max_concurrent_requests: MAX_CONCURRENT_REQUESTS,
        };
        request.definition = resolved(&request.definition, &context.table_root, &connect).await?;
    }
    Ok(request)
}

fn perform(
    request: &TableRequest,
    context: &TaskContext,
    cancelled: &AtomicBool,
    origin: ColumnOrigin,
) -> Result<Done, TableTaskError> {
    match request.task {
        TableTask::Declare => declare(request, &context.table_root, origin),
        TableTask::Maintain => maintain(request, context, cancelled, origin),
    }
}

/// Makes the table, takes it as it stands, or adds the columns that it lacks.
fn declare(request: &TableRequest, root: &Path, origin: ColumnOrigin) -> Result<Done, TableTaskError> {
    let definition = definition(&request.definition)?;
    let (table, declared) = Table::declare(Arc::new(Posix), root, &definition)?;
    let (outcome, message) = match declared {
        Declared::Created => (TableOutcome::Created, String::new()),
        Declared::Unchanged => (TableOutcome::Unchanged, String::new()),
        Declared::Altered { added } => {
            let added = added.join(", ");
            let what = format!("added {added}; rows that were there before read NULL in what is new");
            (TableOutcome::Altered, what)
        }
    };
    done(&table, outcome, message, None, origin)
}

/// Merges small segments, removes what no one needs, and makes a checkpoint if one pays.
fn maintain(
    request: &TableRequest,
    context: &TaskContext,
    cancelled: &AtomicBool,
    origin: ColumnOrigin,
) -> Result<Done, TableTaskError> {
    let mut table = Table::open(Arc::new(Posix), &context.table_root)?;
    let options = CompactionOptions {
        budget_bytes: usize::try_from(context.memory_bytes).unwrap_or(usize::MAX),
        ..CompactionOptions::default()
    };
    let compacted = Compactor::run(&mut table, &options, cancelled)?;
    if compacted.cancelled {
        return Err(TableTaskError::Cancelled);
    }
    let retention = Duration::from_secs(u64::from(request.retention_hours) * 3_600);
    let options = VacuumOptions { retention: Some(retention), ..VacuumOptions::default() };
    let removed = table.vacuum(&options, &mut |_| {})?.total();
    table.checkpoint_if_due()?;
    table.refresh()?;
    let maintenance = MaintenanceReport {
        merged_files: compacted.inputs,
        new_files: compacted.outputs,
        removed_files: removed.files,
        removed_bytes: removed.bytes,
    };
    let message = format!(
        "merged {} segments into {}, removed {} files of {} bytes",
        compacted.inputs, compacted.outputs, removed.files, removed.bytes
    );
    done(&table, TableOutcome::Maintained, message, Some(maintenance), origin)
}

/// The table, if there is one.
fn standing(root: &Path, origin: ColumnOrigin) -> Option<(TableFigures, Vec<ColumnStatus>)> {
    let table = Table::open(Arc::new(Posix), root).ok()?;
    Some((figures(&table).ok()?, columns(&table, origin).ok()?))
}

fn done(
    table: &Table,
    outcome: TableOutcome,
    message: String,
    maintenance: Option<MaintenanceReport>,
    origin: ColumnOrigin,
) -> Result<Done, TableTaskError> {
    Ok(Done { outcome, message, figures: figures(table)?, columns: columns(table, origin)?, maintenance })
}

/// A report that tells of nothing yet.
pub fn nothing_done(table: &str, task: TableTask) -> TableReport {
    TableReport {
        version: TABLE_REPORT_VERSION,
        table: table.to_owned(),
        task,
        outcome: TableOutcome::Failed,
        exit_code: exit::LOADED,
        reason: String::new(),
        message: String::new(),
        figures: None,
        columns: Vec::new(),
        maintenance: None,
        truncated: false,
    }
}

fn report(table: &str, task: TableTask, ended: Result<Done, TableTaskError>) -> TableReport {
    let empty = nothing_done(table, task);
    match ended {
        Ok(done) => TableReport {
            outcome: done.outcome,
            reason: reason(done.outcome).to_owned(),
            message: done.message,
            figures: Some(done.figures),
            columns: done.columns,
            maintenance: done.maintenance,
            ..empty
        },
        Err(error) => TableReport {
            reason: error.category().to_owned(),
            message: error.to_string(),
            exit_code: error.exit_code(),
            ..empty
        },
    }
}

fn reason(outcome: TableOutcome) -> &'static str {
    match outcome {
        TableOutcome::Created => "TableCreated",
        TableOutcome::Unchanged => "TableUnchanged",
        TableOutcome::Altered => "ColumnsAdded",
        TableOutcome::Maintained => "Maintained",
        TableOutcome::Failed => "Failed",
    }
}
