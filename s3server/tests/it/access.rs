//! Signatures, keys, anonymous buckets.

use longshore_s3server::Permission;

use crate::support::{ACCESS, BUCKET, SECRET, client, code, start_with};

#[tokio::test]
async fn only_known_keys_with_their_secret_are_served() {
    let fixture = start_with(|builder| builder.credentials("SECOND", "other")).await;
    let endpoint = fixture.server.endpoint();
    let list = async |key| {
        let client = client(&endpoint, key);
        client.list_objects_v2().bucket(BUCKET).send().await.map_err(|error| code(&error))
    };
    assert!(list(Some((ACCESS, SECRET))).await.is_ok());
    assert!(list(Some(("SECOND", "other"))).await.is_ok());
    assert_eq!(list(Some((ACCESS, "wrong"))).await.unwrap_err(), ("SignatureDoesNotMatch".into(), 403));
    assert_eq!(list(Some(("UNKNOWN", SECRET))).await.unwrap_err(), ("InvalidAccessKeyId".into(), 403));
    assert_eq!(list(None).await.unwrap_err(), ("AccessDenied".into(), 403));

    fixture.server.revoke_credentials(ACCESS);
    assert_eq!(list(Some((ACCESS, SECRET))).await.unwrap_err(), ("InvalidAccessKeyId".into(), 403));
    fixture.server.set_credentials(ACCESS, "rotated");
    assert!(list(Some((ACCESS, "rotated"))).await.is_ok());
}

#[tokio::test]
async fn an_anonymous_bucket_is_read_but_not_written_unsigned() {
    let fixture = start_with(|builder| builder.anonymous_bucket("open")).await;
    fixture.server.put("open", "k", "x").unwrap();
    let unsigned = client(&fixture.server.endpoint(), None);
    assert!(unsigned.get_object().bucket("open").key("k").send().await.is_ok());
    assert!(unsigned.list_objects_v2().bucket("open").send().await.is_ok());
    let put = unsigned.put_object().bucket("open").key("k").send().await.unwrap_err();
    assert_eq!(code(&put), ("AccessDenied".into(), 403));
    let other = unsigned.get_object().bucket(BUCKET).key("k").send().await.unwrap_err();
    assert_eq!(code(&other), ("AccessDenied".into(), 403));
}

#[tokio::test]
async fn a_key_without_rights_is_denied() {
    let fixture =
        start_with(|builder| builder.credentials_with("POOR", "poor", Permission::AssumeRoleOnly)).await;
    let poor = client(&fixture.server.endpoint(), Some(("POOR", "poor")));
    let denied = poor.list_objects_v2().bucket(BUCKET).send().await.unwrap_err();
    assert_eq!(code(&denied), ("AccessDenied".into(), 403));
}
