//! The client of the apiserver, with every request counted.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response};
use kube::client::{Body, ClientBuilder};
use kube::{Client, Config};
use tower::{Layer, Service};

use crate::metrics::Metrics;

/// How long a connection may take.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);

/// Makes a client from the kubeconfig or the pod's service account.
///
/// # Errors
/// There is neither, or they cannot be used.
pub async fn connect(metrics: &Metrics) -> anyhow::Result<(Client, String)> {
    let mut config = Config::infer().await?;
    config.connect_timeout = Some(CONNECT_LIMIT);
    let namespace = config.default_namespace.clone();
    let layer = CountLayer { metrics: metrics.clone() };
    Ok((ClientBuilder::try_from(config)?.with_layer(&layer).build(), namespace))
}

#[derive(Clone)]
struct CountLayer {
    metrics: Metrics,
}

impl<S> Layer<S> for CountLayer {
    type Service = Count<S>;

    fn layer(&self, inner: S) -> Count<S> {
        Count { inner, metrics: self.metrics.clone() }
    }
}

/// Counts the requests that pass.
#[derive(Clone)]
struct Count<S> {
    inner: S,
    metrics: Metrics,
}

impl<S, B> Service<Request<Body>> for Count<S>
where
    S: Service<Request<Body>, Response = Response<B>>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let metrics = self.metrics.clone();
        let method = request.method().to_string();
        let resource = resource(request.uri().path());
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = answer.await;
            let code = answer.as_ref().map_or(0, |answer| answer.status().as_u16());
            metrics.api_request(&method, resource, code);
            answer
        })
    }
}

/// The plural in a path, of a bounded set: no name of an object ever becomes a label.
fn resource(path: &str) -> &'static str {
    const KNOWN: [&str; 10] = [
        "tables",
        "loadjobs",
        "jobs",
        "deployments",
        "pods",
        "configmaps",
        "persistentvolumeclaims",
        "leases",
        "events",
        "pipes",
    ];
    let mut parts = path.split('/').filter(|part| !part.is_empty());
    // /api/v1 or /apis/<group>/<version>, then namespaces/<name>, then the plural.
    let skip = if parts.next() == Some("apis") { 2 } else { 1 };
    let mut parts = parts.skip(skip);
    let mut plural = parts.next();
    if plural == Some("namespaces") {
        plural = parts.nth(1);
    }
    KNOWN.into_iter().find(|known| Some(*known) == plural).unwrap_or("other")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_resource_is_told_from_the_path() {
        for (path, expected) in [
            ("/apis/longshore.dev/v1alpha1/tables", "tables"),
            ("/apis/longshore.dev/v1alpha1/namespaces/n/loadjobs/jobs/status", "loadjobs"),
            ("/api/v1/namespaces/pods/pods/p", "pods"),
            ("/api/v1/namespaces/pods", "other"),
            ("/version", "other"),
        ] {
            assert_eq!(resource(path), expected, "{path}");
        }
    }
}
