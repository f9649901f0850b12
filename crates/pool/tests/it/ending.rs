//! How a pool ends.

use std::borrow::Cow;

use futures_util::future::BoxFuture;
use landfall_lifecycle::testing::{Contract, Rule, Verdict};
use landfall_lifecycle::{Report, SelfJoin, Shutdown, Terminate};
use landfall_pool::{ClaimError, Pool, TryClaimError, WarmUpError};

use crate::fake::{Fake, Mode, Net};
use crate::harness::{
    MS, SECOND, assert_clean, claim_all, end, long, multi_thread, named, on_both, paused, plain, pool, pool_of,
    two_seconds, until,
};

#[test]
fn idle_connections_are_closed_and_later_claims_refused() {
    on_both(|| async {
        let net = Net::default();
        let pool = pool(&net, plain(4));
        drop(claim_all(&pool, 4).await);
        end(&pool, &net).await;
        assert_eq!(net.calls("close"), 4);
        assert!(matches!(pool.claim().await, Err(ClaimError::Terminating { .. })));
        assert!(matches!(pool.try_claim(), Err(TryClaimError::Terminating { .. })));
        assert!(matches!(pool.warm_up().await, Err(WarmUpError::Terminating { .. })));
        pool.ended().await;
    });
}

/// Before anything else is polled: the gate is closed by the call itself.
#[test]
fn those_who_wait_are_told_at_once() {
    paused(|| async {
        let net = Net::default();
        let pool = pool(&net, plain(1));
        let held = pool.claim().await.unwrap();
        let mut waits = Box::pin(pool.claim());
        assert!(futures_util::poll!(&mut waits).is_pending());
        pool.begin_terminate(&long());
        let told = futures_util::poll!(&mut waits);
        assert!(matches!(told, std::task::Poll::Ready(Err(ClaimError::Terminating { .. }))));
        drop(held);
        end(&pool, &net).await;
    });
}

#[test]
fn a_granted_connection_that_was_not_taken_is_closed() {
    paused(|| async {
        let net = Net::default();
        let pool = pool(&net, plain(1));
        let held = pool.claim().await.unwrap();
        let mut waits = Box::pin(pool.claim());
        assert!(futures_util::poll!(&mut waits).is_pending());
        drop(held);
        end(&pool, &net).await;
        assert!(matches!(waits.await, Err(ClaimError::Terminating { .. })));
    });
}

#[test]
fn handles_that_come_back_in_time_are_waited_for_and_closed() {
    paused(|| async {
        let net = Net::default();
        let pool = pool(&net, plain(2));
        let mut held = claim_all(&pool, 2).await;
        let how = two_seconds();
        let mut ends = pool.terminate(&how);
        assert!(futures_util::poll!(&mut ends).is_pending());
        drop(held.pop());
        until(|| net.alive() == 1).await;
        assert!(futures_util::poll!(&mut ends).is_pending());
        drop(held.pop());
        assert_clean(&ends.await.unwrap());
        assert_eq!((net.alive(), net.calls("close")), (0, 2));
        assert!(net.interrupted().is_empty());
    });
}

#[test]
fn what_is_out_is_interrupted_when_grace_ends_and_named_in_the_report() {
    paused(|| async {
        let net = Net::default();
        let pool = pool(&net, plain(2));
        let held = pool.claim().await.unwrap();
        let place = held.place();
        let how = two_seconds();
        let began = tokio::time::Instant::now();
        let ends = pool.terminate(&how);
        let looks = async {
            tokio::time::sleep(SECOND - MS).await;
            assert!(net.interrupted().is_empty());
            tokio::time::sleep(2 * MS).await;
            assert_eq!(net.interrupted(), [held.number]);
        };
        let (report, ()) = tokio::join!(ends, looks);
        assert!(began.elapsed() < 3 * SECOND);
        let report = report.unwrap();
        let remnants: Vec<_> = report.remnants_all().collect();
        assert_eq!(remnants.len(), 1, "{report}");
        assert_eq!((&*remnants[0].item.kind, remnants[0].item.place), ("handle", Some(place)));
        assert_eq!(remnants[0].item.name, "127.0.0.1:10000");
        // It is the holder's still, and closed when dropped, by whoever drops it and without a runtime.
        assert_eq!((net.alive(), net.interrupted().len()), (1, 1));
        elsewhere(move || drop(held));
        assert_eq!(net.alive(), 0);
    });
}

#[expect(clippy::disallowed_methods, reason = "joined at once; a thread without a runtime is what is tested")]
fn elsewhere(body: impl FnOnce() + Send + 'static) {
    std::thread::spawn(body).join().unwrap();
}

