//! `spec.worker`: what an object may set on the pods that work for it. This is the allow-list: what stands
//! here in no field cannot be asked for (the apiserver prunes it, local mode refuses it).

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1 as core;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the pods that work for this object get: resources and where they run. Volumes, images, commands and
/// security settings are the administrator's.
#[derive(KubeSchema, Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkerSpec {
    /// CPU and memory of the worker's container; what is not stated comes from the operator's configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<WorkerResources>,
    /// Labels that the node must have.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32), extend("additionalProperties" = {"type": "string", "maxLength": 63}))]
    pub node_selector: BTreeMap<String, String>,
    /// Taints that the pod tolerates.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub tolerations: Vec<WorkerToleration>,
    /// Rules on the labels of nodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_affinity: Option<WorkerNodeAffinity>,
    /// How pods are spread over nodes and zones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub topology_spread_constraints: Vec<WorkerSpread>,
    /// PriorityClass of the pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub priority_class_name: Option<String>,
    /// RuntimeClass of the pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub runtime_class_name: Option<String>,
    /// ServiceAccount whose cloud identity reads the source; only one that the operator's configuration
    /// names. No Kubernetes token is mounted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub service_account_name: Option<String>,
    /// More labels of the pods; none of longshore.dev or kubernetes.io.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32), extend("additionalProperties" = {"type": "string", "maxLength": 63}))]
    #[x_kube(validation = Rule::new(RESERVED_KEYS).message("labels of longshore.dev and kubernetes.io, job-name and controller-uid are not yours to set"))]
    pub labels: BTreeMap<String, String>,
    /// More annotations of the pods; none of longshore.dev or kubernetes.io.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32), extend("additionalProperties" = {"type": "string", "maxLength": 1024}))]
    #[x_kube(validation = Rule::new(RESERVED_KEYS).message("annotations of longshore.dev and kubernetes.io are not yours to set"))]
    pub annotations: BTreeMap<String, String>,
}

/// The same as [`is_reserved`], for the apiserver.
const RESERVED_KEYS: &str = "self.all(key, !(key in ['job-name', 'controller-uid']) \
     && !key.startsWith('longshore.dev/') && !key.contains('.longshore.dev/') \
     && !key.startsWith('kubernetes.io/') && !key.contains('.kubernetes.io/'))";

/// Whether a label or annotation belongs to Kubernetes or to Longshore: no object may set it.
pub fn is_reserved(key: &str) -> bool {
    let Some((domain, _)) = key.split_once('/') else {
        return ["job-name", "controller-uid"].contains(&key);
    };
    ["longshore.dev", "kubernetes.io"]
        .iter()
        .any(|ours| domain.strip_suffix(ours).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')))
}

/// CPU and memory of the worker's container, as Kubernetes writes quantities (`2`, `500m`, `4Gi`).
#[derive(KubeSchema, Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkerResources {
    /// What the scheduler sets aside, by name: cpu, memory, ephemeral-storage.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 16))]
    pub requests: BTreeMap<String, WorkerQuantity>,
    /// The most that the container may take. The worker's budget is 0.6 of limits.memory.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 16))]
    pub limits: BTreeMap<String, WorkerQuantity>,
}

/// A quantity as Kubernetes writes it: a number, or a number with a unit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct WorkerQuantity(pub String);

impl<'de> Deserialize<'de> for WorkerQuantity {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // `cpu: 2` is a number in YAML, and what everybody writes.
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Text(String),
            Number(serde_json::Number),
        }
        Ok(match Written::deserialize(deserializer)? {
            Written::Text(text) => Self(text),
            Written::Number(number) => Self(number.to_string()),
        })
    }
}

impl JsonSchema for WorkerQuantity {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "WorkerQuantity".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "x-kubernetes-int-or-string": true,
            "maxLength": 32,
            "pattern": "^[0-9]+([.][0-9]+)?(m|k|M|G|T|P|Ki|Mi|Gi|Ti|Pi)?$",
        })
    }
}

impl From<&WorkerQuantity> for Quantity {
    fn from(quantity: &WorkerQuantity) -> Self {
        Self(quantity.0.clone())
    }
}

/// A taint that the pod tolerates.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkerToleration {
    /// Key of the taint; absent with operator Exists: every taint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 316))]
    pub key: Option<String>,
    /// Equal (the default) or Exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<TolerationOperator>,
    /// Value of the taint, with Equal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub value: Option<String>,
    /// NoSchedule, PreferNoSchedule or NoExecute; absent: each of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<TaintEffect>,
    /// With NoExecute: how long a pod stays on a node that gets the taint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub toleration_seconds: Option<i64>,
}

/// How a toleration compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TolerationOperator {
    /// The value is the same.
    Equal,
    /// The key is there.
    Exists,
}

/// What a taint does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TaintEffect {
    /// No new pod.
    NoSchedule,
    /// Rather no new pod.
    PreferNoSchedule,
    /// No pod at all.
    NoExecute,
}

/// Rules on the labels of nodes, as in a pod's `affinity.nodeAffinity`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkerNodeAffinity {
    /// The node must match one of the terms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub required_during_scheduling_ignored_during_execution: Option<WorkerNodeSelector>,
    /// Nodes that match are preferred, by weight.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub preferred_during_scheduling_ignored_during_execution: Vec<WorkerPreferredTerm>,
}

