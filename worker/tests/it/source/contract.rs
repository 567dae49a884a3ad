//! What listing and reading must do on any store.

use longshore_crds::source::S3;

use super::support::{Client, checked, content};

/// A store that a contract runs against.
pub trait AnyStore {
    fn s3(&self) -> S3;
    fn create_bucket(&self, bucket: &str);
    fn put(&self, bucket: &str, key: &str, content: &[u8]);
}

pub fn a10_wildcards(any: &impl AnyStore) {
    any.create_bucket("globs");
    let keys = [
        "a/b/c.csv",
        "a/x.csv",
        "a/y.csv",
        "a/y.txt",
        "a/b/d/e.csv",
        "a-1/x.csv",
        "x7/k/f.csv",
        "y8/k/f.csv",
        "z9/k/f.csv",
    ];
    for key in keys {
        any.put("globs", key, b"1");
    }
    let client = Client::new();
    let store = client.connect(&any.s3()).unwrap();
    let expected = |pattern: &str, found: &[&str]| {
        assert_eq!(client.keys(&store, &format!("s3://globs/{pattern}")), found, "{pattern}");
    };
    expected("a/*.csv", &["a/x.csv", "a/y.csv"]);
    expected("a/*/*.csv", &["a/b/c.csv"]);
    expected("a/*/*/*.csv", &["a/b/d/e.csv"]);
    expected("{x,y}[0-9]/?/f.csv", &["x7/k/f.csv", "y8/k/f.csv"]);
    expected("[^a]*/k/*", &["x7/k/f.csv", "y8/k/f.csv", "z9/k/f.csv"]);
    expected("*/x.csv", &["a-1/x.csv", "a/x.csv"]);
    expected("{a/b/c,a/y}.{csv,txt}", &["a/b/c.csv", "a/y.csv", "a/y.txt"]);
    expected("a/x.csv", &["a/x.csv"]);
    expected("a/x", &[]);
    expected("a", &[]);
    expected("*", &[]);
    expected("nothing/*", &[]);
}

pub fn a11_folder_markers(any: &impl AnyStore) {
    any.create_bucket("markers");
    for (key, content) in [("d/", &b""[..]), ("d/e/", b""), ("d/f.csv", b"1"), ("d/empty.csv", b"")] {
        any.put("markers", key, content);
    }
    let client = Client::new();
    let store = client.connect(&any.s3()).unwrap();
    assert_eq!(client.keys(&store, "s3://markers/d/*"), ["d/empty.csv", "d/f.csv"]);
    assert!(client.keys(&store, "s3://markers/d/*/*").is_empty());
    assert!(client.keys(&store, "s3://markers/d/").is_empty());
}

pub fn a12_odd_keys(any: &impl AnyStore) {
    any.create_bucket("odd");
    let keys = [
        "k/a,b.csv",
        "k/a b.csv",
        "k/a%3Ab.csv",
        "k/a+b.csv",
        "k/zürich 東京 🚢.csv",
        "k/a&b=c;d@e$f'g(h)!~.csv",
        "k/a\"b<c>.csv",
        "k/a?b#c.csv",
        "k/a*b.csv",
        "k/[x]{y}\\z.csv",
        "k/a%.csv",
    ];
    for key in keys {
        any.put("odd", key, key.as_bytes());
    }
    let client = Client::new();
    let store = client.connect(&any.s3()).unwrap();
    let mut sorted = keys;
    sorted.sort_unstable();
    assert_eq!(client.keys(&store, "s3://odd/k/*"), sorted);
    for key in keys {
        let escaped: String =
            key.chars().flat_map(|c| "*?[{\\".contains(c).then_some('\\').into_iter().chain([c])).collect();
        let object = client.open(&store, &format!("s3://odd/{escaped}"));
        assert_eq!(object.name(), format!("s3://odd/{key}"));
        assert_eq!(object.fetch(0..object.size()).wait().unwrap(), key.as_bytes(), "{key}");
    }
}

pub fn pages_come_in_order_and_whole(any: &impl AnyStore) {
    any.create_bucket("pages");
    let mut keys: Vec<String> = (0..6).flat_map(|d| (0..5).map(move |f| format!("p/d{d}/f{f}"))).collect();
    keys.extend((0..9).map(|f| format!("p/f{f}")));
    for key in &keys {
        any.put("pages", key, b"1");
    }
    keys.sort_unstable();
    let client = Client::new();
    let store = client.connect(&any.s3()).unwrap();
    assert_eq!(client.keys(&store, "s3://pages/{p/*,p/*/*}"), keys);
    assert_eq!(client.keys(&store, "s3://pages/p/d[135]/*").len(), 15);
    // Several patterns that overlap give each object once.
    let found = client.list(&store, &["s3://pages/p/*/f0", "s3://pages/p/d0/*"]).unwrap();
    assert_eq!(found.len(), 10);
}

pub fn ranges(any: &impl AnyStore) {
    any.create_bucket("ranges");
    let whole = content(20 << 20);
    any.put("ranges", "big", &whole);
    any.put("ranges", "empty", b"");
    let client = Client::new();
    let store = client.connect(&any.s3()).unwrap();
    let object = client.open(&store, "s3://ranges/big");
    assert_eq!(object.size(), whole.len() as u64);
    for range in [0..1, 5..5, 7..4096, (20 << 20) - 3..20 << 20, 100..(17 << 20) + 1, 0..20 << 20] {
        let read = object.fetch(range.start as u64..range.end as u64).wait().unwrap();
        assert!(read == whole[range.clone()], "{range:?}");
    }
    assert_eq!(client.open(&store, "s3://ranges/empty").fetch(0..0).wait().unwrap(), "");
    checked(object.fetch(5..(20 << 20) + 1).wait(), "RangeOutside");
}

pub fn a_changed_or_deleted_object_is_refused(any: &impl AnyStore) {
    any.create_bucket("changes");
    any.put("changes", "same-size", b"first one");
    any.put("changes", "shorter", b"first one");
    let client = Client::new();
    let store = client.connect(&any.s3()).unwrap();
    for (key, second) in [("same-size", &b"other one"[..]), ("shorter", b"x")] {
        let object = client.open(&store, &format!("s3://changes/{key}"));
        any.put("changes", key, second);
        let error = checked(object.fetch(2..9).wait(), "ObjectChanged");
        assert!(error.to_string().contains(&format!("s3://changes/{key}")), "{error}");
        assert!(!error.is_transient());
    }
    let mut gone = client.list(&store, &["s3://changes/shorter"]).unwrap().remove(0);
    gone.key = "gone".to_owned();
    let error = checked(store.object(&gone.planned(0)).fetch(0..1).wait(), "ObjectNotFound");
    assert!(error.to_string().contains("s3://changes/gone"), "{error}");
}

pub fn no_such_bucket(any: &impl AnyStore) {
    let client = Client::new();
    let store = client.connect(&any.s3()).unwrap();
    for path in ["s3://no-such-bucket/a/*", "s3://no-such-bucket/a"] {
        let text = checked(client.list(&store, &[path]), "BucketNotFound").to_string();
        for part in ["\"no-such-bucket\"", "NoSuchBucket", "HTTP 404", "check the bucket"] {
            assert!(text.contains(part), "{part} lacks in {text}");
        }
    }
}
