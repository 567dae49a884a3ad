//! Who reads: keys from a mounted Secret, the environment or the SDK's chain, nobody, and roles on top.
//!
//! Values never leave this file but towards the signer: no `Debug`, no message and no log line holds one.

use std::env;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_config::BehaviorVersion;
use aws_config::Region;
use aws_config::ecs::EcsCredentialsProvider;
use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::imds::credentials::ImdsCredentialsProvider;
use aws_config::meta::credentials::CredentialsProviderChain;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::retry::RetryConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::web_identity_token::WebIdentityTokenCredentialsProvider;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, future};
use aws_sdk_s3::config::SharedHttpClient;
use aws_smithy_types::error::ErrorMetadata;
use longshore_crds::source as crd;
use tokio::sync::Mutex;

use super::classify::{causes, cut};
use super::error::{SourceError, StoreAnswer};
use super::metrics::{Operation, Outcome, RequestMetrics};

/// Allows the node's own identity (its metadata service) at the end of the chain.
const NODE_IDENTITY: &str = "LONGSHORE_ALLOW_NODE_IDENTITY";
/// Credentials that run out are renewed this long before, or after three quarters of a shorter life.
const RENEW_BEFORE: Duration = Duration::from_secs(300);

/// Reads of a Secret until two are alike.
const READS: u32 = 5;
const ACCESS_KEY_ID: &str = "access-key-id";
const SECRET_ACCESS_KEY: &str = "secret-access-key";
const SESSION_TOKEN: &str = "session-token";

/// How identities talk to token services.
pub(super) struct Network {
    pub(super) http: SharedHttpClient,
    pub(super) region: String,
}

/// One source's identity, with the credentials in use.
pub(super) struct Identity {
    provider: Provider,
    in_use: Mutex<InUse>,
    metrics: Arc<RequestMetrics>,
}

#[derive(Default)]
struct InUse {
    /// Counts up with each set of credentials.
    generation: u64,
    credentials: Option<Credentials>,
    /// When they should be renewed, where they run out.
    renew_at: Option<SystemTime>,
}

impl InUse {
    fn replace(&mut self, fresh: &Credentials) {
        self.generation += 1;
        self.renew_at = fresh.expiry().map(|end| {
            let life = end.duration_since(SystemTime::now()).unwrap_or_default();
            end - RENEW_BEFORE.min(life / 4)
        });
        self.credentials = Some(fresh.clone());
    }
}

enum Provider {
    Anonymous,
    Base(Arc<Base>),
    Role { provider: Box<AssumeRoleProvider>, arn: String, endpoint: String },
}

enum Base {
    Folder { secret: String, folder: PathBuf },
    Environment { secret: String },
    Chain(CredentialsProviderChain),
}

impl Identity {
    /// Finds out who reads; credentials themselves are asked for by [`Identity::current`].
    pub(super) async fn new(
        wanted: &crd::Credentials,
        secrets_dir: Option<&Path>,
        network: &Network,
        metrics: Arc<RequestMetrics>,
    ) -> Result<Self, SourceError> {
        if wanted.anonymous && (wanted.secret_ref.is_some() || wanted.assume_role.is_some()) {
            return Err(missing("anonymous stands beside secretRef or assumeRole; keep one of them"));
        }
        let provider = if wanted.anonymous {
            Provider::Anonymous
        } else {
            let base = Arc::new(match &wanted.secret_ref {
                Some(secret) => Base::secret(&secret.name, secrets_dir)?,
                None => Base::Chain(chain(network)),
            });
            match &wanted.assume_role {
                Some(role) => assume(role, base, network).await,
                None => Provider::Base(base),
            }
        };
        Ok(Self { provider, in_use: Mutex::default(), metrics })
    }

    pub(super) fn is_anonymous(&self) -> bool {
        matches!(self.provider, Provider::Anonymous)
    }

    /// Whether the keys come from a mounted Secret, which may change under a running process.
    pub(super) fn is_mounted(&self) -> bool {
        matches!(&self.provider, Provider::Base(base) if matches!(**base, Base::Folder { .. }))
    }

    /// The number of the credentials that the next request is signed with; gets them when there are none
    /// or they run out soon.
    pub(super) async fn current(&self) -> Result<u64, SourceError> {
        if self.is_anonymous() {
            return Ok(0);
        }
        Ok(self.credentials().await?.0)
    }

    /// Asks again for the credentials, after the store refused those of `generation`. Says whether there
    /// are others now, so that another try makes sense.
    pub(super) async fn renew(&self, generation: u64) -> Result<bool, SourceError> {
        if self.is_anonymous() {
            return Ok(false);
        }
        let mut in_use = self.in_use.lock().await;
        if in_use.generation != generation {
            return Ok(true);
        }
        let fresh = self.provide().await?;
        let differ = in_use.credentials.as_ref().is_none_or(|old| !same(old, &fresh));
        if differ {
            in_use.replace(&fresh);
        }
        Ok(differ)
    }

