//! A namespace with a store, an operator and a table: what most tests of loads begin with.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::core::v1::{PersistentVolume, PersistentVolumeClaim, Pod};
use k8s_openapi::api::events::v1::Event;
use kube::api::{ListParams, Patch, PatchParams};
use kube::{Api, ResourceExt};
use longshore_crds::{LoadJob, LoadJobStatus, LoadState, Table, conditions};
use longshore_e2e::wait::{Look, until};
use longshore_e2e::{
    Manifest, Namespace, Nodes, Operator, Rows, Store, TableRows, host_folder, in_namespace, read_table, rows,
};
use serde_json::{Value, json};

/// How long anything may take here; a load of these sizes takes seconds.
pub const LIMIT: Duration = Duration::from_secs(90);

/// Name of the table.
pub const TABLE: &str = "visits";

/// Name of the claim to which a volume moves.
pub const MOVED: &str = "moved";

/// A namespace with a store that holds `rows` under `s3://shop/visits/`, and an operator.
pub struct Bed {
    pub namespace: Namespace,
    pub store: Store,
    pub rows: Rows,
    pub operator: Operator,
}

/// Runs a test with a store of `count` rows in `files` files, an operator, the Secret and a table that is ready.
pub async fn with_table(
    name: &str,
    count: u64,
    files: u32,
    test: impl AsyncFnOnce(&mut Bed) -> Result<()>,
) -> Result<()> {
    with_operator(name, count, files, async |bed| {
        bed.store.secret(&bed.namespace).await?;
        bed.namespace.apply(&Manifest::table(TABLE).yaml()).await?;
        bed.ready(TABLE).await?;
        test(bed).await
    })
    .await
}

/// Runs a test with a store and an operator, without any object.
pub async fn with_operator(
    name: &str,
    count: u64,
    files: u32,
    test: impl AsyncFnOnce(&mut Bed) -> Result<()>,
) -> Result<()> {
    let data = rows(count, files)?;
    in_namespace(name, Nodes::Real, async |namespace| {
        let store = Store::start().await?;
        store.fill("shop", "visits", &data)?;
        let operator = Operator::start(namespace).await?;
        let mut bed = Bed { namespace: namespace.clone(), store, rows: data, operator };
        let result = test(&mut bed).await;
        if result.is_err() {
            let log = bed.operator.log().unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            eprintln!("the operator's log:\n{}", lines[lines.len().saturating_sub(60)..].join("\n"));
        }
        result
    })
    .await
}

impl Bed {
    /// The plain load of everything.
    pub fn load(&self, name: &str) -> Manifest {
        Manifest::load(name, TABLE, &self.store, "shop/visits/*.parquet")
    }

    pub fn jobs(&self) -> Api<LoadJob> {
        self.namespace.api()
    }

    /// Waits until a table is ready.
    pub async fn ready(&self, table: &str) -> Result<Table> {
        let tables: Api<Table> = self.namespace.api();
        until(&format!("Table {table} to be ready"), LIMIT, async || {
            let table = tables.get(table).await?;
            let conditions =
                table.status.as_ref().map(|status| status.conditions.clone()).unwrap_or_default();
            Ok(Look::when(conditions::is_true(&conditions, conditions::READY), table, conditions))
        })
        .await
    }

    /// Waits until a load's status is as asked for.
    pub async fn until_status(
        &self,
        name: &str,
        what: &str,
        mut holds: impl FnMut(&LoadJobStatus) -> bool,
    ) -> Result<LoadJobStatus> {
        let jobs = self.jobs();
        until(&format!("LoadJob {name}: {what}"), LIMIT, async || {
            let status = jobs.get(name).await?.status.unwrap_or_default();
            Ok(Look::when(holds(&status), status.clone(), (&status.state, &status.error, &status.conditions)))
        })
        .await
    }

