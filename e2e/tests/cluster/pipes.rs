//! Pipes on real pods: each file once, whatever is edited, deleted or killed meanwhile.

mod ledger;

use std::time::Duration;

use anyhow::{Result, ensure};
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::Api;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use longshore_crds::{Pipe, PipeState, PipeStatus, conditions};
use longshore_e2e::wait::{Look, until};
use longshore_e2e::{Manifest, run};
use longshore_s3server::{Fault, FaultKind, Operation};
use serde_json::{Value, json};

use crate::bed::{Bed, LIMIT, TABLE, processes_of, signal, with_operator, with_table};

/// Name of the pipe of most tests.
const PIPE: &str = "arrivals";
const PATH: &str = "shop/visits/*.parquet";

impl Bed {
    fn pipe(&self, name: &str) -> Manifest {
        Manifest::pipe(name, TABLE, &self.store, PATH)
    }

    fn pipes(&self) -> Api<Pipe> {
        self.namespace.api()
    }

    async fn edit_pipe(&self, name: &str, spec: Value) -> Result<()> {
        let patch = Patch::Merge(json!({"spec": spec}));
        self.pipes().patch(name, &PatchParams::default(), &patch).await?;
        Ok(())
    }

    /// Waits until a pipe's status is as asked for.
    async fn until_pipe(
        &self,
        name: &str,
        what: &str,
        limit: Duration,
        mut holds: impl FnMut(&PipeStatus) -> bool,
    ) -> Result<PipeStatus> {
        let pipes = self.pipes();
        until(&format!("Pipe {name}: {what}"), limit, async || {
            let status = pipes.get(name).await?.status.unwrap_or_default();
            Ok(Look::when(holds(&status), status.clone(), &status))
        })
        .await
    }

    async fn until_loaded(&self, name: &str, files: u64) -> Result<PipeStatus> {
        let loaded = |status: &PipeStatus| status.loaded_files >= Some(files);
        let status = self.until_pipe(name, &format!("{files} files loaded"), LIMIT, loaded).await?;
        ensure!(status.loaded_files == Some(files), "{files} files are there, loaded are {status:?}");
        Ok(status)
    }

    async fn until_pipe_state(&self, name: &str, state: PipeState) -> Result<PipeStatus> {
        self.until_pipe(name, state.name(), LIMIT, |status| status.state == Some(state)).await
    }

    async fn pipe_pods(&self, name: &str) -> Result<Vec<Pod>> {
        let selector = ListParams::default().labels(&format!("longshore.dev/pipe={name}"));
        Ok(self.namespace.api::<Pod>().list(&selector).await?.items)
    }

    /// The files of the data set once more, under other names.
    fn put_again(&self, prefix: &str) -> Result<()> {
        for file in &self.rows.expected.files {
            let path = self.rows.folder.join(&file.name);
            self.store.server()?.put_file("shop", &format!("visits/{prefix}-{}", file.name), &path)?;
        }
        Ok(())
    }
}

/// Reason of a condition that is True.
fn reason_of<'a>(status: &'a PipeStatus, type_: &str) -> &'a str {
    let found = status.conditions.iter().find(|it| it.type_ == type_ && it.status == "True");
    found.map(|it| it.reason.as_str()).unwrap_or_default()
}

