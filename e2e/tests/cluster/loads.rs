//! Loads on real pods: the user guide's example and the acceptance behaviours of identity and atomicity.

use std::time::Duration;

use anyhow::{Result, ensure};
use kube::Api;
use kube::api::DeleteParams;
use longshore_crds::{LoadJob, LoadState, Table, conditions};
use longshore_e2e::wait::{Look, until};
use longshore_e2e::{Manifest, run, secret};
use longshore_s3server::{Fault, FaultKind, Operation};
use serde_json::json;

use crate::bed::{Bed, LIMIT, TABLE, reason_of, with_operator, with_table};

/// Reads are so slow that the load does not end by itself.
pub fn slow() -> Fault {
    Fault::new(FaultKind::Slow { bytes_per_second: 2_000 }).on(Operation::GetObject)
}

/// Each read begins three seconds late: a load that lasts some seconds.
pub fn delayed() -> Fault {
    Fault::new(FaultKind::Delay { milliseconds: 3_000 }).on(Operation::GetObject)
}

#[test]
#[ignore = "needs a cluster: make e2e"]
fn the_guides_example_loads_from_one_apply_in_any_order() -> Result<()> {
    run(with_operator("guide", 100_000, 3, async |bed| {
        // As a folder's files come: the load before its table, both before the Secret.
        let folder = tempfile::tempdir()?;
        std::fs::write(folder.path().join("1-load.yaml"), bed.load("user-behavior").yaml())?;
        std::fs::write(folder.path().join("2-table.yaml"), Manifest::table(TABLE).yaml())?;
        let keys = secret("aws", longshore_e2e::ACCESS_KEY, longshore_e2e::SECRET_KEY);
        std::fs::write(folder.path().join("3-secret.yaml"), keys)?;
        bed.namespace.kubectl(&["apply", "-f", &folder.path().to_string_lossy()]).await?;
        for condition in ["Complete", "Finished"] {
            let wait =
                ["wait", &format!("--for=condition={condition}"), "loadjob/user-behavior", "--timeout=90s"];
            bed.namespace.kubectl(&wait).await?;
        }
        let status = bed.loaded("user-behavior", 1).await?;
        ensure!(reason_of(&status, conditions::COMPLETE) == "Loaded", "{:?}", status.conditions);
        ensure!(status.scan_rows == Some(100_000) && status.filtered_rows == Some(0), "{status:?}");
        ensure!(status.file_number == Some(3), "{:?}", status.file_number);
        ensure!(bed.table_rows().await?.timestamps == 100_000, "every text became a DATETIME");

        let printed = bed.namespace.kubectl(&["get", "loadjobs"]).await?;
        let header = "NAME STATE PROGRESS SCAN ROWS FILTERED UNSELECTED SINK ROWS AGE";
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        ensure!(printed.lines().next().map(words) == Some(words(header)), "{printed}");
        let row = words(printed.lines().nth(1).unwrap_or_default());
        ensure!(
            row[..2] == ["user-behavior", "FINISHED"] && row[3..7] == ["100000", "0", "0", "100000"],
            "{printed}"
        );

        let events = bed.event_reasons("user-behavior").await?;
        ensure!((1..=5).contains(&events.len()), "the story in at most five lines: {events:?}");
        ensure!(events.last().is_some_and(|reason| reason == "Loaded"), "{events:?}");
        Ok(())
    }))
}

#[test]
#[ignore = "needs a cluster: make e2e"]
fn a01_a_label_that_is_loaded_is_not_loaded_again() -> Result<()> {
    run(with_table("a01", 20_000, 2, async |bed| {
        bed.namespace.apply(&bed.load("first").with("label", json!("january")).yaml()).await?;
        let first = bed.loaded("first", 1).await?;
        // As Argo CD re-creates what was deleted.
        bed.jobs().delete("first", &DeleteParams::foreground()).await?;
        let jobs = bed.jobs();
        until("the LoadJob to be gone", LIMIT, async || {
            Ok(Look::when(jobs.get_opt("first").await?.is_none(), (), "there"))
        })
        .await?;
        let requests = bed.store.server()?.counters().all_requests();
        bed.namespace.apply(&bed.load("again").with("label", json!("january")).yaml()).await?;
        let again = bed.loaded("again", 1).await?;
        ensure!(again.table_version == first.table_version, "{again:?}");
        ensure!(bed.store.server()?.counters().all_requests() == requests, "the store was asked");
        Ok(())
    }))
}

