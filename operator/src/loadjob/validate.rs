//! Second step: object against object, without any I/O. What only the table's log can tell, the worker checks.

use longshore_crds::{LoadJob, reasons};

use super::build;
use super::facts::Hold;
use crate::config::Config;
use crate::pod::TableRef;

/// What an edit of the LoadJob must mend before a pod can be made.
pub fn job(job: &LoadJob, table: &TableRef, config: &Config) -> Option<Hold> {
    if let Some(message) = job.spec.format_problem() {
        return Some(Hold::new(reasons::INVALID_SPEC, message));
    }
    // A pod that cannot be built is refused before anything is written down.
    let error = build::load_job(job, table, 1, config).err()?;
    Some(Hold::new(error.category(), error.to_string()))
}
