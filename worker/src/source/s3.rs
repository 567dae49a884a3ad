//! One S3 endpoint with an identity: the client, and how each of its requests is made, counted, tried
//! again and given up.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use aws_config::Region;
use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::meta::region::ProvideRegion;
use aws_config::profile::ProfileFileRegionProvider;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{
    AsyncSleep, BehaviorVersion, Builder, IdentityCache, RequestChecksumCalculation,
    ResponseChecksumValidation, SharedHttpClient, Sleep, StalledStreamProtectionConfig,
};
use aws_smithy_http_client::tls;
use longshore_crds::source as crd;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::ConnectContext;
use super::classify::{Failure, Subject};
use super::credentials::{Identity, Network, Signer};
use super::error::SourceError;
use super::metrics::{Operation, Outcome, RequestMetrics};
use super::retry::{RetryPolicy, Tries};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// From the request to the head of its response.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// Between two looks at a Secret that is waited for.
const SECRET_PAUSE: Duration = Duration::from_secs(1);
const DEFAULT_REGION: &str = "us-east-1";

/// A connection to one endpoint with one identity.
pub(super) struct S3Store {
    pub(super) client: Client,
    /// For messages: the endpoint as given, or AWS's name with the region.
    pub(super) endpoint: String,
    pub(super) region: String,
    pub(super) runtime: Handle,
    pub(super) metrics: Arc<RequestMetrics>,
    pub(super) cancel: CancellationToken,
    pub(super) policy: RetryPolicy,
    /// Set once the store refused the second version of listing.
    pub(super) lists_by_version_one: AtomicBool,
    identity: Arc<Identity>,
    /// Set once the store has taken the credentials.
    credentials_worked: AtomicBool,
    permits: Semaphore,
}

impl S3Store {
    pub(super) async fn connect(
        s3: &crd::S3,
        context: &ConnectContext,
        policy: RetryPolicy,
    ) -> Result<Self, SourceError> {
        check_endpoint(s3.endpoint.as_deref())?;
        let region = match &s3.region {
            Some(region) => region.clone(),
            None => region_of_chain().await,
        };
        let http = http_client(s3);
        let network = Network { http: http.clone(), region: region.clone() };
        let identity = Identity::new(
            &s3.credentials,
            context.secrets_dir.as_deref().map(Path::new),
            &network,
            context.metrics.clone(),
        );
        let identity = Arc::new(identity.await?);
        let store = Self {
            client: client(s3, &region, http, &identity),
            endpoint: s3.endpoint.clone().unwrap_or_else(|| format!("AWS S3 in {region}")),
            region,
            runtime: context.runtime.clone(),
            metrics: context.metrics.clone(),
            cancel: context.cancel.clone(),
            policy,
            lists_by_version_one: AtomicBool::new(false),
            identity,
            credentials_worked: AtomicBool::new(false),
            permits: Semaphore::new(context.max_concurrent_requests.max(1)),
        };
        store.or_cancelled(store.identity.current()).await??;
        Ok(store)
    }