#[test]
#[ignore = "needs a cluster: make e2e"]
fn a51_a_pipe_loads_what_is_there_and_what_appears_and_goes_on_after_suspend_and_edits() -> Result<()> {
    run(with_table("pipe", 20_000, 10, async |bed| {
        bed.namespace.apply(&bed.pipe(PIPE).yaml()).await?;
        let status = bed.until_loaded(PIPE, 10).await?;
        ensure!(status.state == Some(PipeState::Running), "{status:?}");
        let good = [conditions::READY, conditions::SOURCE_REACHABLE];
        ensure!(good.iter().all(|type_| conditions::is_true(&status.conditions, type_)), "{status:?}");
        bed.has_rows(1).await?;
        bed.put_again("later")?;
        bed.until_loaded(PIPE, 20).await?;

        bed.edit_pipe(PIPE, json!({"suspend": true})).await?;
        bed.until_pipe_state(PIPE, PipeState::Suspended).await?;
        let phases = bed.pipe_pods(PIPE).await?.into_iter().map(|pod| pod.status.and_then(|it| it.phase));
        let phases: Vec<String> = phases.map(Option::unwrap_or_default).collect();
        let over = ["Succeeded", "Failed"];
        ensure!(phases.iter().all(|it| over.contains(&it.as_str())), "pods of a suspended pipe: {phases:?}");
        bed.put_again("latest")?;
        bed.edit_pipe(PIPE, json!({"batchFiles": 3})).await?;
        bed.edit_pipe(PIPE, json!({"suspend": false})).await?;
        let status = bed.until_loaded(PIPE, 30).await?;
        ensure!(!conditions::is_true(&status.conditions, conditions::SUSPENDED), "{status:?}");
        bed.has_rows(3).await?;

        // One request is in use, and one is left.
        let requests: Api<ConfigMap> = bed.namespace.api();
        let selector = ListParams::default().labels(&format!("longshore.dev/pipe={PIPE}"));
        until("the old request to go", LIMIT, async || {
            let left = requests.list(&selector).await?.items.len();
            Ok(Look::when(left == 1, (), left))
        })
        .await?;
        let told = bed.event_reasons(PIPE).await?;
        for reason in ["Starting", "Ingesting", "Suspended"] {
            ensure!(told.iter().any(|told| told == reason), "{reason} is not told: {told:?}");
        }

        // Enough: it lists once more, as a Job, and ends.
        bed.edit_pipe(PIPE, json!({"autoIngest": false})).await?;
        let status = bed.until_pipe_state(PIPE, PipeState::Finished).await?;
        ensure!(status.loaded_files == Some(30), "{status:?}");
        let left = bed.namespace.kubectl(&["get", "deployments", "-o", "name"]).await?;
        ensure!(left.trim().is_empty(), "{left} is left");
        bed.has_rows(3).await
    }))
}

#[test]
#[ignore = "needs a cluster: make e2e"]
fn a53_a_pipe_that_is_deleted_and_made_again_loads_nothing_twice() -> Result<()> {
    run(with_table("pipe-again", 20_000, 10, async |bed| {
        bed.namespace.apply(&bed.pipe(PIPE).yaml()).await?;
        bed.until_loaded(PIPE, 10).await?;
        bed.namespace.kubectl(&["delete", "pipe", PIPE, "--wait=true", "--timeout=60s"]).await?;
        until("its pods and requests to go", LIMIT, async || {
            let selector = ListParams::default().labels(&format!("longshore.dev/pipe={PIPE}"));
            let requests = bed.namespace.api::<ConfigMap>().list(&selector).await?.items.len();
            let pods = bed.pipe_pods(PIPE).await?.len();
            Ok(Look::when(requests + pods == 0, (), (requests, pods)))
        })
        .await?;
        // The same ledger under another name: what is known stays with the table.
        let again = bed.pipe("renamed").with("ledger", json!(PIPE));
        bed.namespace.apply(&again.yaml()).await?;
        let listed = |status: &PipeStatus| status.last_full_list_time.is_some();
        let status = bed.until_pipe("renamed", "a listing", LIMIT, listed).await?;
        ensure!(status.loaded_files == Some(10), "{status:?}");
        bed.has_rows(1).await?;
        // As a new object of the old name, beside it: the younger gives way.
        bed.namespace.apply(&bed.pipe(PIPE).yaml()).await?;
        let stalled = |status: &PipeStatus| reason_of(status, conditions::STALLED) == "LedgerInUse";
        bed.until_pipe(PIPE, "Stalled, LedgerInUse", LIMIT, stalled).await?;
        bed.has_rows(1).await
    }))
}

