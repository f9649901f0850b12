//! Runtimes that go while connections are used: in each way, on both flavours.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use landfall_diesel_adapter::RunError;
use landfall_lifecycle::{Shutdown, TaskSet};
use landfall_pool::ClaimError;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

use crate::harness::{
    File, SqlitePool, Watchdog, assert_clean, current_thread, endless, long, multi_thread, one, until,
};

/// The three ways in which a runtime goes.
const WAYS: [fn(Runtime); 3] =
    [drop, |runtime| runtime.shutdown_timeout(Duration::from_millis(100)), Runtime::shutdown_background];

/// Counts those that are dropped by a panic.
struct Witness(Arc<AtomicUsize>);

impl Drop for Witness {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Asks its connection whether it works until it does not; `up` counts those whose connection has answered once.
async fn pings(pool: SqlitePool, up: Arc<AtomicUsize>, _witness: Witness) {
    let mut connection = pool.claim().await.unwrap();
    connection.run(one).await.unwrap();
    up.fetch_add(1, Ordering::Relaxed);
    let last = loop {
        if let Err(error) = connection.run(one).await {
            break error;
        }
    };
    assert!(matches!(last, RunError::Interrupted { .. } | RunError::Unusable { .. }), "{last:?}");
}

/// The way of async-bb8-diesel's panic: eight loops that ask their connection whether it works, and the runtime goes.
#[test]
fn no_ping_panics_in_three_hundred_runtimes_that_end_in_each_way() {
    let _watched = Watchdog::new();
    let panics = Arc::new(AtomicUsize::new(0));
    let file = File::new();
    for round in 0..300 {
        let runtime = if round % 2 == 0 { multi_thread() } else { current_thread() };
        let (pool, users) = runtime.block_on(async {
            let pool = file.pool(8).build().unwrap();
            let users = TaskSet::new("users");
            let up = Arc::new(AtomicUsize::new(0));
            for _ in 0..8 {
                let (pool, up, witness) = (pool.clone(), Arc::clone(&up), Witness(Arc::clone(&panics)));
                users.spawn("user", pings(pool, up, witness)).unwrap();
            }
            until(|| up.load(Ordering::Relaxed) == 8).await;
            (pool, users)
        });
        WAYS[round % 3](runtime);
        assert_clean(&pool.pool().terminate_blocking(&long()).unwrap());
        assert!(users.terminate_blocking(&Shutdown::now()).unwrap().panics().next().is_none());
    }
    assert_eq!(panics.load(Ordering::Relaxed), 0);
}

/// The runtime does not wait for the query, and nothing of it is left.
#[test]
fn a_query_in_flight_ends_with_its_runtime() {
    let _watched = Watchdog::new();
    for (flavour, way) in [current_thread, multi_thread].iter().flat_map(|flavour| WAYS.map(|way| (flavour, way))) {
        let file = File::new();
        let runtime = flavour();
        let (pool, users) = runtime.block_on(async {
            let pool = file.pool(1).build().unwrap();
            let users = TaskSet::new("users");
            let (begun, has_begun) = oneshot::channel();
            let uses = {
                let pool = pool.clone();
                async move { pool.claim().await.unwrap().run(endless(begun)).await }
            };
            users.spawn("user", uses).unwrap();
            has_begun.await.unwrap();
            (pool, users)
        });
        way(runtime);
        assert_clean(&pool.pool().terminate_blocking(&long()).unwrap());
        drop(users.terminate_blocking(&Shutdown::now()).unwrap());
    }
}

/// The connection's thread is no runtime's: it serves whoever polls.
#[test]
fn a_held_connection_serves_on_after_its_runtime_and_claims_say_that_it_has_gone() {
    let _watched = Watchdog::new();
    let file = File::new();
    let runtime = multi_thread();
    let (pool, mut held): (SqlitePool, _) = runtime.block_on(async {
        let pool = file.pool(1).build().unwrap();
        let held = pool.claim().await.unwrap();
        (pool, held)
    });
    drop(runtime);
    current_thread().block_on(async {
        assert_eq!(held.run(one).await.unwrap(), 1);
        assert!(matches!(pool.claim().await, Err(ClaimError::RuntimeGone { .. })));
    });
    let failed = current_thread().block_on(held.run(|_| Err::<(), _>("planned")));
    assert!(matches!(failed, Err(RunError::Failed("planned"))));
    drop(held);
    assert_clean(&pool.pool().terminate_blocking(&long()).unwrap());
}
