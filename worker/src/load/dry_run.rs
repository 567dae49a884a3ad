//! A dry run: a load without its effects. It lists, reads, decodes, converts and judges as the load would, by
//! the same code; it takes no claim, writes no segment and commits nothing.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::SystemTime;

use longshore_crds::{DryRunVerdict, LoadMode, LoadReport, LoadRequest, OnFileError, Outcome, exit, reasons};
use longshore_storage::durable::{FileSystem, Posix};
use longshore_storage::load::{PlannedTask, SkippedFile, write_dry_run_report};
use longshore_storage::schema::{Column, MAX_NEW_PARTITIONS, PartitionBy, TableSchema};
use longshore_storage::table::{CommitError, Table};
use longshore_storage::tablet::TabletError;
use tokio::task::block_in_place;

use super::finish::{bare_report, instant};
use super::totals::{self, Details};
use super::{Load, LoadContext, LoadFailure, admit, drift, plan, tasks};
use crate::dry_run::{
    CheckedFile, DRY_RUN_REPORT_VERSION, DryRunReport, FileProblem, Findings, NamedType, listed,
};
use crate::pipeline::{self, Job, TaskChecked};
use crate::progress::Phase;

/// How a dry run ended.
#[derive(Debug)]
pub struct DryRunEnd {
    /// What the process answers.
    pub report: LoadReport,
    /// What was found; `None`: it could not be carried through, and says nothing about the load.
    pub found: Option<DryRunReport>,
}

/// Checks what a load of this request would do. `declared`: what the Table's manifest says, if that is to be
/// applied first: the schema of a table that does not exist yet; one that stands at the context's folder gets
/// the columns that it lacks.
///
/// Whatever the load would end with for good is a finding; the dry run itself fails only where it could not be
/// carried through: the store or the volume is not to be reached, its time was over, it was stopped.
pub async fn dry_run(
    request: LoadRequest,
    declared: Option<Arc<TableSchema>>,
    context: LoadContext,
) -> DryRunEnd {
    let start = SystemTime::now();
    let load = Load {
        start,
        request: &request,
        context: &context,
        claim: None,
        folder: None,
        deadline_passed: Arc::default(),
    };
    let mut gathered = Gathered::new(&request);
    let (table, looked) = match block_in_place(|| open(&context, declared)) {
        Ok(Opened { table, schema, added }) => {
            gathered.declared_columns = named(&added);
            let looked = load.look(table.as_ref(), &schema, &mut gathered).await;
            (table, looked.map_err(|failure| load.with_deadline(failure)))
        }
        Err(failure) => (None, Err(failure)),
    };
    context.metrics.progress.enter(Phase::Done);
    let verdict = match looked {
        Ok(()) => gathered.would_load(),
        Err(failure) if is_finding(&failure) => Gathered::would_fail(&failure),
        Err(failure) => return DryRunEnd { report: failed(&request, start, &failure), found: None },
    };
    let found = gathered.conclude(&request, verdict, start);
    tracing::info!("{found}");
    let path = table.and_then(|table| block_in_place(|| keep(&table, &request.label, &found)));
    DryRunEnd { report: report(&request, start, &gathered, &found, path), found: Some(found) }
}

/// What the load would find once the manifest is applied.
struct Opened {
    /// `None`: it does not exist yet.
    table: Option<Table>,
    schema: Arc<TableSchema>,
    /// Columns that the manifest adds.
    added: Vec<Column>,
}

fn open(context: &LoadContext, declared: Option<Arc<TableSchema>>) -> Result<Opened, LoadFailure> {
    let stands = context.table_root.join("_delta_log").is_dir();
    let declared = match declared {
        Some(schema) if !stands => return Ok(Opened { table: None, schema, added: Vec::new() }),
        declared => declared,
    };
    let files: Arc<dyn FileSystem> = Arc::new(Posix);
    let table = Table::open(files, &context.table_root)?;
    let added = declared.map(|schema| table.columns_to_add(schema.definition())).transpose()?;
    let added = added.unwrap_or_default();
    Ok(Opened { schema: drift::widened(table.schema(), &added)?, table: Some(table), added })
}

/// Whether the load would end with this for good, so that it answers the question.
fn is_finding(failure: &LoadFailure) -> bool {
    failure.is_final() && failure.exit_code() != exit::DEADLINE
}

