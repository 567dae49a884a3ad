//! Every rule is needed: without it, a scenario breaks what the table says. Every rule but those of the
//! second table, which say why they stand.

use std::time::Instant;

use crate::exploration::{bounds, each};
use crate::explore::{Bounds, Explored, explore};
use crate::invariants::Invariant;
use crate::rules::{Rule, Rules};
use crate::scenarios::{SCENARIOS, scenario};

/// A rule, what breaks without it, and the scenario that shows it soonest.
const NEEDED: &[(Rule, Invariant, &str)] = &[
    (Rule::LinkIsExclusive, Invariant::AcknowledgedStays, "retry"),
    (Rule::SyncBeforeAcknowledge, Invariant::AcknowledgedStays, "power-checkpoint"),
    (Rule::SyncBeforeLink, Invariant::LastRunEnds, "power-unordered"),
    (Rule::CheckAfterLink, Invariant::AcknowledgedStays, "sleeping-load"),
    (Rule::DoubtAboveSecond, Invariant::ReadersSeeTheTable, "clean-reader"),
    (Rule::OwnNumberDecides, Invariant::RowsOnce, "clean-pipe"),
    (Rule::OwnNumberDecides, Invariant::NamedFilesExist, "clean-compact"),
    (Rule::ReopenOnNewer, Invariant::ReadersSeeTheTable, "sleeping-vacuum"),
    (Rule::SyncBeforeAnswer, Invariant::FinishedStands, "power"),
    (Rule::CleanBelowSecond, Invariant::AcknowledgedStays, "clean-power"),
    (Rule::CleanOldestFirst, Invariant::ReadersSeeTheTable, "clean-reader"),
    (Rule::CleanOldestFirst, Invariant::AcknowledgedStays, "clean-pipe"),
    (Rule::SyncBeforeClean, Invariant::AcknowledgedStays, "clean-cleaners-unordered"),
    (Rule::SyncBeforeCheckpoint, Invariant::AcknowledgedStays, "clean-power"),
    (Rule::NewestClaim, Invariant::CancelledStaysOut, "sleeping-load"),
    (Rule::LoadOnce, Invariant::RowsOnce, "parallel-compact"),
    (Rule::ClaimByRun, Invariant::CancelledStaysOut, "cancel"),
    (Rule::CancelClaims, Invariant::CancelledStaysOut, "sleeping-load"),
    (Rule::CloseOnFailure, Invariant::CancelledStaysOut, "fail"),
    (Rule::ResolveCloses, Invariant::CancelledStaysOut, "parallel"),
    (Rule::FirstReportWins, Invariant::RowsOnce, "parallel"),
    (Rule::AdoptWithinRun, Invariant::NamedFilesExist, "retry-same"),
    (Rule::AdoptSameFiles, Invariant::LoadsAreWhole, "adopt-listing"),
    (Rule::AdoptSameSchema, Invariant::RowsFitSchema, "columns-adopt"),
    (Rule::MergeAgain, Invariant::RowsOnce, "keyed-vacuum"),
    (Rule::RemovesAgain, Invariant::SerialOrder, "overwrite-two"),
    (Rule::CompactionInputs, Invariant::RowsOnce, "compact-two"),
    (Rule::NewerNumberTellsNothing, Invariant::NamedFilesExist, "clean-compact-apart"),
    (Rule::AppendFitsSchema, Invariant::RowsFitSchema, "columns-required"),
    (Rule::SchemaAgain, Invariant::SerialOrder, "columns"),
    (Rule::SameNameSameType, Invariant::RowsFitSchema, "columns"),
    (Rule::VacuumAsksOwner, Invariant::NamedFilesExist, "sleeping-vacuum"),
    (Rule::VacuumSparesNamed, Invariant::NamedFilesExist, "sleeping-vacuum"),
    (Rule::VacuumByOutcome, Invariant::NamedFilesExist, "adopt-vacuum"),
    (Rule::SyncBeforeDelete, Invariant::NamedFilesExist, "overwrite-two"),
    (Rule::MaintenanceEpoch, Invariant::NamedFilesExist, "compact"),
    (Rule::NewestEpoch, Invariant::RowsOnce, "pipe"),
    (Rule::NewestEpoch, Invariant::NamedFilesExist, "pipe-power"),
    (Rule::EpochBeforeLedger, Invariant::RowsOnce, "sleeping-pipe"),
    (Rule::LedgerFromLog, Invariant::RowsOnce, "sleeping-pipe"),
    (Rule::EpochInBatchName, Invariant::RowsOnce, "pipe-bad"),
    (Rule::ConfirmByCommit, Invariant::ObjectsAreLoaded, "pipe-bad"),
    (Rule::RecordCountsWhenNamed, Invariant::ObjectsAreLoaded, "sleeping-pipe"),
];

