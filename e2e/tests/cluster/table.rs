//! Tables on a real Kubernetes: made, altered, refused, kept, grown, found again.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim};
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams};
use longshore_crds::{Table, conditions, reasons};
use longshore_e2e::wait::{Look, until};
use longshore_e2e::{Namespace, Nodes, Operator, host_folder, in_namespace, run};
use serde_json::{Value, json};

const LIMIT: Duration = Duration::from_secs(90);

fn table(name: &str, storage: &Value) -> String {
    json!({
        "apiVersion": "longshore.dev/v1alpha1", "kind": "Table", "metadata": {"name": name},
        "spec": {
            "columns": [{"name": "id", "type": "INT", "nullable": false}, {"name": "name", "type": "STRING"}],
            "key": {"columns": ["id"]}, "storage": storage,
            "distribution": {"hash": {"columns": ["id"], "buckets": 2}},
        },
    })
    .to_string()
}

/// Waits until the Table says of this generation what is looked for.
async fn until_table(
    namespace: &Namespace,
    name: &str,
    what: &str,
    look: impl Fn(&Table) -> bool,
) -> Result<Table> {
    let tables: Api<Table> = namespace.api();
    until(&format!("Table {name}: {what}"), LIMIT, async || {
        let table = tables.get(name).await?;
        let status = table.status.clone().unwrap_or_default();
        let current = status.observed_generation == table.metadata.generation;
        let seen = serde_json::to_string(&status)?;
        Ok(Look::when(current && look(&table), table, seen))
    })
    .await
}

/// The reason of a condition that is True.
fn holds(table: &Table, type_: &str) -> Option<String> {
    let status = table.status.as_ref()?;
    let condition = status.conditions.iter().find(|it| it.type_ == type_ && it.status == "True")?;
    Some(condition.reason.clone())
}

fn is_done(table: &Table) -> bool {
    holds(table, conditions::READY).is_some()
        && holds(table, conditions::RECONCILING).is_none()
        && table.status.as_ref().is_some_and(|status| status.job.is_none())
}

async fn ready(namespace: &Namespace, name: &str) -> Result<Table> {
    until_table(namespace, name, "Ready", is_done).await
}

async fn patch(namespace: &Namespace, name: &str, patch: &Value) -> Result<()> {
    let tables: Api<Table> = namespace.api();
    tables.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await?;
    Ok(())
}

fn message(table: &Table) -> String {
    table.status.as_ref().map_or_else(String::new, |status| status.conditions[0].message.clone())
}

#[test]
#[ignore = "needs a cluster: make e2e"]
fn a_table_becomes_ready_and_nothing_is_left_of_its_job() -> Result<()> {
    run(in_namespace("table-made", Nodes::Real, async |namespace| {
        let operator = Operator::start(namespace).await?;
        namespace.apply(&table("t", &json!({"size": "1Gi"}))).await?;
        namespace.kubectl(&["wait", "table/t", "--for=condition=Ready", "--timeout=90s"]).await?;
        let table = ready(namespace, "t").await?;
        let status = table.status.clone().context("a status")?;
        ensure!(status.conditions.len() == 3, "{:?}", status.conditions);
        ensure!(status.conditions.iter().all(|it| it.observed_generation == Some(1)));
        ensure!((status.version, status.rows, status.tablets) == (Some(0), Some(0), Some(2)), "{status:?}");
        ensure!(status.columns.len() == 2 && status.claim.as_deref() == Some("table-t"));
        let folder = host_folder(&namespace.client, &namespace.name, "table-t").await?;
        ensure!(folder.join("_delta_log/00000000000000000000.json").exists());

        let (jobs, requests) = (namespace.api::<Job>(), namespace.api::<ConfigMap>());
        let ours = ListParams::default().labels("app.kubernetes.io/name=longshore-worker");
        until("the Job and its request to go", LIMIT, async || {
            let left = (jobs.list(&ours).await?.items.len(), requests.list(&ours).await?.items.len());
            Ok(Look::when(left == (0, 0), (), left))
        })
        .await?;
        // What is done is not written again.
        let version = table.metadata.resource_version;
        tokio::time::sleep(Duration::from_secs(3)).await;
        ensure!(namespace.api::<Table>().get("t").await?.metadata.resource_version == version);
        let events = namespace.kubectl(&["events", "--for", "table/t"]).await?;
        for reason in ["ClaimCreated", "TableCreated"] {
            ensure!(events.contains(reason), "{events}");
        }
        let answer = operator.get("/readyz").await?;
        ensure!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        let columns = namespace.kubectl(&["get", "tables", "t"]).await?;
        ensure!(columns.contains("READY") && columns.contains("True"), "{columns}");
        Ok(())
    }))
}