    async fn credentials(&self) -> Result<(u64, Credentials), SourceError> {
        let mut in_use = self.in_use.lock().await;
        let now = SystemTime::now();
        let due = in_use.renew_at.is_some_and(|at| at <= now);
        if let Some(credentials) = in_use.credentials.as_ref().filter(|_| !due) {
            return Ok((in_use.generation, credentials.clone()));
        }
        match self.provide().await {
            Ok(fresh) => {
                in_use.replace(&fresh);
                Ok((in_use.generation, fresh))
            }
            // A token service that is away does no harm while the old ones still hold.
            Err(error) => match in_use.credentials.as_ref().filter(|old| old.expiry() > Some(now)) {
                Some(old) => {
                    tracing::warn!(%error, "credentials could not be renewed yet");
                    Ok((in_use.generation, old.clone()))
                }
                None => Err(error),
            },
        }
    }

    async fn provide(&self) -> Result<Credentials, SourceError> {
        match &self.provider {
            Provider::Anonymous => Err(missing("anonymous has none")),
            Provider::Base(base) => base.credentials().await,
            Provider::Role { provider, arn, endpoint } => {
                let answer = provider.provide_credentials().await;
                let answer = answer.map_err(|error| refused_role(&error, arn, endpoint));
                let outcome = answer.as_ref().map_or_else(|(outcome, _)| *outcome, |_| Outcome::Ok);
                self.metrics.request(Operation::AssumeRole, outcome);
                answer.map_err(|(_, error)| error)
            }
        }
    }
}

/// The identity as the SDK's signer sees it.
pub(super) struct Signer(pub(super) Arc<Identity>);

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Signer")
    }
}

impl ProvideCredentials for Signer {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            let answer = self.0.credentials().await;
            answer.map(|(_, credentials)| credentials).map_err(CredentialsError::provider_error)
        })
    }
}

impl Base {
    fn secret(name: &str, secrets_dir: Option<&Path>) -> Result<Self, SourceError> {
        // The name becomes a folder: it must not lead anywhere else.
        if name.is_empty() || name.starts_with('.') || name.contains(['/', '\\', '\0']) {
            return Err(missing(format!("{name:?} cannot be the name of a Secret")));
        }
        let secret = name.to_owned();
        Ok(match secrets_dir {
            Some(folder) => Self::Folder { folder: folder.join(name), secret },
            None => Self::Environment { secret },
        })
    }

    async fn credentials(&self) -> Result<Credentials, SourceError> {
        match self {
            Self::Folder { secret, folder } => from_folder(secret, folder).await,
            Self::Environment { secret } => {
                let provider = EnvironmentVariableCredentialsProvider::new();
                provider.provide_credentials().await.map_err(|_| {
                    missing(format!(
                        "no folder of Secrets is mounted, and AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY \
                         are not both set in the environment; they stand in for Secret {secret:?}"
                    ))
                })
            }
            Self::Chain(chain) => chain.provide_credentials().await.map_err(|error| {
                // A provider that is configured and fails is another thing than none: it may answer later.
                if matches!(
                    error,
                    CredentialsError::ProviderError(_) | CredentialsError::ProviderTimedOut(_)
                ) {
                    return SourceError::IdentityUnreachable { cause: cut(&causes(&error)) };
                }
                missing(format!(
                    "neither the environment, a profile, a web identity nor a container identity gave any \
                     ({}); name a Secret in s3.credentials.secretRef, or set anonymous: true for a public bucket",
                    cut(&causes(&error))
                ))
            }),
        }
    }
}

impl std::fmt::Debug for Base {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Base")
    }
}

/// The base identity as the role's provider sees it.
#[derive(Debug)]
struct BaseProvider(Arc<Base>);

impl ProvideCredentials for BaseProvider {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            self.0.credentials().await.map_err(CredentialsError::provider_error)
        })
    }
}

async fn from_folder(secret: &str, folder: &Path) -> Result<Credentials, SourceError> {
    let mut keys = read_keys(secret, folder).await?;
    // The kubelet puts another Secret in place between two reads: keys that are read alike twice are of one Secret.
    for _ in 0..READS {
        let again = read_keys(secret, folder).await?;
        if again == keys {
            break;
        }
        keys = again;
    }
    let [id, key, token] = keys;
    let required = |value: Option<String>, name: &str| {
        value.ok_or_else(|| {
            missing(format!(
                "Secret {secret:?} has no key {name} ({} is not there or empty); it needs {ACCESS_KEY_ID} and \
                 {SECRET_ACCESS_KEY}",
                folder.join(name).display()
            ))
        })
    };
    Ok(Credentials::new(
        required(id, ACCESS_KEY_ID)?,
        required(key, SECRET_ACCESS_KEY)?,
        token,
        None,
        "mounted Secret",
    ))
}

