//! What pods must know of a table's volume, and how its epoch is raised when a node is lost.

use kube::ResourceExt;
use kube::api::Api;
use longshore_crds::Table;
use serde_json::json;

use crate::apply;
use crate::context::Context;
use crate::error::ApiError;
use crate::pod::TableRef;

/// Field manager of the epoch alone: the rest of the status is another's.
const EPOCH_MANAGER: &str = "longshore-operator/volume-epoch";

/// A Table as its pods need it; `None`: it has no claim yet.
pub fn table_ref(table: &Table) -> Option<TableRef> {
    let status = table.status.as_ref()?;
    Some(TableRef {
        name: table.name_any(),
        uid: table.uid()?,
        claim: status.claim.clone()?,
        sub_path: status.sub_path.clone(),
        volume_epoch: status.volume_epoch.unwrap_or(0),
        one_node: !status.access_modes.iter().any(|mode| mode == "ReadWriteMany"),
        service_accounts: table.spec.service_accounts.clone(),
    })
}

/// Raises the epoch of a table's volume above `epoch`, unless that was done already: pods of the new epoch need
/// not share the node of those before it.
///
/// # Errors
/// `Conflict`: the Table is not as it was read.
pub async fn raise_epoch(context: &Context, table: &Table, epoch: u32) -> Result<(), ApiError> {
    let stands = table.status.as_ref().and_then(|status| status.volume_epoch).unwrap_or(0);
    if stands > epoch {
        return Ok(());
    }
    let namespace = table.namespace().unwrap_or_default();
    let api: Api<Table> = Api::namespaced(context.client.clone(), &namespace);
    let status = json!({"volumeEpoch": epoch.saturating_add(1)});
    apply::patch_status_of(&api, EPOCH_MANAGER, table, &status).await?;
    Ok(())
}
