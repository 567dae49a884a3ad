//! What ten thousand labels cost: counted in calls to the volume, not in time.

use std::fs;

use longshore_storage::table::Table;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::support::{is_loaded, loaded, names};
use crate::log::faulty::Faulty;
use crate::log::support::Place;

const LABELS: u64 = 10_000;
/// Loads between two foldings.
const STEP: u64 = 100;

/// Puts the load of `l<number>` as the version `number + 1`, as a process of its own would; without any
/// fsync, and with its claim in the same commit.
fn put_load(place: &Place, number: u64) {
    let label = format!("l{number}");
    let hash = hex::encode(Sha256::digest(&label));
    let record = json!({"version": 1, "label": label, "run": 1, "attempt": 1, "outcome": "Loaded",
        "readVersion": number, "counts": {"sinkRows": 1, "scanRows": 1}})
    .to_string();
    let path = format!("_longshore/history/{}-1-1-00000000000000aa-{number}.json", &hash[..16]);
    fs::write(place.root.join(&path), &record).unwrap();
    let named = json!({"path": path, "sha256": hex::encode(Sha256::digest(&record))});
    let info = json!({"label": label, "run": 1, "attempt": 1, "record": named, "counts": {"sinkRows": 1}});
    let lines = [
        json!({"commitInfo": {"operation": "WRITE", "txnId": label, "longshore": info}}),
        json!({"txn": {"appId": format!("claim/{label}"), "version": 1_048_577}}),
        json!({"txn": {"appId": format!("load/{label}"), "version": 1_048_577}}),
    ];
    fs::write(place.commit(number + 1), lines.map(|line| format!("{line}\n")).concat()).unwrap();
}

#[test]
fn ten_thousand_labels_are_a_handful_of_files_and_one_of_them_is_found_in_few_calls() {
    let (place, mut table) = Place::with_table();
    let (mut most_files, mut written) = (0, 0);
    for number in 0..LABELS {
        put_load(&place, number);
        if (number + 1) % STEP == 0 {
            let before = names(&place.root).1;
            table.refresh().unwrap();
            table.fold_history().unwrap();
            let version = table.checkpoint().unwrap();
            for name in names(&place.root).1.iter().filter(|name| !before.contains(name)) {
                written += fs::metadata(place.root.join("_longshore/history").join(name)).unwrap().len();
            }
            most_files = most_files.max(names(&place.root).1.len());
            for cleaned in version - STEP..version {
                fs::remove_file(place.commit(cleaned)).unwrap();
            }
        }
    }
    let (single, folded) = names(&place.root);
    assert_eq!(single.len(), 0);
    assert!(folded.len() <= 8 && most_files <= 10, "{} {most_files}", folded.len());
    let bytes = |name: &String| fs::metadata(place.root.join("_longshore/history").join(name)).unwrap().len();
    let kept: u64 = folded.iter().map(bytes).sum();
    // Each record is written again as often as the number of files doubles.
    assert!(written <= 10 * kept, "{written} bytes were written for {kept}");
    assert_eq!(loaded(&table).len() as u64, LABELS);

    let (faulty, files) = Faulty::shared();
    let table = Table::open(files, &place.root).unwrap();
    let opening = faulty.calls().len();
    assert!(opening <= 20, "{opening} calls to open");
    for number in [0, 1, 4_999, 5_000, 9_800, 9_999] {
        assert!(is_loaded(&table, &format!("l{number}")));
        let calls = faulty.calls();
        assert!(calls.len() <= 10 + folded.len(), "{calls:#?}");
    }
}
