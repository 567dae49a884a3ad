//! What listing costs, and how it defends itself.

use std::ops::ControlFlow;

use longshore_s3server::{Fault, FaultKind, Operation};
use longshore_worker::source::{self, PathPattern};

use super::embedded::Embedded;
use super::support::{Client, checked};

#[test]
fn a13_a_million_keys_beside_the_prefix_cost_nothing() {
    let embedded = Embedded::start();
    embedded.server.add_virtual("big", "a/", 500_000, 10).unwrap();
    embedded.server.add_virtual("big", "z/", 500_000, 10).unwrap();
    embedded.server.add_virtual("big", "m/part-", 100, 10).unwrap();
    embedded.server.add_virtual("big", "m/deep/", 500_000, 10).unwrap();
    let client = Client::new();
    let store = client.store(&embedded.server.endpoint());
    for pattern in ["s3://big/m/part-*.parquet", "s3://big/m/*.parquet"] {
        embedded.server.counters().reset();
        assert_eq!(client.keys(&store, pattern).len(), 100);
        let calls = embedded.server.counters().requests(Operation::ListObjectsV2);
        assert!(calls <= 2, "{pattern}: {calls} list calls");
    }
    let counted = client.metrics.snapshot();
    assert_eq!(counted.count(source::Operation::List, source::Outcome::Ok), 2);
}

#[test]
fn a13_one_key_is_one_small_call() {
    let embedded = Embedded::start();
    embedded.server.add_virtual("big", "a/", 1_000_000, 10).unwrap();
    let client = Client::new();
    let store = client.store(&embedded.server.endpoint());
    assert_eq!(client.keys(&store, "s3://big/a/000000007.parquet"), ["a/000000007.parquet"]);
    assert_eq!(embedded.server.counters().requests(Operation::ListObjectsV2), 1);
}

#[test]
fn a_listing_that_was_broken_off_goes_on_after_any_key() {
    let embedded = Embedded::start();
    let folders = ["t/", "t/a/", "t/a/x/", "t/a-b/", "t/a.b/", "t/b/", "t/b/x/", "t/b/y/", "t/c0/", "u/"];
    for (number, folder) in folders.iter().enumerate() {
        for name in ["0.csv", "a.csv", "a0.csv", "ä.csv", "z.txt"].iter().skip(number % 3) {
            embedded.server.put("tails", &format!("{folder}{name}"), "1").unwrap();
        }
    }
    let page = FaultKind::OddPage { max_keys: 2, repeats: 0, skips: 0 };
    embedded.server.faults().add(Fault::new(page).on(Operation::ListObjectsV2));
    let client = Client::new();
    let store = client.store(&embedded.server.endpoint());
    for path in
        ["t/*.csv", "t/*/*.csv", "t/*/x/*", "t/{a,b/y}/*.csv", "*/*/*.csv", "t/a/0.csv", "t/[ab]*/?.csv"]
    {
        let pattern = PathPattern::parse(&format!("s3://tails/{path}")).unwrap();
        let all = client.keys(&store, &format!("s3://tails/{path}"));
        // Keys that it gives, others, and places that are no keys.
        let others = ["t/", "t/a", "t/a/", "t/a/0", "t/a/zz", "t/b/x/a.csv", "t/zzz", "a", "z", "u/0.csv"];
        for after in all.iter().map(String::as_str).chain(others) {
            let mut found = Vec::new();
            let mut take = |page: &[source::ListedObject]| {
                found.extend(page.iter().map(|object| object.key.clone()));
                ControlFlow::Continue(())
            };
            client.runtime.block_on(store.list_after(&pattern, Some(after), &mut take)).unwrap();
            let expected: Vec<&String> = all.iter().filter(|key| key.as_str() > after).collect();
            assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{path} after {after}");
        }
        let mut first = Vec::new();
        let mut stop = |page: &[source::ListedObject]| {
            first.extend(page.iter().map(|object| object.key.clone()));
            ControlFlow::Break(())
        };
        client.runtime.block_on(store.list_after(&pattern, None, &mut stop)).unwrap();
        assert!(all.starts_with(&first) && first.is_empty() == all.is_empty(), "{path}: {first:?}");
    }
}

#[test]
fn what_comes_after_a_key_costs_a_request_for_each_folder_level() {
    let embedded = Embedded::start();
    for folder in 0..20 {
        embedded.server.add_virtual("tails", &format!("t/{folder:02}/"), 2_500, 1).unwrap();
    }
    let client = Client::new();
    let store = client.store(&embedded.server.endpoint());
    let pattern = PathPattern::parse("s3://tails/t/*/*.parquet").unwrap();
    embedded.server.put("tails", "t/19/a.parquet", "1").unwrap();
    embedded.server.put("tails", "t/20/a.parquet", "1").unwrap();
    embedded.server.counters().reset();
    let mut found = Vec::new();
    let mut take = |page: &[source::ListedObject]| {
        found.extend(page.iter().map(|object| object.key.clone()));
        ControlFlow::Continue(())
    };
    let last = Some("t/19/000002499.parquet");
    client.runtime.block_on(store.list_after(&pattern, last, &mut take)).unwrap();
    assert_eq!(found, ["t/19/a.parquet", "t/20/a.parquet"]);
    // One of each: what is above, the folder of the key, and the new folder.
    assert_eq!(embedded.server.counters().requests(Operation::ListObjectsV2), 3);
}

