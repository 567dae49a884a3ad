//! What another engine (delta-rs) finds in a table.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use tokio::process::Command;

use crate::repository;

/// Rows and sums of a table of the user guide's columns.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TableRows {
    /// Version of the log.
    pub version: u64,
    /// Rows.
    pub rows: u64,
    /// Sum of UserID; None without rows.
    pub user_id_sum: Option<i64>,
    /// Sum of ItemID; None without rows.
    pub item_id_sum: Option<i64>,
    /// Rows with a Timestamp.
    pub timestamps: u64,
}

/// Reads the table in this folder of the host with delta-rs.
pub async fn read_table(folder: &Path) -> Result<TableRows> {
    let script = repository().join("e2e/src/oracle.py");
    let output = Command::new(python()).arg(&script).arg(folder).output().await.context("python of .venv")?;
    if !output.status.success() {
        bail!("delta-rs cannot read {}: {}", folder.display(), String::from_utf8_lossy(&output.stderr));
    }
    serde_json::from_slice(&output.stdout).context("what oracle.py printed")
}

/// The interpreter with the other engines: `make venv`, or where `LONGSHORE_VENV` says.
fn python() -> PathBuf {
    let venv = std::env::var_os("LONGSHORE_VENV").map_or_else(|| repository().join(".venv"), PathBuf::from);
    venv.join("bin/python")
}
