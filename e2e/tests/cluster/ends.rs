//! A load that is given up, or whose time is over, in each of its states: it ends as the table's log says.

use std::pin::pin;
use std::time::Duration;

use anyhow::{Result, ensure};
use futures::StreamExt;
use kube::api::{Api, ListParams, Patch, PatchParams};
use kube::runtime::{WatchStreamExt, watcher};
use longshore_crds::{LoadJob, LoadJobStatus, LoadState, conditions};
use longshore_e2e::wait::{Look, until};
use longshore_e2e::{Manifest, Namespace, Nodes, Operator, in_namespace, run};
use serde_json::{Value, json};

use crate::bed::{LIMIT, TABLE, reason_of, signal, with_operator, with_table};
use crate::loads::delayed;

/// A load on a fake node, which its pod answers as the annotations say.
fn fake(name: &str, annotations: &Value) -> Manifest {
    Manifest::load_on(name, TABLE, "http://10.244.0.1:1", "shop/visits/*.parquet")
        .with("worker", json!({"annotations": annotations}))
}

async fn until_status(
    namespace: &Namespace,
    name: &str,
    what: &str,
    holds: impl Fn(&LoadJobStatus) -> bool,
) -> Result<LoadJobStatus> {
    let jobs: Api<LoadJob> = namespace.api();
    until(&format!("LoadJob {name}: {what}"), LIMIT, async || {
        let status = jobs.get(name).await?.status.unwrap_or_default();
        Ok(Look::when(holds(&status), status.clone(), status))
    })
    .await
}

/// Waits for the end: its state, and the reason that is told.
async fn end(namespace: &Namespace, name: &str) -> Result<(LoadState, String)> {
    let ended = |status: &LoadJobStatus| conditions::is_true(&status.conditions, conditions::FINISHED);
    let status = until_status(namespace, name, "its end", ended).await?;
    let reason = reason_of(&status, conditions::FINISHED);
    Ok((status.state.unwrap_or(LoadState::Pending), reason))
}

async fn edit(namespace: &Namespace, name: &str, spec: Value) -> Result<()> {
    let jobs: Api<LoadJob> = namespace.api();
    jobs.patch(name, &PatchParams::default(), &Patch::Merge(json!({"spec": spec}))).await?;
    Ok(())
}

fn cancelled(reason: &str) -> (LoadState, String) {
    (LoadState::Cancelled, reason.to_owned())
}

fn loaded() -> (LoadState, String) {
    (LoadState::Finished, "Loaded".to_owned())
}

/// Begins loads until the operator is stopped (SIGSTOP) while one is COMMITTED; gives that one's name. The state lasts
/// for one visit of the operator, so this may take some loads.
async fn stopped_at_committed(
    namespace: &Namespace,
    operator: &Operator,
    prefix: &str,
    timeout: u32,
) -> Result<String> {
    let jobs: Api<LoadJob> = namespace.api();
    for number in 0..20 {
        let name = format!("{prefix}-{number}");
        let only = watcher::Config::default().fields(&format!("metadata.name={name}"));
        let mut changes = pin!(watcher(jobs.clone(), only).applied_objects());
        namespace.apply(&fake(&name, &json!({})).with("timeoutSeconds", json!(timeout)).yaml()).await?;
        while let Some(change) = changes.next().await {
            let state = change?.status.and_then(|status| status.state);
            if state == Some(LoadState::Committed) {
                signal(&[operator.process()], "STOP")?;
            }
            if matches!(state, Some(LoadState::Committed | LoadState::Finished | LoadState::Cancelled)) {
                break;
            }
        }
        // What was on its way when the operator was stopped has arrived by now, if this answer is newer.
        let state = jobs.get(&name).await?.status.and_then(|status| status.state);
        if state == Some(LoadState::Committed) {
            println!("stopped at COMMITTED in load {}", number + 1);
            return Ok(name);
        }
        signal(&[operator.process()], "CONT")?;
    }
    anyhow::bail!("no load was seen COMMITTED while its operator was stopped")
}