#[test]
#[ignore = "needs a cluster: make e2e"]
fn a_pipe_that_lists_once_ends_and_tells_the_bad_file() -> Result<()> {
    run(with_table("pipe-once", 20_000, 10, async |bed| {
        bed.store.server()?.put("shop", "visits/zz-bad.parquet", b"this is no Parquet file")?;
        let once = bed.pipe(PIPE).with("autoIngest", json!(false));
        let retry = json!({"maxAttempts": 2, "backoffSeconds": 1});
        bed.namespace.apply(&once.clone().with("retry", retry).yaml()).await?;
        let status = bed.until_pipe_state(PIPE, PipeState::Error).await?;
        ensure!((status.loaded_files, status.error_files) == (Some(10), Some(1)), "{status:?}");
        ensure!(status.failed_files.len() == 1, "{:?}", status.failed_files);
        let failed = &status.failed_files[0];
        ensure!(failed.file == "s3://shop/visits/zz-bad.parquet", "{failed:?}");
        ensure!(reason_of(&status, conditions::STALLED) == "FilesInError", "{status:?}");
        bed.has_rows(1).await?;
        bed.namespace.kubectl(&["delete", "pipe", PIPE, "--wait=true", "--timeout=60s"]).await?;

        // Good files alone: it is finished, and does not start again.
        bed.store.fill("shop", "good", &bed.rows)?;
        let good = Manifest::pipe("good", TABLE, &bed.store, "shop/good/*.parquet");
        bed.namespace.apply(&good.with("autoIngest", json!(false)).yaml()).await?;
        let status = bed.until_pipe_state("good", PipeState::Finished).await?;
        ensure!(conditions::is_true(&status.conditions, conditions::READY), "{status:?}");
        until("its pod to go", LIMIT, async || {
            let pods = bed.pipe_pods("good").await?.len();
            Ok(Look::when(pods == 0, (), pods))
        })
        .await?;
        bed.operator.kill()?;
        bed.operator.restart().await?;
        bed.edit_pipe("good", json!({"worker": {"labels": {"team": "shop"}}})).await?;
        let generation = bed.pipes().get("good").await?.metadata.generation;
        let seen = |status: &PipeStatus| status.observed_generation == generation;
        let status = bed.until_pipe("good", "the edit to be seen", LIMIT, seen).await?;
        ensure!(status.state == Some(PipeState::Finished), "{status:?}");
        bed.has_rows(2).await?;

        // It holds nothing: a younger one goes on with its ledger, and the older one waits when it is asked again.
        let next = Manifest::pipe("next", TABLE, &bed.store, "shop/good/*").with("ledger", json!("good"));
        bed.namespace.apply(&next.yaml()).await?;
        let listed = |status: &PipeStatus| status.last_full_list_time.is_some();
        let status = bed.until_pipe("next", "a listing", LIMIT, listed).await?;
        ensure!(status.loaded_files == Some(10), "{status:?}");
        bed.namespace.kubectl(&["annotate", "pipe", "good", "longshore.dev/run-again=1"]).await?;
        let waits = |status: &PipeStatus| reason_of(status, conditions::STALLED) == "LedgerInUse";
        bed.until_pipe("good", "Stalled, LedgerInUse", LIMIT, waits).await?;
        ensure!(bed.pipe_pods("good").await?.is_empty(), "it waits, and has pods");
        let status = bed.pipes().get("next").await?.status.unwrap_or_default();
        ensure!(conditions::is_true(&status.conditions, conditions::READY), "{status:?}");
        bed.namespace.kubectl(&["delete", "pipe", "next", "--wait=true", "--timeout=60s"]).await?;
        let again = |status: &PipeStatus| {
            status.state == Some(PipeState::Finished) && status.run_again.as_deref() == Some("1")
        };
        bed.until_pipe("good", "its second end", LIMIT, again).await?;
        bed.has_rows(2).await
    }))
}

