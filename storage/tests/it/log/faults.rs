//! What the log does when the volume fails: at every call in turn, and in the ways that networks have.

use std::io::ErrorKind;
use std::sync::Arc;

use longshore_storage::durable::Posix;
use longshore_storage::table::{ClaimError, CommitError, CommitOutcome, LabelState, Table, TableError};

use super::faulty::{Fault, Faulty};
use super::support::{Place, commit, load, temporary_files};

const VERSION_2: &str = "00000000000000000002.json";

/// A table in which `l` is claimed, through a volume that can fail.
fn claimed() -> (Place, Faulty, Table, longshore_storage::table::Claim) {
    let (place, _) = Place::with_table();
    let (faulty, files) = Faulty::shared();
    let mut table = Table::open(files, &place.root).unwrap();
    let claim = table.claim("l", 1).unwrap();
    faulty.calls();
    (place, faulty, table, claim)
}

#[test]
fn a_commit_is_acknowledged_only_after_every_step() {
    let (_place, faulty, mut table, claim) = claimed();
    commit(&mut table, &claim, 1).unwrap();
    let calls = faulty.calls();
    let steps = [
        // The history record is durable first: contents, then its name.
        "sync .",
        "link .",
        "sync_dir history",
        // Then the commit.
        "create .00000000000000000002.tmp",
        "write .00000000000000000002.tmp",
        "sync .00000000000000000002.tmp",
        "link .00000000000000000002.tmp -> 00000000000000000002.json",
        "remove .00000000000000000002.tmp",
        "sync_dir _delta_log",
        // The check: what was read below it stands.
        "open 00000000000000000001.json",
    ];
    let mut rest = calls.iter();
    for step in steps {
        assert!(rest.any(|call| call.starts_with(step)), "{step} is not in its place in {calls:#?}");
    }
    assert_eq!(rest.next(), None, "nothing follows the check");
    assert_eq!(calls.iter().filter(|call| call.starts_with("link .00000000000000000002")).count(), 1);
}

#[test]
fn a_version_of_another_writer_is_durable_before_ours_is_linked() {
    let (place, faulty, mut table, claim) = claimed();
    place.open().claim("other", 1).unwrap();
    commit(&mut table, &claim, 1).unwrap();
    let calls = faulty.calls();
    let read = calls.iter().position(|call| call == "open 00000000000000000002.json").unwrap();
    let linked = calls.iter().position(|call| call.ends_with("-> 00000000000000000003.json")).unwrap();
    assert!(calls[read..linked].contains(&"sync_dir _delta_log".to_owned()), "{calls:#?}");
}

#[test]
fn what_was_read_is_durable_before_it_is_answered() {
    let (place, faulty, mut table, _) = claimed();
    load(&mut place.open(), "l", 1);
    faulty.calls();
    table.refresh().unwrap();
    assert!(matches!(table.label("l").unwrap(), LabelState::Loaded { .. }));
    assert!(faulty.calls().contains(&"sync_dir _delta_log".to_owned()));
    table.label("l").unwrap();
    assert!(!faulty.calls().contains(&"sync_dir _delta_log".to_owned()), "once is enough");
}

#[test]
fn a_lost_reply_of_the_link_is_found_out() {
    for kind in [ErrorKind::TimedOut, ErrorKind::AlreadyExists, ErrorKind::Other] {
        let (place, faulty, mut table, claim) = claimed();
        faulty.fail_first("link .00000000000000000002", Fault::LostReply(kind));
        let outcome = commit(&mut table, &claim, 7).unwrap();
        assert_eq!(outcome, CommitOutcome::Committed { version: 2 }, "{kind}");
        assert!(faulty.calls().contains(&format!("open {VERSION_2}")));
        assert_eq!(place.open().totals().unwrap().rows, 7);
    }
}

#[test]
fn a_link_that_may_still_be_done_is_an_unknown_outcome() {
    let (place, faulty, mut table, claim) = claimed();
    faulty.fail_first("link .00000000000000000002", Fault::Fails(ErrorKind::TimedOut));
    let error = commit(&mut table, &claim, 7).unwrap_err();
    assert!(matches!(error, CommitError::OutcomeUnknown { version: 2, .. }), "{error}");
    assert_eq!(place.open().version(), 1);
}

#[test]
fn a_full_volume_is_no_unknown_outcome() {
    for call in ["create .00000000000000000002", "write .00000000000000000002", "link .00000000000000000002"]
    {
        let (place, faulty, mut table, claim) = claimed();
        faulty.fail_first(call, Fault::Fails(ErrorKind::StorageFull));
        let error = commit(&mut table, &claim, 7).unwrap_err();
        assert_eq!(error.category(), "DiskFull", "{call}: {error}");
        assert!(temporary_files(&place.log()).is_empty());
        // There is room again: the same claim commits.
        assert!(matches!(commit(&mut table, &claim, 7).unwrap(), CommitOutcome::Committed { version: 2 }));
    }
}