/// Terms of which one must match.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkerNodeSelector {
    /// The terms.
    #[schemars(length(min = 1, max = 16))]
    pub node_selector_terms: Vec<WorkerNodeTerm>,
}

/// A term with its weight.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkerPreferredTerm {
    /// 1 to 100.
    #[schemars(range(min = 1, max = 100))]
    pub weight: i32,
    /// The term.
    pub preference: WorkerNodeTerm,
}

/// Requirements that must all match.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkerNodeTerm {
    /// Requirements on labels of the node.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub match_expressions: Vec<WorkerRequirement>,
    /// Requirements on fields of the node: metadata.name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub match_fields: Vec<WorkerRequirement>,
}

/// A requirement on a label or field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkerRequirement {
    /// The label or field.
    #[schemars(length(min = 1, max = 316))]
    pub key: String,
    /// How it compares.
    pub operator: RequirementOperator,
    /// Values, with In, NotIn, Gt and Lt.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 253)))]
    pub values: Vec<String>,
}

/// How a requirement compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RequirementOperator {
    /// One of the values.
    In,
    /// None of the values.
    NotIn,
    /// It is there.
    Exists,
    /// It is not there.
    DoesNotExist,
    /// Greater than the value, as an integer.
    Gt,
    /// Less than the value, as an integer.
    Lt,
}

/// How pods of one table are spread, as in a pod's `topologySpreadConstraints`; the pods that count are those
/// of the same table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkerSpread {
    /// The largest difference of two domains.
    #[schemars(range(min = 1, max = 1000))]
    pub max_skew: i32,
    /// Label of nodes that names the domain.
    #[schemars(length(min = 1, max = 316))]
    pub topology_key: String,
    /// What happens when it cannot be kept.
    pub when_unsatisfiable: WhenUnsatisfiable,
}

/// What happens when pods cannot be spread as asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum WhenUnsatisfiable {
    /// The pod waits.
    DoNotSchedule,
    /// The pod runs all the same.
    ScheduleAnyway,
}

/// Turns a part of the API into Kubernetes' own type: the fields have the same names.
fn same_fields<T, K>(part: &T) -> Result<K, serde_json::Error>
where
    T: Serialize,
    K: serde::de::DeserializeOwned,
{
    serde_json::from_value(serde_json::to_value(part)?)
}

impl WorkerSpec {
    /// The tolerations, as a pod has them.
    ///
    /// # Errors
    /// Never for what the schema admits.
    pub fn pod_tolerations(&self) -> Result<Vec<core::Toleration>, serde_json::Error> {
        self.tolerations.iter().map(same_fields).collect()
    }

    /// The node affinity, as a pod has it.
    ///
    /// # Errors
    /// Never for what the schema admits.
    pub fn pod_node_affinity(&self) -> Result<Option<core::NodeAffinity>, serde_json::Error> {
        self.node_affinity.as_ref().map(same_fields).transpose()
    }

    /// The spread, as a pod has it, without the selector of the pods that count.
    ///
    /// # Errors
    /// Never for what the schema admits.
    pub fn pod_spread(&self) -> Result<Vec<core::TopologySpreadConstraint>, serde_json::Error> {
        self.topology_spread_constraints.iter().map(same_fields).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_keys_are_those_of_the_two_domains_and_of_jobs() {
        for key in [
            "longshore.dev/table",
            "x.longshore.dev/a",
            "kubernetes.io/a",
            "batch.kubernetes.io/job-name",
            "job-name",
            "controller-uid",
        ] {
            assert!(is_reserved(key), "{key}");
        }
        for key in ["team", "notkubernetes.io/a", "kueue.x-k8s.io/queue-name", "example.com/longshore.dev"] {
            assert!(!is_reserved(key), "{key}");
        }
    }

    #[test]
    fn every_field_reaches_the_pod() {
        let spec: WorkerSpec = serde_json::from_value(serde_json::json!({
            "tolerations": [{"key": "k", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 3}],
            "nodeAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
                    {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}]}]},
                "preferredDuringSchedulingIgnoredDuringExecution": [
                    {"weight": 5, "preference": {"matchFields": [
                        {"key": "metadata.name", "operator": "NotIn", "values": ["n"]}]}}],
            },
            "topologySpreadConstraints": [
                {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}],
        }))
        .unwrap();
        let toleration = spec.pod_tolerations().unwrap().remove(0);
        assert_eq!((toleration.key.as_deref(), toleration.toleration_seconds), (Some("k"), Some(3)));
        let affinity = spec.pod_node_affinity().unwrap().unwrap();
        let required = affinity.required_during_scheduling_ignored_during_execution.unwrap();
        assert_eq!(required.node_selector_terms[0].match_expressions.as_ref().unwrap()[0].key, "zone");
        assert_eq!(affinity.preferred_during_scheduling_ignored_during_execution.unwrap()[0].weight, 5);
        assert_eq!(spec.pod_spread().unwrap()[0].topology_key, "zone");
    }
}
