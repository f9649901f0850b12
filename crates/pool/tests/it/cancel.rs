//! Every public future of the crate is dropped at every poll, spurious ones included; then under load, at random.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use landfall_lifecycle::Terminate;
use landfall_lifecycle::testing::{cancel_at_every_poll, cancel_at_every_poll_on};
use landfall_pool::Pool;

use crate::fake::{Fake, Net};
use crate::harness::{claim_all, end, long, multi_thread, on_both, plain, pool, until};

/// All capacity is there, and never was more.
pub(crate) async fn whole(pool: &Pool<Fake>, net: &Net, slots: usize) {
    assert_eq!(pool.stats().waiting, 0, "somebody who gave up is in line");
    drop(claim_all(pool, slots).await);
    until(|| pool.slots().idle == slots).await;
    let counts = pool.slots();
    assert_eq!((counts.claimed, counts.granted, counts.closing, pool.stats().waiting), (0, 0, 0, 0));
    assert!(net.alive_max() <= slots && net.alive() == slots);
}

#[test]
fn a_claim_that_has_to_connect() {
    on_both(|| async {
        let set_up = async || {
            let net = Net::default();
            (pool(&net, plain(1)), net)
        };
        cancel_at_every_poll_on(set_up, async |(pool, _): &mut (Pool<Fake>, Net)| drop(pool.claim().await.unwrap()))
            .spurious()
            .check(async |(pool, net), _| {
                whole(&pool, &net, 1).await;
                end(&pool, &net).await;
            })
            .await;
    });
}

#[test]
fn a_claim_that_waits_for_another() {
    on_both(|| async {
        let net = Net::default();
        let pool = pool(&net, plain(1));
        cancel_at_every_poll(async || {
            let held = pool.claim().await.unwrap();
            // Always in this order, so that there is a poll after which the claim has been granted and does not know.
            let (waits, ()) = futures_util::join!(pool.claim_within(crate::harness::SECOND), async {
                tokio::task::yield_now().await;
                drop(held);
            });
            drop(waits.unwrap());
        })
        .spurious()
        .check_async(async |_| whole(&pool, &net, 1).await)
        .await;
        end(&pool, &net).await;
    });
}

#[test]
fn a_claim_whose_connection_is_prepared_and_recycled() {
    on_both(|| async {
        let net = Net::default();
        net.prepare_claims();
        net.recycle_releases(true);
        let pool = pool(&net, plain(2));
        // With two workers the pool may be done with it before the claim looks.
        cancel_at_every_poll(async || drop(pool.claim().await.unwrap()))
            .spurious()
            .ready_at_once()
            .check_async(async |_| whole(&pool, &net, 2).await)
            .await;
        end(&pool, &net).await;
    });
}

#[test]
fn a_warm_up() {
    on_both(|| async {
        let set_up = async || {
            let net = Net::default();
            let mut policy = plain(3);
            policy.spares_wanted = 3;
            (pool(&net, policy), net)
        };
        cancel_at_every_poll_on(set_up, async |(pool, _): &mut (Pool<Fake>, Net)| pool.warm_up().await.unwrap())
            .spurious()
            .ready_at_once()
            .check(async |(pool, net), _| {
                whole(&pool, &net, 3).await;
                end(&pool, &net).await;
            })
            .await;
    });
}

#[test]
fn terminate_and_ended() {
    on_both(|| async {
        let set_up = async || {
            let net = Net::default();
            let pool = pool(&net, plain(2));
            drop(claim_all(&pool, 2).await);
            (pool, net)
        };
        let how = long();
        cancel_at_every_poll_on(set_up, async |(pool, _): &mut (Pool<Fake>, Net)| pool.terminate(&how).await)
            .ready_at_once()
            .check(async |(pool, net), _| end(&pool, &net).await)
            .await;
        let begun = async || {
            let (pool, net) = set_up().await;
            pool.begin_terminate(&how);
            (pool, net)
        };
        cancel_at_every_poll_on(begun, async |(pool, _): &mut (Pool<Fake>, Net)| pool.ended().await)
            .ready_at_once()
            .check(async |(pool, net), _| end(&pool, &net).await)
            .await;
    });
}

/// #1, #2, #12: 256 tasks give up at random polls, on connections that break: every permit is there afterwards, and there
/// never were more connections than may be.
#[test]
fn no_capacity_is_lost_when_256_tasks_give_up_at_random() {
    const SLOTS: usize = 8;
    let _watched = crate::harness::Watchdog::new();
    multi_thread().block_on(async {
        let net = Net::default();
        let pool = pool(&net, plain(SLOTS));
        let tasks = landfall_lifecycle::TaskSet::new("claimers");
        let served = Arc::new(AtomicUsize::new(0));
        for task in 0..256_u64 {
            let (pool, served) = (pool.clone(), Arc::clone(&served));
            let claims = async move {
                let mut random = task * 7_919 + 1;
                for _ in 0..60 {
                    random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    let mut polls = (random >> 33) % 12;
                    let mut claim = Box::pin(pool.claim());
                    let handle = std::future::poll_fn(|cx| {
                        if polls == 0 {
                            return std::task::Poll::Ready(None);
                        }
                        polls -= 1;
                        // Also polled without being woken.
                        cx.waker().wake_by_ref();
                        claim.as_mut().poll(cx).map(Some)
                    });
                    let Some(handle) = handle.await else { continue };
                    let mut handle = handle.unwrap();
                    served.fetch_add(1, Ordering::Relaxed);
                    handle.is_broken = random % 10 == 0;
                    tokio::task::yield_now().await;
                }
            };
            tasks.spawn("claimer", claims).unwrap();
        }
        until(|| tasks.is_empty()).await;
        assert!(served.load(Ordering::Relaxed) > 100);
        drop(claim_all(&pool, SLOTS).await);
        until(|| pool.slots().idle == SLOTS && pool.slots().closing == 0).await;
        assert!(net.alive_max() <= SLOTS, "{} were alive", net.alive_max());
        assert!(tasks.terminate(&long()).await.unwrap().is_clean());
        end(&pool, &net).await;
    });
}
