//! What the two processes are told to do, and what they answer: JSON, a line each.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What a process is to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Order {
    /// Make the table `name`, or complete it, or open it; the other orders are for it.
    Create {
        /// Its folder below the volume's.
        name: String,
    },
    /// Load a label, from its claim to its commit.
    Load {
        /// Its number.
        load: u32,
        /// Rows.
        rows: u32,
    },
    /// Claim a label and stop.
    Claim {
        /// Its number.
        load: u32,
    },
    /// Plan, write and commit under a claim that is there: two processes at once.
    Twin {
        /// Its number.
        load: u32,
        /// Rows.
        rows: u32,
        /// Attempt of the claim; the run is 1.
        attempt: u32,
    },
    /// Make a checkpoint.
    Checkpoint,
    /// Merge the small segments of each tablet.
    Compact,
    /// Fold the history, remove from the log what is not needed.
    CleanLog,
    /// Remove the files that no one can need any more.
    Vacuum,
}

/// What a process answers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Answer {
    /// Id of the table that it made or opened.
    pub table: Option<String>,
    /// Attempts that it was given.
    pub attempts: Vec<u32>,
    /// Digest of the plan that stands in each of its attempts.
    pub plans: BTreeMap<u32, String>,
    /// Version with the rows, as it was acknowledged.
    pub version: Option<u64>,
    /// It was shut out by a newer claim.
    pub shut_out: bool,
    /// Errors that it met, by category; each was followed by another try.
    pub errors: BTreeMap<String, u32>,
    /// What it did not expect: a broken promise.
    pub violation: Option<String>,
}
