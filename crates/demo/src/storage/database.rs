//! The file of events: opened for one relay alone, and changed in transactions.

use std::path::Path;
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::dsl::count_star;
use diesel::prelude::*;
use diesel::result::Error;
use diesel::sqlite::SqliteConnection;

use super::open_error::OpenError;
use super::schema::{self, Kind, events};
use super::transaction::Transaction;
use crate::event::{Counts, State};

/// The limits that the database keeps by itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// How long another process may hold the file before opening it fails.
    pub(crate) lock_wait: Duration,
    pub(crate) backlog_max: u64,
    pub(crate) delivered_max: u64,
    pub(crate) dead_max: u64,
}

/// What the status line shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    /// How many events are in which state.
    pub(crate) counts: Counts,
    /// Transactions since the start.
    pub(crate) commits: u64,
}

/// The open file. It belongs to one thread, which alone reads and writes it.
pub(crate) struct Database {
    connection: SqliteConnection,
    /// Marks the leases of this run of the program.
    instance: String,
    counts: Counts,
    limits: Limits,
    commits: u64,
}

impl Database {
    /// Opens or makes the file, takes it for this process alone, and frees the leases that an earlier one left.
    pub(crate) fn open(path: &Path, instance: String, limits: Limits) -> Result<Self, OpenError> {
        create_private(path);
        Self::open_address(&address(path), path, instance, limits)
    }

    /// As `open`, with a URI: how tests open a file read-only, whoever they run as.
    pub(super) fn open_address(
        address: &str,
        path: &Path,
        instance: String,
        limits: Limits,
    ) -> Result<Self, OpenError> {
        let fail = |error: Error| OpenError::new(path, error.into());
        // On a connection of its own: what is set below would already change a file that is not ours.
        let kind = connect(address, path, limits)?.immediate_transaction(schema::migrate).map_err(fail)?;
        match kind {
            Kind::Relay => {}
            Kind::Foreign => return Err(OpenError::Foreign { path: path.to_owned() }),
            Kind::Newer { found } => {
                return Err(OpenError::Newer { path: path.to_owned(), found, known: schema::version() });
            }
        }
        let mut connection = connect(address, path, limits)?;
        // FULL: a commit is on the disk before the client is told. EXCLUSIVE, and before the first access: one relay a
        // file, which makes freeing all leases at start right, and WAL needs no shared memory.
        connection
            .batch_execute("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL")
            .map_err(fail)?;
        let mut database = Self { connection, instance, counts: Counts::default(), limits, commits: 0 };
        let freed = database.free_leases().map_err(fail)?;
        if freed > 0 {
            tracing::info!(freed, "leases of an earlier run freed");
        }
        database.count().map_err(fail)?;
        Ok(database)
    }

    pub(crate) fn progress(&self) -> Progress {
        Progress { counts: self.counts, commits: self.commits }
    }

    /// Runs `work` in one transaction: all of it is on the disk when this returns, or none.
    pub(crate) fn transaction<T>(
        &mut self,
        work: impl FnOnce(&mut Transaction<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let (instance, limits, mut counts) = (&self.instance, self.limits, self.counts);
        let value = self.connection.immediate_transaction(|connection| {
            let mut transaction = Transaction { connection, instance, limits, counts: &mut counts };
            let value = work(&mut transaction)?;
            transaction.forget()?;
            Ok::<_, Error>(value)
        })?;
        self.counts = counts;
        self.commits += 1;
        Ok(value)
    }

    /// Gives back every lease, whoever holds it.
    fn free_leases(&mut self) -> Result<usize, Error> {
        diesel::update(events::table.filter(events::state.eq(State::Leased.word())))
            .set((events::state.eq(State::Waiting.word()), events::lease.eq(None::<String>)))
            .execute(&mut self.connection)
    }

    fn count(&mut self) -> Result<(), Error> {
        let rows: Vec<(String, i64)> =
            events::table.group_by(events::state).select((events::state, count_star())).load(&mut self.connection)?;
        self.counts = Counts::default();
        for (state, count) in rows {
            if let Some(state) = State::from_word(&state) {
                *self.counts.of(state) = u64::try_from(count).unwrap_or(0);
            }
        }
        Ok(())
    }

    /// Gives back what is still leased, writes the log into the file, and closes it.
    pub(crate) fn close(mut self) -> Result<(), Error> {
        self.free_leases()?;
        self.connection.batch_execute("PRAGMA wal_checkpoint(TRUNCATE)")
    }
}

fn connect(address: &str, path: &Path, limits: Limits) -> Result<SqliteConnection, OpenError> {
    let mut connection = SqliteConnection::establish(address).map_err(|error| OpenError::new(path, error.into()))?;
    let wait = format!("PRAGMA busy_timeout = {}", limits.lock_wait.as_millis());
    connection.batch_execute(&wait).map_err(|error| OpenError::new(path, error.into()))?;
    Ok(connection)
}

/// Diesel takes texts that begin in certain ways for more than a path.
fn address(path: &Path) -> String {
    let text = path.to_string_lossy();
    if text.starts_with("file:") || text.starts_with("sqlite:") { format!("./{text}") } else { text.into_owned() }
}

/// Makes the file readable by its owner only, if it is not there yet; SQLite gives its log the same mode.
fn create_private(path: &Path) {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    // Whatever is wrong with the path, SQLite says it next.
    drop(options.open(path));
}
