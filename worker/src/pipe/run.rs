//! The loop of a pipe: list, load what waits, wait.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use longshore_crds::{LoadError, PipeRequest, PipeState, exit};
use longshore_storage::durable::Posix;
use longshore_storage::ledger::{
    BatchId, FileEvent, FileFault, FileKey, FileState, Ledger, LedgerError, LedgerOptions,
};
use longshore_storage::table::{Table, TableError};
use tokio::task::block_in_place;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::batch::{Batches, Ended};
use super::blame::{Blame, blame};
use super::line::{BatchLimits, DEATHS, Line, Next, Waiting};
use super::listing::{self, ListError};
use super::progress::{SharedProgress, instant};
use super::rules::{InvalidStart, Rules};
use super::schedule::{Backoff, pause_after_listing};
use crate::load::{LoadContext, LoadFailure, check_batch};
use crate::metrics::Metrics;
use crate::source::{ConnectContext, Operation, PathPattern, SourceError, Store};

/// New files that are held in memory before their batch.
const WINDOW: usize = 65_536;
/// Requests in flight at once.
const MAX_CONCURRENT_REQUESTS: usize = 32;
/// Wait for what a person must mend.
const MENDING_WAIT: Duration = Duration::from_secs(60);
/// Category of a file in whose batches the worker died.
const WORKER_DIED: &str = "WorkerDied";

/// What belongs to the process and not to the pipe.
#[derive(Debug, Clone)]
pub struct PipeContext {
    /// The table's folder.
    pub table_root: PathBuf,
    /// `<dir>/<secret name>/{access-key-id,secret-access-key,session-token}`.
    pub secrets_dir: Option<PathBuf>,
    /// Memory budget of the process, bytes.
    pub memory_bytes: u64,
    /// Threads of the pipeline; 0: as many as there are cores.
    pub parallelism: u32,
    /// Counters that others read.
    pub metrics: Metrics,
    /// Where the pipe stands, for others.
    pub progress: SharedProgress,
    /// Stops the pipe: the batch that runs is given up, and nothing of it is visible.
    pub cancel: CancellationToken,
}

/// Why a pipe's worker ends before its work is done.
#[derive(Debug, thiserror::Error)]
pub enum PipeFailure {
    /// The request cannot be worked on.
    #[error(transparent)]
    Start(#[from] InvalidStart),
    /// A path of it.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The table.
    #[error(transparent)]
    Table(#[from] TableError),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A commit whose end is not known, or an epoch that is lost.
    #[error(transparent)]
    Batch(Box<LoadFailure>),
}

impl PipeFailure {
    /// CamelCase, stable.
    pub fn category(&self) -> &'static str {
        match self {
            Self::Start(_) => "InvalidRequest",
            Self::Source(error) => error.category(),
            Self::Table(error) => error.category(),
            Self::Ledger(error) => error.category(),
            Self::Batch(failure) => failure.category(),
        }
    }

    /// The worker's exit code (`crds/exit.rs`).
    pub fn exit_code(&self) -> u8 {
        match self.category() {
            "OutcomeUnknown" => exit::OUTCOME_UNKNOWN,
            "PipeEpochLost" => exit::CLAIM_LOST,
            "DiskFull" | "VolumeError" | "ReadOnlyVolume" => exit::TRANSIENT,
            "Terminated" => exit::TERMINATED,
            _ => match self {
                Self::Start(_) => exit::REQUEST,
                Self::Source(error) if error.is_transient() => exit::TRANSIENT,
                Self::Source(_) => exit::SOURCE,
                Self::Table(_) | Self::Ledger(_) => exit::TABLE_REFUSED,
                Self::Batch(failure) => failure.exit_code(),
            },
        }
    }
}

/// How a pipe's worker ended.
#[derive(Debug)]
pub enum PipeEnd {
    /// `autoIngest: false`: every file that was listed is loaded, left alone or given up. The number of those
    /// in ERROR.
    Finished {
        /// Files in ERROR.
        errors: u64,
    },
    /// Stopped from outside: the next worker goes on.
    Stopped,
    /// It cannot go on.
    Failed(PipeFailure),
}

impl PipeEnd {
    /// The worker's exit code (`crds/exit.rs`).
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Finished { errors: 0 } => exit::LOADED,
            Self::Finished { .. } => exit::QUALITY,
            Self::Stopped => exit::TERMINATED,
            Self::Failed(failure) => failure.exit_code(),
        }
    }
}

