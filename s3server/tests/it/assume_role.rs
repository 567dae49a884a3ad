//! Temporary credentials through the SDK's own provider.

use std::time::{Duration, Instant};

use aws_config::sts::AssumeRoleProvider;
use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials;
use aws_sdk_s3::config::{BehaviorVersion, Region, SharedCredentialsProvider};
use longshore_s3server::{Operation, Permission};

use crate::support::{BUCKET, Fixture, client_with, code, http_client, start_with};

const ROLE: &str = "arn:aws:iam::123456789012:role/reader";
const SHORT: &str = "arn:aws:iam::123456789012:role/short";

async fn fixture() -> Fixture {
    start_with(|builder| {
        let builder = builder.credentials_with("BASE", "base", Permission::AssumeRoleOnly);
        let builder = builder.role(ROLE, Some("id 42"));
        builder.role_with_lifetime(SHORT, None, Duration::from_secs(1))
    })
    .await
}

async fn assume(
    fixture: &Fixture,
    role: &str,
    external_id: &str,
    secret: &str,
) -> Result<Credentials, String> {
    let base = Credentials::new("BASE", secret, None, None, "test");
    let config = aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(fixture.server.endpoint())
        .http_client(http_client())
        .credentials_provider(SharedCredentialsProvider::new(base))
        .load()
        .await;
    let provider = AssumeRoleProvider::builder(role).external_id(external_id).session_name("test");
    let provider = provider.configure(&config).build().await;
    provider.provide_credentials().await.map_err(|error| format!("{error:?}"))
}

#[tokio::test]
async fn a_role_opens_what_the_base_key_cannot() {
    let fixture = fixture().await;
    let issued = assume(&fixture, ROLE, "id 42", "base").await.unwrap();
    assert!(issued.session_token().is_some() && issued.expiry().is_some());
    let client =
        client_with(&fixture.server.endpoint(), Some(SharedCredentialsProvider::new(issued.clone())));
    assert!(client.list_objects_v2().bucket(BUCKET).send().await.is_ok());
    assert_eq!(fixture.server.counters().requests(Operation::AssumeRole), 1);

    let without_token =
        Credentials::new(issued.access_key_id(), issued.secret_access_key(), None, None, "test");
    let client = client_with(&fixture.server.endpoint(), Some(SharedCredentialsProvider::new(without_token)));
    let refused = client.list_objects_v2().bucket(BUCKET).send().await.unwrap_err();
    assert_eq!(code(&refused).0, "InvalidToken");
}

#[tokio::test]
async fn a_wrong_role_id_or_secret_is_refused() {
    let fixture = fixture().await;
    for (role, id, secret, expected) in [
        (ROLE, "other", "base", "AccessDenied"),
        ("arn:unknown", "id 42", "base", "AccessDenied"),
        (ROLE, "id 42", "wrong", "SignatureDoesNotMatch"),
    ] {
        let error = assume(&fixture, role, id, secret).await.unwrap_err();
        assert!(error.contains(expected), "{role} {id}: {error}");
    }
}

#[tokio::test]
async fn temporary_credentials_expire() {
    let fixture = fixture().await;
    let issued = assume(&fixture, SHORT, "", "base").await.unwrap();
    // The client must not notice by itself that they are over.
    let (access, secret) = (issued.access_key_id(), issued.secret_access_key());
    let lasting = Credentials::new(access, secret, issued.session_token().map(str::to_owned), None, "test");
    let client = client_with(&fixture.server.endpoint(), Some(SharedCredentialsProvider::new(lasting)));
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        match client.list_objects_v2().bucket(BUCKET).send().await {
            Ok(_) => assert!(Instant::now() < deadline, "the credentials never expired"),
            Err(error) => {
                assert_eq!(code(&error).0, "ExpiredToken");
                break;
            }
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
