//! Loads on nodes whose pods only answer: the operator under kills, and many loads at a time.

mod pipes;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use k8s_openapi::api::batch::v1::Job;
use kube::Api;
use kube::api::ListParams;
use longshore_crds::{LoadJob, LoadState, conditions};
use longshore_e2e::wait::{Look, until};
use longshore_e2e::{Manifest, Namespace, Nodes, Operator, OperatorOptions, in_namespace, kubectl, run};
use serde_json::{Value, json};

/// A store that nobody asks.
const NOWHERE: &str = "http://10.244.0.1:1";

/// A load that its pod answers as the annotations say.
fn load(name: &str, table: &str, annotations: &Value) -> String {
    Manifest::load_on(name, table, NOWHERE, "shop/visits/*.parquet")
        .with("worker", json!({"annotations": annotations}))
        .yaml()
}

async fn apply(namespace: &Namespace, documents: &[String]) -> Result<()> {
    kubectl(&["-n", &namespace.name, "apply", "-f", "-"], &documents.join("\n---\n")).await.map(|_| ())
}

/// How many loads there are by state, and whether each has ended.
async fn states(namespace: &Namespace) -> Result<(BTreeMap<String, usize>, usize)> {
    let jobs: Api<LoadJob> = namespace.api();
    let mut states = BTreeMap::new();
    let mut ended = 0;
    for job in jobs.list(&ListParams::default()).await?.items {
        let status = job.status.unwrap_or_default();
        *states.entry(status.state.map_or("none", LoadState::name).to_owned()).or_insert(0) += 1;
        ended += usize::from(conditions::is_true(&status.conditions, conditions::FINISHED));
    }
    Ok((states, ended))
}

async fn until_all_ended(
    namespace: &Namespace,
    count: usize,
    limit: Duration,
) -> Result<BTreeMap<String, usize>> {
    until(&format!("{count} loads to end"), limit, async || {
        let (states, ended) = states(namespace).await?;
        Ok(Look::when(ended == count, states.clone(), states))
    })
    .await
}

#[test]
#[ignore = "needs a cluster: make e2e"]
fn a_failure_code_becomes_the_reason_of_a_cancelled_load() -> Result<()> {
    run(in_namespace("codes", Nodes::Fake, async |namespace| {
        let _operator = Operator::start(namespace).await?;
        let report = |code: u8, reason: &str| {
            json!({"version": 1, "label": reason.to_lowercase(), "run": 1, "attempt": 1, "outcome": "Failed",
                   "exitCode": code, "reason": reason, "message": "as told", "closed": true,
                   "counts": {"scanRows": 1, "scanBytes": 1, "filteredRows": 1, "unselectedRows": 0, "sinkRows": 0,
                              "fileNumber": 1, "fileSize": 1},
                   "times": {}})
        };
        let cases =
            [(64, "InvalidRequest"), (65, "DataQuality"), (66, "SourceUnreadable"), (68, "TableRefused")];
        let mut documents = vec![Manifest::table("visits").yaml()];
        for (code, reason) in cases {
            let annotations = json!({"e2e.test/exit-code": code.to_string(),
                                     "e2e.test/message": report(code, reason).to_string()});
            documents.push(load(&reason.to_lowercase(), "visits", &annotations));
        }
        apply(namespace, &documents).await?;
        let states = until_all_ended(namespace, cases.len(), Duration::from_secs(90)).await?;
        ensure!(states.get("CANCELLED") == Some(&cases.len()), "{states:?}");
        let jobs: Api<LoadJob> = namespace.api();
        for (_, reason) in cases {
            let status = jobs.get(&reason.to_lowercase()).await?.status.unwrap_or_default();
            let told = status.error.map(|error| (error.error_type, error.message)).unwrap_or_default();
            ensure!(told == (reason.to_owned(), "as told".to_owned()), "{told:?}");
        }
        Ok(())
    }))
}

/// `OPERATOR_KILLS` says how often it is killed (30).
#[test]
#[ignore = "needs a cluster: make e2e"]
fn an_operator_that_is_killed_at_random_instants_ends_every_load_once() -> Result<()> {
    run(in_namespace("kills", Nodes::Fake, async |namespace| {
        let kills: u32 = std::env::var("OPERATOR_KILLS").ok().map_or(Ok(30), |text| text.parse())?;
        let mut operator = Operator::start(namespace).await?;
        apply(namespace, &[Manifest::table("visits").yaml()]).await?;
        let mut random = seed()?;
        println!("seed {random}");
        for number in 0..kills {
            let delay = json!({"e2e.test/delay": format!("{}ms", next(&mut random) % 1_500)});
            apply(namespace, &[load(&format!("load-{number}"), "visits", &delay)]).await?;
            tokio::time::sleep(Duration::from_millis(next(&mut random) % 1_200)).await;
            operator.kill()?;
            operator.restart().await?;
        }
        let count = usize::try_from(kills)?;
        let states = until_all_ended(namespace, count, Duration::from_secs(180)).await?;
        ensure!(states.get("FINISHED") == Some(&count), "{states:?}");
        // One Job a load, whatever was killed: a second one would have been a second run.
        let loads: Api<LoadJob> = namespace.api();
        for job in loads.list(&ListParams::default()).await?.items {
            let run = job.status.and_then(|status| status.run);
            ensure!(run == Some(1), "{:?} is at run {run:?}", job.metadata.name);
        }
        Ok(())
    }))
}

/// A random number of the system; the printed seed repeats a run.
fn seed() -> Result<u64> {
    if let Ok(text) = std::env::var("SEED") {
        return Ok(text.parse()?);
    }
    let mut bytes = [0; 8];
    std::io::Read::read_exact(&mut std::fs::File::open("/dev/urandom")?, &mut bytes)?;
    Ok(u64::from_le_bytes(bytes) | 1)
}

/// The next number of a xorshift generator.
fn next(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

mod alone {
    use super::*;

    /// `LOADS` says how many (500), over 25 tables.
    #[test]
    #[ignore = "needs a cluster: make e2e"]
    fn five_hundred_loads_over_25_tables_all_end() -> Result<()> {
        run(in_namespace("many", Nodes::Fake, async |namespace| {
            let loads: usize = std::env::var("LOADS").ok().map_or(Ok(500), |text| text.parse())?;
            let operator = Operator::start(namespace).await?;
            let begin = Instant::now();
            let tables: Vec<String> =
                (0..25).map(|number| Manifest::table(&format!("visits-{number}")).yaml()).collect();
            apply(namespace, &tables).await?;
            let documents: Vec<String> = (0..loads)
                .map(|number| load(&format!("load-{number}"), &format!("visits-{}", number % 25), &json!({})))
                .collect();
            apply(namespace, &documents).await?;
            println!("{loads} loads are applied after {:?}", begin.elapsed());
            let states = until_all_ended(namespace, loads, Duration::from_secs(300)).await?;
            let memory = operator.resident_bytes()? / 1_000_000;
            println!("{loads} loads over 25 tables ended after {:?}; operator {memory} MB", begin.elapsed());
            ensure!(states.get("FINISHED") == Some(&loads), "{states:?}");
            ensure!(memory <= 80, "the operator holds {memory} MB");
            // What is over leaves no Job behind.
            let jobs: Api<Job> = namespace.api();
            until("the Jobs to be gone", Duration::from_secs(60), async || {
                let left =
                    jobs.list(&ListParams::default().labels("longshore.dev/role=load")).await?.items.len();
                Ok(Look::when(left == 0, (), left))
            })
            .await
        }))
    }
}
