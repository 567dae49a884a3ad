//! What `deploy/` grants the operator.

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::Value;

use crate::repository;

/// The rules of every ClusterRole and Role for the operator in `deploy/`, together.
pub(crate) fn rules() -> Result<Vec<Value>> {
    let folder = repository().join("deploy");
    let mut rules = Vec::new();
    for entry in std::fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            collect(&std::fs::read_to_string(&path)?, &mut rules)
                .with_context(|| path.display().to_string())?;
        }
    }
    ensure!(!rules.is_empty(), "deploy/ grants nothing");
    Ok(rules)
}

fn collect(text: &str, rules: &mut Vec<Value>) -> Result<()> {
    for document in serde_yaml::Deserializer::from_str(text) {
        let object = Value::deserialize(document)?;
        let kind = object["kind"].as_str().unwrap_or_default();
        let name = object["metadata"]["name"].as_str().unwrap_or_default();
        // Roles for people (view, edit) are named otherwise.
        let operators =
            name == "longshore-operator" || name == "longshore" || name.ends_with("leader-election");
        if matches!(kind, "ClusterRole" | "Role") && operators {
            rules.extend(object["rules"].as_array().into_iter().flatten().cloned());
        }
    }
    Ok(())
}
