//! Why a database cannot be used.

use std::path::{Path, PathBuf};

/// Why a database cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another process holds the file, perhaps another relay.
    #[error("the database {} is locked by another process", path.display())]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// The file, its file system or its folder cannot be written.
    #[error("the database {} is read-only", path.display())]
    ReadOnly {
        /// The file.
        path: PathBuf,
    },
    /// The file is not a SQLite database, or a damaged one.
    #[error("the database {} is not a database, or damaged", path.display())]
    Broken {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The file is a database of another program.
    #[error("the database {} belongs to another program", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The file was written by a newer relay.
    #[error("the database {} has version {found}, and this program knows versions up to {known}", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The newest version known.
        known: usize,
    },
    /// Anything else: no such folder, no permission, a full disk.
    #[error("the database {} cannot be opened", path.display())]
    Failed {
        /// The file.
        path: PathBuf,
        /// What SQLite or the system says.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl OpenError {
    /// Diesel hides SQLite's result codes, so the cause is told by its message; one that changes becomes `Failed`.
    pub(super) fn new(path: &Path, source: Box<dyn std::error::Error + Send + Sync>) -> Self {
        let (path, message) = (path.to_owned(), source.to_string());
        if message.contains("is locked") {
            Self::Locked { path }
        } else if message.contains("readonly database") {
            Self::ReadOnly { path }
        } else if message.contains("not a database") || message.contains("malformed") {
            Self::Broken { path, source }
        } else {
            Self::Failed { path, source }
        }
    }
}
