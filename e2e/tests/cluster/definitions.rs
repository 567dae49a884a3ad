//! The definitions on a real apiserver: their size, rules, defaults, and how they explain themselves.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use kube::api::{Api, ApiResource, DynamicObject, Patch, PatchParams, PostParams};
use kube::core::GroupVersionKind;
use longshore_e2e::wait::{Look, until};
use longshore_e2e::{Cluster, Namespace, Nodes, in_namespace, kubectl, repository, run};
use serde::Deserialize;
use serde_json::{Value, json};

/// Cases of one kind.
#[derive(Debug, Deserialize)]
struct Kind {
    object: Value,
    cases: Vec<Case>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    set: BTreeMap<String, Value>,
    says: Option<String>,
    #[serde(default)]
    becomes: BTreeMap<String, Value>,
    #[serde(default)]
    lacks: Vec<String>,
    status: Option<Value>,
}

fn kinds() -> BTreeMap<String, Kind> {
    serde_yaml::from_str(include_str!("rules.yaml")).unwrap()
}

#[test]
#[ignore = "needs a cluster: make e2e"]
fn client_side_apply_of_the_definitions_works() -> Result<()> {
    run(async {
        Cluster::get().await?;
        for entry in std::fs::read_dir(repository().join("crds"))? {
            let path = entry?.path();
            if path.extension().is_none_or(|extension| extension != "yaml") {
                continue;
            }
            let text = std::fs::read_to_string(&path)?;
            let applied = kubectl(&["apply", "-f", "-"], &text).await?;
            ensure!(applied.contains("unchanged") || applied.contains("configured"), "{applied}");
            let definition: Value = serde_yaml::from_str(&text)?;
            let bytes = definition.to_string().len();
            println!("{}: {bytes} bytes", path.display());
            ensure!(bytes < 262_144, "{} has {bytes} bytes", path.display());
        }
        Ok(())
    })
}

#[test]
#[ignore = "needs a cluster: make e2e"]
fn explain_tells_what_a_source_is() -> Result<()> {
    run(async {
        Cluster::get().await?;
        // The apiserver publishes new definitions some seconds after it takes them.
        let text = until("the definition to be published", Duration::from_secs(60), async || {
            Ok(Look::Found(kubectl(&["explain", "loadjob.spec.sources"], "").await?))
        })
        .await?;
        for word in ["paths", "s3", "format", "columns", "wildcards"] {
            ensure!(text.contains(word), "{word} is not in:\n{text}");
        }
        let text = kubectl(&["explain", "loadjob.spec.sources.s3.credentials.secretRef"], "").await?;
        ensure!(text.contains("Name of the Secret"), "{text}");
        Ok(())
    })
}

#[test]
#[ignore = "needs a cluster: make e2e"]
fn the_rules_and_defaults_of_a_table_hold_on_the_apiserver() -> Result<()> {
    run(in_namespace("rules-table", Nodes::Fake, async |namespace| try_cases(namespace, "Table").await))
}

#[test]
#[ignore = "needs a cluster: make e2e"]
fn the_rules_and_defaults_of_a_load_hold_on_the_apiserver() -> Result<()> {
    run(in_namespace("rules-load", Nodes::Fake, async |namespace| try_cases(namespace, "LoadJob").await))
}

#[test]
#[ignore = "needs a cluster: make e2e"]
fn the_rules_and_defaults_of_a_pipe_hold_on_the_apiserver() -> Result<()> {
    run(in_namespace("rules-pipe", Nodes::Fake, async |namespace| try_cases(namespace, "Pipe").await))
}

/// Needs no cluster: a rule without a case in `rules.yaml` fails here.
#[test]
fn every_rule_has_a_case_that_it_refuses() {
    let cases = kinds();
    let said: Vec<&str> =
        cases.values().flat_map(|kind| &kind.cases).filter_map(|case| case.says.as_deref()).collect();
    let mut missing = BTreeSet::new();
    for definition in longshore_crds::definitions() {
        collect_messages(&serde_json::to_value(definition).unwrap(), &mut missing);
    }
    assert!(!missing.is_empty(), "the definitions have rules");
    missing.retain(|message| !said.iter().any(|text| message.contains(text)));
    assert!(missing.is_empty(), "no case for {missing:#?}");
}