#[test]
#[ignore = "needs a cluster: make e2e"]
fn of_two_pipes_with_overlapping_paths_the_younger_waits_and_a_missing_secret_is_told() -> Result<()> {
    run(with_operator("pipe-two", 20_000, 10, async |bed| {
        // Any order: nothing of what the pipe names is there.
        bed.namespace.apply(&bed.pipe("a-older").yaml()).await?;
        let waits = |reason: &'static str| {
            move |status: &PipeStatus| {
                status.state == Some(PipeState::Running)
                    && reason_of(status, conditions::RECONCILING) == reason
                    && !conditions::is_true(&status.conditions, conditions::STALLED)
            }
        };
        bed.until_pipe("a-older", "TableNotFound", LIMIT, waits("TableNotFound")).await?;
        let younger = Manifest::pipe("b-younger", TABLE, &bed.store, "shop/visits/*");
        bed.namespace.apply(&younger.yaml()).await?;
        let stalled = |status: &PipeStatus| {
            let told = status.conditions.iter().find(|it| it.type_ == conditions::STALLED);
            reason_of(status, conditions::STALLED) == "SourceOverlaps"
                && told.is_some_and(|told| told.message.contains("a-older"))
        };
        bed.until_pipe("b-younger", "Stalled, SourceOverlaps", LIMIT, stalled).await?;
        bed.namespace.apply(&Manifest::table(TABLE).yaml()).await?;
        bed.until_pipe("a-older", "SecretMissing", LIMIT, waits("SecretMissing")).await?;
        ensure!(bed.pipe_pods("b-younger").await?.is_empty(), "the younger has no pods");
        bed.pipes().delete("a-older", &DeleteParams::background()).await?;
        bed.until_pipe("b-younger", "SecretMissing", LIMIT, waits("SecretMissing")).await?;
        bed.store.secret(&bed.namespace).await?;
        bed.until_loaded("b-younger", 10).await?;
        bed.has_rows(1).await
    }))
}

mod alone {
    use super::*;
    use crate::loads::delayed;
    use kube::ResourceExt;
    use longshore_crds::Table;
    use longshore_e2e::{Cluster, Part, SecondNode};

    /// Files of the pipe that is killed.
    const FILES: u64 = 2_000;

    /// What is stopped by hand has a second to stop instead of two minutes; the rest is as it happens: nobody answers
    /// for the pod, and its worker goes on.
    #[test]
    #[ignore = "needs a cluster: make e2e"]
    fn a_pipe_whose_node_is_lost_goes_on_beside_its_old_worker() -> Result<()> {
        run(with_table("pipe-node-lost", 20_000, 10, async |bed| {
            let node = SecondNode::start().await?;
            let pipe = bed.pipe(PIPE).with("worker", SecondNode::preferred());
            bed.namespace.apply(&pipe.yaml()).await?;
            bed.until_loaded(PIPE, 10).await?;
            let old = bed.running_pod("pipe").await?;
            let found = old.spec.as_ref().and_then(|spec| spec.node_name.as_deref());
            ensure!(found == Some(SecondNode::NAME), "the pod is on {found:?}");
            node.lose().await?;
            let stop = DeleteParams::default().grace_period(1);
            bed.namespace.api::<Pod>().delete(&old.name_any(), &stop).await?;
            // Seen by the old worker alone, for now.
            bed.put_again("later")?;
            let told = |status: &PipeStatus| {
                let told = status.conditions.iter().find(|it| it.type_ == conditions::RECONCILING);
                let names =
                    |message: &str| message.contains(SecondNode::NAME) && message.contains("out-of-service");
                told.is_some_and(|it| it.status == "True" && it.reason == "NodeLost" && names(&it.message))
            };
            let limit = Duration::from_secs(180);
            let status = bed.until_pipe(PIPE, "NodeLost in the status", limit, told).await?;
            ensure!(!conditions::is_true(&status.conditions, conditions::STALLED), "{status:?}");
            ensure!(
                !processes_of(&old, "longshore-worker")?.is_empty(),
                "the old worker has ended by itself"
            );
            // Seen by both: a batch of either lasts some seconds.
            let fault = bed.store.server()?.faults().add(delayed());
            bed.put_again("latest")?;
            let ready = |status: &PipeStatus| {
                conditions::is_true(&status.conditions, conditions::READY) && status.loaded_files >= Some(20)
            };
            bed.until_pipe(PIPE, "another worker", limit, ready).await?;
            bed.store.server()?.faults().remove(fault);
            bed.until_loaded(PIPE, 30).await?;
            let epochs = bed.namespace.api::<Table>().get(TABLE).await?.status.and_then(|it| it.volume_epoch);
            ensure!(epochs == Some(1), "the volume's epoch is {epochs:?}");
            // Shut out, it ends by itself; nobody starts it again.
            until("the end of the old worker", LIMIT, async || {
                let left = processes_of(&old, "longshore-worker")?;
                Ok(Look::when(left.is_empty(), (), left))
            })
            .await?;
            bed.has_rows(3).await?;
            node.remove().await?;
            bed.put_again("last")?;
            bed.until_loaded(PIPE, 40).await?;
            bed.has_rows(4).await
        }))
    }

