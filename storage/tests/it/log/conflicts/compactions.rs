//! Compaction: other files with the same rows, or nothing.

use std::sync::Arc;
use std::time::Duration;

use longshore_storage::load::Segment;
use longshore_storage::table::{
    CleanOptions, CompactionOutcome, Epoch, LoadMode, Maintenance, OverwriteScope, Table,
};
use longshore_storage::types::DataType;

use super::replay::{lines, seen};
use super::setting::{compacted, dropped, in_partition, load_segments, place, segments_of};
use crate::log::faulty::Faulty;
use crate::log::support::{Place, column, load};

const COMPACT: Maintenance = Maintenance::Compact;

fn commit(table: &mut Table, epoch: &Epoch, inputs: &[Segment], outputs: Vec<Segment>) -> String {
    let schema = Arc::clone(table.schema());
    match table.commit_compaction(epoch, &schema, inputs, outputs).unwrap() {
        CompactionOutcome::Committed { version } => format!("committed {version}"),
        CompactionOutcome::Dropped { why } => dropped(&why),
    }
}

/// Compacts p-a while `meanwhile` happens between its decision and its commit.
fn compacted_beside(meanwhile: impl FnOnce(&mut Table) + Send + 'static) -> (Place, String) {
    let (place, _) = place();
    let (faulty, files) = Faulty::shared();
    let mut table = Table::open(files, &place.root).unwrap();
    let epoch = table.next_epoch(COMPACT).unwrap();
    let inputs = segments_of(&table, "p-a");
    let mut other = place.open();
    faulty.pause_at("link .00000000", move || meanwhile(&mut other));
    let outcome = commit(&mut table, &epoch, &inputs, vec![compacted(0, &inputs)]);
    (place, outcome)
}

#[test]
fn a_compaction_replaces_its_inputs_and_changes_no_rows() {
    let (place, mut table) = place();
    let before = seen(&place.root);
    let epoch = table.next_epoch(COMPACT).unwrap();
    let inputs = segments_of(&table, "p-a");
    assert_eq!(commit(&mut table, &epoch, &inputs, vec![compacted(0, &inputs)]), "committed 4");
    let after = seen(&place.root);
    assert_eq!((after.rows(), after.files.len()), (before.rows(), 2));
    assert_eq!(after.number("maintenance/compact"), 1);
    assert_eq!(after.number("maintenance/compact-commit"), (1 << 20) + 1);

    let lines = lines(&place.root, 4).unwrap();
    assert_eq!(lines[0]["commitInfo"]["operation"], "OPTIMIZE");
    assert_eq!(lines[0]["commitInfo"]["isBlindAppend"], false);
    let actions = || lines.iter().filter_map(|line| line.get("add").or_else(|| line.get("remove")));
    assert_eq!(actions().count(), 3);
    assert!(actions().all(|action| action["dataChange"] == false));

    // The next one under the same epoch has the next number.
    let inputs = segments_of(&table, "p-a");
    assert_eq!(commit(&mut table, &epoch, &inputs, vec![compacted(1, &inputs)]), "committed 5");
    assert_eq!(seen(&place.root).number("maintenance/compact-commit"), (1 << 20) + 2);
}

#[test]
fn appends_meanwhile_are_in_no_ones_way() {
    let (place, outcome) = compacted_beside(|table| {
        load_segments(table, "late", vec![in_partition("p-a", "late", 1)], LoadMode::Append).unwrap();
    });
    assert_eq!(outcome, "committed 6");
    let files = seen(&place.root).files;
    assert!(files.contains_key("p-a/b-00001/late.parquet") && files.contains_key("p-a/b-00001/c-0.parquet"));
    assert_eq!(files.len(), 3);
}

#[test]
fn an_input_that_is_gone_drops_the_work() {
    for scope in [OverwriteScope::Table, OverwriteScope::Partitions(vec!["p-a".to_owned()])] {
        let (place, outcome) = compacted_beside(move |table| {
            load_segments(table, "over", Vec::new(), LoadMode::Overwrite(scope)).unwrap();
        });
        assert_eq!(outcome, "dropped: input");
        assert!(!seen(&place.root).files.keys().any(|path| path.starts_with("p-a/")));
    }
    // Before the decision as well.
    let (_place, mut table) = place();
    let inputs = segments_of(&table, "p-a");
    let epoch = table.next_epoch(COMPACT).unwrap();
    load_segments(&mut table, "over", Vec::new(), LoadMode::Overwrite(OverwriteScope::Table)).unwrap();
    assert_eq!(commit(&mut table, &epoch, &inputs, vec![compacted(0, &inputs)]), "dropped: input");
}

#[test]
fn an_overwrite_of_other_partitions_leaves_the_work() {
    let (_place, outcome) = compacted_beside(|table| {
        let scope = OverwriteScope::Partitions(vec!["p-b".to_owned()]);
        load_segments(table, "over", Vec::new(), LoadMode::Overwrite(scope)).unwrap();
    });
    assert_eq!(outcome, "committed 6");
}

#[test]
fn a_newer_epoch_drops_the_work() {
    let (place, outcome) = compacted_beside(|table| {
        assert_eq!(table.next_epoch(COMPACT).unwrap().number(), 2);
    });
    assert_eq!(outcome, "dropped: epoch");
    assert_eq!(seen(&place.root).files.len(), 3);
}

