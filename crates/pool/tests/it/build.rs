//! Bad input: what is refused at build, and what a pool does with a bad connector.

use std::error::Error;
use std::net::SocketAddr;

use landfall_lifecycle::Terminate;
use landfall_pool::{Backend, BoxError, BuildError, ConnectCx, Connected, Connector, FixedResolver, Policy, Pool};

use crate::fake::{Fake, Net, backend};
use crate::harness::{MS, SECOND, end, multi_thread, on_both, paused, plain, pool, two_seconds};

fn build(policy: Policy) -> Result<Pool<Fake>, BuildError> {
    let builder = Pool::builder("pool").resolver(FixedResolver::new([backend(0)]));
    builder.connector(Net::default().connector()).policy(policy).build()
}

#[test]
fn a_policy_that_cannot_be_is_refused_with_its_field() {
    let mut policy = plain(4);
    policy.slots_min = 5;
    let error = multi_thread().block_on(async { build(policy).unwrap_err() });
    assert_eq!(error.to_string(), "pool \"pool\" cannot have this policy");
    assert_eq!(error.source().unwrap().to_string(), "policy field slots_min is 5; allowed: 0 to 4");
}

#[test]
fn a_missing_part_is_named() {
    multi_thread().block_on(async {
        let error = Pool::builder("pool").connector(Net::default().connector()).build().unwrap_err();
        assert_eq!(error.to_string(), "pool \"pool\" has no resolver: give the builder one");
        let error = Pool::<Fake>::builder("pool").resolver(FixedResolver::new([backend(0)])).build().unwrap_err();
        assert_eq!(error.to_string(), "pool \"pool\" has no connector: give the builder one");
    });
}

#[test]
fn without_a_runtime_or_its_timers_nothing_is_built() {
    assert!(matches!(build(plain(1)), Err(BuildError::NoRuntime { .. })));
    let timeless = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert!(matches!(timeless.block_on(async { build(plain(1)) }), Err(BuildError::NoRuntime { .. })));
}

/// Its own tasks are dropped before their first poll.
#[test]
fn a_pool_built_on_a_runtime_that_has_gone_says_so() {
    let _watched = crate::harness::Watchdog::new();
    for runtime in [multi_thread(), tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()] {
        let handle = runtime.handle().clone();
        drop(runtime);
        let _entered = handle.enter();
        let net = Net::default();
        let kept = std::sync::Arc::new(());
        let resolver = Kept(std::sync::Arc::clone(&kept));
        let builder = Pool::builder("pool").resolver(resolver).connector(net.connector());
        let pool = builder.policy(plain(1)).build().unwrap();
        let error = futures_executor::block_on(pool.claim()).unwrap_err();
        assert!(matches!(error, landfall_pool::ClaimError::RuntimeGone { .. }), "{error}");
        assert!(pool.terminate_blocking(&crate::harness::long()).unwrap().is_clean());
        assert_eq!(std::sync::Arc::strong_count(&kept), 1, "something of it is left");
    }
}

/// Is there for as long as its task.
struct Kept(std::sync::Arc<()>);

impl landfall_pool::Resolver for Kept {
    async fn next(&mut self) -> Option<Vec<Backend>> {
        let Self(kept) = self;
        std::future::pending::<()>().await;
        drop(std::sync::Arc::clone(kept));
        None
    }
}

#[test]
fn the_same_backend_twice_is_one() {
    paused(|| async {
        let net = Net::default();
        let resolver = FixedResolver::new([backend(0), backend(0)]);
        let builder = Pool::builder("pool").resolver(resolver).connector(net.connector());
        let pool = builder.policy(plain(1)).build().unwrap();
        drop(pool.claim().await.unwrap());
        assert_eq!(pool.stats().backends.len(), 1);
        end(&pool, &net).await;
    });
}

#[test]
fn absurd_limits_of_a_claim_are_taken_as_they_can_be() {
    paused(|| async {
        let net = Net::default();
        let pool = pool(&net, plain(1));
        let held = pool.claim_within(std::time::Duration::MAX).await.unwrap();
        assert!(pool.claim_within(std::time::Duration::ZERO).await.is_err());
        drop(held);
        end(&pool, &net).await;
    });
}

/// It answers at once and for ever with connections that are no good.
struct Useless;

impl Connector for Useless {
    type Connection = ();

    async fn connect(&self, _: &Backend, _: &ConnectCx) -> Result<Connected<()>, BoxError> {
        Ok(().into())
    }

    fn fitness(&self, (): &mut (), _: landfall_pool::Moment) -> landfall_pool::Fitness {
        landfall_pool::Fitness::Broken
    }
}

#[test]
fn a_connector_whose_connections_never_work_is_not_kept_busy() {
    paused(|| async {
        let address = SocketAddr::from(([127, 0, 0, 1], 1));
        let builder = Pool::builder("pool").resolver(FixedResolver::new([address])).connector(Useless);
        let pool = builder.policy(plain(4)).build().unwrap();
        assert!(pool.claim_within(10 * SECOND).await.is_err());
        let connects = pool.stats().backends[0].connects;
        assert!((2..=300).contains(&connects), "{connects} connects in 10 s");
        assert!(pool.terminate(&two_seconds()).await.unwrap().is_clean());
    });
}

/// Its connection's destructor blocks.
struct Blocking(std::sync::Arc<std::sync::Barrier>);

struct Blocks(std::sync::Arc<std::sync::Barrier>);

impl Drop for Blocks {
    fn drop(&mut self) {
        self.0.wait();
    }
}

impl Connector for Blocking {
    type Connection = Blocks;

    async fn connect(&self, _: &Backend, _: &ConnectCx) -> Result<Connected<Blocks>, BoxError> {
        Ok(Blocks(std::sync::Arc::clone(&self.0)).into())
    }
}

/// Only the order is asserted: the claim is refused while the destructor blocks.
#[test]
fn a_destructor_that_blocks_holds_up_nobody_but_its_own_task() {
    let _watched = crate::harness::Watchdog::new();
    multi_thread().block_on(async {
        let barrier = std::sync::Arc::new(std::sync::Barrier::new(2));
        let address = SocketAddr::from(([127, 0, 0, 1], 1));
        let connector = Blocking(std::sync::Arc::clone(&barrier));
        let builder = Pool::builder("pool").resolver(FixedResolver::new([address])).connector(connector);
        let pool = builder.policy(plain(1)).build().unwrap();
        pool.claim().await.unwrap().discard();
        crate::harness::until(|| pool.slots().closing == 1).await;
        // It counts against the cap until it is closed.
        assert!(pool.claim_within(MS).await.is_err());
        tokio::task::block_in_place(|| barrier.wait());
        let next = pool.claim().await.unwrap();
        next.take_out().0 = std::sync::Arc::new(std::sync::Barrier::new(1));
        assert!(pool.terminate(&crate::harness::long()).await.unwrap().is_clean());
    });
}

#[test]
fn a_pool_can_be_built_used_and_ended_in_a_few_lines() {
    on_both(|| async {
        let net = Net::default();
        let pool = Pool::builder("orders")
            .resolver(FixedResolver::new([backend(0)]))
            .connector(net.connector())
            .build()
            .unwrap();
        let connection = pool.claim().await.unwrap();
        assert_eq!(connection.backend(), &backend(0));
        drop(connection);
        end(&pool, &net).await;
    });
}
