//! Operations whose caller gives up.

use std::error::Error;
use std::pin::pin;
use std::sync::{Arc, Barrier};
use std::time::Duration;

use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;
use futures_util::poll;
use landfall_diesel_adapter::{RunError, Unusable};
use landfall_lifecycle::{Shutdown, TaskSet, Terminate};
use landfall_pool::ClaimError;
use tokio::sync::oneshot;

use crate::harness::{File, assert_clean, count_for_ever, end, endless, long, on_both, one, plain, until};

/// The connection is interrupted, closed and replaced; who comes next waits for that and not for the query.
#[test]
fn an_endless_query_that_is_given_up_frees_its_slot() {
    on_both(|| async {
        let file = File::new();
        let pool = file.pool(1).build().unwrap();
        let mut connection = pool.claim().await.unwrap();
        let (begun, has_begun) = oneshot::channel();
        {
            let mut runs = pin!(connection.run(endless(begun)));
            assert!(poll!(&mut runs).is_pending());
            has_begun.await.unwrap();
        }
        let refused = connection.run(one).await;
        assert!(matches!(refused, Err(RunError::Unusable { why: Unusable::Abandoned, .. })), "{refused:?}");
        drop(connection);
        assert_eq!(pool.claim().await.unwrap().run(one).await.unwrap(), 1);
        assert_eq!(pool.pool().stats().totals.discarded, 1);
        end(&pool).await;
    });
}

#[test]
fn a_closure_of_many_short_statements_is_interrupted_too() {
    on_both(|| async {
        let file = File::new();
        let pool = file.pool(1).build().unwrap();
        let mut connection = pool.claim().await.unwrap();
        let (begun, has_begun) = oneshot::channel();
        let mut begun = Some(begun);
        {
            let mut runs = pin!(connection.run(move |connection| -> QueryResult<()> {
                loop {
                    one(connection)?;
                    if let Some(begun) = begun.take() {
                        begun.send(()).unwrap();
                    }
                }
            }));
            assert!(poll!(&mut runs).is_pending());
            has_begun.await.unwrap();
        }
        drop(connection);
        assert_eq!(pool.claim().await.unwrap().run(one).await.unwrap(), 1);
        end(&pool).await;
    });
}

/// Another connection has the lock, and the wait for it would take an hour.
#[test]
fn a_wait_for_a_lock_is_interrupted() {
    on_both(|| async {
        let file = File::new();
        let hour = Duration::from_secs(3_600);
        let pool = file.pool(2).busy_timeout(hour).build().unwrap();
        let mut writer = pool.claim().await.unwrap();
        let (locked, is_locked) = oneshot::channel();
        let written = Arc::new(Barrier::new(2));
        let holds = Arc::clone(&written);
        let mut writes = Box::pin(async move {
            let writes = writer.run(move |connection| {
                connection.exclusive_transaction(|_| {
                    locked.send(()).unwrap();
                    holds.wait();
                    QueryResult::Ok(())
                })
            });
            writes.await.unwrap();
        });
        assert!(poll!(&mut writes).is_pending());
        is_locked.await.unwrap();

        let mut waiting = pool.claim().await.unwrap();
        let (begun, has_begun) = oneshot::channel();
        {
            let mut waits = pin!(waiting.run(move |connection: &mut SqliteConnection| {
                begun.send(()).unwrap();
                connection.immediate_transaction(|_| QueryResult::Ok(()))
            }));
            assert!(poll!(&mut waits).is_pending());
            has_begun.await.unwrap();
        }
        drop(waiting);
        // Closed while the lock is held: so it does not wait any more.
        until(|| pool.pool().slots().closing == 0).await;
        assert_eq!(pool.pool().slots().claimed, 1);
        written.wait();
        writes.await;
        end(&pool).await;
    });
}

/// What is not yet seen by the thread is taken back, and has had no effect.
#[test]
fn an_operation_that_was_never_polled_never_runs() {
    on_both(|| async {
        let file = File::new();
        let pool = file.pool(1).build().unwrap();
        let mut connection = pool.claim().await.unwrap();
        drop(connection.run(|_| -> QueryResult<()> { panic!("it ran") }));
        assert_eq!(connection.run(one).await.unwrap(), 1);
        drop(connection);
        assert_eq!(pool.pool().slots().idle, 1);
        end(&pool).await;
    });
}

/// Its thread cannot be ended. The slot is free after the limit for a close, and threads are bounded all the same.
#[test]
fn operations_that_heed_nothing_use_up_threads_and_then_connects_are_refused() {
    on_both(|| async {
        let file = File::new();
        let mut policy = plain(1);
        policy.close_timeout = Duration::from_millis(1);
        policy.offline_wait = Duration::from_millis(1);
        let pool = file.pool(1).policy(policy).threads_max(2).build().unwrap();
        let held = Arc::new(Barrier::new(3));
        for _ in 0..2 {
            let mut connection = pool.claim().await.unwrap();
            let (begun, has_begun) = oneshot::channel();
            let held = Arc::clone(&held);
            let mut runs = pin!(connection.run(move |_| -> QueryResult<()> {
                begun.send(()).unwrap();
                held.wait();
                Ok(())
            }));
            assert!(poll!(&mut runs).is_pending());
            has_begun.await.unwrap();
        }
        let refused = loop {
            // Until the close of the second was given up, its slot is in use.
            match pool.claim_within(Duration::from_secs(60)).await {
                Err(error @ ClaimError::NoneOnline { last: Some(_), .. }) => break error,
                Err(_) => {}
                Ok(_) => panic!("a third thread"),
            }
        };
        let ClaimError::NoneOnline { last: Some(last), .. } = &refused else { unreachable!() };
        let source = Error::source(last).unwrap().to_string();
        assert!(source.contains("2 threads (`threads_max`) are alive"), "{source}");
        held.wait();
        let mut connection = loop {
            // Until a thread has ended they are too many.
            if let Ok(connection) = pool.claim().await {
                break connection;
            }
        };
        assert_eq!(connection.run(one).await.unwrap(), 1);
        drop(connection);
        // Not clean if this close, too, is given up after its millisecond.
        let report = pool.terminate(&long()).await.unwrap();
        assert!(report.stragglers().next().is_none(), "\n{report}");
    });
}

/// A thread does not count any more once its connection is said to be closed.
#[test]
fn as_many_threads_as_slots_are_enough_for_connections_that_come_and_go() {
    on_both(|| async {
        let file = File::new();
        let mut policy = plain(1);
        policy.offline_wait = Duration::ZERO;
        let pool = file.pool(1).policy(policy).threads_max(1).build().unwrap();
        for _ in 0..300 {
            pool.claim().await.unwrap().discard();
        }
        end(&pool).await;
    });
}

/// Whoever gives up does so on a runtime without workers to spare, in a task that is dropped from outside.
#[test]
fn many_tasks_that_give_up_at_once_leave_every_slot_of_use() {
    on_both(|| async {
        let file = File::new();
        let pool = file.pool(4).build().unwrap();
        let tasks = TaskSet::new("users");
        for _ in 0..16 {
            let pool = pool.clone();
            let uses = async move {
                let mut connection = pool.claim().await.unwrap();
                connection.run(count_for_ever).await
            };
            tasks.spawn("user", uses).unwrap();
        }
        until(|| pool.pool().slots().claimed == 4).await;
        assert_clean(&tasks.terminate(&Shutdown::now()).await.unwrap());
        for _ in 0..4 {
            assert_eq!(pool.claim().await.unwrap().run(one).await.unwrap(), 1);
        }
        end(&pool).await;
    });
}
