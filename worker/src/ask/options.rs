//! Arguments that the command line and the pod's command share.

use clap::{Args, ValueEnum};
use longshore_storage::ledger::FileState;

/// Which files are shown.
#[derive(Debug, Clone, Args)]
pub struct FilesOptions {
    /// Only files in this state; may be repeated
    #[arg(long, value_name = "STATE")]
    pub state: Vec<StateName>,
    /// Files to show; 0: all
    #[arg(long, default_value_t = 100, value_name = "N")]
    pub limit: usize,
}

impl FilesOptions {
    /// The states; without one named, all.
    pub(super) fn states(&self) -> Vec<FileState> {
        match self.state.as_slice() {
            [] => FileState::ALL.to_vec(),
            named => named.iter().map(|name| name.state()).collect(),
        }
    }

    /// The same as arguments.
    pub fn arguments(&self) -> Vec<String> {
        let named = self.state.iter().map(|name| format!("--state={}", name.state().name()));
        named.chain([format!("--limit={}", self.limit)]).collect()
    }
}

/// A state on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "UPPER")]
pub enum StateName {
    /// Waits for its batch
    Unloaded,
    /// In a batch
    Loading,
    /// Its rows are in the table
    Finished,
    /// Given up
    Error,
    /// Left alone by a rule
    Ignored,
}

impl StateName {
    fn state(self) -> FileState {
        match self {
            Self::Unloaded => FileState::Unloaded,
            Self::Loading => FileState::Loading,
            Self::Finished => FileState::Finished,
            Self::Error => FileState::Error,
            Self::Ignored => FileState::Ignored,
        }
    }
}
