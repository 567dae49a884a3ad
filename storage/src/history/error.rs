//! What can go wrong with the history.

use std::path::PathBuf;

use crate::durable::VolumeError;

/// A history record that cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// The volume said no.
    #[error(transparent)]
    Volume(#[from] VolumeError),
    /// The log names a record that is not there, or that no commit names.
    #[error("the history record {} is missing", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// A load that the log knows is in no part of the history.
    #[error("the history in {} does not tell of label {label}, which the log knows as loaded", path.display())]
    Untold {
        /// Folder of the history.
        path: PathBuf,
        /// The label.
        label: String,
    },
    /// Not what the commit named.
    #[error("the history record {} is damaged: {what}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
}

impl HistoryError {
    /// CamelCase, stable.
    pub fn category(&self) -> &'static str {
        match self {
            Self::Volume(error) => error.category(),
            Self::Missing { .. } | Self::Untold { .. } | Self::Damaged { .. } => "DamagedHistory",
        }
    }
}