#[test]
#[ignore = "needs a cluster: make e2e"]
fn a02_a_cancelled_load_can_be_started_again() -> Result<()> {
    run(with_table("a02", 20_000, 2, async |bed| {
        let nothing = json!([{"paths": ["s3://shop/nowhere/*.parquet"], "s3": {
            "region": "us-east-1", "endpoint": bed.store.endpoint(), "forcePathStyle": true,
            "credentials": {"secretRef": {"name": "aws"}}}}]);
        bed.namespace.apply(&bed.load("typo").with("sources", nothing).yaml()).await?;
        let failed = bed.ended("typo").await?;
        ensure!(failed.state == Some(LoadState::Cancelled), "{failed:?}");
        let message = failed.error.map(|error| error.message).unwrap_or_default();
        ensure!(message.contains("nowhere/*.parquet"), "the message names the pattern: {message}");
        // The typo is mended by another apply; nothing else is needed.
        bed.namespace.apply(&bed.load("typo").yaml()).await?;
        bed.until_state("typo", LoadState::Finished).await?;
        let status = bed.loaded("typo", 1).await?;
        ensure!(status.run == Some(2), "{:?}", status.run);
        Ok(())
    }))
}

#[test]
#[ignore = "needs a cluster: make e2e"]
fn a03_two_loads_of_one_label_are_never_concurrent() -> Result<()> {
    run(with_table("a03", 20_000, 2, async |bed| {
        let fault = bed.store.server()?.faults().add(delayed());
        bed.namespace.apply(&bed.load("older").with("label", json!("same")).yaml()).await?;
        bed.until_state("older", LoadState::Loading).await?;
        bed.namespace.apply(&bed.load("younger").with("label", json!("same")).yaml()).await?;
        let stalled = |status: &longshore_crds::LoadJobStatus| {
            reason_of(status, conditions::STALLED) == "LabelInUse"
                && conditions::is_true(&status.conditions, conditions::STALLED)
        };
        bed.until_status("younger", "Stalled, LabelInUse", stalled).await?;
        bed.store.server()?.faults().remove(fault);
        bed.loaded("older", 1).await?;
        bed.has_rows(1).await
    }))
}

#[test]
#[ignore = "needs a cluster: make e2e"]
fn a04_a_label_is_known_after_many_other_loads() -> Result<()> {
    run(with_table("a04", 1_000, 1, async |bed| {
        bed.namespace.apply(&bed.load("first").yaml()).await?;
        bed.loaded("first", 1).await?;
        let others: Vec<String> = (0..8).map(|number| bed.load(&format!("other-{number}")).yaml()).collect();
        bed.namespace.apply(&others.join("\n---\n")).await?;
        for number in 0..8 {
            bed.ended(&format!("other-{number}")).await?;
        }
        bed.namespace.kubectl(&["delete", "loadjobs", "--all"]).await?;
        bed.namespace.apply(&bed.load("first").yaml()).await?;
        // Nine loads are in: the first one once.
        bed.loaded("first", 9).await.map(|_| ())
    }))
}

#[test]
#[ignore = "needs a cluster: make e2e"]
fn a05_a_missing_file_in_the_second_source_keeps_out_the_first() -> Result<()> {
    run(with_table("a05", 20_000, 2, async |bed| {
        let s3 = json!({"region": "us-east-1", "endpoint": bed.store.endpoint(), "forcePathStyle": true,
                        "credentials": {"secretRef": {"name": "aws"}}});
        let sources = json!([{"paths": ["s3://shop/visits/*.parquet"], "s3": s3},
                             {"paths": ["s3://shop/missing.parquet"], "s3": s3}]);
        bed.namespace.apply(&bed.load("both").with("sources", sources).yaml()).await?;
        let status = bed.ended("both").await?;
        ensure!(status.state == Some(LoadState::Cancelled), "{status:?}");
        let message = status.error.map(|error| error.message).unwrap_or_default();
        ensure!(message.contains("missing.parquet"), "{message}");
        bed.has_rows(0).await
    }))
}