/// Rules without which nothing breaks, also if none of them is obeyed; and why they stand.
const NOT_NEEDED: &[(Rule, &str)] = &[
    (
        Rule::CompareTxnId,
        "the own number decides as well; it saves a second claim, or a batch that is cut again",
    ),
    (Rule::StandsBelow, "it saves a listing, which costs by the names in the folder"),
    (
        Rule::SyncCheckpoint,
        "the sync before a cleaning covers it; `_last_checkpoint` must not name what a cut takes",
    ),
    (Rule::DropLateCheckpoint, "a late checkpoint is whole; it saves its writing"),
    (
        Rule::AdoptSameRequest,
        "the request of a run never changes; it guards a run number that was used twice",
    ),
    (
        Rule::NumberGoesUp,
        "the epoch shuts out every other writer of numbers; it names the fault if one is left",
    ),
    (
        Rule::NumberAboveFiles,
        "a failed batch must not get its own number again: without it a pipe stands still",
    ),
    (
        Rule::CompactionSameSchema,
        "an output has the columns of its inputs; only another key or order needs it",
    ),
];

/// How far a rule's scenario goes at most.
const FAR: Bounds = Bounds { states: 400_000, walks: 20 };

#[test]
fn without_a_rule_its_scenario_breaks_what_the_table_says() {
    let begun = Instant::now();
    let seen = each(NEEDED, |&(rule, expected, name)| {
        let without = Rules::all().without(rule);
        let explored = explore(&(scenario(name).build)(), without, FAR, 7);
        let id = rule.id();
        match explored.found {
            None => Err(format!("without {id} ({}), {name} breaks nothing", rule.text())),
            Some(found) if found.broken.invariant != expected => {
                Err(format!("without {id}, {name} does not break {expected:?} but {}", found.story()))
            }
            Some(found) => {
                let (steps, states) = (found.trace.len(), explored.states);
                Ok(format!("{id:>26}: {expected:?} in {name}, {steps} steps, {states} states"))
            }
        }
    });
    let wrong: Vec<&String> = seen.iter().filter_map(|seen| seen.as_ref().err()).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    for seen in seen.iter().flatten() {
        println!("{seen}");
    }
    println!("{} mutations found, {:.1} s", seen.len(), begun.elapsed().as_secs_f32());
}

/// Prints, for each rule, which scenarios find soonest what breaks without it: the source of the table.
#[test]
#[ignore = "a survey of some minutes, for whoever changes a rule or a scenario"]
fn survey_of_the_scenarios_without_each_rule() {
    each(Rule::ALL, |rule| {
        let without = Rules::all().without(*rule);
        let mut lines = vec![format!("{}:", rule.id())];
        for states in [1_000, 10_000, 50_000, 200_000] {
            if lines.len() > 3 || states > 10_000 && NOT_NEEDED.iter().any(|(not, _)| not == rule) {
                break;
            }
            for scenario in SCENARIOS {
                let bounds = Bounds { states, walks: 0 };
                let Explored { states, found, .. } = explore(&(scenario.build)(), without, bounds, 7);
                if let Some(found) = found {
                    let (steps, broken) = (found.trace.len(), found.broken.invariant);
                    lines.push(format!("    {}: {broken:?}, {steps} steps, {states} states", scenario.name));
                }
            }
        }
        println!("{}", lines.join("\n"));
    });
}

#[test]
fn every_rule_stands_in_one_of_the_tables() {
    for rule in Rule::ALL {
        let needed = NEEDED.iter().any(|(needed, ..)| needed == rule);
        let not_needed = NOT_NEEDED.iter().any(|(not_needed, _)| not_needed == rule);
        assert!(needed != not_needed, "{}", rule.id());
    }
}

#[test]
fn nothing_breaks_without_all_the_rules_that_are_not_needed() {
    let rules = NOT_NEEDED.iter().fold(Rules::all(), |rules, (rule, _)| rules.without(*rule));
    let bounds = bounds();
    let states = each(SCENARIOS, |scenario| {
        let explored = explore(&(scenario.build)(), rules, bounds, 13);
        if let Some(found) = explored.found {
            panic!("{}: {}", scenario.name, found.story());
        }
        explored.states
    });
    println!("{} rules off: {} states", NOT_NEEDED.len(), states.iter().sum::<usize>());
}
