//! From what the SDK reports to what it means: the class that decides about another try, and the error
//! that a person reads.

use std::error::Error;

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

use super::error::{SourceError, StoreAnswer};
use super::metrics::{Operation, Outcome};

/// Longest part of a store's message that is repeated.
const MESSAGE_LIMIT: usize = 300;

/// What a request is about, for messages.
#[derive(Debug, Clone)]
pub(super) struct Subject<'a> {
    pub(super) operation: Operation,
    pub(super) bucket: &'a str,
    /// The key of an object, or the prefix of a listing.
    pub(super) key: &'a str,
    pub(super) endpoint: &'a str,
    pub(super) region: &'a str,
}

impl Subject<'_> {
    pub(super) fn action(&self) -> &'static str {
        match self.operation {
            Operation::List => "list",
            Operation::Get | Operation::Head => "read",
            Operation::AssumeRole => "assume role",
            Operation::Put => "write",
            Operation::Delete => "delete",
            Operation::Copy => "copy",
            Operation::Tag => "tag",
        }
    }

    pub(super) fn resource(&self) -> String {
        format!("s3://{}/{}", self.bucket, self.key)
    }
}

/// A request that failed.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) outcome: Outcome,
    pub(super) error: SourceError,
}

impl Failure {
    pub(super) fn new(outcome: Outcome, error: SourceError) -> Self {
        Self { outcome, error }
    }

    /// A response that is not what S3 would answer.
    pub(super) fn odd_answer(subject: &Subject<'_>, attempts: u32, message: impl Into<String>) -> Self {
        let answer = Box::new(StoreAnswer { message: Some(message.into()), ..StoreAnswer::default() });
        let (action, resource) = (subject.action(), subject.resource());
        Self::new(Outcome::Other, SourceError::StoreError { action, resource, attempts, answer })
    }
}

/// Reads an error of the SDK.
pub(super) fn classify<E>(error: &SdkError<E, HttpResponse>, subject: &Subject<'_>, attempts: u32) -> Failure
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let (action, resource) = (subject.action(), subject.resource());
    match error {
        SdkError::ServiceError(service) => {
            let raw = service.raw();
            let mut answer = answer_of(raw);
            answer.code = service.err().code().map(str::to_owned);
            answer.message = service.err().message().map(cut);
            by_answer(answer, raw, subject, attempts)
        }
        SdkError::TimeoutError(_) => {
            let cause = causes(error);
            Failure::new(Outcome::Timeout, SourceError::Timeout { action, resource, attempts, cause })
        }
        SdkError::DispatchFailure(dispatch) => {
            let cause = causes(error);
            // The connector's error type is private; its text tells a refused connection from a broken one.
            if cause.contains("(Connect)") || cause.contains("HTTP connect") || cause.contains("dns error") {
                let endpoint = subject.endpoint.to_owned();
                let error = SourceError::EndpointUnreachable { endpoint, action, resource, cause };
                return Failure::new(Outcome::Transient, error);
            }
            if dispatch.is_timeout() {
                return Failure::new(
                    Outcome::Timeout,
                    SourceError::Timeout { action, resource, attempts, cause },
                );
            }
            Failure::new(
                Outcome::Transient,
                SourceError::ConnectionLost { action, resource, attempts, cause },
            )
        }
        SdkError::ResponseError(response) => {
            let mut answer = answer_of(response.raw());
            answer.message = Some(cut(&causes(error)));
            let throttled = matches!(answer.status, Some(429 | 503));
            let outcome = if throttled { Outcome::Throttled } else { Outcome::Transient };
            Failure::new(outcome, SourceError::StoreError { action, resource, attempts, answer })
        }
        _ => Failure::odd_answer(
            subject,
            attempts,
            format!("the request could not be made: {}", cut(&causes(error))),
        ),
    }
}

fn by_answer(answer: Box<StoreAnswer>, raw: &HttpResponse, subject: &Subject<'_>, attempts: u32) -> Failure {
    let (action, resource) = (subject.action(), subject.resource());
    let code = answer.code.clone().unwrap_or_default();
    let status = answer.status.unwrap_or_default();
    let outcome = outcome_of(&code, status);
    let error = match outcome {
        Outcome::NotFound if code == "NoSuchBucket" || subject.operation == Operation::List => {
            SourceError::BucketNotFound {
                bucket: subject.bucket.to_owned(),
                endpoint: subject.endpoint.to_owned(),
                answer,
            }
        }
        Outcome::NotFound => SourceError::ObjectNotFound { object: resource, answer },
        Outcome::Changed => SourceError::ObjectChanged {
            object: resource,
            difference: format!("the store answers {answer} to a read of the listed ETag and size"),
        },
        Outcome::Unauthorised => {
            let advice = advice(&code, subject.operation);
            SourceError::AccessDenied { action, resource, answer, advice }
        }
        Outcome::Throttled => SourceError::Throttled { action, resource, attempts, answer },
        Outcome::Timeout => SourceError::Timeout { action, resource, attempts, cause: answer.to_string() },
        _ if is_redirect(&code, status) => SourceError::WrongRegion {
            bucket: subject.bucket.to_owned(),
            region: subject.region.to_owned(),
            right_region: right_region(raw, answer.message.as_deref().unwrap_or_default()),
            answer,
        },
        _ => SourceError::StoreError { action, resource, attempts, answer },
    };
    Failure::new(outcome, error)
}

