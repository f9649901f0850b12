//! The tables, and how older files become newer ones.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::result::Error;
use diesel::sql_types::BigInt;
use diesel::sqlite::SqliteConnection;

/// Marks a file as a relay's: "LFre". SQLite keeps it in the header.
pub(super) const APPLICATION_ID: i32 = 0x4c46_7265;

/// Step `n` makes a file of version `n` one of version `n + 1`. Steps are never changed once released.
///
/// Times are seconds by the clock of SQLite (`unixepoch('subsec')`), so that one clock decides what is due. A due time
/// that a jump of that clock has moved makes a delivery early or late, and loses nothing.
const STEPS: &[&str] = &["\
    CREATE TABLE events (
        id       INTEGER PRIMARY KEY AUTOINCREMENT,
        target   TEXT NOT NULL,
        body     TEXT NOT NULL,
        state    TEXT NOT NULL CHECK (state IN ('waiting', 'leased', 'delivered', 'dead')),
        attempts INTEGER NOT NULL DEFAULT 0,
        accepted REAL NOT NULL DEFAULT (unixepoch('subsec')),
        due      REAL NOT NULL DEFAULT (unixepoch('subsec')),
        lease    TEXT,
        error    TEXT,
        CHECK ((state = 'leased') = (lease IS NOT NULL))
    ) STRICT;
    CREATE INDEX events_by_state ON events (state, due);
"];

diesel::table! {
    events (id) {
        id -> BigInt,
        target -> Text,
        body -> Text,
        state -> Text,
        attempts -> Integer,
        accepted -> Double,
        due -> Double,
        lease -> Nullable<Text>,
        error -> Nullable<Text>,
    }
}

#[diesel::declare_sql_function]
extern "SQL" {
    /// Seconds since 1970 by the database's clock, with a fraction if `mode` is `subsec`.
    fn unixepoch(mode: diesel::sql_types::Text) -> diesel::sql_types::Double;
}

/// What kind of file was opened.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A relay's, now of the newest version.
    Relay,
    /// A database of something else.
    Foreign,
    /// A relay's, of a version this program does not know.
    Newer { found: i64 },
}

/// The newest version.
pub(super) fn version() -> usize {
    STEPS.len()
}

/// Brings a relay's file, or an empty one, to the newest version; leaves others alone. Must be called in a transaction.
pub(super) fn migrate(connection: &mut SqliteConnection) -> Result<Kind, Error> {
    let tables = scalar(connection, "SELECT count(*) AS value FROM sqlite_schema")?;
    let application = scalar(connection, "SELECT application_id AS value FROM pragma_application_id")?;
    if application != i64::from(APPLICATION_ID) && (tables > 0 || application != 0) {
        return Ok(Kind::Foreign);
    }
    let found = scalar(connection, "SELECT user_version AS value FROM pragma_user_version")?;
    let Some(missing) = usize::try_from(found).ok().and_then(|done| STEPS.get(done..)) else {
        return Ok(Kind::Newer { found });
    };
    missing.iter().try_for_each(|step| connection.batch_execute(step))?;
    // A write even where nothing changes: it shows right at the start whether the file can be written.
    let version = version();
    connection.batch_execute(&format!("PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {version}"))?;
    Ok(Kind::Relay)
}

#[derive(QueryableByName)]
struct Scalar {
    #[diesel(sql_type = BigInt)]
    value: i64,
}

fn scalar(connection: &mut SqliteConnection, query: &str) -> Result<i64, Error> {
    diesel::sql_query(query).get_result::<Scalar>(connection).map(|row| row.value)
}
