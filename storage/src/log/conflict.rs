//! The conflict matrix: what a commit of another writer means for an operation that is about to commit on
//! top of it (design §10). Data, so that the code that commits and the tests of every pair read the same.
//!
//! An operation judges the *state* of the version it builds on, not a list of commits: what it read is
//! compared with what stands, each difference is a [`Change`], and the matrix says what follows.

/// What can be committed to a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// A load adds rows.
    Append,
    /// A load into a keyed table replaces the segments of the tablets it touches.
    KeyedMerge,
    /// A load replaces the table, or partitions of it.
    Overwrite,
    /// Segments of a tablet become fewer, with the same rows.
    Compaction,
    /// Nullable columns are added, without rows.
    AddColumns,
    /// An attempt claims a label.
    Claim,
    /// A run is closed, whoever holds its claim.
    CloseRun,
    /// A run is closed by the attempt that holds its claim.
    CloseOwnRun,
    /// The next epoch of maintenance is taken.
    Epoch,
    /// A batch of a pipe adds rows.
    Batch,
    /// The next epoch of a pipe is taken.
    PipeEpoch,
}

/// What stands now and did not when the operation read the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Change {
    /// Files came into the scope of the operation (append: anywhere; compaction: into its tablets).
    FilesAdded,
    /// Files of its scope are gone (compaction: an input).
    FilesRemoved,
    /// Nullable columns came.
    ColumnsAdded,
    /// A column that it wrote, or is to add, has another type.
    ColumnRetyped,
    /// A column is gone or NOT NULL, or key, sort key or distribution are others.
    TableRedefined,
    /// A newer claim of its label stands.
    ClaimTaken,
    /// Its run is closed, or a higher one has claimed.
    RunPassed,
    /// Its label is loaded.
    LabelLoaded,
    /// A newer epoch of maintenance stands.
    EpochTaken,
    /// A newer epoch of its pipe stands.
    PipeEpochTaken,
}

/// What an operation does about a change; the graver is the greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Its commit goes on top as it is.
    Rebase,
    /// Its commit is made again from what stands now.
    Recompute,
    /// It ends without a commit and without an error.
    Drop,
    /// It fails.
    Fail,
}

/// What an operation depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reads {
    /// Columns, key, sort key and distribution.
    Schema,
    /// All files in its scope.
    FilesInScope,
    /// The files that it replaces.
    Inputs,
    /// The number of the claim of its label.
    Claim,
    /// The number that a loaded label leaves.
    LabelLoaded,
    /// The number of the maintenance epoch.
    Epoch,
    /// The number of the epoch of its pipe.
    PipeEpoch,
}

/// A row of the matrix.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// Whose row.
    pub operation: Operation,
    /// What it depends on.
    pub reads: &'static [Reads],
    /// What its commit changes for others.
    pub makes: &'static [Change],
    /// What each change means for it, in the order of [`Change::ALL`].
    pub on: [Verdict; Change::ALL.len()],
}

impl Operation {
    /// Every operation, in the order of [`MATRIX`].
    pub const ALL: [Self; 11] = [
        Self::Append,
        Self::KeyedMerge,
        Self::Overwrite,
        Self::Compaction,
        Self::AddColumns,
        Self::Claim,
        Self::CloseRun,
        Self::CloseOwnRun,
        Self::Epoch,
        Self::Batch,
        Self::PipeEpoch,
    ];

    /// Its row.
    pub const fn row(self) -> &'static Row {
        &MATRIX[self as usize]
    }

    /// What a change means for it.
    pub const fn on(self, change: Change) -> Verdict {
        self.row().on[change as usize]
    }

    /// Whether a change ends it.
    pub const fn stops_on(self, change: Change) -> bool {
        matches!(self.on(change), Verdict::Drop | Verdict::Fail)
    }

    /// Whether a change makes it compute its commit again.
    pub const fn recomputes_on(self, change: Change) -> bool {
        matches!(self.on(change), Verdict::Recompute)
    }

    /// Whether its commit depends on which files stand: it must look at them again on each version.
    pub fn follows_files(self) -> bool {
        [Change::FilesAdded, Change::FilesRemoved].into_iter().any(|change| self.on(change) > Verdict::Rebase)
    }
}

impl Change {
    /// Every change, in the order of a row.
    pub const ALL: [Self; 10] = [
        Self::FilesAdded,
        Self::FilesRemoved,
        Self::ColumnsAdded,
        Self::ColumnRetyped,
        Self::TableRedefined,
        Self::ClaimTaken,
        Self::RunPassed,
        Self::LabelLoaded,
        Self::EpochTaken,
        Self::PipeEpochTaken,
    ];
}

use Change::{
    ClaimTaken, ColumnRetyped, ColumnsAdded, EpochTaken, FilesAdded, FilesRemoved,
    LabelLoaded as LabelIsLoaded, PipeEpochTaken, RunPassed,
};
use Verdict::{Drop, Fail, Rebase, Recompute};

