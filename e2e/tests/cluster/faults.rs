//! What goes wrong around a load: afterwards the table holds the rows once or not at all, and the status says which.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use kube::{Api, ResourceExt};
use longshore_crds::{LoadJobStatus, LoadState, conditions};
use longshore_e2e::wait::{Look, until};
use longshore_e2e::{Manifest, Operator, OperatorOptions, run};
use longshore_s3server::Operation;
use serde_json::json;

use crate::bed::{Bed, LIMIT, MOVED, TABLE, processes_of, reason_of, signal, with_operator, with_table};
use crate::loads::{delayed, slow};

/// Whether a load waits for what this reason names.
fn waits_for(reason: &'static str) -> impl FnMut(&LoadJobStatus) -> bool {
    move |status| {
        status.state == Some(LoadState::Pending)
            && conditions::is_true(&status.conditions, conditions::RECONCILING)
            && reason_of(status, conditions::RECONCILING) == reason
    }
}

/// The load job's Job.
async fn load_job(bed: &Bed) -> Result<Job> {
    let jobs: Api<Job> = bed.namespace.api();
    let selector = ListParams::default().labels("longshore.dev/role=load");
    jobs.list(&selector).await?.items.pop().context("no Job of the role load")
}

#[test]
#[ignore = "needs a cluster: make e2e"]
fn a_worker_pod_that_is_deleted_is_followed_by_another() -> Result<()> {
    run(with_table("pod-deleted", 20_000, 2, async |bed| {
        let fault = bed.store.server()?.faults().add(delayed());
        bed.namespace.apply(&bed.load("load").yaml()).await?;
        let pod = bed.running_pod("load").await?;
        let pods: Api<Pod> = bed.namespace.api();
        pods.delete(&pod.name_any(), &DeleteParams::default()).await?;
        bed.store.server()?.faults().remove(fault);
        bed.loaded("load", 1).await.map(|_| ())
    }))
}

#[test]
#[ignore = "needs a cluster: make e2e"]
fn a06_a_worker_that_is_killed_before_its_commit_loads_once() -> Result<()> {
    run(with_table("killed-before", 20_000, 2, async |bed| {
        let fault = bed.store.server()?.faults().add(slow());
        bed.namespace.apply(&bed.load("load").yaml()).await?;
        let pod = bed.running_pod("load").await?;
        let worker = until("the worker's process", LIMIT, async || {
            let found = processes_of(&pod, "longshore-worker")?;
            Ok(Look::when(!found.is_empty(), found, "none"))
        })
        .await?;
        // It has asked for rows, so it has claimed; nothing is committed.
        until("a request for rows", LIMIT, async || {
            let hits = bed.store.server()?.faults().hits(fault);
            Ok(Look::when(hits > 0, (), hits))
        })
        .await?;
        bed.store.server()?.faults().remove(fault);
        signal(&worker, "KILL")?;
        bed.loaded("load", 1).await.map(|_| ())
    }))
}

#[test]
#[ignore = "needs a cluster: make e2e"]
fn a06_a_worker_that_is_killed_after_its_commit_is_told_as_loaded() -> Result<()> {
    run(with_table("killed-after", 20_000, 2, async |bed| {
        let log = bed.folder().await?.join("_delta_log");
        let mut hits = 0;
        for number in 1..=6 {
            let name = format!("load-{number}");
            let fault = bed.store.server()?.faults().add(delayed());
            bed.namespace.apply(&bed.load(&name).yaml()).await?;
            let pod = bed.running_pod("load").await?;
            let worker = until("the worker's process", LIMIT, async || {
                let found = processes_of(&pod, "longshore-worker")?;
                Ok(Look::when(!found.is_empty(), found, "none"))
            })
            .await?;
            bed.store.server()?.faults().remove(fault);
            // The instant at which the commit stands: a thread that does nothing but look.
            let (log, label) = (log.clone(), format!("\"load/{name}\""));
            let killed = tokio::task::spawn_blocking(move || kill_at_commit(&log, &label, &worker)).await??;
            bed.loaded(&name, number).await?;
            hits += u32::from(killed);
            if hits == 2 {
                break;
            }
        }
        ensure!(hits > 0, "no worker was alive when its commit stood; the test proves nothing");
        Ok(())
    }))
}

