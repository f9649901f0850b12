//! Readiness, poll by poll.

use std::time::Duration;

use landfall_lifecycle::Terminate;
use landfall_pool::ClaimError;
use landfall_pool::tower::ClaimRequest;
use tokio::time::Instant;

use super::{assert_pending, assert_ready, call, spawned};
use crate::fake::{Mode, Net};
use crate::harness::{MS, SECOND, claim_all, end, long, paused, plain, pool, until};

#[test]
fn a_value_is_ready_once_a_connection_is_granted_to_it() {
    paused(|| async {
        let net = Net::default();
        let pool = pool(&net, plain(1));
        let mut service = spawned(&pool);
        assert_pending::<_, ClaimRequest>(&mut service);
        until(|| service.is_woken()).await;
        assert_ready(&mut service);
        // It is not taken yet, and nobody else gets it.
        let counts = pool.slots();
        assert_eq!((counts.granted, counts.claimed, counts.idle), (1, 0, 0));
        assert!(pool.try_claim().is_err());
        assert_ready(&mut service);
        let handle = call(&mut service).await;
        assert_eq!((pool.slots().claimed, handle.place().file), (1, file!().replace("ready", "mod").as_str()));
        // The next call needs a slot of its own.
        assert_pending(&mut service);
        drop(handle);
        assert!(service.is_woken());
        assert_ready(&mut service);
        drop(service);
        end(&pool, &net).await;
    });
}

#[test]
fn an_idle_connection_makes_a_value_ready_at_its_first_poll_and_wakes_nobody() {
    paused(|| async {
        let net = Net::default();
        let pool = pool(&net, plain(1));
        drop(pool.claim().await.unwrap());
        let mut service = spawned(&pool);
        assert_ready(&mut service);
        assert!(!service.is_woken());
        assert_eq!(call(&mut service).await.number, 1);
        end(&pool, &net).await;
    });
}

#[test]
fn a_clone_has_nothing_granted() {
    paused(|| async {
        let net = Net::default();
        let pool = pool(&net, plain(1));
        drop(pool.claim().await.unwrap());
        let mut service = spawned(&pool);
        assert_ready(&mut service);
        let mut clone = service.clone();
        assert_pending(&mut clone);
        drop(service);
        assert!(clone.is_woken());
        assert_ready(&mut clone);
        drop(call(&mut clone).await);
        end(&pool, &net).await;
    });
}

#[test]
fn a_ready_value_that_is_dropped_gives_its_slot_to_the_next() {
    paused(|| async {
        let net = Net::default();
        let pool = pool(&net, plain(1));
        let held = pool.claim().await.unwrap();
        let (mut first, mut second, mut third) = (spawned(&pool), spawned(&pool), Box::pin(pool.claim()));
        assert_pending(&mut first);
        assert_pending(&mut second);
        assert!(futures_util::poll!(&mut third).is_pending());
        drop(held);
        assert!(first.is_woken() && !second.is_woken(), "they are in line");
        assert_ready(&mut first);
        drop(first);
        assert!(second.is_woken());
        // Also one that does not know yet that it is ready.
        drop(second);
        drop(third.await.unwrap());
        assert_eq!((net.made(), pool.stats().waiting), (1, 0));
        end(&pool, &net).await;
    });
}

#[test]
fn a_grant_that_is_taken_back_leaves_the_value_ready_and_its_call_first_in_line() {
    paused(|| async {
        let net = Net::default();
        let pool = pool(&net, plain(1));
        drop(pool.claim().await.unwrap());
        let mut service = spawned(&pool);
        assert_ready(&mut service);
        let mut waits = Box::pin(pool.claim());
        let began = Instant::now();
        let held = (&mut waits).await.unwrap();
        assert!((100 * MS..=112 * MS).contains(&began.elapsed()), "{:?}", began.elapsed());
        // Ready it stays, as tower has it, for hours, and that is no claim that timed out.
        let mut later = Box::pin(pool.claim_within(Duration::from_secs(7_200)));
        assert!(futures_util::poll!(&mut later).is_pending());
        tokio::time::sleep(Duration::from_secs(3_600)).await;
        assert_ready(&mut service);
        let mut called = Box::pin(service.call(ClaimRequest::default()));
        assert!(futures_util::poll!(&mut called).is_pending());
        drop(held);
        assert!(futures_util::poll!(&mut later).is_pending(), "the call comes first");
        drop(called.await.unwrap());
        drop(later.await.unwrap());
        let totals = pool.stats().totals;
        assert_eq!((totals.timed_out, totals.grants_passed_on), (0, 1));
        end(&pool, &net).await;
    });
}