/// Runs a pipe until it is finished (`autoIngest: false`), stopped, or cannot go on.
///
/// Needs a multi-thread runtime: the volume is read and written in place.
pub async fn run(request: PipeRequest, context: PipeContext) -> PipeEnd {
    let ended = match Pipe::begin(&request, &context).await {
        Ok(mut pipe) => pipe.work().await,
        Err(failure) => Err(failure),
    };
    match ended {
        Ok(end) => end,
        Err(failure) if failure.exit_code() == exit::TERMINATED => PipeEnd::Stopped,
        Err(failure) => {
            context.progress.change(|document| {
                let (error_type, message) = (failure.category().to_owned(), failure.to_string());
                document.last_error = Some(LoadError { error_type, message });
            });
            PipeEnd::Failed(failure)
        }
    }
}

struct Pipe<'a> {
    request: &'a PipeRequest,
    digest: String,
    context: &'a PipeContext,
    load: LoadContext,
    patterns: Vec<PathPattern>,
    rules: Rules,
    store: Option<Store>,
    table: Table,
    ledger: Ledger,
    line: Line,
    next_listing: Instant,
    was_listed: bool,
    backoff: Backoff,
}

impl<'a> Pipe<'a> {
    /// Takes the next epoch, and completes the ledger from the log.
    async fn begin(request: &'a PipeRequest, context: &'a PipeContext) -> Result<Self, PipeFailure> {
        let patterns = request.source.paths.iter().map(|path| PathPattern::parse(path));
        let patterns = patterns.collect::<Result<Vec<_>, _>>()?;
        let (table, mut ledger) = block_in_place(|| -> Result<_, PipeFailure> {
            let mut table = Table::open(Arc::new(Posix), &context.table_root)?;
            let ledger = Ledger::begin(&mut table, &request.ledger, LedgerOptions::default())?;
            Ok((table, ledger))
        })?;
        let begun_ms = i64::try_from(ledger.reader().begun_ms()).unwrap_or(i64::MAX);
        let mut pipe = Self {
            rules: Rules::new(request, begun_ms)?,
            request,
            digest: request.digest().unwrap_or_default(),
            context,
            load: LoadContext {
                table_root: context.table_root.clone(),
                secrets_dir: context.secrets_dir.clone(),
                memory_bytes: context.memory_bytes,
                metrics: context.metrics.clone(),
                cancel: context.cancel.clone(),
            },
            patterns,
            store: None,
            table,
            ledger,
            line: Line::default(),
            next_listing: Instant::now(),
            was_listed: false,
            backoff: Backoff::default(),
        };
        let epoch = pipe.ledger.epoch().number();
        context.progress.change(|document| document.epoch = epoch);
        block_in_place(|| pipe.blame_deaths())?;
        Ok(pipe)
    }

