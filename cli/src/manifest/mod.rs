//! From files to checked objects: read, split into documents, check as an apiserver would, fill in defaults.

mod read;
mod schema;
mod suggest;

use kube::CustomResourceExt;
use longshore_crds::{API_VERSION, GROUP, LoadJob, Pipe, Table};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

pub use read::{Document, read};
pub use schema::Problem;
use suggest::suggestion;

/// Most characters of an object's name.
const MAX_NAME: usize = 50;

/// Fields of `metadata` that a manifest may carry.
const METADATA_FIELDS: [&str; 14] = [
    "annotations",
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "finalizers",
    "generateName",
    "generation",
    "labels",
    "managedFields",
    "name",
    "namespace",
    "ownerReferences",
    "resourceVersion",
    "uid",
];

/// An object of one of our kinds, with every default filled in and no status.
#[derive(Debug)]
pub enum Object {
    /// A Table.
    Table(Box<Table>),
    /// A LoadJob.
    LoadJob(Box<LoadJob>),
    /// A Pipe.
    Pipe(Box<Pipe>),
    /// A kind of another group, which local mode has no use for.
    Foreign {
        /// `kind/name`.
        name: String,
    },
}

/// Checks the structure of a document and reads it; all faults at once.
pub fn parse(document: &Value) -> Result<Object, Vec<Problem>> {
    let problem = |field: &str, message: String| Err(vec![Problem { field: field.to_owned(), message }]);
    let Some(fields) = document.as_object() else {
        return problem("", "expected an object with apiVersion, kind, metadata and spec".to_owned());
    };
    let text = |field: &str| fields.get(field).and_then(Value::as_str).unwrap_or_default();
    let (api_version, kind) = (text("apiVersion"), text("kind"));
    if !api_version.is_empty() && !api_version.starts_with(&format!("{GROUP}/")) {
        let name = document.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
        return Ok(Object::Foreign { name: format!("{}/{name}", kind.to_lowercase()) });
    }
    if api_version != API_VERSION {
        return problem("apiVersion", format!("`{api_version}` is not known, expected {API_VERSION}"));
    }
    match kind {
        "Table" => typed(document).map(|table| Object::Table(Box::new(table))),
        "LoadJob" => {
            let job: LoadJob = typed(document)?;
            match job.spec.format_problem() {
                Some(message) => problem("spec", message),
                None => Ok(Object::LoadJob(Box::new(job))),
            }
        }
        "Pipe" => {
            let pipe: Pipe = typed(document)?;
            let source = &pipe.spec.source;
            let checked = source.format.as_ref().map(|format| format.check(source.columns.as_deref()));
            match checked {
                Some(Err(error)) => problem("spec.source.format", error.to_string()),
                _ => Ok(Object::Pipe(Box::new(pipe))),
            }
        }
        _ => {
            let hint = suggestion(kind, &["Table", "LoadJob", "Pipe"]);
            problem("kind", format!("`{kind}` is not known, expected one of Table, LoadJob, Pipe{hint}"))
        }
    }
}

