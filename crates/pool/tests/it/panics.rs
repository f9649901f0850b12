//! Users' code that panics where the pool calls it: nothing is lost by it, and nobody else is held up.

use std::future::pending;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use landfall_lifecycle::Terminate;
use landfall_pool::{
    Backend, BoxError, ConnectCx, Connected, Connector, Fitness, FixedResolver, Moment, Pool, Spawner, WeakPool,
};
use tokio_util::sync::CancellationToken;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::fake::{Mode, Net};
use crate::harness::{
    MS, SECOND, assert_clean, claim_all, end, long, on_both, paused, plain, pool, two_seconds, until,
};

/// Panics when it is told of anything.
struct Panicky(Arc<AtomicUsize>);

impl Subscriber for Panicky {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("landfall_pool")
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}

    fn event(&self, _: &Event<'_>) {
        self.0.fetch_add(1, Ordering::Relaxed);
        panic!("planned: the subscriber");
    }
}

/// Panics when it is woken, when it is dropped, or both.
struct Alarm {
    in_wake: bool,
    in_drop: bool,
}

impl Alarm {
    fn waker(in_wake: bool, in_drop: bool) -> Waker {
        Waker::from(Arc::new(Self { in_wake, in_drop }))
    }
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        assert!(!self.in_wake, "planned: woken");
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        assert!(!self.in_drop || std::thread::panicking(), "planned: dropped");
    }
}

/// Every line that the pool logs panics, those of what goes wrong included.
#[test]
fn a_subscriber_that_panics_costs_nothing() {
    let told = Arc::new(AtomicUsize::new(0));
    let panicky = tracing::subscriber::set_default(Panicky(Arc::clone(&told)));
    paused(|| async {
        let net = Net::default();
        let mut policy = plain(2);
        policy.held_report_after = Some(SECOND);
        policy.check_timeout = SECOND;
        policy.close_timeout = SECOND;
        let pool = pool(&net, policy);
        for mode in [Mode::Fails, Mode::Panics] {
            net.set(0, mode);
            assert!(pool.claim_within(100 * MS).await.is_err());
        }
        net.set(0, Mode::Works);
        let held = pool.claim().await.unwrap();
        tokio::time::sleep(2 * SECOND).await;
        assert_eq!(pool.stats().totals.held_long, 1);
        // A waker's panic is logged too, while others wait behind it.
        let more = pool.claim().await.unwrap();
        let mut waits = [Box::pin(pool.claim()), Box::pin(pool.claim())];
        for claim in &mut waits {
            assert!(claim.as_mut().poll(&mut Context::from_waker(&Alarm::waker(true, false))).is_pending());
        }
        drop((held, more));
        for claim in waits {
            drop(claim.await.unwrap());
        }
        // A check and a close that fail.
        net.recycle_releases(true);
        net.set_hook("on_recycle", Mode::Hangs);
        net.set_hook("close", Mode::Hangs);
        drop(claim_all(&pool, 2).await);
        tokio::time::sleep(10 * SECOND).await;
        assert_eq!((pool.slots(), net.alive()), (Default::default(), 0));
        net.recycle_releases(false);
        net.set_hook("close", Mode::Works);
        drop(claim_all(&pool, 2).await);
        let report = pool.terminate(&long()).await.unwrap();
        assert_eq!((report.stragglers().count(), report.remnants_all().count(), net.alive()), (0, 0, 0), "{report}");
        let dropped = crate::harness::pool(&net, plain(1));
        drop(dropped.claim().await.unwrap());
        drop(dropped);
        until(|| net.alive() == 0).await;
    });
    drop(panicky);
    assert!(told.load(Ordering::Relaxed) >= 8, "{told:?}");
}

