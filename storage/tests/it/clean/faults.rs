//! A cleaning that ends at each call to the volume in turn.

use std::io::ErrorKind;

use longshore_storage::table::Table;

use super::support::{AT_ONCE, clean, tells, versions, with_two_checkpoints};
use crate::history::support::names;
use crate::log::faulty::{Fault, Faulty};
use crate::log::support::load;

fn ends_at_every_call(end: impl Fn(&Faulty, usize)) {
    for number in 0.. {
        let (place, before) = with_two_checkpoints();
        let (faulty, files) = Faulty::shared();
        let mut table = Table::open(files, &place.root).unwrap();
        end(&faulty, number);
        let cleaned = table.clean_log(&AT_ONCE);
        let calls = faulty.calls();
        let what = format!("at call {number}, {:?}: {cleaned:?}", calls.get(number));
        assert_eq!(tells(&place.open()), before, "{what}");
        let left = versions(&place).0;
        assert_eq!(left, (left[0]..=16).collect::<Vec<_>>(), "{what}");
        clean(&place);
        assert_eq!(tells(&place.open()), before, "{what}");
        assert_eq!(versions(&place), ((7..=16).collect(), vec![7, 14]), "{what}");
        assert_eq!(names(&place.root).0.len(), 0, "{what}");
        load(&mut place.open(), "after", 1);
        if calls.len() <= number {
            cleaned.unwrap();
            assert!(number > 50, "{calls:#?}");
            return;
        }
    }
}

#[test]
fn a_process_that_dies_at_every_call_forgets_nothing_and_the_next_completes() {
    ends_at_every_call(Faulty::die_at);
}

#[test]
fn an_error_at_every_call_forgets_nothing_and_the_next_completes() {
    ends_at_every_call(|faulty, number| faulty.fail_at(number, Fault::Fails(ErrorKind::Other)));
}

#[test]
fn nothing_is_removed_before_the_log_is_durable_and_the_oldest_goes_first() {
    let (place, _) = with_two_checkpoints();
    std::fs::remove_file(place.log().join("_last_checkpoint")).unwrap();
    let (faulty, files) = Faulty::shared();
    let mut table = Table::open(files, &place.root).unwrap();
    table.fold_history().unwrap();
    faulty.calls();
    table.clean_log(&AT_ONCE).unwrap();
    let calls = faulty.calls();
    let steps = [
        "open 00000000000000000014.checkpoint.parquet",
        "open 00000000000000000007.checkpoint.parquet",
        "sync_dir _delta_log",
        "rename .tmp -> _last_checkpoint",
        "remove 00000000000000000000.json",
        "remove 00000000000000000001.json",
        "remove 00000000000000000006.json",
    ];
    let mut rest = calls.iter();
    for step in steps {
        let is_step = |call: &String| match step.split_once(".tmp") {
            Some((before, after)) => call.starts_with(before) && call.ends_with(after),
            None => call.starts_with(step),
        };
        assert!(rest.any(is_step), "{step} is not in its place in {calls:#?}");
    }
}
