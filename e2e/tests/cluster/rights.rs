//! What the chart grants is what operators asked for in the whole run, by the apiserver's own record.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use longshore_e2e::{Audit, Call, Cluster, rights, run};
use serde::Deserialize;
use serde_json::Value;

use crate::install::SYSTEM;

/// Resource and verb.
type Right = (String, String);

/// What no test can make an operator of the plain manifests call; one that watches a namespace has called it.
const UNUSED_CLUSTER_WIDE: [(&str, &str, &str); 1] = [(
    "events.k8s.io/events",
    "patch",
    "an event is counted when it is told again after a while; that operator lives for a few loads",
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
            let missing: Vec<_> =
                refused.into_iter().filter(|call| !audit.had_lost_its_rights(call)).collect();
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
            let unused: Vec<_> = role.iter().filter(|right| !counts.contains_key(*right)).collect();
            ensure!(unused.is_empty(), "granted in a namespace and never used: {unused:?}");

            let cluster = granted(true).await?;
            let all: BTreeSet<Right> = cluster.into_values().flatten().collect();
            ensure!(all == *role, "the ClusterRole grants what the Roles grant");
            let counts = used(audit.calls.iter().filter(|call| call.caller == SYSTEM));
            ensure!(!counts.is_empty(), "no operator of the plain manifests has run");
            let excused = |right: &Right| {
                UNUSED_CLUSTER_WIDE
                    .iter()
                    .any(|(resource, verb, _)| (*resource, *verb) == (&right.0, &right.1))
            };
            let unused: Vec<_> =
                all.iter().filter(|right| !counts.contains_key(*right) && !excused(right)).collect();
            ensure!(unused.is_empty(), "granted cluster-wide and never used: {unused:?}");
            Ok(())
        })
    }
}
