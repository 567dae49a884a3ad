//! Faults and counters over HTTP, for a server in a process of its own.
//!
//! `GET /-/counters`, `POST /-/faults` (a [`Fault`] as JSON), `DELETE /-/faults`. No bucket can be
//! named `-`. There is no signature: the server is meant for tests on this machine.

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, Uri};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::json;

use crate::counters::Counters;
use crate::faults::{Fault, Faults};

const PREFIX: &str = "/-/";

/// Whether the request is for the administrator's pages.
pub(crate) fn is_admin(uri: &Uri) -> bool {
    uri.path().starts_with(PREFIX)
}

/// Answers with JSON.
pub(crate) async fn answer(
    request: Request<Incoming>,
    faults: &Faults,
    counters: &Counters,
) -> Response<Bytes> {
    let page = request.uri().path().trim_start_matches(PREFIX).to_owned();
    match (request.method(), page.as_str()) {
        (&Method::GET, "counters") => respond(
            StatusCode::OK,
            &json!({
                "requests": counters.all_requests().iter().map(|(operation, count)| (operation.to_string(), *count))
                    .collect::<std::collections::BTreeMap<_, _>>(),
                "bytesSent": counters.bytes_sent(),
                "keysRead": counters.keys_read(),
            }),
        ),
        (&Method::POST, "faults") => add_fault(request, faults).await,
        (&Method::DELETE, "faults") => {
            faults.clear();
            respond(StatusCode::OK, &json!({}))
        }
        _ => respond(StatusCode::NOT_FOUND, &json!({"error": "no such page"})),
    }
}

async fn add_fault(request: Request<Incoming>, faults: &Faults) -> Response<Bytes> {
    let body = match request.into_body().collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) => return respond(StatusCode::BAD_REQUEST, &json!({"error": error.to_string()})),
    };
    match serde_json::from_slice::<Fault>(&body) {
        Ok(fault) => respond(StatusCode::OK, &json!({"id": faults.add(fault)})),
        Err(error) => respond(StatusCode::BAD_REQUEST, &json!({"error": error.to_string()})),
    }
}

fn respond(status: StatusCode, body: &serde_json::Value) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body.to_string()));
    *response.status_mut() = status;
    response
}