/// Kills the processes as soon as a commit of this label is in the log; whether they still lived.
fn kill_at_commit(log: &std::path::Path, label: &str, processes: &[u32]) -> Result<bool> {
    let begin = std::time::Instant::now();
    while begin.elapsed() < LIMIT {
        let mut versions: Vec<_> =
            std::fs::read_dir(log)?.filter_map(|entry| Some(entry.ok()?.path())).collect();
        versions.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
        versions.sort();
        let newest = versions.last().map(std::fs::read_to_string).transpose()?.unwrap_or_default();
        if newest.contains(label) {
            return Ok(signal(processes, "KILL").is_ok());
        }
    }
    anyhow::bail!("no commit of {label} in {LIMIT:?}")
}

#[test]
#[ignore = "needs a cluster: make e2e"]
fn of_two_operators_one_leads_and_the_other_takes_over() -> Result<()> {
    run(with_table("two-operators", 20_000, 2, async |bed| {
        let second = Operator::start_with(&bed.namespace, 2, OperatorOptions::default()).await?;
        let fault = bed.store.server()?.faults().add(delayed());
        bed.namespace.apply(&bed.load("load").yaml()).await?;
        bed.running_pod("load").await?;
        bed.operator.kill()?;
        bed.store.server()?.faults().remove(fault);
        let status = bed.loaded("load", 1).await?;
        ensure!(status.run == Some(1), "{:?}", status.run);
        ensure!(second.log()?.contains("lead"), "the second has told that it leads");
        Ok(())
    }))
}

#[test]
#[ignore = "needs a cluster: make e2e"]
fn a_missing_secret_is_waited_for_and_told() -> Result<()> {
    run(with_operator("no-secret", 20_000, 2, async |bed| {
        bed.namespace.apply(&Manifest::table(TABLE).yaml()).await?;
        bed.ready(TABLE).await?;
        bed.namespace.apply(&bed.load("load").yaml()).await?;
        bed.until_status("load", "PENDING, SecretMissing", waits_for("SecretMissing")).await?;
        bed.store.secret(&bed.namespace).await?;
        bed.loaded("load", 1).await.map(|_| ())
    }))
}

#[test]
#[ignore = "needs a cluster: make e2e"]
fn a_claim_that_cannot_bind_is_told_and_waited_for() -> Result<()> {
    run(with_operator("no-class", 20_000, 2, async |bed| {
        bed.store.secret(&bed.namespace).await?;
        let storage = json!({"size": "1Gi", "storageClassName": "e2e-nowhere"});
        bed.namespace.apply(&Manifest::table(TABLE).with("storage", storage).yaml()).await?;
        bed.namespace.apply(&bed.load("load").yaml()).await?;
        bed.until_state("load", LoadState::Pending).await?;
        let tables: Api<longshore_crds::Table> = bed.namespace.api();
        until("the Table to tell of the claim", LIMIT, async || {
            let status = tables.get(TABLE).await?.status.unwrap_or_default();
            let told = status.conditions.iter().any(|condition| {
                condition.type_ == conditions::READY
                    && condition.status == "False"
                    && condition.message.contains("PersistentVolumeClaim")
            });
            Ok(Look::when(told, (), status.conditions))
        })
        .await?;
        let status = bed.until_state("load", LoadState::Pending).await?;
        ensure!(!conditions::is_true(&status.conditions, conditions::STALLED), "{:?}", status.conditions);
        Ok(())
    }))
}

#[test]
#[ignore = "needs a cluster: make e2e"]
fn an_image_that_cannot_be_pulled_is_told() -> Result<()> {
    run(with_table("no-image", 1_000, 1, async |bed| {
        let image = "images.test/absent:e2e".to_owned();
        bed.operator.kill()?;
        let options =
            OperatorOptions { arguments: vec!["--image-pull-policy=Never".to_owned()], image: Some(image) };
        let _other = Operator::start_with(&bed.namespace, 2, options).await?;
        bed.namespace.apply(&bed.load("load").yaml()).await?;
        bed.until_status("load", "PENDING, ImagePullFailed", waits_for("ImagePullFailed")).await?;
        Ok(())
    }))
}