#[test]
fn an_fsync_of_the_log_that_failed_is_never_tried_again() {
    let (place, faulty, mut table, claim) = claimed();
    faulty.fail_first("sync_dir _delta_log", Fault::Fails(ErrorKind::Other));
    let error = commit(&mut table, &claim, 7).unwrap_err();
    assert_eq!(error.category(), "OutcomeUnknown");
    faulty.calls();
    let again = commit(&mut table, &claim, 7).unwrap_err();
    assert_eq!(again.category(), "OutcomeUnknown");
    assert_eq!(table.label("l").unwrap_err().category(), "OutcomeUnknown");
    assert!(!faulty.calls().iter().any(|call| call.starts_with("sync_dir _delta_log")));
    // A new process learns how it ended.
    assert!(matches!(place.open().label("l").unwrap(), LabelState::Loaded { version: 2, .. }));
}

#[test]
fn an_fsync_of_a_commit_that_failed_is_an_unknown_outcome() {
    let (place, faulty, mut table, claim) = claimed();
    faulty.fail_first("sync .00000000000000000002", Fault::Fails(ErrorKind::Other));
    let error = commit(&mut table, &claim, 7).unwrap_err();
    assert_eq!(error.category(), "OutcomeUnknown");
    let calls = faulty.calls();
    assert!(!calls.iter().any(|call| call.starts_with("link .00000000000000000002")), "{calls:#?}");
    assert_eq!(place.open().version(), 1);
}

/// One load from claim to commit; what was acknowledged, if anything.
fn whole_load(table: &mut Table) -> Result<CommitOutcome, String> {
    let claim = table.claim("l", 1).map_err(|e| match e {
        ClaimError::Commit(error) => error.category().to_owned(),
        other => panic!("{other}"),
    })?;
    commit(table, &claim, 7).map_err(|e| e.category().to_owned())
}

/// Fails each call of a load in turn: afterwards the table opens, an acknowledged load is there, whole, and
/// one that was not can be completed.
fn every_call_fails(fault: Fault) {
    for number in 0.. {
        let (place, mut table) = Place::with_table();
        load(&mut table, "before", 1);
        let (faulty, files) = Faulty::shared();
        faulty.fail_at(number, fault);
        let outcome = match Table::open(files, &place.root) {
            Ok(mut table) => whole_load(&mut table),
            Err(error) => Err(error.category().to_owned()),
        };
        let calls = faulty.calls();
        if calls.len() <= number {
            assert!(outcome.is_ok());
            assert!(number > 20, "{calls:#?}");
            return;
        }
        let what = format!("{fault:?} at call {number}, {}: {outcome:?}", calls[number]);
        let mut opened = place.open();
        assert!(matches!(opened.label("before").unwrap(), LabelState::Loaded { .. }), "{what}");
        let rows = opened.totals().unwrap().rows;
        let is_loaded = matches!(opened.label("l").unwrap(), LabelState::Loaded { .. });
        assert_eq!(rows, if is_loaded { 8 } else { 1 }, "{what}");
        if outcome.is_ok() {
            assert!(is_loaded, "{what}");
        }
        if let Err(category) = &outcome
            && is_loaded
        {
            assert_eq!(category, "OutcomeUnknown", "{what}");
        }
        if !is_loaded {
            load(&mut opened, "l", 7);
        }
        assert_eq!(place.open().totals().unwrap().rows, 8, "{what}");
    }
}

#[test]
fn disk_full_at_every_call_loses_nothing() {
    every_call_fails(Fault::Fails(ErrorKind::StorageFull));
}

#[test]
fn io_error_at_every_call_loses_nothing() {
    every_call_fails(Fault::Fails(ErrorKind::Other));
}

#[test]
fn a_lost_reply_at_every_call_loses_nothing() {
    every_call_fails(Fault::LostReply(ErrorKind::TimedOut));
}

#[test]
fn a_creation_that_fails_at_every_call_can_be_repeated() {
    for number in 0.. {
        let place = Place::empty();
        let (faulty, files) = Faulty::shared();
        faulty.fail_at(number, Fault::Fails(ErrorKind::StorageFull));
        let made = place.create(files);
        let calls = faulty.calls();
        if calls.len() <= number {
            made.unwrap();
            return;
        }
        if let Err(error) = made {
            assert!(["DiskFull", "OutcomeUnknown"].contains(&error.category()), "{}: {error}", calls[number]);
        }
        place.create(Arc::new(Posix)).unwrap();
    }
}

#[test]
fn a_volume_without_hard_links_is_unsupported() {
    for kind in [ErrorKind::Unsupported, ErrorKind::PermissionDenied] {
        let place = Place::empty();
        let (faulty, files) = Faulty::shared();
        faulty.fail_first("link probe", Fault::Fails(kind));
        let error = place.create(files).unwrap_err();
        assert!(matches!(error, TableError::UnsupportedVolume { .. }), "{error}");
        assert!(!place.log().exists());
        assert_eq!(std::fs::read_dir(place.root.join("_longshore/tmp")).unwrap().count(), 0);
    }
}

#[test]
fn a_volume_that_cannot_sync_a_folder_is_unsupported_and_a_read_only_one_is_read_only() {
    let place = Place::empty();
    let (faulty, files) = Faulty::shared();
    faulty.fail_first("sync_dir tmp", Fault::Fails(ErrorKind::InvalidInput));
    assert_eq!(place.create(files).unwrap_err().category(), "UnsupportedVolume");

    let (faulty, files) = Faulty::shared();
    faulty.fail_first("create probe", Fault::Fails(ErrorKind::ReadOnlyFilesystem));
    assert_eq!(place.create(files).unwrap_err().category(), "ReadOnlyVolume");
}
