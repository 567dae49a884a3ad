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
use longshore_storage::table::Table;
use tokio::task::block_in_place;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::after_load::AfterLoad;
use super::batch::{Batches, Ended};
use super::blame::{Blame, blame};
use super::compaction::{self, Compaction};
use super::end::{PipeEnd, PipeFailure};
use super::failed::Failed;
use super::line::{BatchLimits, DEATHS, Line, Next, Waiting};
use super::listing::{self, ListError};
use super::progress::{SharedProgress, instant};
use super::rounds::{Round, RoundLimits, Rounds};
use super::rules::Rules;
use super::schedule::Backoff;
use crate::load::{LoadContext, LoadFailure, check_batch};
use crate::metrics::Metrics;
use crate::source::{ConnectContext, Operation, Outcome, PathPattern, SourceError, Store};

/// New files that are held in memory before their batch.
const WINDOW: usize = 65_536;
/// Requests in flight at once.
const MAX_CONCURRENT_REQUESTS: usize = 32;
/// Wait for what a person must mend.
const MENDING_WAIT: Duration = Duration::from_secs(60);
/// Between two looks of an idle worker whether its epoch is still the newest.
const EPOCH_LOOK: Duration = Duration::from_secs(5);
/// How long batches go on before a listing that stopped for them does.
const BATCHES_FIRST: Duration = Duration::from_secs(30);
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
    compaction: Compaction,
    line: Line,
    /// Instants of the rounds are counted from here.
    began: Instant,
    rounds: Rounds,
    backoff: Backoff,
    /// Of listings: batches do not wait for them.
    list_backoff: Backoff,
    after_load: Option<AfterLoad>,
    failed: Failed,
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
        let mut after_load = AfterLoad::of(request, &patterns)?;
        if let Some(after_load) = &mut after_load {
            block_in_place(|| after_load.begin(&table, &ledger))?;
        }
        let begun_ms = i64::try_from(ledger.reader().begun_ms()).unwrap_or(i64::MAX);
        let mut pipe = Self {
            rules: Rules::new(request, begun_ms)?,
            request,
            digest: request.digest().unwrap_or_default(),
            context,
            load: LoadContext {
                table_root: context.table_root.clone(),
                secrets_dir: context.secrets_dir.clone(),
                memory_bytes: context.memory_bytes - compaction::memory(context.memory_bytes),
                metrics: context.metrics.clone(),
                cancel: context.cancel.clone(),
            },
            rounds: Rounds::new(patterns.len()),
            patterns,
            store: None,
            table,
            ledger,
            compaction: Compaction::new(&context.table_root, context.memory_bytes),
            line: Line::default(),
            began: Instant::now(),
            backoff: Backoff::default(),
            list_backoff: Backoff::default(),
            after_load,
            failed: Failed::new(),
        };
        let epoch = pipe.ledger.epoch().number();
        context.progress.change(|document| document.epoch = epoch);
        block_in_place(|| pipe.blame_deaths())?;
        if pipe.ledger.totals().of(FileState::Unloaded).files > 0 {
            // They were listed before.
            pipe.rounds.begin(Round::Full, Duration::ZERO);
            pipe.rounds.pause(0, BATCHES_FIRST, true);
        }
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
            block_in_place(|| self.failed.show(&mut self.ledger, &self.context.progress))?;
            if self.context.cancel.is_cancelled() {
                return Ok(PipeEnd::Stopped);
            }
            if self.is_listing_due() {
                self.list().await?;
            }
            let next = match self.next()? {
                Next::Batch(files) => {
                    self.compaction.give_way();
                    self.load(files).await?;
                    self.compaction.begin_if_due(self.table.version(), false);
                    self.settle(true).await?;
                    continue;
                }
                next => next,
            };
            if self.rounds.go_on() || self.settle(false).await? {
                continue;
            }
            self.compaction.begin_if_due(self.table.version(), true);
            let next_try = match next {
                Next::At(due_ms) => Some(due_ms),
                _ => None,
            };
            if next_try.is_none() && !self.lists_again() {
                return Ok(self.finish());
            }
            self.idle_until(self.next_work(next_try)).await?;
        }
    }

    /// The next listing, a file that is tried again, or what is done after loading: whichever comes first.
    fn next_work(&self, next_try_ms: Option<u64>) -> Instant {
        let at = |ms: u64| Instant::now().checked_add(Duration::from_millis(ms.saturating_sub(now_ms())));
        let listing = self.lists_again().then(|| self.next_listing());
        let settling = self.after_load.as_ref().and_then(AfterLoad::due_ms).and_then(at);
        let first = [listing, next_try_ms.and_then(at), settling].into_iter().flatten().min();
        first.unwrap_or_else(|| Instant::now() + MENDING_WAIT)
    }

    /// Does some of what is done after loading, if it is due; false: there is nothing more to do now.
    async fn settle(&mut self, is_busy: bool) -> Result<bool, PipeFailure> {
        let Some(mut after_load) = self.after_load.take_if(|it| it.is_due(now_ms(), is_busy)) else {
            return Ok(false);
        };
        let settled = match self.connect().await {
            Ok(store) => after_load.turn(&store, &self.table, &self.ledger, now_ms()).await,
            Err(error) => {
                after_load.failed(&error, now_ms());
                Ok(false)
            }
        };
        self.after_load = Some(after_load);
        Ok(settled? && !self.context.cancel.is_cancelled())
    }

    fn lists_again(&self) -> bool {
        self.request.auto_ingest || !self.rounds.was_full()
    }

    fn limits(&self) -> RoundLimits {
        RoundLimits {
            poll_interval: Duration::from_secs(self.request.poll_interval_seconds.into()),
            requests_per_hour: self.request.max_list_requests_per_hour,
        }
    }

    fn next_listing(&self) -> Instant {
        self.began + self.rounds.next(self.limits()).0
    }

    fn is_listing_due(&self) -> bool {
        self.lists_again() && Instant::now() >= self.next_listing()
    }

    /// Lists, until the round is at its end, the store fails, or batches wait for long.
    async fn list(&mut self) -> Result<(), PipeFailure> {
        let before = self.answered_list_requests();
        self.rounds.begin(self.rounds.next(self.limits()).1, self.began.elapsed());
        let place = self.rounds.place();
        let store = match self.connect().await {
            Ok(store) => store,
            Err(error) => {
                self.after_failed_listing(&error, 0);
                return Ok(());
            }
        };
        let listed =
            listing::list(&store, &self.patterns, &self.rules, &mut self.ledger, &mut self.rounds, now_ms());
        let listed = listed.await;
        let requests = self.answered_list_requests() - before;
        match listed {
            Ok(found) => {
                let whole = !found.yields;
                tracing::info!(listed = found.listed, new = found.staged, requests, whole, "listed");
                self.list_backoff.answered();
                self.context.progress.source(None, None);
                if found.yields {
                    self.rounds.pause(requests, self.began.elapsed() + BATCHES_FIRST, true);
                } else {
                    self.end_round(requests);
                }
                Ok(())
            }
            Err(ListError::Ledger(error)) => Err(error.into()),
            Err(ListError::Source(error)) => {
                if self.rounds.place() != place {
                    self.list_backoff.answered();
                }
                self.after_failed_listing(&error, requests);
                Ok(())
            }
        }
    }

    fn end_round(&mut self, requests: u64) {
        let Some((round, began)) = self.rounds.end(requests) else { return };
        let now = now_ms();
        let age = self.began.elapsed().saturating_sub(began);
        let began = now.saturating_sub(u64::try_from(age.as_millis()).unwrap_or(u64::MAX));
        self.context.progress.change(|document| {
            document.last_list_time = Some(instant(now));
            if round == Round::Full {
                // What was there by then is known.
                document.last_full_list_time = Some(instant(began));
            }
        });
    }

    /// The round goes on later where it stood. What waits for its batch does not wait for it.
    fn after_failed_listing(&mut self, error: &SourceError, requests: u64) {
        if matches!(error, SourceError::Cancelled) {
            return;
        }
        let wait = self.list_backoff.failed(random());
        self.rounds.pause(requests, self.began.elapsed() + wait, false);
        self.tell_unreachable(error.category(), error.to_string(), wait);
    }

    /// The store, connected if it was not; `None`: that failed, and was waited for.
    async fn connected(&mut self) -> Option<Store> {
        match self.connect().await {
            Ok(store) => Some(store),
            Err(SourceError::Cancelled) => None,
            Err(error) => {
                self.wait_for_store(error.category(), error.to_string()).await;
                None
            }
        }
    }

    async fn connect(&mut self) -> Result<Store, SourceError> {
        if let Some(store) = &self.store {
            return Ok(store.clone());
        }
        let context = ConnectContext {
            secrets_dir: self.context.secrets_dir.clone(),
            runtime: tokio::runtime::Handle::current(),
            metrics: Arc::clone(&self.context.metrics.requests),
            cancel: self.context.cancel.clone(),
            max_concurrent_requests: MAX_CONCURRENT_REQUESTS,
        };
        let store = Store::connect(&self.request.source.s3, &context).await?;
        Ok(self.store.insert(store).clone())
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
                    if let Some(after_load) = &mut self.after_load {
                        after_load.loaded();
                    }
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
        let began = Instant::now();
        progress.change(|document| document.loading_files = files.len() as u64);
        let ended = batches.run(&mut self.table, &mut self.ledger, &batch, files)?;
        progress.end_batch(began.elapsed());
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
        self.tell();
        let errors = self.ledger.totals().of(FileState::Error).files;
        let state = if errors == 0 { PipeState::Finished } else { PipeState::Error };
        self.context.progress.change(|document| document.state = state);
        PipeEnd::Finished { errors }
    }

    fn tell(&self) {
        self.context.progress.take_totals(self.ledger.totals(), self.line.oldest_ms(), now_ms());
        let requests = self.list_requests();
        let loaded = self.ledger.totals().of(FileState::Finished).files;
        let after_load = self.after_load.as_ref().map(|after_load| after_load.progress(loaded));
        self.context.progress.change(|document| {
            (document.list_requests, document.after_load) = (requests, after_load);
        });
    }

    fn list_requests(&self) -> u64 {
        self.context.metrics.requests.snapshot().total(Operation::List)
    }

    /// What a listing costs: those that fail are bounded by the waits after them.
    fn answered_list_requests(&self) -> u64 {
        self.context.metrics.requests.snapshot().count(Operation::List, Outcome::Ok)
    }

    async fn wait_for_store(&mut self, category: &str, message: String) {
        let wait = self.backoff.failed(random());
        self.tell_unreachable(category, message, wait);
        self.wait_until(Instant::now() + wait).await;
    }

    fn tell_unreachable(&self, category: &str, message: String, wait: Duration) {
        tracing::warn!(%category, ?wait, "the store does not answer as it must: {message}");
        let next = now_ms().saturating_add(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
        self.context.progress.source(Some((category, message)), Some(next));
        self.tell();
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

    /// Waits for a while, and looks whether another worker took over, or a person put files back: who has nothing to
    /// write would not hear of it.
    async fn idle_until(&mut self, instant: Instant) -> Result<(), PipeFailure> {
        block_in_place(|| self.ledger.holds_epoch(&mut self.table))?;
        self.wait_until(instant.min(Instant::now() + EPOCH_LOOK)).await;
        Ok(())
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
pub(super) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
