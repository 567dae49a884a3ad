//! The harness itself: what the other tests stand on.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::Api;
use longshore_e2e::wait::{Look, until};
use longshore_e2e::{Cluster, Namespace, Nodes, Part, Store, host_folder, in_namespace, run};
use serde_json::{Value, json};

const LIMIT: Duration = Duration::from_secs(60);

/// A Job of one pod under the restricted standard.
fn job(name: &str, command: &str, annotations: &Value) -> String {
    json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name},
        "spec": {"backoffLimit": 0, "template": {
            "metadata": {"annotations": annotations},
            "spec": {
                "restartPolicy": "Never",
                "terminationGracePeriodSeconds": 1,
                "securityContext": {"runAsNonRoot": true, "runAsUser": 65532, "fsGroup": 65532,
                                    "seccompProfile": {"type": "RuntimeDefault"}},
                "containers": [{
                    "name": "main", "image": "images.test/busybox:e2e", "command": ["sh", "-c", command],
                    "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
                    "volumeMounts": [{"name": "data", "mountPath": "/data"}],
                }],
                "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}],
            }}},
    })
    .to_string()
}

const CLAIM: &str = "{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: data}, \
                     spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}";

async fn ended(namespace: &Namespace, job: &str) -> Result<Pod> {
    let pods: Api<Pod> = namespace.api();
    let selector = kube::api::ListParams::default().labels(&format!("job-name={job}"));
    until(&format!("the end of Job {job}"), LIMIT, async || {
        let pod = pods.list(&selector).await?.items.into_iter().next().context("no pod yet")?;
        let phase = pod.status.as_ref().and_then(|status| status.phase.clone()).unwrap_or_default();
        Ok(Look::when(phase == "Succeeded" || phase == "Failed", pod, phase))
    })
    .await
}

fn terminated(pod: &Pod) -> Result<(i32, String)> {
    let state =
        pod.status.as_ref().and_then(|status| status.container_statuses.as_ref()?.first()?.state.as_ref());
    let state = state.and_then(|state| state.terminated.as_ref()).context("no container has ended")?;
    Ok((state.exit_code, state.message.clone().unwrap_or_default()))
}

#[test]
#[ignore = "needs a cluster: make e2e"]
fn a_pod_writes_to_a_claim_and_the_host_reads_it() -> Result<()> {
    run(in_namespace("harness-claim", Nodes::Real, async |namespace| {
        namespace.apply(CLAIM).await?;
        let command =
            "echo from the pod >/data/file && printf '{\"rows\": 7}' >/dev/termination-log && exit 3";
        namespace.apply(&job("writer", command, &json!({}))).await?;
        let pod = ended(namespace, "writer").await?;
        assert_eq!(terminated(&pod)?, (3, "{\"rows\": 7}".to_owned()));
        let folder = host_folder(&namespace.client, &namespace.name, "data").await?;
        assert_eq!(std::fs::read_to_string(folder.join("file"))?, "from the pod\n");
        Ok(())
    }))
}

#[test]
#[ignore = "needs a cluster: make e2e"]
fn a_pod_reaches_the_store_and_the_apiserver() -> Result<()> {
    run(in_namespace("harness-network", Nodes::Real, async |namespace| {
        let store = Store::start().await?;
        namespace.apply(CLAIM).await?;
        // Unsigned: the store refuses, so it was reached. The service's address leads to the apiserver.
        let command = format!(
            "wget -qO- {}/bucket 2>&1 | grep -q 403 && \
             nc -w 5 $KUBERNETES_SERVICE_HOST $KUBERNETES_SERVICE_PORT </dev/null",
            store.endpoint()
        );
        namespace.apply(&job("caller", &command, &json!({}))).await?;
        let pod = ended(namespace, "caller").await?;
        assert_eq!(terminated(&pod)?.0, 0);
        Ok(())
    }))
}

#[test]
#[ignore = "needs a cluster: make e2e"]
fn pods_of_fake_nodes_end_as_their_annotations_say() -> Result<()> {
    run(in_namespace("harness-fake", Nodes::Fake, async |namespace| {
        namespace.apply(CLAIM).await?;
        let report = "{\"reason\":\"DataQuality\"}";
        let notes =
            json!({"e2e.test/exit-code": "65", "e2e.test/message": report, "e2e.test/delay": "300ms"});
        namespace.apply(&job("fails", "", &notes)).await?;
        namespace.apply(&job("loads", "", &json!({"e2e.test/label": "l", "e2e.test/run": "2"}))).await?;
        assert_eq!(terminated(&ended(namespace, "fails").await?)?, (65, report.to_owned()));
        let (code, message) = terminated(&ended(namespace, "loads").await?)?;
        let loaded: longshore_crds::LoadReport = serde_json::from_str(&message)?;
        assert_eq!((code, loaded.label.as_str(), loaded.run), (0, "l", 2));
        let jobs: Api<Job> = namespace.api();
        until("the Job to fail", LIMIT, async || {
            let status = jobs.get_status("fails").await?.status.unwrap_or_default();
            Ok(Look::when(status.failed == Some(1), (), status.failed))
        })
        .await
    }))
}

#[test]
#[ignore = "needs a cluster: make e2e"]
fn a_restricted_namespace_refuses_a_careless_pod() -> Result<()> {
    run(in_namespace("harness-restricted", Nodes::Real, async |namespace| {
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "careless"},
            "spec": {"containers": [{"name": "main", "image": "images.test/busybox:e2e"}]}});
        let output = namespace.kubectl_output(&["apply", "-f", "-"], &pod.to_string()).await?;
        ensure!(!output.success && output.stderr.contains("PodSecurity"), "{}", output.stderr);
        Ok(())
    }))
}

mod alone {
    use super::*;

    #[test]
    #[ignore = "needs a cluster: make e2e"]
    fn a_part_that_was_killed_comes_back() -> Result<()> {
        run(async {
            let cluster = Cluster::get().await?;
            let apiserver = Part::new(cluster.environment.own_root()?, "kube-apiserver");
            apiserver.kill().await?;
            apiserver.start()?;
            let nodes: Api<Node> = Api::all(cluster.client.clone());
            until("the apiserver", LIMIT, async || {
                let count = nodes.list(&kube::api::ListParams::default()).await?.items.len();
                Ok(Look::when(count >= 3, (), count))
            })
            .await
        })
    }
}