#[test]
#[ignore = "needs a cluster: make e2e"]
fn a_load_that_is_given_up_in_each_state_ends_as_the_log_says() -> Result<()> {
    run(in_namespace("given-up", Nodes::Fake, async |namespace| {
        let operator = Operator::start(namespace).await?;
        // PENDING: its table is not there.
        let is = |state| move |status: &LoadJobStatus| status.state == Some(state);
        namespace.apply(&fake("pending", &json!({})).yaml()).await?;
        until_status(namespace, "pending", "PENDING", is(LoadState::Pending)).await?;
        edit(namespace, "pending", json!({"cancel": true})).await?;
        ensure!(end(namespace, "pending").await? == cancelled("UserCancelled"));

        namespace.apply(&Manifest::table(TABLE).yaml()).await?;
        // LOADING, before its container has begun, and while it runs.
        for (name, annotations) in
            [("begins", json!({"e2e.test/start": "never"})), ("runs", json!({"e2e.test/delay": "never"}))]
        {
            namespace.apply(&fake(name, &annotations).yaml()).await?;
            let pods: Api<k8s_openapi::api::core::v1::Pod> = namespace.api();
            let of_load = ListParams::default().labels(&format!("longshore.dev/loadjob={name}"));
            let wanted = if name == "runs" { "Running" } else { "Pending" };
            until(&format!("the pod of {name}"), LIMIT, async || {
                let phase = pods.list(&of_load).await?.items.pop().and_then(|pod| pod.status?.phase);
                Ok(Look::when(phase.as_deref() == Some(wanted), (), phase))
            })
            .await?;
            until_status(namespace, name, "LOADING", is(LoadState::Loading)).await?;
            edit(namespace, name, json!({"cancel": true})).await?;
            ensure!(end(namespace, name).await? == cancelled("UserCancelled"), "{name}");
        }

        // COMMITTED: the rows are visible, so it is loaded.
        let name = stopped_at_committed(namespace, &operator, "committed", 14_400).await?;
        edit(namespace, &name, json!({"cancel": true})).await?;
        signal(&[operator.process()], "CONT")?;
        ensure!(end(namespace, &name).await? == loaded(), "{name}");
        Ok(())
    }))
}

#[test]
#[ignore = "needs a cluster: make e2e"]
fn a_load_whose_time_is_over_in_each_state_ends_as_the_log_says() -> Result<()> {
    run(in_namespace("timed-out", Nodes::Fake, async |namespace| {
        let operator = Operator::start(namespace).await?;
        // PENDING does not count: what is missing may come whenever it comes.
        let patient = fake("patient", &json!({})).with("timeoutSeconds", json!(8));
        namespace.apply(&patient.yaml()).await?;
        let other = Manifest::load_on("runs", "other", "http://10.244.0.1:1", "shop/visits/*.parquet")
            .with("worker", json!({"annotations": {"e2e.test/delay": "never"}}))
            .with("timeoutSeconds", json!(2));
        namespace.apply(&other.yaml()).await?;
        // LOADING.
        namespace.apply(&Manifest::table("other").yaml()).await?;
        ensure!(end(namespace, "runs").await? == cancelled("Timeout"));
        tokio::time::sleep(Duration::from_secs(9)).await;
        let patient = until_status(namespace, "patient", "PENDING", |status| {
            status.state == Some(LoadState::Pending) && status.active_seconds.unwrap_or(0) == 0
        });
        patient.await?;
        namespace.apply(&Manifest::table(TABLE).yaml()).await?;
        ensure!(end(namespace, "patient").await? == loaded());

        // COMMITTED: its time runs out while nobody looks.
        let name = stopped_at_committed(namespace, &operator, "committed", 8).await?;
        tokio::time::sleep(Duration::from_secs(10)).await;
        signal(&[operator.process()], "CONT")?;
        ensure!(end(namespace, &name).await? == loaded(), "{name}");
        Ok(())
    }))
}

#[test]
#[ignore = "needs a cluster: make e2e"]
fn a_load_that_waits_for_its_secret_can_be_given_up() -> Result<()> {
    run(with_operator("given-up-held", 1_000, 1, async |bed| {
        bed.namespace.apply(&Manifest::table(TABLE).yaml()).await?;
        bed.ready(TABLE).await?;
        bed.namespace.apply(&bed.load("load").yaml()).await?;
        let held = |status: &LoadJobStatus| {
            status.state == Some(LoadState::Pending)
                && reason_of(status, conditions::RECONCILING) == "SecretMissing"
        };
        bed.until_status("load", "PENDING, SecretMissing", held).await?;
        bed.edit("load", json!({"cancel": true})).await?;
        bed.cancelled("load", "UserCancelled").await?;
        bed.has_rows(0).await?;
        // And taken up again.
        bed.store.secret(&bed.namespace).await?;
        bed.edit("load", json!({"cancel": false})).await?;
        bed.until_state("load", LoadState::Finished).await?;
        bed.loaded("load", 1).await.map(|_| ())
    }))
}

#[test]
#[ignore = "needs a cluster: make e2e"]
fn a_load_that_is_given_up_after_its_commit_is_loaded() -> Result<()> {
    run(with_table("given-up-late", 20_000, 2, async |bed| {
        let log = bed.folder().await?.join("_delta_log");
        let fault = bed.store.server()?.faults().add(delayed());
        bed.namespace.apply(&bed.load("load").yaml()).await?;
        bed.running_pod("load").await?;
        bed.store.server()?.faults().remove(fault);
        // As soon as the commit stands, whatever the status says by then.
        let committed = async || {
            let mut files: Vec<_> =
                std::fs::read_dir(&log)?.filter_map(|entry| Some(entry.ok()?.path())).collect();
            files.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
            files.sort();
            let newest = files.last().map(std::fs::read_to_string).transpose()?.unwrap_or_default();
            Ok(Look::when(newest.contains("\"load/load\""), (), "no commit"))
        };
        until("the commit", LIMIT, committed).await?;
        bed.edit("load", json!({"cancel": true})).await?;
        bed.loaded("load", 1).await.map(|_| ())
    }))
}
