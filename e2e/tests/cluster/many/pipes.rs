//! Many pipes on one operator: what it asks of the apiserver follows from the pipes and the time alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use longshore_crds::{Pipe, PipeProgress, PipeState};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;

/// What it may take from the apply to the last pipe at work.
const START: Duration = Duration::from_secs(180);
/// How often each status is written while it is counted, on the average.
const ROUNDS: u64 = 3;
/// Seconds between two writes of a status whose figures move.
const INTERVAL: u64 = 5;
/// Reads of one visit: the Table, Deployments, Jobs, pods; and once the requests.
const READS: u64 = 5;
/// What an operator changes of pipes.
const CHANGED: [&str; 4] = ["pipes", "deployments", "configmaps", "pods"];

/// Answers at `/progress` for every pod: the one at 127.1.a.b is the worker of pipe a × 256 + b.
struct Workers {
    port: u16,
    moves: Arc<AtomicBool>,
    answers: Arc<AtomicU64>,
}

impl Workers {
    async fn start() -> Result<Self> {
        let listener = TcpListener::bind("0.0.0.0:0").await?;
        let port = listener.local_addr()?.port();
        let (moves, answers) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (moving, counted) = (Arc::clone(&moves), Arc::clone(&answers));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let number = counted.fetch_add(1, Ordering::Relaxed);
                let files = if moving.load(Ordering::Relaxed) { number } else { 0 };
                tokio::spawn(async move {
                    if let Err(error) = answer(stream, files).await {
                        eprintln!("a pod did not answer: {error:#}");
                    }
                });
            }
        });
        Ok(Self { port, moves, answers })
    }
}

fn address(number: usize) -> String {
    format!("127.1.{}.{}", number / 256, number % 256)
}

async fn answer(mut stream: TcpStream, files: u64) -> Result<()> {
    let address = stream.local_addr()?.ip().to_string();
    let parts: Vec<usize> = address.split('.').map(str::parse).collect::<Result<_, _>>()?;
    let number = parts.iter().skip(2).fold(0, |number, part| number * 256 + part);
    let mut progress = PipeProgress::new(&format!("pipe-{number}"), "");
    progress.epoch = 1;
    progress.loaded_files = files;
    progress.last_full_list_time = Some("2026-01-01T00:00:00Z".to_owned());
    let body = serde_json::to_string(&progress)?;
    let mut request = [0; 1024];
    let _read = stream.read(&mut request).await?;
    let head = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
    stream.write_all(format!("{head}{body}").as_bytes()).await?;
    Ok(())
}

fn pipe(number: usize, tables: usize) -> String {
    let path = format!("shop/{number}/*.parquet");
    Manifest::pipe_on(&format!("pipe-{number}"), &format!("visits-{}", number % tables), NOWHERE, &path)
        .with("worker", json!({"annotations": {"e2e.test/address": address(number)}}))
        .yaml()
}

/// What an operator has counted.
#[derive(Debug, Clone, Default)]
struct Counts {
    /// Requests to the apiserver by method and resource.
    requests: BTreeMap<(String, String), u64>,
    /// Visits of pipes.
    visits: u64,
}

impl Counts {
    async fn of(operator: &Operator) -> Result<Self> {
        let mut counts = Self::default();
        for line in operator.get("/metrics").await?.lines() {
            let Some((name, value)) = line.rsplit_once(' ') else { continue };
            let label = |key: &str| {
                let rest = name.split_once(&format!("{key}=\""))?.1;
                Some(rest.split_once('"')?.0.to_owned())
            };
            if name.starts_with("longshore_kubernetes_requests_total{") {
                let key = (label("method").unwrap_or_default(), label("resource").unwrap_or_default());
                *counts.requests.entry(key).or_insert(0) += value.parse::<u64>()?;
            }
            let visited = name.starts_with("longshore_reconciliations_total{")
                && label("controller").as_deref() == Some("pipe")
                && label("outcome").as_deref() != Some("skipped");
            if visited {
                counts.visits += value.parse::<u64>()?;
            }
        }
        Ok(counts)
    }

    fn since(&self, before: &Self) -> Self {
        let requests = self
            .requests
            .iter()
            .map(|(key, count)| (key.clone(), count - before.requests.get(key).copied().unwrap_or(0)));
        Self { requests: requests.collect(), visits: self.visits - before.visits }
    }

    fn reads(&self) -> u64 {
        self.requests.iter().filter(|((method, _), _)| method == "GET").map(|(_, count)| count).sum()
    }

    /// Statuses of pipes that were written.
    fn patched(&self) -> u64 {
        self.requests.get(&("PATCH".to_owned(), "pipes".to_owned())).copied().unwrap_or(0)
    }

    /// Changes of what belongs to pipes.
    fn writes(&self) -> BTreeMap<&(String, String), u64> {
        let changed =
            |(method, resource): &(String, String)| method != "GET" && CHANGED.contains(&resource.as_str());
        let found = self.requests.iter().filter(|(key, count)| changed(key) && **count > 0);
        found.map(|(key, count)| (key, *count)).collect()
    }
}

