//! What the tests share: both runtime flavours under a watchdog, pools of fakes, ends that must be clean.

use std::future::Future;
use std::io::Write;
use std::panic::Location;
use std::sync::mpsc;
use std::time::Duration;

use landfall_lifecycle::{Clock, Report, Shutdown, Terminate};
use landfall_pool::{Connector, FixedResolver, Handle, Policy, Pool};
use tokio::runtime::{Builder, Handle as RuntimeHandle, Runtime};

use crate::fake::{Fake, Net, backend};

/// A test that takes this long hangs; where faults are planted many do, and each by itself on the machine.
const TEST_MAX: Duration = Duration::from_secs(if cfg!(landfall_faults) { 10 } else { 60 });

/// One millisecond, for the paused clock.
pub(crate) const MS: Duration = Duration::from_millis(1);
pub(crate) const SECOND: Duration = Duration::from_secs(1);

pub(crate) fn multi_thread() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Runs a test on the paused clock.
#[track_caller]
pub(crate) fn paused<F: Future<Output = ()>>(body: impl FnOnce() -> F) {
    let _watched = Watchdog::new();
    Builder::new_current_thread().enable_all().start_paused(true).build().unwrap().block_on(body());
}

/// Runs a test on a current_thread runtime, then on one with two workers, on the system's clock.
#[track_caller]
pub(crate) fn on_both<F: Future<Output = ()>>(body: impl Fn() -> F) {
    let _watched = Watchdog::new();
    Builder::new_current_thread().enable_all().build().unwrap().block_on(body());
    multi_thread().block_on(body());
}

/// Grace and abort instant so far away that no test sees them come by themselves.
pub(crate) fn long() -> Shutdown {
    Shutdown::within(Duration::from_secs(3_600), Duration::from_secs(7_200))
}

/// On the paused clock: a grace of a second, and one more for closing.
pub(crate) fn two_seconds() -> Shutdown {
    Shutdown::within_on(Clock::tokio(&RuntimeHandle::current()), SECOND, 2 * SECOND)
}

/// A policy that keeps nothing ready and nothing timed, so that a test sees only what it asks for.
pub(crate) fn plain(slots_max: usize) -> Policy {
    let mut policy = Policy::default();
    policy.slots_max = slots_max;
    policy.spares_wanted = 0;
    policy.validate_after = None;
    policy.keepalive = None;
    policy.idle_timeout = None;
    policy.lifetime_max = None;
    policy.held_report_after = None;
    policy
}

/// A pool of one backend.
#[track_caller]
pub(crate) fn pool(net: &Net, policy: Policy) -> Pool<Fake> {
    pool_of(net, policy, 1)
}

/// A pool of so many backends.
#[track_caller]
pub(crate) fn pool_of(net: &Net, policy: Policy, backends: u16) -> Pool<Fake> {
    let resolver = FixedResolver::new((0..backends).map(backend));
    Pool::builder("pool").resolver(resolver).connector(net.connector()).policy(policy).build().unwrap()
}

/// A pool with a name that no other test uses.
#[track_caller]
pub(crate) fn named(name: &'static str, net: &Net, policy: Policy) -> Pool<Fake> {
    let resolver = FixedResolver::new([backend(0)]);
    Pool::builder(name).resolver(resolver).connector(net.connector()).policy(policy).build().unwrap()
}

/// Claims so many connections.
pub(crate) async fn claim_all<K: Connector>(pool: &Pool<K>, count: usize) -> Vec<Handle<K>> {
    let mut handles = Vec::new();
    for _ in 0..count {
        handles.push(pool.claim().await.unwrap());
    }
    handles
}

/// Terminates a pool that nobody holds anything of, and sees that nothing is left.
pub(crate) async fn end(pool: &Pool<Fake>, net: &Net) {
    let report = pool.terminate(&long()).await.unwrap();
    assert_clean(&report);
    assert_eq!(net.alive(), 0, "connections are left");
}

#[track_caller]
pub(crate) fn assert_clean(report: &Report) {
    assert!(report.is_clean(), "\n{report}");
}

/// Lets the runtime run what is ready until `is_done`.
pub(crate) async fn until(mut is_done: impl FnMut() -> bool) {
    while !is_done() {
        tokio::task::yield_now().await;
    }
}

/// Ends the process when a test hangs, because nothing else would say which one it was.
pub(crate) struct Watchdog {
    _alive: mpsc::Sender<()>,
}

impl Watchdog {
    #[track_caller]
    #[expect(clippy::disallowed_methods, reason = "it ends with its test, and must not rest on what is tested")]
    pub(crate) fn new() -> Self {
        let place = Location::caller();
        let test = std::thread::current().name().unwrap_or_default().to_owned();
        let (alive, gone) = mpsc::channel::<()>();
        std::thread::spawn(move || {
            if gone.recv_timeout(TEST_MAX) == Err(mpsc::RecvTimeoutError::Timeout) {
                // Not through `eprintln`, which the test harness captures and an abort loses.
                let _unheard = writeln!(std::io::stderr(), "the test {test} at {place} hangs");
                std::process::abort();
            }
        });
        Self { _alive: alive }
    }
}
