//! What an idle connection costs beside itself, and that a large pool lets go of all of them at once. In a binary of its
//! own: the counting allocator is the whole process's.
#![forbid(unsafe_code)]

use std::alloc::System;
use std::net::SocketAddr;
use std::time::Duration;

use landfall_lifecycle::{Shutdown, Terminate};
use landfall_pool::{Backend, BoxError, ConnectCx, Connected, Connector, FixedResolver, Policy, Pool};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const CONNECTIONS: usize = 10_000;
/// Beside the connection itself.
const BYTES_MAX: usize = 150;

struct Numbers;

impl Connector for Numbers {
    type Connection = [u64; 4];

    async fn connect(&self, _: &Backend, _: &ConnectCx) -> Result<Connected<[u64; 4]>, BoxError> {
        Ok([0; 4].into())
    }
}

#[test]
fn an_idle_connection_costs_at_most_150_bytes() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut policy = Policy::default();
        policy.slots_max = CONNECTIONS;
        let mut handles = Vec::with_capacity(CONNECTIONS);
        let region = Region::new(ALLOCATOR);
        let builder = Pool::builder("pool").resolver(FixedResolver::new([SocketAddr::from(([127, 0, 0, 1], 1))]));
        let pool = builder.connector(Numbers).policy(policy).build().unwrap();
        for _ in 0..CONNECTIONS {
            handles.push(pool.claim().await.unwrap());
        }
        handles.clear();
        let change = region.change();
        let live = change.bytes_allocated - change.bytes_deallocated;
        assert_eq!(pool.slots().idle, CONNECTIONS);
        let each = live / CONNECTIONS - size_of::<[u64; 4]>();
        assert!((8..=BYTES_MAX).contains(&each), "{each} bytes");
        let how = Shutdown::within(Duration::from_secs(50), Duration::from_secs(55));
        assert!(pool.terminate(&how).await.unwrap().is_clean());
    });
}
