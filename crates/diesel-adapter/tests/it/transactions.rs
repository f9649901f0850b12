//! Transactions: what becomes of them, and when they are tried again.

use std::pin::pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error};
use diesel::sql_types::BigInt;
use diesel::sqlite::SqliteConnection;
use futures_util::{join, poll};
use landfall_diesel_adapter::{Retry, RunError, TransactionError};
use landfall_lifecycle::Terminate;
use landfall_lifecycle::testing::cancel_at_every_poll;
use tokio::sync::oneshot;

use crate::harness::{File, SqlitePool, assert_clean, at_once, count_for_ever, end, on_both};

const TABLE: &str = "CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, text TEXT NOT NULL)";

fn insert(connection: &mut SqliteConnection) -> QueryResult<()> {
    diesel::sql_query("INSERT INTO orders (text) VALUES (hex(zeroblob(500)))").execute(connection).map(drop)
}

fn count(connection: &mut SqliteConnection) -> QueryResult<i64> {
    diesel::dsl::sql::<BigInt>("SELECT count(*) FROM orders").get_result(connection)
}

fn locked() -> Error {
    Error::DatabaseError(DatabaseErrorKind::Unknown, Box::new("database is locked".to_owned()))
}

fn pool(file: &File, slots_max: usize) -> SqlitePool {
    file.pool(slots_max).on_open(|connection| connection.batch_execute(TABLE)).build().unwrap()
}

async fn counted(pool: &SqlitePool) -> i64 {
    pool.claim().await.unwrap().run(count).await.unwrap()
}

#[test]
fn it_is_committed_when_its_body_is_well_and_rolled_back_when_not() {
    on_both(|| async {
        let file = File::new();
        let pool = pool(&file, 1);
        let two = |connection: &mut SqliteConnection| {
            insert(connection)?;
            insert(connection)?;
            count(connection)
        };
        assert_eq!(pool.transaction(Retry::serializable(), two).await.unwrap(), 2);
        let fails = move |connection: &mut SqliteConnection| two(connection).and(Err::<(), _>(Error::NotFound));
        let failed = pool.transaction(Retry::serializable(), fails).await;
        assert!(matches!(failed, Err(TransactionError::Run(RunError::Failed(Error::NotFound)))), "{failed:?}");
        assert_eq!(counted(&pool).await, 2);
        assert_eq!(pool.pool().stats().totals.discarded, 0);
        end(&pool).await;
    });
}

/// SQLite rolls back by itself then; Diesel's own transaction would only say that there is none to roll back.
#[test]
fn the_error_that_ended_it_is_the_one_that_is_given() {
    on_both(|| async {
        let file = File::new();
        let set_up = |connection: &mut SqliteConnection| {
            connection.batch_execute(TABLE)?;
            connection.batch_execute("PRAGMA max_page_count = 16")
        };
        let pool = file.pool(1).on_open(set_up).build().unwrap();
        let fill = |connection: &mut SqliteConnection| -> QueryResult<()> {
            loop {
                insert(connection)?;
            }
        };
        let full = pool.transaction(Retry::serializable(), fill).await.unwrap_err();
        assert!(full.to_string().contains("full"), "{full}");
        assert_eq!(counted(&pool).await, 0);
        end(&pool).await;
    });
}

