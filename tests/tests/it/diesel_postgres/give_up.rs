//! Operations that are given up, and what becomes of their connections.

use std::pin::pin;
use std::time::Duration;

use diesel::result::{DatabaseErrorKind, Error};
use diesel_async::{AsyncConnection, SimpleAsyncConnection};
use futures_util::poll;
use landfall_lifecycle::{Shutdown, TaskSet, Terminate};
use tokio::time::timeout;

use super::{assert_clean, counted, discarded, end, insert, opened, pool, pool_of_orders, until_active, until_none};
use crate::server::{LONG, on_server_on_both};

const SLEEPS: &str = "SELECT pg_sleep(600)";

#[test]
fn a_query_that_is_given_up_is_cancelled_at_once_and_its_connection_replaced() {
    on_server_on_both(async |cluster, witness| {
        let pool = pool(cluster, 1);
        let mut first = pool.claim().await.expect("the server answers");
        assert!(timeout(Duration::from_millis(50), first.batch_execute(SLEEPS)).await.is_err(), "it was given up");
        // Though the handle is still held.
        until_none(witness).await;
        let refused = first.batch_execute("SELECT 1").await;
        assert!(
            matches!(&refused, Err(Error::DatabaseError(DatabaseErrorKind::ClosedConnection, said))
            if said.message().ends_with("an earlier operation was given up while it ran")),
            "{refused:?}"
        );
        drop(first);
        let mut second = pool.claim().await.expect("another one is opened");
        second.batch_execute("SELECT 1").await.expect("and it is idle");
        drop(second);
        assert_eq!(opened(&pool), 2);
        end(&pool, witness).await;
    });
}

#[test]
fn an_operation_that_was_never_polled_costs_nothing() {
    on_server_on_both(async |cluster, witness| {
        let pool = pool(cluster, 1);
        let mut handle = pool.claim().await.expect("the server answers");
        drop(handle.batch_execute(SLEEPS));
        handle.batch_execute("SELECT 1").await.expect("it is idle");
        drop(handle);
        assert_eq!(discarded(&pool), 0);
        end(&pool, witness).await;
    });
}

/// The request to cancel may be there before the query is: it is repeated.
#[test]
fn queries_that_are_given_up_right_after_their_first_poll_leave_no_session() {
    on_server_on_both(async |cluster, witness| {
        let pool = pool(cluster, 4);
        for _ in 0..40 {
            let mut handle = pool.claim().await.expect("the server answers");
            let mut sleeps = pin!(handle.batch_execute(SLEEPS));
            assert!(poll!(&mut sleeps).is_pending());
        }
        end(&pool, witness).await;
    });
}

#[test]
fn a_transaction_that_is_given_up_is_rolled_back_and_reaches_nobody() {
    on_server_on_both(async |cluster, witness| {
        let pool = pool_of_orders(cluster, 1).await;
        {
            let mut handle = pool.claim().await.expect("it is idle");
            let mut transaction = pin!(handle.transaction(async |connection| {
                insert(connection).await?;
                // No operation runs when it is given up.
                std::future::pending::<Result<(), Error>>().await
            }));
            assert!(timeout(Duration::from_millis(50), &mut transaction).await.is_err());
        }
        assert_eq!(counted(&pool).await, 0);
        assert_eq!(opened(&pool), 2);
        end(&pool, witness).await;
    });
}

#[test]
fn what_runs_when_grace_ends_is_cancelled_and_says_so() {
    on_server_on_both(async |cluster, witness| {
        let pool = pool(cluster, 2);
        let holders = TaskSet::new("holders");
        let holder = {
            let pool = pool.clone();
            async move {
                let mut handle = pool.claim().await.expect("the server answers");
                let error = handle.batch_execute(SLEEPS).await.expect_err("it is cancelled");
                let refused = handle.batch_execute("SELECT 1").await.expect_err("it is over");
                (error.to_string(), refused.to_string())
            }
        };
        let holder = holders.spawn_with_handle("holder", holder).expect("it is new");
        until_active(witness, "pg_sleep(600)", 1).await;
        let report = pool.terminate(&Shutdown::within(Duration::ZERO, LONG)).await.expect("no task of the pool calls");
        assert_eq!(witness.others().expect("it answers"), 0);
        assert_clean(&report);
        let (error, refused) = holder.await.expect("it does not panic");
        assert_eq!(error, "canceling statement due to user request");
        assert!(refused.contains("the pool's grace is over"), "{refused}");
        assert_clean(&holders.terminate(&Shutdown::within(LONG, LONG)).await.expect("not from within"));
    });
}

#[test]
fn what_the_server_ends_says_why_and_is_replaced() {
    on_server_on_both(async |cluster, witness| {
        let pool = pool(cluster, 1);
        let mut handle = pool.claim().await.expect("the server answers");
        handle.batch_execute("SET idle_in_transaction_session_timeout = '50ms'; BEGIN").await.expect("it may");
        until_none(witness).await;
        let ended = handle.batch_execute("SELECT 1").await.expect_err("it is over").to_string();
        assert!(ended.contains("idle-in-transaction timeout"), "{ended}");
        drop(handle);
        let mut handle = pool.claim().await.expect("another one is opened");
        handle.batch_execute("SET statement_timeout = '20ms'").await.expect("it may");
        let cancelled = handle.batch_execute(SLEEPS).await.expect_err("it takes too long").to_string();
        assert_eq!(cancelled, "canceling statement due to statement timeout");
        handle.batch_execute("SELECT 1").await.expect("only the statement was ended");
        drop(handle);
        end(&pool, witness).await;
    });
}

/// One that is told of its end by the answer to its query is not handed on before it has ended.
#[test]
fn sessions_that_are_killed_are_replaced() {
    on_server_on_both(async |cluster, witness| {
        let pool = pool(cluster, 4);
        let mut held = pool.claim().await.expect("the server answers");
        held.batch_execute("SELECT 1").await.expect("it is idle");
        let mut sleeps = Box::pin(held.batch_execute(SLEEPS));
        assert!(poll!(&mut sleeps).is_pending());
        futures_util::future::select(&mut sleeps, Box::pin(until_active(witness, "pg_sleep(600)", 1))).await;
        witness
            .query("select pg_terminate_backend(pid) from pg_stat_activity where query like 'SELECT pg_sleep%'")
            .expect("it may");
        let killed = sleeps.await.expect_err("the server has ended it").to_string();
        assert!(killed.contains("terminating connection due to administrator command"), "{killed}");
        drop(held);
        pool.claim().await.expect("another one is opened").batch_execute("SELECT 1").await.expect("it is idle");
        end(&pool, witness).await;
    });
}