    /// Files whose batches were begun again and again while nobody lived to say how they ended: they are halved,
    /// and one that stands alone is given up.
    fn blame_deaths(&mut self) -> Result<(), LedgerError> {
        let mut batches: BTreeMap<BatchId, Vec<FileKey>> = BTreeMap::new();
        self.ledger.reader().visit(&[FileState::Unloaded], |key, entry| {
            if entry.starts >= DEATHS {
                batches.entry(entry.batch).or_default().push(key.clone());
            }
            true
        })?;
        let now_ms = now_ms();
        let mut events = Vec::new();
        for keys in batches.into_values() {
            let files = u32::try_from(keys.len()).unwrap_or(u32::MAX);
            let message = format!(
                "the worker died {DEATHS} times while it loaded {}; look at its last state for OOMKilled, and \
                 raise worker.resources or split the file",
                if files == 1 {
                    "this file".to_owned()
                } else {
                    format!("{files} files, this one among them")
                }
            );
            let fault = FileFault { category: WORKER_DIED.to_owned(), message };
            for key in keys {
                tracing::warn!(file = %uri(&key), files, "the worker died with it");
                events.push((key.clone(), FileEvent::Failed { files, fault: fault.clone() }));
                if files == 1 {
                    events.push((key, FileEvent::GivenUp { fault: fault.clone(), now_ms }));
                }
            }
        }
        self.ledger.record(events)
    }

    async fn work(&mut self) -> Result<PipeEnd, PipeFailure> {
        loop {
            self.tell();
            if self.context.cancel.is_cancelled() {
                return Ok(PipeEnd::Stopped);
            }
            if self.is_listing_due() && !self.list().await? {
                continue;
            }
            match self.next()? {
                Next::Batch(files) => self.load(files).await?,
                Next::At(due_ms) => {
                    let due = Instant::now() + Duration::from_millis(due_ms.saturating_sub(now_ms()));
                    let lists_again = self.request.auto_ingest || !self.was_listed;
                    self.wait_until(if lists_again { due.min(self.next_listing) } else { due }).await;
                }
                Next::Nothing if !self.request.auto_ingest && self.was_listed => return Ok(self.finish()),
                Next::Nothing => self.wait_until(self.next_listing).await,
            }
        }
    }

    fn is_listing_due(&self) -> bool {
        let once = !self.request.auto_ingest && self.was_listed;
        !once && Instant::now() >= self.next_listing
    }

    /// Lists; false: the store did not answer, and was waited for.
    async fn list(&mut self) -> Result<bool, PipeFailure> {
        let Some(store) = self.connected().await else { return Ok(false) };
        let before = self.list_requests();
        let listed = listing::list(&store, &self.patterns, &self.rules, &mut self.ledger, now_ms()).await;
        let requests = self.list_requests() - before;
        match listed {
            Ok(found) => {
                tracing::info!(listed = found.listed, new = found.staged, requests, "listed");
                self.backoff.answered();
                let now = now_ms();
                self.context.progress.source(None, None);
                self.context.progress.change(|document| {
                    document.last_list_time = Some(instant(now));
                    document.last_full_list_time = Some(instant(now));
                });
                self.was_listed = true;
                let poll = Duration::from_secs(self.request.poll_interval_seconds.into());
                let pause = pause_after_listing(poll, requests, self.request.max_list_requests_per_hour);
                self.next_listing = Instant::now() + pause;
                Ok(true)
            }
            Err(ListError::Ledger(error)) => Err(error.into()),
            Err(ListError::Source(SourceError::Cancelled)) => Ok(false),
            Err(ListError::Source(error)) => {
                self.wait_for_store(error.category(), error.to_string()).await;
                Ok(false)
            }
        }
    }

    /// The store, connected if it was not; `None`: that failed, and was waited for.
    async fn connected(&mut self) -> Option<Store> {
        if self.store.is_none() {
            let context = ConnectContext {
                secrets_dir: self.context.secrets_dir.clone(),
                runtime: tokio::runtime::Handle::current(),
                metrics: Arc::clone(&self.context.metrics.requests),
                cancel: self.context.cancel.clone(),
                max_concurrent_requests: MAX_CONCURRENT_REQUESTS,
            };
            match Store::connect(&self.request.source.s3, &context).await {
                Ok(store) => self.store = Some(store),
                Err(SourceError::Cancelled) => {}
                Err(error) => self.wait_for_store(error.category(), error.to_string()).await,
            }
        }
        self.store.clone()
    }

