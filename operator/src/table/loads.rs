//! What LoadJobs and Pipes tell of their tables: the newest load, the newest that failed, the newest batch. Kept beside the caches, so
//! that a visit of a Table need not read all of its LoadJobs.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use longshore_crds::{LastLoad, LoadJob, LoadState, Pipe};

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
    /// When a Pipe last committed a batch.
    pub batch: Option<Timestamp>,
}

impl Loads {
    /// Takes in a LoadJob; whether its Table should hear of it.
    pub fn see(&self, job: &LoadJob) -> bool {
        let key = (job.namespace().unwrap_or_default(), job.spec.table.clone());
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        take_in(tables.entry(key).or_default(), job)
    }

    /// Takes in a Pipe; whether its Table should hear of it.
    pub fn see_pipe(&self, pipe: &Pipe) -> bool {
        let time = pipe.status.as_ref().and_then(|status| status.last_loaded_time.as_deref()?.parse().ok());
        let key = (pipe.namespace().unwrap_or_default(), pipe.spec.table.clone());
        let mut tables = self.tables.lock().unwrap_or_else(PoisonError::into_inner);
        let known = tables.entry(key).or_default();
        let is_newer = time > known.batch;
        known.batch = known.batch.max(time);
        is_newer
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
    fn a_batch_of_a_pipe_is_heard_of_once() {
        let pipe = |time: Option<&str>| -> Pipe {
            serde_json::from_value(json!({
                "apiVersion": "longshore.dev/v1alpha1", "kind": "Pipe",
                "metadata": {"name": "p", "namespace": "n"},
                "spec": {"table": "t", "source": {"paths": ["s3://b/*"]}},
                "status": {"lastLoadedTime": time},
            }))
            .unwrap()
        };
        let loads = Loads::default();
        assert!(!loads.see_pipe(&pipe(None)), "it has loaded nothing");
        let committed = pipe(Some("2024-01-01T00:00:00.123Z"));
        assert!(loads.see_pipe(&committed) && !loads.see_pipe(&committed));
        assert!(loads.of("n", "t").batch.is_some());
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