impl Load<'_> {
    /// The steps of the load, with `gathered` in place of its effects. The error is what the load would end
    /// with.
    async fn look(
        &self,
        table: Option<&Table>,
        schema: &Arc<TableSchema>,
        gathered: &mut Gathered,
    ) -> Result<(), LoadFailure> {
        let admitted = admit::admit(self.request, schema)?;
        let cancel = self.cancel_at_deadline(admitted.deadline);
        let stores = self.connect(&cancel).await?;
        self.enter(Phase::Listing);
        let listed = plan::list(self.request, &stores, None, &self.context.metrics.progress).await?;
        let new_columns =
            block_in_place(|| drift::new_columns(self.request, schema, &stores, &listed.files, &cancel))?;
        let declared_columns = schema.columns().len();
        let schema = drift::widened(schema, &new_columns)?;
        gathered.new_columns = named(&new_columns);
        let now_micros = admitted.now_micros;
        let frozen = plan::Frozen { schema: &schema, listed, earlier: &[], now_micros };
        let (id, version) = table.map_or(("", 0), |table| (table.id(), table.version()));
        let plan = plan::make(self.request, id, version, frozen)?;
        self.enter(Phase::Loading);
        let parts = tasks::JobParts {
            request: self.request.clone(),
            context: self.context.clone(),
            files: Arc::new(Posix),
            root: self.context.table_root.clone(),
            schema: Arc::clone(&schema),
            declared_columns,
            rules: admitted.rules(now_micros),
            stores,
            cancel,
        };
        let job = Job { findings: Some(Arc::clone(&gathered.findings)), ..tasks::job(&parts, 0, 0) };
        tasks::announce(&job, &plan);
        for (number, task) in (0_u32..).zip(&plan.tasks) {
            let checked = block_in_place(|| pipeline::check_task(&job, number, task))?;
            gathered.add_task(number, task, checked)?;
        }
        gathered.details.add_absent(&plan);
        gathered.judge_files(self.request)?;
        block_in_place(|| self.judge_partitions(table, &schema, gathered))?;
        let details = totals::judge(self.request, gathered.details.clone(), admitted.ratio)?;
        gathered.details = details;
        Ok(())
    }

    /// What the commit would refuse of the partitions in which rows lie.
    fn judge_partitions(
        &self,
        table: Option<&Table>,
        schema: &TableSchema,
        gathered: &Gathered,
    ) -> Result<(), LoadFailure> {
        let named = &self.request.partitions;
        let scoped = self.request.mode == LoadMode::Overwrite && !named.is_empty();
        let is_made = matches!(schema.definition().partition_by, PartitionBy::Expression(_));
        let many = is_made && gathered.partitions.len() > MAX_NEW_PARTITIONS;
        if !scoped && !many {
            return Ok(());
        }
        let occupied = table.map(Table::partition_names).transpose()?.unwrap_or_default();
        if let Some(partition) =
            gathered.partitions.difference(&occupied).nth(MAX_NEW_PARTITIONS).filter(|_| is_made)
        {
            let partition = partition.clone();
            return Err(TabletError::TooManyPartitions { limit: MAX_NEW_PARTITIONS, partition }.into());
        }
        if !scoped {
            return Ok(());
        }
        let label = || self.request.label.clone();
        let declared = schema.definition().partition_by.declared().unwrap_or_default();
        let is_known = |name: &String| {
            occupied.contains(name) || gathered.partitions.contains(name) || declared.contains(&name.as_str())
        };
        if let Some(unknown) = named.iter().find(|name| !is_known(name)) {
            let partition = unknown.clone();
            return Err(CommitError::UnknownPartition { label: label(), partition }.into());
        }
        match gathered.partitions.iter().find(|name| !named.contains(name)) {
            Some(outside) => {
                let partition = outside.clone();
                Err(CommitError::PartitionOutOfScope { label: label(), partition }.into())
            }
            None => Ok(()),
        }
    }
}

fn named(columns: &[Column]) -> Vec<NamedType> {
    let named =
        |column: &Column| NamedType { name: column.name.clone(), data_type: column.data_type.to_string() };
    columns.iter().map(named).collect()
}

/// What comes together task by task.
struct Gathered {
    findings: Arc<Findings>,
    details: Details,
    files: Vec<((u32, usize), CheckedFile)>,
    failures: Vec<LoadFailure>,
    partitions: BTreeSet<String>,
    declared_columns: Vec<NamedType>,
    new_columns: Vec<NamedType>,
}

impl Gathered {
    fn new(request: &LoadRequest) -> Self {
        Self {
            findings: Arc::new(Findings::new(request.dry_run.clone().unwrap_or_default())),
            details: Details::default(),
            files: Vec::new(),
            failures: Vec::new(),
            partitions: BTreeSet::new(),
            declared_columns: Vec::new(),
            new_columns: Vec::new(),
        }
    }