    /// The next batch. What waits in the ledger beyond what is held in memory is read when that is used up.
    fn next(&mut self) -> Result<Next, PipeFailure> {
        let limits = BatchLimits { bytes: self.request.batch_bytes, files: self.request.batch_files };
        let next = self.line.next(limits, now_ms());
        let waiting = self.ledger.totals().of(FileState::Unloaded).files;
        if matches!(next, Next::Batch(_)) || waiting <= self.line.len() as u64 {
            return Ok(next);
        }
        block_in_place(|| self.fill_line())?;
        Ok(self.line.next(limits, now_ms()))
    }

    fn fill_line(&mut self) -> Result<(), LedgerError> {
        let mut line = Line::default();
        let (retry, mut fresh) = (&self.request.retry, 0);
        self.ledger.reader().visit(&[FileState::Unloaded], |key, entry| {
            let is_fresh = entry.failed_with == 0;
            fresh += usize::from(is_fresh);
            if !is_fresh || fresh <= WINDOW {
                line.add(Waiting { key: key.clone(), entry: entry.clone() }, retry);
            }
            true
        })?;
        self.line = line;
        Ok(())
    }

    /// Loads a batch, whatever becomes of it.
    async fn load(&mut self, files: Vec<Waiting>) -> Result<(), PipeFailure> {
        let Some(store) = self.connected().await else {
            // They wait in the ledger.
            self.line.clear();
            return Ok(());
        };
        let check = self.request.batch_request("check", self.ledger.epoch().number(), 0);
        if let Err(failure) = check_batch(&check, &self.table) {
            self.line.clear();
            self.wait_for_mending(&failure).await;
            block_in_place(|| self.table.refresh())?;
            return Ok(());
        }
        let ended = block_in_place(|| self.run_batch(&store, &files))?;
        // What failed is in the ledger with its new figures.
        match ended {
            Ended::Recorded { version, faults } => {
                self.backoff.answered();
                if version.is_some() {
                    self.context
                        .progress
                        .change(|document| document.last_loaded_time = Some(instant(now_ms())));
                }
                for (key, fault) in &faults {
                    self.tell_fault(key, fault);
                }
            }
            Ended::Failed(failure) => self.after_failure(&files, *failure).await?,
        }
        block_in_place(|| self.ledger.fold_if_due(&mut self.table))?;
        Ok(())
    }

    fn run_batch(&mut self, store: &Store, files: &[Waiting]) -> Result<Ended, LedgerError> {
        let batches = Batches {
            request: self.request,
            digest: &self.digest,
            store,
            context: &self.load,
            parallelism: self.context.parallelism,
        };
        let bytes = files.iter().map(|file| file.entry.size).sum();
        let batch = batches.begin(&self.table, &mut self.ledger, files, now_ms())?;
        tracing::info!(number = batch.number(), files = files.len(), bytes, "a batch begins");
        let progress = &self.context.progress;
        progress.begin_batch(batch.number(), files.len() as u64, bytes);
        progress.change(|document| document.loading_files = files.len() as u64);
        let ended = batches.run(&mut self.table, &mut self.ledger, &batch, files, now_ms())?;
        progress.change(|document| document.batch = None);
        let is_unknown = matches!(&ended, Ended::Failed(failure) if blame(failure) == Blame::Unknown);
        if matches!(ended, Ended::Failed(_)) && !is_unknown {
            self.ledger.forget(&batch);
        }
        Ok(ended)
    }

