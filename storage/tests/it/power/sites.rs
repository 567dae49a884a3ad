//! Every fsync is needed: each place is switched off in turn, and the replay must find what is lost.

use std::collections::HashSet;

use longshore_storage::durable::SyncSite;

use super::check::Checker;
use super::cut::Order;
use super::overtaken::{OVERTAKEN, Overtaken};
use super::promise::Invariant;
use super::recording::Recording;
use super::replay::{Depth, Figures, Memory, Replay};
use super::volume::Operation;
use super::workloads::{MEANWHILE, WORKLOADS, Workload, stopped};

/// What shows that a place is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    /// Without it, this does not hold after some cut.
    By(Invariant),
    /// Nothing does: why it is there all the same stands in `docs/guarantees.md`.
    ByNothing,
}

/// Every place. The table of `docs/guarantees.md` says the same.
const PLACES: &[(SyncSite, Shown)] = &[
    (SyncSite::TableFolderName, Shown::By(Invariant::Acknowledged)),
    (SyncSite::TableLayoutNames, Shown::By(Invariant::Opens)),
    (SyncSite::FormatContents, Shown::By(Invariant::Opens)),
    (SyncSite::FormatName, Shown::By(Invariant::NextLoad)),
    (SyncSite::ProbeContents, Shown::ByNothing),
    (SyncSite::ProbeNames, Shown::ByNothing),
    (SyncSite::CommitContents, Shown::By(Invariant::Opens)),
    (SyncSite::CommitName, Shown::By(Invariant::Acknowledged)),
    (SyncSite::BuildOnNames, Shown::By(Invariant::NoHole)),
    (SyncSite::CreateAnswer, Shown::By(Invariant::Acknowledged)),
    (SyncSite::ClaimAnswer, Shown::By(Invariant::Acknowledged)),
    (SyncSite::LabelAnswer, Shown::By(Invariant::Acknowledged)),
    (SyncSite::LoadAnswer, Shown::By(Invariant::Acknowledged)),
    (SyncSite::CloseAnswer, Shown::By(Invariant::Acknowledged)),
    (SyncSite::AlterAnswer, Shown::By(Invariant::Acknowledged)),
    (SyncSite::CompactionAnswer, Shown::By(Invariant::Acknowledged)),
    (SyncSite::EpochAnswer, Shown::By(Invariant::Acknowledged)),
    (SyncSite::CheckpointBaseNames, Shown::By(Invariant::LabelsAndRecords)),
    (SyncSite::CheckpointContents, Shown::By(Invariant::CheckpointsWhole)),
    (SyncSite::CheckpointName, Shown::By(Invariant::CheckpointsWhole)),
    (SyncSite::HintBaseNames, Shown::By(Invariant::CheckpointsWhole)),
    (SyncSite::HintName, Shown::By(Invariant::CheckpointsWhole)),
    (SyncSite::HintContents, Shown::By(Invariant::CheckpointsWhole)),
    (SyncSite::RecordContents, Shown::By(Invariant::LabelsAndRecords)),
    (SyncSite::RecordName, Shown::By(Invariant::LabelsAndRecords)),
    (SyncSite::FoldedContents, Shown::By(Invariant::LabelsAndRecords)),
    (SyncSite::FoldedName, Shown::By(Invariant::LabelsAndRecords)),
    (SyncSite::LargerFoldedName, Shown::By(Invariant::LabelsAndRecords)),
    (SyncSite::LeftFoldedName, Shown::By(Invariant::LabelsAndRecords)),
    (SyncSite::FoldBaseNames, Shown::By(Invariant::LabelsAndRecords)),
    (SyncSite::CleanBaseNames, Shown::By(Invariant::CheckpointsWhole)),
    (SyncSite::VacuumBaseNames, Shown::By(Invariant::NamedFilesWhole)),
    (SyncSite::LoadFolderNames, Shown::By(Invariant::AcknowledgedFile)),
    (SyncSite::PlanContents, Shown::By(Invariant::NextLoad)),
    (SyncSite::PlanName, Shown::By(Invariant::AcknowledgedFile)),
    (SyncSite::ReportContents, Shown::By(Invariant::NextLoad)),
    (SyncSite::ReportName, Shown::By(Invariant::AcknowledgedFile)),
    (SyncSite::RejectedContents, Shown::By(Invariant::AcknowledgedFile)),
    (SyncSite::RejectedName, Shown::By(Invariant::AcknowledgedFile)),
    (SyncSite::SegmentContents, Shown::By(Invariant::NamedFilesWhole)),
    (SyncSite::SegmentName, Shown::By(Invariant::AcknowledgedFile)),
    (SyncSite::PartitionFolderName, Shown::By(Invariant::AcknowledgedFile)),
    (SyncSite::TabletFolderName, Shown::By(Invariant::AcknowledgedFile)),
    (SyncSite::LedgerFolderNames, Shown::By(Invariant::Acknowledged)),
    (SyncSite::LedgerContents, Shown::By(Invariant::Ledger)),
    (SyncSite::LedgerName, Shown::By(Invariant::Acknowledged)),
    (SyncSite::LedgerAppend, Shown::By(Invariant::Acknowledged)),
    (SyncSite::LedgerSortedContents, Shown::By(Invariant::Ledger)),
    (SyncSite::LedgerSortedName, Shown::By(Invariant::Ledger)),
    (SyncSite::BatchContents, Shown::By(Invariant::AcknowledgedFile)),
    (SyncSite::BatchName, Shown::By(Invariant::AcknowledgedFile)),
];

