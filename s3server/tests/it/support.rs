use aws_credential_types::Credentials;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::{BehaviorVersion, Region, SharedCredentialsProvider};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use longshore_s3server::{Builder, Server};
use tempfile::TempDir;

pub const ACCESS: &str = "AKIATEST";
pub const SECRET: &str = "secret";
pub const BUCKET: &str = "bucket";

/// A server with one bucket and one key, and the folder it lives in.
pub struct Fixture {
    pub server: Server,
    pub client: Client,
    _folder: TempDir,
}

pub async fn start() -> Fixture {
    start_with(|builder| builder).await
}

pub async fn start_with(settings: impl FnOnce(Builder) -> Builder) -> Fixture {
    let folder = TempDir::new().unwrap();
    let builder = Server::builder().data_dir(folder.path()).credentials(ACCESS, SECRET).bucket(BUCKET);
    let server = settings(builder).start().await.unwrap();
    let client = client(&server.endpoint(), Some((ACCESS, SECRET)));
    Fixture { server, client, _folder: folder }
}

pub fn http_client() -> aws_sdk_s3::config::SharedHttpClient {
    aws_smithy_http_client::Builder::new().build_http()
}

pub fn client(endpoint: &str, key: Option<(&str, &str)>) -> Client {
    let provider = key.map(|(access, secret)| {
        SharedCredentialsProvider::new(Credentials::new(access, secret, None, None, "test"))
    });
    client_with(endpoint, provider)
}

/// A client that never tries again.
pub fn client_with(endpoint: &str, provider: Option<SharedCredentialsProvider>) -> Client {
    let mut config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(endpoint)
        .force_path_style(true)
        .retry_config(RetryConfig::disabled())
        .http_client(http_client());
    config = match provider {
        Some(provider) => config.credentials_provider(provider),
        None => config.allow_no_auth(),
    };
    Client::from_conf(config.build())
}

impl Fixture {
    /// The content of an object, or the code and status of the error.
    pub async fn get(&self, key: &str) -> Result<Vec<u8>, (String, u16)> {
        let got =
            self.client.get_object().bucket(BUCKET).key(key).send().await.map_err(|error| code(&error))?;
        Ok(got.body.collect().await.map_err(|error| (error.to_string(), 0))?.to_vec())
    }

    /// All keys below the prefix, read page by page.
    pub async fn list(&self, prefix: &str) -> Vec<String> {
        let mut pages = self.client.list_objects_v2().bucket(BUCKET).prefix(prefix).into_paginator().send();
        let mut keys = Vec::new();
        while let Some(page) = pages.next().await {
            keys.extend(page.unwrap().contents().iter().map(|object| object.key().unwrap().to_owned()));
        }
        keys
    }
}

/// Code and HTTP status of a refused request; status 0 when there was no answer.
pub fn code<E>(error: &SdkError<E>) -> (String, u16)
where
    SdkError<E>: ProvideErrorMetadata,
{
    let status = error.raw_response().map_or(0, |response| response.status().as_u16());
    (error.code().unwrap_or_default().to_owned(), status)
}
