//! A claim that finds an idle connection allocates nothing, and neither does the release. In a binary of its own: the
//! counting allocator is the whole process's.
#![forbid(unsafe_code)]

use std::alloc::System;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::future::FutureExt;
use landfall_lifecycle::{Shutdown, Terminate};
use landfall_pool::{Backend, BoxError, ConnectCx, Connected, Connector, FixedResolver, Policy, Pool};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

struct Numbers;

impl Connector for Numbers {
    type Connection = [u64; 4];

    async fn connect(&self, _: &Backend, _: &ConnectCx) -> Result<Connected<[u64; 4]>, BoxError> {
        Ok([0; 4].into())
    }
}

/// How much is allocated while `body` runs.
fn counted(body: impl FnOnce()) -> usize {
    let region = Region::new(ALLOCATOR);
    body();
    region.change().allocations
}

#[test]
fn a_hit_and_its_release_allocate_nothing() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let addresses = [1, 2, 3].map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
        let mut policy = Policy::default();
        policy.spares_wanted = 4;
        let builder = Pool::builder("pool").resolver(FixedResolver::new(addresses)).connector(Numbers);
        let pool = builder.policy(policy).build().unwrap();
        pool.warm_up().await.unwrap();
        // The spares that this claim makes the pool open are there before anything is counted.
        let held = pool.claim().await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
        drop(held);

        // That somebody listens to the events changes nothing: hits are not among them.
        let mut events = pool.events();
        let mut claims = Vec::with_capacity(1);
        let hits = counted(|| {
            for _ in 0..1_000 {
                claims.push(pool.claim().now_or_never());
                assert!(matches!(claims.pop(), Some(Some(Ok(_)))));
                drop(pool.try_claim());
            }
        });
        assert_eq!(hits, 0);
        assert!(events.recv().now_or_never().is_none());
        // The counter counts: a claim that waits leaves its waker somewhere.
        assert!(counted(|| drop(vec![0_u8; 64])) > 0);
        let how = Shutdown::within(Duration::from_secs(5), Duration::from_secs(6));
        assert!(pool.terminate(&how).await.unwrap().is_clean());
    });
}
