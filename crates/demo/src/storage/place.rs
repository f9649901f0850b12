//! Where the database lies: a file that is kept, or a folder that is removed at the end.

use std::fs;
use std::io;
use std::path::PathBuf;

use crate::random::Random;

/// Where the database lies.
#[derive(Debug)]
pub(crate) enum Place {
    /// The file stays when the relay ends.
    Kept(PathBuf),
    /// The file goes when the relay ends.
    Temporary(TemporaryFolder),
}

impl Place {
    /// The database file.
    pub(crate) fn file(&self) -> PathBuf {
        match self {
            Self::Kept(path) => path.clone(),
            Self::Temporary(folder) => folder.0.join("relay.db"),
        }
    }
}

/// A folder of our own, for the owner's eyes only, removed when this is dropped.
#[derive(Debug)]
pub(crate) struct TemporaryFolder(PathBuf);

impl TemporaryFolder {
    /// Makes a folder below the system's one for temporary files.
    pub(crate) fn new() -> io::Result<Self> {
        let name = format!("landfall-relay-{:016x}", Random::new().next());
        let path = std::env::temp_dir().join(name);
        let mut builder = fs::DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(&path)?;
        Ok(Self(path))
    }

    #[cfg(test)]
    pub(crate) fn path(&self) -> &std::path::Path {
        &self.0
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            tracing::warn!(%error, "temporary folder left");
        }
    }
}
