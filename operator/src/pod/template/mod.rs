//! The administrator's own template of worker pods: it lies below each pod that Longshore builds.
//!
//! Lists are merged as Kubernetes merges them (containers, volumes and variables by name). What Longshore sets stands;
//! a template that says otherwise is refused when the operator starts, by the field's name, never passed over in silence.

mod check;
mod merge;

use k8s_openapi::DeepMerge;
use k8s_openapi::api::core::v1::{Container, PodSpec, PodTemplateSpec};
use serde_json::Value;

use super::{CONTAINER, security};

/// Why a template cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TemplateError {
    /// It is no YAML, or a field has a value of another kind.
    #[error("{field}: {why}")]
    Unreadable {
        /// Path of the field, from `metadata` or `spec`.
        field: String,
        /// What the reader says.
        why: String,
    },
    /// A field that Kubernetes does not know in a pod.
    #[error("{0} is no field of a pod; see kubectl explain pod")]
    Unknown(String),
    /// A field that is not the template's.
    #[error("{field} cannot be set here: {why}")]
    Refused {
        /// Path of the field.
        field: String,
        /// Whose it is, or what it would break.
        why: &'static str,
    },
}

/// A template that was checked.
#[derive(Debug, Clone, PartialEq)]
pub struct PodTemplate {
    template: PodTemplateSpec,
}

impl PodTemplate {
    /// Reads `metadata` (labels and annotations) and `spec` of a pod from YAML; `sample` is a pod that is built without
    /// a template.
    ///
    /// # Errors
    /// The first field that cannot be used.
    pub fn parse(text: &str, sample: &PodTemplateSpec) -> Result<Self, TemplateError> {
        let unreadable =
            |field: &str, why: String| TemplateError::Unreadable { field: field.to_owned(), why };
        let written: Value =
            serde_yaml::from_str(text).map_err(|error| unreadable("the file", error.to_string()))?;
        let template: PodTemplateSpec = serde_path_to_error::deserialize(&written)
            .map_err(|error| unreadable(&error.path().to_string(), error.inner().to_string()))?;
        if let Some(field) = lost("", &written, &value(&template)) {
            return Err(TemplateError::Unknown(field));
        }
        check::check(&template)?;
        let mut template = template;
        restrict(&mut template);
        let this = Self { template };
        match lost("", &value(&this.template), &value(&this.under(sample.clone()))) {
            None => Ok(this),
            Some(field) => {
                let why = "the operator sets it, if need be by a setting of its own";
                Err(TemplateError::Refused { field, why })
            }
        }
    }

    /// The pod over the template.
    pub fn under(&self, pod: PodTemplateSpec) -> PodTemplateSpec {
        let mut merged = self.template.clone();
        let labels = merge::labels(&self.template, &pod);
        let (below, above) = (self.template.spec.clone(), pod.spec.clone());
        merged.merge_from(pod);
        merged.metadata = Some(labels);
        if let (Some(spec), Some(below), Some(above)) = (&mut merged.spec, below, above) {
            merge::placement(spec, below, above);
            // The first container is the worker: what reads a pod relies on it.
            spec.containers.sort_by_key(|container| container.name != CONTAINER);
        }
        merged
    }
}

/// Init containers get the restricted standard where they say nothing.
fn restrict(template: &mut PodTemplateSpec) {
    for container in template.spec.iter_mut().flat_map(init_containers) {
        let mut context = security::of_any_container();
        context.merge_from(container.security_context.take().unwrap_or_default());
        container.security_context = Some(context);
    }
}

fn init_containers(spec: &mut PodSpec) -> impl Iterator<Item = &mut Container> {
    spec.init_containers.iter_mut().flatten()
}

fn value(template: &PodTemplateSpec) -> Value {
    serde_json::to_value(template).unwrap_or_default()
}

/// Fields by which an element of a list is told from the others.
const IDENTITIES: [&str; 7] =
    ["name", "mountPath", "containerPort", "devicePath", "ip", "topologyKey", "key"];

/// Path of the first thing in `wanted` that is not the same in `has`.
fn lost(path: &str, wanted: &Value, has: &Value) -> Option<String> {
    match (wanted, has) {
        (Value::Null, _) => None,
        (Value::Object(wanted), _) if wanted.is_empty() => None,
        (Value::Array(wanted), _) if wanted.is_empty() => None,
        (Value::Object(wanted), Value::Object(has)) => wanted.iter().find_map(|(key, wanted)| {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            lost(&path, wanted, has.get(key).unwrap_or(&Value::Null))
        }),
        (Value::Array(wanted), Value::Array(has)) => {
            wanted.iter().enumerate().find_map(|(index, wanted)| lost_item(path, index, wanted, has))
        }
        _ => (wanted != has).then(|| path.to_owned()),
    }
}

fn lost_item(path: &str, index: usize, wanted: &Value, has: &[Value]) -> Option<String> {
    let identity = IDENTITIES.iter().find_map(|key| Some((*key, wanted.get(*key)?)));
    let same = identity.and_then(|(key, identity)| {
        let name = identity.as_str().map_or_else(|| identity.to_string(), str::to_owned);
        Some((name, has.iter().find(|has| has.get(key) == Some(identity))?))
    });
    match same {
        Some((name, has)) => lost(&format!("{path}[{name}]"), wanted, has),
        None if has.iter().any(|has| lost(path, wanted, has).is_none()) => None,
        None if wanted.is_object() => Some(format!("{path}[{index}]")),
        None => Some(path.to_owned()),
    }
}

#[cfg(test)]
mod tests;
