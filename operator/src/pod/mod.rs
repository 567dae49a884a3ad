//! Pods and Jobs of workers, built without any I/O: the restricted pod-security standard, no token, no Secret
//! but as files, and of a CR's wishes only those of the allow-list.

mod job;
mod placement;
mod quantity;
mod resources;
mod security;
mod spec;
mod template;
mod volumes;

pub use job::WorkerJob;
pub use quantity::bytes;
pub use resources::memory_limit;
pub use spec::{TableRef, WorkerPod};
pub use template::{PodTemplate, TemplateError};
pub use volumes::{REQUEST_FILE, REQUEST_KEY};

/// Port name of the worker's HTTP.
pub const HTTP_PORT: &str = "http";
/// Name of the worker's container.
pub const CONTAINER: &str = "worker";

/// What an object asks of its pods and may not have.
#[derive(Debug, thiserror::Error)]
pub enum PodError {
    /// A ServiceAccount that nobody allowed.
    #[error(
        "spec.worker.serviceAccountName: `{name}` is not allowed; the operator's configuration or the Table \
         must name it, or leave it out"
    )]
    ServiceAccountNotAllowed {
        /// As asked for.
        name: String,
    },
    /// A label or annotation of Kubernetes or of Longshore.
    #[error("spec.worker.{field}: `{key}` is reserved; choose a key of your own domain")]
    ReservedKey {
        /// `labels` or `annotations`.
        field: &'static str,
        /// The key.
        key: String,
    },
    /// A quantity that is none.
    #[error("spec.worker.resources: `{text}` is no quantity of {name}; write for instance 500m, 2 or 4Gi")]
    InvalidQuantity {
        /// The resource.
        name: String,
        /// As written.
        text: String,
    },
    /// A request above its limit.
    #[error("spec.worker.resources: the request of {name} is above its limit; raise the limit")]
    RequestAboveLimit {
        /// The resource.
        name: String,
    },
    /// A part that cannot be taken over; the schema admits none.
    #[error("spec.worker cannot be taken over: {0}")]
    Unreadable(#[from] serde_json::Error),
}

impl PodError {
    /// CamelCase, stable: reason of the condition.
    pub fn category(&self) -> &'static str {
        match self {
            Self::ServiceAccountNotAllowed { .. } => longshore_crds::reasons::SERVICE_ACCOUNT_NOT_ALLOWED,
            Self::ReservedKey { .. }
            | Self::InvalidQuantity { .. }
            | Self::RequestAboveLimit { .. }
            | Self::Unreadable(_) => longshore_crds::reasons::INVALID_SPEC,
        }
    }
}

#[cfg(test)]
mod tests;