#[test]
#[ignore = "needs a cluster: make e2e"]
fn a07_an_operator_that_is_killed_after_the_commit_tells_it_when_it_is_back() -> Result<()> {
    run(with_table("a07", 20_000, 2, async |bed| {
        let fault = bed.store.server()?.faults().add(delayed());
        bed.namespace.apply(&bed.load("load").yaml()).await?;
        bed.running_pod("load").await?;
        bed.operator.kill()?;
        bed.store.server()?.faults().remove(fault);
        let jobs: Api<k8s_openapi::api::batch::v1::Job> = bed.namespace.api();
        until("the worker's Job to be complete", LIMIT, async || {
            let selector = kube::api::ListParams::default().labels("longshore.dev/role=load");
            let status = jobs.list(&selector).await?.items.pop().and_then(|job| job.status);
            let done = status.as_ref().and_then(|status| status.succeeded) == Some(1);
            Ok(Look::when(done, (), status))
        })
        .await?;
        let before = bed.jobs().get("load").await?.status.and_then(|status| status.state);
        let untold = matches!(before, Some(LoadState::Pending | LoadState::Loading));
        ensure!(untold, "nobody was there to tell: {before:?}");
        bed.has_rows(1).await?;
        bed.operator.restart().await?;
        let status = bed.loaded("load", 1).await?;
        ensure!(status.run == Some(1), "{:?}", status.run);
        Ok(())
    }))
}

#[test]
#[ignore = "needs a cluster: make e2e"]
fn a08_cancel_while_pending_and_while_loading_leaves_no_row() -> Result<()> {
    run(with_table("a08", 20_000, 2, async |bed| {
        // PENDING: there is no such table yet.
        let pending = Manifest::load("pending", "not-there", &bed.store, "shop/visits/*.parquet");
        bed.namespace.apply(&pending.yaml()).await?;
        bed.until_state("pending", LoadState::Pending).await?;
        bed.edit("pending", json!({"cancel": true})).await?;
        bed.cancelled("pending", "UserCancelled").await?;
        // LOADING.
        let fault = bed.store.server()?.faults().add(slow());
        bed.namespace.apply(&bed.load("loading").yaml()).await?;
        bed.running_pod("load").await?;
        bed.edit("loading", json!({"cancel": true})).await?;
        bed.cancelled("loading", "UserCancelled").await?;
        bed.has_rows(0).await?;
        bed.store.server()?.faults().remove(fault);
        // FINISHED: refused, and the rows stay.
        bed.namespace.apply(&bed.load("finished").yaml()).await?;
        bed.loaded("finished", 1).await?;
        let jobs = bed.jobs();
        let generation = jobs.get("finished").await?.metadata.generation;
        bed.edit("finished", json!({"cancel": true})).await?;
        let observed = |status: &longshore_crds::LoadJobStatus| status.observed_generation > generation;
        let status = bed.until_status("finished", "the edit to be seen", observed).await?;
        ensure!(status.state == Some(LoadState::Finished), "{:?}", status.state);
        bed.has_rows(1).await
    }))
}

#[test]
#[ignore = "needs a cluster: make e2e"]
fn a09_a_load_that_takes_too_long_fails_with_timeout() -> Result<()> {
    run(with_table("a09", 20_000, 2, async |bed| {
        let fault = bed.store.server()?.faults().add(slow());
        bed.namespace.apply(&bed.load("late").with("timeoutSeconds", json!(1)).yaml()).await?;
        bed.cancelled("late", "Timeout").await?;
        bed.has_rows(0).await?;
        bed.store.server()?.faults().remove(fault);
        bed.namespace.apply(&bed.load("in-time").yaml()).await?;
        bed.loaded("in-time", 1).await.map(|_| ())
    }))
}

#[test]
#[ignore = "needs a cluster: make e2e"]
fn a60_wrong_credentials_are_told_and_no_secret_is_printed() -> Result<()> {
    run(with_table("a60", 1_000, 1, async |bed| {
        let wrong = "wrong-key-do-not-print";
        bed.namespace.apply(&secret("aws", longshore_e2e::ACCESS_KEY, wrong)).await?;
        bed.namespace.apply(&bed.load("load").yaml()).await?;
        let status = bed.ended("load").await?;
        ensure!(status.state == Some(LoadState::Cancelled), "{status:?}");
        let message = status.error.map(|error| error.message).unwrap_or_default();
        ensure!(message.contains("shop"), "names the bucket: {message}");
        ensure!(message.contains("SignatureDoesNotMatch"), "names the store's code: {message}");
        let mut printed = bed.operator.log()?;
        for arguments in [
            &["get", "tables,loadjobs,jobs,pods,configmaps,events", "-o", "yaml"][..],
            &["logs", "-l", "app.kubernetes.io/name=longshore-worker", "--tail=-1", "--ignore-errors"][..],
        ] {
            let output = bed.namespace.kubectl_output(arguments, "").await?;
            printed.push_str(&output.stdout);
        }
        ensure!(!printed.contains(wrong), "the secret is printed");
        Ok(())
    }))
}

