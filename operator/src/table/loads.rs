//! What LoadJobs tell of their tables: the newest load, and the newest that failed. Kept beside the caches, so
//! that a visit of a Table need not read all of its LoadJobs.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use longshore_crds::{LastLoad, LoadJob, LoadState};

/// What is known of the loads of each table; clones see the same.
#[derive(Debug, Clone, Default)]
pub struct Loads {
    tables: Arc<Mutex<HashMap<(String, String), LoadsOfTable>>>,
}

/// What is known of the loads of one table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LoadsOfTable {
    /// The newest load, and the version that it made.
    pub newest: Option<(u64, LastLoad)>,
    /// When a load last ended without success.
    pub failed: Option<Timestamp>,
}

impl Loads {
    /// Takes in a LoadJob; whether its Table should hear of it.
    pub fn see(&self, job: &LoadJob) -> bool {
        let key = (job.namespace().unwrap_or_default(), job.spec.table.clone());
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        take_in(tables.entry(key).or_default(), job)
    }

    /// What is known of one table.
    pub fn of(&self, namespace: &str, table: &str) -> LoadsOfTable {
        let tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        tables.get(&(namespace.to_owned(), table.to_owned())).cloned().unwrap_or_default()
    }
}

fn take_in(known: &mut LoadsOfTable, job: &LoadJob) -> bool {
    let Some(status) = &job.status else { return false };
    match status.state {
        Some(LoadState::Finished) => {
            let (Some(version), Some(time)) = (status.table_version, &status.load_commit_time) else {
                return false;
            };
            let is_newer = known.newest.as_ref().is_none_or(|(newest, _)| version > *newest);
            if is_newer {
                let rows = status.sink_rows.unwrap_or(0);
                let load = LastLoad { label: job.label(), rows, time: time.clone() };
                known.newest = Some((version, load));
            }
            is_newer
        }
        Some(LoadState::Cancelled) => {
            let time = status.load_finish_time.as_deref().and_then(|time| time.parse().ok());
            let is_newer = time > known.failed;
            known.failed = known.failed.max(time);
            is_newer
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[allow(clippy::needless_pass_by_value, reason = "calls read as the object does")]
    fn job(name: &str, status: serde_json::Value) -> LoadJob {
        serde_json::from_value(json!({
            "apiVersion": "longshore.dev/v1alpha1", "kind": "LoadJob",
            "metadata": {"name": name, "namespace": "n"},
            "spec": {"table": "t", "sources": [{"paths": ["s3://b/k"]}]}, "status": status,
        }))
        .unwrap()
    }

    fn loaded(name: &str, version: u64) -> LoadJob {
        let time = "2024-01-01T00:00:00Z";
        job(
            name,
            json!({"state": "FINISHED", "tableVersion": version, "loadCommitTime": time, "sinkRows": 3}),
        )
    }

    #[test]
    fn the_newest_load_is_the_one_of_the_highest_version() {
        let loads = Loads::default();
        assert!(!loads.see(&job("a", json!({"state": "LOADING"}))));
        assert!(loads.see(&loaded("b", 7)));
        assert!(!loads.see(&loaded("c", 5)), "older ones, and repeats, tell nothing new");
        assert!(!loads.see(&loaded("b", 7)));
        let (version, load) = loads.of("n", "t").newest.unwrap();
        assert_eq!((version, load.label.as_str(), load.rows), (7, "b", 3));
        assert_eq!(loads.of("other", "t"), LoadsOfTable::default());
    }

    #[test]
    fn a_failure_is_heard_of_once() {
        let loads = Loads::default();
        let failed = job("a", json!({"state": "CANCELLED", "loadFinishTime": "2024-01-01T00:00:00Z"}));
        assert!(loads.see(&failed));
        assert!(!loads.see(&failed));
        assert_eq!(loads.of("n", "t").failed, "2024-01-01T00:00:00Z".parse().ok());
        assert!(!loads.see(&job("b", json!({"state": "CANCELLED"}))));
    }
}
