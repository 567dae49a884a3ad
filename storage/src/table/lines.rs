//! The lines of a commit: what every commit says of itself, its numbers, its files.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::log::actions::{Action, Add, CommitInfo, Metadata, Protocol, Remove, Txn};
use crate::log::put::Commit;

/// What a commit does.
#[derive(Debug, Default)]
pub(super) struct Lines {
    /// Numbers that it sets. Every commit sets one: by it a writer in doubt finds its own.
    pub(super) txns: Vec<(String, i64)>,
    pub(super) protocol: Option<Protocol>,
    pub(super) metadata: Option<Metadata>,
    pub(super) removes: Vec<Remove>,
    pub(super) adds: Vec<Add>,
}

impl Lines {
    /// Only a number.
    pub(super) fn txn(app_id: String, number: i64) -> Self {
        Self { txns: vec![(app_id, number)], ..Self::default() }
    }

    /// Writes them.
    pub(super) fn commit(self, info: &CommitInfo) -> Result<Commit, serde_json::Error> {
        let mut actions = Vec::with_capacity(self.adds.len() + self.removes.len() + 3);
        let mut put = |action| actions.push(action);
        for (app_id, version) in self.txns {
            let txn = Some(Txn { app_id, version, last_updated: info.timestamp });
            put(Action { txn, ..Action::default() });
        }
        if self.protocol.is_some() {
            put(Action { protocol: self.protocol, ..Action::default() });
        }
        if self.metadata.is_some() {
            put(Action { meta_data: self.metadata, ..Action::default() });
        }
        for remove in self.removes {
            put(Action { remove: Some(remove), ..Action::default() });
        }
        for add in self.adds {
            put(Action { add: Some(add), ..Action::default() });
        }
        Commit::new(info, actions)
    }
}

/// What every commit says of itself; `txnId` is random.
pub(super) fn info(operation: &str, blind: bool) -> CommitInfo {
    CommitInfo {
        timestamp: Some(now_ms()),
        operation: Some(operation.to_owned()),
        is_blind_append: Some(blind),
        engine_info: Some(concat!("Longshore/", env!("CARGO_PKG_VERSION")).to_owned()),
        txn_id: Some(uuid::Uuid::new_v4().to_string()),
        ..CommitInfo::default()
    }
}

/// A number as it stands in a commit's parameters and metrics.
pub(super) fn text(value: impl std::fmt::Display) -> serde_json::Value {
    serde_json::Value::String(value.to_string())
}

/// Milliseconds since the epoch.
pub(super) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
