//! Runs one kind's reconcile: only while this replica leads, a bounded number at a time, with a time limit,
//! counted, and again after an error by the class of that error.

use std::collections::HashMap;
use std::fmt::Debug;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::StreamExt;
use k8s_openapi::NamespaceResourceScope;
use kube::api::{Api, ListParams};
use kube::core::error_boundary::InvalidObject;
use kube::core::{DeserializeGuard, PartialObjectMeta};
use kube::runtime::controller::{self, Action, Controller};
use kube::runtime::reflector::Store;
use kube::{Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use crate::apply::limited;
use crate::context::Context;
use crate::error::Failure;
use crate::health::Gate;
use crate::metrics::Outcome;

/// Merges bursts of changes of one object.
const DEBOUNCE: Duration = Duration::from_millis(100);
/// How long one reconcile may take.
const RECONCILE_LIMIT: Duration = Duration::from_secs(120);
/// How often it is looked whether a cache is there.
const READY_INTERVAL: Duration = Duration::from_millis(500);
/// An error that only an edit mends is looked at again after this time, in case that the edit was missed.
const LOOK_AGAIN: Duration = Duration::from_secs(300);

/// Where a controller looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Every namespace: needs cluster-wide verbs.
    Cluster,
    /// One namespace: a Role in it suffices.
    Namespace(String),
}

impl Scope {
    /// The scopes of a configuration: one a namespace, or one for all.
    pub fn all(namespaces: Option<&[String]>) -> Vec<Self> {
        match namespaces {
            None => vec![Self::Cluster],
            Some(names) => names.iter().cloned().map(Self::Namespace).collect(),
        }
    }

    /// The objects of a kind in this scope.
    pub fn api<K>(&self, client: &Client) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        match self {
            Self::Cluster => Api::all(client.clone()),
            Self::Namespace(name) => Api::namespaced(client.clone(), name),
        }
    }

    /// A name of a part of the operator that works in this scope, for people.
    pub fn title(&self, part: &str) -> String {
        match self {
            Self::Cluster => part.to_owned(),
            Self::Namespace(name) => format!("{part} (namespace {name})"),
        }
    }
}

/// How a reconcile ended without success.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error("{0}")]
    Failed(Box<dyn Failure>),
    #[error("leadership was lost")]
    Abandoned,
    #[error("not done within {} seconds", RECONCILE_LIMIT.as_secs())]
    TimedOut,
    #[error("the object cannot be read: {0}")]
    Unreadable(Box<InvalidObject>),
}

/// Runs a controller until stopped; returns when what was in flight has ended. `name` is the label of its
/// metrics, `scope` where it looks; `gate` opens once its cache is there.
pub async fn run<K, R, F, E>(
    name: &'static str,
    controller: Controller<DeserializeGuard<K>>,
    scope: Scope,
    context: Arc<Context>,
    gate: Gate,
    stop: CancellationToken,
    reconcile: R,
) where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + DeserializeOwned
        + Debug
        + Send
        + Sync
        + 'static,
    R: Fn(Arc<K>, Arc<Context>) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Result<Action, E>> + Send + 'static,
    E: Failure,
{
    tokio::spawn(open_when_ready(gate, scope.api(&context.client), controller.store(), stop.clone()));
    let failures = Arc::new(Failures::default());
    let kept = Arc::clone(&failures);
    let policy = move |object: Arc<DeserializeGuard<K>>, ended: &Ended, _: Arc<Context>| {
        kept.again(&key(object.as_ref()), ended)
    };
    let config = controller::Config::default().concurrency(context.config.concurrency).debounce(DEBOUNCE);
    controller
        .with_config(config)
        .reconcile_all_on(context.leader.gained())
        .graceful_shutdown_on(stop.cancelled_owned())
        .run(
            move |object, context| {
                let (reconcile, failures) = (reconcile.clone(), Arc::clone(&failures));
                let span = tracing::info_span!(
                    "reconcile",
                    controller = name,
                    namespace = object.namespace(),
                    name = object.name_any()
                );
                async move { visit(name, object, context, failures, reconcile).await }.instrument(span)
            },
            policy,
            Arc::clone(&context),
        )
        .for_each(|ended| async move {
            // Reconciles have told of themselves; what is left are watches that broke off.
            if let Err(controller::Error::QueueError(error)) = ended {
                tracing::warn!(controller = name, %error, "a watch broke off and is begun again");
            }
        })
        .await;
}

