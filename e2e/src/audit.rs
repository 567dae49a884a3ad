//! What operators have asked of the apiserver, from its audit log.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::RELEASE;

/// A request of an operator, as the apiserver has answered it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Call {
    /// Namespace of the operator's ServiceAccount.
    pub caller: String,
    /// `<group>/<resource>`, with `/<subresource>` where there is one; empty for what is no resource.
    pub resource: String,
    /// Verb, as Roles name it.
    pub verb: String,
    /// Namespace of what was asked for; None: the whole cluster.
    pub namespace: Option<String>,
    /// HTTP code of the answer.
    pub code: u16,
    /// Whether a Role allowed it.
    pub allowed: bool,
    /// Instant of the request, RFC 3339 with microseconds in UTC.
    pub at: String,
}

/// The operators' requests of a run.
#[derive(Debug, Clone, Default)]
pub struct Audit {
    /// All of them.
    pub calls: Vec<Call>,
    /// Lines that could not be read: the apiserver was killed while it wrote them.
    pub torn: usize,
    /// First instant at which a namespace, or its operator's RoleBinding, was deleted; the empty name: the cluster's.
    taken: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    user: User,
    verb: String,
    #[serde(default)]
    object_ref: ObjectRef,
    response_status: Option<ResponseStatus>,
    request_received_timestamp: String,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct User {
    username: String,
}

#[derive(Deserialize)]
struct ResponseStatus {
    #[serde(default)]
    code: u16,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct ObjectRef {
    api_group: String,
    resource: String,
    subresource: String,
    namespace: String,
    name: String,
}

impl Audit {
    /// Reads the log of the cluster at `root`.
    pub fn read(root: &Path) -> Result<Self> {
        let folder = root.join("log");
        let mut audit = Self::default();
        for entry in std::fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
            let path = entry?.path();
            if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("audit")) {
                audit.take(&std::fs::read_to_string(&path)?);
            }
        }
        Ok(audit)
    }

    fn take(&mut self, lines: &str) {
        for line in lines.lines() {
            match serde_json::from_str::<Event>(line) {
                Ok(event) => self.take_event(event),
                Err(_) => self.torn += 1,
            }
        }
    }

    fn take_event(&mut self, event: Event) {
        let object = event.object_ref;
        let caller = event.user.username.strip_prefix("system:serviceaccount:").unwrap_or_default();
        if let Some((caller, RELEASE)) = caller.split_once(':') {
            let parts = [&object.api_group, &object.resource, &object.subresource];
            let resource = parts.map(String::as_str).join("/").trim_end_matches('/').to_owned();
            self.calls.push(Call {
                caller: caller.to_owned(),
                resource,
                verb: event.verb,
                namespace: (!object.namespace.is_empty()).then_some(object.namespace),
                code: event.response_status.map_or(0, |status| status.code),
                allowed: event
                    .annotations
                    .get("authorization.k8s.io/decision")
                    .is_some_and(|it| it == "allow"),
                at: event.request_received_timestamp,
            });
            return;
        }
        let place = match object.resource.as_str() {
            "namespaces" => object.name,
            "rolebindings" => object.namespace,
            "clusterrolebindings" => String::new(),
            _ => return,
        };
        let at = event.request_received_timestamp;
        self.taken.entry(place).and_modify(|first| *first = at.clone().min(first.clone())).or_insert(at);
    }

    /// Whether a person had taken the caller's rights, or its namespace, when it asked.
    pub fn had_lost_its_rights(&self, call: &Call) -> bool {
        let namespace = call.namespace.clone().unwrap_or_default();
        [&namespace, &call.caller]
            .iter()
            .any(|place| self.taken.get(*place).is_some_and(|taken| *taken <= call.at))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn line(user: &str, verb: &str, object: &serde_json::Value, at: &str, decision: &str) -> String {
        json!({"user": {"username": user}, "verb": verb, "objectRef": object, "requestReceivedTimestamp": at,
               "responseStatus": {"code": 200}, "annotations": {"authorization.k8s.io/decision": decision}})
        .to_string()
    }

    #[test]
    fn calls_of_operators_are_told_from_those_of_others() {
        let mut audit = Audit::default();
        let status = json!({"apiGroup": "longshore.dev", "resource": "tables", "subresource": "status",
                            "namespace": "n", "name": "t"});
        let lines = [
            line("system:serviceaccount:n:longshore", "patch", &status, "2026-01-01T00:00:00Z", "allow"),
            line("system:serviceaccount:n:default", "patch", &status, "2026-01-01T00:00:00Z", "allow"),
            line(
                "admin",
                "delete",
                &json!({"resource": "namespaces", "name": "n"}),
                "2026-01-01T00:00:01Z",
                "allow",
            ),
            line("system:serviceaccount:n:longshore", "patch", &status, "2026-01-01T00:00:02Z", "forbid"),
            "{\"user\":".to_owned(),
        ];
        audit.take(&lines.join("\n"));
        assert_eq!((audit.calls.len(), audit.torn), (2, 1));
        let [before, after] = &audit.calls[..] else { unreachable!() };
        assert_eq!((before.resource.as_str(), before.allowed), ("longshore.dev/tables/status", true));
        assert!(!audit.had_lost_its_rights(before) && audit.had_lost_its_rights(after) && !after.allowed);
    }
}