/// The matrix. Columns: files added, files removed, columns added, column retyped, table redefined, claim
/// taken, run passed, label loaded, epoch taken, epoch of the pipe taken.
#[rustfmt::skip]
pub const MATRIX: [Row; Operation::ALL.len()] = [
    Row {
        operation: Operation::Append,
        reads: &[Reads::Schema, Reads::Claim, Reads::LabelLoaded],
        makes: &[FilesAdded, LabelIsLoaded],
        on: [Rebase, Rebase, Rebase, Fail, Fail, Fail, Fail, Drop, Rebase, Rebase],
    },
    Row {
        operation: Operation::KeyedMerge,
        reads: &[Reads::Schema, Reads::FilesInScope, Reads::Claim, Reads::LabelLoaded],
        makes: &[FilesAdded, FilesRemoved, LabelIsLoaded],
        on: [Recompute, Recompute, Rebase, Fail, Fail, Fail, Fail, Drop, Rebase, Rebase],
    },
    Row {
        operation: Operation::Overwrite,
        reads: &[Reads::Schema, Reads::FilesInScope, Reads::Claim, Reads::LabelLoaded],
        makes: &[FilesAdded, FilesRemoved, LabelIsLoaded],
        on: [Recompute, Recompute, Rebase, Fail, Fail, Fail, Fail, Drop, Rebase, Rebase],
    },
    Row {
        operation: Operation::Compaction,
        reads: &[Reads::Schema, Reads::Inputs, Reads::Epoch],
        makes: &[FilesAdded, FilesRemoved],
        on: [Rebase, Drop, Drop, Drop, Drop, Rebase, Rebase, Rebase, Drop, Rebase],
    },
    Row {
        operation: Operation::AddColumns,
        reads: &[Reads::Schema],
        makes: &[ColumnsAdded, ColumnRetyped],
        on: [Rebase, Rebase, Recompute, Fail, Recompute, Rebase, Rebase, Rebase, Rebase, Rebase],
    },
    Row {
        operation: Operation::Claim,
        reads: &[Reads::Claim, Reads::LabelLoaded],
        makes: &[ClaimTaken],
        on: [Rebase, Rebase, Rebase, Rebase, Rebase, Recompute, Fail, Drop, Rebase, Rebase],
    },
    Row {
        operation: Operation::CloseRun,
        reads: &[Reads::Claim, Reads::LabelLoaded],
        makes: &[ClaimTaken, RunPassed],
        on: [Rebase, Rebase, Rebase, Rebase, Rebase, Rebase, Drop, Drop, Rebase, Rebase],
    },
    Row {
        operation: Operation::CloseOwnRun,
        reads: &[Reads::Claim, Reads::LabelLoaded],
        makes: &[ClaimTaken, RunPassed],
        on: [Rebase, Rebase, Rebase, Rebase, Rebase, Drop, Drop, Drop, Rebase, Rebase],
    },
    Row {
        operation: Operation::Epoch,
        reads: &[Reads::Epoch],
        makes: &[EpochTaken],
        on: [Rebase, Rebase, Rebase, Rebase, Rebase, Rebase, Rebase, Rebase, Recompute, Rebase],
    },
    Row {
        operation: Operation::Batch,
        reads: &[Reads::Schema, Reads::PipeEpoch],
        makes: &[FilesAdded],
        on: [Rebase, Rebase, Rebase, Fail, Fail, Rebase, Rebase, Rebase, Rebase, Fail],
    },
    Row {
        operation: Operation::PipeEpoch,
        reads: &[Reads::PipeEpoch],
        makes: &[PipeEpochTaken],
        on: [Rebase, Rebase, Rebase, Rebase, Rebase, Rebase, Rebase, Rebase, Rebase, Recompute],
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_columns_stand_in_their_order() {
        for (index, operation) in Operation::ALL.into_iter().enumerate() {
            assert_eq!(MATRIX[index].operation, operation);
            assert_eq!(operation as usize, index);
        }
        for (index, change) in Change::ALL.into_iter().enumerate() {
            assert_eq!(change as usize, index);
        }
    }

    /// What an operation does not read must not stop it, and what it reads must not be passed over.
    #[test]
    fn an_operation_minds_what_it_reads_and_nothing_else() {
        let read_by = |change| match change {
            Change::FilesAdded => &[Reads::FilesInScope][..],
            Change::FilesRemoved => &[Reads::FilesInScope, Reads::Inputs],
            Change::ColumnsAdded | Change::ColumnRetyped | Change::TableRedefined => &[Reads::Schema],
            Change::ClaimTaken | Change::RunPassed => &[Reads::Claim],
            Change::LabelLoaded => &[Reads::LabelLoaded],
            Change::EpochTaken => &[Reads::Epoch],
            Change::PipeEpochTaken => &[Reads::PipeEpoch],
        };
        for row in &MATRIX {
            for change in Change::ALL {
                let reads = read_by(change).iter().any(|read| row.reads.contains(read));
                let minds = row.operation.on(change) > Verdict::Rebase;
                // A new nullable column fits what loads have written; closing a run shuts out whoever holds it.
                let harmless = matches!(
                    (row.operation, change),
                    (
                        Operation::Append | Operation::KeyedMerge | Operation::Overwrite | Operation::Batch,
                        Change::ColumnsAdded
                    ) | (Operation::CloseRun, Change::ClaimTaken)
                );
                assert_eq!(minds, reads && !harmless, "{:?} on {change:?}", row.operation);
            }
        }
    }
}