    pub async fn until_state(&self, name: &str, state: LoadState) -> Result<LoadJobStatus> {
        self.until_status(name, state.name(), |status| status.state == Some(state)).await
    }

    /// Waits for the end, whichever, and checks that conditions and state agree.
    pub async fn ended(&self, name: &str) -> Result<LoadJobStatus> {
        let ended = |status: &LoadJobStatus| conditions::is_true(&status.conditions, conditions::FINISHED);
        let status = self.until_status(name, "its end", ended).await?;
        let loaded = conditions::is_true(&status.conditions, conditions::COMPLETE);
        let failed = conditions::is_true(&status.conditions, conditions::FAILED);
        ensure!(loaded != failed, "Complete and Failed: {:?}", status.conditions);
        let expected = if loaded { LoadState::Finished } else { LoadState::Cancelled };
        ensure!(status.state == Some(expected), "{:?} with {:?}", status.state, status.conditions);
        Ok(status)
    }

    /// Waits for the end and demands that all rows are loaded, in the status and, `times` over, in the table.
    pub async fn loaded(&self, name: &str, times: u64) -> Result<LoadJobStatus> {
        let status = self.ended(name).await?;
        ensure!(status.state == Some(LoadState::Finished), "{:?}", status.error);
        ensure!(status.sink_rows == Some(self.rows.expected.rows), "sinkRows {:?}", status.sink_rows);
        self.has_rows(times).await?;
        Ok(status)
    }

    /// Waits for the end and demands that the load failed for this reason.
    pub async fn cancelled(&self, name: &str, reason: &str) -> Result<LoadJobStatus> {
        let status = self.ended(name).await?;
        ensure!(status.state == Some(LoadState::Cancelled), "{:?}", status.state);
        let found = reason_of(&status, conditions::FAILED);
        ensure!(found == reason, "the reason is {found}, not {reason}: {:?}", status.error);
        Ok(status)
    }

    /// The table holds the data set exactly this many times, as another engine reads it.
    pub async fn has_rows(&self, times: u64) -> Result<()> {
        let found = self.table_rows().await?;
        let expected = &self.rows.expected;
        let sum = |sum: i64| (times > 0).then_some(sum * i64::try_from(times).unwrap_or(0));
        ensure!(
            (found.rows, found.user_id_sum, found.item_id_sum)
                == (expected.rows * times, sum(expected.user_id_sum), sum(expected.item_id_sum)),
            "{times} times {} rows expected, found {found:?}",
            expected.rows
        );
        Ok(())
    }

    pub async fn table_rows(&self) -> Result<TableRows> {
        read_table(&self.folder().await?).await
    }

    /// The table's folder on this host.
    pub async fn folder(&self) -> Result<PathBuf> {
        host_folder(&self.namespace.client, &self.namespace.name, &format!("table-{TABLE}")).await
    }