    /// Waits for more files than these, but not for all of them.
    async fn more(bed: &Bed, than: u64) -> Result<u64> {
        let limit = Duration::from_secs(120);
        let more = |status: &PipeStatus| status.loaded_files > Some(than);
        let status = bed.until_pipe(PIPE, &format!("more than {than} files"), limit, more).await?;
        let loaded = status.loaded_files.unwrap_or(0);
        println!("{loaded} files are loaded");
        ensure!(loaded < FILES, "it is over before it is killed; the test proves nothing");
        Ok(loaded)
    }

    #[test]
    #[ignore = "needs a cluster: make e2e"]
    fn a_pipe_of_2000_files_outlives_its_worker_its_pod_the_operator_and_the_kubelet() -> Result<()> {
        run(with_table("pipe-killed", 20_000, 2_000, async |bed| {
            let delay = Fault::new(FaultKind::Delay { milliseconds: 200 }).on(Operation::GetObject);
            let fault = bed.store.server()?.faults().add(delay);
            bed.namespace.apply(&bed.pipe(PIPE).with("batchFiles", json!(64)).yaml()).await?;
            let loaded = more(bed, 0).await?;
            // The worker.
            let pod = bed.running_pod("pipe").await?;
            signal(&processes_of(&pod, "longshore-worker")?, "KILL")?;
            let loaded = more(bed, loaded + 64).await?;
            // Its pod, at once: a second worker may run beside the first.
            let pod = bed.running_pod("pipe").await?;
            let at_once = DeleteParams::default().grace_period(0);
            bed.namespace.api::<Pod>().delete(&pod.metadata.name.unwrap_or_default(), &at_once).await?;
            let loaded = more(bed, loaded + 64).await?;
            // The operator, while a field is edited.
            bed.operator.kill()?;
            bed.edit_pipe(PIPE, json!({"batchFiles": 100})).await?;
            bed.operator.restart().await?;
            more(bed, loaded + 100).await?;
            // The kubelet, and the worker with it.
            let kubelet = Part::new(Cluster::get().await?.environment.own_root()?, "kubelet-node-1");
            kubelet.kill().await?;
            let pod = bed.running_pod("pipe").await?;
            signal(&processes_of(&pod, "longshore-worker")?, "KILL")?;
            tokio::time::sleep(Duration::from_secs(2)).await;
            kubelet.start()?;
            bed.store.server()?.faults().remove(fault);
            let all = |status: &PipeStatus| status.loaded_files == Some(FILES);
            let limit = Duration::from_secs(180);
            let status = bed.until_pipe(PIPE, "all files loaded", limit, all).await?;
            ensure!(status.error_files == Some(0), "{status:?}");
            bed.has_rows(1).await
        }))
    }
}
