//! The CustomResourceDefinitions, as they are installed.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray,
};
use kube::CustomResourceExt;

use crate::{LoadJob, Pipe, Table};

/// The group of every kind.
pub const GROUP: &str = "longshore.dev";
/// `apiVersion` of every kind.
pub const API_VERSION: &str = "longshore.dev/v1alpha1";

/// Definitions of all kinds.
pub fn definitions() -> [CustomResourceDefinition; 3] {
    [definition::<Table>(), definition::<LoadJob>(), definition::<Pipe>()]
}

/// The definition of one kind.
///
/// Formats that OpenAPI does not know (`uint32`, `uint64`) are written as `int64`, or the apiserver warns
/// about each of them.
pub fn definition<K: CustomResourceExt>() -> CustomResourceDefinition {
    let mut definition = K::crd();
    for version in &mut definition.spec.versions {
        if let Some(schema) = version.schema.as_mut().and_then(|s| s.open_api_v3_schema.as_mut()) {
            plain_formats(schema);
        }
    }
    definition
}

/// The schema of one kind's objects.
pub fn schema<K: CustomResourceExt>() -> JSONSchemaProps {
    let versions = definition::<K>().spec.versions;
    versions
        .into_iter()
        .find_map(|version| version.schema.and_then(|s| s.open_api_v3_schema))
        .unwrap_or_default()
}

fn plain_formats(schema: &mut JSONSchemaProps) {
    if schema.format.as_deref().is_some_and(|format| format.starts_with("uint")) {
        schema.format = Some("int64".to_owned());
        // The apiserver prints and compares integers; schemars writes 0.0.
        schema.minimum = schema.minimum.or(Some(0.0));
    }
    for property in schema.properties.iter_mut().flatten().map(|(_, property)| property) {
        plain_formats(property);
    }
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = schema.items.as_mut() {
        plain_formats(items);
    }
}

/// Name and text of the checked-in file of a definition.
pub fn definition_file(definition: &CustomResourceDefinition) -> Result<(String, String), serde_yaml::Error> {
    let name = format!("{}.{}.yaml", definition.spec.names.plural, definition.spec.group);
    let text = serde_yaml::to_string(definition)?;
    Ok((name, format!("# Written by `cargo run -p longshore-crds --bin crdgen`; do not edit.\n{text}")))
}