#[test]
#[ignore = "needs a cluster: make e2e"]
fn a_worker_without_enough_memory_is_told_what_to_raise() -> Result<()> {
    run(with_table("oom", 400_000, 1, async |bed| {
        let worker = json!({"resources": {"limits": {"memory": "12Mi"}, "requests": {"memory": "12Mi"}}});
        bed.namespace.apply(&bed.load("load").with("worker", worker).yaml()).await?;
        let status = bed.cancelled("load", "OutOfMemory").await?;
        let message = status.error.map(|error| error.message).unwrap_or_default();
        ensure!(message.contains("limits.memory"), "it says what to raise: {message}");
        bed.has_rows(0).await?;
        // As the message says.
        bed.namespace.apply(&bed.load("load").yaml()).await?;
        bed.until_state("load", LoadState::Finished).await?;
        bed.loaded("load", 1).await.map(|_| ())
    }))
}

#[test]
#[ignore = "needs a cluster: make e2e"]
fn a_job_that_is_deleted_by_hand_is_resolved() -> Result<()> {
    run(with_table("job-deleted", 20_000, 2, async |bed| {
        let fault = bed.store.server()?.faults().add(delayed());
        bed.namespace.apply(&bed.load("load").yaml()).await?;
        bed.running_pod("load").await?;
        let jobs: Api<Job> = bed.namespace.api();
        jobs.delete(&load_job(bed).await?.name_any(), &DeleteParams::background()).await?;
        bed.store.server()?.faults().remove(fault);
        // Whether the rows are in is the log's to say; the status must agree with it.
        let status = bed.ended("load").await?;
        bed.has_rows(u64::from(status.state == Some(LoadState::Finished))).await
    }))
}

#[test]
#[ignore = "needs a cluster: make e2e"]
fn a_load_that_is_deleted_midway_and_made_again_with_another_spec_loads_the_new_one() -> Result<()> {
    run(with_table("recreated", 20_000, 2, async |bed| {
        let fault = bed.store.server()?.faults().add(slow());
        bed.namespace.apply(&bed.load("load").yaml()).await?;
        bed.running_pod("load").await?;
        bed.jobs().delete("load", &DeleteParams::background()).await?;
        // A worker that is told to stop may still commit what it has read.
        bed.no_pod("load").await?;
        bed.store.server()?.faults().remove(fault);
        let small = longshore_e2e::rows(1_000, 1)?;
        bed.store.fill("shop", "small", &small)?;
        let other = Manifest::load("load", TABLE, &bed.store, "shop/small/*.parquet");
        bed.namespace.apply(&other.yaml()).await?;
        let status = bed.ended("load").await?;
        ensure!(status.state == Some(LoadState::Finished), "{:?}", status.error);
        ensure!(status.sink_rows == Some(1_000), "{:?}", status.sink_rows);
        let found = bed.table_rows().await?;
        ensure!(found.user_id_sum == Some(small.expected.user_id_sum), "{found:?}");
        Ok(())
    }))
}

#[test]
#[ignore = "needs a cluster: make e2e"]
fn a_table_that_is_deleted_while_a_load_runs_keeps_or_loses_its_rows_as_its_policy_says() -> Result<()> {
    run(with_operator("table-deleted", 20_000, 2, async |bed| {
        bed.store.secret(&bed.namespace).await?;
        for policy in ["Retain", "Delete"] {
            let storage = json!({"size": "1Gi", "reclaimPolicy": policy});
            bed.namespace.apply(&Manifest::table(TABLE).with("storage", storage).yaml()).await?;
            bed.ready(TABLE).await?;
            let fault = bed.store.server()?.faults().add(slow());
            bed.namespace.apply(&bed.load(&format!("load-{}", policy.to_lowercase())).yaml()).await?;
            bed.running_pod("load").await?;
            bed.namespace.kubectl(&["delete", "table", TABLE, "--wait=true", "--timeout=60s"]).await?;
            bed.namespace.kubectl(&["delete", "loadjobs", "--all", "--timeout=60s"]).await?;
            bed.no_pod("load").await?;
            bed.store.server()?.faults().remove(fault);
            let claims: Api<k8s_openapi::api::core::v1::PersistentVolumeClaim> = bed.namespace.api();
            let claim = format!("table-{TABLE}");
            if policy == "Retain" {
                ensure!(claims.get_opt(&claim).await?.is_some(), "Retain keeps the claim");
                bed.has_rows(0).await?;
                bed.namespace.kubectl(&["delete", "pvc", &claim, "--wait=true", "--timeout=60s"]).await?;
            } else {
                until("the claim to go with its Table", LIMIT, async || {
                    Ok(Look::when(claims.get_opt(&claim).await?.is_none(), (), "there"))
                })
                .await?;
            }
        }
        Ok(())
    }))
}

