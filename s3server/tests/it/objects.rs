//! Putting, reading, removing; any key; ranges.

use aws_sdk_s3::primitives::ByteStream;
use longshore_s3server::{Operation, Server};
use tempfile::TempDir;

use crate::support::{ACCESS, BUCKET, SECRET, client, code, start};

pub const ODD_KEYS: &[&str] = &[
    "a",
    "a b",
    "a%3Ab",
    "a%20b",
    "a+b",
    "a,b",
    "a/",
    "a/b",
    "a/b/",
    "a/b/c.parquet",
    "a//b",
    "a=1&b=2?c#d",
    "a[0]{1}*",
    "\u{e4}/\u{65e5}\u{672c}/\u{1F980}",
    "a'\"<>\\",
    ".hidden/../up",
];

#[tokio::test]
async fn any_key_is_put_read_and_removed() {
    let fixture = start().await;
    for key in ODD_KEYS {
        let put = fixture.client.put_object().bucket(BUCKET).key(*key);
        put.body(ByteStream::from(key.as_bytes().to_vec())).send().await.unwrap();
    }
    for key in ODD_KEYS {
        assert_eq!(fixture.get(key).await.unwrap(), key.as_bytes(), "{key}");
    }
    let mut expected: Vec<&str> = ODD_KEYS.to_vec();
    expected.sort_unstable();
    assert_eq!(fixture.list("").await, expected);

    fixture.client.delete_object().bucket(BUCKET).key("a/b").send().await.unwrap();
    assert_eq!(fixture.get("a/b").await.unwrap_err(), ("NoSuchKey".into(), 404));
    assert_eq!(fixture.get("a/b/c.parquet").await.unwrap(), b"a/b/c.parquet");
}

#[tokio::test]
async fn a_long_key_is_kept() {
    let fixture = start().await;
    let key = "\u{e4}".repeat(512);
    fixture.server.put(BUCKET, &key, "x").unwrap();
    assert_eq!(fixture.get(&key).await.unwrap(), b"x");
}

#[tokio::test]
async fn the_etag_is_the_md5_everywhere() {
    let fixture = start().await;
    let etag = "\"900150983cd24fb0d6963f7d28e17f72\"";
    let put = fixture.client.put_object().bucket(BUCKET).key("k").body(ByteStream::from_static(b"abc"));
    assert_eq!(put.send().await.unwrap().e_tag(), Some(etag));
    let got = fixture.client.get_object().bucket(BUCKET).key("k").send().await.unwrap();
    assert_eq!((got.e_tag(), got.content_length()), (Some(etag), Some(3)));
    let head = fixture.client.head_object().bucket(BUCKET).key("k").send().await.unwrap();
    assert_eq!((head.e_tag(), head.content_length()), (Some(etag), Some(3)));
    let page = fixture.client.list_objects_v2().bucket(BUCKET).send().await.unwrap();
    assert_eq!((page.contents()[0].e_tag(), page.contents()[0].size()), (Some(etag), Some(3)));
    assert!(page.contents()[0].last_modified().is_some());
}

#[tokio::test]
async fn ranges_are_answered_with_their_place() {
    let fixture = start().await;
    let content: Vec<u8> = (0..1_000_000_u32).map(|at| at as u8).collect();
    fixture.server.put(BUCKET, "k", &content).unwrap();
    for (range, from, to) in [
        ("bytes=0-0", 0, 0),
        ("bytes=5-300004", 5, 300_004),
        ("bytes=999999-", 999_999, 999_999),
        ("bytes=-7", 999_993, 999_999),
        ("bytes=999990-2000000", 999_990, 999_999),
    ] {
        let got = fixture.client.get_object().bucket(BUCKET).key("k").range(range).send().await.unwrap();
        assert_eq!(got.content_range(), Some(format!("bytes {from}-{to}/1000000").as_str()));
        assert_eq!(got.body.collect().await.unwrap().to_vec(), &content[from..=to], "{range}");
    }
    let beyond = fixture.client.get_object().bucket(BUCKET).key("k").range("bytes=1000000-").send().await;
    assert_eq!(code(&beyond.unwrap_err()), ("InvalidRange".into(), 416));
    assert_eq!(fixture.server.counters().responses(Operation::GetObject, 206), 5);
}

