//! The loop of a pipe: list, load what waits, wait.

mod deaths;
mod loads;
mod polls;
mod store;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use longshore_crds::{LoadError, PipeRequest, PipeState, exit};
use longshore_storage::durable::Posix;
use longshore_storage::ledger::{FileState, Ledger, LedgerError, LedgerOptions};
use longshore_storage::table::Table;
use tokio::task::block_in_place;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::after_load::AfterLoad;
use super::compaction::{self, Compaction};
use super::end::{PipeEnd, PipeFailure};
use super::failed::Failed;
use super::line::{Line, Next};
use super::progress::SharedProgress;
use super::rounds::{Round, Rounds};
use super::rules::Rules;
use super::schedule::Backoff;
use super::waiting;
use crate::load::LoadContext;
use crate::metrics::Metrics;
use crate::source::{PathPattern, Store};

/// Wait for what a person must mend.
const MENDING_WAIT: Duration = Duration::from_secs(60);
/// Between two looks of an idle worker whether its epoch is still the newest.
const EPOCH_LOOK: Duration = Duration::from_secs(5);
/// How long batches go on before a listing that stopped for them does.
const BATCHES_FIRST: Duration = Duration::from_secs(30);

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

impl PipeContext {
    /// What its batches get: the memory is theirs but for what compaction keeps.
    fn of_batches(&self) -> LoadContext {
        LoadContext {
            table_root: self.table_root.clone(),
            secrets_dir: self.secrets_dir.clone(),
            memory_bytes: self.memory_bytes - compaction::memory(self.memory_bytes),
            metrics: self.metrics.clone(),
            cancel: self.cancel.clone(),
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
    /// Of the request: each batch file says with it what it followed.
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
            digest: context.progress.request_digest(),
            context,
            load: context.of_batches(),
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
        block_in_place(|| pipe.judge_what_waits())?;
        if pipe.ledger.totals().of(FileState::Unloaded).files > 0 {
            // They were listed before.
            pipe.rounds.begin(Round::Full, Duration::ZERO);
            pipe.rounds.pause(0, BATCHES_FIRST, true);
        }
        Ok(pipe)
    }

    /// What waits was listed by a worker before, maybe with another spec, and may have killed it.
    fn judge_what_waits(&mut self) -> Result<(), LedgerError> {
        let left = waiting::leave_alone(&mut self.ledger, &self.patterns, &self.rules, now_ms())?;
        if left > 0 {
            tracing::info!(
                files = left,
                "files that wait are left alone: the source does not take them any more"
            );
        }
        deaths::blame(&mut self.ledger)
    }

    async fn work(&mut self) -> Result<PipeEnd, PipeFailure> {
        loop {
            self.tell()?;
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
            if next == Next::Nothing && !self.lists_again() {
                return self.finish();
            }
            self.idle_until(self.next_work(&next)).await?;
        }
    }

    /// The next listing, a file that is tried again, or what is done after loading: whichever comes first.
    fn next_work(&self, next: &Next) -> Instant {
        let at = |ms: u64| Instant::now().checked_add(Duration::from_millis(ms.saturating_sub(now_ms())));
        let listing = self.lists_again().then(|| self.next_listing());
        let trying = if let Next::At(due_ms) = next { at(*due_ms) } else { None };
        let settling = self.after_load.as_ref().and_then(AfterLoad::due_ms).and_then(at);
        let first = [listing, trying, settling].into_iter().flatten().min();
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

    /// Everything is loaded, left alone or given up.
    fn finish(&mut self) -> Result<PipeEnd, PipeFailure> {
        self.tell()?;
        let errors = self.ledger.totals().of(FileState::Error).files;
        let state = if errors == 0 { PipeState::Finished } else { PipeState::Error };
        self.context.progress.change(|document| document.state = state);
        Ok(PipeEnd::Finished { errors })
    }

    /// Where it stands, for those who watch.
    fn tell(&mut self) -> Result<(), PipeFailure> {
        self.tell_figures();
        Ok(block_in_place(|| self.failed.show(&mut self.ledger, &self.context.progress))?)
    }

    fn tell_figures(&self) {
        self.context.progress.take_totals(self.ledger.totals(), self.line.oldest_ms(), now_ms());
        let requests = self.list_requests();
        let loaded = self.ledger.totals().of(FileState::Finished).files;
        let after_load = self.after_load.as_ref().map(|after_load| after_load.progress(loaded));
        self.context.progress.change(|document| {
            (document.list_requests, document.after_load) = (requests, after_load);
        });
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

/// For jitter; without a source of randomness the middle.
fn random() -> u64 {
    getrandom::u64().unwrap_or(u64::MAX / 2)
}

/// Milliseconds since the epoch.
pub(super) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
