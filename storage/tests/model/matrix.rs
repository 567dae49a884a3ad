//! The conflict matrix of the code and the rules of the model, side by side: each cell in which an operation
//! does more than go on top is a rule here.

/// The table itself, as the code has it: nothing of the crate is linked for it.
#[allow(dead_code)]
#[path = "../../src/log/conflict.rs"]
mod conflict;

use conflict::{Change, MATRIX, Operation, Verdict};

use crate::rules::Rule;

/// The rule behind a cell; `None`: the operation goes on top as it is.
fn rule(operation: Operation, change: Change) -> Option<Rule> {
    use Change::*;
    match (operation, change) {
        (Operation::KeyedMerge, FilesAdded | FilesRemoved) => Some(Rule::MergeAgain),
        (Operation::Overwrite, FilesAdded | FilesRemoved) => Some(Rule::RemovesAgain),
        (Operation::Append | Operation::KeyedMerge | Operation::Overwrite, change) => match change {
            FilesAdded | FilesRemoved | ColumnsAdded | EpochTaken => None,
            ColumnRetyped | TableRedefined => Some(Rule::AppendFitsSchema),
            ClaimTaken | RunPassed => Some(Rule::NewestClaim),
            LabelLoaded => Some(Rule::LoadOnce),
            PipeEpochTaken => None,
        },
        (Operation::Compaction, change) => match change {
            FilesRemoved => Some(Rule::CompactionInputs),
            ColumnsAdded | ColumnRetyped | TableRedefined => Some(Rule::CompactionSameSchema),
            EpochTaken => Some(Rule::MaintenanceEpoch),
            FilesAdded | ClaimTaken | RunPassed | LabelLoaded | PipeEpochTaken => None,
        },
        (Operation::AddColumns, ColumnsAdded | TableRedefined) => Some(Rule::SchemaAgain),
        (Operation::AddColumns, ColumnRetyped) => Some(Rule::SameNameSameType),
        (Operation::Claim, ClaimTaken | RunPassed) => Some(Rule::ClaimByRun),
        (Operation::CloseRun, RunPassed) => Some(Rule::ClaimByRun),
        // Whoever failed closes only what it holds: else it would speak for another attempt.
        (Operation::CloseOwnRun, ClaimTaken | RunPassed) => Some(Rule::ClaimByRun),
        (Operation::Claim | Operation::CloseRun | Operation::CloseOwnRun, LabelLoaded) => {
            Some(Rule::LoadOnce)
        }
        (Operation::Epoch, EpochTaken) => Some(Rule::MaintenanceEpoch),
        (Operation::Batch, ColumnRetyped | TableRedefined) => Some(Rule::AppendFitsSchema),
        (Operation::Batch | Operation::PipeEpoch, PipeEpochTaken) => Some(Rule::NewestEpoch),
        _ => None,
    }
}

#[test]
fn each_cell_of_the_conflict_matrix_is_a_rule() {
    for row in &MATRIX {
        for change in Change::ALL {
            let (verdict, rule) = (row.operation.on(change), rule(row.operation, change));
            assert_eq!(
                verdict > Verdict::Rebase,
                rule.is_some(),
                "{:?} on {change:?}: {rule:?}",
                row.operation
            );
        }
    }
}
