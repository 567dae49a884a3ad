//! Who may write: the holder of a Lease.
//!
//! The rules are those of Kubernetes' own controllers. No clock is compared with another machine's: a Lease
//! is free when its record has not changed for its duration as *this* process has seen it. It is taken and
//! renewed by an update at the resourceVersion that was read, so of two that try at once one gets a conflict.
//! A holder that could not renew for two thirds of the duration, for whatever reason, says so before anyone
//! else may take the Lease.

use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, stream};
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use k8s_openapi::jiff::Timestamp;
use kube::Client;
use kube::api::{Api, PostParams};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;

/// Whether this replica leads; clones follow.
#[derive(Debug, Clone)]
pub struct Leadership {
    state: watch::Receiver<bool>,
    /// Keeps the state of a leader without a Lease.
    _always: Option<Arc<watch::Sender<bool>>>,
}

impl Leadership {
    /// Leads for ever, without a Lease.
    pub fn always() -> Self {
        let (sender, state) = watch::channel(true);
        Self { state, _always: Some(Arc::new(sender)) }
    }

    /// Whether this replica leads now.
    pub fn is_leader(&self) -> bool {
        *self.state.borrow()
    }

    /// Returns when this replica does not lead (any more).
    pub async fn lost(&self) {
        let mut state = self.state.clone();
        // The other end is gone: nobody renews.
        if state.wait_for(|leads| !leads).await.is_err() {}
    }

    /// Tells the state now and after each change, for as long as there can be one.
    pub async fn follow(mut self, tell: impl Fn(bool)) {
        loop {
            tell(*self.state.borrow_and_update());
            if self.state.changed().await.is_err() {
                return tell(false);
            }
        }
    }

    /// An item each time that this replica begins to lead.
    pub fn gained(&self) -> impl Stream<Item = ()> + Send + use<> {
        stream::unfold(self.state.clone(), |mut state| async move {
            loop {
                state.changed().await.ok()?;
                if *state.borrow_and_update() {
                    return Some(((), state));
                }
            }
        })
    }
}

/// Holds, or waits for, a Lease.
pub struct Elector {
    api: Api<Lease>,
    name: String,
    identity: String,
    duration: Duration,
    sender: watch::Sender<bool>,
    seen: Option<Seen>,
}

/// What a Lease was when it last changed, and when this process saw that.
struct Seen {
    spec: LeaseSpec,
    at: Instant,
}

/// What to do about a Lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// It is ours: say that we live.
    Renew,
    /// It is free.
    Take,
    /// Another holds it.
    Wait,
}

impl Elector {
    /// An elector that does not lead yet, and what others see of it. `identity` must be this process's alone.
    pub fn new(
        client: Client,
        namespace: &str,
        name: &str,
        identity: &str,
        duration: Duration,
    ) -> (Self, Leadership) {
        let (sender, state) = watch::channel(false);
        let elector = Self {
            api: Api::namespaced(client, namespace),
            name: name.to_owned(),
            identity: identity.to_owned(),
            duration,
            sender,
            seen: None,
        };
        (elector, Leadership { state, _always: None })
    }

