//! Steps 4 and 5, as far as they write: the claim, the status, Jobs and their requests, events.

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim};
use kube::ResourceExt;
use kube::api::Api;
use longshore_crds::{Table, TableStatus};

use super::TableError;
use super::build::{self, ClaimToApply};
use super::dereference::{Found, job_name};
use super::status::Told;
use crate::apply::{apply, create_once, delete, get, patch_status_of};
use crate::context::Context;
use crate::error::{ApiError, ApiErrorKind};

/// Field manager of claims.
const CLAIM_MANAGER: &str = "longshore-operator/table";
/// Field manager of the status, but for the volume's epoch.
const STATUS_MANAGER: &str = "longshore-operator/table-status";

/// What became of the claim.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ClaimApplied {
    /// The claim as it is now.
    pub claim: Option<PersistentVolumeClaim>,
    /// It was made in this visit.
    pub is_new: bool,
    /// Why the apiserver did not take it.
    pub refusal: Option<String>,
    /// Why the apiserver does not let it grow.
    pub expansion_refusal: Option<String>,
}

/// Applies the claim. That it is refused, or may not grow, is no error: it is told in the status.
pub async fn claim(
    context: &Context,
    found: &Found,
    wanted: Option<ClaimToApply>,
) -> Result<ClaimApplied, ApiError> {
    let stands = ClaimApplied { claim: found.claim.clone(), ..ClaimApplied::default() };
    let Some(wanted) = wanted else { return Ok(stands) };
    let api: Api<PersistentVolumeClaim> = Api::namespaced(context.client.clone(), &found.namespace());
    match (apply(&api, CLAIM_MANAGER, &wanted.object).await, wanted.as_it_is) {
        (Ok(claim), _) => Ok(ClaimApplied { claim: Some(claim), is_new: wanted.is_new, ..stands }),
        (Err(error), Some(as_it_is)) if is_refusal(&error) => {
            let claim = apply(&api, CLAIM_MANAGER, &as_it_is).await?;
            let expansion_refusal = Some(error.message().to_owned());
            Ok(ClaimApplied { claim: Some(claim), expansion_refusal, ..stands })
        }
        (Err(error), _) if is_refusal(&error) => {
            Ok(ClaimApplied { refusal: Some(error.message().to_owned()), ..stands })
        }
        (Err(error), _) => Err(error),
    }
}

/// The apiserver, a quota or an admission said no.
fn is_refusal(error: &ApiError) -> bool {
    matches!(error.kind(), ApiErrorKind::Forbidden | ApiErrorKind::Invalid)
}

/// Writes the status, if it says anything new; the Table as it is then.
///
/// # Errors
/// `Conflict`: the Table is not the one that was read.
pub async fn status(context: &Context, found: &Found, next: &TableStatus) -> Result<Table, ApiError> {
    let mut stands = found.status();
    // Another field manager's.
    let epoch = stands.volume_epoch.take();
    if stands == *next {
        return Ok(found.table.clone());
    }
    let api: Api<Table> = Api::namespaced(context.client.clone(), &found.namespace());
    let written = patch_status_of(&api, STATUS_MANAGER, &found.table, next).await?;
    debug_assert!(written.status.as_ref().is_none_or(|status| status.volume_epoch == epoch));
    Ok(written)
}

/// Makes the Job that the status names, and deletes those that it does not name any more.
pub async fn jobs(context: &Context, found: &Found, written: &Table) -> Result<(), TableError> {
    let namespace = found.namespace();
    let jobs: Api<Job> = Api::namespaced(context.client.clone(), &namespace);
    let requests: Api<ConfigMap> = Api::namespaced(context.client.clone(), &namespace);
    let named = job_name(written);
    for job in found.jobs.iter().filter(|job| Some(job.name_any()) != named) {
        forget(&jobs, &requests, job).await?;
    }
    let is_there = |name: &String| found.jobs.iter().any(|job| job.name_any() == *name);
    if named.as_ref().is_none_or(is_there) {
        return Ok(());
    }
    let (request, job) = build::job(written, &context.config)?;
    create_once(&requests, &request).await?;
    create_once(&jobs, &job).await?;
    Ok(())
}

/// Deletes a Job whose outcome is in the status; first its request, by which a Job that is left behind is
/// found again.
async fn forget(jobs: &Api<Job>, requests: &Api<ConfigMap>, job: &Job) -> Result<(), ApiError> {
    let name = job.name_any();
    if let Some(uid) = get(requests, &name).await?.and_then(|request| request.uid()) {
        delete(requests, &name, &uid).await?;
    }
    if job.metadata.deletion_timestamp.is_none()
        && let Some(uid) = job.uid()
    {
        delete(jobs, &name, &uid).await?;
    }
    Ok(())
}

/// Tells what happened.
pub async fn events(context: &Context, table: &Table, told: &[Told]) {
    for Told { type_, reason, action, note } in told {
        context.events.publish(table, *type_, reason, action, note).await;
    }
}
