//! Each kind of commit on a volume that fails: replies that are lost, and every call in turn.

use std::io::ErrorKind;

use longshore_storage::log::conflict::Operation;
use longshore_storage::table::Table;

use super::oracle::{Step, apply};
use super::replay::{State, replay, seen};
use super::setting::{Kind, Prepared, place};
use crate::log::faulty::{Fault, Faulty};
use crate::log::support::Place;

/// A commit that is prepared through a volume that can fail, and what it should do.
fn prepared(kind: Kind) -> (Place, Faulty, Table, Prepared, Step) {
    let (place, _) = place();
    let (faulty, files) = Faulty::shared();
    let mut table = Table::open(files, &place.root).unwrap();
    let commit = Prepared::new(&mut table, kind, 0, Kind::Append);
    let (claim, epoch) = commit.numbers();
    let from = replay(&place.root).1;
    let step = Step { kind, role: 0, label: kind.label(0, Kind::Append), claim, epoch, from };
    faulty.calls();
    (place, faulty, table, commit, step)
}

fn expected(step: &Step) -> (String, State) {
    let mut state = step.from.clone();
    let outcome = apply(&mut state, step);
    (outcome, state)
}

fn kinds() -> impl Iterator<Item = Kind> {
    Operation::ALL.into_iter().flat_map(|operation| Kind::of(operation).iter().copied())
}

#[test]
fn a_lost_reply_of_the_link_is_found_out_by_every_kind_of_commit() {
    for kind in kinds() {
        for error in [ErrorKind::TimedOut, ErrorKind::AlreadyExists, ErrorKind::Other] {
            let (place, faulty, mut table, commit, step) = prepared(kind);
            faulty.fail_first("link .00000000", Fault::LostReply(error));
            let outcome = commit.run(&mut table);
            assert_eq!((outcome, seen(&place.root)), expected(&step), "{kind:?}, {error}");
        }
    }
}

#[test]
fn a_commit_that_is_repeated_after_a_lost_answer_is_one() {
    for kind in kinds().filter(|kind| kind.mode().is_some() || *kind == Kind::CloseOwnRun) {
        let (place, _faulty, mut table, commit, step) = prepared(kind);
        let first = commit.run(&mut table);
        assert_eq!(commit.run(&mut place.open()), first, "{kind:?}");
        assert_eq!(seen(&place.root), expected(&step).1, "{kind:?}");
    }
}

/// Fails each call of a commit in turn. Said to be done: it is. Said not to be known: it is or it is not.
/// Anything else: it is not.
fn every_call_fails(kind: Kind, fault: Fault) {
    for number in 0.. {
        let (place, faulty, mut table, commit, step) = prepared(kind);
        faulty.fail_at(number, fault);
        let outcome = commit.run(&mut table);
        let calls = faulty.calls();
        let (done, after) = expected(&step);
        let stands = seen(&place.root);
        if calls.len() <= number {
            assert_eq!((outcome, stands), (done, after));
            assert!(number > 8, "{calls:#?}");
            return;
        }
        let what = format!("{kind:?}, {fault:?} at call {number}, {}: {outcome}", calls[number]);
        if outcome == done {
            assert_eq!(stands, after, "{what}");
        } else if outcome.starts_with("OutcomeUnknown") {
            assert!(stands == after || stands == step.from, "{what}");
        } else {
            assert_eq!(stands, step.from, "{what}");
        }
    }
}

#[test]
fn every_call_of_every_kind_of_commit_may_fail() {
    for kind in kinds() {
        every_call_fails(kind, Fault::Fails(ErrorKind::StorageFull));
        every_call_fails(kind, Fault::Fails(ErrorKind::Other));
        every_call_fails(kind, Fault::LostReply(ErrorKind::TimedOut));
    }
}
