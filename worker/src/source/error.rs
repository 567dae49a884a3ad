//! What can go wrong between a path and its bytes, said so that a person can act on it.

use std::fmt;

use thiserror::Error;

/// What the store said: S3's error code, HTTP status, request id and message, as far as it gave them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoreAnswer {
    /// S3's error code, such as `NoSuchBucket`.
    pub code: Option<String>,
    /// HTTP status.
    pub status: Option<u16>,
    /// The store's request id, for its operators.
    pub request_id: Option<String>,
    /// The store's own words, cut to 300 characters.
    pub message: Option<String>,
}

impl fmt::Display for StoreAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code.as_deref().unwrap_or("no error code"))?;
        if let Some(status) = self.status {
            write!(f, ", HTTP {status}")?;
        }
        if let Some(id) = self.request_id.as_deref().filter(|id| !id.is_empty()) {
            write!(f, ", request {id}")?;
        }
        match self.message.as_deref().filter(|m| !m.is_empty()) {
            Some(message) => write!(f, " ({})", message.trim_end_matches('.')),
            None => Ok(()),
        }
    }
}

/// An error of listing or reading a source. Its text names bucket, key or pattern, the store's code, HTTP
/// status and request id, and what to do; it never holds a credential.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SourceError {
    /// The bucket does not exist at this endpoint.
    #[error(
        "bucket {bucket:?} does not exist at {endpoint}: {answer}; check the bucket in the path and the endpoint"
    )]
    BucketNotFound {
        /// Bucket of the path.
        bucket: String,
        /// Endpoint asked.
        endpoint: String,
        /// What the store said.
        answer: Box<StoreAnswer>,
    },
    /// The bucket lies in another region than the one requests were signed for.
    #[error(
        "bucket {bucket:?} is not in region {region:?}: {answer}; set s3.region to {}",
        right_region.as_deref().unwrap_or("the bucket's region")
    )]
    WrongRegion {
        /// Bucket of the path.
        bucket: String,
        /// Region used.
        region: String,
        /// Region of the bucket, where the store says it.
        right_region: Option<String>,
        /// What the store said.
        answer: Box<StoreAnswer>,
    },
    /// The store refused the identity or what it asked for.
    #[error("not allowed to {action} {resource}: {answer}; {advice}")]
    AccessDenied {
        /// `list`, `read` or `assume role`.
        action: &'static str,
        /// Bucket, object or role.
        resource: String,
        /// What the store said.
        answer: Box<StoreAnswer>,
        /// What to do, by the store's code.
        advice: &'static str,
    },
    /// An object that was listed is gone.
    #[error(
        "{object} does not exist any more: {answer}; it was there when the files were listed, start a new run to list again"
    )]
    ObjectNotFound {
        /// The object.
        object: String,
        /// What the store said.
        answer: Box<StoreAnswer>,
    },
    /// An object is not the one that was listed.
    #[error("{object} changed after it was listed: {difference}; start a new run to load the new content")]
    ObjectChanged {
        /// The object.
        object: String,
        /// What differs, listed and found.
        difference: String,
    },
    /// No connection to the store.
    #[error(
        "cannot reach {endpoint} to {action} {resource}: {cause}; check s3.endpoint, its name, port and network policies"
    )]
    EndpointUnreachable {
        /// Endpoint asked.
        endpoint: String,
        /// `list`, `read` or `assume role`.
        action: &'static str,
        /// Bucket, object or role.
        resource: String,
        /// Why.
        cause: String,
    },
    /// The store asked to slow down until patience ended.
    #[error(
        "the store throttles: {action} {resource} was refused {attempts} times, last with {answer}; lower the parallelism or raise the store's limits"
    )]
    Throttled {
        /// `list`, `read` or `assume role`.
        action: &'static str,
        /// Bucket, object or role.
        resource: String,
        /// Requests made.
        attempts: u32,
        /// What the store said.
        answer: Box<StoreAnswer>,
    },
    /// The store failed.
    #[error(
        "the store failed to {action} {resource} (attempt {attempts}): {answer}; see the store's logs for the request"
    )]
    StoreError {
        /// `list`, `read` or `assume role`.
        action: &'static str,
        /// Bucket, object or role.
        resource: String,
        /// Requests made.
        attempts: u32,
        /// What the store said.
        answer: Box<StoreAnswer>,
    },
    /// The connection broke in the middle of a response.
    #[error(
        "the connection broke while trying to {action} {resource} (attempt {attempts}): {cause}; the store or the network closed it"
    )]
    ConnectionLost {
        /// `list`, `read` or `assume role`.
        action: &'static str,
        /// Bucket, object or role.
        resource: String,
        /// Requests made.
        attempts: u32,
        /// Why.
        cause: String,
    },
    /// No answer in time.
    #[error(
        "no answer in time to {action} {resource} (attempt {attempts}): {cause}; the store or the network is too slow"
    )]
    Timeout {
        /// `list`, `read` or `assume role`.
        action: &'static str,
        /// Bucket, object or role.
        resource: String,
        /// Requests made.
        attempts: u32,
        /// Which limit passed.
        cause: String,
    },
    /// A response ended before its bytes were complete.
    #[error(
        "{object}: bytes {start}..{end} were asked for and only {received} bytes came (attempt {attempts}); the store cuts its responses short"
    )]
    Truncated {
        /// The object.
        object: String,
        /// First byte asked for.
        start: u64,
        /// One past the last byte asked for.
        end: u64,
        /// Bytes that came.
        received: u64,
        /// Requests made.
        attempts: u32,
    },
    /// Bytes were asked for that the object does not have: the file's own offsets are wrong.
    #[error("{object} has {size} bytes and bytes {start}..{end} were asked for; the file is damaged")]
    RangeOutside {
        /// The object.
        object: String,
        /// First byte asked for.
        start: u64,
        /// One past the last byte asked for.
        end: u64,
        /// Bytes of the object, as listed.
        size: u64,
    },
    /// The pages of a listing contradict each other.
    #[error(
        "the listing of s3://{bucket}/{prefix} cannot be trusted: {problem}; nothing was loaded, check the store"
    )]
    InvalidListing {
        /// Bucket listed.
        bucket: String,
        /// Prefix listed.
        prefix: String,
        /// What is wrong with the pages.
        problem: String,
    },
    /// No object matches.
    #[error(
        "no files match {}; check bucket, prefix and wildcards (`*` never crosses `/`)",
        list_patterns(patterns)
    )]
    NoMatchingFiles {
        /// The patterns as written.
        patterns: Vec<String>,
    },
    /// A path that cannot be understood.
    #[error("path {path:?}: {reason}")]
    InvalidPath {
        /// The path as written.
        path: String,
        /// What is wrong, with the position where there is one.
        reason: String,
    },
    /// No credentials where they should be.
    #[error("no credentials: {reason}")]
    CredentialsNotFound {
        /// Secret, file or source that lacks, and what to do; never a value.
        reason: String,
    },
    /// What gives the credentials did not answer.
    #[error("no credentials for now: {cause}; the identity's endpoint must be reachable from here")]
    IdentityUnreachable {
        /// The provider's words.
        cause: String,
    },
    /// The load was cancelled.
    #[error("cancelled")]
    Cancelled,
    /// A local file or folder cannot be read.
    #[error("{path}: {cause}")]
    LocalFile {
        /// Path.
        path: String,
        /// The system's words.
        cause: String,
    },
}