    fn add_task(&mut self, number: u32, task: &PlannedTask, checked: TaskChecked) -> Result<(), LoadFailure> {
        let TaskChecked { files, failures, partitions } = checked;
        let skipped: Vec<SkippedFile> = failures
            .iter()
            .map(|(place, failure)| SkippedFile {
                file: u32::try_from(*place).unwrap_or(u32::MAX),
                code: failure.category().to_owned(),
                message: failure.to_string(),
            })
            .collect();
        for (place, (file, counts)) in task.files.iter().zip(&files).enumerate() {
            let problem = failures.get(&place);
            self.files.push((
                (number, place),
                CheckedFile {
                    file: file.uri(),
                    size: file.size,
                    etag: file.etag.clone(),
                    format: None,
                    schema: None,
                    read: counts.read,
                    loaded: counts.loaded,
                    filtered: counts.filtered,
                    unselected: counts.unselected,
                    error: problem.map(|failure| FileProblem::new(failure.category(), &failure)),
                },
            ));
        }
        self.partitions.extend(partitions);
        self.failures.extend(failures.into_values());
        self.details.add_files(task, &files, &skipped)
    }

    /// What the load would say of the files that cannot be read.
    fn judge_files(&mut self, request: &LoadRequest) -> Result<(), LoadFailure> {
        let failures = std::mem::take(&mut self.failures);
        if request.on_file_error == OnFileError::Abort {
            return failures.into_iter().next().map_or(Ok(()), Err);
        }
        let limit = request.max_skipped_files.unwrap_or_default();
        match failures.into_iter().nth(limit as usize) {
            Some(last) => Err(LoadFailure::TooManySkippedFiles { limit, last: Box::new(last) }),
            None => Ok(()),
        }
    }

    fn would_load(&self) -> DryRunVerdict {
        let counts = &self.details.counts;
        DryRunVerdict {
            exit_code: exit::LOADED,
            reason: self.details.loaded_reason().to_owned(),
            message: format!(
                "{} rows of {} files would be loaded; {} filtered, {} unselected, {} files skipped",
                counts.sink_rows,
                counts.file_number,
                counts.filtered_rows,
                counts.unselected_rows,
                counts.skipped_files
            ),
        }
    }

    fn would_fail(failure: &LoadFailure) -> DryRunVerdict {
        DryRunVerdict {
            exit_code: failure.exit_code(),
            reason: failure.category().to_owned(),
            message: failure.to_string(),
        }
    }

    fn conclude(&mut self, request: &LoadRequest, verdict: DryRunVerdict, start: SystemTime) -> DryRunReport {
        let mut files = std::mem::take(&mut self.files);
        let concluded = self.findings.conclude(&mut files);
        let (files, more_files) = listed(files.into_iter().map(|(_, file)| file).collect());
        DryRunReport {
            version: DRY_RUN_REPORT_VERSION,
            table: request.table.clone(),
            label: request.label.clone(),
            time: instant(start),
            verdict,
            counts: self.details.counts,
            files,
            more_files,
            schemas: concluded.schemas,
            declared_columns: std::mem::take(&mut self.declared_columns),
            new_columns: std::mem::take(&mut self.new_columns),
            rows: concluded.rows,
            errors: concluded.errors,
        }
    }
}

/// Leaves the report on the volume; a volume that takes none is no fault of the dry run.
fn keep(table: &Table, label: &str, found: &DryRunReport) -> Option<String> {
    let kept = serde_json::to_vec_pretty(found)
        .map_err(|error| error.to_string())
        .and_then(|text| write_dry_run_report(table, label, &text).map_err(|error| error.to_string()));
    kept.inspect_err(|error| tracing::warn!(%error, "the report of the dry run cannot be kept on the volume"))
        .ok()
}

fn report(
    request: &LoadRequest,
    start: SystemTime,
    gathered: &Gathered,
    found: &DryRunReport,
    path: Option<String>,
) -> LoadReport {
    let verdict = &found.verdict;
    let said = if verdict.exit_code == exit::LOADED {
        format!("dry run: the load would end with {}: {}", verdict.reason, verdict.message)
    } else {
        format!("dry run: the load would fail with {}: {}", verdict.reason, verdict.message)
    };
    let first_errors = found.errors.iter().flat_map(|kind| {
        kind.examples.iter().map(|example| longshore_crds::RowError {
            file: example.file.clone(),
            row: example.row,
            column: kind.column.clone(),
            code: kind.code.clone(),
        })
    });
    LoadReport {
        reason: reasons::DRY_RUN.to_owned(),
        message: said,
        counts: gathered.details.counts,
        first_errors: first_errors.take(pipeline::FIRST_ERRORS).collect(),
        skipped_files: gathered.details.skipped.clone(),
        dry_run: Some(verdict.clone()),
        report_path: path,
        ..empty(request, start, Outcome::DryRun, exit::LOADED)
    }
}

fn failed(request: &LoadRequest, start: SystemTime, failure: &LoadFailure) -> LoadReport {
    LoadReport {
        reason: failure.category().to_owned(),
        message: failure.to_string(),
        ..empty(request, start, Outcome::Failed, failure.exit_code())
    }
}

fn empty(request: &LoadRequest, start: SystemTime, outcome: Outcome, exit_code: u8) -> LoadReport {
    LoadReport { outcome, exit_code, ..bare_report(&request.label, request.run, start) }
}
