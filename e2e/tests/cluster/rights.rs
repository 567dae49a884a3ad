//! What the chart grants is what operators asked for in the whole run, by the apiserver's own record.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use longshore_e2e::{Audit, Call, Cluster, rights, run};
use serde::Deserialize;
use serde_json::Value;

use crate::install::SYSTEM;

/// Resource and verb.
type Right = (String, String);

/// What no test can make an operator call, and why.
const EXCUSED: [(&str, &str, &str); 1] = [(
    "events.k8s.io/events",
    "patch",
    "an event is counted when the same is told of an object again after five minutes or more; no test lives so long",
)];

/// The rules of the rendered Roles, by the kind of the Role.
async fn granted(watches_all: bool) -> Result<BTreeMap<String, BTreeSet<Right>>> {
    let mut granted: BTreeMap<String, BTreeSet<Right>> = BTreeMap::new();
    for document in serde_yaml::Deserializer::from_str(&rights("n", watches_all).await?) {
        let object = Value::deserialize(document)?;
        let kind = object["kind"].as_str().unwrap_or_default().to_owned();
        for rule in object["rules"].as_array().into_iter().flatten() {
            let texts =
                |field: &str| -> Result<Vec<String>> { Ok(serde_json::from_value(rule[field].clone())?) };
            for group in texts("apiGroups")? {
                for resource in texts("resources")? {
                    let rights =
                        texts("verbs")?.into_iter().map(|verb| (format!("{group}/{resource}"), verb));
                    granted.entry(kind.clone()).or_default().extend(rights);
                }
            }
        }
    }
    Ok(granted)
}

/// The rights that these calls took, and how often.
fn used<'a>(calls: impl Iterator<Item = &'a Call>) -> BTreeMap<Right, usize> {
    let mut used = BTreeMap::new();
    for call in calls.filter(|call| call.allowed && !call.resource.is_empty()) {
        *used.entry((call.resource.clone(), call.verb.clone())).or_insert(0) += 1;
        // A server-side apply that made the object: the apiserver asks for both rights.
        if call.verb == "patch" && call.code == 201 {
            *used.entry((call.resource.clone(), "create".to_owned())).or_insert(0) += 1;
        }
    }
    used
}

/// What was granted and neither used nor excused.
fn unused<'a>(granted: &'a BTreeSet<Right>, used: &BTreeMap<Right, usize>) -> Vec<&'a Right> {
    let excused = |(resource, verb): &Right| {
        EXCUSED.iter().any(|(of, what, _)| (*of, *what) == (resource.as_str(), verb.as_str()))
    };
    granted.iter().filter(|right| !used.contains_key(*right) && !excused(right)).collect()
}

mod last {
    use super::*;

    #[test]
    #[ignore = "needs the whole run before it: make e2e"]
    fn every_right_was_used_and_none_was_missing() -> Result<()> {
        run(async {
            let audit = Audit::read(Cluster::get().await?.environment.own_root()?)?;
            println!("{} requests of operators, {} lines torn", audit.calls.len(), audit.torn);
            let refused: Vec<&Call> = audit.calls.iter().filter(|call| !call.allowed).collect();
            println!("{} refused for want of a right, after their rights were taken", refused.len());
            // An apiserver that has just started refuses for a moment what it allows before and afterwards.
            let is_granted = |call: &Call| {
                let same = |other: &&Call| {
                    (&other.caller, &other.resource, &other.verb)
                        == (&call.caller, &call.resource, &call.verb)
                };
                call.caller.starts_with("apiserver-")
                    && audit.calls.iter().filter(same).any(|other| other.allowed)
            };
            let missing: Vec<_> = refused
                .into_iter()
                .filter(|call| !audit.had_lost_its_rights(call) && !is_granted(call))
                .collect();
            ensure!(missing.is_empty(), "asked for and not granted: {missing:?}");

            let of_namespaces: Vec<_> = audit.calls.iter().filter(|call| call.caller != SYSTEM).collect();
            let role = granted(false).await?;
            ensure!(
                role.len() == 1,
                "an operator of one namespace gets Roles and nothing else: {:?}",
                role.keys()
            );
            let role = role.get("Role").context("Roles")?;
            let wide: Vec<_> = of_namespaces
                .iter()
                .filter(|call| call.namespace.is_none() && !call.resource.is_empty())
                .collect();
            ensure!(wide.is_empty(), "with namespaces named nothing is asked cluster-wide: {wide:?}");
            let counts = used(of_namespaces.into_iter());
            for ((resource, verb), count) in &counts {
                println!("{count:>7}  {verb:<7} {resource}");
            }
            let unused = unused(role, &counts);
            ensure!(unused.is_empty(), "granted in a namespace and never used: {unused:?}");

            let cluster = granted(true).await?;
            let all: BTreeSet<Right> = cluster.into_values().flatten().collect();
            ensure!(all == *role, "the ClusterRole grants what the Roles grant");
            let counts = used(audit.calls.iter().filter(|call| call.caller == SYSTEM));
            ensure!(!counts.is_empty(), "no operator of the plain manifests has run");
            let unused = self::unused(&all, &counts);
            ensure!(unused.is_empty(), "granted cluster-wide and never used: {unused:?}");
            Ok(())
        })
    }
}