#[test]
#[ignore = "needs a cluster: make e2e"]
fn a_namespace_that_is_deleted_while_a_load_runs_goes_away() -> Result<()> {
    run(with_table("namespace-deleted", 20_000, 2, async |bed| {
        bed.store.server()?.faults().add(slow());
        bed.namespace.apply(&bed.load("load").yaml()).await?;
        bed.running_pod("load").await?;
        let name = &bed.namespace.name;
        // No finalizer of ours may hold it.
        longshore_e2e::kubectl(&["delete", "namespace", name, "--wait=true", "--timeout=90s"], "")
            .await
            .map(|_| ())
    }))
}

#[test]
#[ignore = "needs a cluster: make e2e"]
fn a_volume_that_moves_to_another_namespace_knows_its_labels() -> Result<()> {
    run(with_table("moved-from", 20_000, 2, async |bed| {
        bed.namespace.apply(&bed.load("load").with("label", json!("january")).yaml()).await?;
        bed.loaded("load", 1).await?;
        let mut requests = None;
        bed.move_volume("loadjobs,tables", "moved-to", async |other| {
            requests = Some(bed.store.server()?.counters().all_requests());
            let _operator = Operator::start(other).await?;
            bed.store.secret(other).await?;
            other
                .apply(&Manifest::table(TABLE).with("storage", json!({"existingClaim": MOVED})).yaml())
                .await?;
            other.apply(&bed.load("again").with("label", json!("january")).yaml()).await?;
            let wait = ["wait", "--for=condition=Complete", "loadjob/again", "--timeout=90s"];
            other.kubectl(&wait).await?;
            let folder = longshore_e2e::host_folder(&other.client, &other.name, MOVED).await?;
            let found = longshore_e2e::read_table(&folder).await?;
            ensure!(found.rows == bed.rows.expected.rows, "{found:?}");
            Ok(())
        })
        .await?;
        ensure!(Some(bed.store.server()?.counters().all_requests()) == requests, "the store was asked again");
        Ok(())
    }))
}

mod alone {
    use super::*;
    use longshore_e2e::{Cluster, Part, SecondNode};

    #[test]
    #[ignore = "needs a cluster: make e2e"]
    fn a_load_outlives_the_apiserver() -> Result<()> {
        run(with_table("apiserver", 20_000, 2, async |bed| {
            let fault = bed.store.server()?.faults().add(delayed());
            bed.namespace.apply(&bed.load("load").yaml()).await?;
            bed.running_pod("load").await?;
            let apiserver = Part::new(Cluster::get().await?.environment.own_root()?, "kube-apiserver");
            apiserver.kill().await?;
            bed.store.server()?.faults().remove(fault);
            tokio::time::sleep(Duration::from_secs(3)).await;
            apiserver.start()?;
            bed.loaded("load", 1).await.map(|_| ())
        }))
    }

    #[test]
    #[ignore = "needs a cluster: make e2e"]
    fn a_load_outlives_the_kubelet() -> Result<()> {
        run(with_table("kubelet", 20_000, 2, async |bed| {
            let fault = bed.store.server()?.faults().add(delayed());
            bed.namespace.apply(&bed.load("load").yaml()).await?;
            bed.running_pod("load").await?;
            let kubelet = Part::new(Cluster::get().await?.environment.own_root()?, "kubelet-node-1");
            kubelet.kill().await?;
            bed.store.server()?.faults().remove(fault);
            tokio::time::sleep(Duration::from_secs(3)).await;
            kubelet.start()?;
            bed.loaded("load", 1).await.map(|_| ())
        }))
    }

