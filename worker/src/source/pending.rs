//! Bytes that are on their way.

use std::sync::mpsc::{Receiver, sync_channel};

use bytes::Bytes;
use tokio::runtime::Handle;
use tokio_util::task::AbortOnDropHandle;

use super::error::SourceError;

type Answer = Result<Bytes, SourceError>;

/// Bytes that were asked for; dropping it cancels the read.
pub struct PendingBytes(State);

enum State {
    Ready(Answer),
    Reading { answer: Receiver<Answer>, _task: Option<AbortOnDropHandle<()>> },
}

impl PendingBytes {
    /// Bytes that are there already.
    pub fn ready(answer: Answer) -> Self {
        Self(State::Ready(answer))
    }

    /// Bytes that a task on `runtime` brings.
    pub(super) fn spawn(runtime: &Handle, read: impl Future<Output = Answer> + Send + 'static) -> Self {
        let (sender, answer) = sync_channel(1);
        let task = runtime.spawn(async move {
            // Nobody waits any more when this fails.
            sender.send(read.await).ok();
        });
        Self(State::Reading { answer, _task: Some(AbortOnDropHandle::new(task)) })
    }

    /// Bytes that blocking code on one of `runtime`'s blocking threads brings.
    pub(super) fn spawn_blocking(runtime: &Handle, read: impl FnOnce() -> Answer + Send + 'static) -> Self {
        let (sender, answer) = sync_channel(1);
        runtime.spawn_blocking(move || sender.send(read()).ok());
        Self(State::Reading { answer, _task: None })
    }

    /// Waits until the read has ended. Blocks: never call it from async code.
    pub fn wait(self) -> Answer {
        match self.0 {
            State::Ready(answer) => answer,
            // The sender vanishes without an answer only when the runtime shuts down.
            State::Reading { answer, .. } => answer.recv().unwrap_or(Err(SourceError::Cancelled)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_for_a_task() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let pending = PendingBytes::spawn(runtime.handle(), async { Ok(Bytes::from_static(b"abc")) });
        assert_eq!(pending.wait().unwrap(), "abc");
        let pending = PendingBytes::spawn_blocking(runtime.handle(), || Err(SourceError::Cancelled));
        assert_eq!(pending.wait(), Err(SourceError::Cancelled));
        assert_eq!(PendingBytes::ready(Ok(Bytes::new())).wait(), Ok(Bytes::new()));
    }

    #[test]
    fn a_runtime_that_shuts_down_answers_cancelled() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let pending = PendingBytes::spawn(runtime.handle(), std::future::pending());
        runtime.shutdown_background();
        assert_eq!(pending.wait(), Err(SourceError::Cancelled));
    }
}
