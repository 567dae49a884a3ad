//! What can go wrong in a call to the apiserver, and what the runner must know of any error.

use std::error::Error;
use std::fmt::Display;

/// What the runner must know of an error of a reconcile.
pub trait Failure: Error + Send + Sync + 'static {
    /// CamelCase, stable, of a bounded set: metric label, condition reason, event reason.
    fn category(&self) -> &'static str;

    /// Whether the same reconcile may succeed later without an edit of the object.
    fn is_transient(&self) -> bool;

    /// Whether someone else wrote first: read again at once.
    fn is_conflict(&self) -> bool {
        false
    }
}

/// Class of an answer of the apiserver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApiErrorKind {
    /// Someone else wrote first.
    Conflict,
    /// The object is there, and another owner's.
    OwnedByAnother,
    /// The object is there and about to go.
    BeingDeleted,
    /// There is no such object, or no such kind.
    NotFound,
    /// The namespace is about to go: nothing can be made in it.
    NamespaceTerminating,
    /// The service account may not do this, or a quota or an admission refuses it.
    Forbidden,
    /// The apiserver says that the object is not valid.
    Invalid,
    /// Too many requests.
    Throttled,
    /// No answer in time.
    Timeout,
    /// The apiserver cannot be reached or has failed inside.
    Unavailable,
}

impl ApiErrorKind {
    /// CamelCase, stable.
    pub fn category(self) -> &'static str {
        match self {
            Self::Conflict => "Conflict",
            Self::OwnedByAnother => "OwnedByAnother",
            Self::BeingDeleted => "BeingDeleted",
            Self::NotFound => "NotFound",
            Self::NamespaceTerminating => "NamespaceTerminating",
            Self::Forbidden => "Forbidden",
            Self::Invalid => "InvalidObject",
            Self::Throttled => "Throttled",
            Self::Timeout => "ApiTimeout",
            Self::Unavailable => "ApiUnavailable",
        }
    }

    fn of(error: &kube::Error) -> Self {
        let kube::Error::Api(status) = error else { return Self::Unavailable };
        match (status.code, status.reason.as_str()) {
            (403, _) if status.message.contains("because it is being terminated") => {
                Self::NamespaceTerminating
            }
            (401 | 403, _) => Self::Forbidden,
            (404, _) => Self::NotFound,
            (409, _) => Self::Conflict,
            (400 | 422, _) => Self::Invalid,
            (429, _) => Self::Throttled,
            _ => Self::Unavailable,
        }
    }
}

/// A call to the apiserver that did not do what it should.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {object}: {message}")]
pub struct ApiError {
    action: &'static str,
    object: String,
    kind: ApiErrorKind,
    message: String,
}

impl ApiError {
    /// An error of a call: `action` is a verb, `object` names kind and object.
    pub fn new(action: &'static str, object: impl Display, error: &kube::Error) -> Self {
        let message = match error {
            kube::Error::Api(status) if !status.message.is_empty() => status.message.clone(),
            other => with_sources(other),
        };
        Self { action, object: object.to_string(), kind: ApiErrorKind::of(error), message }
    }

    /// An error that the operator found itself.
    pub fn of_kind(
        kind: ApiErrorKind,
        action: &'static str,
        object: impl Display,
        message: impl Into<String>,
    ) -> Self {
        Self { action, object: object.to_string(), kind, message: message.into() }
    }

    /// Its class.
    pub fn kind(&self) -> ApiErrorKind {
        self.kind
    }

    /// What the apiserver said, without what was tried.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl Failure for ApiError {
    fn category(&self) -> &'static str {
        self.kind.category()
    }

    fn is_transient(&self) -> bool {
        !matches!(self.kind, ApiErrorKind::Invalid | ApiErrorKind::OwnedByAnother)
    }

    fn is_conflict(&self) -> bool {
        self.kind == ApiErrorKind::Conflict
    }
}

/// An error with what caused it, in one line.
pub fn with_sources(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

    fn api(code: u16, message: &str) -> ApiError {
        let status = Status { code, message: message.to_owned(), ..Status::default() };
        ApiError::new("create", "Job ns/a", &kube::Error::Api(Box::new(status)))
    }

    #[test]
    fn each_answer_has_its_class() {
        for (code, category, transient) in [
            (403, "Forbidden", true),
            (404, "NotFound", true),
            (409, "Conflict", true),
            (422, "InvalidObject", false),
            (429, "Throttled", true),
            (503, "ApiUnavailable", true),
        ] {
            let error = api(code, "no");
            assert_eq!((error.category(), error.is_transient()), (category, transient), "{code}");
        }
        let terminating =
            api(403, "unable to create new content in namespace a because it is being terminated");
        assert_eq!(terminating.category(), "NamespaceTerminating");
        assert_eq!(api(409, "changed").to_string(), "cannot create Job ns/a: changed");
    }
}
