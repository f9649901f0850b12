//! Transactions: what becomes of them, and when they are tried again.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use diesel::result::{DatabaseErrorKind, Error};
use diesel_async::SimpleAsyncConnection;
use futures_util::FutureExt;
use landfall_diesel_adapter::{Isolation, PgConnection, Retry, RunError, TransactionError};
use landfall_lifecycle::{Shutdown, TaskSet, Terminate};
use tokio::sync::Barrier;

use super::{PgPool, assert_clean, count, counted, discarded, end, insert, pool_of_orders, until_active};
use crate::server::{LONG, on_server_on_both};

/// An error of the user's own, below which Diesel's is.
#[derive(Debug, thiserror::Error)]
#[error("the order failed")]
struct OrderError(#[from] Error);

#[test]
fn it_is_committed_when_its_body_is_well_and_rolled_back_when_not() {
    on_server_on_both(async |cluster, witness| {
        let pool = pool_of_orders(cluster, 1).await;
        let committed = pool.transaction(Retry::serializable(), async |connection| {
            insert(connection).await?;
            count(connection).await
        });
        assert_eq!(committed.await.expect("it is committed"), 1);
        let failed = pool.transaction(Retry::serializable(), async |connection| {
            insert(connection).await?;
            Err::<(), _>(Error::NotFound)
        });
        let failed = failed.await;
        assert!(matches!(failed, Err(TransactionError::Run(RunError::Failed(Error::NotFound)))), "{failed:?}");
        assert_eq!(counted(&pool).await, 1);
        assert_eq!(discarded(&pool), 0);
        end(&pool, witness).await;
    });
}

/// PostgreSQL would say ROLLBACK to the commit, and diesel-async Ok.
#[test]
fn one_that_the_server_has_given_up_is_not_taken_for_committed() {
    on_server_on_both(async |cluster, witness| {
        let pool = pool_of_orders(cluster, 1).await;
        let swallows = pool.transaction(Retry::serializable(), async |connection| {
            insert(connection).await?;
            assert!(connection.batch_execute("SELECT nothing").await.is_err());
            Ok::<_, Error>(())
        });
        let failed = swallows.await.expect_err("nothing of it is kept").to_string();
        assert!(failed.contains("current transaction is aborted"), "{failed}");
        assert_eq!(counted(&pool).await, 0);
        let saved = pool.transaction(Retry::serializable(), async |connection| {
            insert(connection).await?;
            connection.batch_execute("SAVEPOINT before").await?;
            assert!(connection.batch_execute("SELECT nothing").await.is_err());
            connection.batch_execute("ROLLBACK TO before").await
        });
        saved.await.expect("it went on from before");
        assert_eq!(counted(&pool).await, 1);
        assert_eq!(discarded(&pool), 0);
        end(&pool, witness).await;
    });
}

/// Each of two adds what it has counted: one of them has to see the other's.
#[test]
fn transactions_that_meet_are_tried_again() {
    on_server_on_both(async |cluster, witness| {
        let pool = pool_of_orders(cluster, 2).await;
        let (both, attempts) = (Barrier::new(2), AtomicU32::new(0));
        let add = async || {
            let adds = pool.transaction(Retry::serializable(), async |connection| {
                let seen = count(connection).await?;
                if attempts.fetch_add(1, Ordering::Relaxed) < 2 {
                    both.wait().await;
                }
                insert(connection).await?;
                Ok::<_, OrderError>(seen)
            });
            adds.await.expect("one after the other")
        };
        let (mut one, mut other) = futures_util::join!(add(), add());
        if other < one {
            std::mem::swap(&mut one, &mut other);
        }
        assert_eq!((one, other), (0, 1));
        assert!(attempts.load(Ordering::Relaxed) > 2);
        assert_eq!(counted(&pool).await, 2);
        end(&pool, witness).await;
    });
}

#[test]
fn deadlocks_are_tried_again() {
    on_server_on_both(async |cluster, witness| {
        let pool = pool_of_orders(cluster, 2).await;
        let fill = "SET deadlock_timeout = '10ms'; INSERT INTO orders (item) VALUES ('tea'), ('milk')";
        pool.claim().await.expect("it is idle").batch_execute(fill).await.expect("it may");
        let (both, attempts) = (Barrier::new(2), AtomicU32::new(0));
        let mut retry = Retry::serializable();
        retry.isolation = Isolation::ReadCommitted;
        let update = async |first: i32, second: i32| {
            let updates = pool.transaction(retry.clone(), async |connection: &mut PgConnection| {
                connection.batch_execute(&format!("UPDATE orders SET item = 'x' WHERE id = {first}")).await?;
                if attempts.fetch_add(1, Ordering::Relaxed) < 2 {
                    both.wait().await;
                }
                connection.batch_execute(&format!("UPDATE orders SET item = 'y' WHERE id = {second}")).await
            });
            updates.await.expect("one after the other");
        };
        futures_util::join!(update(1, 2), update(2, 1));
        assert_eq!(attempts.load(Ordering::Relaxed), 3);
        end(&pool, witness).await;
    });
}

#[test]
fn what_never_goes_well_is_said_with_how_often_it_was_tried() {
    on_server_on_both(async |cluster, witness| {
        let pool = pool_of_orders(cluster, 1).await;
        let mut retry = Retry::serializable();
        (retry.name, retry.attempts_max) = ("orders".into(), 4);
        let attempts = AtomicU32::new(0);
        let never = pool.transaction(retry.clone(), async |_| {
            attempts.fetch_add(1, Ordering::Relaxed);
            let kind = DatabaseErrorKind::SerializationFailure;
            Err::<(), _>(Error::DatabaseError(kind, Box::new("planned".to_owned())))
        });
        let exhausted = never.await.expect_err("it never does").to_string();
        assert_eq!(exhausted, "transaction \"orders\" failed in each of 4 attempts (`attempts_max`)");
        assert_eq!(attempts.load(Ordering::Relaxed), 4);
        retry.attempts_max = 0;
        let refused = pool.transaction(retry, async |_| Ok::<_, Error>(())).await;
        assert!(matches!(refused, Err(TransactionError::Retry(_))), "{refused:?}");
        end(&pool, witness).await;
    });
}

#[test]
fn one_that_only_reads_cannot_write() {
    on_server_on_both(async |cluster, witness| {
        let pool = pool_of_orders(cluster, 1).await;
        let refused = pool.transaction(Retry::read_only(), insert).await.expect_err("it writes").to_string();
        assert!(refused.contains("read-only"), "{refused}");
        assert_eq!(pool.transaction(Retry::read_only(), count).await.expect("it reads"), 0);
        pool.transaction(Retry::serializable(), insert).await.expect("the next may");
        assert_eq!(discarded(&pool), 0);
        end(&pool, witness).await;
    });
}

#[test]
fn it_is_rolled_back_when_it_panics() {
    on_server_on_both(async |cluster, witness| {
        let pool = pool_of_orders(cluster, 1).await;
        let panics = pool.transaction(Retry::serializable(), async |connection| -> Result<(), Error> {
            insert(connection).await?;
            panic!("planned")
        });
        assert!(std::panic::AssertUnwindSafe(panics).catch_unwind().await.is_err());
        assert_eq!(counted(&pool).await, 0);
        end(&pool, witness).await;
    });
}

#[test]
fn it_is_rolled_back_when_the_pool_s_grace_ends() {
    on_server_on_both(async |cluster, witness| {
        let pool = pool_of_orders(cluster, 1).await;
        let holders = TaskSet::new("holders");
        // It is sent to another task: a transaction's future is `Send`.
        holders.spawn("holder", sleeps(pool.clone())).expect("it is new");
        until_active(witness, "pg_sleep(600)", 1).await;
        let at_once = Shutdown::within(Duration::ZERO, LONG);
        assert_clean(&pool.terminate(&at_once).await.expect("no task of the pool calls"));
        assert_eq!(witness.others().expect("it answers"), 0);
        assert_eq!(witness.query("select count(*) from orders").expect("it answers"), ["0"]);
        assert_clean(&holders.terminate(&Shutdown::within(LONG, LONG)).await.expect("not from within"));
    });
}

async fn sleeps(pool: PgPool) {
    let told = String::from("SELECT pg_sleep(600)");
    let cancelled = pool.transaction(Retry::serializable(), async |connection| {
        insert(connection).await?;
        connection.batch_execute(&told).await
    });
    let cancelled = cancelled.await.expect_err("it is cancelled").to_string();
    assert_eq!(cancelled, "canceling statement due to user request");
}
