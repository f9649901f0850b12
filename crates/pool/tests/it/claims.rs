//! Claims and releases.

use landfall_pool::{ClaimError, TryClaimError, WaitedFor};
use tokio::time::Instant;

use crate::fake::{Mode, Net};
use crate::harness::{MS, SECOND, claim_all, end, paused, plain, pool, pool_of, until};

#[test]
fn a_claimed_connection_comes_back_and_is_used_again() {
    paused(|| async {
        let net = Net::default();
        let pool = pool(&net, plain(4));
        let number = pool.claim().await.unwrap().number;
        assert_eq!(pool.claim().await.unwrap().number, number);
        assert_eq!((net.made(), net.alive()), (1, 1));
        end(&pool, &net).await;
    });
}

#[test]
fn the_connection_used_last_is_claimed_first() {
    paused(|| async {
        let net = Net::default();
        let pool = pool(&net, plain(4));
        let handles = claim_all(&pool, 3).await;
        let numbers: Vec<_> = handles.iter().map(|handle| handle.number).collect();
        handles.into_iter().for_each(drop);
        let again: Vec<_> = claim_all(&pool, 3).await.iter().map(|handle| handle.number).collect();
        assert_eq!(again, numbers.into_iter().rev().collect::<Vec<_>>());
        end(&pool, &net).await;
    });
}

#[test]
fn those_who_wait_are_served_in_order_and_nobody_overtakes() {
    paused(|| async {
        let net = Net::default();
        let pool = pool(&net, plain(1));
        let held = pool.claim().await.unwrap();
        let (mut first, mut second) = (Box::pin(pool.claim()), Box::pin(pool.claim()));
        assert!(futures_util::poll!(&mut first).is_pending());
        assert!(futures_util::poll!(&mut second).is_pending());
        drop(held);
        // It is granted already, though nobody has been polled since.
        assert!(matches!(pool.try_claim(), Err(TryClaimError::NoneIdle { .. })));
        let mut newcomer = Box::pin(pool.claim());
        assert!(futures_util::poll!(&mut newcomer).is_pending());
        assert!(futures_util::poll!(&mut second).is_pending());
        drop(first.await.unwrap());
        drop(second.await.unwrap());
        drop(newcomer.await.unwrap());
        assert_eq!((net.made(), pool.stats().totals.claims_waited), (1, 4));
        end(&pool, &net).await;
    });
}

/// #3: a claim that begins to wait while a connection comes back.
#[test]
fn a_claim_times_out_at_its_deadline_and_says_what_it_waited_for() {
    paused(|| async {
        let net = Net::default();
        let mut policy = plain(2);
        policy.claim_timeout = 3 * SECOND;
        let pool = pool(&net, policy);
        let held = claim_all(&pool, 2).await;
        let began = Instant::now();
        let (limited, usual) = tokio::join!(pool.claim_within(SECOND), pool.claim());
        assert_eq!(began.elapsed(), 3 * SECOND);
        let text = usual.unwrap_err().to_string();
        assert_eq!(text, "pool \"pool\" gave no connection within 3s: all 2 claimed, 1 more waiting");
        let Err(ClaimError::TimedOut { after, waited_for, waiting, .. }) = limited else { panic!("it timed out") };
        assert_eq!((after, waited_for, waiting), (SECOND, WaitedFor::Slot { claimed: 2 }, 2));
        drop(held);
        assert_eq!(pool.stats().totals.timed_out, 2);
        end(&pool, &net).await;
    });
}

#[test]
fn a_claim_that_waits_for_a_connect_says_so() {
    paused(|| async {
        let net = Net::default();
        net.set(0, Mode::Hangs);
        let pool = pool(&net, plain(2));
        let error = pool.claim_within(100 * MS).await.unwrap_err();
        assert!(
            matches!(error, ClaimError::TimedOut { waited_for: WaitedFor::Connect { connecting: 1 }, .. }),
            "{error}"
        );
        end(&pool, &net).await;
    });
}

#[test]
fn only_so_many_claims_wait() {
    paused(|| async {
        let net = Net::default();
        let mut policy = plain(1);
        policy.waiters_max = 1;
        let pool = pool(&net, policy);
        let held = pool.claim().await.unwrap();
        let mut waits = Box::pin(pool.claim());
        assert!(futures_util::poll!(&mut waits).is_pending());
        let error = pool.claim().await.unwrap_err();
        assert_eq!(error.to_string(), "1 claims wait for pool \"pool\" already (waiters_max)");
        drop(held);
        drop(waits.await.unwrap());
        end(&pool, &net).await;
    });
}