    /// Deletes every object of these kinds and the table's claim, but keeps its volume, and binds that to a claim
    /// [`MOVED`] of another namespace.
    pub async fn move_volume(
        &self,
        kinds: &str,
        to: &str,
        test: impl AsyncFnOnce(&Namespace) -> Result<()>,
    ) -> Result<()> {
        let claims: Api<PersistentVolumeClaim> = self.namespace.api();
        let claim = format!("table-{TABLE}");
        let bound = claims.get(&claim).await?;
        let volume = bound.spec.and_then(|spec| spec.volume_name).context("a bound claim")?;
        let volumes: Api<PersistentVolume> = Api::all(self.namespace.client.clone());
        let retain = Patch::Merge(json!({"spec": {"persistentVolumeReclaimPolicy": "Retain"}}));
        volumes.patch(&volume, &PatchParams::default(), &retain).await?;
        self.namespace.kubectl(&["delete", kinds, "--all", "--timeout=60s"]).await?;
        self.namespace.kubectl(&["delete", "pvc", &claim, "--timeout=60s"]).await?;
        in_namespace(to, Nodes::Real, async |other| {
            // Reserved at once: a volume that is free goes to any claim that waits.
            let claim = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": other.name,
                               "name": MOVED, "uid": null, "resourceVersion": null});
            let reserve = Patch::Merge(json!({"spec": {"claimRef": claim}}));
            volumes.patch(&volume, &PatchParams::default(), &reserve).await?;
            let claim = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": MOVED},
                "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "e2e-local", "volumeName": volume,
                         "resources": {"requests": {"storage": "1Gi"}}}});
            other.apply(&claim.to_string()).await?;
            test(other).await
        })
        .await
    }

    /// Waits for a pod of this role that runs.
    pub async fn running_pod(&self, role: &str) -> Result<Pod> {
        let pods: Api<Pod> = self.namespace.api();
        let selector = ListParams::default().labels(&format!("longshore.dev/role={role}"));
        until(&format!("a running pod of role {role}"), LIMIT, async || {
            let pods = pods.list(&selector).await?.items;
            let phases: Vec<_> =
                pods.iter().map(|pod| pod.status.as_ref().and_then(|status| status.phase.clone())).collect();
            let running = phases.iter().position(|phase| phase.as_deref() == Some("Running"));
            Ok(match running.and_then(|index| pods.into_iter().nth(index)) {
                Some(pod) => Look::Found(pod),
                None => Look::NotYet(format!("{phases:?}")),
            })
        })
        .await
    }

    /// Waits until no pod of this role is left.
    pub async fn no_pod(&self, role: &str) -> Result<()> {
        let pods: Api<Pod> = self.namespace.api();
        let selector = ListParams::default().labels(&format!("longshore.dev/role={role}"));
        until(&format!("every pod of role {role} to be gone"), LIMIT, async || {
            let left: Vec<String> =
                pods.list(&selector).await?.items.iter().map(ResourceExt::name_any).collect();
            Ok(Look::when(left.is_empty(), (), left))
        })
        .await
    }

    /// Changes a field of a load's spec.
    pub async fn edit(&self, name: &str, spec: Value) -> Result<()> {
        let patch = Patch::Merge(json!({"spec": spec}));
        self.jobs().patch(name, &PatchParams::default(), &patch).await?;
        Ok(())
    }

    /// Reasons of the events about an object, in order.
    pub async fn event_reasons(&self, name: &str) -> Result<Vec<String>> {
        let events: Api<Event> = self.namespace.api();
        let mut found: Vec<Event> = events.list(&ListParams::default()).await?.items;
        found.retain(|event| {
            let object = event.regarding.as_ref().and_then(|object| object.name.as_deref());
            object == Some(name)
        });
        found.sort_by_key(|event| event.metadata.creation_timestamp.clone());
        Ok(found.into_iter().filter_map(|event| event.reason).collect())
    }
}

/// Reason of a condition.
pub fn reason_of(status: &LoadJobStatus, type_: &str) -> String {
    let found = status.conditions.iter().find(|condition| condition.type_ == type_);
    found.map(|condition| condition.reason.clone()).unwrap_or_default()
}

/// The processes of a pod's containers on this host, but for its sandbox.
pub fn processes_of(pod: &Pod, program: &str) -> Result<Vec<u32>> {
    let uid = pod.uid().context("a pod without UID")?;
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let Some(process) = entry?.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        let read =
            |file: &str| std::fs::read_to_string(format!("/proc/{process}/{file}")).unwrap_or_default();
        if read("cgroup").contains(&uid) && read("cmdline").contains(program) {
            found.push(process);
        }
    }
    Ok(found)
}

/// Sends a signal to processes of this host.
pub fn signal(processes: &[u32], name: &str) -> Result<()> {
    let ids: Vec<String> = processes.iter().map(u32::to_string).collect();
    let status = std::process::Command::new("kill").arg(format!("-{name}")).args(&ids).status()?;
    ensure!(status.success(), "kill -{name} {ids:?}");
    Ok(())
}
