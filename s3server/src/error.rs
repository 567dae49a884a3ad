//! What can go wrong when the server is started or filled.

use std::path::PathBuf;

/// An error of starting the server or of putting objects in it through the library.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The data folder or a file in it cannot be read or written.
    #[error("cannot {action} {path}: {source}; check that the folder exists and is writable")]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}; choose a free port (port 0 takes any)")]
    Bind {
        /// The address that was asked for.
        address: String,
        /// The system's error.
        source: std::io::Error,
    },
    /// The bucket does not exist.
    #[error("bucket {bucket} does not exist; create it first")]
    NoSuchBucket {
        /// The bucket's name.
        bucket: String,
    },
    /// The object does not exist.
    #[error("object {key} does not exist in bucket {bucket}")]
    NoSuchKey {
        /// The bucket's name.
        bucket: String,
        /// The object's key.
        key: String,
    },
    /// A setting does not fit.
    #[error("{message}")]
    Setting {
        /// What is wrong and what to do.
        message: String,
    },
    /// The server's own thread ended before it listened.
    #[error("the server's thread ended before it listened; see its log")]
    ThreadEnded,
}

impl ServerError {
    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>, source: std::io::Error) -> Self {
        Self::Io { action, path: path.into(), source }
    }

    /// The class of the error: stable, in CamelCase.
    pub fn category(&self) -> &'static str {
        match self {
            Self::Io { .. } => "Io",
            Self::Bind { .. } => "Bind",
            Self::NoSuchBucket { .. } => "NoSuchBucket",
            Self::NoSuchKey { .. } => "NoSuchKey",
            Self::Setting { .. } => "Setting",
            Self::ThreadEnded => "ThreadEnded",
        }
    }
}