fn typed<K: CustomResourceExt + DeserializeOwned>(document: &Value) -> Result<K, Vec<Problem>> {
    let mut document = document.clone();
    let mut problems = root_problems(&document);
    problems.extend(metadata_problems(&document["metadata"]));
    if let Some(fields) = document.as_object_mut() {
        // As behind a status subresource, what a manifest says there is not taken.
        fields.remove("status");
        let spec = fields.entry("spec").or_insert_with(|| json!({}));
        let schema = longshore_crds::schema::<K>();
        if let Some(spec_schema) = schema.properties.as_ref().and_then(|properties| properties.get("spec")) {
            problems.extend(schema::check(spec_schema, spec, "spec"));
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    serde_path_to_error::deserialize(document).map_err(|error| {
        vec![Problem { field: error.path().to_string(), message: error.into_inner().to_string() }]
    })
}

fn root_problems(document: &Value) -> Vec<Problem> {
    const KNOWN: [&str; 4] = ["apiVersion", "kind", "metadata", "spec"];
    let names = document.as_object().into_iter().flat_map(serde_json::Map::keys);
    names
        .filter(|name| !KNOWN.contains(&name.as_str()) && *name != "status")
        .map(|name| unknown_field("", name, &KNOWN))
        .collect()
}

fn metadata_problems(metadata: &Value) -> Vec<Problem> {
    let mut problems: Vec<Problem> = metadata
        .as_object()
        .into_iter()
        .flat_map(serde_json::Map::keys)
        .filter(|name| !METADATA_FIELDS.contains(&name.as_str()))
        .map(|name| unknown_field("metadata.", name, &METADATA_FIELDS))
        .collect();
    let message = match &metadata["name"] {
        Value::String(name) if is_dns_label(name) => return problems,
        Value::String(name) => format!(
            "`{name}` cannot be a name; use at most {MAX_NAME} lower-case letters, digits and -, with a \
             letter or digit at both ends"
        ),
        _ => "required, but not given".to_owned(),
    };
    problems.push(Problem { field: "metadata.name".to_owned(), message });
    problems
}

fn unknown_field(parent: &str, name: &str, known: &[&str]) -> Problem {
    let hint = suggestion(name, known);
    Problem {
        field: format!("{parent}{name}"),
        message: format!("unknown field, expected one of {}{hint}", known.join(", ")),
    }
}

fn is_dns_label(name: &str) -> bool {
    let inner = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
    (1..=MAX_NAME).contains(&name.len())
        && name.bytes().all(inner)
        && !name.starts_with('-')
        && !name.ends_with('-')
}

/// The rules of the API, run here as an apiserver runs them: those of creation, or with `old` (which carries
/// the status) those of an update.
pub fn check_rules<K>(new: &K, old: Option<&K>) -> Result<(), Vec<Problem>>
where
    K: CustomResourceExt + serde::Serialize,
{
    let result = match old {
        Some(old) => kube::core::cel::validate_cel_update(new, old),
        None => kube::core::cel::validate_cel(new),
    };
    result.map_err(|errors| {
        let problems = errors.into_vec().into_iter();
        // A rule of the whole object that names a field gives it as `.spec`.
        problems
            .map(|e| Problem { field: e.field_path.trim_start_matches('.').to_owned(), message: e.message })
            .collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(document: &Value) -> Vec<String> {
        parse(document).unwrap_err().iter().map(ToString::to_string).collect()
    }

    fn job(name: &str) -> Value {
        json!({
            "apiVersion": API_VERSION, "kind": "LoadJob", "metadata": {"name": name},
            "spec": {"table": "t", "sources": [{"paths": ["s3://b/k"]}]}
        })
    }

    #[test]
    fn kinds_and_versions_are_told_apart() {
        assert!(matches!(parse(&job("j")), Ok(Object::LoadJob(_))));
        let mut other = job("j");
        other["kind"] = json!("Loadjob");
        assert_eq!(
            problems(&other),
            ["kind: `Loadjob` is not known, expected one of Table, LoadJob, Pipe; did you mean `LoadJob`?"]
        );
        other["apiVersion"] = json!("longshore.dev/v2");
        assert_eq!(
            problems(&other),
            ["apiVersion: `longshore.dev/v2` is not known, expected longshore.dev/v1alpha1"]
        );
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "aws"}});
        assert!(matches!(parse(&secret), Ok(Object::Foreign { name }) if name == "secret/aws"));
    }

    #[test]
    fn all_faults_of_an_object_come_at_once() {
        let mut document = job("Not_A_Name");
        document["specs"] = json!(1);
        document["metadata"]["lables"] = json!({});
        document["spec"]["tabel"] = json!("t");
        let problems = problems(&document);
        assert_eq!(problems.len(), 4, "{problems:?}");
        assert!(problems[0].starts_with("specs: unknown field, expected one of apiVersion, kind"));
        assert!(problems[1].starts_with("metadata.lables: unknown field, "));
        assert!(problems[1].ends_with("did you mean `labels`?"));
        assert!(problems[2].starts_with("metadata.name: `Not_A_Name` cannot be a name; "));
        assert!(problems[3].starts_with("spec.tabel: unknown field, "));
    }

    #[test]
    fn a_status_in_a_manifest_is_not_taken() {
        let mut document = job("j");
        document["status"] = json!({"state": "FINISHED"});
        let Ok(Object::LoadJob(job)) = parse(&document) else { panic!("refused") };
        assert!(job.status.is_none());
    }

    #[test]
    fn the_rules_of_the_api_hold_here_too() {
        let Ok(Object::LoadJob(old)) = parse(&job("j")) else { panic!("refused") };
        let mut new = old.clone();
        new.spec.label = Some("a..b".to_owned());
        let problems = check_rules(&*new, None).unwrap_err();
        assert_eq!(problems[0].field, "spec.label");
        let mut new = old.clone();
        new.spec.table = "u".to_owned();
        let problems = check_rules(&*new, Some(&*old)).unwrap_err();
        assert_eq!(problems[0].to_string(), "spec.table: table is immutable; make a LoadJob of another name");
    }
}