#[test]
fn the_limit_of_a_call_begins_with_the_call() {
    paused(|| async {
        let net = Net::default();
        let pool = pool(&net, plain(1));
        let held = pool.claim().await.unwrap();
        let mut service = spawned(&pool);
        assert_pending(&mut service);
        tokio::time::sleep(20 * SECOND).await;
        // Called before it is ready it waits in the call.
        let began = Instant::now();
        let error = service.call(ClaimRequest::within(15 * SECOND)).await.unwrap_err();
        assert_eq!(began.elapsed(), 15 * SECOND);
        assert!(matches!(error, ClaimError::TimedOut { after, .. } if after == 15 * SECOND), "{error}");
        // Nor does one that was never polled panic.
        let mut fresh = spawned(&pool);
        assert!(fresh.call(ClaimRequest::within(SECOND)).await.is_err());
        drop(held);
        drop(fresh.call(ClaimRequest::default()).await.unwrap());
        end(&pool, &net).await;
    });
}

/// An error of `poll_ready` would mean to tower that the service is done with.
#[test]
fn what_keeps_a_value_from_being_ready_is_told_by_its_call() {
    paused(|| async {
        let net = Net::default();
        let mut policy = plain(1);
        policy.claim_timeout = SECOND;
        policy.offline_wait = 500 * MS;
        policy.waiters_max = 1;
        let pool = pool(&net, policy);
        let held = pool.claim().await.unwrap();
        let (mut first, mut second) = (spawned(&pool), spawned(&pool));
        assert_pending(&mut first);
        assert_ready(&mut second);
        let refused = second.call(ClaimRequest::default()).await.unwrap_err();
        assert!(matches!(refused, ClaimError::TooManyWaiting { waiting: 1, .. }), "{refused}");
        tokio::time::sleep(SECOND + MS).await;
        assert!(first.is_woken());
        assert_ready(&mut first);
        let late = first.call(ClaimRequest::default()).await.unwrap_err();
        assert!(matches!(late, ClaimError::TimedOut { .. }), "{late}");
        net.set(0, Mode::Fails);
        held.discard();
        assert_pending(&mut first);
        tokio::time::sleep(700 * MS).await;
        assert_ready(&mut first);
        let offline = first.call(ClaimRequest::default()).await.unwrap_err();
        assert!(matches!(offline, ClaimError::NoneOnline { .. }), "{offline}");
        // And then it serves again.
        net.set(0, Mode::Works);
        assert_pending(&mut first);
        tokio::time::sleep(300 * MS).await;
        assert!(first.is_woken());
        assert_ready(&mut first);
        drop(call(&mut first).await);
        drop(first);
        end(&pool, &net).await;
    });
}

#[test]
fn a_broken_connection_that_was_granted_is_replaced_within_the_call() {
    paused(|| async {
        let net = Net::default();
        let pool = pool(&net, plain(1));
        net.prepare_claims();
        drop(pool.claim().await.unwrap());
        let mut service = spawned(&pool);
        assert_ready(&mut service);
        net.set_hook("on_claim", Mode::Fails);
        let mut called = Box::pin(service.call(ClaimRequest::default()));
        assert!(futures_util::poll!(&mut called).is_pending());
        until(|| net.made() == 2).await;
        net.set_hook("on_claim", Mode::Works);
        assert_eq!(called.await.unwrap().number, net.made());
        end(&pool, &net).await;
    });
}

#[test]
fn after_terminate_every_poll_and_every_call_says_so() {
    paused(|| async {
        let net = Net::default();
        let pool = pool(&net, plain(2));
        drop(claim_all(&pool, 2).await);
        let (mut ready, mut waits, mut idle, mut called) =
            (spawned(&pool), spawned(&pool), spawned(&pool), spawned(&pool));
        assert_ready(&mut called);
        let claim = called.call(ClaimRequest::default());
        assert_ready(&mut ready);
        assert_pending(&mut waits);
        pool.begin_terminate(&long());
        assert!(waits.is_woken());
        assert!(matches!(claim.await, Err(ClaimError::Terminating { .. })));
        for service in [&mut ready, &mut waits, &mut idle] {
            for _ in 0..3 {
                let polled: std::task::Poll<Result<(), ClaimError>> = service.poll_ready();
                assert!(matches!(polled, std::task::Poll::Ready(Err(ClaimError::Terminating { .. }))));
            }
            let error = service.call(ClaimRequest::default()).await.unwrap_err();
            assert!(matches!(error, ClaimError::Terminating { .. }), "{error}");
        }
        end(&pool, &net).await;
    });
}