#[tokio::test]
async fn absent_things_have_their_codes() {
    let fixture = start().await;
    assert_eq!(fixture.get("no").await.unwrap_err(), ("NoSuchKey".into(), 404));
    let no_bucket = fixture.client.list_objects_v2().bucket("absent").send().await.unwrap_err();
    assert_eq!(code(&no_bucket), ("NoSuchBucket".into(), 404));
    let no_bucket = fixture.client.get_object().bucket("absent").key("k").send().await.unwrap_err();
    assert_eq!(code(&no_bucket), ("NoSuchBucket".into(), 404));
    let head = fixture.client.head_object().bucket(BUCKET).key("no").send().await.unwrap_err();
    assert_eq!(code(&head).1, 404);
    assert!(fixture.client.head_bucket().bucket(BUCKET).send().await.is_ok());
    assert!(fixture.client.head_bucket().bucket("absent").send().await.is_err());
    fixture.client.create_bucket().bucket("fresh").send().await.unwrap();
    assert!(fixture.client.head_bucket().bucket("fresh").send().await.is_ok());
    assert_eq!(fixture.server.remove(BUCKET, "no").unwrap_err().category(), "NoSuchKey");
    assert_eq!(fixture.server.replace(BUCKET, "no", "").unwrap_err().category(), "NoSuchKey");
}

#[tokio::test]
async fn counters_tell_operations_bytes_and_keys() {
    let fixture = start().await;
    fixture.server.put(BUCKET, "a", vec![1; 1000]).unwrap();
    fixture.get("a").await.unwrap();
    fixture.get("a").await.unwrap();
    fixture.get("no").await.unwrap_err();
    fixture.list("").await;
    let counters = fixture.server.counters();
    assert_eq!(counters.requests(Operation::GetObject), 3);
    assert_eq!(counters.requests(Operation::ListObjectsV2), 1);
    assert_eq!(counters.responses(Operation::GetObject, 404), 1);
    assert_eq!(counters.keys_read(), ["a", "no"]);
    assert!(counters.bytes_sent() >= 2000);
    counters.reset();
    assert_eq!(counters.requests(Operation::GetObject), 0);
}

#[tokio::test]
async fn a_reader_keeps_the_content_it_began_with() {
    let fixture = start().await;
    let content = vec![7_u8; 8 << 20];
    fixture.server.put(BUCKET, "k", &content).unwrap();
    let got = fixture.client.get_object().bucket(BUCKET).key("k").send().await.unwrap();
    fixture.server.replace(BUCKET, "k", "new").unwrap();
    assert_eq!(got.body.collect().await.unwrap().to_vec(), content);
    assert_eq!(fixture.get("k").await.unwrap(), b"new");
    fixture.server.remove(BUCKET, "k").unwrap();
    assert_eq!(fixture.get("k").await.unwrap_err().0, "NoSuchKey");
}

#[tokio::test]
async fn a_folder_is_served_and_survives_a_restart() {
    let folder = TempDir::new().unwrap();
    let plain = folder.path().join("demo/sub");
    std::fs::create_dir_all(&plain).unwrap();
    std::fs::write(plain.join("file one.parquet"), "plain").unwrap();
    let start = || Server::builder().data_dir(folder.path()).credentials(ACCESS, SECRET).start();

    let server = start().await.unwrap();
    let reader = client(&server.endpoint(), Some((ACCESS, SECRET)));
    let got = reader.get_object().bucket("demo").key("sub/file one.parquet").send().await.unwrap();
    assert_eq!(got.body.collect().await.unwrap().to_vec(), b"plain");
    server.put("demo", "sub", "beside a folder").unwrap();
    server.put("demo", "gone", "x").unwrap();
    server.remove("demo", "gone").unwrap();
    let outside = folder.path().join(".source");
    std::fs::write(&outside, "linked").unwrap();
    server.put_file("demo", "linked", &outside).unwrap();
    server.shutdown().await;
    assert!(reader.head_bucket().bucket("demo").send().await.is_err());

    std::fs::write(plain.join("file one.parquet"), "written anew").unwrap();
    let server = start().await.unwrap();
    let reader = client(&server.endpoint(), Some((ACCESS, SECRET)));
    let page = reader.list_objects_v2().bucket("demo").send().await.unwrap();
    let keys: Vec<_> = page.contents().iter().map(|object| object.key().unwrap()).collect();
    assert_eq!(keys, ["linked", "sub", "sub/file one.parquet"]);
    for (key, content) in
        [("linked", "linked"), ("sub", "beside a folder"), ("sub/file one.parquet", "written anew")]
    {
        let got = reader.get_object().bucket("demo").key(key).send().await.unwrap();
        assert_eq!(got.body.collect().await.unwrap().to_vec(), content.as_bytes());
    }
    assert_eq!(server.object_count("demo"), 3);
}

#[test]
fn a_test_that_is_not_async_has_a_server_too() {
    let folder = TempDir::new().unwrap();
    let server = Server::builder().data_dir(folder.path()).start_in_background().unwrap();
    server.put("bucket", "k", "x").unwrap();
    let endpoint = server.endpoint();
    let address = endpoint.trim_start_matches("http://").to_owned();
    assert!(std::net::TcpStream::connect(&address).is_ok());
    drop(server);
    assert!(std::net::TcpStream::connect(&address).is_err());
}
