//! A server on a thread of its own, for tests that are not async.

use std::ops::Deref;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

use tokio::runtime;
use tokio::sync::oneshot;

use crate::error::ServerError;
use crate::server::{Builder, Server};

/// A running server on its own thread and runtime; dropping it ends it.
#[derive(Debug)]
pub struct BackgroundServer {
    server: Arc<Server>,
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl BackgroundServer {
    pub(crate) fn start(builder: Builder) -> Result<Self, ServerError> {
        let (started, starting) = mpsc::channel();
        let (end, ending) = oneshot::channel();
        let thread = std::thread::spawn(move || run(builder, &started, ending));
        let server = starting.recv().map_err(|_| ServerError::ThreadEnded)??;
        Ok(Self { server, end: Some(end), thread: Some(thread) })
    }
}

/// Starts the server, hands it over, and keeps its runtime until the end signal.
fn run(
    builder: Builder,
    started: &mpsc::Sender<Result<Arc<Server>, ServerError>>,
    ending: oneshot::Receiver<()>,
) {
    let runtime = runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let sent = match runtime {
        Err(error) => started.send(Err(ServerError::io("start", "a runtime", error))),
        Ok(runtime) => runtime.block_on(async {
            let sent = started.send(builder.start().await.map(Arc::new));
            // Also a dropped sender is the signal.
            ending.await.unwrap_or_default();
            sent
        }),
    };
    if sent.is_err() {
        tracing::debug!("nobody waited for the server");
    }
}

impl Deref for BackgroundServer {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}

impl Drop for BackgroundServer {
    fn drop(&mut self) {
        // Dropping the sender ends the thread, and its runtime with all connections.
        self.end.take();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::warn!("the server's thread did not end well");
        }
    }
}
