//! Who may ask for what: long-lived keys, temporary ones from AssumeRole, and anonymous buckets.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::{S3Auth, SecretKey};
use s3s::{S3Error, S3ErrorCode, S3Result, s3_error};

/// What a long-lived access key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    /// Everything.
    Full,
    /// AssumeRole only: each S3 operation answers 403 `AccessDenied`.
    AssumeRoleOnly,
}

/// A role that AssumeRole gives credentials for.
#[derive(Debug, Clone)]
pub(crate) struct Role {
    /// The external id that must come with the request, if any.
    pub external_id: Option<String>,
    /// How long credentials live whatever the request asks for; None: as asked, else an hour.
    pub lifetime: Option<Duration>,
}

/// Temporary credentials as AssumeRole hands them out.
#[derive(Debug, Clone)]
pub(crate) struct TemporaryCredentials {
    pub access_key: String,
    pub secret_key: String,
    pub session_token: String,
    pub expires: SystemTime,
}

/// All credentials, roles and anonymous buckets of a server.
#[derive(Debug, Default)]
pub(crate) struct Identities {
    keys: RwLock<HashMap<String, Key>>,
    roles: RwLock<HashMap<String, Role>>,
    anonymous: RwLock<BTreeSet<String>>,
}

#[derive(Debug, Clone)]
struct Key {
    secret: String,
    permission: Permission,
    session: Option<Session>,
}

#[derive(Debug, Clone)]
struct Session {
    token: String,
    expires: SystemTime,
}

impl Identities {
    /// Adds a long-lived access key, or gives a known one another secret.
    pub fn add_key(&self, access_key: &str, secret_key: &str, permission: Permission) {
        let key = Key { secret: secret_key.to_owned(), permission, session: None };
        self.keys.write().unwrap_or_else(PoisonError::into_inner).insert(access_key.to_owned(), key);
    }

    /// Removes an access key: from now on it is unknown.
    pub fn remove_key(&self, access_key: &str) {
        self.keys.write().unwrap_or_else(PoisonError::into_inner).remove(access_key);
    }

    /// Adds a role.
    pub fn add_role(&self, arn: &str, role: Role) {
        self.roles.write().unwrap_or_else(PoisonError::into_inner).insert(arn.to_owned(), role);
    }

    /// The role of an ARN.
    pub fn role(&self, arn: &str) -> Option<Role> {
        self.roles.read().unwrap_or_else(PoisonError::into_inner).get(arn).cloned()
    }

    /// Lets unsigned requests read and list this bucket.
    pub fn allow_anonymous(&self, bucket: &str) {
        self.anonymous.write().unwrap_or_else(PoisonError::into_inner).insert(bucket.to_owned());
    }

    /// Makes temporary credentials with full access.
    pub fn issue(&self, lifetime: Duration) -> S3Result<TemporaryCredentials> {
        let issued = TemporaryCredentials {
            access_key: format!("ASIA{}", random_digits(8)?.to_uppercase()),
            secret_key: random_digits(20)?,
            session_token: random_digits(48)?,
            expires: SystemTime::now() + lifetime,
        };
        let session = Session { token: issued.session_token.clone(), expires: issued.expires };
        let key =
            Key { secret: issued.secret_key.clone(), permission: Permission::Full, session: Some(session) };
        self.keys.write().unwrap_or_else(PoisonError::into_inner).insert(issued.access_key.clone(), key);
        Ok(issued)
    }

    fn key(&self, access_key: &str) -> Option<Key> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).get(access_key).cloned()
    }

    fn is_anonymous(&self, bucket: Option<&str>) -> bool {
        let buckets = self.anonymous.read().unwrap_or_else(PoisonError::into_inner);
        bucket.is_some_and(|bucket| buckets.contains(bucket))
    }
}

/// `bytes` random bytes in hexadecimal digits.
fn random_digits(bytes: usize) -> S3Result<String> {
    let mut random = vec![0; bytes];
    getrandom::fill(&mut random)
        .map_err(|error| S3Error::with_source(S3ErrorCode::InternalError, error.into()))?;
    Ok(hex::encode(random))
}

/// Looks up secrets for the signature check.
pub(crate) struct Authentication(pub Arc<Identities>);

#[async_trait::async_trait]
impl S3Auth for Authentication {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        let key = self.0.key(access_key).ok_or_else(|| {
            s3_error!(InvalidAccessKeyId, "The AWS Access Key Id you provided does not exist in our records.")
        })?;
        if key.session.is_some_and(|session| session.expires <= SystemTime::now()) {
            return Err(s3_error!(ExpiredToken, "The provided token has expired."));
        }
        Ok(SecretKey::from(key.secret))
    }
}

/// Decides after the signature check.
pub(crate) struct Authorization(pub Arc<Identities>);

#[async_trait::async_trait]
impl S3Access for Authorization {
    async fn check(&self, context: &mut S3AccessContext<'_>) -> S3Result<()> {
        let Some(credentials) = context.credentials() else {
            return self.check_anonymous(context);
        };
        let key =
            self.0.key(&credentials.access_key).ok_or_else(|| s3_error!(AccessDenied, "Access Denied"))?;
        if key.permission != Permission::Full {
            return Err(s3_error!(AccessDenied, "Access Denied"));
        }
        let sent = context.headers().get("x-amz-security-token").and_then(|value| value.to_str().ok());
        match key.session {
            Some(session) if sent != Some(session.token.as_str()) => {
                Err(s3_error!(InvalidToken, "The provided token is malformed or otherwise invalid."))
            }
            _ => Ok(()),
        }
    }
}

impl Authorization {
    fn check_anonymous(&self, context: &S3AccessContext<'_>) -> S3Result<()> {
        let reads = matches!(
            context.s3_op().name(),
            "GetObject" | "HeadObject" | "ListObjects" | "ListObjectsV2" | "HeadBucket" | "GetBucketLocation"
        );
        if reads && self.0.is_anonymous(context.s3_path().get_bucket_name()) {
            return Ok(());
        }
        Err(s3_error!(AccessDenied, "Access Denied"))
    }
}
