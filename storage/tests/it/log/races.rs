//! Many writers at once, in threads (each with its own place in the log) and in processes.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::Arc;
use std::thread;

use longshore_storage::durable::Posix;
use longshore_storage::table::{ClaimError, CommitOutcome, LabelState, Table};

use super::support::{Place, commit, load};

const LOADS: u64 = 50;

fn load_many(root: &std::path::Path, writer: u64) {
    let mut table = Table::open(Arc::new(Posix), root).unwrap();
    for number in 0..LOADS {
        load(&mut table, &format!("w{writer}-{number}"), number + 1);
        table.checkpoint_if_due().unwrap();
    }
}

fn check(place: &Place, writers: u64) {
    let table = place.open();
    assert_eq!(table.version(), writers * LOADS * 2);
    let mut rows = BTreeMap::new();
    for segment in table.segments().unwrap() {
        assert!(rows.insert(segment.path, segment.rows).is_none(), "a file is named twice");
    }
    assert_eq!(rows.len() as u64, writers * LOADS);
    assert_eq!(rows.values().sum::<u64>(), writers * LOADS * (LOADS + 1) / 2);
    for writer in 0..writers {
        for number in 0..LOADS {
            let LabelState::Loaded { record, .. } = table.label(&format!("w{writer}-{number}")).unwrap()
            else {
                panic!("w{writer}-{number} is not loaded");
            };
            assert_eq!(record.counts.sink_rows, number + 1);
        }
    }
}

#[test]
fn two_threads_commit_everything_once() {
    let (place, _) = Place::with_table();
    let threads: Vec<_> = (0..2)
        .map(|writer| {
            let root = place.root.clone();
            thread::spawn(move || load_many(&root, writer))
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    check(&place, 2);
}

/// Run by the test below, as a process of its own.
#[test]
#[ignore = "is started by two_processes_commit_everything_once"]
fn child_that_loads() {
    let root = std::env::var("LONGSHORE_TEST_ROOT").unwrap();
    let writer = std::env::var("LONGSHORE_TEST_WRITER").unwrap().parse().unwrap();
    load_many(root.as_ref(), writer);
}

#[test]
fn two_processes_commit_everything_once() {
    let (place, _) = Place::with_table();
    let start = |writer: u64| {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "log::races::child_that_loads", "--ignored", "--quiet"])
            .env("LONGSHORE_TEST_ROOT", &place.root)
            .env("LONGSHORE_TEST_WRITER", writer.to_string())
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap()
    };
    for mut child in [start(0), start(1)] {
        assert!(child.wait().unwrap().success());
    }
    check(&place, 2);
}

#[test]
fn writers_of_one_label_load_it_once() {
    let (place, _) = Place::with_table();
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let root = place.root.clone();
            thread::spawn(move || {
                let mut table = Table::open(Arc::new(Posix), &root).unwrap();
                match table.claim("l", 1) {
                    Ok(claim) => match commit(&mut table, &claim, 5) {
                        Ok(CommitOutcome::Committed { .. }) => 1,
                        _ => 0,
                    },
                    Err(ClaimError::AlreadyLoaded { .. }) => 0,
                    Err(other) => panic!("{other}"),
                }
            })
        })
        .collect();
    let committed: u32 = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
    assert_eq!(committed, 1);
    assert_eq!(place.open().totals().unwrap().rows, 5);
}

#[test]
fn creators_at_once_make_one_table() {
    let place = Place::empty();
    let ids: Vec<String> = thread::scope(|scope| {
        let threads: Vec<_> =
            (0..4).map(|_| scope.spawn(|| place.create(Arc::new(Posix)).unwrap().id().to_owned())).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(ids.windows(2).all(|pair| pair[0] == pair[1]), "{ids:?}");
}
