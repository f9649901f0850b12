//! Pools end, and runtimes go, in the midst of what their sessions do; right after it the server has none of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use diesel_async::{AsyncConnection, SimpleAsyncConnection};
use landfall_lifecycle::{Shutdown, TaskSet, Terminate};
use landfall_pool::{Backend, ClaimError, Resolver};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

use super::{PgPool, assert_clean, builder, end, insert, pool, pool_of_orders, until_active, until_none};
use crate::server::{LONG, current_thread, multi_thread, on_server, on_server_on_both, started, until};

/// The three ways in which a runtime goes.
const WAYS: [fn(Runtime); 3] =
    [drop, |runtime| runtime.shutdown_timeout(Duration::from_millis(100)), Runtime::shutdown_background];

/// Connections that are at work when a pool ends.
const HOLDERS: usize = 20;
/// Runtimes that go with eight loops each; more by hand.
const RUNTIMES: usize = 30;

/// Row by row, so that the machine is left to others.
const COPY_TO: &str = "COPY (SELECT pg_sleep(0.01) FROM generate_series(1, 100000000)) TO PROGRAM 'cat >/dev/null'";
const COPY_FROM: &str = "COPY orders (item) FROM PROGRAM 'while sleep 0.01; do echo tea; done'";

/// What a holder is about, again and again, until its connection ends.
async fn work(pool: PgPool, number: usize, up: Arc<AtomicUsize>) {
    let mut handle = pool.claim().await.expect("there is one for each");
    up.fetch_add(1, Ordering::Relaxed);
    loop {
        let ended = match number % 4 {
            0 => handle.transaction(async |connection| insert(connection).await).await,
            1 => handle.batch_execute(COPY_TO).await,
            2 => handle.batch_execute(COPY_FROM).await,
            _ => handle.batch_execute("SELECT pg_sleep(600)").await,
        };
        if ended.is_err() {
            return;
        }
    }
}

#[test]
fn no_session_is_left_by_an_end_in_the_midst_of_transactions_and_copies() {
    on_server_on_both(async |cluster, witness| {
        let pool = pool_of_orders(cluster, HOLDERS).await;
        let (holders, up) = (TaskSet::new("holders"), Arc::new(AtomicUsize::new(0)));
        for number in 0..HOLDERS {
            holders.spawn("holder", work(pool.clone(), number, Arc::clone(&up))).expect("it is new");
        }
        while up.load(Ordering::Relaxed) < HOLDERS {
            tokio::task::yield_now().await;
        }
        let at_once = Shutdown::within(Duration::ZERO, LONG);
        let report = pool.terminate(&at_once).await.expect("no task of the pool calls");
        assert_eq!(witness.others().expect("it answers"), 0);
        assert_clean(&report);
        assert_clean(&holders.terminate(&Shutdown::within(LONG, LONG)).await.expect("not from within"));
    });
}

/// The last owner of the pool is gone, and nobody waits.
#[test]
fn a_pool_that_is_dropped_leaves_no_session() {
    on_server_on_both(async |cluster, witness| {
        let pool = pool(cluster, 2);
        let mut held = pool.claim().await.expect("the server answers");
        drop(pool);
        let refused = held.batch_execute("SELECT 1").await.expect_err("it was interrupted").to_string();
        assert!(refused.ends_with("the pool's grace is over"), "{refused}");
        drop(held);
        until_none(witness).await;
    });
}

/// Asks its connection whether it works until it does not.
async fn pings(pool: PgPool, up: Arc<AtomicUsize>) {
    let mut handle = pool.claim().await.expect("there is one for each");
    up.fetch_add(1, Ordering::Relaxed);
    while handle.batch_execute("").await.is_ok() {}
}

/// The way of async-bb8-diesel's panic: eight loops that ask their connection whether it works, and the runtime goes.
#[test]
fn no_ping_panics_when_runtimes_go_in_each_way_and_no_session_is_left() {
    let Some((cluster, mut witness)) = started() else { return };
    for round in 0..RUNTIMES {
        let runtime = if round % 2 == 0 { multi_thread() } else { current_thread() };
        let (pool, users) = runtime.block_on(async {
            let (pool, users) = (pool(&cluster, 8), TaskSet::new("users"));
            let up = Arc::new(AtomicUsize::new(0));
            for _ in 0..8 {
                users.spawn("user", pings(pool.clone(), Arc::clone(&up))).expect("it is new");
            }
            while up.load(Ordering::Relaxed) < 8 {
                tokio::task::yield_now().await;
            }
            (pool, users)
        });
        WAYS[round % 3](runtime);
        let how = Shutdown::within(LONG, LONG);
        drop(pool.pool().terminate_blocking(&how).expect("no task of the pool calls"));
        let report = users.terminate_blocking(&Shutdown::now()).expect("not from within");
        assert!(report.panics().next().is_none(), "{report}");
        // Nobody was there to say goodbye; the sockets are closed.
        until("the server notices", || witness.others().expect("it answers") == 0);
    }
}

/// Nobody cancels it; the server looks whether its client is there.
#[test]
fn a_query_in_flight_ends_soon_after_its_runtime() {
    let Some((cluster, mut witness)) = started() else { return };
    for (flavour, way) in [current_thread, multi_thread].iter().flat_map(|flavour| WAYS.map(|way| (flavour, way))) {
        let runtime = flavour();
        let (pool, users) = runtime.block_on(async {
            let (pool, users) = (pool(&cluster, 1), TaskSet::new("users"));
            let uses = {
                let pool = pool.clone();
                async move { pool.claim().await.expect("it answers").batch_execute("SELECT pg_sleep(600)").await }
            };
            users.spawn("user", uses).expect("it is new");
            until_active(&mut witness, "pg_sleep(600)", 1).await;
            (pool, users)
        });
        way(runtime);
        let refused = current_thread().block_on(async { pool.claim().await.err() });
        assert!(matches!(refused, Some(ClaimError::RuntimeGone { .. })), "{refused:?}");
        drop(pool.pool().terminate_blocking(&Shutdown::within(LONG, LONG)).expect("no task of the pool calls"));
        drop(users.terminate_blocking(&Shutdown::now()).expect("not from within"));
        until("the server notices", || witness.others().expect("it answers") == 0);
    }
}

/// What DNS or anybody else tells.
struct Told(mpsc::UnboundedReceiver<Vec<Backend>>);

impl Resolver for Told {
    async fn next(&mut self) -> Option<Vec<Backend>> {
        self.0.recv().await
    }
}

#[test]
fn a_pool_follows_its_resolver_to_another_server() {
    let Some((second, mut others)) = started() else { return };
    on_server(async |first, witness| {
        let (tell, told) = mpsc::unbounded_channel();
        let pool = builder(first, 2).resolver(Told(told)).build().expect("it is fine");
        tell.send(vec![Backend::from(first.address())]).expect("it listens");
        let before = pool.claim().await.expect("the first answers");
        tell.send(vec![Backend::from(second.address())]).expect("it listens");
        let after = async {
            loop {
                let mut handle = pool.claim().await.expect("one of them answers");
                handle.batch_execute("SELECT 1").await.expect("it works");
                if others.others().expect("it answers") > 0 {
                    return handle;
                }
            }
        };
        drop(after.await);
        // What is held is drained, and not cut.
        assert_eq!(witness.others().expect("it answers"), 1);
        drop(before);
        end(&pool, witness).await;
        assert_eq!(others.others().expect("it answers"), 0);
    });
}
