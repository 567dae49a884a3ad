//! If-Match and If-None-Match.

use aws_sdk_s3::primitives::ByteStream;

use crate::support::{BUCKET, code, start};

#[tokio::test]
async fn reads_are_conditional_on_the_etag() {
    let fixture = start().await;
    let old = fixture.server.put(BUCKET, "k", "old").unwrap();
    let get = || fixture.client.get_object().bucket(BUCKET).key("k");
    let head = || fixture.client.head_object().bucket(BUCKET).key("k");
    assert!(get().if_match(format!("\"{old}\"")).range("bytes=0-0").send().await.is_ok());
    assert!(get().if_match("*").send().await.is_ok());
    assert!(head().if_match(format!("\"{old}\"")).send().await.is_ok());
    assert_eq!(code(&get().if_none_match(format!("\"{old}\"")).send().await.unwrap_err()).1, 304);

    fixture.server.replace(BUCKET, "k", "new").unwrap();
    let changed = get().if_match(format!("\"{old}\"")).range("bytes=0-0").send().await.unwrap_err();
    assert_eq!(code(&changed), ("PreconditionFailed".into(), 412));
    assert_eq!(code(&head().if_match(format!("\"{old}\"")).send().await.unwrap_err()).1, 412);
    assert!(get().if_none_match(format!("\"{old}\"")).send().await.is_ok());
}

#[tokio::test]
async fn a_put_can_demand_that_nothing_stands() {
    let fixture = start().await;
    let put = || {
        let put = fixture.client.put_object().bucket(BUCKET).key("k").if_none_match("*");
        put.body(ByteStream::from_static(b"x")).send()
    };
    put().await.unwrap();
    assert_eq!(code(&put().await.unwrap_err()), ("PreconditionFailed".into(), 412));
}
