//! CPU and memory of the worker's container: what the object states, else what the administrator states, else
//! ours.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ResourceRequirements;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use longshore_crds::{WorkerQuantity, WorkerResources};

use super::PodError;
use super::quantity::{bytes, thousandths};

/// Where nobody states anything.
const DEFAULT_REQUESTS: [(&str, &str); 2] = [("cpu", "250m"), ("memory", "2Gi")];
const DEFAULT_LIMITS: [(&str, &str); 1] = [("memory", "2Gi")];

/// Share of the limit that is the worker's budget; the page cache and the runtime need the rest (design §4).
const TENTHS_OF_LIMIT: u64 = 6;

type Quantities = BTreeMap<String, Quantity>;

/// Requests and limits of a worker's container.
pub(super) fn requirements(
    wanted: Option<&WorkerResources>,
    administrator: &ResourceRequirements,
) -> Result<ResourceRequirements, PodError> {
    let ours = ResourceRequirements {
        requests: Some(quantities(&DEFAULT_REQUESTS)),
        limits: Some(quantities(&DEFAULT_LIMITS)),
        claims: None,
    };
    let wanted = ResourceRequirements {
        requests: wanted.map(|wanted| converted(&wanted.requests)),
        limits: wanted.map(|wanted| converted(&wanted.limits)),
        claims: None,
    };
    let merged = over(&wanted, &over(administrator, &ours));
    check(&merged)?;
    Ok(merged)
}

/// Resources of a pod that only opens the log: small, so that it finds room whatever its object asks for.
pub(super) fn of_closing() -> ResourceRequirements {
    ResourceRequirements {
        requests: Some(quantities(&[("cpu", "50m"), ("memory", "128Mi")])),
        limits: Some(quantities(&[("memory", "1Gi")])),
        claims: None,
    }
}

/// What is stated above goes before what is stated below. A resource of which above states one side only gets
/// the other side from there: a limit alone is the request as well, a request alone is the limit if the limit
/// below is less.
fn over(above: &ResourceRequirements, below: &ResourceRequirements) -> ResourceRequirements {
    let empty = Quantities::new();
    let (requests, limits) =
        (above.requests.as_ref().unwrap_or(&empty), above.limits.as_ref().unwrap_or(&empty));
    let mut merged_requests = below.requests.clone().unwrap_or_default();
    let mut merged_limits = below.limits.clone().unwrap_or_default();
    for (name, limit) in limits {
        merged_limits.insert(name.clone(), limit.clone());
        if merged_requests.contains_key(name) {
            merged_requests.insert(name.clone(), limit.clone());
        }
    }
    for (name, request) in requests {
        merged_requests.insert(name.clone(), request.clone());
        let lower = merged_limits.get(name).is_some_and(|limit| is_above(request, limit));
        if lower && !limits.contains_key(name) {
            merged_limits.insert(name.clone(), request.clone());
        }
    }
    ResourceRequirements { requests: Some(merged_requests), limits: Some(merged_limits), claims: None }
}

fn is_above(one: &Quantity, other: &Quantity) -> bool {
    thousandths(&one.0) > thousandths(&other.0)
}

fn check(resources: &ResourceRequirements) -> Result<(), PodError> {
    let all = [&resources.requests, &resources.limits];
    for (name, quantity) in all.into_iter().flatten().flatten() {
        if thousandths(&quantity.0).is_none() {
            return Err(PodError::InvalidQuantity { name: name.clone(), text: quantity.0.clone() });
        }
    }
    for (name, request) in resources.requests.iter().flatten() {
        let limit = resources.limits.as_ref().and_then(|limits| limits.get(name));
        if limit.is_some_and(|limit| is_above(request, limit)) {
            return Err(PodError::RequestAboveLimit { name: name.clone() });
        }
    }
    Ok(())
}

/// The memory limit of a container, as written.
pub fn memory_limit(resources: &ResourceRequirements) -> Option<&str> {
    resources.limits.as_ref()?.get("memory").map(|limit| limit.0.as_str())
}

/// The worker's memory budget in bytes; `None`: no limit, the worker decides.
pub(super) fn memory_budget(resources: &ResourceRequirements) -> Option<u64> {
    Some(bytes(memory_limit(resources)?)? / 10 * TENTHS_OF_LIMIT)
}

fn quantities(list: &[(&str, &str)]) -> Quantities {
    list.iter().map(|(name, text)| ((*name).to_owned(), Quantity((*text).to_owned()))).collect()
}

fn converted(wanted: &BTreeMap<String, WorkerQuantity>) -> Quantities {
    wanted.iter().map(|(name, quantity)| (name.clone(), quantity.into())).collect()
}
