//! What every reconcile has at hand.

use kube::Client;

use crate::config::Config;
use crate::events::Publisher;
use crate::leader::Leadership;
use crate::metrics::Metrics;

/// What every reconcile has at hand.
#[derive(Clone)]
pub struct Context {
    /// The apiserver.
    pub client: Client,
    /// What the administrator decided.
    pub config: Config,
    /// Tells what happened, beside the object.
    pub events: Publisher,
    /// Counts.
    pub metrics: Metrics,
    /// Whether this replica may write.
    pub leader: Leadership,
}