#[test]
fn wakers_that_panic_hold_up_nobody_and_lose_nothing() {
    paused(|| async {
        let net = Net::default();
        let pool = pool(&net, plain(2));
        let mut held = claim_all(&pool, 2).await;
        let kinds = [(true, false), (false, true), (true, true)];
        let mut waits: Vec<_> = kinds.iter().map(|kind| (Box::pin(pool.claim()), *kind)).collect();
        for (claim, (in_wake, in_drop)) in &mut waits {
            assert!(claim.as_mut().poll(&mut Context::from_waker(&Alarm::waker(*in_wake, *in_drop))).is_pending());
        }
        let sound = pool.claim();
        tokio::pin!(sound);
        assert!(futures_util::poll!(&mut sound).is_pending());
        // Each is woken, and passes on what it was granted since nobody polls it.
        drop(held.pop());
        drop(sound.await.unwrap());
        drop((held, waits));
        assert_eq!(pool.slots().idle, 2);
        // At the end all of them are woken at once.
        let held = claim_all(&pool, 2).await;
        let mut waits: Vec<_> = (0..4).map(|_| Box::pin(pool.claim())).collect();
        for claim in &mut waits {
            let waker = Alarm::waker(true, false);
            assert!(claim.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        }
        let how = long();
        let ends = pool.terminate(&how);
        tokio::pin!(ends);
        assert!(futures_util::poll!(&mut ends).is_pending());
        for claim in &mut waits {
            assert!(matches!(futures_util::poll!(claim), Poll::Ready(Err(_))));
        }
        drop(held);
        assert_clean(&ends.await.unwrap());
        assert_eq!(net.alive(), 0);
    });
}

/// Several that wait until the pool is warm are told together, and one of them panics.
#[test]
fn a_waker_that_panics_leaves_nobody_out_who_waits_until_the_pool_is_warm() {
    paused(|| async {
        let net = Net::default();
        net.set(0, Mode::Hangs);
        let mut policy = plain(1);
        policy.spares_wanted = 1;
        policy.connect_timeout = 3_600 * SECOND;
        policy.offline_wait = 3_600 * SECOND;
        let pool = pool(&net, policy);
        let mut first = Box::pin(pool.warm_up());
        assert!(first.as_mut().poll(&mut Context::from_waker(&Alarm::waker(true, false))).is_pending());
        let (woken, waker) = counted_waker();
        let mut second = Box::pin(pool.warm_up());
        assert!(second.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        net.set(0, Mode::Works);
        until(|| net.alive() == 1).await;
        tokio::task::yield_now().await;
        assert!(woken.0.load(Ordering::Relaxed) > 0, "it was left out");
        assert!(matches!(second.as_mut().poll(&mut Context::from_waker(&waker)), Poll::Ready(Ok(()))));
        drop(first);
        end(&pool, &net).await;
    });
}

/// Counts its wakes.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn counted_waker() -> (Arc<Woken>, Waker) {
    let woken = Arc::new(Woken::default());
    (Arc::clone(&woken), Waker::from(woken))
}

/// Its connects never return, and give their tokens to the test.
struct Hanging(Arc<Mutex<Vec<CancellationToken>>>);

impl Connector for Hanging {
    type Connection = ();

    async fn connect(&self, _: &Backend, cx: &ConnectCx) -> Result<Connected<()>, BoxError> {
        self.0.lock().unwrap().push(cx.cancelled());
        pending().await
    }
}

/// Whoever was told of a connect's end by its token panics: the others are ended all the same.
#[test]
fn a_waker_at_a_connect_s_token_that_panics_delays_no_end() {
    paused(|| async {
        let tokens = Arc::new(Mutex::new(Vec::new()));
        let address = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let resolver = FixedResolver::new((1..=3).map(address));
        let builder = Pool::builder("pool").resolver(resolver).connector(Hanging(Arc::clone(&tokens)));
        let mut policy = plain(3);
        policy.connect_timeout = 3_600 * SECOND;
        let pool = builder.policy(policy).build().unwrap();
        let mut waits: Vec<_> = (0..3).map(|_| Box::pin(pool.claim())).collect();
        for claim in &mut waits {
            assert!(futures_util::poll!(claim).is_pending());
        }
        until(|| tokens.lock().unwrap().len() == 3).await;
        let tokens: Vec<_> = std::mem::take(&mut *tokens.lock().unwrap());
        let mut told: Vec<_> = tokens.iter().map(|token| Box::pin(token.cancelled())).collect();
        for told in &mut told {
            assert!(told.as_mut().poll(&mut Context::from_waker(&Alarm::waker(true, false))).is_pending());
        }
        let began = tokio::time::Instant::now();
        let report = pool.terminate(&two_seconds()).await.unwrap();
        assert_eq!((report.stragglers().count(), began.elapsed() < 10 * MS), (0, true), "{report}");
        for claim in &mut waits {
            assert!(matches!(futures_util::poll!(claim), Poll::Ready(Err(_))));
        }
        assert!(tokens.iter().all(CancellationToken::is_cancelled));
    });
}

/// An attempt whose time is over tells what it has begun elsewhere.
#[test]
fn an_attempt_that_takes_too_long_cancels_its_token() {
    paused(|| async {
        let tokens = Arc::new(Mutex::new(Vec::new()));
        let resolver = FixedResolver::new([SocketAddr::from(([127, 0, 0, 1], 1))]);
        let builder = Pool::builder("pool").resolver(resolver).connector(Hanging(Arc::clone(&tokens)));
        let mut policy = plain(1);
        policy.connect_timeout = SECOND;
        let pool = builder.policy(policy).build().unwrap();
        assert!(pool.claim_within(2 * SECOND).await.is_err());
        assert!(tokens.lock().unwrap()[0].is_cancelled());
        assert_clean(&pool.terminate(&two_seconds()).await.unwrap());
    });
}

/// A connection whose destructor panics, with an interrupt whose destructor panics too.
struct Twofold(Arc<AtomicUsize>);

struct Bomb(Arc<AtomicUsize>);

impl Drop for Bomb {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
        panic!("planned: a destructor");
    }
}