#[test]
fn dead_hanging_and_backing_off_backends_delay_nothing() {
    paused(|| async {
        let net = Net::default();
        net.set(0, Mode::Fails);
        net.set(1, Mode::Hangs);
        net.set(2, Mode::Panics);
        let mut policy = plain(12);
        policy.spares_wanted = 12;
        let pool = pool_of(&net, policy, 4);
        drop(claim_all(&pool, 2).await);
        tokio::time::sleep(SECOND).await;
        let began = tokio::time::Instant::now();
        let report = pool.terminate(&two_seconds()).await.unwrap();
        assert!(began.elapsed() < 10 * MS, "{:?}", began.elapsed());
        assert_eq!((report.stragglers().count(), net.alive()), (0, 0), "{report}");
        // The connector's panics are not forgotten.
        assert!(report.panics().count() > 0, "{report}");
    });
}

/// The other side did not say that it was over: what is left there is named.
#[test]
fn a_close_that_is_cut_is_named_in_the_report() {
    crate::log::capture();
    paused(|| async {
        let net = Net::default();
        let pool = named("cut-close", &net, plain(3));
        let held = claim_all(&pool, 3).await;
        // Closed before, in vain: that was said then.
        net.set_hook("close", Mode::Hangs);
        pool.evict();
        drop(held);
        tokio::time::sleep(60 * SECOND).await;
        assert_eq!((net.alive(), pool.slots().closing), (0, 0));
        drop(claim_all(&pool, 2).await);
        let report = pool.terminate(&two_seconds()).await.unwrap();
        let kinds: Vec<_> = report.remnants_all().map(|found| (&*found.item.kind, &*found.item.name)).collect();
        assert_eq!(kinds, [("session", "127.0.0.1:10000"); 2], "{report}");
        assert!(!report.is_clean() && net.alive() == 0);
        assert_eq!(pool.report().unwrap().remnants_all().count(), 2);
        assert_eq!(pool.terminate_blocking(&long()).unwrap().remnants_all().count(), 2);
        assert_eq!(crate::log::lines_with("cut-close", "end of a connection was not seen").len(), 3 + 2);
    });
}

#[test]
fn a_check_is_given_up_and_its_connection_closed() {
    paused(|| async {
        let net = Net::default();
        net.set_hook("on_claim", Mode::Hangs);
        let pool = pool(&net, plain(1));
        drop(pool.claim().await.unwrap());
        net.prepare_claims();
        let mut waits = Box::pin(pool.claim());
        assert!(futures_util::poll!(&mut waits).is_pending());
        assert_eq!(pool.slots().checking, 1);
        end(&pool, &net).await;
        assert_eq!(net.calls("close"), 1);
        drop(waits);
    });
}

#[test]
fn a_close_that_hangs_is_dropped_at_the_abort_instant() {
    paused(|| async {
        let net = Net::default();
        net.set_hook("close", Mode::Hangs);
        let mut policy = plain(1);
        policy.close_timeout = 3_600 * SECOND;
        let pool = pool(&net, policy);
        drop(pool.claim().await.unwrap());
        let began = tokio::time::Instant::now();
        let report = pool.terminate(&two_seconds()).await.unwrap();
        let took = began.elapsed();
        assert!((2 * SECOND..3 * SECOND).contains(&took), "{took:?}");
        assert_eq!((net.alive(), report.children.iter().map(|child| child.counts.aborted).sum::<u64>()), (0, 1));
    });
}

#[test]
fn it_ends_once_for_all_callers_and_without_any() {
    on_both(|| async {
        let net = Net::default();
        let pool = pool(&net, plain(2));
        let held = pool.claim().await.unwrap();
        let how = long();
        // Dropped midway.
        let mut dropped = pool.terminate(&how);
        assert!(futures_util::poll!(&mut dropped).is_pending());
        drop(dropped);
        let (mut first, mut second) = (pool.terminate(&how), pool.terminate(&how));
        assert!(futures_util::poll!(&mut first).is_pending());
        assert!(futures_util::poll!(&mut second).is_pending());
        drop(held);
        let (first, second) = tokio::join!(first, second);
        assert_clean(&first.unwrap());
        assert_clean(&second.unwrap());
        assert_clean(&pool.terminate(&how).await.unwrap());
        assert_eq!(net.alive(), 0);
    });
}

#[test]
fn a_pool_whose_runtime_has_gone_says_so_and_ends() {
    let net = Net::default();
    let runtime = multi_thread();
    let (pool, held, idle) = runtime.block_on(async {
        let pool = pool(&net, plain(3));
        let mut held = claim_all(&pool, 2).await;
        drop(held.pop());
        (pool.clone(), held.pop().unwrap(), pool.slots().idle)
    });
    assert_eq!((idle, net.alive()), (1, 2));
    drop(runtime);
    assert_eq!(net.alive(), 1, "what was idle went with the runtime");
    let other = multi_thread();
    assert!(matches!(other.block_on(async { pool.claim().await }), Err(ClaimError::RuntimeGone { .. })));
    drop(held);
    assert_eq!(net.alive(), 0);
    assert_clean(&pool.terminate_blocking(&long()).unwrap());
}

