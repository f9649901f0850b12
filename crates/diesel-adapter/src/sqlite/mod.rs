//! SQLite: connections whose operations can be interrupted.

mod hooks;
mod transaction;

use std::sync::Arc;
use std::time::Duration;

use diesel::sqlite::SqliteConnection;
use diesel::{Connection, ConnectionError, ConnectionResult};
use landfall_pool::Policy;

use crate::brake::Brake;
use crate::build_error::Refusal;
use crate::pool::DieselPool;
use crate::synchronous::{Open, SyncBuilder, SyncConnector};

const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

impl DieselPool<SyncConnector<SqliteConnection>> {
    /// Begins to build a pool of connections to a file of SQLite.
    ///
    /// The address is the name of a file, which is made if it is not there, or an SQLite URI: `file:orders.db?mode=ro`. A
    /// database in memory has to be one that its connections share, as `file:NAME?mode=memory&cache=shared` does; it is
    /// gone with the last of them.
    ///
    /// What runs is interrupted when it is given up, between any thousand steps of SQLite's machine and while it waits for
    /// a lock. What such a step does goes on to its end: a function of yours, a checkpoint of the log.
    pub fn sqlite(address: impl Into<String>) -> SyncBuilder<SqliteConnection> {
        SyncBuilder::new("sqlite", address.into(), Box::new(Sqlite { busy_timeout: BUSY_TIMEOUT }))
    }
}

impl SyncBuilder<SqliteConnection> {
    /// How long an operation waits for a lock that another connection has, before it fails as `database is locked`. From 0
    /// to 1 hour. Default 5 s.
    ///
    /// `PRAGMA busy_timeout` replaces it with a wait that cannot be interrupted.
    pub fn busy_timeout(mut self, busy_timeout: Duration) -> Self {
        self.opening = Box::new(Sqlite { busy_timeout });
        self
    }
}

struct Sqlite {
    busy_timeout: Duration,
}

impl Open<SqliteConnection> for Sqlite {
    fn open(&self, address: &str, brake: &Arc<Brake>) -> ConnectionResult<SqliteConnection> {
        hooks::attach(brake, self.busy_timeout);
        let connection = SqliteConnection::establish(address)?;
        if !hooks::are_installed() {
            let message = "SQLite does not let its operations be interrupted";
            return Err(ConnectionError::BadConnection(message.to_owned()));
        }
        Ok(connection)
    }

    fn is_in_transaction(&self) -> bool {
        hooks::is_in_transaction()
    }

    fn check(&self, address: &str, policy: &Policy) -> Result<(), Refusal> {
        if self.busy_timeout > Duration::from_secs(3_600) {
            let value = format!("{:?}", self.busy_timeout);
            return Err(Refusal::new("busy_timeout", value, "0 s to 1 hour"));
        }
        if is_private(address) && policy.slots_max > 1 {
            let allowed = "a file, file:NAME?mode=memory&cache=shared, or slots_max = 1";
            return Err(Refusal::new("the address", format!("{address:?}"), allowed));
        }
        Ok(())
    }
}

/// Whether each connection would have a database of its own.
fn is_private(address: &str) -> bool {
    let (path, options) = address.split_once('?').unwrap_or((address, ""));
    let path = path.strip_prefix("sqlite://").or_else(|| path.strip_prefix("file:")).unwrap_or(path);
    let has = |option| options.split('&').any(|found| found == option);
    (path.is_empty() || path == ":memory:" || has("mode=memory")) && !has("cache=shared")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_of_each_connection_s_own_is_known() {
        for private in ["", ":memory:", "file::memory:", "sqlite://:memory:", "file:x?mode=memory", "file:?mode=rwc"] {
            assert!(is_private(private), "{private:?}");
        }
        for shared in ["orders.db", "file:orders.db", "file:x?mode=memory&cache=shared", "file::memory:?cache=shared"] {
            assert!(!is_private(shared), "{shared:?}");
        }
    }
}
