//! Faults that hurt users of other pools, and are not covered by a test elsewhere; `docs/pool-issues.md` has them all.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use landfall_pool::{Backend, ClaimError, Pool, Resolver, WaitedFor};

use crate::fake::{Fake, Mode, Net};
use crate::harness::{MS, claim_all, end, on_both, paused, plain, pool, until};

/// Looks at the pool when it is woken and when it is dropped.
struct Nosy {
    pool: Pool<Fake>,
    looks: Arc<AtomicUsize>,
}

impl Nosy {
    fn look(&self) {
        drop(self.pool.try_claim());
        drop(self.pool.stats());
        self.looks.fetch_add(1, Ordering::Relaxed);
    }
}

impl Wake for Nosy {
    fn wake(self: Arc<Self>) {
        self.look();
    }
}

impl Drop for Nosy {
    fn drop(&mut self) {
        self.look();
    }
}

/// #4: a lock taken again when a waker is woken or dropped by what happens to its claim.
#[test]
fn wakers_may_use_the_pool_themselves() {
    paused(|| async {
        let net = Net::default();
        let pool = pool(&net, plain(1));
        let looks = Arc::new(AtomicUsize::new(0));
        let waker = || Waker::from(Arc::new(Nosy { pool: pool.clone(), looks: Arc::clone(&looks) }));
        let held = pool.claim().await.unwrap();
        let mut waits = Box::pin(pool.claim());
        for _ in 0..2 {
            assert!(waits.as_mut().poll(&mut Context::from_waker(&waker())).is_pending());
        }
        drop(held);
        assert!(matches!(waits.as_mut().poll(&mut Context::from_waker(&waker())), Poll::Ready(Ok(_))));
        let held = pool.claim().await.unwrap();
        let mut cancelled = Box::pin(pool.claim());
        assert!(cancelled.as_mut().poll(&mut Context::from_waker(&waker())).is_pending());
        drop(cancelled);
        let mut ended = Box::pin(pool.claim());
        assert!(ended.as_mut().poll(&mut Context::from_waker(&waker())).is_pending());
        drop(held);
        drop(ended);
        assert!(looks.load(Ordering::Relaxed) >= 6, "{looks:?}");
        end(&pool, &net).await;
    });
}

/// #5: many connections break at once, and nobody opens others for those who wait.
#[test]
fn when_all_connections_break_at_once_all_who_wait_are_served() {
    on_both(|| async {
        let net = Net::default();
        let pool = pool(&net, plain(8));
        let mut held = claim_all(&pool, 8).await;
        let waits = futures_util::future::join_all((0..24).map(|_| async { drop(pool.claim().await.unwrap()) }));
        let breaks = async {
            tokio::task::yield_now().await;
            held.iter_mut().for_each(|handle| handle.is_broken = true);
            held.clear();
        };
        tokio::join!(waits, breaks);
        assert!(net.alive_max() <= 8);
        end(&pool, &net).await;
    });
}

/// #6: one broken connection opens more than one other, or wakes all who wait.
#[test]
fn one_broken_connection_is_replaced_by_one() {
    paused(|| async {
        let net = Net::default();
        let pool = pool(&net, plain(3));
        let mut held = claim_all(&pool, 2).await;
        assert_eq!((net.made(), net.calls("connect")), (2, 2), "a slot was free, and nobody wanted one more");
        held.pop().unwrap().discard();
        until(|| net.alive() == 1).await;
        assert_eq!((net.made(), net.calls("connect")), (2, 2), "nobody waits");
        pool.resize(2).unwrap();
        held.extend(claim_all(&pool, 1).await);
        let mut waits: Vec<_> = (0..3).map(|_| Box::pin(pool.claim())).collect();
        for claim in &mut waits {
            assert!(futures_util::poll!(claim).is_pending());
        }
        held.pop().unwrap().discard();
        drop(waits.remove(0).await.unwrap());
        assert_eq!((net.made(), net.calls("connect")), (4, 4));
        drop((held, waits));
        until(|| pool.slots().idle == 2).await;
        end(&pool, &net).await;
    });
}

/// #17, #18: a connect belongs to who asked first, and is lost or hangs others when that one gives up.
#[test]
fn a_connect_outlives_the_claim_that_asked_for_it() {
    paused(|| async {
        let net = Net::default();
        net.set(0, Mode::Hangs);
        let pool = pool(&net, plain(4));
        assert!(pool.claim_within(10 * MS).await.is_err());
        let mut dropped = Box::pin(pool.claim());
        assert!(futures_util::poll!(&mut dropped).is_pending());
        drop(dropped);
        tokio::task::yield_now().await;
        let mut next = Box::pin(pool.claim());
        assert!(futures_util::poll!(&mut next).is_pending());
        net.set(0, Mode::Works);
        assert_eq!(next.await.unwrap().number, 1);
        assert_eq!(net.calls("connect"), 1);
        end(&pool, &net).await;
    });
}

/// #25: a look-up that never comes back wedges whoever asks for its name.
#[test]
fn a_resolver_that_hangs_holds_up_nothing_but_the_first_set() {
    struct Hangs;
    impl Resolver for Hangs {
        async fn next(&mut self) -> Option<Vec<Backend>> {
            pending().await
        }
    }
    paused(|| async {
        let net = Net::default();
        let builder = Pool::builder("pool").resolver(Hangs).connector(net.connector());
        let pool = builder.policy(plain(1)).build().unwrap();
        let error = pool.claim_within(10 * MS).await.unwrap_err();
        assert!(matches!(error, ClaimError::TimedOut { waited_for: WaitedFor::Resolver, .. }), "{error}");
        end(&pool, &net).await;
    });
}
