//! Backends that are away for a while, and how soon they are found again.

use tokio::time::Instant;

use crate::fake::{Mode, Net};
use crate::harness::{MS, SECOND, claim_all, end, paused, plain, pool, pool_of, until};

/// An outage of two seconds with 64 claims waiting: few attempts, and soon back. So for a backend that refuses.
#[test]
fn a_backend_that_refused_is_found_again_within_100_ms() {
    paused(|| async {
        let net = Net::default();
        net.set(0, Mode::Fails);
        let mut policy = plain(16);
        policy.offline_wait = 60 * SECOND;
        let pool = pool(&net, policy);
        let claims = (0..64).map(|_| async {
            drop(pool.claim().await.unwrap());
            Instant::now()
        });
        let outage = async {
            tokio::time::sleep(2 * SECOND).await;
            let attempts = net.calls("connect");
            net.set(0, Mode::Works);
            (Instant::now(), attempts)
        };
        let (served, (back, attempts)) = tokio::join!(futures_util::future::join_all(claims), outage);
        assert!(attempts <= 100, "{attempts} attempts");
        let first = served.iter().min().unwrap().duration_since(back);
        assert!(first <= 100 * MS, "{first:?}");
        end(&pool, &net).await;
    });
}

/// A black hole, at first: no attempt is answered, not even those begun when it had gone.
#[test]
fn a_backend_that_swallowed_all_is_found_again_by_another_attempt() {
    paused(|| async {
        let net = Net::default();
        net.swallow(0);
        let mut policy = plain(16);
        policy.offline_wait = 60 * SECOND;
        let pool = pool(&net, policy);
        let claim = async {
            drop(pool.claim().await.unwrap());
            Instant::now()
        };
        let outage = async {
            tokio::time::sleep(12 * SECOND).await;
            net.set(0, Mode::Works);
            (Instant::now(), net.calls("connect"))
        };
        let (served, (back, attempts)) = tokio::join!(claim, outage);
        assert!(served.duration_since(back) <= SECOND + 100 * MS, "{:?}", served.duration_since(back));
        assert!(attempts <= 20, "{attempts}");
        end(&pool, &net).await;
    });
}

/// The same for two seconds, too short for a connect to time out, with claims that need every slot: all of them are with
/// attempts that will never be answered.
#[test]
fn attempts_that_were_swallowed_do_not_hold_up_those_that_wait() {
    paused(|| async {
        let net = Net::default();
        let pool = pool(&net, plain(16));
        let mut held = claim_all(&pool, 16).await;
        held.iter_mut().for_each(|handle| handle.is_broken = true);
        net.swallow(0);
        drop(held);
        let claims = (0..64).map(|_| async {
            let handle = pool.claim().await.unwrap();
            let served = Instant::now();
            tokio::time::sleep(10 * MS).await;
            drop(handle);
            served
        });
        let outage = async {
            let before = net.calls("connect");
            tokio::time::sleep(2 * SECOND).await;
            let attempts = net.calls("connect") - before;
            net.set(0, Mode::Works);
            (Instant::now(), attempts)
        };
        let (served, (back, attempts)) = tokio::join!(futures_util::future::join_all(claims), outage);
        assert!(attempts <= 20, "{attempts}");
        let first = served.iter().min().unwrap().duration_since(back);
        assert!(first <= SECOND + 100 * MS, "{first:?}");
        let last = served.iter().max().unwrap().duration_since(back);
        assert!(last <= first + 100 * MS, "64 claims at 16 connections, {:?} after the first", last - first);
        assert_eq!((net.alive(), net.alive_max()), (16, 16));
        end(&pool, &net).await;
    });
}

/// The pool has begun them for nobody, and they have all the room there is.
#[test]
fn attempts_that_were_swallowed_before_a_claim_came_do_not_hold_it_up() {
    paused(|| async {
        let net = Net::default();
        net.swallow(0);
        let mut policy = plain(2);
        policy.spares_wanted = 2;
        let pool = pool_of(&net, policy, 1);
        tokio::time::sleep(100 * MS).await;
        assert_eq!(pool.slots().connecting, 2);
        net.set(0, Mode::Works);
        let began = Instant::now();
        drop(pool.claim().await.unwrap());
        assert!(began.elapsed() < SECOND + 100 * MS, "{:?}", began.elapsed());
        end(&pool, &net).await;
    });
}

/// It answers in the end, and what it answers is not wasted.
#[test]
fn a_slow_backend_has_its_whole_time() {
    paused(|| async {
        let net = Net::default();
        net.set(0, Mode::Hangs);
        let pool = pool(&net, plain(4));
        let claims = (0..4).map(|_| pool.claim());
        let slow = async {
            tokio::time::sleep(4_500 * MS).await;
            net.set(0, Mode::Works);
            (Instant::now(), net.calls("connect"))
        };
        let (served, (answers, attempts)) = tokio::join!(futures_util::future::join_all(claims), slow);
        assert!(served.iter().all(Result::is_ok) && answers.elapsed() < 10 * MS, "{:?}", answers.elapsed());
        // One a second besides the four, of which three are the first ones to the end.
        assert_eq!((attempts, net.alive_max()), (4 + 4, 4));
        drop(served);
        end(&pool, &net).await;
    });
}

/// After it has swallowed some it refuses: the room that those have is for the next attempts.
#[test]
fn a_refusal_frees_the_room_of_attempts_that_were_swallowed() {
    paused(|| async {
        let net = Net::default();
        net.swallow(0);
        let mut policy = plain(4);
        policy.offline_wait = 60 * SECOND;
        let pool = pool(&net, policy);
        let claims = (0..8).map(|_| async { drop(pool.claim().await.unwrap()) });
        let outage = async {
            tokio::time::sleep(1_500 * MS).await;
            net.set(0, Mode::Fails);
            tokio::time::sleep(SECOND).await;
            net.set(0, Mode::Works);
            Instant::now()
        };
        let (_, back) = tokio::join!(futures_util::future::join_all(claims), outage);
        assert!(back.elapsed() <= 100 * MS, "{:?}", back.elapsed());
        end(&pool, &net).await;
    });
}

/// Where one connect of ten fails, two in a row do so every now and then, and meanwhile nothing is opened.
#[test]
fn two_refusals_in_a_row_cost_next_to_nothing() {
    paused(|| async {
        let net = Net::default();
        let pool = pool(&net, plain(1));
        drop(pool.claim().await.unwrap());
        net.set(0, Mode::Fails);
        pool.claim().await.unwrap().discard();
        let mut waits = Box::pin(pool.claim());
        assert!(futures_util::poll!(&mut waits).is_pending());
        until(|| pool.stats().backends[0].is_failing).await;
        net.set(0, Mode::Works);
        let began = Instant::now();
        drop(waits.await.unwrap());
        // The step of a timer is 1 ms.
        assert!(began.elapsed() <= 2 * MS, "{:?}", began.elapsed());
        end(&pool, &net).await;
    });
}
