//! Processes that are killed in the middle of a commit.

use super::child::{Order, Writer};
use super::oracle::{Step, apply};
use super::replay::{replay, seen};
use super::setting::{Kind, in_partition, load_segments, place};
use crate::log::support::Place;

/// Kills a commit at a call; whether it stands afterwards.
fn killed(kind: Kind, begins: &str, after: bool) -> (Place, bool) {
    let (place, table) = place();
    drop(table);
    let mut writer = Writer::start();
    let stop_at = Some((begins.to_owned(), after));
    let root = place.root.clone();
    writer.order(&Order { root, kind, other: Kind::Append, role: 0, seed: 0, delays: false, stop_at });
    let (claim, epoch) = writer.prepared();
    let from = replay(&place.root).1;
    writer.go();
    writer.wait_until_stopped();
    writer.kill();
    let step = Step { kind, role: 0, label: kind.label(0, Kind::Append), claim, epoch, from: from.clone() };
    let mut done = from.clone();
    apply(&mut done, &step);
    let stands = seen(&place.root);
    assert!(stands == from || stands == done, "{kind:?} killed at {begins}: {stands:#?}");
    (place, stands == done)
}

const OVERWRITES: [Kind; 3] = [Kind::OverwriteTable, Kind::OverwritePartition, Kind::OverwriteDynamic];

#[test]
fn a50_a_crash_midway_leaves_the_old_rows_and_the_next_attempt_overwrites_them() {
    for kind in OVERWRITES {
        for (begins, after) in [("create .00000000", true), ("link 00000000", false)] {
            let (place, stands) = killed(kind, begins, after);
            assert!(!stands, "{kind:?} killed at {begins}");
            let mut table = place.open();
            let mode = kind.mode().unwrap();
            load_segments(&mut table, "l-0", vec![in_partition("p-a", "second", 2)], mode).unwrap();
            let files = seen(&place.root).files;
            let of_a: Vec<_> = files.values().filter(|(partition, _)| partition == "p-a").collect();
            assert_eq!(of_a, [&("p-a".to_owned(), 2)], "{kind:?} killed at {begins}");
        }
    }
}

#[test]
fn a_commit_that_has_its_name_stands_whole_after_a_crash() {
    for kind in OVERWRITES.into_iter().chain([Kind::AppendWithColumn, Kind::Compact, Kind::AddColumn]) {
        let (_place, stands) = killed(kind, "link 00000000", true);
        assert!(stands, "{kind:?}");
    }
}
