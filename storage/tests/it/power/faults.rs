//! A full volume at every call, and an fsync that fails at every fsync: the outcome is an error that says so,
//! or an unknown one; nothing false was acknowledged, nothing is seen by halves, and a fresh process ends well.
//! All of that again after a power cut: what a failed fsync should have made durable never is.

use std::io::ErrorKind;

use super::check::{Checker, promised};
use super::cut::Order;
use super::promise::Promise;
use super::recording::Recording;
use super::replay::{Depth, Figures, Memory, Observer, Replay};
use super::volume::{Fault, Operation, Volume};
use super::workloads::{WORKLOADS, Workload, copy};

/// Runs a workload with one fault after the other; how many there were. After one in `cut_each` of them the
/// power goes as well.
fn every_fault(workload: &Workload, fault: impl Fn(usize) -> Fault, cut_each: usize, says: &[&str]) -> usize {
    let start = (workload.start)();
    for number in 0.. {
        let volume = copy(&start);
        volume.fail(fault(number));
        let outcome = (workload.run)(&volume);
        let Some(failed) = volume.mend() else {
            assert_eq!(outcome, Ok(()), "{}", workload.name);
            return number;
        };
        let what = format!("{}, {:?} at {failed}: {outcome:?}", workload.name, fault(number));
        if let Err(category) = outcome {
            // No volume is too full to be read: whoever reads may call it anything.
            let reads = ["open ", "list "].iter().any(|call| failed.starts_with(call));
            assert!(says.contains(&category) || reads && category == "VolumeError", "{what}");
        }
        let recording = Recording::end(what, &start, &volume);
        holds_now(&recording, &volume, number);
        if number.is_multiple_of(cut_each) {
            holds_after_a_cut(&recording, number);
        }
    }
    unreachable!("a workload ends")
}

/// What was promised, as a fresh process finds it.
fn holds_now(recording: &Recording, volume: &Volume, number: usize) {
    let version = Checker::nth(recording, number).observe(copy(volume));
    let version = version.unwrap_or_else(|violation| panic!("{}: {violation}", recording.name));
    for step in &recording.steps {
        let Operation::Promise(Promise::Version(told)) = &step.operation else { continue };
        promised(recording, Some(*told), version).unwrap_or_else(|violation| panic!("{violation}"));
    }
}

fn holds_after_a_cut(recording: &Recording, number: usize) {
    let mut memory = Memory::default();
    for order in [Order::Journal, Order::Any] {
        let (observer, depth) = (Checker::nth(recording, number), Depth { seeds: 0, singles: false });
        let (without, figures, memory) = (None, Figures::default(), &mut memory);
        let mut replay = Replay { recording, order, without, depth, observer, figures, memory };
        if let Err((violation, state)) = replay.run_last() {
            panic!("{violation}\n{order:?}, {state}");
        }
    }
}

#[test]
fn a_full_volume_at_every_call() {
    let cut_each = if std::env::var_os("POWER").is_some() { 1 } else { 4 };
    let full = |number| Fault::At(number, ErrorKind::StorageFull);
    for workload in WORKLOADS {
        let faults = every_fault(workload, full, cut_each, &["DiskFull", "OutcomeUnknown"]);
        println!("{}: {faults} calls", workload.name);
    }
}

#[test]
fn an_error_at_every_fsync() {
    for workload in WORKLOADS {
        let faults = every_fault(workload, Fault::Sync, 1, &["VolumeError", "OutcomeUnknown"]);
        println!("{}: {faults} fsyncs", workload.name);
    }
}
