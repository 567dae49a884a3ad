//! Names and labels of what the operator makes: deterministic, so that making something twice is making it once.

use sha2::{Digest, Sha256};

/// Characters of the owner's name that a child's name begins with.
const PREFIX: usize = 40;

/// Label: the Table whose volume a pod mounts. Pods of one table and epoch share a node.
pub const TABLE: &str = "longshore.dev/table";
/// Label: how often the table's volume was given up with its node; pods of another epoch do not count.
pub const VOLUME_EPOCH: &str = "longshore.dev/volume-epoch";
/// Label: the LoadJob that a pod, a Job or a ConfigMap works for.
pub const LOAD_JOB: &str = "longshore.dev/loadjob";
/// Label: the Pipe that a pod, a Deployment, a Job or a ConfigMap works for.
pub const PIPE: &str = "longshore.dev/pipe";
/// Annotation of a Deployment: digest of what the operator asked for.
pub const APPLIED: &str = "longshore.dev/applied";
/// Label: number of the run that a pod or a Job works for.
pub const RUN: &str = "longshore.dev/run";
/// Label: what a pod or a Job does ([`Role`]).
pub const ROLE: &str = "longshore.dev/role";
/// Label: the program; the same on each worker.
pub const APP_NAME: &str = "app.kubernetes.io/name";
/// Label: who made the object.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// Value of [`APP_NAME`] on workers.
pub const WORKER: &str = "longshore-worker";
/// Value of [`MANAGED_BY`].
pub const MANAGER: &str = "longshore";
/// Selects everything that works for tables: pods, Jobs, ConfigMaps.
pub const WORKER_SELECTOR: &str = "app.kubernetes.io/name=longshore-worker";

/// What a worker's pod does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Loads.
    Load,
    /// Closes a run and reads the log.
    Resolve,
    /// Makes, checks or alters the table.
    Table,
    /// Compacts and vacuums.
    Maintain,
    /// Loads the files of a Pipe as they appear.
    Pipe,
}

impl Role {
    /// Value of the label, and end of the name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Load => "load",
            Self::Resolve => "resolve",
            Self::Table => "table",
            Self::Maintain => "maintain",
            Self::Pipe => "pipe",
        }
    }
}

/// Name of a child: `<name, at most 40 characters>-<8 hex of UID and run>-<role>`. The same run of the same
/// object always has the same name; an object of the same name that was made again has another.
pub fn child_name(name: &str, uid: &str, run: u32, role: Role) -> String {
    child_of(name, &format!("{uid}/{run}"), role)
}

/// The same for a child that is told from others by any `key`.
pub fn child_of(name: &str, key: &str, role: Role) -> String {
    let digest = hex::encode(Sha256::digest(key));
    // Names are DNS labels: ASCII, and no hyphen may stand before ours twice in a row for the eye only.
    let prefix = name.get(..PREFIX.min(name.len())).unwrap_or(name).trim_end_matches(['-', '.']);
    format!("{prefix}-{}-{}", digest.get(..8).unwrap_or_default(), role.name())
}

/// Name of the PersistentVolumeClaim that the operator makes for a Table.
pub fn claim_name(table: &str) -> String {
    format!("table-{table}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_childs_name_follows_from_owner_run_and_role() {
        let name = child_name("user-behavior", "uid", 1, Role::Load);
        assert_eq!(name, child_name("user-behavior", "uid", 1, Role::Load));
        assert!(name.starts_with("user-behavior-") && name.ends_with("-load"), "{name}");
        assert_ne!(name, child_name("user-behavior", "uid", 2, Role::Load));
        assert_ne!(name, child_name("user-behavior", "another", 1, Role::Load));
        assert_ne!(name, child_name("user-behavior", "uid", 1, Role::Resolve));
        let long = child_name(&"a".repeat(50), "uid", 1, Role::Maintain);
        assert_eq!(long.len(), 40 + 1 + 8 + 1 + 8);
        assert!(!child_name(&format!("{}-bcd", "a".repeat(39)), "u", 1, Role::Load).contains("--"));
        assert_eq!(claim_name("t"), "table-t");
    }
}
