//! Where a worker's pod may run: with its table's other pods, and where its object and the administrator say.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    Affinity, PodAffinity, PodAffinityTerm, Toleration, TopologySpreadConstraint,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use longshore_crds::WorkerSpec;

use super::PodError;
use super::spec::TableRef;
use crate::config::WorkerDefaults;
use crate::names;

/// How long a pod stays on a node that does not answer. Seconds.
const UNREACHABLE_SECONDS: i64 = 30;

/// The volume of a table can be on one node at a time: its pods share that node. A pod that is the first of
/// its table and epoch satisfies the rule by itself.
pub(super) fn affinity(table: &TableRef, worker: &WorkerSpec) -> Result<Option<Affinity>, PodError> {
    let pod_affinity = table.one_node.then(|| PodAffinity {
        required_during_scheduling_ignored_during_execution: Some(vec![PodAffinityTerm {
            label_selector: Some(selector(table)),
            topology_key: "kubernetes.io/hostname".to_owned(),
            ..PodAffinityTerm::default()
        }]),
        ..PodAffinity::default()
    });
    let node_affinity = worker.pod_node_affinity()?;
    let some = pod_affinity.is_some() || node_affinity.is_some();
    Ok(some.then_some(Affinity { node_affinity, pod_affinity, pod_anti_affinity: None }))
}

fn selector(table: &TableRef) -> LabelSelector {
    let labels = BTreeMap::from([
        (names::TABLE.to_owned(), table.name.clone()),
        (names::VOLUME_EPOCH.to_owned(), table.volume_epoch.to_string()),
    ]);
    LabelSelector { match_labels: Some(labels), ..LabelSelector::default() }
}

/// Tolerations of the administrator and the object; a node that does not answer is given up after a while.
pub(super) fn tolerations(
    worker: &WorkerSpec,
    defaults: &WorkerDefaults,
) -> Result<Vec<Toleration>, PodError> {
    let unanswering = ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"];
    let mut tolerations = defaults.tolerations.clone();
    tolerations.extend(worker.pod_tolerations()?);
    tolerations.extend(unanswering.map(|key| Toleration {
        key: Some(key.to_owned()),
        operator: Some("Exists".to_owned()),
        effect: Some("NoExecute".to_owned()),
        toleration_seconds: Some(UNREACHABLE_SECONDS),
        value: None,
    }));
    Ok(tolerations)
}

/// The spread that the object asks for, over the pods of its table.
pub(super) fn spread(
    table: &TableRef,
    worker: &WorkerSpec,
) -> Result<Option<Vec<TopologySpreadConstraint>>, PodError> {
    let mut constraints = worker.pod_spread()?;
    for constraint in &mut constraints {
        constraint.label_selector = Some(selector(table));
    }
    Ok((!constraints.is_empty()).then_some(constraints))
}

/// Labels of the node: the administrator's, and the object's beside them.
pub(super) fn node_selector(
    worker: &WorkerSpec,
    defaults: &WorkerDefaults,
) -> Option<BTreeMap<String, String>> {
    let mut selector = worker.node_selector.clone();
    selector.extend(defaults.node_selector.clone());
    (!selector.is_empty()).then_some(selector)
}
