//! One load from request to report: the steps of design §4, in order.

mod admit;
mod batch;
mod close;
mod cut;
mod drift;
mod dry_run;
mod failure;
mod finish;
mod manifest;
mod plan;
mod ratio;
mod read_all;
mod tasks;
mod totals;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use longshore_crds::{LoadReport, LoadRequest};
use longshore_storage::durable::{FileSystem, Posix};
use longshore_storage::load::LoadFolder;
use longshore_storage::schema::TableSchema;
use longshore_storage::table::{Claim, ClaimError, LabelState, Table};
use tokio::task::block_in_place;
use tokio_util::sync::CancellationToken;

use crate::convert::Rules;
use crate::metrics::Metrics;
use crate::progress::Phase;
use crate::source::Store;

pub use batch::{BatchEnd, BatchParts, check_batch, run_batch};
pub use close::{CloseRequest, close};
pub use cut::cut;
pub use drift::{refuse_new_columns, wanted as wanted_columns};
pub use dry_run::{DryRunEnd, dry_run};
pub use failure::LoadFailure;
pub use ratio::{FilterRatio, RatioError};
pub use read_all::{ReadAllError, read_all};

use finish::Ended;

/// What belongs to the process and not to the request.
#[derive(Debug, Clone)]
pub struct LoadContext {
    /// The table's folder.
    pub table_root: PathBuf,
    /// `<dir>/<secret name>/{access-key-id,secret-access-key,session-token}`.
    pub secrets_dir: Option<PathBuf>,
    /// Memory budget of the process, bytes.
    pub memory_bytes: u64,
    /// Counters that others read while the load runs.
    pub metrics: Metrics,
    /// Stops the load: nothing is visible, the run stays open and can be resumed.
    pub cancel: CancellationToken,
}

/// Loads what the request asks for, or says why not; never leaves anything half-visible.
///
/// Needs a multi-thread runtime: the volume is read and written in place.
pub async fn run(request: LoadRequest, context: LoadContext) -> LoadReport {
    if request.dry_run.is_some() {
        return Box::pin(dry_run(request, None, context)).await.report;
    }
    let start = SystemTime::now();
    let mut load = Load {
        start,
        request: &request,
        context: &context,
        claim: None,
        folder: None,
        deadline_passed: Arc::default(),
    };
    let ended = load.run().await;
    context.metrics.progress.enter(Phase::Done);
    let report = ended.report(&request, start);
    match &load.folder {
        Some(folder) => block_in_place(|| finish::keep_report(folder, report)),
        None => report,
    }
}

/// A load that is under way.
struct Load<'a> {
    start: SystemTime,
    request: &'a LoadRequest,
    context: &'a LoadContext,
    claim: Option<Claim>,
    folder: Option<LoadFolder>,
    deadline_passed: Arc<AtomicBool>,
}

