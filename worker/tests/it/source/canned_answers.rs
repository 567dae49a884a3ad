//! Odd answers of stores.

use longshore_worker::source::{self, ListedObject, Store};

use super::canned::{Canned, error, response};
use super::support::{Client, checked};

const OBJECT: &str = "<Contents><Key>KEY</Key><LastModified>2024-01-01T00:00:00.000Z</LastModified>\
                      <ETag>&quot;e1&quot;</ETag><Size>10</Size></Contents>";

fn page(more: &str, keys: &[&str]) -> String {
    let objects: String = keys.iter().map(|key| OBJECT.replace("KEY", key)).collect();
    response("200 OK", &[], &format!("<ListBucketResult><Name>b</Name>{objects}{more}</ListBucketResult>"))
}

fn list(answer: impl Fn(&str) -> String + Send + Sync + 'static) -> Result<Vec<String>, source::SourceError> {
    let canned = Canned::start(answer);
    let client = Client::new();
    let store = client.store(&canned.endpoint);
    let found = client.list(&store, &["s3://b/a/*"])?;
    Ok(found.into_iter().map(|object| object.key).collect())
}

#[test]
fn a_bucket_of_another_region_names_the_right_one() {
    for answer in [
        response("301 Moved Permanently", &["x-amz-bucket-region: eu-west-1"], ""),
        error("301 Moved Permanently", "PermanentRedirect", "<Region>eu-west-1</Region>"),
        error("400 Bad Request", "AuthorizationHeaderMalformed", "<Region>eu-west-1</Region>"),
    ] {
        let error = checked(list(move |_| answer.clone()), "WrongRegion");
        for part in ["\"b\"", "\"us-east-1\"", "set s3.region to eu-west-1"] {
            assert!(error.to_string().contains(part), "{part} lacks in {error}");
        }
    }
}

#[test]
fn a_store_without_the_second_version_is_listed_by_the_first() {
    for refusal in [("501 Not Implemented", "NotImplemented"), ("400 Bad Request", "InvalidArgument")] {
        let keys = list(move |request| match request {
            _ if request.contains("list-type=2") => error(refusal.0, refusal.1, ""),
            _ if request.contains("marker=a%2F2") => page("<IsTruncated>false</IsTruncated>", &["a/3"]),
            _ => page("<IsTruncated>true</IsTruncated>", &["a/1", "a/2"]),
        });
        assert_eq!(keys.unwrap(), ["a/1", "a/2", "a/3"]);
    }
}

#[test]
fn a_store_that_takes_the_second_version_for_the_first_is_understood() {
    let keys = list(|request| match request {
        _ if request.contains("marker=a%2F2") => page("<IsTruncated>false</IsTruncated>", &["a/3"]),
        _ => page("<IsTruncated>true</IsTruncated>", &["a/1", "a/2"]),
    });
    assert_eq!(keys.unwrap(), ["a/1", "a/2", "a/3"]);
}

#[test]
fn pages_that_contradict_each_other_are_an_error() {
    let truncated = |token: &str| {
        format!("<IsTruncated>true</IsTruncated><NextContinuationToken>{token}</NextContinuationToken>")
    };
    let same = truncated("t");
    let other = same.clone();
    let backwards = move |request: &str| {
        if request.contains("continuation-token") { page("", &["a/1"]) } else { page(&same, &["a/2"]) }
    };
    let error = checked(list(backwards), "StoreError");
    assert!(error.to_string().contains("\"a/1\""), "{error}");
    let empty_forever = move |_: &str| page(&other, &[]);
    let error = checked(list(empty_forever), "StoreError");
    assert!(error.to_string().contains("announced twice"), "{error}");
    let error = checked(list(|_| page("<IsTruncated>true</IsTruncated>", &[])), "StoreError");
    assert!(error.to_string().contains("no token"), "{error}");
    let error = checked(list(|_| page("", &["elsewhere"])), "StoreError");
    assert!(error.to_string().contains("lacks the prefix"), "{error}");
}

#[test]
fn encoded_keys_are_decoded_only_when_the_store_says_so() {
    let keys = list(|_| page("<EncodingType>url</EncodingType>", &["a/x%2C+y", "a%2Fz%0A"]));
    assert_eq!(keys.unwrap(), ["a/x, y", "a/z\n"]);
    assert_eq!(list(|_| page("", &["a/x%2C+y"])).unwrap(), ["a/x%2C+y"]);
}

#[test]
fn something_that_is_no_store_is_an_error_that_shows_its_answer() {
    let error = checked(list(|_| response("200 OK", &[], "<html>hello</html>")), "StoreError");
    assert!(error.to_string().contains("s3://b/a/"), "{error}");
    checked(list(|_| response("418 I am a teapot", &[], "short and stout")), "StoreError");
    checked(list(|_| "nonsense\r\n\r\n".to_owned()), "StoreError");
}

/// Reads bytes 2 to 5 of an object of 10 bytes with ETag e1.
fn read(
    answer: impl Fn(&str) -> String + Send + Sync + 'static,
) -> Result<bytes::Bytes, source::SourceError> {
    let canned = Canned::start(answer);
    let client = Client::new();
    let store: Store = client.store(&canned.endpoint);
    let object = ListedObject {
        bucket: "b".to_owned(),
        key: "k".to_owned(),
        size: 10,
        etag: "e1".to_owned(),
        modified_ms: 0,
    };
    store.object(&object.planned(0)).fetch(2..5).wait()
}

const PART: &str = "206 Partial Content";

#[test]
fn every_response_is_compared_with_what_was_listed() {
    let good = ["etag: \"e1\"", "content-range: bytes 2-4/10"];
    assert_eq!(read(move |_| response(PART, &good, "abc")).unwrap(), "abc");
    let etag = ["etag: \"e2\"", "content-range: bytes 2-4/10"];
    checked(read(move |_| response(PART, &etag, "abc")), "ObjectChanged");
    let total = ["etag: \"e1\"", "content-range: bytes 2-4/11"];
    checked(read(move |_| response(PART, &total, "abc")), "ObjectChanged");
    checked(read(move |_| response("200 OK", &["etag: \"e1\""], "shorter")), "ObjectChanged");
    checked(read(|_| error("416 Range Not Satisfiable", "InvalidRange", "")), "ObjectChanged");
    checked(read(|_| error("412 Precondition Failed", "PreconditionFailed", "")), "ObjectChanged");
}

#[test]
fn responses_that_prove_nothing_are_refused() {
    let none = ["content-range: bytes 2-4/10"];
    let error = checked(read(move |_| response(PART, &none, "abc")), "StoreError");
    assert!(error.to_string().contains("no ETag"), "{error}");
    let error = checked(read(|_| response("200 OK", &["etag: \"e1\""], "0123456789")), "StoreError");
    assert!(error.to_string().contains("ignores ranges"), "{error}");
    let other = ["etag: \"e1\"", "content-range: bytes 3-5/10"];
    let error = checked(read(move |_| response(PART, &other, "abc")), "StoreError");
    assert!(error.to_string().contains("bytes 3-5/10"), "{error}");
    let short = ["etag: \"e1\"", "content-range: bytes 2-4/10", "content-length: 2"];
    checked(read(move |_| response(PART, &short, "ab")), "Truncated");
}
