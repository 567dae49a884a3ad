//! A writer that is stopped (SIGSTOP) in the middle of its commit, while another makes two hundred commits,
//! checkpoints, and cleans the log under it; then it goes on. What it made is there and visible, or it says
//! that it is not.

use std::time::Duration;

use longshore_storage::table::{CleanOptions, LoadMode, Maintenance, Table};

use super::child::{Order, Writer};
use super::oracle::{Step, apply};
use super::replay::{State, replay, visible};
use super::setting::{Kind, in_partition, load_segments, place};

/// Each is a claim and a load.
const LOADS: u64 = 100;
const COMMITS_PER_CHECKPOINT: u64 = 20;

/// Two hundred commits of another writer.
fn many_commits(table: &mut Table) {
    let mut cleaned = 0;
    for number in 0..LOADS {
        let segments = vec![in_partition("p-b", &format!("m-{number}"), 1)];
        load_segments(table, &format!("m-{number}"), segments, LoadMode::Append).unwrap();
        if number % (COMMITS_PER_CHECKPOINT / 2) == 0 {
            table.checkpoint().unwrap();
            table.fold_history().unwrap();
            cleaned += table.clean_log(&CleanOptions { min_age: Duration::ZERO }).unwrap().commits;
        }
    }
    assert!(cleaned > 100, "only {cleaned} commits were cleaned");
}

fn with_many(mut state: State) -> State {
    for number in 0..LOADS {
        state.files.insert(format!("p-b/b-00001/m-{number}.parquet"), ("p-b".to_owned(), 1));
        state.txns.insert(format!("load/m-{number}"), (1 << 20) + 1);
    }
    state
}

/// Stops a commit at a call; its outcome, and the files and columns that are seen afterwards are those of
/// one of the two orders.
fn stopped(writer: &mut Writer, kind: Kind, at: (&str, bool), takes_epoch: bool) {
    let (place, mut table) = place();
    let stop_at = Some((at.0.to_owned(), at.1));
    let root = place.root.clone();
    let order = Order { root, kind, other: Kind::Append, role: 0, seed: 0, delays: false, stop_at };
    writer.order(&order);
    let (claim, epoch) = writer.prepared();
    let start = replay(&place.root).1;
    let label = kind.label(0, Kind::Append);
    let step = Step { kind, role: 0, label, claim, epoch, from: start.clone() };
    writer.go();
    writer.wait_until_stopped();
    table.refresh().unwrap();
    if takes_epoch {
        table.next_epoch(Maintenance::Compact).unwrap();
    }
    many_commits(&mut table);
    writer.resume();
    let outcome = writer.outcome();

    let table = place.open();
    let columns = table.schema().columns().iter();
    let columns: Vec<_> = columns.map(|column| (column.name.clone(), column.data_type.to_string())).collect();
    // Of columns that stand no one can tell, after a doubt, who added them.
    let said = |outcome: String| if outcome == "unchanged" { "altered".to_owned() } else { outcome };
    let seen = (said(outcome.clone()), visible(&table), columns);
    let meanwhile = |state: State| {
        let mut state = with_many(state);
        if takes_epoch {
            *state.txns.entry("maintenance/compact".to_owned()).or_default() += 1;
        }
        state
    };
    let mut first = start.clone();
    let said_first = apply(&mut first, &step);
    let first = meanwhile(first);
    let mut last = meanwhile(start);
    let said_last = apply(&mut last, &step);
    let orders = [(said_first, first.files, first.columns), (said_last, last.files, last.columns)];
    assert!(orders.contains(&seen), "{kind:?} stopped at {at:?}: {outcome}; {} files", seen.1.len());
}

const STOPS: [(&str, bool); 5] = [
    ("create .0000000", false),
    ("link 0000000", false),
    ("link 0000000", true),
    ("sync commit-name", true),
    ("open 0000000", true),
];

fn stopped_everywhere(kind: Kind, takes_epoch: bool) {
    let mut writer = Writer::start();
    for at in STOPS {
        stopped(&mut writer, kind, at, takes_epoch);
    }
}

#[test]
fn a_load_that_was_stopped_is_in_or_says_that_it_is_not() {
    stopped_everywhere(Kind::Append, false);
}

#[test]
fn a_load_with_a_column_that_was_stopped_is_in_or_says_that_it_is_not() {
    stopped_everywhere(Kind::AppendWithColumn, false);
}

#[test]
fn an_overwrite_that_was_stopped_is_in_or_says_that_it_is_not() {
    stopped_everywhere(Kind::OverwriteTable, false);
}

#[test]
fn a_compaction_that_was_stopped_is_in_or_says_that_it_is_not() {
    stopped_everywhere(Kind::Compact, false);
}

#[test]
fn a_compaction_that_was_stopped_is_dropped_under_a_newer_epoch() {
    stopped_everywhere(Kind::Compact, true);
}

#[test]
fn added_columns_of_a_stopped_writer_stand() {
    stopped_everywhere(Kind::AddColumn, false);
}
