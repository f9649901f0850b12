//! Backends that fail, hang, come and go.

use std::error::Error;
use std::time::Duration;

use landfall_lifecycle::Terminate;
use landfall_pool::{Backend, ClaimError, FixedResolver, Policy, Pool, Resolver, WarmUpError};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::fake::{Mode, Net, backend};
use crate::harness::{
    MS, SECOND, Watchdog, claim_all, end, multi_thread, paused, plain, pool, pool_of, two_seconds, until,
};

/// Sets of backends as a test gives them.
struct Told(mpsc::UnboundedReceiver<Vec<Backend>>);

impl Resolver for Told {
    async fn next(&mut self) -> Option<Vec<Backend>> {
        self.0.recv().await
    }
}

pub(crate) fn told(net: &Net, slots_max: usize) -> (mpsc::UnboundedSender<Vec<Backend>>, Pool<crate::fake::Fake>) {
    told_with(net, plain(slots_max))
}

pub(crate) fn told_with(net: &Net, policy: Policy) -> (mpsc::UnboundedSender<Vec<Backend>>, Pool<crate::fake::Fake>) {
    let (tell, hears) = mpsc::unbounded_channel();
    let builder = Pool::builder("pool").resolver(Told(hears)).connector(net.connector());
    (tell, builder.policy(policy).build().unwrap())
}

#[test]
fn with_nothing_online_a_claim_fails_soon_and_says_why() {
    paused(|| async {
        let net = Net::default();
        net.set(0, Mode::Fails);
        net.set(1, Mode::Fails);
        let pool = pool_of(&net, plain(4), 2);
        let began = Instant::now();
        let error = pool.claim().await.unwrap_err();
        assert!((SECOND..2 * SECOND).contains(&began.elapsed()), "{:?}", began.elapsed());
        assert_eq!(error.to_string(), "none of the 2 backends of pool \"pool\" is online");
        let connect = error.source().unwrap();
        assert!(connect.to_string().starts_with("connecting to 127.0.0.1:1000"), "{connect}");
        assert_eq!(connect.source().unwrap().to_string(), "planned");
        let warm = pool.warm_up().await;
        assert!(warm.is_ok(), "nothing is wanted ready: {warm:?}");
        end(&pool, &net).await;
    });
}

#[test]
fn warm_up_waits_for_the_spares_or_says_why_there_are_none() {
    paused(|| async {
        let net = Net::default();
        let mut policy = plain(4);
        policy.spares_wanted = 2;
        let warm = pool(&net, policy.clone());
        warm.warm_up().await.unwrap();
        assert_eq!(warm.slots().idle, 2);
        end(&warm, &net).await;

        net.set(0, Mode::Panics);
        let cold = pool(&net, policy);
        let Err(WarmUpError::NoneOnline { backends, last, .. }) = cold.warm_up().await else { panic!("it panics") };
        assert_eq!(
            (backends, last.unwrap().to_string()),
            (1, "the connector panicked while it connected to 127.0.0.1:10000".into())
        );
        net.set(0, Mode::Works);
        cold.warm_up().await.unwrap();
        assert_eq!(cold.terminate(&two_seconds()).await.unwrap().stragglers().count(), 0);
    });
}

/// Also where others began to wait before, so that there is news at other times than its own.
#[test]
fn warm_up_says_that_nothing_is_online_when_its_own_time_is_over() {
    paused(|| async {
        let net = Net::default();
        net.set(0, Mode::Fails);
        let mut policy = plain(4);
        policy.spares_wanted = 2;
        let pool = pool(&net, policy);
        let warm_up = async |after: Duration| {
            tokio::time::sleep(after).await;
            let began = Instant::now();
            assert!(matches!(pool.warm_up().await, Err(WarmUpError::NoneOnline { .. })));
            began.elapsed()
        };
        let times = tokio::join!(warm_up(Duration::ZERO), warm_up(300 * MS), warm_up(950 * MS));
        for time in [times.0, times.1, times.2] {
            assert!((SECOND..SECOND + 10 * MS).contains(&time), "{times:?}");
        }
        end(&pool, &net).await;
    });
}

