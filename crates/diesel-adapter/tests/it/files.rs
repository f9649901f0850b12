//! What is wrong with a file of SQLite is an error of the operation, and costs nobody else anything.

use std::sync::{Arc, Barrier};
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::result::Error;
use diesel::sql_types::BigInt;
use diesel::sqlite::SqliteConnection;
use futures_util::future::join_all;
use futures_util::join;
use landfall_diesel_adapter::{DieselPool, RunError};
use tokio::sync::oneshot;

use crate::harness::{File, end, on_both, one, plain};

const TABLE: &str = "CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, text TEXT NOT NULL)";
const INSERT: &str = "INSERT INTO orders (text) VALUES ('x')";

fn count(connection: &mut SqliteConnection) -> QueryResult<i64> {
    diesel::dsl::sql::<BigInt>("SELECT count(*) FROM orders").get_result(connection)
}

#[track_caller]
fn assert_says<T: std::fmt::Debug>(result: Result<T, RunError<Error>>, message: &str) {
    match result {
        Err(RunError::Failed(Error::DatabaseError(_, found))) if found.message().contains(message) => {}
        other => panic!("{message:?} is not what it says: {other:?}"),
    }
}

/// The one that waits long enough gets the lock, the one that does not wait says that it is locked.
#[test]
fn a_lock_that_another_has_is_waited_for_as_long_as_it_is_said() {
    on_both(|| async {
        let file = File::new();
        let patient = file.pool(2).on_open(|connection| connection.batch_execute(TABLE)).build().unwrap();
        let hasty = file.pool(1).busy_timeout(Duration::ZERO).build().unwrap();
        // Both are set up before one of them has the lock.
        drop((patient.claim().await.unwrap(), patient.claim().await.unwrap()));
        let (locked, is_locked) = oneshot::channel();
        let done = Arc::new(Barrier::new(2));
        let holds = Arc::clone(&done);
        let write = move |connection: &mut SqliteConnection| {
            connection.exclusive_transaction(|connection| {
                locked.send(()).unwrap();
                holds.wait();
                connection.batch_execute(INSERT)
            })
        };
        let writes = async { patient.claim().await.unwrap().run(write).await.unwrap() };
        let (begun, has_begun) = oneshot::channel();
        let wait = move |connection: &mut SqliteConnection| {
            begun.send(()).unwrap();
            connection.immediate_transaction(count)
        };
        let waits = async {
            is_locked.await.unwrap();
            assert_says(hasty.claim().await.unwrap().run(count).await, "database is locked");
            assert_eq!(patient.claim().await.unwrap().run(wait).await.unwrap(), 1);
        };
        let lets_go = async {
            has_begun.await.unwrap();
            done.wait();
        };
        join!(writes, waits, lets_go);
        end(&patient).await;
        end(&hasty).await;
    });
}

#[test]
fn several_writers_share_a_file_with_a_log() {
    const WRITERS: i64 = 8;
    const EACH: i64 = 25;
    on_both(|| async {
        let file = File::new();
        let set_up = |connection: &mut SqliteConnection| {
            connection.batch_execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL")?;
            connection.batch_execute(TABLE)
        };
        // However slow the machine is, each gets its turn.
        let pool = file.pool(4).busy_timeout(Duration::from_secs(3_600)).on_open(set_up).build().unwrap();
        let write = async || {
            for _ in 0..EACH {
                let mut connection = pool.claim().await.unwrap();
                let insert = |connection: &mut SqliteConnection| {
                    connection.immediate_transaction(|connection| connection.batch_execute(INSERT))
                };
                connection.run(insert).await.unwrap();
            }
        };
        join_all((0..WRITERS).map(|_| write())).await;
        assert_eq!(pool.claim().await.unwrap().run(count).await.unwrap(), WRITERS * EACH);
        end(&pool).await;
    });
}

#[test]
fn a_file_opened_for_reading_refuses_to_be_changed() {
    on_both(|| async {
        let file = File::new();
        let writes = file.pool(1).on_open(|connection| connection.batch_execute(TABLE)).build().unwrap();
        assert_eq!(writes.claim().await.unwrap().run(count).await.unwrap(), 0);
        end(&writes).await;
        let address = format!("file:{}?mode=ro", file.address());
        let reads = DieselPool::sqlite(address).policy(plain(1)).build().unwrap();
        let mut connection = reads.claim().await.unwrap();
        assert_says(connection.run(|connection| connection.batch_execute(INSERT)).await, "readonly database");
        assert_eq!(connection.run(count).await.unwrap(), 0);
        drop(connection);
        end(&reads).await;
    });
}

#[test]
fn a_file_that_is_no_database_is_said_by_the_first_operation() {
    on_both(|| async {
        let file = File::new();
        std::fs::write(file.path(), [b'x'; 4_096]).unwrap();
        let pool = file.pool(1).build().unwrap();
        let mut connection = pool.claim().await.unwrap();
        assert_says(connection.run(count).await, "not a database");
        drop(connection);
        end(&pool).await;
    });
}

/// The file is cut off in the midst of a table.
#[test]
fn a_damaged_file_is_said_and_the_connection_goes_on() {
    on_both(|| async {
        let file = File::new();
        let fill = |connection: &mut SqliteConnection| {
            connection.batch_execute(TABLE)?;
            (0..200).try_for_each(|_| connection.batch_execute("INSERT INTO orders (text) VALUES (hex(zeroblob(500)))"))
        };
        let pool = file.pool(1).build().unwrap();
        pool.claim().await.unwrap().run(fill).await.unwrap();
        end(&pool).await;
        let bytes = std::fs::read(file.path()).unwrap();
        let damaged: Vec<u8> =
            bytes.iter().enumerate().map(|(at, byte)| if at < 8_192 { *byte } else { 0xff }).collect();
        std::fs::write(file.path(), damaged).unwrap();
        let pool = file.pool(1).build().unwrap();
        let mut connection = pool.claim().await.unwrap();
        let read = |connection: &mut SqliteConnection| {
            diesel::dsl::sql::<BigInt>("SELECT sum(length(text)) FROM orders").get_result::<i64>(connection)
        };
        assert_says(connection.run(read).await, "malformed");
        assert_eq!(connection.run(one).await.unwrap(), 1);
        drop(connection);
        end(&pool).await;
    });
}

/// SQLite's own limit; the file system's is tried where one can be mounted.
#[test]
fn a_full_database_refuses_what_does_not_fit_and_keeps_the_rest() {
    on_both(|| async {
        let file = File::new();
        let set_up = |connection: &mut SqliteConnection| {
            connection.batch_execute(TABLE)?;
            connection.batch_execute("PRAGMA max_page_count = 16")
        };
        let pool = file.pool(1).on_open(set_up).build().unwrap();
        let mut connection = pool.claim().await.unwrap();
        let fill = |connection: &mut SqliteConnection| -> QueryResult<()> {
            loop {
                connection.batch_execute("INSERT INTO orders (text) VALUES (hex(zeroblob(500)))")?;
            }
        };
        assert_says(connection.run(fill).await, "full");
        let kept = connection.run(count).await.unwrap();
        assert!(kept > 0);
        connection.run(|connection| connection.batch_execute("DELETE FROM orders")).await.unwrap();
        connection.run(|connection| connection.batch_execute(INSERT)).await.unwrap();
        assert_eq!(connection.run(count).await.unwrap(), 1);
        drop(connection);
        end(&pool).await;
    });
}