impl Connector for Twofold {
    type Connection = Bomb;

    async fn connect(&self, _: &Backend, _: &ConnectCx) -> Result<Connected<Bomb>, BoxError> {
        let interrupt = Bomb(Arc::clone(&self.0));
        let interrupt = move |_: &Spawner| {
            let _kept = &interrupt;
        };
        Ok(Connected::from(Bomb(Arc::clone(&self.0))).with_interrupt(interrupt))
    }
}

#[test]
fn destructors_that_panic_one_after_the_other_are_survived() {
    paused(|| async {
        let dropped = Arc::new(AtomicUsize::new(0));
        let resolver = FixedResolver::new([SocketAddr::from(([127, 0, 0, 1], 1))]);
        let builder = Pool::builder("pool").resolver(resolver).connector(Twofold(Arc::clone(&dropped)));
        let pool = builder.policy(plain(1)).build().unwrap();
        pool.claim().await.unwrap().discard();
        until(|| dropped.load(Ordering::Relaxed) == 2).await;
        let held = pool.claim().await.unwrap();
        let report = pool.terminate(&two_seconds()).await.unwrap();
        assert_eq!(report.remnants_all().count(), 1, "{report}");
        // Closed by its holder, where no task can be started any more.
        drop(held);
        assert_eq!(dropped.load(Ordering::Relaxed), 4);
    });
}

/// Ends its own pool while a claim has one of its connections looked at.
struct Ends {
    pool: Arc<Mutex<Option<WeakPool<Ends>>>>,
    says: Fitness,
    has_ended: AtomicBool,
}

impl Connector for Ends {
    type Connection = ();

    async fn connect(&self, _: &Backend, _: &ConnectCx) -> Result<Connected<()>, BoxError> {
        Ok(().into())
    }

    fn fitness(&self, (): &mut (), at: Moment) -> Fitness {
        let pool = self.pool.lock().unwrap().as_ref().and_then(WeakPool::upgrade);
        let Some(pool) = pool.filter(|_| at == Moment::Claim && !self.has_ended.swap(true, Ordering::SeqCst)) else {
            return Fitness::Fit;
        };
        pool.begin_terminate(&long());
        self.says
    }
}

/// On the system's clock: what drives an end there is a thread, beside which a paused clock would leap.
#[track_caller]
fn check_end_within_a_claim(says: Fitness, tries: bool) {
    on_both(|| async move {
        let known = Arc::new(Mutex::new(None));
        let resolver = FixedResolver::new([SocketAddr::from(([127, 0, 0, 1], 1))]);
        let connector = Ends { pool: Arc::clone(&known), says, has_ended: AtomicBool::new(false) };
        let pool = Pool::builder("pool").resolver(resolver).connector(connector).policy(plain(1)).build().unwrap();
        drop(pool.claim().await.unwrap());
        *known.lock().unwrap() = Some(pool.downgrade());
        if tries {
            drop(pool.try_claim());
        } else {
            drop(pool.claim().await);
        }
        // Nobody has a handle: there is nothing to wait for.
        pool.ended().await;
        assert_clean(&pool.terminate(&long()).await.unwrap());
    });
}

#[test]
fn an_end_while_a_claim_looks_at_its_connection_waits_for_no_handle() {
    for says in [Fitness::Fit, Fitness::Prepare, Fitness::Broken] {
        check_end_within_a_claim(says, false);
        check_end_within_a_claim(says, true);
    }
}
