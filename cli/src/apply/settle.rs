//! What a LoadJob's status says after its process died: the table's log is the only truth.

use longshore_crds::{LoadJob, LoadState};

use crate::data_dir::DataDir;
use crate::tables::{self, LabelState};

/// Corrects the state of a load that is said to run while no process runs it.
pub fn settle(job: &mut LoadJob, data_dir: &DataDir) {
    let label = job.label();
    let table = job.spec.table.clone();
    let Some(status) = job.status.as_mut() else { return };
    if !matches!(status.state, Some(LoadState::Loading | LoadState::Committed)) {
        return;
    }
    // Who holds the lock is loading, and its status is true.
    let Ok(_lock) = data_dir.lock_label(&table, &label) else { return };
    status.state = Some(match tables::label(&data_dir.table(&table), &label) {
        Ok(LabelState::Loaded { .. }) => LoadState::Finished,
        _ => LoadState::Pending,
    });
}
