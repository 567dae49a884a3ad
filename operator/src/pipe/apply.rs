//! Fourth step: does what was decided, in order. Whatever was done before is found done.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt;
use kube::api::{Api, ListParams, Patch, PatchParams};
use longshore_crds::Table;
use serde_json::json;

use super::build::Builder;
use super::decide::Action;
use super::facts::{Facts, Kind};
use super::{Error, Shared};
use crate::apply::{apply, controller, create_once, delete, get, limited};
use crate::error::{ApiError, ApiErrorKind};
use crate::names;
use crate::table::raise_epoch;

/// Field manager of Deployments.
const MANAGER: &str = "longshore/pipe";

/// Does the actions for a status that was written.
///
/// # Errors
/// The first one that failed; the next visit decides anew.
pub async fn perform(actions: &[Action], facts: &Facts, shared: &Shared) -> Result<(), Error> {
    let performer = Performer { facts, shared };
    for action in actions {
        performer.perform(action).await?;
    }
    Ok(())
}

struct Performer<'a> {
    facts: &'a Facts,
    shared: &'a Shared,
}

impl Performer<'_> {
    async fn perform(&self, action: &Action) -> Result<(), Error> {
        match action {
            Action::RaiseEpoch { lost } => self.raise_epoch(*lost).await,
            Action::MakeRequest => self.make_request().await,
            Action::ApplyDeployment => self.apply_deployment().await,
            Action::MakeJob => self.make_job().await,
            Action::ScaleToZero(name) => self.scale_to_zero(name).await,
            Action::Delete { kind: Kind::Deployment, name, uid } => {
                Ok(delete(&self.api::<Deployment>(), name, uid).await?)
            }
            Action::Delete { kind: Kind::Job, name, uid } => Ok(delete(&self.api::<Job>(), name, uid).await?),
            Action::Sweep { keep } => self.sweep(keep.as_deref()).await,
        }
    }

    fn api<K>(&self) -> Api<K>
    where
        K: kube::Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>,
    {
        let namespace = self.facts.pipe.namespace().unwrap_or_default();
        Api::namespaced(self.shared.context.client.clone(), &namespace)
    }

    fn builder(&self) -> Result<Builder<'_>, Error> {
        let volume = self.facts.table.volume.as_ref().ok_or(Error::NoVolume)?;
        Ok(Builder::new(&self.facts.pipe, volume, &self.shared.context.config)?)
    }

    async fn make_request(&self) -> Result<(), Error> {
        create_once(&self.api::<ConfigMap>(), &self.builder()?.request()?).await?;
        Ok(())
    }

    /// One of that name that is another owner's stays as it is.
    async fn apply_deployment(&self) -> Result<(), Error> {
        let deployment = self.builder()?.deployment()?;
        let api = self.api::<Deployment>();
        let stands = get(&api, &deployment.name_any()).await?;
        let owner = |it: &Deployment| controller(it).map(|owner| owner.uid.clone());
        if let Some(stands) = stands.filter(|stands| owner(stands) != owner(&deployment)) {
            let what = "an object of this name is there and belongs to another owner; remove or rename it";
            let title = format!("Deployment {}", stands.name_any());
            return Err(ApiError::of_kind(ApiErrorKind::OwnedByAnother, "apply", title, what).into());
        }
        apply(&api, MANAGER, &deployment).await?;
        Ok(())
    }

    async fn make_job(&self) -> Result<(), Error> {
        create_once(&self.api::<Job>(), &self.builder()?.job()?).await?;
        Ok(())
    }

    async fn scale_to_zero(&self, name: &str) -> Result<(), Error> {
        let body = json!({"spec": {"replicas": 0}});
        let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
        let title = format!("Deployment {name}");
        limited("scale", &title, self.api::<Deployment>().patch(name, &params, &Patch::Merge(&body))).await?;
        Ok(())
    }

    /// Requests that no pod uses any more; once for each that is in use.
    async fn sweep(&self, keep: Option<&str>) -> Result<(), Error> {
        let uid = self.facts.pipe.uid().unwrap_or_default();
        if self.shared.is_swept(&uid, keep) {
            return Ok(());
        }
        let api = self.api::<ConfigMap>();
        let selector = format!("{}={}", names::PIPE, self.facts.pipe.name_any());
        let params = ListParams::default().labels(&selector);
        let listed = limited("list", "requests of the Pipe", api.list(&params)).await?;
        for request in listed.items {
            let ours = controller(&request).is_some_and(|owner| owner.uid == uid);
            if ours && keep != Some(&request.name_any()) {
                delete(&api, &request.name_any(), &request.uid().unwrap_or_default()).await?;
            }
        }
        self.shared.note_swept(&uid, keep);
        Ok(())
    }

    async fn raise_epoch(&self, lost: u32) -> Result<(), Error> {
        if let Some(table) = get(&self.api::<Table>(), &self.facts.pipe.spec.table).await? {
            raise_epoch(&self.shared.context, &table, lost).await?;
        }
        Ok(())
    }
}