/// An error of the user's own, below which Diesel's is.
#[derive(Debug, thiserror::Error)]
#[error("the order failed")]
struct OrderError(#[from] Error);

#[test]
fn it_is_tried_again_after_what_may_pass_and_after_nothing_else() {
    on_both(|| async {
        let file = File::new();
        let pool = pool(&file, 1);
        let attempts = Arc::new(AtomicU32::new(0));
        let tried = Arc::clone(&attempts);
        let third = move |connection: &mut SqliteConnection| -> Result<i64, OrderError> {
            insert(connection)?;
            if tried.fetch_add(1, Ordering::Relaxed) < 2 {
                return Err(locked().into());
            }
            Ok(count(connection)?)
        };
        assert_eq!(pool.transaction(Retry::serializable(), third).await.unwrap(), 1);
        assert_eq!(attempts.load(Ordering::Relaxed), 3);

        let mut retry = Retry::serializable();
        (retry.name, retry.attempts_max) = ("orders".into(), 4);
        let tried = Arc::clone(&attempts);
        let never = move |_: &mut SqliteConnection| -> Result<(), OrderError> {
            tried.fetch_add(1, Ordering::Relaxed);
            Err(locked().into())
        };
        let exhausted = pool.transaction(retry, never).await.unwrap_err();
        assert_eq!(exhausted.to_string(), "transaction \"orders\" failed in each of 4 attempts (`attempts_max`)");
        assert!(matches!(exhausted, TransactionError::Exhausted { attempts: 4, source: OrderError(_), .. }));
        assert_eq!(attempts.load(Ordering::Relaxed), 3 + 4);
        end(&pool).await;
    });
}

#[test]
fn a_lock_that_goes_away_is_outlasted_and_one_that_stays_is_said() {
    on_both(|| async {
        let file = File::new();
        let holder = pool(&file, 1);
        let hasty = file.pool(1).busy_timeout(Duration::ZERO).build().unwrap();
        let (locked, is_locked) = oneshot::channel();
        let done = Arc::new(Barrier::new(2));
        let holds = Arc::clone(&done);
        let mut locked = Some(locked);
        let hold = move |connection: &mut SqliteConnection| {
            locked.take().unwrap().send(()).unwrap();
            holds.wait();
            insert(connection)
        };
        let holds = async { holder.transaction(Retry::serializable(), hold).await.unwrap() };
        let tries = async {
            is_locked.await.unwrap();
            let mut retry = Retry::serializable();
            retry.attempts_max = 2;
            let stays = hasty.transaction(retry.clone(), insert).await;
            assert!(matches!(stays, Err(TransactionError::Exhausted { attempts: 2, .. })), "{stays:?}");
            // As many attempts as there may be: the lock goes after the first.
            (retry.attempts_max, retry.backoff_max) = (1_000, Duration::from_secs(1));
            let mut outlasts = pin!(hasty.transaction(retry, insert));
            assert!(poll!(&mut outlasts).is_pending());
            done.wait();
            outlasts.await.unwrap();
        };
        join!(holds, tries);
        assert_eq!(counted(&holder).await, 2);
        end(&holder).await;
        end(&hasty).await;
    });
}

#[test]
fn it_is_rolled_back_when_it_panics() {
    on_both(|| async {
        let file = File::new();
        let pool = pool(&file, 1);
        let panics = |connection: &mut SqliteConnection| -> QueryResult<()> {
            insert(connection)?;
            panic!("planned")
        };
        let panicked = pool.transaction(Retry::serializable(), panics).await;
        assert!(matches!(panicked, Err(TransactionError::Run(RunError::Panicked { .. }))), "{panicked:?}");
        assert_eq!(counted(&pool).await, 0);
        end(&pool).await;
    });
}

/// Inserts, says so, and then does not end.
fn unfinished(begun: oneshot::Sender<()>) -> impl FnMut(&mut SqliteConnection) -> QueryResult<i64> + Send {
    let mut begun = Some(begun);
    move |connection| {
        insert(connection)?;
        begun.take().unwrap().send(()).unwrap();
        count_for_ever(connection)
    }
}

#[test]
fn it_is_rolled_back_when_it_is_given_up() {
    on_both(|| async {
        let file = File::new();
        let pool = pool(&file, 1);
        let (begun, has_begun) = oneshot::channel();
        {
            let mut runs = pin!(pool.transaction(Retry::serializable(), unfinished(begun)));
            let mut has_begun = pin!(has_begun);
            let both = std::future::poll_fn(|cx| {
                assert!(runs.as_mut().poll(cx).is_pending());
                has_begun.as_mut().poll(cx)
            });
            both.await.unwrap();
        }
        assert_eq!(counted(&pool).await, 0);
        end(&pool).await;
    });
}

#[test]
fn it_is_rolled_back_when_the_pool_s_grace_ends() {
    on_both(|| async {
        let file = File::new();
        let ends = pool(&file, 1);
        let (begun, has_begun) = oneshot::channel();
        let uses = async {
            let interrupted = ends.transaction(Retry::serializable(), unfinished(begun)).await;
            assert!(matches!(interrupted, Err(TransactionError::Run(RunError::Interrupted { .. }))), "{interrupted:?}");
        };
        let terminates = async {
            has_begun.await.unwrap();
            assert_clean(&ends.terminate(&at_once()).await.unwrap());
        };
        join!(uses, terminates);
        let after = pool(&file, 1);
        assert_eq!(counted(&after).await, 0);
        end(&after).await;
    });
}

#[test]
fn one_that_only_reads_cannot_write_and_leaves_a_connection_that_can() {
    on_both(|| async {
        let file = File::new();
        let pool = pool(&file, 1);
        let refused = pool.transaction(Retry::read_only(), insert).await.unwrap_err();
        assert!(refused.to_string().contains("readonly"), "{refused}");
        assert_eq!(pool.transaction(Retry::read_only(), count).await.unwrap(), 0);
        pool.transaction(Retry::serializable(), insert).await.unwrap();
        assert_eq!(counted(&pool).await, 1);
        assert_eq!(pool.pool().stats().totals.discarded, 0);
        end(&pool).await;
    });
}

#[test]
fn retries_that_cannot_be_are_named() {
    on_both(|| async {
        let file = File::new();
        let pool = pool(&file, 1);
        let refused = async |change: fn(&mut Retry), field: &str| {
            let mut retry = Retry::serializable();
            change(&mut retry);
            match pool.transaction(retry, insert).await {
                Err(TransactionError::Retry(error)) => assert_eq!(error.field, field),
                other => panic!("{field} is let in: {other:?}"),
            }
        };
        refused(|retry| retry.attempts_max = 0, "attempts_max").await;
        refused(|retry| retry.attempts_max = 1_001, "attempts_max").await;
        refused(|retry| retry.backoff_min = Duration::from_secs(1), "backoff_min").await;
        refused(|retry| retry.backoff_max = Duration::from_secs(61), "backoff_max").await;
        assert_eq!(counted(&pool).await, 0);
        end(&pool).await;
    });
}

/// Wherever it is given up, all of it is there or nothing.
#[test]
fn a_transaction_is_dropped_at_every_poll() {
    on_both(|| async {
        let file = File::new();
        let pool = pool(&file, 1);
        let two = |connection: &mut SqliteConnection| {
            insert(connection)?;
            insert(connection)
        };
        cancel_at_every_poll(async || pool.transaction(Retry::serializable(), two).await.unwrap())
            .spurious()
            .ready_at_once()
            .check_async(async |_| assert_eq!(counted(&pool).await % 2, 0))
            .await;
        end(&pool).await;
    });
}