/// Id, key and token as they are by now.
async fn read_keys(secret: &str, folder: &Path) -> Result<[Option<String>; 3], SourceError> {
    let read = |name| read_key(secret, folder, name);
    Ok([read(ACCESS_KEY_ID).await?, read(SECRET_ACCESS_KEY).await?, read(SESSION_TOKEN).await?])
}

/// The value of one key without blanks around it; `None` when it is not there or empty.
async fn read_key(secret: &str, folder: &Path, name: &str) -> Result<Option<String>, SourceError> {
    let path = folder.join(name);
    let text = match tokio::fs::read_to_string(&path).await {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            let path = path.display();
            return Err(missing(format!("key {name} of Secret {secret:?} cannot be read: {path}: {error}")));
        }
    };
    let value = text.trim();
    if value.chars().any(|c| !c.is_ascii_graphic()) {
        return Err(missing(format!("key {name} of Secret {secret:?} holds blanks or control characters")));
    }
    Ok((!value.is_empty()).then(|| value.to_owned()))
}

/// Environment, profile, web identity, container; the node's own identity only where it is allowed.
fn chain(network: &Network) -> CredentialsProviderChain {
    let config = ProviderConfig::without_region()
        .with_region(Some(Region::new(network.region.clone())))
        .with_http_client(network.http.clone());
    let web_identity = WebIdentityTokenCredentialsProvider::builder().configure(&config).build();
    let chain =
        CredentialsProviderChain::first_try("Environment", EnvironmentVariableCredentialsProvider::new())
            .or_else("Profile", ProfileFileCredentialsProvider::builder().configure(&config).build())
            .or_else("WebIdentityToken", web_identity)
            .or_else("Container", EcsCredentialsProvider::builder().configure(&config).build());
    if env::var(NODE_IDENTITY).is_ok_and(|value| value == "true") {
        return chain.or_else("Node", ImdsCredentialsProvider::builder().configure(&config).build());
    }
    chain
}

async fn assume(role: &crd::AssumeRole, base: Arc<Base>, network: &Network) -> Provider {
    let mut config = aws_config::defaults(BehaviorVersion::latest())
        .no_credentials()
        .region(Region::new(network.region.clone()))
        .retry_config(RetryConfig::standard().with_max_attempts(4))
        .http_client(network.http.clone());
    if let Some(endpoint) = &role.sts_endpoint {
        config = config.endpoint_url(endpoint);
    }
    let mut builder = AssumeRoleProvider::builder(&role.role_arn)
        .session_name(role.session_name.as_deref().unwrap_or("longshore"))
        .configure(&config.load().await);
    if let Some(id) = &role.external_id {
        builder = builder.external_id(id);
    }
    let provider = Box::new(builder.build_from_provider(BaseProvider(base)).await);
    let endpoint = role.sts_endpoint.clone().unwrap_or_else(|| format!("STS of region {}", network.region));
    Provider::Role { provider, arn: role.role_arn.clone(), endpoint }
}

/// Why STS, or the identity below the role, did not answer with credentials.
fn refused_role(error: &CredentialsError, arn: &str, endpoint: &str) -> (Outcome, SourceError) {
    let mut source = std::error::Error::source(error);
    let mut answer = None;
    while let Some(cause) = source {
        if let Some(own) = cause.downcast_ref::<SourceError>() {
            return (Outcome::Other, own.clone());
        }
        if let Some(metadata) = cause.downcast_ref::<ErrorMetadata>() {
            answer = Some(Box::new(StoreAnswer {
                code: metadata.code().map(str::to_owned),
                message: metadata.message().map(cut),
                ..StoreAnswer::default()
            }));
        }
        source = cause.source();
    }
    let (action, resource) = ("assume role", arn.to_owned());
    match answer {
        Some(answer) => {
            let advice = "check the role's trust policy, its external id and the identity below it";
            (Outcome::Unauthorised, SourceError::AccessDenied { action, resource, answer, advice })
        }
        None => {
            let (endpoint, cause) = (endpoint.to_owned(), cut(&causes(error)));
            (Outcome::Transient, SourceError::EndpointUnreachable { endpoint, action, resource, cause })
        }
    }
}

fn same(a: &Credentials, b: &Credentials) -> bool {
    a.access_key_id() == b.access_key_id()
        && a.secret_access_key() == b.secret_access_key()
        && a.session_token() == b.session_token()
}

fn missing(reason: impl Into<String>) -> SourceError {
    SourceError::CredentialsNotFound { reason: reason.into() }
}