async fn until_all_at_work(namespace: &Namespace, count: usize) -> Result<()> {
    let pipes: Api<Pipe> = namespace.api();
    until(&format!("{count} pipes at work"), START, async || {
        let mut seen = BTreeMap::new();
        for pipe in pipes.list(&ListParams::default()).await?.items {
            let status = pipe.status.unwrap_or_default();
            let ready = status.conditions.iter().find(|it| it.type_ == conditions::READY);
            let state = status.state.map_or("none", PipeState::name);
            let reason = ready.map(|it| it.reason.clone()).unwrap_or_default();
            *seen.entry((state, reason)).or_insert(0) += 1;
        }
        let at_work = seen.get(&("RUNNING", "Ingesting".to_owned())).copied().unwrap_or(0);
        Ok(Look::when(at_work == count, (), seen))
    })
    .await
}

mod alone {
    use super::*;

    /// `PIPES` says how many (200), over 10 tables.
    #[test]
    #[ignore = "needs a cluster: make e2e"]
    fn two_hundred_pipes_cost_what_their_figures_cost_and_a_new_operator_changes_nothing() -> Result<()> {
        run(in_namespace("many-pipes", Nodes::Fake, async |namespace| {
            let count: usize = std::env::var("PIPES").ok().map_or(Ok(200), |text| text.parse())?;
            let pipes = u64::try_from(count)?;
            let workers = Workers::start().await?;
            let arguments = vec![format!("--worker-port={}", workers.port)];
            let options = OperatorOptions { arguments, ..OperatorOptions::default() };
            let mut operator = Operator::start_with(namespace, 1, options).await?;
            let begin = Instant::now();
            let tables = (0..10).map(|number| Manifest::table(&format!("visits-{number}")).yaml());
            let documents: Vec<String> = tables.chain((0..count).map(|number| pipe(number, 10))).collect();
            apply(namespace, &documents).await?;
            until_all_at_work(namespace, count).await?;
            let memory = operator.resident_bytes()? / 1_000_000;
            println!(
                "{count} pipes over 10 tables are at work after {:?}; operator {memory} MB",
                begin.elapsed()
            );
            ensure!(memory <= 80, "the operator holds {memory} MB");

            // Every answer is news: each status is written once in five seconds, and nothing else is.
            workers.moves.store(true, Ordering::Relaxed);
            let (begin, before) = (Instant::now(), Counts::of(&operator).await?);
            let counts = until("each status to be written three times", START, async || {
                let counts = Counts::of(&operator).await?.since(&before);
                let seen = (counts.patched(), counts.visits);
                Ok(Look::when(counts.patched() >= ROUNDS * pipes, counts, seen))
            })
            .await?;
            let rounds = begin.elapsed().as_secs() / INTERVAL + 1;
            println!("{} visits, {} reads, written: {:?}", counts.visits, counts.reads(), counts.writes());
            let patched = counts.patched();
            ensure!(patched <= rounds * pipes, "{patched} statuses are written in {rounds} rounds");
            ensure!(counts.writes().len() == 1, "{:?}", counts.writes());
            // A round is two visits: the second sees what the first has written.
            ensure!(counts.visits <= 2 * rounds * pipes, "{} visits in {rounds} rounds", counts.visits);
            ensure!(counts.reads() <= READS * counts.visits, "{} reads", counts.reads());

            // Nothing moves: a new operator looks at everything, twice, and changes nothing.
            workers.moves.store(false, Ordering::Relaxed);
            quiet(&operator).await?;
            operator.kill()?;
            operator.restart().await?;
            let asked = workers.answers.load(Ordering::Relaxed);
            until("the new operator to look at all pipes", START, async || {
                let counts = Counts::of(&operator).await?;
                let answers = workers.answers.load(Ordering::Relaxed) - asked;
                let seen = counts.visits >= 2 * pipes && answers >= 2 * pipes;
                Ok(Look::when(seen, (), (counts.visits, answers)))
            })
            .await?;
            let counts = Counts::of(&operator).await?;
            println!("a new operator: {} visits, {} reads", counts.visits, counts.reads());
            ensure!(counts.writes().is_empty(), "a new operator writes {:?}", counts.writes());
            until_all_at_work(namespace, count).await
        }))
    }

    /// Waits until the last figures are written.
    async fn quiet(operator: &Operator) -> Result<()> {
        let mut last = (Instant::now(), Counts::of(operator).await?);
        until("the statuses to rest", START, async || {
            let counts = Counts::of(operator).await?;
            let since = counts.since(&last.1);
            if !since.writes().is_empty() {
                last = (Instant::now(), counts);
            }
            // A pipe at rest is looked at every 30 s at least.
            let rests = last.0.elapsed() >= Duration::from_secs(2 * INTERVAL) && since.writes().is_empty();
            Ok(Look::when(rests, (), since.visits))
        })
        .await
    }
}