#[test]
fn warm_up_hears_of_a_resize_that_leaves_nothing_to_wait_for() {
    paused(|| async {
        let net = Net::default();
        let mut policy = plain(4);
        policy.spares_wanted = 2;
        let pool = pool_of(&net, policy, 1);
        pool.warm_up().await.unwrap();
        net.swallow(0);
        let held = claim_all(&pool, 2).await;
        let mut warm = Box::pin(pool.warm_up());
        assert!(futures_util::poll!(&mut warm).is_pending());
        tokio::time::sleep(10 * MS).await;
        assert!(futures_util::poll!(&mut warm).is_pending());
        let began = Instant::now();
        pool.resize(2).unwrap();
        warm.await.unwrap();
        assert_eq!(began.elapsed(), Duration::ZERO);
        drop(held);
        end(&pool, &net).await;
    });
}

#[test]
fn without_backends_a_claim_says_so() {
    paused(|| async {
        let net = Net::default();
        let resolver = FixedResolver::new(Vec::<Backend>::new());
        let pool =
            Pool::builder("pool").resolver(resolver).connector(net.connector()).policy(plain(1)).build().unwrap();
        let error = pool.claim().await.unwrap_err();
        assert!(matches!(error, ClaimError::NoBackends { .. }), "{error}");
        end(&pool, &net).await;
    });
}

/// qorb: as many dead backends as spares starved the healthy one.
#[test]
fn dead_backends_cost_a_healthy_one_nothing() {
    paused(|| async {
        let net = Net::default();
        for dead in 1..=9 {
            net.set(dead, if dead % 2 == 0 { Mode::Fails } else { Mode::Hangs });
        }
        let mut policy = plain(8);
        policy.connect_timeout = SECOND;
        let pool = pool_of(&net, policy, 10);
        // Until all of them are known to be dead.
        let held = claim_all(&pool, 8).await;
        assert_eq!((net.alive_at(0), held.len()), (8, 8));
        drop(held);
        for _ in 0..100 {
            let began = Instant::now();
            let held = claim_all(&pool, 8).await;
            assert_eq!((net.alive_at(0), held.len(), began.elapsed()), (8, 8, Duration::ZERO));
            tokio::time::sleep(100 * MS).await;
        }
        end(&pool, &net).await;
    });
}

#[test]
fn room_that_probes_have_taken_is_given_to_a_claim() {
    paused(|| async {
        let net = Net::default();
        net.set(0, Mode::Fails);
        let (tell, pool) = told(&net, 1);
        tell.send(vec![backend(0)]).unwrap();
        drop(pool.claim_within(500 * MS).await);
        // The only slot is with an attempt that is never answered.
        net.set(0, Mode::Hangs);
        tokio::time::sleep(SECOND).await;
        let mut waits = Box::pin(pool.claim());
        assert!(futures_util::poll!(&mut waits).is_pending());
        tokio::time::sleep(100 * MS).await;
        assert_eq!(pool.slots().connecting, 1);
        tell.send(vec![backend(0), backend(1)]).unwrap();
        let began = Instant::now();
        assert_eq!(waits.await.unwrap().backend(), &backend(1));
        assert!(began.elapsed() < 10 * MS, "{:?}", began.elapsed());
        end(&pool, &net).await;
    });
}

#[test]
fn a_backend_that_has_gone_is_drained_not_cut() {
    paused(|| async {
        let net = Net::default();
        let (tell, pool) = told(&net, 4);
        tell.send(vec![backend(0)]).unwrap();
        let mut held = claim_all(&pool, 2).await;
        drop(held.pop());
        tell.send(vec![backend(1)]).unwrap();
        until(|| net.alive_at(0) == 1).await;
        // What is claimed works on; what is new goes elsewhere.
        assert_eq!(pool.claim().await.unwrap().backend(), &backend(1));
        assert!(pool.stats().backends.iter().any(|it| it.is_removed && it.slots.claimed == 1));
        drop(held);
        until(|| net.alive_at(0) == 0).await;
        assert_eq!(pool.stats().backends.len(), 1, "it is forgotten");
        end(&pool, &net).await;
    });
}