    pub(super) fn subject<'a>(&'a self, operation: Operation, bucket: &'a str, key: &'a str) -> Subject<'a> {
        Subject { operation, bucket, key, endpoint: &self.endpoint, region: &self.region }
    }

    /// Makes a request until it succeeds or its class of error says that it will not. `attempt` gets the
    /// number of the try, from 1.
    pub(super) async fn request<T, A>(
        &self,
        subject: &Subject<'_>,
        mut attempt: impl FnMut(u32) -> A,
    ) -> Result<T, SourceError>
    where
        A: Future<Output = Result<T, Failure>>,
    {
        let mut tries = Tries::new(self.policy);
        let mut renewed = false;
        let mut number = 0;
        loop {
            number += 1;
            let generation = self.or_cancelled(self.identity.current()).await??;
            // The SDK's futures are large: on the heap they are moved about for nothing.
            let answer = Box::pin(attempt(number));
            let answer = self.or_cancelled(self.attempt(subject, number, answer)).await?;
            let outcome = answer.as_ref().map_or_else(|failure| failure.outcome, |_| Outcome::Ok);
            self.metrics.request(subject.operation, outcome);
            let failure = match answer {
                Ok(answer) => {
                    self.credentials_worked.store(true, Ordering::Relaxed);
                    return Ok(answer);
                }
                Err(failure) => failure,
            };
            if outcome == Outcome::Unauthorised && !renewed {
                // Keys may have been rotated under a running load.
                renewed = true;
                if !self.others_than(generation, &failure.error).await? {
                    return Err(failure.error);
                }
            } else {
                let random = getrandom::u64().unwrap_or(u64::MAX / 2);
                let Some(delay) = tries.next_delay(outcome, random) else { return Err(failure.error) };
                tracing::debug!(error = %failure.error, ?delay, "request is made again");
                self.or_cancelled(tokio::time::sleep(delay)).await?;
            }
            self.metrics.retry();
        }
    }

    /// Whether there are other credentials than those of `generation`, which were refused. Waits for a mounted
    /// Secret to change if the store refuses the key itself and has taken it before.
    async fn others_than(&self, generation: u64, refusal: &SourceError) -> Result<bool, SourceError> {
        let rotated = self.credentials_worked.load(Ordering::Relaxed)
            && self.identity.is_mounted()
            && refusal.refuses_key();
        let began = Instant::now();
        while !self.or_cancelled(self.identity.renew(generation)).await?? {
            if !rotated || began.elapsed() >= self.policy.rotation {
                return Ok(false);
            }
            tracing::info!(error = %refusal, "the key was taken before: waiting for its Secret to change");
            self.or_cancelled(tokio::time::sleep(SECRET_PAUSE)).await?;
        }
        Ok(true)
    }

    /// One try, in its turn and within its time.
    async fn attempt<T>(
        &self,
        subject: &Subject<'_>,
        number: u32,
        attempt: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        // The semaphore is never closed; were it, requests would only lose their bound.
        let _permit = self.permits.acquire().await.ok();
        let limit = self.policy.attempt;
        tokio::time::timeout(limit, attempt).await.unwrap_or_else(|_| {
            let error = SourceError::Timeout {
                action: subject.action(),
                resource: subject.resource(),
                attempts: number,
                cause: format!("the answer was not complete after {limit:?}"),
            };
            Err(Failure::new(Outcome::Timeout, error))
        })
    }

    /// Waits for `work` unless the load is cancelled first.
    pub(super) async fn or_cancelled<T>(&self, work: impl Future<Output = T>) -> Result<T, SourceError> {
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => Err(SourceError::Cancelled),
            answer = work => Ok(answer),
        }
    }
}

fn client(s3: &crd::S3, region: &str, http: SharedHttpClient, identity: &Arc<Identity>) -> Client {
    let mut config = Builder::new()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(region.to_owned()))
        .http_client(http)
        .sleep_impl(TokioTimer)
        // Requests are tried again here, by class of error, and credentials are kept here too.
        .retry_config(RetryConfig::disabled())
        .identity_cache(IdentityCache::no_cache())
        // A body that pauses is noticed where it is read.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .timeout_config(
            TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).read_timeout(ANSWER_TIMEOUT).build(),
        )
        // Other stores know neither the newer checksums of requests nor those of responses.
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
        .force_path_style(s3.force_path_style);
    if let Some(endpoint) = &s3.endpoint {
        config = config.endpoint_url(endpoint);
    }
    config = if identity.is_anonymous() {
        config.allow_no_auth()
    } else {
        config.credentials_provider(Signer(identity.clone()))
    };
    Client::from_conf(config.build())
}

fn check_endpoint(endpoint: Option<&str>) -> Result<(), SourceError> {
    match endpoint {
        Some(url) if !url.starts_with("http://") && !url.starts_with("https://") => {
            let reason = "an endpoint begins with http:// or https://".to_owned();
            Err(SourceError::InvalidPath { path: url.to_owned(), reason })
        }
        _ => Ok(()),
    }
}

/// TLS only where an address needs it: plain HTTP must work in an image without root certificates.
fn http_client(s3: &crd::S3) -> SharedHttpClient {
    let plain = |url: &Option<String>| url.as_deref().is_some_and(|url| url.starts_with("http://"));
    let role_is_plain = s3.credentials.assume_role.as_ref().is_none_or(|role| plain(&role.sts_endpoint));
    let keys_given = s3.credentials.secret_ref.is_some() || s3.credentials.anonymous;
    let builder = aws_smithy_http_client::Builder::new();
    if plain(&s3.endpoint) && role_is_plain && keys_given {
        return builder.build_http();
    }
    builder.tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring)).build_https()
}

/// The environment's region, the profile's, or the default; never the node's.
async fn region_of_chain() -> String {
    let chain = EnvironmentVariableRegionProvider::new();
    if let Some(region) = chain.region().await {
        return region.to_string();
    }
    let region = ProfileFileRegionProvider::new().region().await;
    region.map_or_else(|| DEFAULT_REGION.to_owned(), |region| region.to_string())
}

#[derive(Debug)]
struct TokioTimer;

impl AsyncSleep for TokioTimer {
    fn sleep(&self, duration: Duration) -> Sleep {
        Sleep::new(tokio::time::sleep(duration))
    }
}
