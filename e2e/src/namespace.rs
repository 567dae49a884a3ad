//! A namespace for one test.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;
use k8s_openapi::api::core::v1::{Namespace as NamespaceObject, ServiceAccount};
use kube::api::{DeleteParams, PostParams};
use kube::{Api, Client};
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::wait::{Look, until};
use crate::{Cluster, Output, kubectl, kubectl_output};

/// Where the pods of a namespace run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nodes {
    /// On nodes that run them.
    Real,
    /// On nodes whose pods only answer, as their annotations say (`e2e/cluster/stages.yaml`).
    Fake,
}

/// A namespace that is deleted when its test has ended.
#[derive(Clone)]
pub struct Namespace {
    /// The administrator's client.
    pub client: Client,
    /// Its name.
    pub name: String,
    /// Where its pods run.
    pub nodes: Nodes,
}

/// Runs a test in a namespace of its own, which enforces the restricted standard for pods. A failure prints what
/// the namespace holds.
pub async fn in_namespace<T>(
    name: &str,
    nodes: Nodes,
    test: impl AsyncFnOnce(&Namespace) -> Result<T>,
) -> Result<T> {
    let cluster = Cluster::get().await?;
    let namespace = Namespace::make(cluster, name, nodes).await?;
    let result = test(&namespace).await;
    if let Err(error) = &result {
        eprintln!("{}: {error:#}\n{}", namespace.name, namespace.describe().await);
    }
    namespace.delete().await?;
    result
}

impl Namespace {
    async fn make(cluster: &Cluster, name: &str, nodes: Nodes) -> Result<Self> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
        let name = format!("{name}-{:x}", now.as_micros() & 0xff_ffff_ffff);
        let annotations = match nodes {
            Nodes::Real => json!({}),
            Nodes::Fake => json!({
                "scheduler.alpha.kubernetes.io/node-selector": "e2e.test/node=fake",
                "scheduler.alpha.kubernetes.io/defaultTolerations":
                    "[{\"key\": \"e2e.test/fake\", \"operator\": \"Exists\"}]",
            }),
        };
        let object: NamespaceObject = serde_json::from_value(json!({"metadata": {
            "name": name,
            "labels": {"pod-security.kubernetes.io/enforce": "restricted", "e2e.test/test": "true"},
            "annotations": annotations,
        }}))?;
        let client = cluster.client.clone();
        Api::<NamespaceObject>::all(client.clone()).create(&PostParams::default(), &object).await?;
        let made = Self { client, name, nodes };
        let accounts: Api<ServiceAccount> = made.api();
        until("the default service account", std::time::Duration::from_secs(30), async || {
            Ok(Look::when(accounts.get_opt("default").await?.is_some(), (), "none"))
        })
        .await?;
        Ok(made)
    }

    /// The objects of one kind in it.
    pub fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope>
            + Clone
            + DeserializeOwned
            + std::fmt::Debug,
        K::DynamicType: Default,
    {
        Api::namespaced(self.client.clone(), &self.name)
    }

    /// `kubectl apply` of this YAML; an error if it is refused.
    pub async fn apply(&self, yaml: &str) -> Result<()> {
        kubectl(&["-n", &self.name, "apply", "-f", "-"], yaml).await.map(|_| ())
    }

    /// kubectl in this namespace; an error unless it ends with 0.
    pub async fn kubectl(&self, arguments: &[&str]) -> Result<String> {
        kubectl(&[&["-n", &self.name], arguments].concat(), "").await
    }

    /// kubectl in this namespace, however it ends.
    pub async fn kubectl_output(&self, arguments: &[&str], input: &str) -> Result<Output> {
        kubectl_output(&[&["-n", &self.name], arguments].concat(), input).await
    }

    /// What a person would look at after a failure.
    async fn describe(&self) -> String {
        let mut text = String::new();
        for arguments in [
            &["get", "tables,loadjobs,jobs,pods,pvc", "-o", "wide"][..],
            &["get", "loadjobs", "-o", "yaml"][..],
            &["get", "events", "--sort-by=.lastTimestamp"][..],
            &["logs", "-l", "app.kubernetes.io/name=longshore-worker", "--prefix", "--tail=15"][..],
        ] {
            match self.kubectl_output(arguments, "").await {
                Ok(output) => text.push_str(&format!("{}{}\n", output.stdout, output.stderr)),
                Err(error) => text.push_str(&format!("{error:#}\n")),
            }
        }
        text
    }

    async fn delete(&self) -> Result<()> {
        let namespaces: Api<NamespaceObject> = Api::all(self.client.clone());
        match namespaces.delete(&self.name, &DeleteParams::background()).await {
            // The test deleted it.
            Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
            other => Ok(other.map(|_| ())?),
        }
    }
}