#[test]
fn a_grant_that_is_not_taken_passes_on_and_its_claim_comes_first() {
    paused(|| async {
        let net = Net::default();
        let pool = pool(&net, plain(1));
        let held = pool.claim().await.unwrap();
        let (mut asleep, mut awake) = (Box::pin(pool.claim()), Box::pin(pool.claim()));
        assert!(futures_util::poll!(&mut asleep).is_pending());
        assert!(futures_util::poll!(&mut awake).is_pending());
        let mut third = Box::pin(pool.claim());
        assert!(futures_util::poll!(&mut third).is_pending());
        let began = Instant::now();
        drop(held);
        let held = awake.await.unwrap();
        assert!((100 * MS..=112 * MS).contains(&began.elapsed()), "{:?}", began.elapsed());
        // It looks again, and is before the one that has waited all the time.
        assert!(futures_util::poll!(&mut asleep).is_pending());
        drop(held);
        drop(asleep.await.unwrap());
        drop(third.await.unwrap());
        assert_eq!(pool.stats().totals.grants_passed_on, 1);
        end(&pool, &net).await;
    });
}

#[test]
fn try_claim_takes_what_is_idle_and_waits_for_nothing() {
    paused(|| async {
        let net = Net::default();
        let pool = pool(&net, plain(2));
        assert!(matches!(pool.try_claim(), Err(TryClaimError::NoneIdle { .. })));
        drop(pool.claim().await.unwrap());
        let held = pool.try_claim().unwrap();
        assert!(pool.try_claim().is_err());
        drop(held);
        end(&pool, &net).await;
        assert!(matches!(pool.try_claim(), Err(TryClaimError::Terminating { .. })));
    });
}

#[test]
fn a_claim_is_made_ready_by_the_pool_and_is_first_again_if_that_fails() {
    paused(|| async {
        let net = Net::default();
        net.prepare_claims();
        let pool = pool(&net, plain(1));
        let number = pool.claim().await.unwrap().number;
        assert_eq!((net.calls("on_claim"), number), (1, 1));
        net.set_hook("on_claim", Mode::Fails);
        let mut fails = Box::pin(pool.claim());
        assert!(futures_util::poll!(&mut fails).is_pending());
        until(|| net.made() == 2).await;
        net.set_hook("on_claim", Mode::Works);
        drop(fails.await.unwrap());
        // Given up while it is being prepared, it wastes no connection.
        net.set_hook("on_claim", Mode::Hangs);
        let made = net.made();
        let mut given_up = Box::pin(pool.claim());
        assert!(futures_util::poll!(&mut given_up).is_pending());
        until(|| pool.slots().checking == 1).await;
        drop(given_up);
        net.set_hook("on_claim", Mode::Works);
        until(|| pool.slots().idle == 1).await;
        assert_eq!(net.made(), made);
        end(&pool, &net).await;
    });
}

#[test]
fn what_comes_back_is_recycled_if_the_connector_wants_it() {
    paused(|| async {
        let net = Net::default();
        net.recycle_releases(true);
        let pool = pool(&net, plain(1));
        drop(pool.claim().await.unwrap());
        drop(pool.claim().await.unwrap());
        assert_eq!((net.calls("on_recycle"), net.made()), (1, 1));
        // One that hangs is given up when its time is over.
        until(|| net.calls("on_recycle") == 2 && pool.slots().idle == 1).await;
        net.set_hook("on_recycle", Mode::Hangs);
        drop(pool.claim().await.unwrap());
        let began = Instant::now();
        net.recycle_releases(false);
        drop(pool.claim().await.unwrap());
        assert_eq!((began.elapsed(), net.made()), (3 * SECOND, 2));
        end(&pool, &net).await;
    });
}

#[test]
fn broken_discarded_and_taken_out_connections_are_replaced() {
    paused(|| async {
        let net = Net::default();
        let pool = pool(&net, plain(1));
        let mut handle = pool.claim().await.unwrap();
        handle.is_broken = true;
        drop(handle);
        let mut handle = pool.claim().await.unwrap();
        assert_eq!(handle.number, 2);
        handle.mark_broken();
        drop(handle);
        pool.claim().await.unwrap().discard();
        assert_eq!((net.calls("close"), net.alive()), (2, 1));
        let mine = pool.claim().await.unwrap().take_out();
        assert_eq!((mine.number, net.calls("close")), (4, 3));
        let theirs = pool.claim().await.unwrap();
        assert_eq!((theirs.number, net.alive()), (5, 2));
        drop(theirs);
        let totals = pool.stats().totals;
        assert_eq!((totals.discarded, totals.taken_out), (3, 1));
        let report = landfall_lifecycle::Terminate::terminate(&pool, &crate::harness::long()).await.unwrap();
        crate::harness::assert_clean(&report);
        // It was taken out for good.
        assert_eq!((net.alive(), mine.number), (1, 4));
    });
}

#[test]
fn claims_spread_over_the_backends() {
    paused(|| async {
        let net = Net::default();
        let mut policy = plain(12);
        policy.slots_per_backend_max = Some(5);
        let pool = pool_of(&net, policy, 3);
        let held = claim_all(&pool, 12).await;
        let at: Vec<_> = (0..3).map(|n| net.alive_at(n)).collect();
        assert!(at.iter().all(|count| (2..=5).contains(count)), "{at:?}");
        assert!(held.iter().all(|handle| handle.place().file == file!().replace("claims", "harness")));
        drop(held);
        end(&pool, &net).await;
    });
}