fn list_patterns(patterns: &[String]) -> String {
    const SHOWN: usize = 3;
    let mut text = patterns.iter().take(SHOWN).map(|p| format!("{p:?}")).collect::<Vec<_>>().join(", ");
    if patterns.len() > SHOWN {
        text.push_str(&format!(" and {} more", patterns.len() - SHOWN));
    }
    text
}

impl SourceError {
    /// No object matches any of these patterns (the caller decides whether that is an error).
    pub fn no_matching_files<T: ToString>(patterns: impl IntoIterator<Item = T>) -> Self {
        Self::NoMatchingFiles { patterns: patterns.into_iter().map(|p| p.to_string()).collect() }
    }

    /// Stable name of the kind of error, for statuses and metrics.
    pub fn category(&self) -> &'static str {
        match self {
            Self::BucketNotFound { .. } => "BucketNotFound",
            Self::WrongRegion { .. } => "WrongRegion",
            Self::AccessDenied { .. } => "AccessDenied",
            Self::ObjectNotFound { .. } => "ObjectNotFound",
            Self::ObjectChanged { .. } => "ObjectChanged",
            Self::EndpointUnreachable { .. } => "EndpointUnreachable",
            Self::Throttled { .. } => "Throttled",
            Self::StoreError { .. } | Self::ConnectionLost { .. } | Self::InvalidListing { .. } => {
                "StoreError"
            }
            Self::Timeout { .. } => "Timeout",
            Self::Truncated { .. } => "Truncated",
            Self::RangeOutside { .. } => "RangeOutside",
            Self::NoMatchingFiles { .. } => "NoMatchingFiles",
            Self::InvalidPath { .. } => "InvalidPath",
            Self::CredentialsNotFound { .. } => "CredentialsNotFound",
            Self::IdentityUnreachable { .. } => "IdentityUnreachable",
            Self::Cancelled => "Cancelled",
            Self::LocalFile { .. } => "LocalFile",
        }
    }

    /// Whether the store refused the key itself, not what was asked with it: it is unknown, revoked, expired or
    /// does not belong to the signature.
    pub(super) fn refuses_key(&self) -> bool {
        const CODES: [&str; 6] = [
            "InvalidAccessKeyId",
            "SignatureDoesNotMatch",
            "ExpiredToken",
            "ExpiredTokenException",
            "InvalidToken",
            "TokenRefreshRequired",
        ];
        let Self::AccessDenied { answer, .. } = self else { return false };
        answer.code.as_deref().is_some_and(|code| CODES.contains(&code))
    }

    /// Whether the object alone is at fault, and not the store or who reads: it is gone, has changed, does not
    /// have the bytes that it says, or lies in an archive.
    pub fn is_of_object(&self) -> bool {
        match self {
            Self::ObjectNotFound { .. } | Self::ObjectChanged { .. } | Self::RangeOutside { .. } => true,
            Self::StoreError { answer, .. } => answer.code.as_deref() == Some("InvalidObjectState"),
            _ => false,
        }
    }

    /// Whether the same work may succeed later without a change of request, store or rights.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Throttled { .. }
            | Self::ConnectionLost { .. }
            | Self::Timeout { .. }
            | Self::Truncated { .. }
            | Self::IdentityUnreachable { .. }
            | Self::EndpointUnreachable { .. } => true,
            Self::StoreError { answer, .. } => {
                answer.status.is_none_or(|status| status >= 500 && status != 501)
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_match_names_at_most_three_patterns() {
        let error = SourceError::no_matching_files(["s3://b/1", "s3://b/2", "s3://b/3", "s3://b/4"]);
        let text = error.to_string();
        assert!(text.contains("\"s3://b/3\" and 1 more"), "{text}");
        assert_eq!(error.category(), "NoMatchingFiles");
        assert!(!error.is_transient());
    }

    #[test]
    fn a_text_names_the_code_the_status_and_the_request() {
        let answer = StoreAnswer {
            code: Some("NoSuchBucket".into()),
            status: Some(404),
            request_id: Some("4442587FB7D0A2F9".into()),
            message: Some("The specified bucket does not exist.".into()),
        };
        let answer = Box::new(answer);
        let error = SourceError::BucketNotFound { bucket: "b".into(), endpoint: "http://s".into(), answer };
        assert_eq!(
            error.to_string(),
            "bucket \"b\" does not exist at http://s: NoSuchBucket, HTTP 404, request 4442587FB7D0A2F9 \
             (The specified bucket does not exist); check the bucket in the path and the endpoint"
        );
    }
}
