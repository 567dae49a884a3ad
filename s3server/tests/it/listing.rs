//! Pages, positions, delimiters, encodings, and keys without files.

use std::time::Instant;

use aws_sdk_s3::types::EncodingType;
use bytes::Bytes;
use longshore_s3server::Operation;

use crate::objects::ODD_KEYS;
use crate::support::{BUCKET, start};

#[tokio::test]
async fn pages_of_odd_keys_are_whole_and_in_order() {
    let fixture = start().await;
    for key in ODD_KEYS {
        fixture.server.put(BUCKET, key, "x").unwrap();
    }
    let mut expected: Vec<&str> = ODD_KEYS.to_vec();
    expected.sort_unstable();
    for size in [1, 2, 3, 7, 1000] {
        let mut pages =
            fixture.client.list_objects_v2().bucket(BUCKET).into_paginator().page_size(size).send();
        let mut keys = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.unwrap();
            assert!(page.contents().len() <= usize::try_from(size).unwrap());
            keys.extend(page.contents().iter().map(|object| object.key().unwrap().to_owned()));
        }
        assert_eq!(keys, expected, "{size}");
    }
}

#[tokio::test]
async fn start_after_begins_behind_a_key() {
    let fixture = start().await;
    for key in ["a", "b", "c"] {
        fixture.server.put(BUCKET, key, "x").unwrap();
    }
    let list = fixture.client.list_objects_v2().bucket(BUCKET).start_after("a");
    let page = list.send().await.unwrap();
    let keys: Vec<_> = page.contents().iter().map(|object| object.key().unwrap()).collect();
    assert_eq!(keys, ["b", "c"]);
    let page = fixture.client.list_objects_v2().bucket(BUCKET).start_after("bb").send().await.unwrap();
    assert_eq!(page.key_count(), Some(1));
}

#[tokio::test]
async fn a_delimiter_folds_keys_to_prefixes() {
    let fixture = start().await;
    for key in ["d/1", "d/2", "d/e/3", "f", "g/4"] {
        fixture.server.put(BUCKET, key, "x").unwrap();
    }
    let list = || fixture.client.list_objects_v2().bucket(BUCKET).delimiter("/");
    let mut found = Vec::new();
    let mut pages = list().into_paginator().page_size(1).send();
    while let Some(page) = pages.next().await {
        let page = page.unwrap();
        assert_eq!(page.key_count(), Some(1));
        found.extend(page.common_prefixes().iter().map(|prefix| prefix.prefix().unwrap().to_owned()));
        found.extend(page.contents().iter().map(|object| object.key().unwrap().to_owned()));
    }
    assert_eq!(found, ["d/", "f", "g/"]);
    let page = list().prefix("d/").send().await.unwrap();
    assert_eq!((page.contents().len(), page.common_prefixes()[0].prefix()), (2, Some("d/e/")));
}

#[tokio::test]
async fn keys_are_url_encoded_on_request() {
    let fixture = start().await;
    fixture.server.put(BUCKET, "a b/\u{e4},+\u{1}", "x").unwrap();
    let list = fixture.client.list_objects_v2().bucket(BUCKET).encoding_type(EncodingType::Url);
    let page = list.send().await.unwrap();
    assert_eq!(page.contents()[0].key(), Some("a+b/%C3%A4%2C%2B%01"));
}

#[tokio::test]
async fn the_first_version_pages_by_marker() {
    let fixture = start().await;
    for key in ["a", "b/1", "b/2", "c"] {
        fixture.server.put(BUCKET, key, "x").unwrap();
    }
    let (mut found, mut marker) = (Vec::new(), None);
    loop {
        let list = fixture.client.list_objects().bucket(BUCKET).delimiter("/").max_keys(1);
        let page = list.set_marker(marker).send().await.unwrap();
        found.extend(page.contents().iter().map(|object| object.key().unwrap().to_owned()));
        found.extend(page.common_prefixes().iter().map(|prefix| prefix.prefix().unwrap().to_owned()));
        marker = page.next_marker().map(str::to_owned);
        if page.is_truncated() != Some(true) {
            break;
        }
    }
    assert_eq!(found, ["a", "b/", "c"]);
    assert_eq!(fixture.server.counters().requests(Operation::ListObjects), 3);
}

#[tokio::test]
async fn a_million_keys_cost_nothing_and_list_in_order() {
    let fixture = start().await;
    fixture.server.add_virtual(BUCKET, "many/", 1_000_000, 123).unwrap();
    fixture.server.put(BUCKET, "many/000000500.parquet.real", "x").unwrap();
    fixture.server.put(BUCKET, "z", "x").unwrap();
    let begin = Instant::now();
    let page = fixture.client.list_objects_v2().bucket(BUCKET).prefix("many/").send().await.unwrap();
    assert_eq!(page.contents().len(), 1000);
    let keys: Vec<_> = page.contents().iter().map(|object| object.key().unwrap()).collect();
    assert!(keys.is_sorted());
    assert_eq!(keys[501], "many/000000500.parquet.real");
    assert_eq!((page.contents()[0].size(), page.is_truncated()), (Some(123), Some(true)));

    let list = fixture.client.list_objects_v2().bucket(BUCKET).start_after("many/000999998.parquet");
    let page = list.send().await.unwrap();
    let keys: Vec<_> = page.contents().iter().map(|object| object.key().unwrap()).collect();
    assert_eq!(keys, ["many/000999999.parquet", "z"]);
    assert_eq!(fixture.get("many/000000001.parquet").await.unwrap(), vec![0; 123]);
    assert_eq!(fixture.get("many/001000000.parquet").await.unwrap_err().0, "NoSuchKey");
    println!("three pages of a million keys: {:?}", begin.elapsed());
}

#[tokio::test]
async fn copies_share_one_content() {
    let fixture = start().await;
    fixture.server.add_virtual_copies(BUCKET, "copy/", 2500, Bytes::from_static(b"content")).unwrap();
    assert_eq!(fixture.list("copy/").await.len(), 2500);
    assert_eq!(fixture.server.counters().requests(Operation::ListObjectsV2), 3);
    assert_eq!(fixture.get("copy/000002499.parquet").await.unwrap(), b"content");
}