    /// A batch failed as a whole: what its files had to do with it decides how it goes on.
    async fn after_failure(&mut self, files: &[Waiting], failure: LoadFailure) -> Result<(), PipeFailure> {
        tracing::warn!(category = failure.category(), files = files.len(), "a batch failed: {failure}");
        let error = LoadError { error_type: failure.category().to_owned(), message: failure.to_string() };
        self.context.progress.change(|document| document.last_error = Some(error));
        match blame(&failure) {
            Blame::Unknown | Blame::EpochLost => return Err(PipeFailure::Batch(Box::new(failure))),
            Blame::Files => {
                let Some(store) = self.store.clone() else { return Ok(()) };
                let now_ms = now_ms();
                let batches = Batches {
                    request: self.request,
                    digest: &self.digest,
                    store: &store,
                    context: &self.load,
                    parallelism: self.context.parallelism,
                };
                let ledger = &mut self.ledger;
                let alone = block_in_place(|| batches.record_failed(ledger, files, &failure, now_ms))?;
                if let Some((key, fault)) = alone {
                    self.tell_fault(&key, &fault);
                }
                return Ok(());
            }
            Blame::Store | Blame::Volume | Blame::Table | Blame::Stopped => {}
        }
        let abandoned = files.iter().map(|file| (file.key.clone(), FileEvent::Abandoned)).collect();
        block_in_place(|| self.ledger.record(abandoned))?;
        match blame(&failure) {
            Blame::Store => self.wait_for_store(failure.category(), failure.to_string()).await,
            Blame::Table => self.wait_for_mending(&failure).await,
            Blame::Volume => self.wait_backing_off().await,
            _ => {}
        }
        Ok(())
    }

    fn tell_fault(&self, key: &FileKey, fault: &FileFault) {
        tracing::warn!(file = %uri(key), category = %fault.category, "not loaded: {}", fault.message);
        let message = format!("{}: {}", uri(key), fault.message);
        let error = LoadError { error_type: fault.category.clone(), message };
        self.context.progress.change(|document| document.last_error = Some(error));
    }

    /// Everything is loaded, left alone or given up.
    fn finish(&self) -> PipeEnd {
        let errors = self.ledger.totals().of(FileState::Error).files;
        let state = if errors == 0 { PipeState::Finished } else { PipeState::Error };
        self.context.progress.change(|document| document.state = state);
        PipeEnd::Finished { errors }
    }

    fn tell(&self) {
        self.context.progress.take_totals(self.ledger.totals(), self.line.oldest_ms(), now_ms());
        let requests = self.list_requests();
        self.context.progress.change(|document| document.list_requests = requests);
    }

    fn list_requests(&self) -> u64 {
        self.context.metrics.requests.snapshot().total(Operation::List)
    }

    async fn wait_for_store(&mut self, category: &str, message: String) {
        let wait = self.backoff.failed(random());
        tracing::warn!(%category, ?wait, "the store does not answer as it must: {message}");
        let next = now_ms().saturating_add(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
        self.context.progress.source(Some((category, message)), Some(next));
        self.tell();
        self.wait_until(Instant::now() + wait).await;
    }

    async fn wait_backing_off(&mut self) {
        let wait = self.backoff.failed(random());
        self.wait_until(Instant::now() + wait).await;
    }

    /// Only a person can mend it; the table may have changed by the next look.
    async fn wait_for_mending(&mut self, failure: &LoadFailure) {
        tracing::error!(category = failure.category(), "no batch can be loaded: {failure}");
        let error = LoadError { error_type: failure.category().to_owned(), message: failure.to_string() };
        self.context.progress.change(|document| document.last_error = Some(error));
        self.tell();
        self.wait_until(Instant::now() + MENDING_WAIT).await;
    }

    /// Waits, but not after the end.
    async fn wait_until(&self, instant: Instant) {
        tokio::select! {
            () = tokio::time::sleep_until(instant) => {}
            () = self.context.cancel.cancelled() => {}
        }
    }
}

/// `s3://bucket/key`, or the path of a local file.
fn uri(key: &FileKey) -> String {
    if key.bucket.is_empty() { key.key.to_string() } else { format!("s3://{}/{}", key.bucket, key.key) }
}

/// For jitter; without a source of randomness the middle.
fn random() -> u64 {
    getrandom::u64().unwrap_or(u64::MAX / 2)
}

/// Milliseconds since the epoch.
fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
