//! A vacuum that ends at each call to the volume in turn.

use std::io::ErrorKind;

use longshore_storage::load::Segment;
use longshore_storage::table::{LoadMode, OverwriteScope, Table};

use super::support::{
    AT_ONCE, commit_with, is_there, load, nothing_named_is_missing, put, vacuum, write_output, write_segment,
};
use crate::history::support::{is_loaded, told};
use crate::log::faulty::{Fault, Faulty};
use crate::log::support::{Place, failed_record};

/// A table with something of every kind, and the segment of an open run.
fn littered() -> (Place, Segment) {
    let (place, mut table) = Place::with_table();
    load(&place, "first", LoadMode::Append);
    load(&place, "second", LoadMode::Overwrite(OverwriteScope::Table));
    table.refresh().unwrap();
    let open = table.claim("open", 1).unwrap();
    let kept = write_segment(&place.root, &open, 0);
    let claim = table.claim("closed", 1).unwrap();
    write_segment(&place.root, &claim, 0);
    put(&place.root, "_longshore/loads/closed/1-1/plan.json", "plan");
    table.close_run("closed", 1, None, failed_record("closed", 1)).unwrap();
    write_output(&place.root, 1, 0);
    put(&place.root, "_longshore/tmp/f3c0ab920d2d234c-0-1", "spill");
    let hash = longshore_storage::load::label_hash("closed");
    put(&place.root, &format!("_longshore/history/{hash}-1-1-00000000000000aa-7.json"), "{}");
    (place, kept)
}

fn ends_at_every_call(end: impl Fn(&Faulty, usize)) {
    for number in 0.. {
        let (place, kept) = littered();
        let before = told(&place.open());
        let (faulty, files) = Faulty::shared();
        let mut table = Table::open(files, &place.root).unwrap();
        end(&faulty, number);
        let done = table.vacuum(&AT_ONCE, &mut |_| {});
        let calls = faulty.calls();
        let what = format!("at call {number}, {:?}: {done:?}", calls.get(number));
        for _ in 0..2 {
            nothing_named_is_missing(&place);
            assert_eq!(told(&place.open()), before, "{what}");
            assert!(is_loaded(&place.open(), "first") && is_there(&place, &kept), "{what}");
            vacuum(&place, &AT_ONCE);
        }
        assert_eq!(vacuum(&place, &AT_ONCE).total().files, 0, "{what}");
        let mut table = place.open();
        let claim = table.claim("open", 1).unwrap();
        commit_with(&mut table, &claim, vec![kept], LoadMode::Append);
        nothing_named_is_missing(&place);
        if calls.len() <= number {
            done.unwrap();
            assert!(number > 40, "{calls:#?}");
            return;
        }
    }
}

#[test]
fn a_process_that_dies_at_every_call_takes_nothing_that_is_needed_and_the_next_completes() {
    ends_at_every_call(Faulty::die_at);
}

#[test]
fn an_error_at_every_call_takes_nothing_that_is_needed_and_the_next_completes() {
    ends_at_every_call(|faulty, number| faulty.fail_at(number, Fault::Fails(ErrorKind::Other)));
}

#[test]
fn nothing_is_removed_before_what_was_read_is_durable() {
    let (place, _) = littered();
    let (faulty, files) = Faulty::shared();
    let mut table = Table::open(files, &place.root).unwrap();
    place.open().claim("another", 1).unwrap();
    faulty.calls();
    table.vacuum(&AT_ONCE, &mut |_| {}).unwrap();
    let calls = faulty.calls();
    let is_removal = |call: &String| call.starts_with("remove ") && !call.starts_with("remove .0000");
    let first = calls.iter().position(is_removal).unwrap();
    let last_read = calls.iter().rposition(|call| call.starts_with("open 0000") && call.ends_with(".json"));
    let synced = calls.iter().rposition(|call| call == "sync_dir _delta_log").unwrap();
    assert!(synced < first, "{calls:#?}");
    assert!(last_read.unwrap() < first, "{calls:#?}");
}