impl Load<'_> {
    /// Opens the table, loads, and closes the run if that failed for good.
    async fn run(&mut self) -> Ended {
        let files: Arc<dyn FileSystem> = Arc::new(Posix);
        let mut table = match block_in_place(|| Table::open(files, &self.context.table_root)) {
            Ok(table) => table,
            Err(error) => return Ended::failed(error.into()),
        };
        let ended = match self.load(&mut table).await {
            Ok(ended) => ended,
            Err(failure) => Ended::failed(self.with_deadline(failure)),
        };
        let ended = ended.with_claim(self.claim.as_ref());
        let held = finish::Claimed { claim: self.claim.as_ref(), folder: self.folder.as_ref() };
        block_in_place(|| finish::close_if_final(&mut table, self.request, held, self.start, ended))
    }

    /// The steps.
    async fn load(&mut self, table: &mut Table) -> Result<Ended, LoadFailure> {
        if let Some(first) = already_loaded(table, &self.request.label)? {
            return Ok(first);
        }
        let claim = match block_in_place(|| table.claim(&self.request.label, self.request.run)) {
            Ok(claim) => self.claim.insert(claim).clone(),
            Err(ClaimError::AlreadyLoaded { record, version }) => {
                return Ok(Ended::already(*record, version));
            }
            Err(error) => return Err(error.into()),
        };
        let schema = Arc::clone(table.schema());
        let admitted = admit::admit(self.request, &schema)?;
        let cancel = self.cancel_at_deadline(admitted.deadline);
        let stores = self.connect(&cancel).await?;
        let folder = block_in_place(|| table.load_folder(&claim))?;
        let folder = self.folder.insert(folder).clone();
        self.enter(Phase::Listing);
        let earlier = block_in_place(|| plan::earlier(self.request, table, &folder))?;
        let progress = &self.context.metrics.progress;
        let listed = plan::list(self.request, &stores, plan::newest(&earlier), progress).await?;
        let new_columns =
            block_in_place(|| drift::new_columns(self.request, &schema, &stores, &listed.files, &cancel))?;
        let schema = drift::widened(&schema, &new_columns)?;
        let now_micros = admitted.now_micros;
        let frozen = plan::Frozen { schema: &schema, listed, earlier: &earlier, now_micros };
        let plan = plan::make(self.request, table.id(), table.version(), frozen)?;
        let plan = block_in_place(|| folder.put_plan(&plan))?;
        self.enter(Phase::Loading);
        let reports = block_in_place(|| {
            tasks::run_all(
                &self.job(table, &schema, admitted.rules(plan.now_micros), stores, cancel),
                &claim,
                &folder,
                &plan,
                &earlier,
            )
        })?;
        let details = totals::check(self.request, &plan, &reports, admitted.ratio)?;
        self.enter(Phase::Committing);
        let rows = finish::Rows {
            folder: &folder,
            schema: &schema,
            new_columns,
            plan: &plan,
            reports,
            details,
            start: self.start,
        };
        block_in_place(|| finish::commit(table, self.request, rows, admitted.deadline))
    }

    fn enter(&self, phase: Phase) {
        self.context.metrics.progress.enter(phase);
    }

    async fn connect(&self, cancel: &CancellationToken) -> Result<Vec<Store>, LoadFailure> {
        let context = crate::source::ConnectContext {
            secrets_dir: self.context.secrets_dir.clone(),
            runtime: tokio::runtime::Handle::current(),
            metrics: Arc::clone(&self.context.metrics.requests),
            cancel: cancel.clone(),
            max_concurrent_requests: MAX_CONCURRENT_REQUESTS,
        };
        let mut stores = Vec::with_capacity(self.request.sources.len());
        for source in &self.request.sources {
            stores.push(Store::connect(&source.s3, &context).await?);
        }
        Ok(stores)
    }

    /// A token that is cancelled from outside or by the deadline.
    fn cancel_at_deadline(&self, deadline: Option<SystemTime>) -> CancellationToken {
        let cancel = self.context.cancel.child_token();
        if let Some(deadline) = deadline {
            let left = deadline.duration_since(SystemTime::now()).unwrap_or(Duration::ZERO);
            let passed = Arc::clone(&self.deadline_passed);
            let token = cancel.clone();
            tokio::spawn(async move {
                tokio::select! {
                    () = tokio::time::sleep(left) => {
                        passed.store(true, Ordering::Relaxed);
                        token.cancel();
                    }
                    () = token.cancelled() => {}
                }
            });
        }
        cancel
    }

    /// What the deadline cut short failed by the deadline, wherever it was cut.
    fn with_deadline(&self, failure: LoadFailure) -> LoadFailure {
        let cut_short = failure.exit_code() == longshore_crds::exit::TERMINATED;
        if cut_short && self.deadline_passed.load(Ordering::Relaxed) {
            LoadFailure::Deadline
        } else {
            failure
        }
    }

    fn job(
        &self,
        table: &Table,
        schema: &Arc<TableSchema>,
        rules: Rules,
        stores: Vec<Store>,
        cancel: CancellationToken,
    ) -> tasks::JobParts {
        tasks::JobParts {
            request: self.request.clone(),
            context: self.context.clone(),
            files: Arc::clone(table.files()),
            root: table.root().to_owned(),
            schema: Arc::clone(schema),
            declared_columns: table.schema().columns().len(),
            rules,
            stores,
            cancel,
        }
    }
}

/// Requests in flight at once, over all sources.
const MAX_CONCURRENT_REQUESTS: usize = 32;

/// The first run's figures, if the label stands in the log: nothing is written then.
fn already_loaded(table: &Table, label: &str) -> Result<Option<Ended>, LoadFailure> {
    match block_in_place(|| table.label(label))? {
        LabelState::Loaded { version, record } => Ok(Some(Ended::already(*record, version))),
        _ => Ok(None),
    }
}
