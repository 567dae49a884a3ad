//! Claims: which one a Table asks for, and what is to be thought of the one that is there.

use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::ResourceExt;
use longshore_crds::{ReclaimPolicy, Table};

use crate::names;
use crate::pod::bytes;

/// Name of the claim that a Table asks for.
pub fn wanted_name(table: &Table) -> String {
    let existing = table.spec.storage.existing_claim.clone();
    existing.unwrap_or_else(|| names::claim_name(&table.name_any()))
}

/// What is to be thought of the claim that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClaimState {
    /// It is to be made.
    Absent,
    /// It can be used.
    Stands,
    /// The Table names one that is not there.
    NotFound,
    /// The one that held the table is not there any more, or another one has its name.
    Gone,
    /// It is being deleted.
    BeingDeleted,
    /// It belongs to something else.
    Taken,
    /// It is the former Table's of this name, and goes with it.
    OfFormerTable,
    /// It lost its volume.
    Lost,
}

/// Judges the claim by what the Table asks for and what its status remembers.
pub fn state(table: &Table, claim: Option<&PersistentVolumeClaim>) -> ClaimState {
    let status = table.status.as_ref();
    let holds_table = status.is_some_and(|status| status.definition.is_some());
    let remembered = status.and_then(|status| status.claim_uid.as_ref()).filter(|_| holds_table);
    let is_own = table.spec.storage.existing_claim.is_none();
    let Some(claim) = claim else {
        return match (remembered, is_own) {
            (Some(_), _) => ClaimState::Gone,
            (None, true) => ClaimState::Absent,
            (None, false) => ClaimState::NotFound,
        };
    };
    if claim.metadata.deletion_timestamp.is_some() {
        return ClaimState::BeingDeleted;
    }
    if remembered.is_some_and(|uid| Some(uid) != claim.uid().as_ref()) {
        return ClaimState::Gone;
    }
    if is_own && claim.labels().get(names::TABLE) != Some(&table.name_any()) {
        return ClaimState::Taken;
    }
    if is_own && owners(claim).any(|uid| Some(uid) != table.uid().as_deref()) {
        return ClaimState::OfFormerTable;
    }
    if phase(claim) == Some("Lost") { ClaimState::Lost } else { ClaimState::Stands }
}

/// UIDs of the Tables that own a claim.
fn owners(claim: &PersistentVolumeClaim) -> impl Iterator<Item = &str> {
    claim.owner_references().iter().filter(|owner| owner.kind == "Table").map(|owner| owner.uid.as_str())
}

fn phase(claim: &PersistentVolumeClaim) -> Option<&str> {
    claim.status.as_ref()?.phase.as_deref()
}

/// Whether the claim's owner references are what the reclaim policy says.
pub fn is_owned_as_asked(table: &Table, claim: &PersistentVolumeClaim) -> bool {
    let owned = owners(claim).any(|uid| Some(uid) == table.uid().as_deref());
    owned == (table.spec.storage.reclaim_policy == ReclaimPolicy::Delete)
}

/// Bytes that a claim asks for.
pub fn requested(claim: &PersistentVolumeClaim) -> Option<u64> {
    let resources = claim.spec.as_ref()?.resources.as_ref()?;
    bytes(&resources.requests.as_ref()?.get("storage")?.0)
}

/// Bytes that a claim has.
pub fn capacity(claim: &PersistentVolumeClaim) -> Option<u64> {
    bytes(&claim.status.as_ref()?.capacity.as_ref()?.get("storage")?.0)
}

/// What cannot be changed about the claim of a table that exists, and is asked for; one sentence each.
pub fn fixed(table: &Table, claim: Option<&PersistentVolumeClaim>) -> Vec<String> {
    let Some(status) = table.status.as_ref().filter(|status| status.definition.is_some()) else {
        return Vec::new();
    };
    let storage = &table.spec.storage;
    let mut fixed = Vec::new();
    let wanted = wanted_name(table);
    if let Some(stands) = status.claim.as_ref().filter(|stands| **stands != wanted) {
        fixed.push(format!("the table lies in claim {stands}, and the spec asks for {wanted}"));
        return fixed;
    }
    if storage.sub_path != status.sub_path {
        let path = |path: &Option<String>| path.clone().unwrap_or_else(|| "the root".to_owned());
        let (stands, wanted) = (path(&status.sub_path), path(&storage.sub_path));
        fixed.push(format!("the table lies in {stands} of its volume, and the spec asks for {wanted}"));
    }
    let Some(spec) = claim.and_then(|claim| claim.spec.as_ref()) else { return fixed };
    if let (Some(wanted), Some(stands)) = (&storage.storage_class_name, &spec.storage_class_name)
        && wanted != stands
    {
        fixed.push(format!("the storage class is {stands}, and the spec asks for {wanted}"));
    }
    let stands = spec.access_modes.clone().unwrap_or_default();
    let wanted: Vec<&str> = storage.access_modes.iter().map(|mode| mode.name()).collect();
    if !wanted.is_empty() && !wanted.iter().all(|mode| stands.iter().any(|stands| stands == mode)) {
        fixed.push(format!(
            "the access modes are {}, and the spec asks for {}",
            stands.join(", "),
            wanted.join(", ")
        ));
    }
    if let (Some(wanted), Some(stands)) = (storage.size.as_deref().and_then(bytes), claim.and_then(requested))
        && wanted < stands
    {
        fixed
            .push(format!("a volume does not shrink: it has {stands} bytes, and the spec asks for {wanted}"));
    }
    fixed
}
