//! A folder of a scenario's own: the database, what the program takes for the system's temporary folder, the streams.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::random::Random;

/// The folder; it is removed when this is dropped.
#[derive(Debug)]
pub struct Workplace {
    root: PathBuf,
}

impl Workplace {
    /// Makes one below the system's folder for temporary files.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn new() -> io::Result<Self> {
        let name = format!("landfall-scenario-{}-{:09}", std::process::id(), Random::draw_seed());
        let root = std::env::temp_dir().join(name);
        let workplace = Self { root };
        for folder in [workplace.database_folder(), workplace.temporary(), workplace.streams()] {
            fs::create_dir_all(folder)?;
        }
        Ok(workplace)
    }

    /// The database's folder. After an orderly stop there is nothing but the database in it.
    pub fn database_folder(&self) -> PathBuf {
        self.root.join("database")
    }

    /// The database file.
    pub fn database(&self) -> PathBuf {
        self.database_folder().join("relay.db")
    }

    /// What the program has for `TMPDIR`. After its end there is nothing in it.
    pub fn temporary(&self) -> PathBuf {
        self.root.join("temporary")
    }

    /// Where the programs' streams go.
    pub fn streams(&self) -> PathBuf {
        self.root.join("streams")
    }

    /// All of it.
    pub fn root(&self) -> &Path {
        &self.root
    }
}

impl Drop for Workplace {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.root) {
            eprintln!("{} is left: {error}", self.root.display());
        }
    }
}
