//! Step 2: what is asked for, against what is there. Pure.

use longshore_crds::reasons;

use super::build;
use super::claim::{self, ClaimState, wanted_name};
use super::dereference::Found;
use crate::config::Config;

/// What was found out.
#[derive(Debug, Clone)]
pub struct Validated {
    /// What is to be thought of the claim.
    pub claim: ClaimState,
    /// Digest of what is declared.
    pub digest: String,
    /// Why the spec, or the volume, cannot be used as it is.
    pub obstacle: Option<Obstacle>,
    /// Whether that is what a worker said.
    pub is_of_worker: bool,
}

/// Something in the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Obstacle {
    /// CamelCase.
    pub reason: String,
    /// What it is, and what to do.
    pub message: String,
    /// Whether only an edit of the Table mends it.
    pub is_for_edit: bool,
    /// Whether the table can be used all the same.
    pub leaves_table: bool,
}

/// Compares what is asked for with what is there.
pub fn validate(found: &Found, config: &Config) -> Validated {
    let claim = claim::state(&found.table, found.claim.as_ref());
    let digest = found.table.spec.definition_digest().unwrap_or_default();
    let own = fixed(found).or_else(|| of_claim(found, claim)).or_else(|| of_pods(found, config));
    let is_of_worker = own.is_none();
    let obstacle = own.or_else(|| refused(found, &digest));
    Validated { claim, digest, obstacle, is_of_worker }
}

/// A place that cannot change any more.
fn fixed(found: &Found) -> Option<Obstacle> {
    let fixed = claim::fixed(&found.table, found.claim.as_ref());
    (!fixed.is_empty()).then(|| Obstacle {
        reason: reasons::STORAGE_FIXED.to_owned(),
        message: format!(
            "spec.storage cannot change once the table exists: {}; set it back, or make a Table of another name; \
             the table stays as it was",
            fixed.join("; ")
        ),
        is_for_edit: true,
        leaves_table: true,
    })
}

/// A claim that cannot be used.
fn of_claim(found: &Found, state: ClaimState) -> Option<Obstacle> {
    let name = wanted_name(&found.table);
    let waiting = |reason: &str, message: String| {
        Some(Obstacle { reason: reason.to_owned(), message, is_for_edit: false, leaves_table: false })
    };
    match state {
        ClaimState::Absent | ClaimState::Stands => None,
        ClaimState::NotFound => {
            waiting(reasons::CLAIM_NOT_FOUND, format!("PersistentVolumeClaim {name} is not there yet"))
        }
        ClaimState::Gone => waiting(
            reasons::CLAIM_GONE,
            format!(
                "the PersistentVolumeClaim {name} that held the table is gone, or another one has its name; \
                 nothing is made in its place: restore it, or delete this Table and apply it again to begin with \
                 what is there"
            ),
        ),
        ClaimState::BeingDeleted => waiting(
            reasons::CLAIM_BEING_DELETED,
            format!("PersistentVolumeClaim {name} is being deleted; when it is gone, this goes on"),
        ),
        ClaimState::OfFormerTable => waiting(
            reasons::CLAIM_BEING_DELETED,
            format!("PersistentVolumeClaim {name} goes with the former Table of this name"),
        ),
        ClaimState::Lost => waiting(
            reasons::CLAIM_LOST,
            format!("PersistentVolumeClaim {name} has lost its volume; bring the PersistentVolume back"),
        ),
        ClaimState::Taken => Some(Obstacle {
            reason: reasons::CLAIM_TAKEN.to_owned(),
            message: format!(
                "PersistentVolumeClaim {name} is there and was not made for a Table; name it in \
                 spec.storage.existingClaim to use it, or rename the Table"
            ),
            is_for_edit: true,
            leaves_table: false,
        }),
    }
}

/// Pods that may not be as they are asked for.
fn of_pods(found: &Found, config: &Config) -> Option<Obstacle> {
    let error = build::check_pod(&found.table, config).err()?;
    let leaves_table = found.table.status.as_ref().is_some_and(|status| status.definition.is_some());
    Some(Obstacle {
        reason: error.category().to_owned(),
        message: error.to_string(),
        is_for_edit: true,
        leaves_table,
    })
}

/// A declaration that a worker refused; nothing is done about it until it changes.
fn refused(found: &Found, digest: &str) -> Option<Obstacle> {
    let status = found.table.status.as_ref()?;
    let problem = status.problem.as_ref().filter(|problem| problem.needs_edit && problem.digest == digest)?;
    Some(Obstacle {
        reason: problem.reason.clone(),
        message: problem.message.clone(),
        is_for_edit: true,
        leaves_table: status.definition.is_some(),
    })
}
