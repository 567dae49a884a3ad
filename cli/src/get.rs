//! `longshore get`.

use anyhow::bail;
use k8s_openapi::jiff::Timestamp;
use longshore_crds::{LoadJob, Pipe, Table};
use serde_json::{Value, json};

use crate::apply::settle;
use crate::args::{GetArgs, KindName, Output};
use crate::data_dir::DataDir;
use crate::objects::Kind;
use crate::print;

/// The answer to `get`.
pub fn run(args: &GetArgs, data_dir: &DataDir) -> anyhow::Result<String> {
    match args.kind {
        KindName::Tables => answer(args, &found::<Table>(args, data_dir)?),
        KindName::Pipes => answer(args, &found::<Pipe>(args, data_dir)?),
        KindName::LoadJobs => {
            let mut jobs = found::<LoadJob>(args, data_dir)?;
            jobs.iter_mut().for_each(|job| settle(job, data_dir));
            answer(args, &jobs)
        }
    }
}

fn found<K: Kind>(args: &GetArgs, data_dir: &DataDir) -> anyhow::Result<Vec<K>> {
    match &args.name {
        Some(name) => Ok(vec![existing(name, data_dir)?]),
        None => Ok(data_dir.objects().list()?),
    }
}

fn answer<K: Kind>(args: &GetArgs, found: &[K]) -> anyhow::Result<String> {
    match args.output {
        None | Some(Output::Wide) if found.is_empty() => {
            Ok(format!("no {} in this data directory\n", K::api_resource().plural))
        }
        None | Some(Output::Wide) => Ok(print::objects(found, args.output.is_some(), Timestamp::now())?),
        Some(Output::Yaml) => Ok(serde_yaml::to_string(&document(found, args.name.is_some())?)?),
        Some(Output::Json) => {
            Ok(serde_json::to_string_pretty(&document(found, args.name.is_some())?)? + "\n")
        }
    }
}

/// The object of that name, or an error that says how to make one.
pub fn existing<K: Kind>(name: &str, data_dir: &DataDir) -> anyhow::Result<K> {
    let Some(object) = data_dir.objects().get::<K>(name)? else {
        let resource = K::api_resource();
        bail!(
            "{}.{}/{name} not found; apply its manifest, or look into another --data-dir",
            resource.kind.to_lowercase(),
            resource.group
        );
    };
    Ok(object)
}

fn document<K: Kind>(found: &[K], single: bool) -> serde_json::Result<Value> {
    match found {
        [object] if single => serde_json::to_value(object),
        _ => Ok(json!({"apiVersion": "v1", "kind": "List", "items": found})),
    }
}
