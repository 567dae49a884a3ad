//! `longshore plan`: what the LoadJobs of manifests would do. Nothing is touched: no object, no claim, no table.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;
use longshore_crds::{LoadJob, LoadRequest, Table, exit};
use longshore_storage::schema::TableSchema;
use longshore_worker::load::{self, DryRunEnd, LoadContext};
use longshore_worker::metrics::Metrics;
use longshore_worker::table::{definition, resolved};
use tokio_util::sync::CancellationToken;

use crate::apply::Ended;
use crate::args::{Output, PlanArgs};
use crate::data_dir::DataDir;
use crate::files::connect;
use crate::manifest::{self, Object, Problem, check_rules};
use crate::objects::Kind;
use crate::progress::Watch;

/// The objects of all manifests.
#[derive(Default)]
struct Read {
    tables: BTreeMap<String, Table>,
    jobs: Vec<LoadJob>,
}

/// Looks at what each LoadJob would do, and says it.
pub async fn run(args: &PlanArgs, data_dir: &DataDir, cancel: &CancellationToken) -> anyhow::Result<Ended> {
    let Some(read) = read(args)? else { return Ok(Ended::Failed) };
    if read.jobs.is_empty() {
        anyhow::bail!("there is no LoadJob in these manifests; a plan is of loads");
    }
    let mut ended = Ended::Done;
    for job in &read.jobs {
        let looked = Box::pin(plan(job, &read.tables, args, data_dir, cancel)).await;
        let this = looked.unwrap_or_else(|error| {
            eprintln!("{}: {error:#}", job.title());
            Ended::Failed
        });
        ended = ended.max(this);
        if cancel.is_cancelled() {
            return Ok(Ended::Interrupted);
        }
    }
    Ok(ended)
}

/// Reads and checks all manifests, and says every fault; `None`: there was one.
fn read(args: &PlanArgs) -> anyhow::Result<Option<Read>> {
    let mut read = Read::default();
    let mut faults = 0;
    for document in &manifest::read(&args.filename)? {
        let problems = match manifest::parse(&document.value) {
            Ok(Object::Table(table)) => {
                let mut problems = check_rules(&*table, None).err().unwrap_or_default();
                // Columns that come from files are known when these are read.
                let inferred = table.spec.infer_from.is_some();
                if let Some(error) = definition(&table.spec).err().filter(|_| !inferred) {
                    problems.push(Problem { field: String::new(), message: error.to_string() });
                }
                read.tables.insert(table.name_any(), *table);
                problems
            }
            Ok(Object::LoadJob(job)) => {
                let problems = check_rules(&*job, None).err().unwrap_or_default();
                read.jobs.push(*job);
                problems
            }
            // What a pipe would load is what lies there by then.
            Ok(Object::Pipe(pipe)) => check_rules(&*pipe, None).err().unwrap_or_default(),
            Ok(Object::Foreign { .. }) => Vec::new(),
            Err(problems) => problems,
        };
        faults += problems.len();
        for problem in problems {
            eprintln!("{}: {problem}", document.place);
        }
    }
    Ok((faults == 0).then_some(read))
}

async fn plan(
    job: &LoadJob,
    tables: &BTreeMap<String, Table>,
    args: &PlanArgs,
    data_dir: &DataDir,
    cancel: &CancellationToken,
) -> anyhow::Result<Ended> {
    let declared = declared(job, tables, data_dir, cancel).await?;
    let mut request = request(job)?;
    let limits = request.dry_run.get_or_insert_default();
    limits.rows = args.rows.unwrap_or(limits.rows);
    limits.errors = args.errors.unwrap_or(limits.errors);
    let metrics = Metrics::default();
    let watch = Watch::start(job.name_any(), Arc::clone(&metrics.progress));
    let context = LoadContext {
        table_root: data_dir.table(&job.spec.table),
        secrets_dir: data_dir.secrets(),
        memory_bytes: args.memory,
        metrics,
        cancel: cancel.clone(),
    };
    let end = Box::pin(load::dry_run(request, declared, context)).await;
    watch.end().await;
    say(job, &end, args.output)
}

/// The schema that the Table's manifest declares; `None`: there is no manifest of it, the table stands.
async fn declared(
    job: &LoadJob,
    tables: &BTreeMap<String, Table>,
    data_dir: &DataDir,
    cancel: &CancellationToken,
) -> anyhow::Result<Option<Arc<TableSchema>>> {
    let name = &job.spec.table;
    let root = data_dir.table(name);
    let Some(table) = tables.get(name) else {
        anyhow::ensure!(
            root.is_dir(),
            "spec.table: there is no table `{name}`; give the manifest of the Table too"
        );
        return Ok(None);
    };
    let spec = resolved(&table.spec, &root, &connect(data_dir, cancel)).await?;
    Ok(Some(Arc::new(TableSchema::new(definition(&spec)?))))
}

fn request(job: &LoadJob) -> anyhow::Result<LoadRequest> {
    let timeout = SignedDuration::from_secs(i64::from(job.spec.timeout_seconds));
    let deadline = Timestamp::now().checked_add(timeout)?.to_string();
    Ok(LoadRequest::from_load_job(job, 1, Some(deadline)))
}

fn say(job: &LoadJob, end: &DryRunEnd, output: Option<Output>) -> anyhow::Result<Ended> {
    let Some(found) = &end.found else {
        let report = &end.report;
        eprintln!("{} could not be looked at ({}): {}", job.title(), report.reason, report.message);
        let interrupted = report.exit_code == exit::TERMINATED;
        return Ok(if interrupted { Ended::Interrupted } else { Ended::Failed });
    };
    match output {
        Some(Output::Json) => println!("{}", serde_json::to_string_pretty(found)?),
        Some(Output::Yaml) => print!("---\n{}", serde_yaml::to_string(found)?),
        Some(Output::Wide) | None => print!("{found}"),
    }
    if let Some(path) = &end.report.report_path {
        eprintln!("the report: {path} in the folder of table {}", job.spec.table);
    }
    Ok(if found.verdict.exit_code == exit::LOADED { Ended::Done } else { Ended::Failed })
}
