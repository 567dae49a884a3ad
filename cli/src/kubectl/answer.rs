//! A pod from its start to its end: made, followed, read, deleted.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::bail;
use k8s_openapi::api::core::v1::{ContainerStateTerminated, Pod, PodStatus};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::client::Kubectl;

/// Between two looks at a pod.
const POLL: Duration = Duration::from_millis(300);
/// From the end of its log to the status that tells how it ended.
const END_SECONDS: u64 = 60;

/// Runs pods.
pub struct Pods<'a> {
    /// The cluster.
    pub kubectl: &'a Kubectl,
    /// Until the pod must have started.
    pub timeout: Duration,
    /// Ctrl-C.
    pub cancel: &'a CancellationToken,
}

impl Pods<'_> {
    /// Runs a pod, prints what it prints, and deletes it however it ends; the bytes that it printed.
    ///
    /// # Errors
    /// It does not start, or ends with an error: its termination message.
    pub fn answer(&self, pod: &Pod) -> anyhow::Result<u64> {
        let manifest = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": pod.metadata, "spec": pod.spec,
        });
        let created = self
            .kubectl
            .output(&["create", "-f", "-", "-o", "name"], Some(manifest.to_string().as_bytes()))?;
        let name = String::from_utf8(created)?.trim().to_owned();
        let answered = self.follow(&name);
        let deleted = self.kubectl.output(&["delete", &name, "--wait=false", "--ignore-not-found"], None);
        if let Err(error) = deleted {
            eprintln!("{name} is still there, and ends by itself: {error:#}");
        }
        answered
    }

    fn follow(&self, name: &str) -> anyhow::Result<u64> {
        self.wait(name, self.timeout, has_started)?;
        let copied = self.kubectl.stream(&["logs", "--follow", name], &mut std::io::stdout().lock())?;
        let ended = self.wait(name, Duration::from_secs(END_SECONDS), ended)?;
        match ended.exit_code {
            0 => Ok(copied),
            code => match ended.message.filter(|message| !message.is_empty()) {
                Some(message) => bail!("{}", message.trim()),
                None => bail!("{name} ended with exit code {code} ({})", ended.reason.unwrap_or_default()),
            },
        }
    }

    /// Looks at the pod until `look` finds what it looks for; tells what it waits for.
    fn wait<T>(&self, name: &str, timeout: Duration, look: fn(&PodStatus) -> Option<T>) -> anyhow::Result<T> {
        let begun = Instant::now();
        let mut told = String::new();
        loop {
            if self.cancel.is_cancelled() {
                bail!("stopped");
            }
            let status = self.kubectl.get::<Pod>(&[name])?.status.unwrap_or_default();
            if let Some(found) = look(&status) {
                return Ok(found);
            }
            let waits_for = waits_for(&status);
            if begun.elapsed() > timeout {
                bail!("{name} has not come that far after {} s: {waits_for}", timeout.as_secs());
            }
            if !waits_for.is_empty() && waits_for != told {
                eprintln!("{name}: {waits_for}");
                told = waits_for;
            }
            sleep(POLL);
        }
    }
}

fn has_started(status: &PodStatus) -> Option<()> {
    matches!(status.phase.as_deref(), Some("Running" | "Succeeded" | "Failed")).then_some(())
}

fn ended(status: &PodStatus) -> Option<ContainerStateTerminated> {
    let container = status.container_statuses.as_ref().and_then(|containers| containers.first());
    if let Some(terminated) = container.and_then(|container| container.state.as_ref()?.terminated.clone()) {
        return Some(terminated);
    }
    // One that was evicted before its container began.
    (status.phase.as_deref() == Some("Failed")).then(|| ContainerStateTerminated {
        exit_code: -1,
        reason: status.reason.clone(),
        message: status.message.clone(),
        ..ContainerStateTerminated::default()
    })
}

/// Why a pod has not started, as far as it says; empty: it does not say.
fn waits_for(status: &PodStatus) -> String {
    let containers = status.container_statuses.iter().flatten();
    let waiting = containers.filter_map(|container| container.state.as_ref()?.waiting.as_ref());
    let waiting = waiting.filter(|waiting| waiting.reason.as_deref() != Some("ContainerCreating"));
    let told = waiting.map(|waiting| (waiting.reason.as_deref(), waiting.message.as_deref()));
    let conditions = status.conditions.iter().flatten();
    let unscheduled = conditions.filter(|one| one.type_ == "PodScheduled" && one.status == "False");
    let told = told.chain(unscheduled.map(|one| (one.reason.as_deref(), one.message.as_deref())));
    let told =
        told.map(|(reason, message)| [reason, message].into_iter().flatten().collect::<Vec<_>>().join(": "));
    told.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(yaml: &str) -> PodStatus {
        serde_yaml::from_str(yaml).unwrap()
    }

    #[test]
    fn a_pod_tells_what_it_waits_for_and_how_it_ended() {
        let waiting = status(
            "{phase: Pending, conditions: [{type: PodScheduled, status: 'False', reason: Unschedulable, \
              message: no node fits}]}",
        );
        assert!(has_started(&waiting).is_none() && ended(&waiting).is_none());
        assert_eq!(waits_for(&waiting), "Unschedulable: no node fits");
        let pulling = status(
            "{phase: Pending, containerStatuses: [{name: worker, image: w, imageID: '', ready: false, \
              restartCount: 0, state: {waiting: {reason: ImagePullBackOff}}}]}",
        );
        assert_eq!(waits_for(&pulling), "ImagePullBackOff");
        let failed = status(
            "{phase: Failed, containerStatuses: [{name: worker, image: w, imageID: '', ready: false, \
              restartCount: 0, state: {terminated: {exitCode: 68, message: why}}}]}",
        );
        let ended = super::ended(&failed).unwrap();
        assert_eq!((ended.exit_code, ended.message.as_deref()), (68, Some("why")));
        assert_eq!(super::ended(&status("{phase: Failed, reason: Evicted}")).unwrap().exit_code, -1);
    }
}
