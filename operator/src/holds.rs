//! Why a pod does not begin, where only events say so: a Secret or a volume that is missing, a pod that is refused.

use k8s_openapi::api::core::v1::Event;
use kube::Client;
use kube::api::{Api, ListParams};
use longshore_crds::reasons;

use crate::apply::limited;
use crate::error::ApiError;
use crate::seen::PodFacts;

/// Events of one object that are looked at, the newest last.
const EVENTS: u32 = 50;

/// Why something does not go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// CamelCase, stable.
    pub reason: String,
    /// A sentence for a person.
    pub message: String,
}

impl Hold {
    /// A hold.
    pub fn new(reason: &str, message: impl Into<String>) -> Self {
        Self { reason: reason.to_owned(), message: message.into() }
    }
}

/// What keeps the container of the pod of this UID from its begin; `None`: nobody says.
///
/// # Errors
/// The apiserver.
pub async fn of_pod(client: &Client, namespace: &str, uid: &str) -> Result<Option<Hold>, ApiError> {
    let events = events(client, namespace, uid).await?;
    Ok(events.iter().rev().find_map(|(reason, note)| of_event(reason, note)))
}

/// Asks the events why a pod does not begin, if it has a node and does not say so itself.
///
/// # Errors
/// The apiserver.
pub async fn ask(client: &Client, namespace: &str, pod: &mut PodFacts) -> Result<(), ApiError> {
    if pod.started || pod.ended || pod.hold.is_some() || pod.node.is_none() {
        return Ok(());
    }
    pod.hold = of_pod(client, namespace, &pod.uid).await?;
    Ok(())
}

/// Why the Job of this UID cannot make its pod; `None`: nobody says.
///
/// # Errors
/// The apiserver.
pub async fn of_job(client: &Client, namespace: &str, uid: &str) -> Result<Option<String>, ApiError> {
    let newest = events(client, namespace, uid).await?.into_iter().next_back();
    Ok(newest.filter(|(reason, _)| reason == "FailedCreate").map(|(_, note)| note))
}

/// Reason and note of an object's events, the newest last.
async fn events(client: &Client, namespace: &str, uid: &str) -> Result<Vec<(String, String)>, ApiError> {
    let api: Api<Event> = Api::namespaced(client.clone(), namespace);
    let params = ListParams::default().fields(&format!("involvedObject.uid={uid}")).limit(EVENTS);
    let mut events = limited("list", "events", api.list(&params)).await?.items;
    events.sort_by_key(|event| {
        let series = event.series.as_ref().and_then(|series| series.last_observed_time.as_ref());
        let newest = series.or(event.event_time.as_ref()).map(|time| time.0);
        newest.max(event.last_timestamp.as_ref().map(|time| time.0))
    });
    let said = |event: Event| (event.reason.unwrap_or_default(), event.message.unwrap_or_default());
    Ok(events.into_iter().map(said).collect())
}

/// What a pod's event says of why its container does not begin; `None`: nothing.
pub fn of_event(reason: &str, note: &str) -> Option<Hold> {
    match reason {
        "FailedMount" if is_about_secret(note) => Some(Hold::new(reasons::SECRET_MISSING, note)),
        "FailedMount" | "FailedAttachVolume" | "FailedMapVolume" => {
            Some(Hold::new(reasons::VOLUME_NOT_READY, note))
        }
        "FailedCreatePodSandBox" => Some(Hold::new(reasons::CONTAINER_NOT_STARTED, note)),
        _ => None,
    }
}

fn is_about_secret(note: &str) -> bool {
    note.contains("references non-existent secret key")
        || (note.contains("secret \"") && note.contains("not found"))
        || note.contains("object \"") && note.contains("not registered")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_that_fails_is_told_by_what_is_missing() {
        let reason = |reason: &str, note: &str| of_event(reason, note).map(|hold| hold.reason);
        let secret = "MountVolume.SetUp failed for volume \"secrets\" : secret \"aws\" not found";
        assert_eq!(reason("FailedMount", secret).as_deref(), Some(reasons::SECRET_MISSING));
        let folder = "MountVolume.NewMounter initialization failed: path does not exist";
        assert_eq!(reason("FailedMount", folder).as_deref(), Some(reasons::VOLUME_NOT_READY));
        assert_eq!(reason("Pulled", "image is there"), None);
    }
}
