//! What a batch that failed as a whole is to blame on: its files, or what is around it.

use longshore_crds::exit;
use longshore_storage::table::CommitError;

use crate::decode::DecodeError;
use crate::load::LoadFailure;

/// What follows from the failure of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// Some file of it: it is halved.
    Files,
    /// The store: it is waited for.
    Store,
    /// The volume, or another writer of the table: it is tried again after a wait.
    Volume,
    /// The table or the request, which a person must mend.
    Table,
    /// Another worker has taken over the ledger.
    EpochLost,
    /// No one knows whether it was committed: the next epoch learns it.
    Unknown,
    /// This worker was stopped.
    Stopped,
}

/// What a failure follows from.
pub fn blame(failure: &LoadFailure) -> Blame {
    let exit_code = failure.exit_code();
    match failure {
        LoadFailure::Cancelled => Blame::Stopped,
        LoadFailure::Commit(CommitError::PipeEpochLost { .. }) => Blame::EpochLost,
        _ if exit_code == exit::OUTCOME_UNKNOWN => Blame::Unknown,
        _ if exit_code == exit::TERMINATED => Blame::Stopped,
        LoadFailure::Source(error) | LoadFailure::Decode(DecodeError::Source(error))
            if !error.is_of_object() =>
        {
            Blame::Store
        }
        // A fault inside may follow from a file; if not, its files load when they are tried alone.
        LoadFailure::Internal { .. } | LoadFailure::LostRows { .. } => Blame::Files,
        _ if exit_code == exit::TRANSIENT => Blame::Volume,
        LoadFailure::Table(_) | LoadFailure::Claim(_) => Blame::Table,
        LoadFailure::Commit(_) if exit_code == exit::TABLE_REFUSED => Blame::Table,
        _ => Blame::Files,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{SourceError, StoreAnswer};

    fn denied() -> SourceError {
        let answer = Box::new(StoreAnswer::default());
        SourceError::AccessDenied { action: "read", resource: "s3://b/k".to_owned(), answer, advice: "" }
    }

    #[test]
    fn only_files_are_halved() {
        let gone = SourceError::RangeOutside { object: "s3://b/k".to_owned(), start: 0, end: 9, size: 4 };
        let lost = CommitError::PipeEpochLost { ledger: "l".to_owned(), epoch: 1, newest: 2 };
        for (failure, expected) in [
            (LoadFailure::Source(denied()), Blame::Store),
            (LoadFailure::Decode(DecodeError::Source(denied())), Blame::Store),
            (LoadFailure::Source(gone), Blame::Files),
            (LoadFailure::Source(SourceError::Cancelled), Blame::Stopped),
            (LoadFailure::Cancelled, Blame::Stopped),
            (LoadFailure::Commit(lost), Blame::EpochLost),
            (LoadFailure::Internal { message: String::new() }, Blame::Files),
            (LoadFailure::Drift { reason: String::new() }, Blame::Files),
        ] {
            assert_eq!(blame(&failure), expected, "{failure}");
        }
    }
}