/// Whether a recording came by a place.
fn reaches(recording: &Recording, site: SyncSite) -> bool {
    recording.steps.iter().any(|step| match step.operation {
        Operation::Sync { site: done, .. } | Operation::SyncFolder { site: done, .. } => done == site,
        _ => false,
    })
}

/// The first invariant that breaks when a recording is replayed without a place.
fn broken(recording: &Recording, memory: &mut Memory, site: SyncSite) -> Option<Invariant> {
    [Order::Any, Order::Journal].into_iter().find_map(|order| {
        let (observer, depth) = (Checker::new(recording), Depth { seeds: 0, singles: true });
        let (without, figures) = (Some(site), Figures::default());
        let mut replay = Replay { recording, order, without, depth, observer, figures, memory };
        let (violation, state) = replay.run().err()?;
        println!("{}: {violation}; {order:?}, {}", site.id(), state.lines().next().unwrap_or_default());
        Some(violation.invariant)
    })
}

/// What shows that a place is needed: first among the workloads, then with another process meanwhile.
fn shown(site: SyncSite, workloads: &mut [(Recording, Memory)]) -> Shown {
    let reached = workloads.iter_mut().filter(|(recording, _)| reaches(recording, site));
    let alone =
        reached.fold(None, |found, (recording, memory)| found.or_else(|| broken(recording, memory, site)));
    let found = alone.or_else(|| {
        // What is visible and not durable: a commit whose writer was stopped before its fsync.
        let mut others = MEANWHILE.iter().filter_map(|meanwhile| stopped(SyncSite::CommitName, meanwhile));
        others.find_map(|recording| {
            let reached = reaches(&recording, site);
            reached.then(|| broken(&recording, &mut Memory::default(), site)).flatten()
        })
    });
    // A ledger has places of its own.
    let found = found.or_else(|| super::ledger::shown(site));
    found.map_or(Shown::ByNothing, Shown::By)
}

#[test]
fn the_suite_fails_without_any_single_fsync() {
    let recordings = WORKLOADS.iter().map(Workload::record);
    let recordings = recordings.chain(OVERTAKEN.iter().map(Overtaken::record));
    let mut workloads: Vec<(Recording, Memory)> = recordings.map(|r| (r, Memory::default())).collect();
    let mut wrong = Vec::new();
    for (site, expected) in PLACES {
        let found = shown(*site, &mut workloads);
        if found != *expected {
            wrong.push(format!("{}: {found:?}, the table says {expected:?}", site.id()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_place_is_in_the_table_and_in_the_guarantees() {
    let places: HashSet<SyncSite> = PLACES.iter().map(|(site, _)| *site).collect();
    let all: HashSet<SyncSite> = SyncSite::ALL.iter().copied().collect();
    assert_eq!(places, all);
    let text = include_str!("../../../../docs/guarantees.md");
    for (site, shown) in PLACES {
        let row = text.lines().find(|line| line.starts_with(&format!("| `{}` |", site.id())));
        let row = row.unwrap_or_else(|| panic!("docs/guarantees.md has no row of {}", site.id()));
        let says = match shown {
            Shown::By(invariant) => format!("`{invariant:?}`"),
            Shown::ByNothing => "nothing".to_owned(),
        };
        assert!(row.contains(&format!("| {says}")), "{row} does not say {says}");
    }
}
