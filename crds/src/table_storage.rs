//! Where a table lies, how it is stored and how it is looked after.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Size of a claim where none is stated.
pub const DEFAULT_SIZE: &str = "10Gi";

/// Where a table lies: a claim of its own (`size`, ...), or one that is there (`existingClaim`). Local mode
/// keeps tables in its data directory and looks at `compression` only.
#[derive(KubeSchema, Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!has(self.existingClaim) || (!has(self.size) && !has(self.storageClassName) && !has(self.accessModes))").message("state either existingClaim, or size, storageClassName and accessModes of a claim of the table's own"))]
#[x_kube(validation = Rule::new("!has(self.existingClaim) || self.reclaimPolicy == 'Retain'").message("a claim that the table did not make is never deleted with it; reclaimPolicy Delete is for a claim of its own"))]
#[x_kube(validation = Rule::new("!has(self.subPath) || has(self.existingClaim)").message("subPath is a folder in an existingClaim"))]
pub struct StorageSpec {
    /// Size of the claim that is made for the table, for instance 100Gi; default: 10Gi. It may grow, if the
    /// storage class allows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32))]
    #[x_kube(validation = Rule::new("self.matches('^[1-9][0-9]{0,14}(Ki|Mi|Gi|Ti|Pi|k|M|G|T|P)?$')").message("size is a whole number of bytes, with Ki, Mi, Gi, Ti, Pi, k, M, G, T or P after it, for instance 100Gi"))]
    pub size: Option<String>,
    /// Storage class of the claim; default: the cluster's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub storage_class_name: Option<String>,
    /// Access modes of the claim; default: ReadWriteOnce. On ReadWriteOnce all pods of the table share a node.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 3))]
    pub access_modes: Vec<AccessMode>,
    /// What becomes of the claim when the Table is deleted: it stays, and a new Table of this name takes it
    /// over with its rows (Retain); or it goes (Delete).
    #[serde(default)]
    pub reclaim_policy: ReclaimPolicy,
    /// Name of a claim that is there, in the same namespace; it is never deleted with the Table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = Rule::new("self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')").message("existingClaim is the name of a PersistentVolumeClaim"))]
    pub existing_claim: Option<String>,
    /// Folder of the table in the existing claim; default: its root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255))]
    #[x_kube(validation = Rule::new("self.matches('^[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*$') && !self.contains('..')").message("subPath is a relative path of letters, digits, _ . - and /, without .."))]
    pub sub_path: Option<String>,
    /// Codec of the segments; used for the columns where it pays.
    #[serde(default)]
    pub compression: CompressionSpec,
}

impl StorageSpec {
    /// Size of the table's own claim.
    pub fn own_size(&self) -> &str {
        self.size.as_deref().unwrap_or(DEFAULT_SIZE)
    }

    /// Access modes of the table's own claim.
    pub fn own_access_modes(&self) -> Vec<AccessMode> {
        if self.access_modes.is_empty() { vec![AccessMode::ReadWriteOnce] } else { self.access_modes.clone() }
    }
}

/// How a volume may be mounted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AccessMode {
    /// By the pods of one node.
    ReadWriteOnce,
    /// By pods of any node.
    ReadWriteMany,
    /// By one pod.
    ReadWriteOncePod,
}

impl AccessMode {
    /// As a claim names it.
    pub fn name(self) -> &'static str {
        match self {
            Self::ReadWriteOnce => "ReadWriteOnce",
            Self::ReadWriteMany => "ReadWriteMany",
            Self::ReadWriteOncePod => "ReadWriteOncePod",
        }
    }
}

/// What becomes of the claim when the Table is deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ReclaimPolicy {
    /// It stays.
    #[default]
    Retain,
    /// It goes, with every row.
    Delete,
}

/// Codec of the segments.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum CompressionSpec {
    /// zstd, level 1.
    #[default]
    Zstd,
    /// LZ4.
    Lz4,
    /// Snappy.
    Snappy,
    /// No compression.
    None,
}

/// How a table is looked after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MaintenanceSpec {
    /// Hours between two rounds of maintenance: small segments are merged, files that no version needs are
    /// removed; a failed load is cleaned up after without waiting for it. 0: none of both.
    #[serde(default = "default_interval")]
    #[schemars(range(min = 0, max = 8760))]
    pub interval_hours: u32,
    /// Hours that removed segments, rejected rows and reports stay: so long can a reader go on with the
    /// version that it opened.
    #[serde(default = "default_retention")]
    #[schemars(range(min = 1, max = 168))]
    pub retention_hours: u32,
}

impl Default for MaintenanceSpec {
    fn default() -> Self {
        Self { interval_hours: default_interval(), retention_hours: default_retention() }
    }
}

fn default_interval() -> u32 {
    24
}

fn default_retention() -> u32 {
    168
}

/// Bytes of a whole number with a unit or none, as Kubernetes writes it (`100Gi`, `5M`, `1000`); `None`: it is
/// not one, or does not fit 64 bits.
pub(crate) fn whole_bytes(text: &str) -> Option<u64> {
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = text.split_at(digits);
    let unit: u64 = match unit {
        "" => 1,
        "k" => 1_000,
        "M" => 1_000_000,
        "G" => 1_000_000_000,
        "T" => 1_000_000_000_000,
        "P" => 1_000_000_000_000_000,
        "Ki" => 1 << 10,
        "Mi" => 1 << 20,
        "Gi" => 1 << 30,
        "Ti" => 1 << 40,
        "Pi" => 1 << 50,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_read_with_their_unit() {
        for (text, bytes) in [
            ("1", Some(1)),
            ("3k", Some(3_000)),
            ("1Gi", Some(1 << 30)),
            ("999Ti", Some(999 << 40)),
            ("", None),
            ("Gi", None),
            ("1gi", None),
            ("1.5Gi", None),
            ("99999999999Pi", None),
        ] {
            assert_eq!(whole_bytes(text), bytes, "{text}");
        }
    }
}
