//! What a load leaves on the volume beside its segments: the plan, the task reports, the rejected rows.

mod adopt;
mod dry_run;
mod folder;
mod plan;
mod rejected;
mod task_report;

pub use adopt::{Adoptable, adoptable};
pub(crate) use dry_run::DRY_RUNS_FOLDER;
pub use dry_run::write_dry_run_report;
pub use folder::{EarlierAttempt, LoadFolder};
pub use plan::{AbsentEntry, Plan, PlannedFile, PlannedManifest, PlannedTask};
pub use rejected::{RejectedError, RejectedRecord, RejectedWriter, read_rejected};
pub use task_report::{FileReport, FirstError, Segment, SkippedFile, TaskReport};

/// What stands for a label in file names: the first 16 hex digits of its SHA-256.
pub fn label_hash(label: &str) -> String {
    use sha2::{Digest, Sha256};
    hex::encode(&Sha256::digest(label.as_bytes())[..8])
}