#[test]
fn many_pages_arrive_one_by_one() {
    let embedded = Embedded::start();
    embedded.server.add_virtual("big", "a/", 12_345, 10).unwrap();
    let client = Client::new();
    let store = client.store(&embedded.server.endpoint());
    let pattern = PathPattern::parse("s3://big/a/*.parquet").unwrap();
    let mut sizes = Vec::new();
    client.runtime.block_on(store.list(&pattern, &mut |page| sizes.push(page.len()))).unwrap();
    assert_eq!(sizes.iter().sum::<usize>(), 12_345);
    assert!(sizes.iter().all(|&size| size <= 1000), "{sizes:?}");
}

#[test]
fn folders_that_cannot_match_are_not_listed() {
    let embedded = Embedded::start();
    for month in 1..=12 {
        let folder = format!("dt={month:02}");
        embedded.server.put("days", &format!("t/{folder}/b/f.parquet"), "1").unwrap();
        embedded.server.add_virtual("days", &format!("t/{folder}/junk/"), 50_000, 1).unwrap();
        embedded.server.add_virtual("days", &format!("t/{folder}/b/deep/"), 50_000, 1).unwrap();
    }
    let client = Client::new();
    let store = client.store(&embedded.server.endpoint());
    let keys = client.keys(&store, "s3://days/t/dt=*/b/*.parquet");
    assert_eq!(keys.len(), 12);
    assert!(keys.is_sorted());
    // One call for the months and one for each month's folder `b/`.
    assert_eq!(embedded.server.counters().requests(Operation::ListObjectsV2), 13);
    embedded.server.counters().reset();
    assert_eq!(client.keys(&store, "s3://days/t/dt={02,11}/b/*.parquet").len(), 2);
    assert_eq!(embedded.server.counters().requests(Operation::ListObjectsV2), 3);
}

#[test]
fn folders_at_every_depth_come_in_the_order_of_keys() {
    let embedded = Embedded::start();
    let mut expected = Vec::new();
    for a in 0..25 {
        for b in 0..7 {
            for c in ["", "-1", "é"] {
                let key = format!("r/a{a}{c}/b{b}/f");
                embedded.server.put("deep", &key, "1").unwrap();
                expected.push(key);
            }
        }
    }
    expected.sort_unstable();
    let client = Client::new();
    let store = client.store(&embedded.server.endpoint());
    assert_eq!(client.keys(&store, "s3://deep/r/*/*/*"), expected);
}

#[test]
fn a_listing_that_turns_in_circles_is_an_error() {
    let embedded = Embedded::start();
    embedded.server.add_virtual("big", "a/", 5_000, 10).unwrap();
    let fault = Fault::new(FaultKind::RepeatedPage).on(Operation::ListObjectsV2).after(1).times(1);
    embedded.server.faults().add(fault);
    let client = Client::new();
    let store = client.store(&embedded.server.endpoint());
    let error = checked(client.list(&store, &["s3://big/a/*"]), "StoreError");
    assert!(error.to_string().contains("s3://big/a/ cannot be trusted"), "{error}");
    assert!(!error.is_transient());
}

#[test]
fn a11_no_match_has_an_error_that_names_the_patterns() {
    let embedded = Embedded::start();
    embedded.server.put("data", "d/", "").unwrap();
    let client = Client::new();
    let store = client.store(&embedded.server.endpoint());
    assert!(client.keys(&store, "s3://data/d/*.parquet").is_empty());
    let error = source::SourceError::no_matching_files(["s3://data/d/*.parquet"]);
    assert!(error.to_string().contains("\"s3://data/d/*.parquet\""), "{error}");
}

#[test]
fn a_cancelled_listing_ends() {
    let embedded = Embedded::start();
    embedded.server.add_virtual("big", "a/", 1_000_000, 10).unwrap();
    let client = Client::new();
    let store = client.store(&embedded.server.endpoint());
    let pattern = PathPattern::parse("s3://big/a/*").unwrap();
    let mut pages = 0;
    let answer = client.runtime.block_on(store.list(&pattern, &mut |_| {
        pages += 1;
        client.cancel.cancel();
    }));
    checked(answer, "Cancelled");
    assert!(pages < 10, "{pages}");
}

#[test]
fn a_local_path_is_no_source_of_a_store() {
    let embedded = Embedded::start();
    let client = Client::new();
    let store = client.store(&embedded.server.endpoint());
    checked(client.list(&store, &["/etc/*"]), "InvalidPath");
    checked(client.list(&store, &["gs://b/*"]), "InvalidPath");
}