/// qorb: an address that changed under the same name was never used.
#[test]
fn an_address_that_changes_is_another_backend() {
    paused(|| async {
        let net = Net::default();
        let (tell, pool) = told(&net, 1);
        let at = |number| Backend::new("db", backend(number).address);
        tell.send(vec![at(0)]).unwrap();
        assert_eq!(pool.claim().await.unwrap().backend(), &at(0));
        tell.send(vec![at(1)]).unwrap();
        until(|| net.alive_at(0) == 0).await;
        assert_eq!(pool.claim().await.unwrap().backend(), &at(1));
        drop(tell);
        tokio::time::sleep(SECOND).await;
        // The last set stays in force when the resolver has no more to say.
        drop(pool.claim().await.unwrap());
        end(&pool, &net).await;
    });
}

/// Holds up whoever wakes it, until it is told to go on.
struct HoldsUp {
    woken: std::sync::mpsc::SyncSender<()>,
    goes_on: std::sync::Mutex<std::sync::mpsc::Receiver<()>>,
}

impl std::task::Wake for HoldsUp {
    fn wake(self: std::sync::Arc<Self>) {
        if self.woken.try_send(()).is_ok() {
            let _told = self.goes_on.lock().unwrap().recv();
        }
    }
}

/// Its backend goes between the decision to connect and the start of the attempt.
#[test]
fn a_connect_that_was_given_up_before_it_began_does_not_begin() {
    let _watched = Watchdog::new();
    multi_thread().block_on(async {
        let net = Net::default();
        net.set(0, Mode::Fails);
        let (tell, pool) = told(&net, 2);
        tell.send(vec![backend(0)]).unwrap();
        let (woken, was_woken) = std::sync::mpsc::sync_channel(1);
        let (go_on, goes_on) = std::sync::mpsc::channel();
        let holds_up = std::sync::Arc::new(HoldsUp { woken, goes_on: std::sync::Mutex::new(goes_on) });
        let waker = std::task::Waker::from(holds_up);
        let mut claims = [(); 2].map(|()| Box::pin(pool.claim_within(60 * SECOND)));
        for claim in &mut claims {
            assert!(claim.as_mut().poll(&mut std::task::Context::from_waker(&waker)).is_pending());
        }
        until(|| pool.stats().backends.first().is_some_and(|it| it.is_failing)).await;
        // A probe gives a connection to the first, and one for the second is about to be opened.
        net.set(0, Mode::Works);
        was_woken.recv().unwrap();
        net.set(0, Mode::Hangs);
        let connects = net.calls("connect");
        tell.send(Vec::new()).unwrap();
        until(|| pool.stats().backends.first().is_some_and(|it| it.is_removed)).await;
        assert_eq!(pool.slots().connecting, 1);
        drop(go_on);
        until(|| pool.slots().connecting == 0).await;
        assert_eq!(net.calls("connect"), connects);
        drop(claims);
        end(&pool, &net).await;
    });
}

#[test]
fn a_resolver_that_panics_leaves_its_last_set() {
    struct Panics(bool);
    impl Resolver for Panics {
        async fn next(&mut self) -> Option<Vec<Backend>> {
            assert!(!std::mem::replace(&mut self.0, true), "planned");
            Some(vec![backend(0)])
        }
    }
    paused(|| async {
        let net = Net::default();
        let builder = Pool::builder("pool").resolver(Panics(false)).connector(net.connector());
        let pool = builder.policy(plain(2)).build().unwrap();
        let held = pool.claim().await.unwrap();
        tokio::time::sleep(MS).await;
        drop((held, pool.claim().await.unwrap()));
        let report = pool.terminate(&two_seconds()).await.unwrap();
        assert_eq!(report.panics().map(|found| found.item.name.to_string()).collect::<Vec<_>>(), ["resolver"]);
    });
}