#[test]
fn the_last_pool_dropped_leaves_nothing() {
    on_both(|| async {
        let net = Net::default();
        let pool = pool(&net, plain(4));
        let mut held = claim_all(&pool, 3).await;
        drop(held.pop());
        let weak = pool.downgrade();
        let clone = pool.clone();
        drop(pool);
        assert!(weak.upgrade().is_some());
        drop(clone);
        assert!(weak.upgrade().is_none());
        until(|| net.alive() == 2).await;
        assert_eq!(net.interrupted().len(), 2);
        drop(held);
        assert_eq!(net.alive(), 0, "closed by the drop");
    });
}

/// qorb needed a second fix for that.
#[test]
fn a_pool_dropped_without_a_termination_warns_once_and_names_the_holders() {
    crate::log::capture();
    on_both(|| async {
        let net = Net::default();
        let before = crate::log::lines_with("dropped-pool", "WARN").len();
        let pool = crate::harness::named("dropped-pool", &net, plain(2));
        let held = pool.claim().await.unwrap();
        drop(pool);
        drop(held);
        until(|| net.alive() == 0).await;
        let lines = crate::log::lines_with("dropped-pool", "WARN");
        assert_eq!(lines.len(), before + 1, "{lines:?}");
        assert!(lines[before].contains("without a termination") && lines[before].contains("ending.rs"), "{lines:?}");
        // One that was terminated is dropped without a word.
        let pool = crate::harness::named("ended-pool", &net, plain(2));
        drop(pool.claim().await.unwrap());
        end(&pool, &net).await;
        drop(pool);
        assert!(crate::log::lines_with("ended-pool", "WARN").is_empty());
    });
}

#[test]
fn claims_need_no_runtime_to_be_polled_on() {
    let _watched = crate::harness::Watchdog::new();
    let net = Net::default();
    let runtime = multi_thread();
    let pool = runtime.block_on(async { pool(&net, plain(1)) });
    let held = futures_executor::block_on(async { pool.claim().await.unwrap() });
    let error = futures_executor::block_on(pool.claim_within(10 * MS)).unwrap_err();
    assert!(matches!(error, ClaimError::TimedOut { .. }), "{error}");
    drop(held);
    assert_clean(&pool.terminate_blocking(&long()).unwrap());
    assert_eq!(net.alive(), 0);
}

/// On both flavours; it waits for real deadlines, as every check of the contract does.
#[test]
fn it_keeps_the_contract_of_terminate() {
    on_both(|| async {
        let contract = Contract::of(|| {
            let net = Net::default();
            net.set(0, Mode::Hangs);
            let mut policy = plain(4);
            policy.spares_wanted = 1;
            Driven { pool: pool(&net, policy), net }
        })
        // The work is the driver of a connection, which heeds nothing.
        .work(|driven: &Driven, work| {
            driven.net.drive_with(work);
            driven.net.set(0, Mode::Works);
        })
        .refuses(|driven: &Driven| matches!(driven.pool.try_claim(), Err(TryClaimError::Terminating { .. })));
        let report = contract.check().await;
        report.assert_kept();
        for rule in &report.rules {
            assert_eq!(rule.verdict == Verdict::Kept, rule.rule != Rule::WithoutRuntime, "{report}");
        }
    });
}

struct Driven {
    pool: Pool<Fake>,
    net: Net,
}

impl Terminate for Driven {
    fn name(&self) -> Cow<'_, str> {
        Terminate::name(&self.pool)
    }
    fn begin_terminate(&self, how: &Shutdown) {
        self.pool.begin_terminate(how);
    }
    fn terminate<'a>(&'a self, how: &'a Shutdown) -> BoxFuture<'a, Result<Report, SelfJoin>> {
        self.pool.terminate(how)
    }
    fn ended(&self) -> BoxFuture<'_, ()> {
        self.pool.ended()
    }
    fn report(&self) -> Option<Report> {
        Terminate::report(&self.pool)
    }
    fn calling_task(&self) -> Option<String> {
        self.pool.calling_task()
    }
}

/// Attempts that go with their runtime are failures, after which other backends are tried, and the runtime refuses
/// that: not one inside of the other, with as many stack frames as there are backends.
#[test]
fn a_runtime_that_goes_beside_many_backends_needs_no_stack_for_each() {
    const BACKENDS: u16 = 5_000;
    let _watched = crate::harness::Watchdog::new();
    for runtime in [multi_thread(), tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()] {
        let net = Net::default();
        for number in 0..BACKENDS {
            net.set(number, Mode::Hangs);
        }
        let pool = runtime.block_on(async {
            let mut policy = plain(64);
            policy.slots_min = 64;
            let pool = pool_of(&net, policy, BACKENDS);
            until(|| net.calls("connect") == 64).await;
            pool
        });
        drop(runtime);
        assert_eq!(pool.slots(), landfall_pool::SlotCounts::default());
        assert_clean(&pool.terminate_blocking(&long()).unwrap());
    }
}