/// Opens the gate once the kind can be listed and its cache holds what there is.
///
/// A cache fills all at once. Its own `wait_until_ready` wakes one waiter alone, and that is the controller.
async fn open_when_ready<K>(
    gate: Gate,
    api: Api<PartialObjectMeta<K>>,
    store: Store<DeserializeGuard<K>>,
    stop: CancellationToken,
) where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + 'static,
{
    let one = ListParams::default().limit(1);
    loop {
        match limited("list", "the kind", api.list(&one)).await {
            Ok(list) if list.items.is_empty() || !store.is_empty() => return gate.set(true),
            Ok(_) => {}
            Err(error) => tracing::warn!(%error, kind = %K::kind(&()), "not ready"),
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(READY_INTERVAL) => {}
        }
    }
}

/// One reconcile, counted.
async fn visit<K, R, F, E>(
    name: &'static str,
    object: Arc<DeserializeGuard<K>>,
    context: Arc<Context>,
    failures: Arc<Failures>,
    reconcile: R,
) -> Result<Action, Ended>
where
    K: Resource<DynamicType = ()> + Clone,
    R: Fn(Arc<K>, Arc<Context>) -> F,
    F: Future<Output = Result<Action, E>>,
    E: Failure,
{
    let began = Instant::now();
    let metrics = context.metrics.clone();
    if !context.leader.is_leader() {
        metrics.reconciled(name, Outcome::Skipped, began.elapsed());
        return Ok(Action::await_change());
    }
    let ended = match &object.0 {
        Err(unreadable) => Err(Ended::Unreadable(Box::new(unreadable.clone()))),
        Ok(object) => {
            let leader = context.leader.clone();
            tokio::select! {
                ended = reconcile(Arc::new(object.clone()), context) => {
                    ended.map_err(|error| Ended::Failed(Box::new(error)))
                }
                () = leader.lost() => Err(Ended::Abandoned),
                () = tokio::time::sleep(RECONCILE_LIMIT) => Err(Ended::TimedOut),
            }
        }
    };
    if ended.is_ok() {
        failures.forget(&key(object.as_ref()));
    }
    metrics.reconciled(name, outcome(&ended), began.elapsed());
    tell(name, &ended, &metrics);
    ended
}

fn outcome(ended: &Result<Action, Ended>) -> Outcome {
    match ended {
        Ok(action) if *action == Action::await_change() => Outcome::Applied,
        Ok(_) => Outcome::Waiting,
        Err(Ended::Failed(_)) => Outcome::Failed,
        Err(Ended::Abandoned | Ended::TimedOut) => Outcome::Abandoned,
        Err(Ended::Unreadable(_)) => Outcome::Skipped,
    }
}

fn tell(name: &str, ended: &Result<Action, Ended>, metrics: &crate::metrics::Metrics) {
    let Err(error) = ended else { return };
    let category = match error {
        Ended::Failed(failure) => failure.category(),
        Ended::Abandoned => "LeadershipLost",
        Ended::TimedOut => "ReconcileTimeout",
        Ended::Unreadable(_) => "UnreadableObject",
    };
    metrics.failed(name, category);
    match error {
        Ended::Failed(failure) if failure.is_conflict() => tracing::debug!(%error, category, "read again"),
        _ => tracing::warn!(%error, category, "reconcile"),
    }
}

/// Namespace and name.
type Key = (String, String);

