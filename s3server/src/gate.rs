//! The way of a request: counted, met by a fault or not, answered by the S3 service, shaped, counted.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use hyper::body::Body as _;
use hyper::body::Incoming;
use s3s::service::S3Service;
use s3s::{Body, S3Error, s3_error};

use crate::admin;
use crate::assume_role;
use crate::backend::ActiveFault;
use crate::body::{self, ResponseBody, Shape};
use crate::connection::ResetSwitch;
use crate::counters::Counters;
use crate::faults::{FaultKind, Faults};
use crate::operation::{Operation, Target};

/// Stands before the S3 service.
#[derive(Debug)]
pub(crate) struct Gate {
    pub service: S3Service,
    pub faults: Arc<Faults>,
    pub counters: Arc<Counters>,
}

/// What a fault does to a request at the gate.
enum Verdict {
    Pass,
    Refuse(S3Error),
    Shape(Shape),
    Shorten(u64),
}

impl Gate {
    /// Answers one request of a connection.
    pub async fn answer(&self, request: Request<Incoming>, switch: ResetSwitch) -> Response<ResponseBody> {
        if admin::is_admin(request.uri()) {
            let response = admin::answer(request, &self.faults, &self.counters).await;
            return response.map(|bytes| body::counted(Body::from(bytes), self.counters.clone()));
        }
        let target = Target::of(request.method(), request.uri(), request.headers());
        let range = request.headers().get(header::RANGE).and_then(|value| value.to_str().ok());
        self.counters.count_request(&target, range);

        let mut request = request.map(Body::from);
        let fault = self.faults.strike(&target);
        let (response, shape) = match judge(fault, &mut request, switch).await {
            Verdict::Refuse(error) => (error_response(error), None),
            Verdict::Pass => (self.serve(request).await, None),
            Verdict::Shape(shape) => (self.serve(request).await, Some(shape)),
            Verdict::Shorten(bytes) => (shortened(self.serve(request).await, bytes).await, None),
        };
        let response = readable_by_client(target.operation, response).await;
        self.counters.count_response(target.operation, response.status().as_u16());
        match shape {
            Some(shape) => with_length(response)
                .map(|inner| body::counted(body::shape(inner, shape), self.counters.clone())),
            None => response.map(|inner| body::counted(inner, self.counters.clone())),
        }
    }

    async fn serve(&self, request: Request<Body>) -> Response<Body> {
        // The future is large; boxed, it does not make that of each connection so.
        match Box::pin(self.service.call(request)).await {
            Ok(response) => response,
            Err(error) => error_response(s3_error!(InternalError, "{error:?}")),
        }
    }
}

async fn judge(fault: Option<FaultKind>, request: &mut Request<Body>, switch: ResetSwitch) -> Verdict {
    match fault {
        None => Verdict::Pass,
        Some(FaultKind::SlowDown) => Verdict::Refuse(s3_error!(SlowDown, "Please reduce your request rate.")),
        Some(FaultKind::InternalError) => {
            Verdict::Refuse(s3_error!(InternalError, "We encountered an internal error. Please try again."))
        }
        Some(FaultKind::NotFound) => {
            Verdict::Refuse(s3_error!(NoSuchKey, "The specified key does not exist."))
        }
        Some(FaultKind::ExpiredToken) => {
            Verdict::Refuse(s3_error!(ExpiredToken, "The provided token has expired."))
        }
        Some(FaultKind::AccessDenied) => Verdict::Refuse(s3_error!(AccessDenied, "Access Denied")),
        Some(FaultKind::Reset { after_bytes }) => Verdict::Shape(Shape::Reset { after_bytes, switch }),
        Some(FaultKind::Truncated { after_bytes }) => Verdict::Shape(Shape::Cut { after_bytes }),
        Some(FaultKind::Slow { bytes_per_second }) => Verdict::Shape(Shape::Slow { bytes_per_second }),
        Some(FaultKind::Delay { milliseconds }) => {
            tokio::time::sleep(Duration::from_millis(milliseconds)).await;
            Verdict::Pass
        }
        Some(FaultKind::Short { bytes }) => Verdict::Shorten(bytes),
        Some(
            inside @ (FaultKind::Changed { .. }
            | FaultKind::RepeatedPage
            | FaultKind::OddPage { .. }
            | FaultKind::IgnoreIfMatch),
        ) => {
            request.extensions_mut().insert(ActiveFault(inside));
            Verdict::Pass
        }
    }
}

/// The first bytes of a body, under a length that says that there are no more.
async fn shortened(response: Response<Body>, bytes: u64) -> Response<Body> {
    let (mut parts, body) = response.into_parts();
    let whole = body.collect().await.map_or_else(|_| Bytes::new(), http_body_util::Collected::to_bytes);
    let kept = whole.slice(..whole.len().min(usize::try_from(bytes).unwrap_or(usize::MAX)));
    parts.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(kept.len()));
    Response::from_parts(parts, Body::from(kept))
}

fn error_response(error: S3Error) -> Response<Body> {
    error.to_http_response().unwrap_or_else(|_| {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        response
    })
}

/// A shaped body has no length of its own, so the header must say how long it should have been.
fn with_length(mut response: Response<Body>) -> Response<Body> {
    if let Some(length) = response.body().size_hint().exact()
        && !response.headers().contains_key(header::CONTENT_LENGTH)
    {
        response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    response
}

/// STS clients read errors in another form than S3 clients.
async fn readable_by_client(operation: Operation, response: Response<Body>) -> Response<Body> {
    if operation != Operation::AssumeRole || response.status().is_success() {
        return response;
    }
    let (parts, body) = response.into_parts();
    let bytes = body.collect().await.map_or_else(|_| Bytes::new(), http_body_util::Collected::to_bytes);
    Response::from_parts(parts, Body::from(assume_role::as_sts_error(&bytes)))
}