#[test]
#[ignore = "needs a cluster: make e2e"]
fn status_tells_the_generation_and_is_not_written_without_news() -> Result<()> {
    run(with_table("quiet", 20_000, 2, async |bed| {
        bed.namespace.apply(&bed.load("load").yaml()).await?;
        let status = bed.loaded("load", 1).await?;
        let jobs = bed.jobs();
        let ended = jobs.get("load").await?;
        ensure!(status.observed_generation == ended.metadata.generation, "{status:?}");
        for condition in &status.conditions {
            ensure!(condition.observed_generation == ended.metadata.generation, "{condition:?}");
        }
        let tables: Api<Table> = bed.namespace.api();
        let table = until("the Table to show the load", LIMIT, async || {
            let table = tables.get(TABLE).await?;
            let rows = table.status.as_ref().and_then(|status| status.rows);
            Ok(Look::when(rows == Some(20_000), table, rows))
        })
        .await?;
        // Two rounds of every resync of this length would show a write.
        tokio::time::sleep(Duration::from_secs(12)).await;
        let later: LoadJob = jobs.get("load").await?;
        ensure!(later.metadata.resource_version == ended.metadata.resource_version, "{later:?}");
        let later = tables.get(TABLE).await?;
        ensure!(later.metadata.resource_version == table.metadata.resource_version, "{later:?}");
        Ok(())
    }))
}

/// Versions of a LoadJob's object over a load that is slowed down for some time: at most 12, and one in five seconds.
async fn writes_seldom(bed: &mut Bed, time: Duration) -> Result<()> {
    let fault = bed.store.server()?.faults().add(delayed());
    let begin = std::time::Instant::now();
    let selector = kube::runtime::watcher::Config::default().fields("metadata.name=load");
    let changes = kube::runtime::watcher(bed.jobs(), selector);
    let counted = tokio::spawn(async move {
        use futures::StreamExt;
        use kube::runtime::WatchStreamExt;
        let mut versions = std::collections::BTreeSet::new();
        let mut changes = std::pin::pin!(changes.applied_objects());
        while let Some(Ok(job)) = changes.next().await {
            versions.insert(job.metadata.resource_version.clone());
            let status = job.status.unwrap_or_default();
            if conditions::is_true(&status.conditions, conditions::FINISHED) {
                break;
            }
        }
        versions.len()
    });
    bed.namespace.apply(&bed.load("load").yaml()).await?;
    tokio::time::sleep(time).await;
    let state = bed.jobs().get("load").await?.status.and_then(|status| status.state);
    ensure!(state == Some(LoadState::Loading), "it was to be at work for {time:?}, and is {state:?}");
    bed.store.server()?.faults().remove(fault);
    bed.loaded("load", 1).await?;
    let versions = counted.await?;
    let limit = 12 + usize::try_from(begin.elapsed().as_secs() / 5)?;
    println!("{versions} versions of the object in {:?}, at most {limit} are allowed", begin.elapsed());
    ensure!(versions <= limit, "{versions} writes, at most {limit} are allowed");
    Ok(())
}

#[test]
#[ignore = "needs a cluster: make e2e"]
fn a_running_load_writes_its_status_seldom() -> Result<()> {
    run(with_table("writes", 20_000, 120, async |bed| writes_seldom(bed, Duration::from_secs(15)).await))
}

mod long {
    use super::*;

    #[test]
    #[ignore = "needs a cluster: make e2e"]
    fn a_load_of_ten_minutes_writes_its_status_seldom() -> Result<()> {
        run(with_table("writes-long", 60_000, 800, async |bed| {
            writes_seldom(bed, Duration::from_mins(10)).await
        }))
    }
}