    /// Tries, holds and tries again until stopped; the Lease is given back then.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut renewed = Instant::now();
        loop {
            let began = Instant::now();
            let held = self.visit_within(renewed).await;
            match held {
                Ok(true) => {
                    renewed = began;
                    self.tell(true);
                }
                Ok(false) => self.tell(false),
                Err(what) => {
                    tracing::warn!(lease = self.name, what, "the lease was not read or written");
                    if renewed.elapsed() >= self.patience() {
                        self.tell(false);
                    }
                }
            }
            tokio::select! {
                () = stop.cancelled() => break,
                () = sleep(self.duration / 8) => {}
            }
        }
        self.release().await;
    }

    /// How long a holder that cannot renew still leads.
    fn patience(&self) -> Duration {
        self.duration * 2 / 3
    }

    /// One visit. While we lead it ends, one way or the other, before our patience does.
    async fn visit_within(&mut self, renewed: Instant) -> Result<bool, String> {
        let leads = *self.sender.borrow();
        let limit = if leads { renewed + self.patience() } else { Instant::now() + self.patience() };
        match timeout_at(limit, self.visit()).await {
            Ok(Ok(held)) => Ok(held),
            Ok(Err(error)) => Err(crate::error::with_sources(&error)),
            Err(_) => Err("no answer in time".to_owned()),
        }
    }

    /// Whether the Lease is ours now.
    async fn visit(&mut self) -> Result<bool, kube::Error> {
        let Some(mut lease) = self.api.get_opt(&self.name).await? else {
            let lease = self.new_lease();
            return won(self.api.create(&PostParams::default(), &lease).await);
        };
        let spec = lease.spec.clone().unwrap_or_default();
        let now = Instant::now();
        if self.seen.as_ref().is_none_or(|seen| seen.spec != spec) {
            self.seen = Some(Seen { spec: spec.clone(), at: now });
        }
        let unchanged = self.seen.as_ref().map_or(Duration::ZERO, |seen| now.duration_since(seen.at));
        let step = step(&spec, &self.identity, unchanged);
        if step == Step::Wait {
            return Ok(false);
        }
        lease.spec = Some(self.held(&spec, step));
        // At the resourceVersion that was read.
        won(self.api.replace(&self.name, &PostParams::default(), &lease).await)
    }

    fn new_lease(&self) -> Lease {
        let metadata = ObjectMeta { name: Some(self.name.clone()), ..ObjectMeta::default() };
        Lease { metadata, spec: Some(self.held(&LeaseSpec::default(), Step::Take)) }
    }

    fn held(&self, before: &LeaseSpec, step: Step) -> LeaseSpec {
        let now = MicroTime(Timestamp::now());
        let seconds = i32::try_from(self.duration.as_secs()).unwrap_or(i32::MAX);
        let mut spec = LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: Some(seconds),
            renew_time: Some(now.clone()),
            ..before.clone()
        };
        if step == Step::Take {
            spec.acquire_time = Some(now);
            spec.lease_transitions = Some(before.lease_transitions.unwrap_or(0).saturating_add(1));
        }
        spec
    }

    fn tell(&self, leads: bool) {
        self.sender.send_if_modified(|state| {
            let changed = *state != leads;
            if changed {
                tracing::info!(lease = self.name, identity = self.identity, leads, "leadership");
            }
            *state = leads;
            changed
        });
    }

    /// Lets the next one lead at once; what fails here is mended by the Lease's duration.
    async fn release(&mut self) {
        let led = *self.sender.borrow();
        self.tell(false);
        if !led {
            return;
        }
        let given_back = tokio::time::timeout(Duration::from_secs(5), self.give_back()).await;
        match given_back {
            Ok(Ok(())) => tracing::info!(lease = self.name, "the lease is given back"),
            Ok(Err(error)) => tracing::warn!(%error, "the lease was not given back"),
            Err(_) => tracing::warn!("the lease was not given back in time"),
        }
    }

    async fn give_back(&self) -> Result<(), kube::Error> {
        let Some(mut lease) = self.api.get_opt(&self.name).await? else { return Ok(()) };
        let Some(spec) = lease.spec.as_mut().filter(|spec| is_holder(spec, &self.identity)) else {
            return Ok(());
        };
        spec.holder_identity = None;
        spec.lease_duration_seconds = Some(1);
        self.api.replace(&self.name, &PostParams::default(), &lease).await?;
        Ok(())
    }
}

/// A conflict means that another was first.
fn won(written: Result<Lease, kube::Error>) -> Result<bool, kube::Error> {
    match written {
        Ok(_) => Ok(true),
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(false),
        Err(error) => Err(error),
    }
}

fn is_holder(spec: &LeaseSpec, identity: &str) -> bool {
    spec.holder_identity.as_deref() == Some(identity)
}

/// What follows from a Lease that has not changed for so long.
fn step(spec: &LeaseSpec, identity: &str, unchanged: Duration) -> Step {
    if is_holder(spec, identity) {
        return Step::Renew;
    }
    let is_held = spec.holder_identity.as_deref().is_some_and(|holder| !holder.is_empty());
    let seconds = u64::try_from(spec.lease_duration_seconds.unwrap_or(0)).unwrap_or(0);
    if is_held && unchanged < Duration::from_secs(seconds) { Step::Wait } else { Step::Take }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(holder: Option<&str>) -> LeaseSpec {
        LeaseSpec {
            holder_identity: holder.map(str::to_owned),
            lease_duration_seconds: Some(15),
            ..LeaseSpec::default()
        }
    }

    #[test]
    fn a_lease_is_taken_only_when_it_is_free() {
        let seconds = Duration::from_secs;
        assert_eq!(step(&spec(Some("a")), "a", seconds(100)), Step::Renew);
        assert_eq!(step(&spec(Some("b")), "a", seconds(14)), Step::Wait);
        assert_eq!(step(&spec(Some("b")), "a", seconds(15)), Step::Take);
        assert_eq!(step(&spec(None), "a", seconds(0)), Step::Take);
        assert_eq!(step(&spec(Some("")), "a", seconds(0)), Step::Take);
        assert_eq!(step(&LeaseSpec::default(), "a", seconds(0)), Step::Take);
    }

    #[tokio::test]
    async fn losing_and_gaining_are_seen() {
        use futures::StreamExt;
        let (sender, state) = watch::channel(false);
        let leadership = Leadership { state, _always: None };
        assert!(!leadership.is_leader());
        leadership.lost().await;
        let mut gained = Box::pin(leadership.gained());
        sender.send(true).unwrap();
        assert_eq!(gained.next().await, Some(()));
        assert!(leadership.is_leader());
        drop(sender);
        leadership.lost().await;
        assert_eq!(gained.next().await, None);
        assert!(Leadership::always().is_leader());
    }
}