fn outcome_of(code: &str, status: u16) -> Outcome {
    match (code, status) {
        ("NoSuchBucket" | "NoSuchKey" | "NotFound", _) | (_, 404) => Outcome::NotFound,
        ("PreconditionFailed" | "InvalidRange", _) | (_, 412 | 416) => Outcome::Changed,
        (
            "SlowDown"
            | "Throttling"
            | "ThrottlingException"
            | "TooManyRequests"
            | "RequestLimitExceeded"
            | "ServiceUnavailable",
            _,
        )
        | (_, 429 | 503) => Outcome::Throttled,
        ("RequestTimeout", _) | (_, 408 | 504) => Outcome::Timeout,
        ("InvalidObjectState", _) => Outcome::Other,
        // A token of assumed or rotated credentials that ran out comes with HTTP 400.
        ("ExpiredToken" | "InvalidToken" | "TokenRefreshRequired" | "ExpiredTokenException", _)
        | (_, 401 | 403) => Outcome::Unauthorised,
        ("NotImplemented", _) | (_, 501) => Outcome::Other,
        (_, status) if status >= 500 => Outcome::Transient,
        _ => Outcome::Other,
    }
}

fn is_redirect(code: &str, status: u16) -> bool {
    matches!(code, "PermanentRedirect" | "TemporaryRedirect" | "AuthorizationHeaderMalformed")
        || matches!(status, 301 | 307 | 308)
}

fn advice(code: &str, operation: Operation) -> &'static str {
    match code {
        "InvalidAccessKeyId" => {
            "the store does not know the access key id: check the Secret and the endpoint"
        }
        "SignatureDoesNotMatch" => "the secret access key does not fit its id: check the Secret",
        "ExpiredToken" | "ExpiredTokenException" | "TokenRefreshRequired" => {
            "the session token has run out: renew the Secret"
        }
        "InvalidToken" => "the session token is not valid: renew the Secret",
        "RequestTimeTooSkewed" => {
            "the clocks of this machine and of the store differ: set this machine's clock"
        }
        _ => match operation {
            Operation::List => "grant this identity s3:ListBucket on the bucket, or check its keys",
            Operation::Put => "grant this identity s3:PutObject on the bucket, or check its keys",
            Operation::Delete => {
                "grant this identity s3:DeleteObject and s3:GetObject on the object, or check its keys"
            }
            Operation::Copy => {
                "grant this identity s3:GetObject on the object and s3:PutObject where it goes, or check its keys"
            }
            Operation::Tag => {
                "grant this identity s3:GetObjectTagging and s3:PutObjectTagging on the object, or check its keys"
            }
            Operation::Get | Operation::Head | Operation::AssumeRole => {
                "grant this identity s3:GetObject on the object, or check its keys"
            }
        },
    }
}

/// The bucket's region from a header, the body's `<Region>`, or the message "expecting '…'".
fn right_region(raw: &HttpResponse, message: &str) -> Option<String> {
    if let Some(region) = raw.headers().get("x-amz-bucket-region") {
        return Some(region.to_owned());
    }
    let body = raw.body().bytes().and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default();
    let between = |text: &str, start: &str, end: &str| {
        text.split_once(start).and_then(|(_, rest)| rest.split_once(end)).map(|(found, _)| found.to_owned())
    };
    between(body, "<Region>", "</Region>").or_else(|| between(message, "expecting '", "'"))
}

fn answer_of(raw: &HttpResponse) -> Box<StoreAnswer> {
    let request_id = raw.headers().get("x-amz-request-id").map(str::to_owned);
    Box::new(StoreAnswer { code: None, status: Some(raw.status().as_u16()), request_id, message: None })
}

/// An error and its sources, each said once. Only `Display`: a `Debug` text may hold headers and bodies.
pub(super) fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let next = cause.to_string();
        if !text.ends_with(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        source = cause.source();
    }
    text
}

/// At most [`MESSAGE_LIMIT`] characters, without line breaks.
pub(super) fn cut(text: &str) -> String {
    text.chars().take(MESSAGE_LIMIT).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_statuses_have_their_class() {
        for (code, status, outcome) in [
            ("NoSuchBucket", 404, Outcome::NotFound),
            ("", 404, Outcome::NotFound),
            ("PreconditionFailed", 412, Outcome::Changed),
            ("InvalidRange", 416, Outcome::Changed),
            ("SlowDown", 503, Outcome::Throttled),
            ("SlowDown", 200, Outcome::Throttled),
            ("", 429, Outcome::Throttled),
            ("InternalError", 500, Outcome::Transient),
            ("", 502, Outcome::Transient),
            ("RequestTimeout", 400, Outcome::Timeout),
            ("AccessDenied", 403, Outcome::Unauthorised),
            ("ExpiredToken", 400, Outcome::Unauthorised),
            ("InvalidObjectState", 403, Outcome::Other),
            ("NotImplemented", 501, Outcome::Other),
            ("InvalidArgument", 400, Outcome::Other),
            ("PermanentRedirect", 301, Outcome::Other),
        ] {
            assert_eq!(outcome_of(code, status), outcome, "{code} {status}");
        }
    }
}
