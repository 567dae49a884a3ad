//! What a Table offers those who load into it.

use kube::ResourceExt;
use longshore_crds::{Table, conditions, reasons};

use super::volume::table_ref;
use crate::holds::Hold;
use crate::pod::TableRef;

/// What is known of the Table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableFacts {
    /// Its volume, once it has one.
    pub volume: Option<TableRef>,
    /// Why nothing can start; `None`: it can.
    pub hold: Option<Hold>,
}

/// What the Table of that name offers; `who` asks: "load" or "pipe".
pub fn table_facts(table: Option<&Table>, name: &str, who: &str) -> TableFacts {
    let Some(table) = table else {
        let message =
            format!("there is no Table {name} in this namespace yet; the {who} starts when it is there");
        let hold = Hold::new(reasons::TABLE_NOT_FOUND, message);
        return TableFacts { volume: None, hold: Some(hold) };
    };
    TableFacts { volume: table_ref(table), hold: not_ready(table, who) }
}

fn not_ready(table: &Table, who: &str) -> Option<Hold> {
    let name = table.name_any();
    if table.metadata.deletion_timestamp.is_some() {
        let message = format!("Table {name} is being deleted; the {who} starts when there is a new one");
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