fn collect_messages(schema: &Value, messages: &mut BTreeSet<String>) {
    if let Some(rules) = schema.get("x-kubernetes-validations").and_then(Value::as_array) {
        messages.extend(rules.iter().filter_map(|rule| rule["message"].as_str()).map(str::to_owned));
    }
    match schema {
        Value::Object(fields) => fields.values().for_each(|value| collect_messages(value, messages)),
        Value::Array(items) => items.iter().for_each(|value| collect_messages(value, messages)),
        _ => {}
    }
}

async fn try_cases(namespace: &Namespace, kind: &str) -> Result<()> {
    let Kind { object, cases } = kinds().remove(kind).context("no cases of this kind")?;
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("longshore.dev", "v1alpha1", kind));
    let api: Api<DynamicObject> = Api::namespaced_with(namespace.client.clone(), &namespace.name, &resource);
    let mut faults = Vec::new();
    for (number, case) in cases.iter().enumerate() {
        let answer = try_case(&api, &object, case, number).await;
        if let Some(fault) = judge(case, answer) {
            faults.push(format!("{kind}, {}: {fault}", case.name));
        }
    }
    println!("{kind}: {} cases", cases.len());
    ensure!(faults.is_empty(), "{}", faults.join("\n"));
    Ok(())
}

async fn try_case(
    api: &Api<DynamicObject>,
    plain: &Value,
    case: &Case,
    number: usize,
) -> kube::Result<Value> {
    let dry_run = PostParams { dry_run: true, ..PostParams::default() };
    let Some(status) = &case.status else {
        let object = serde_json::from_value(changed(plain, &case.set)).map_err(kube::Error::SerdeError)?;
        return api.create(&dry_run, &object).await.map(|stored| json!(stored));
    };
    let mut stored = plain.clone();
    let name = format!("case-{number}");
    stored["metadata"]["name"] = json!(name);
    let object = serde_json::from_value(stored).map_err(kube::Error::SerdeError)?;
    api.create(&PostParams::default(), &object).await?;
    let patch = Patch::Merge(json!({"status": status}));
    let stored = api.patch_status(&name, &PatchParams::default(), &patch).await?;
    let object =
        serde_json::from_value(changed(&json!(stored), &case.set)).map_err(kube::Error::SerdeError)?;
    api.replace(&name, &dry_run, &object).await.map(|stored| json!(stored))
}

fn judge(case: &Case, answer: kube::Result<Value>) -> Option<String> {
    match (answer, &case.says) {
        (Ok(_), Some(says)) => Some(format!("accepted, should say: {says}")),
        (Err(kube::Error::Api(status)), Some(says)) if status.message.contains(says) => None,
        (Err(error), _) => Some(format!("refused: {error}")),
        (Ok(stored), None) => {
            if let Some(pointer) = case.lacks.iter().find(|pointer| stored.pointer(pointer).is_some()) {
                return Some(format!("{pointer} was kept"));
            }
            let differs = |(pointer, value): &(&String, &Value)| stored.pointer(pointer) != Some(*value);
            let (pointer, value) = case.becomes.iter().find(differs)?;
            Some(format!("{pointer} is {:?}, not {value}", stored.pointer(pointer)))
        }
    }
}

/// The object with values at JSON pointers; a last part that is not there is added.
fn changed(object: &Value, set: &BTreeMap<String, Value>) -> Value {
    let mut object = object.clone();
    for (pointer, value) in set {
        let (parent, field) = pointer.rsplit_once('/').unwrap();
        match object.pointer_mut(parent).unwrap() {
            Value::Array(items) => items[field.parse::<usize>().unwrap()] = value.clone(),
            parent => parent[field] = value.clone(),
        }
    }
    object
}