#[test]
#[ignore = "needs a cluster: make e2e"]
fn a_column_is_added_and_any_other_change_is_refused_by_name() -> Result<()> {
    run(in_namespace("table-alter", Nodes::Real, async |namespace| {
        let _operator = Operator::start(namespace).await?;
        namespace.apply(&table("t", &json!({}))).await?;
        let made = ready(namespace, "t").await?;
        let mut columns = serde_json::to_value(&made.spec.columns)?;
        columns[0]["type"] = json!("BIGINT");
        patch(namespace, "t", &json!({"spec": {"columns": columns}})).await?;
        let refused =
            until_table(namespace, "t", "Stalled", |it| holds(it, conditions::STALLED).is_some()).await?;
        ensure!(holds(&refused, conditions::STALLED).as_deref() == Some("DefinitionDiffers"));
        ensure!(
            message(&refused).contains("column id is declared BIGINT and is INT"),
            "{}",
            message(&refused)
        );
        ensure!(holds(&refused, conditions::READY).is_some(), "the table stays as it was");

        columns[0]["type"] = json!("INT");
        columns.as_array_mut().context("columns")?.push(json!({"name": "at", "type": "DATE"}));
        patch(namespace, "t", &json!({"spec": {"columns": columns}})).await?;
        let altered = ready(namespace, "t").await?;
        ensure!(holds(&altered, conditions::STALLED).is_none());
        ensure!(altered.status.as_ref().and_then(|status| status.column_count) == Some(3));
        ensure!(message(&altered).contains("added at"), "{}", message(&altered));

        patch(namespace, "t", &json!({"spec": {"storage": {"storageClassName": "other"}}})).await?;
        let refused =
            until_table(namespace, "t", "fixed", |it| holds(it, conditions::STALLED).is_some()).await?;
        ensure!(holds(&refused, conditions::STALLED).as_deref() == Some(reasons::STORAGE_FIXED));
        Ok(())
    }))
}

#[test]
#[ignore = "needs a cluster: make e2e"]
fn a_kept_claim_is_taken_over_and_a_deleted_one_goes() -> Result<()> {
    run(in_namespace("table-reclaim", Nodes::Real, async |namespace| {
        let _operator = Operator::start(namespace).await?;
        let (tables, claims) = (namespace.api::<Table>(), namespace.api::<PersistentVolumeClaim>());
        namespace.apply(&table("t", &json!({}))).await?;
        ready(namespace, "t").await?;
        let uid = claims.get("table-t").await?.metadata.uid;
        namespace.kubectl(&["delete", "table", "t", "--wait"]).await?;
        namespace.apply(&table("t", &json!({}))).await?;
        ready(namespace, "t").await?;
        ensure!(claims.get("table-t").await?.metadata.uid == uid, "the claim was kept and taken over");

        patch(namespace, "t", &json!({"spec": {"storage": {"reclaimPolicy": "Delete"}}})).await?;
        until("the claim to be owned", LIMIT, async || {
            let owners = claims.get("table-t").await?.metadata.owner_references.unwrap_or_default();
            Ok(Look::when(owners.len() == 1, (), owners.len()))
        })
        .await?;
        tables.delete("t", &DeleteParams::background()).await?;
        until("the claim to go", LIMIT, async || {
            Ok(Look::when(claims.get_opt("table-t").await?.is_none(), (), "it is there"))
        })
        .await
    }))
}

#[test]
#[ignore = "needs a cluster: make e2e"]
fn a_volume_grows_where_its_class_allows_and_the_refusal_is_shown() -> Result<()> {
    run(in_namespace("table-grow", Nodes::Real, async |namespace| {
        let _operator = Operator::start(namespace).await?;
        let grown = json!({"spec": {"storage": {"size": "2Gi"}}});
        namespace.apply(&table("grows", &json!({"size": "1Gi"}))).await?;
        namespace.apply(&table("fixed", &json!({"size": "1Gi", "storageClassName": "e2e-fixed"}))).await?;
        ready(namespace, "grows").await?;
        ready(namespace, "fixed").await?;
        patch(namespace, "grows", &grown).await?;
        patch(namespace, "fixed", &grown).await?;
        let claims = namespace.api::<PersistentVolumeClaim>();
        until("the volume to grow", LIMIT, async || {
            let claim = serde_json::to_value(claims.get("table-grows").await?)?;
            let capacity = claim["status"]["capacity"]["storage"].clone();
            Ok(Look::when(capacity == json!("2Gi"), (), capacity))
        })
        .await?;
        ready(namespace, "grows").await?;
        let refused =
            until_table(namespace, "fixed", "Stalled", |it| holds(it, conditions::STALLED).is_some());
        let refused = refused.await?;
        ensure!(holds(&refused, conditions::STALLED).as_deref() == Some(reasons::EXPANSION_REFUSED));
        ensure!(message(&refused).contains("storageclass"), "{}", message(&refused));
        ensure!(holds(&refused, conditions::READY).is_some());
        patch(namespace, "fixed", &json!({"spec": {"storage": {"size": "1Gi"}}})).await?;
        let mended = ready(namespace, "fixed").await?;
        ensure!(holds(&mended, conditions::STALLED).is_none());
        Ok(())
    }))
}

