//! Several backends: which are used, which are left out and come back, and where connections are.

use std::collections::HashMap;
use std::time::Duration;

use futures_util::FutureExt;
use landfall_pool::{
    Backend, BackendChange, CloseReason, EjectReason, Events, Handle, Policy, Pool, PoolEvent, SlotChange, Standing,
};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

use crate::backends::{told, told_with};
use crate::fake::{Fake, Mode, Net, backend};
use crate::harness::{MS, SECOND, claim_all, end, paused, plain, pool_of, until};

fn with(slots_max: usize, change: impl FnOnce(&mut Policy)) -> Policy {
    let mut policy = plain(slots_max);
    change(&mut policy);
    policy
}

/// What became of the standing of backends, each with its number.
fn standings(events: &mut Events) -> Vec<(u16, BackendChange)> {
    let read = std::iter::from_fn(|| events.recv().now_or_never().flatten());
    let changes = read.filter_map(|event| match event.unwrap() {
        PoolEvent::Backend { backend, change } => Some((backend.address.port() - 10_000, change)),
        _ => None,
    });
    changes.collect()
}

fn standing(pool: &Pool<Fake>, number: u16) -> Standing {
    let stats = pool.stats();
    stats.backends.iter().find(|it| it.backend == backend(number)).unwrap().standing
}

/// Whether a connection is to this backend.
fn is_at(handle: &Handle<Fake>, number: u16) -> bool {
    *handle.backend() == backend(number)
}

/// Uses connections, so many at a time, of which those to these backends break; gives how many did.
async fn use_some(pool: &Pool<Fake>, times: usize, broken: &[u16]) -> usize {
    let mut failed = 0;
    for _ in 0..times {
        let held = claim_all(pool, 4).await;
        sleep(MS).await;
        for handle in held {
            if broken.iter().any(|number| is_at(&handle, *number)) {
                failed += 1;
                handle.discard();
            }
        }
    }
    failed
}

#[test]
fn a_backend_whose_uses_fail_is_ejected_and_takes_part_again_after_a_trial() {
    paused(|| async {
        let net = Net::default();
        let pool = pool_of(&net, with(8, |it| it.slots_min = 8), 4);
        drop(claim_all(&pool, 8).await);
        let mut events = pool.events();
        let failed = use_some(&pool, 50, &[0]).await;
        let ejected = standings(&mut events);
        let [(0, BackendChange::Ejected { why: EjectReason::FailuresInARow, time }), ..] = ejected[..] else {
            panic!("{ejected:?}");
        };
        assert!((500 * MS..=SECOND).contains(&time), "{time:?}");
        assert!((5..=8).contains(&failed), "{failed}");
        until(|| net.alive_at(0) == 0).await;
        // On trial it fails once more, and is left out for longer.
        sleep(time).await;
        assert_eq!((standing(&pool, 0), net.alive_at(0)), (Standing::OnTrial { passed: 0 }, 1));
        let failed_then = use_some(&pool, 50, &[0]).await;
        let again = standings(&mut events);
        let [(0, BackendChange::OnTrial), (0, BackendChange::Ejected { why: EjectReason::TrialFailed, time }), ..] =
            again[..]
        else {
            panic!("{again:?}");
        };
        assert!((SECOND..=2 * SECOND).contains(&time), "{time:?}");
        assert_eq!(failed_then, 1, "one use");
        // Then it does well.
        sleep(time).await;
        assert_eq!(use_some(&pool, 50, &[]).await, 0);
        assert_eq!(standings(&mut events), [(0, BackendChange::OnTrial), (0, BackendChange::Returned)]);
        let stats = pool.stats();
        assert_eq!((stats.totals.ejections, stats.totals.uses_failed as usize), (2, failed + 1));
        sleep(10 * SECOND).await;
        assert!(net.alive_at(0) >= 2, "it has its share again: {}", net.alive_at(0));
        end(&pool, &net).await;
    });
}

/// A connector's own check stands between a trial and those who claim.
#[test]
fn a_trial_begins_with_a_check() {
    paused(|| async {
        let net = Net::default();
        let pool = pool_of(&net, with(4, |it| it.slots_min = 4), 2);
        drop(claim_all(&pool, 4).await);
        let mut events = pool.events();
        net.set_hook("is_valid", Mode::Fails);
        let failed = use_some(&pool, 200, &[0]).await;
        sleep(20 * SECOND).await;
        let told = standings(&mut events);
        let trials = told.iter().filter(|(_, change)| *change == BackendChange::OnTrial).count();
        assert!((3..=8).contains(&trials), "{told:?}");
        let calls = net.calls("is_valid");
        assert_eq!((calls, use_some(&pool, 10, &[0]).await), (trials, 0), "{failed} failed before");
        end(&pool, &net).await;
    });
}