#[test]
fn a_changed_schema_drops_the_work() {
    let (place, outcome) = compacted_beside(|table| {
        table.add_columns(&[column("extra", DataType::Int, true)]).unwrap();
    });
    assert_eq!(outcome, "dropped: schema");
    assert_eq!(seen(&place.root).files.len(), 3);
}

#[test]
fn an_epoch_that_was_only_read_commits_nothing() {
    let (_place, mut table) = place();
    assert_eq!(table.epoch(COMPACT).unwrap(), None);
    let taken = table.next_epoch(COMPACT).unwrap();
    let read = table.epoch(COMPACT).unwrap().unwrap();
    assert_eq!((read.number(), &read), (1, &taken));
    let inputs = segments_of(&table, "p-a");
    assert_eq!(commit(&mut table, &read, &inputs, vec![compacted(0, &inputs)]), "dropped: not held");
    assert_eq!(commit(&mut table, &taken, &inputs, vec![compacted(0, &inputs)]), "committed 4");
}

#[test]
fn files_of_other_engines_are_not_compacted() {
    let (_place, mut table) = place();
    let epoch = table.next_epoch(COMPACT).unwrap();
    let mut inputs = segments_of(&table, "p-a");
    inputs[1].bucket = Segment::NO_BUCKET;
    assert_eq!(commit(&mut table, &epoch, &inputs, vec![compacted(0, &inputs)]), "dropped: foreign");
}

#[test]
fn a_compaction_that_would_lose_or_move_rows_is_refused() {
    let (place, mut table) = place();
    let epoch = table.next_epoch(COMPACT).unwrap();
    let schema = Arc::clone(table.schema());
    let inputs = segments_of(&table, "p-a");
    let fewer = in_partition("p-a", "c", 6);
    let moved = in_partition("p-b", "c", 7);
    for output in [fewer, moved] {
        let error = table.commit_compaction(&epoch, &schema, &inputs, vec![output]).unwrap_err();
        assert_eq!(error.category(), "InternalError");
        assert!(error.to_string().contains("of 7"), "{error}");
    }
    assert_eq!(seen(&place.root).files.len(), 3);
}

/// Compacts p-a; others compact p-b under a newer epoch and make two checkpoints before the commit gets its
/// name, or just after it. `cleans`: and take all names below.
fn in_doubt_under_a_newer_number(
    call: &str,
    cleans: bool,
    meanwhile: impl FnOnce(&mut Table) + Send + 'static,
) -> String {
    let (place, _) = place();
    let (faulty, files) = Faulty::shared();
    let mut table = Table::open(files, &place.root).unwrap();
    let epoch = table.next_epoch(COMPACT).unwrap();
    let (schema, inputs) = (Arc::clone(table.schema()), segments_of(&table, "p-a"));
    let mut other = place.open();
    faulty.pause_at(call, move || {
        let newer = other.next_epoch(COMPACT).unwrap();
        let inputs = segments_of(&other, "p-b");
        let output = in_partition("p-b", "theirs", 5);
        assert!(commit(&mut other, &newer, &inputs, vec![output]).starts_with("committed"));
        meanwhile(&mut other);
        for label in ["x", "y"] {
            load(&mut other, label, 1);
            other.checkpoint().unwrap();
        }
        if cleans {
            other.clean_log(&CleanOptions { min_age: Duration::ZERO }).unwrap();
        }
    });
    let outputs = vec![compacted(0, &inputs)];
    match table.commit_compaction(&epoch, &schema, &inputs, outputs) {
        Ok(CompactionOutcome::Committed { version }) => {
            let segments = place.open().segments().unwrap();
            assert_eq!(segments.iter().map(|segment| segment.rows).sum::<u64>(), 14);
            format!("committed {version}")
        }
        Ok(CompactionOutcome::Dropped { why }) => dropped(&why),
        Err(error) => error.category().to_owned(),
    }
}

#[test]
fn a_newer_number_tells_nothing_of_a_commit_in_doubt() {
    // The outputs are in the table: so it was committed.
    assert_eq!(in_doubt_under_a_newer_number("remove .00000000", true, |_| {}), "committed 4");
    // They are not, and may have been: no one can tell.
    let overwrite = |table: &mut Table| {
        load_segments(table, "over", Vec::new(), LoadMode::Overwrite(OverwriteScope::Table)).unwrap();
    };
    assert_eq!(in_doubt_under_a_newer_number("remove .00000000", true, overwrite), "OutcomeUnknown");
    // Another commit has the name that was tried: for certain not.
    assert_eq!(in_doubt_under_a_newer_number("link .00000000", false, |_| {}), "dropped: epoch");
}

#[test]
fn epochs_and_compactions_survive_a_checkpoint() {
    let (place, mut table) = place();
    let epoch = table.next_epoch(COMPACT).unwrap();
    let inputs = segments_of(&table, "p-a");
    commit(&mut table, &epoch, &inputs, vec![compacted(0, &inputs)]);
    table.checkpoint().unwrap();
    load(&mut table, "more", 1);
    let mut other = place.open();
    assert_eq!(other.epoch(COMPACT).unwrap().unwrap().number(), 1);
    assert_eq!(other.segments().unwrap(), place.open_without_checkpoints().segments().unwrap());
    assert_eq!(other.next_epoch(COMPACT).unwrap().number(), 2);
    let inputs = segments_of(&table, "p-a");
    assert_eq!(commit(&mut table, &epoch, &inputs, vec![compacted(1, &inputs)]), "dropped: epoch");
}