#[test]
#[ignore = "needs a cluster: make e2e"]
fn a_claim_that_is_not_there_yet_is_waited_for_and_its_folder_used() -> Result<()> {
    run(in_namespace("table-claim", Nodes::Real, async |namespace| {
        let _operator = Operator::start(namespace).await?;
        namespace.apply(&table("t", &json!({"existingClaim": "shared", "subPath": "a/b"}))).await?;
        let waiting =
            until_table(namespace, "t", "waiting", |it| holds(it, conditions::RECONCILING).is_some());
        ensure!(holds(&waiting.await?, conditions::RECONCILING).as_deref() == Some(reasons::CLAIM_NOT_FOUND));
        let claim = "{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: shared}, \
                     spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}";
        namespace.apply(claim).await?;
        ready(namespace, "t").await?;
        let folder = host_folder(&namespace.client, &namespace.name, "shared").await?;
        ensure!(folder.join("a/b/_delta_log").is_dir());
        let owners = namespace.api::<PersistentVolumeClaim>().get("shared").await?.metadata.owner_references;
        ensure!(owners.is_none());
        Ok(())
    }))
}

#[test]
#[ignore = "needs a cluster: make e2e"]
fn a_volume_that_cannot_be_mounted_is_told_in_the_kubelets_words() -> Result<()> {
    run(in_namespace("table-mount", Nodes::Real, async |namespace| {
        let _operator = Operator::start(namespace).await?;
        let volume = json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": namespace.name},
        "spec": {
            "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "storageClassName": "e2e-none",
            "claimRef": {"namespace": namespace.name, "name": "broken"},
            "local": {"path": "/not/there"},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [
                {"key": "kubernetes.io/hostname", "operator": "In", "values": ["node-1"]}]}]}},
        }});
        let claim = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "broken"},
            "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "e2e-none",
                     "volumeName": namespace.name, "resources": {"requests": {"storage": "1Gi"}}}});
        longshore_e2e::kubectl(&["apply", "-f", "-"], &volume.to_string()).await?;
        namespace.apply(&claim.to_string()).await?;
        namespace.apply(&table("t", &json!({"existingClaim": "broken"}))).await?;
        let held = until_table(namespace, "t", "held", |it| {
            holds(it, conditions::RECONCILING).as_deref() == Some(reasons::VOLUME_NOT_READY)
        })
        .await;
        longshore_e2e::kubectl(&["delete", "pv", &namespace.name, "--wait=false"], "").await?;
        ensure!(message(&held?).contains("/not/there"));
        Ok(())
    }))
}

#[test]
#[ignore = "needs a cluster: make e2e"]
fn a_claim_that_was_deleted_is_not_made_again() -> Result<()> {
    run(in_namespace("table-gone", Nodes::Real, async |namespace| {
        let _operator = Operator::start(namespace).await?;
        namespace.apply(&table("t", &json!({}))).await?;
        ready(namespace, "t").await?;
        namespace.kubectl(&["delete", "pvc", "table-t", "--wait"]).await?;
        let gone = |it: &Table| holds(it, conditions::RECONCILING).as_deref() == Some(reasons::CLAIM_GONE);
        let table = until_table(namespace, "t", "gone", gone).await?;
        ensure!(holds(&table, conditions::READY).is_none());
        ensure!(namespace.api::<PersistentVolumeClaim>().get_opt("table-t").await?.is_none());
        Ok(())
    }))
}

#[test]
#[ignore = "needs a cluster: make e2e"]
fn of_two_operators_one_works_and_the_other_takes_over() -> Result<()> {
    run(in_namespace("table-leader", Nodes::Real, async |namespace| {
        let mut first = Operator::start_with(namespace, 1, Default::default()).await?;
        until("the first to lead", LIMIT, async || {
            let leads = first.get("/metrics").await?.contains("longshore_leader 1");
            Ok(Look::when(leads, (), "it does not"))
        })
        .await?;
        let second = Operator::start_with(namespace, 2, Default::default()).await?;
        namespace.apply(&table("a", &json!({}))).await?;
        ready(namespace, "a").await?;
        ensure!(second.get("/metrics").await?.contains("longshore_leader 0"));
        first.kill()?;
        namespace.apply(&table("b", &json!({}))).await?;
        ready(namespace, "b").await?;
        ensure!(second.get("/metrics").await?.contains("longshore_leader 1"));
        Ok(())
    }))
}