#[test]
fn no_more_are_ejected_than_may_be_and_never_the_last() {
    paused(|| async {
        let net = Net::default();
        let mut policy = with(8, |it| {
            it.slots_min = 8;
            it.ejected_percent_max = 100;
            it.ejection_failures = Some(3);
        });
        let every = pool_of(&net, policy.clone(), 4);
        drop(claim_all(&every, 8).await);
        use_some(&every, 100, &[0, 1, 2]).await;
        let out = |pool: &Pool<Fake>| (0..4).filter(|number| standing(pool, *number) != Standing::Full).count();
        assert_eq!(out(&every), 3);
        for _ in 0..30 {
            use_some(&every, 1, &[0, 1, 2, 3]).await;
            assert_eq!(standing(&every, 3), Standing::Full, "it is the last");
        }
        end(&every, &net).await;

        policy.ejected_percent_max = 50;
        let half = pool_of(&net, policy, 4);
        drop(claim_all(&half, 8).await);
        use_some(&half, 100, &[0, 1, 2]).await;
        assert_eq!(out(&half), 2);
        end(&half, &net).await;
    });
}

/// A holder that gives up each connection is no news of any backend.
#[test]
fn where_uses_fail_alike_everywhere_nobody_is_ejected() {
    paused(|| async {
        let net = Net::default();
        let pool = pool_of(&net, with(8, |it| it.ejection_failures = None), 4);
        for _ in 0..200 {
            for handle in claim_all(&pool, 4).await {
                handle.report_failure();
            }
        }
        assert_eq!((pool.stats().totals.ejections, pool.stats().totals.uses_failed), (0, 800));
        end(&pool, &net).await;
    });
}

/// Every other use, so that no two in a row fail.
#[test]
fn a_backend_that_fails_half_of_its_uses_is_ejected_where_its_holders_say_so() {
    paused(|| async {
        let net = Net::default();
        let pool = pool_of(&net, with(8, |it| it.slots_min = 8), 4);
        drop(claim_all(&pool, 8).await);
        let mut events = pool.events();
        let mut uses = HashMap::<u16, u32>::new();
        for _ in 0..60 {
            for handle in claim_all(&pool, 4).await {
                let uses = uses.entry(handle.backend().address.port()).or_default();
                *uses += 1;
                if is_at(&handle, 2) && uses.is_multiple_of(2) {
                    handle.report_failure();
                }
            }
        }
        let told = standings(&mut events);
        assert!(
            matches!(told[..], [(2, BackendChange::Ejected { why: EjectReason::FailureRate, .. })]),
            "{told:?} {uses:?}"
        );
        assert_eq!(pool.stats().totals.discarded, 0, "its connections were good");
        end(&pool, &net).await;
    });
}

#[test]
fn an_ejected_backend_is_taken_back_where_no_other_answers() {
    paused(|| async {
        let net = Net::default();
        let policy = with(4, |it| {
            it.slots_min = 4;
            (it.ejection_time, it.ejection_time_max) = (20 * SECOND, 20 * SECOND);
        });
        let pool = pool_of(&net, policy, 2);
        drop(claim_all(&pool, 4).await);
        use_some(&pool, 20, &[0]).await;
        assert!(matches!(standing(&pool, 0), Standing::Ejected { .. }));
        net.set(1, Mode::Fails);
        pool.evict();
        let began = Instant::now();
        assert!(is_at(&pool.claim().await.unwrap(), 0));
        assert!(began.elapsed() < 100 * MS, "{:?}", began.elapsed());
        assert_eq!(standing(&pool, 0), Standing::Full);
        end(&pool, &net).await;
    });
}

#[test]
fn connections_move_to_a_backend_that_comes_late() {
    paused(|| async {
        let net = Net::default();
        let (tell, pool) = told(&net, 8);
        tell.send(vec![backend(0)]).unwrap();
        drop(claim_all(&pool, 8).await);
        let mut events = pool.events();
        tell.send(vec![backend(0), backend(1)]).unwrap();
        sleep(10 * SECOND).await;
        assert_eq!((net.alive_at(0), net.alive_at(1), net.alive_max()), (4, 4, 8));
        assert_eq!((pool.stats().totals.moved, net.made()), (4, 12), "and no further");
        let read = std::iter::from_fn(|| events.recv().now_or_never().flatten());
        let moved = read.filter(|event| {
            matches!(event, Ok(PoolEvent::Slot { change: SlotChange::Closing(CloseReason::Rebalanced), .. }))
        });
        assert_eq!(moved.count(), 4);
        end(&pool, &net).await;
    });
}

/// Has more users than connections, and after a second another backend: half of the connections move to it.
async fn half_moves_while_all_are_used(net: &Net, tell: &mpsc::UnboundedSender<Vec<Backend>>, pool: &Pool<Fake>) {
    let ends = Instant::now() + 20 * SECOND;
    let users = (0..16).map(|_| async {
        while Instant::now() < ends {
            let handle = pool.claim().await.unwrap();
            sleep(5 * MS).await;
            drop(handle);
        }
    });
    let comes = async {
        sleep(SECOND).await;
        tell.send(vec![backend(0), backend(1)]).unwrap();
        sleep(15 * SECOND).await;
        assert_eq!((net.alive_at(0), net.alive_at(1)), (4, 4));
    };
    tokio::join!(futures_util::future::join_all(users), comes);
}

