//! Second step: object against object, without any I/O. What only the table's log can tell, the worker checks.

use kube::ResourceExt;
use longshore_crds::{LoadJob, Table, conditions, reasons};

use super::build;
use super::dereference::missing_table;
use super::facts::{Hold, TableFacts};
use crate::config::Config;
use crate::pod::TableRef;
use crate::table::table_ref;

/// What an edit of the LoadJob must mend before a pod can be made.
pub fn job(job: &LoadJob, table: &TableRef, config: &Config) -> Option<Hold> {
    if let Some(message) = job.spec.format_problem() {
        return Some(Hold::new(reasons::INVALID_SPEC, message));
    }
    // A pod that cannot be built is refused before anything is written down.
    let error = build::load_job(job, table, 1, config).err()?;
    Some(Hold::new(error.category(), error.to_string()))
}

/// What the Table offers a load.
pub fn table_facts(table: Option<&Table>, name: &str) -> TableFacts {
    let Some(table) = table else { return TableFacts { volume: None, hold: Some(missing_table(name)) } };
    TableFacts { volume: table_ref(table), hold: not_ready(table) }
}

fn not_ready(table: &Table) -> Option<Hold> {
    let name = table.name_any();
    if table.metadata.deletion_timestamp.is_some() {
        let message = format!("Table {name} is being deleted; a load starts when there is a new one");
        return Some(Hold::new(reasons::TABLE_NOT_READY, message));
    }
    let status = table.status.as_ref();
    let ready = status
        .and_then(|status| status.conditions.iter().find(|condition| condition.type_ == conditions::READY));
    match ready {
        Some(ready) if ready.status == "True" => None,
        Some(ready) if !ready.reason.is_empty() => {
            let message = format!("Table {name} is not ready: {}: {}", ready.reason, ready.message);
            Some(Hold::new(reasons::TABLE_NOT_READY, message))
        }
        _ => Some(Hold::new(reasons::TABLE_NOT_READY, format!("Table {name} is not ready yet"))),
    }
}
