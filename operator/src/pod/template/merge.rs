//! Where the template goes beside what a pod has already, and not under it.

use k8s_openapi::api::core::v1::{
    Affinity, NodeAffinity, NodeSelector, NodeSelectorTerm, PodAffinity, PodAntiAffinity, PodSpec,
    PodTemplateSpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

/// Labels and annotations of both; the administrator's go before those of an object. Longshore's own are in no template.
pub(super) fn labels(template: &PodTemplateSpec, pod: &PodTemplateSpec) -> ObjectMeta {
    let mut metadata = pod.metadata.clone().unwrap_or_default();
    let below = template.metadata.clone().unwrap_or_default();
    for (map, below) in [(&mut metadata.labels, below.labels), (&mut metadata.annotations, below.annotations)]
    {
        if let Some(below) = below {
            map.get_or_insert_default().extend(below);
        }
    }
    metadata
}

/// Where a pod may run is what all of them allow: no object leaves the nodes that the administrator chose.
pub(super) fn placement(spec: &mut PodSpec, below: PodSpec, above: PodSpec) {
    let mut selector = above.node_selector.unwrap_or_default();
    selector.extend(below.node_selector.unwrap_or_default());
    spec.node_selector = (!selector.is_empty()).then_some(selector);
    spec.tolerations = joined(above.tolerations, below.tolerations);
    spec.affinity = match (above.affinity, below.affinity) {
        (Some(above), Some(below)) => Some(affinity(above, below)),
        (above, below) => above.or(below),
    };
}

fn joined<T>(one: Option<Vec<T>>, other: Option<Vec<T>>) -> Option<Vec<T>> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.into_iter().chain(other).collect()),
        (one, other) => one.or(other),
    }
}

fn affinity(above: Affinity, below: Affinity) -> Affinity {
    Affinity {
        node_affinity: both(above.node_affinity, below.node_affinity, node_affinity),
        pod_affinity: both(above.pod_affinity, below.pod_affinity, |above, below| PodAffinity {
            required_during_scheduling_ignored_during_execution: joined(
                above.required_during_scheduling_ignored_during_execution,
                below.required_during_scheduling_ignored_during_execution,
            ),
            preferred_during_scheduling_ignored_during_execution: joined(
                above.preferred_during_scheduling_ignored_during_execution,
                below.preferred_during_scheduling_ignored_during_execution,
            ),
        }),
        pod_anti_affinity: both(above.pod_anti_affinity, below.pod_anti_affinity, |above, below| {
            PodAntiAffinity {
                required_during_scheduling_ignored_during_execution: joined(
                    above.required_during_scheduling_ignored_during_execution,
                    below.required_during_scheduling_ignored_during_execution,
                ),
                preferred_during_scheduling_ignored_during_execution: joined(
                    above.preferred_during_scheduling_ignored_during_execution,
                    below.preferred_during_scheduling_ignored_during_execution,
                ),
            }
        }),
    }
}

fn both<T>(above: Option<T>, below: Option<T>, join: impl FnOnce(T, T) -> T) -> Option<T> {
    match (above, below) {
        (Some(above), Some(below)) => Some(join(above, below)),
        (above, below) => above.or(below),
    }
}

fn node_affinity(above: NodeAffinity, below: NodeAffinity) -> NodeAffinity {
    NodeAffinity {
        required_during_scheduling_ignored_during_execution: both(
            above.required_during_scheduling_ignored_during_execution,
            below.required_during_scheduling_ignored_during_execution,
            |above, below| all_of(&above, &below),
        ),
        preferred_during_scheduling_ignored_during_execution: joined(
            above.preferred_during_scheduling_ignored_during_execution,
            below.preferred_during_scheduling_ignored_during_execution,
        ),
    }
}

/// A node fits a selector if one of its terms holds: both hold if a pair of terms does.
fn all_of(above: &NodeSelector, below: &NodeSelector) -> NodeSelector {
    let terms = above.node_selector_terms.iter().flat_map(|above| {
        below.node_selector_terms.iter().map(|below| NodeSelectorTerm {
            match_expressions: joined(above.match_expressions.clone(), below.match_expressions.clone()),
            match_fields: joined(above.match_fields.clone(), below.match_fields.clone()),
        })
    });
    NodeSelector { node_selector_terms: terms.collect() }
}
