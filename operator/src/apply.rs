//! Writes to the apiserver: server-side apply, create-once, status, delete. Each call has a time limit.

use std::fmt::Debug;
use std::future::Future;
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams, Preconditions, PropagationPolicy};
use kube::{Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::error::{ApiError, ApiErrorKind};

/// How long one call may take.
const CALL_LIMIT: Duration = Duration::from_secs(30);

/// A kind that can be written.
pub trait Object: Resource<DynamicType = ()> + Clone + Debug + Serialize + DeserializeOwned {}

impl<K> Object for K where K: Resource<DynamicType = ()> + Clone + Debug + Serialize + DeserializeOwned {}

/// How [`create_once`] ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Creation {
    /// The object was made now.
    Created,
    /// It was there, made by an earlier visit.
    Existed,
}

/// Makes an object whose name says what it is for. One of that name that has our controller owner (by UID)
/// is the same object: an earlier visit made it.
///
/// # Errors
/// `OwnedByAnother`: the name is taken by an object that is not ours. `BeingDeleted`: it is ours and goes.
pub async fn create_once<K: Object>(api: &Api<K>, object: &K) -> Result<Creation, ApiError> {
    let title = title(object);
    match limited("create", &title, api.create(&PostParams::default(), object)).await {
        Ok(_) => Ok(Creation::Created),
        Err(error) if error.kind() == ApiErrorKind::Conflict => {
            let Some(stands) = get(api, &object.name_any()).await? else {
                // Gone between the two calls: the next visit makes it.
                return Err(ApiError::of_kind(
                    ApiErrorKind::BeingDeleted,
                    "create",
                    title,
                    "it has just gone",
                ));
            };
            existing(&stands, object, &title)
        }
        Err(error) => Err(error),
    }
}

fn existing<K: Object>(stands: &K, object: &K, title: &str) -> Result<Creation, ApiError> {
    let owner = |object: &K| controller(object).map(|owner| owner.uid.clone());
    if owner(stands) != owner(object) {
        let what = "an object of this name is there and belongs to another owner; remove or rename it";
        return Err(ApiError::of_kind(ApiErrorKind::OwnedByAnother, "create", title, what));
    }
    if stands.meta().deletion_timestamp.is_some() {
        let what = "the one of an earlier visit is still being deleted";
        return Err(ApiError::of_kind(ApiErrorKind::BeingDeleted, "create", title, what));
    }
    Ok(Creation::Existed)
}

/// The owner that controls an object.
pub fn controller<K: Resource>(object: &K) -> Option<&OwnerReference> {
    object.owner_references().iter().find(|owner| owner.controller == Some(true))
}

/// Server-side apply under one field manager a purpose; forced, so an object names only fields that are ours.
pub async fn apply<K: Object>(api: &Api<K>, manager: &str, object: &K) -> Result<K, ApiError> {
    let params = PatchParams::apply(manager).force();
    limited("apply", &title(object), api.patch(&object.name_any(), &params, &Patch::Apply(object))).await
}

/// Server-side apply of a whole status, forced: fields that this manager stated before and does not now go.
pub async fn patch_status<K, S>(api: &Api<K>, manager: &str, name: &str, status: &S) -> Result<K, ApiError>
where
    K: Object,
    S: Serialize,
{
    let body = json!({"apiVersion": K::api_version(&()), "kind": K::kind(&()), "status": status});
    apply_status(api, manager, name, &body).await
}

/// Like [`patch_status`], and refused with `Conflict` if the object is not the one that was read.
pub async fn patch_status_of<K, S>(api: &Api<K>, manager: &str, read: &K, status: &S) -> Result<K, ApiError>
where
    K: Object,
    S: Serialize,
{
    let body = json!({
        "apiVersion": K::api_version(&()), "kind": K::kind(&()),
        "metadata": {"uid": read.meta().uid, "resourceVersion": read.meta().resource_version},
        "status": status,
    });
    apply_status(api, manager, &read.name_any(), &body).await
}

async fn apply_status<K: Object>(
    api: &Api<K>,
    manager: &str,
    name: &str,
    body: &serde_json::Value,
) -> Result<K, ApiError> {
    let params = PatchParams::apply(manager).force();
    let title = format!("the status of {} {name}", K::kind(&()));
    limited("write", &title, api.patch_status(name, &params, &Patch::Apply(body))).await
}

/// Deletes in the background exactly the object of that UID; one that is gone already is fine.
pub async fn delete<K: Object>(api: &Api<K>, name: &str, uid: &str) -> Result<(), ApiError> {
    let params = DeleteParams {
        propagation_policy: Some(PropagationPolicy::Background),
        preconditions: Some(Preconditions { uid: Some(uid.to_owned()), resource_version: None }),
        ..DeleteParams::default()
    };
    let title = format!("{} {name}", K::kind(&()));
    match limited("delete", &title, api.delete(name, &params)).await {
        Ok(_) => Ok(()),
        // A conflict: another object has the name by now, so ours is gone.
        Err(error) if matches!(error.kind(), ApiErrorKind::NotFound | ApiErrorKind::Conflict) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Reads an object from the apiserver (never from a cache).
pub async fn get<K: Object>(api: &Api<K>, name: &str) -> Result<Option<K>, ApiError> {
    limited("read", &format!("{} {name}", K::kind(&())), api.get_opt(name)).await
}

/// Runs one call under the time limit; `action` is a verb, `object` names kind and object.
pub async fn limited<T>(
    action: &'static str,
    object: &str,
    call: impl Future<Output = Result<T, kube::Error>>,
) -> Result<T, ApiError> {
    match tokio::time::timeout(CALL_LIMIT, call).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(ApiError::new(action, object, &error)),
        Err(_) => {
            let what = format!("no answer within {} seconds", CALL_LIMIT.as_secs());
            Err(ApiError::of_kind(ApiErrorKind::Timeout, action, object, what))
        }
    }
}

fn title<K: Object>(object: &K) -> String {
    let namespace = object.namespace().unwrap_or_default();
    format!("{} {namespace}/{}", K::kind(&()), object.name_any())
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ConfigMap;

    use super::*;

    fn config_map(owner: &str, deleted: bool) -> ConfigMap {
        let mut value = json!({
            "metadata": {"name": "a", "namespace": "n", "ownerReferences": [{
                "apiVersion": "longshore.dev/v1alpha1", "kind": "Table", "name": "t", "uid": owner,
                "controller": true,
            }]},
        });
        if deleted {
            value["metadata"]["deletionTimestamp"] = json!("2024-01-01T00:00:00Z");
        }
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn an_object_of_our_name_is_ours_only_by_the_uid_of_its_owner() {
        let object = config_map("1", false);
        let ended = |stands: &ConfigMap| existing(stands, &object, "it").map_err(|error| error.kind());
        assert_eq!(ended(&object), Ok(Creation::Existed));
        assert_eq!(ended(&config_map("2", false)), Err(ApiErrorKind::OwnedByAnother));
        assert_eq!(ended(&config_map("1", true)), Err(ApiErrorKind::BeingDeleted));
    }
}