/// Also where none is ever idle: those that are out move when they come back.
#[test]
fn connections_that_are_always_out_move_when_they_come_back() {
    paused(|| async {
        let net = Net::default();
        let (tell, pool) = told(&net, 8);
        tell.send(vec![backend(0)]).unwrap();
        half_moves_while_all_are_used(&net, &tell, &pool).await;
        end(&pool, &net).await;
    });
}

/// Who keeps a connection for good keeps others from moving in no way.
#[test]
fn a_connection_that_never_comes_back_holds_up_no_other_that_has_to_move() {
    paused(|| async {
        let net = Net::default();
        let (tell, pool) = told(&net, 8);
        tell.send(vec![backend(0)]).unwrap();
        let kept = pool.claim().await.unwrap();
        half_moves_while_all_are_used(&net, &tell, &pool).await;
        drop(kept);
        end(&pool, &net).await;
    });
}

/// Of what was let go of, what is needed at once is opened at once, and not once more when it has gone.
#[test]
fn as_many_connections_as_before_are_there_when_some_have_moved() {
    paused(|| async {
        let net = Net::default();
        let (tell, pool) = told_with(&net, with(16, |it| it.slots_min = 8));
        tell.send(vec![backend(0)]).unwrap();
        pool.warm_up().await.unwrap();
        tell.send(vec![backend(0), backend(1)]).unwrap();
        sleep(20 * SECOND).await;
        assert_eq!((net.alive_at(0), net.alive_at(1)), (4, 4));
        end(&pool, &net).await;
    });
}

#[test]
fn no_more_move_than_a_small_weight_asks_for() {
    paused(|| async {
        let net = Net::default();
        let (tell, pool) = told_with(&net, with(64, |it| it.slots_min = 64));
        let heavy = backend(0).ranked(0, 31);
        tell.send(vec![heavy.clone()]).unwrap();
        pool.warm_up().await.unwrap();
        tell.send(vec![heavy, backend(1)]).unwrap();
        sleep(20 * SECOND).await;
        assert_eq!((net.alive_at(0), net.alive_at(1), pool.stats().totals.moved), (62, 2, 2));
        end(&pool, &net).await;
    });
}

/// One that is full of connections elsewhere, as long as not all of them are in use.
#[test]
fn a_backend_that_comes_back_is_found_by_a_pool_that_is_full() {
    paused(|| async {
        let net = Net::default();
        net.set(1, Mode::Fails);
        let pool = pool_of(&net, with(8, |it| it.slots_min = 8), 2);
        drop(claim_all(&pool, 8).await);
        sleep(10 * SECOND).await;
        assert!(net.alive_at(0) >= 7 && net.alive_at(1) == 0, "it is tried with one of eight");
        net.set(1, Mode::Works);
        sleep(60 * SECOND).await;
        assert_eq!((net.alive_at(0), net.alive_at(1)), (4, 4));
        end(&pool, &net).await;
    });
}

/// Uses of 1 ms each, at one backend 20 ms; gives which part of all it had in a hundredth of the time at the end.
#[test]
fn a_slow_backend_is_used_little_and_as_much_as_others_when_it_is_slow_no_more() {
    paused(|| async {
        let net = Net::default();
        let policy = with(64, |it| {
            it.slots_min = 64;
            it.rebalance_interval = None;
        });
        let pool = pool_of(&net, policy, 8);
        pool.warm_up().await.unwrap();
        let (began, slow_until) = (Instant::now(), 2 * SECOND);
        let mut uses = Vec::<(Duration, bool)>::new();
        let record = std::cell::RefCell::new(&mut uses);
        let users = (0..16).map(|_| async {
            while began.elapsed() < 4 * SECOND {
                let handle = pool.claim().await.unwrap();
                let is_slow = is_at(&handle, 0) && began.elapsed() < slow_until;
                record.borrow_mut().push((began.elapsed(), is_at(&handle, 0)));
                sleep(if is_slow { 20 * MS } else { MS }).await;
                drop(handle);
            }
        });
        futures_util::future::join_all(users).await;
        let share = |from: Duration, to: Duration| {
            let within = uses.iter().filter(|(at, _)| (from..to).contains(at));
            let (all, its) = within.fold((0, 0), |(all, its), (_, is_its)| (all + 1, its + u32::from(*is_its)));
            f64::from(its) / f64::from(all)
        };
        assert!(share(100 * MS, slow_until) < 0.01, "{}", share(100 * MS, slow_until));
        let after = share(3 * SECOND, 4 * SECOND);
        assert!((0.08..0.2).contains(&after), "{after}");
        end(&pool, &net).await;
    });
}