fn key<K: Resource>(object: &K) -> Key {
    (object.namespace().unwrap_or_default(), object.name_any())
}

/// How often each object failed in a row.
#[derive(Debug, Default)]
struct Failures {
    counts: Mutex<HashMap<Key, u32>>,
}

impl Failures {
    fn forget(&self, key: &Key) {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }

    /// When to try again.
    fn again(&self, key: &Key, ended: &Ended) -> Action {
        let failure = match ended {
            // Whoever leads next visits every object; an unreadable one is visited when it changes.
            Ended::Abandoned | Ended::Unreadable(_) => return Action::await_change(),
            Ended::TimedOut => None,
            Ended::Failed(failure) => Some(failure),
        };
        if failure.is_some_and(|failure| failure.is_conflict()) {
            return Action::requeue(jittered(Duration::from_millis(200)));
        }
        if failure.is_some_and(|failure| !failure.is_transient()) {
            return Action::requeue(jittered(LOOK_AGAIN));
        }
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(key.clone()).or_default();
        *count = count.saturating_add(1);
        Action::requeue(jittered(back_off(*count)))
    }
}

/// Seconds until the next try after so many failures in a row: 1, 2, 4 … 300.
pub fn back_off(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    Duration::from_secs((1u64 << doublings).min(300))
}

/// Up to a quarter more, so that what failed together is not tried together.
pub fn jittered(duration: Duration) -> Duration {
    // The low digits of the clock are as good as a die here.
    let nanoseconds = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| since.subsec_nanos());
    let share = f64::from(nanoseconds % 100_000) / 100_000.0;
    duration.mul_f64(1.0 + share / 4.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{ApiError, ApiErrorKind};

    fn failed(kind: ApiErrorKind) -> Ended {
        Ended::Failed(Box::new(ApiError::of_kind(kind, "write", "it", "no")))
    }

    #[test]
    fn the_class_of_an_error_decides_when_it_is_tried_again() {
        let failures = Failures::default();
        let key = ("n".to_owned(), "a".to_owned());
        assert_eq!(failures.again(&key, &Ended::Abandoned), Action::await_change());
        for _ in 0..3 {
            failures.again(&key, &failed(ApiErrorKind::Unavailable));
        }
        assert_eq!(failures.counts.lock().unwrap()[&key], 3);
        failures.again(&key, &failed(ApiErrorKind::Conflict));
        failures.again(&key, &failed(ApiErrorKind::Invalid));
        assert_eq!(failures.counts.lock().unwrap()[&key], 3, "neither makes the next try later");
        failures.forget(&key);
        assert!(failures.counts.lock().unwrap().is_empty());
    }

    #[test]
    fn the_time_between_tries_grows_to_five_minutes() {
        let seconds: Vec<u64> = (1..=10).map(|count| back_off(count).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300]);
        assert_eq!(back_off(u32::MAX).as_secs(), 300);
        let long = jittered(Duration::from_secs(100));
        assert!(long >= Duration::from_secs(100) && long <= Duration::from_secs(125));
    }

    #[test]
    fn each_end_is_an_outcome() {
        assert_eq!(outcome(&Ok(Action::await_change())), Outcome::Applied);
        assert_eq!(outcome(&Ok(Action::requeue(Duration::ZERO))), Outcome::Waiting);
        assert_eq!(outcome(&Err(failed(ApiErrorKind::Timeout))), Outcome::Failed);
        assert_eq!(outcome(&Err(Ended::TimedOut)), Outcome::Abandoned);
    }

    #[test]
    fn scopes_follow_the_configuration() {
        assert_eq!(Scope::all(None), [Scope::Cluster]);
        let names = ["a".to_owned()];
        assert_eq!(Scope::all(Some(&names)), [Scope::Namespace("a".to_owned())]);
        assert_eq!(Scope::Namespace("a".to_owned()).title("controller"), "controller (namespace a)");
    }
}