    #[test]
    #[ignore = "needs a cluster: make e2e"]
    fn a_drained_node_gives_its_load_back() -> Result<()> {
        run(with_table("drained", 20_000, 2, async |bed| {
            let fault = bed.store.server()?.faults().add(delayed());
            bed.namespace.apply(&bed.load("load").yaml()).await?;
            bed.running_pod("load").await?;
            let nodes: Api<k8s_openapi::api::core::v1::Node> = Api::all(bed.namespace.client.clone());
            let cordon = |on: bool| Patch::Merge(json!({"spec": {"unschedulable": on}}));
            nodes.patch("node-1", &PatchParams::default(), &cordon(true)).await?;
            let drain = [
                "drain",
                "node-1",
                "--ignore-daemonsets",
                "--delete-emptydir-data",
                "--force",
                "--timeout=60s",
                "--pod-selector=app.kubernetes.io/name=longshore-worker",
            ];
            let drained = longshore_e2e::kubectl(&drain, "").await;
            nodes.patch("node-1", &PatchParams::default(), &cordon(false)).await?;
            drained?;
            bed.store.server()?.faults().remove(fault);
            bed.loaded("load", 1).await.map(|_| ())
        }))
    }

    mod long {
        use super::*;

        /// Two minutes and more: a node is unreachable, its pods are given up, its volume is freed by a person's taint.
        #[test]
        #[ignore = "needs a cluster: make e2e"]
        fn a_node_that_is_lost_for_good_gives_its_load_to_another() -> Result<()> {
            run(with_table("node-lost", 20_000, 2, async |bed| {
                let node = SecondNode::start().await?;
                let fault = bed.store.server()?.faults().add(slow());
                let load = bed.load("load").with("worker", SecondNode::preferred());
                bed.namespace.apply(&load.yaml()).await?;
                let pod = bed.running_pod("load").await?;
                let found = pod.spec.and_then(|spec| spec.node_name);
                ensure!(found.as_deref() == Some(SecondNode::NAME), "the pod is on {found:?}");
                // The worker itself goes on: it must not load once more when it is given up.
                node.lose().await?;
                let told = |status: &LoadJobStatus| {
                    let reconciling =
                        status.conditions.iter().find(|condition| condition.type_ == conditions::RECONCILING);
                    reconciling.is_some_and(|condition| {
                        condition.reason == "NodeLost" && condition.message.contains(SecondNode::NAME)
                    })
                };
                let jobs = bed.jobs();
                until("NodeLost in the status", Duration::from_secs(240), async || {
                    let status = jobs.get("load").await?.status.unwrap_or_default();
                    Ok(Look::when(told(&status), (), status.conditions))
                })
                .await?;
                node.out_of_service().await?;
                bed.store.server()?.faults().remove(fault);
                bed.loaded("load", 1).await?;
                node.remove().await?;
                bed.has_rows(1).await
            }))
        }
    }
}

mod long {
    use super::*;

    #[test]
    #[ignore = "needs a cluster: make e2e"]
    fn a_store_that_is_away_for_30_seconds_delays_a_load() -> Result<()> {
        run(with_table("store-away", 20_000, 2, async |bed| {
            let fault = bed.store.server()?.faults().add(delayed());
            bed.namespace.apply(&bed.load("load").yaml()).await?;
            bed.running_pod("load").await?;
            bed.store.server()?.faults().remove(fault);
            bed.store.away(Duration::from_secs(30)).await?;
            bed.loaded("load", 1).await.map(|_| ())
        }))
    }

    /// Not in the run of every change: the kubelet brings the new Secret a minute or two later.
    #[test]
    #[ignore = "needs a cluster: make e2e"]
    fn a_secret_that_is_rotated_mid_load_is_read_again() -> Result<()> {
        run(with_table("rotated", 20_000, 2, async |bed| {
            let fault = bed.store.server()?.faults().add(delayed());
            bed.namespace.apply(&bed.load("load").yaml()).await?;
            bed.running_pod("load").await?;
            // The store has taken the key: one that never worked is refused for good.
            let counters = bed.store.server()?.counters();
            until("the files to be listed", LIMIT, async || {
                let listed = counters.responses(Operation::ListObjectsV2, 200);
                Ok(Look::when(listed > 0, (), counters.all_requests()))
            })
            .await?;
            bed.store.server()?.set_credentials(longshore_e2e::ACCESS_KEY, "another-secret");
            let rotated = longshore_e2e::secret("aws", longshore_e2e::ACCESS_KEY, "another-secret");
            bed.namespace.apply(&rotated).await?;
            bed.store.server()?.faults().remove(fault);
            bed.loaded("load", 1).await.map(|_| ())
        }))
    }
}
