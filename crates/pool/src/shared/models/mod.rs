//! Models of claims, releases and ends beside each other, on the pool's own code.
//!
//! The model is the runtime: what the pool starts is kept, and run when the model says so. No time passes but that of
//! [`late`]: nothing else comes due.

mod claims;
mod ends;

use std::panic::Location;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use landfall_lifecycle::internal::{self, block_on};
use landfall_lifecycle::{Ending, Shutdown, TaskSet};
use loom::thread;
use tokio::runtime::Runtime;

use super::Shared;
use crate::backend::Backend;
use crate::claim::{Claim, ClaimError};
use crate::connector::{BoxError, ConnectCx, Connected, Connector, Fitness, Moment};
use crate::handle::Handle;
use crate::policy::Policy;

/// Runs `model` under every schedule with a bounded number of preemptions.
fn explore(model: impl Fn() + Send + Sync + 'static) {
    // Entered once for all threads of the models, and never driven: its timers stand still.
    let _entered = runtime().enter();
    internal::explore(model);
}

fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime can be built")
    })
}

/// Its connections count themselves.
struct Model {
    alive: Arc<AtomicUsize>,
    at_claim: Fitness,
}

struct Conn(Arc<AtomicUsize>);

impl Drop for Conn {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Connector for Model {
    type Connection = Conn;

    async fn connect(&self, _: &Backend, _: &ConnectCx) -> Result<Connected<Conn>, BoxError> {
        self.alive.fetch_add(1, Ordering::SeqCst);
        Ok(Conn(Arc::clone(&self.alive)).into())
    }

    fn fitness(&self, _: &mut Conn, at: Moment) -> Fitness {
        if at == Moment::Claim { self.at_claim } else { Fitness::Fit }
    }
}

/// A pool of one slot, whose connect has begun.
fn connecting(at_claim: Fitness) -> Arc<Shared<Model>> {
    let policy = Policy {
        slots_max: 1,
        slots_min: 1,
        spares_wanted: 0,
        lifetime_max: None,
        idle_timeout: None,
        keepalive: None,
        validate_after: None,
        held_report_after: None,
        ..Policy::default()
    };
    let connector = Model { alive: Arc::default(), at_claim };
    let handle = runtime().handle().clone();
    let shared = Arc::new(Shared::new("pool".into(), connector, policy, TaskSet::new("tasks"), handle));
    let backend = std::net::SocketAddr::from(([127, 0, 0, 1], 1)).into();
    let now = shared.now();
    let effects = shared.lock().set_backends(vec![backend], now);
    shared.perform(effects);
    shared
}

/// A pool of one connection.
fn pool(at_claim: Fitness) -> Arc<Shared<Model>> {
    let shared = connecting(at_claim);
    run(&shared);
    shared
}

/// Runs what the pool has started; none of it has to wait.
fn run(shared: &Arc<Shared<Model>>) {
    loop {
        let Some(mut job) = shared.jobs.lock().pop() else { return };
        let polled = job.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(polled.is_ready(), "it has nothing to wait for");
    }
}

fn claim(shared: &Arc<Shared<Model>>) -> Claim<'_, Model> {
    Claim::new(shared, None, Location::caller())
}

/// Polls a claim once, as a task does that has other things to do too.
fn poll_once(claim: &mut Claim<'_, Model>) -> Poll<Result<Handle<Model>, ClaimError>> {
    pin!(claim).poll(&mut Context::from_waker(Waker::noop()))
}

/// Waits for a connection, and gives it back at once. It is polled once by another task than the one that waits.
fn use_one(shared: &Arc<Shared<Model>>) -> Result<(), ClaimError> {
    let mut claim = claim(shared);
    match poll_once(&mut claim) {
        Poll::Ready(taken) => taken.map(drop),
        Poll::Pending => block_on(claim).map(drop),
    }
}

/// What the pool's task does when grants are overdue.
fn late(shared: &Arc<Shared<Model>>) {
    let now = shared.now().plus(Duration::from_secs(1));
    let (_, effects) = shared.lock().tick(now);
    shared.perform(effects);
}

fn spawn(shared: &Arc<Shared<Model>>, body: impl FnOnce(&Arc<Shared<Model>>) + 'static) -> thread::JoinHandle<()> {
    let shared = Arc::clone(shared);
    thread::spawn(move || body(&shared))
}

/// All capacity is there: one connection, idle.
fn assert_whole(shared: &Arc<Shared<Model>>) {
    run(shared);
    let counts = shared.lock().counts();
    assert_eq!((counts.idle, counts.claimed, counts.granted), (1, 0, 0), "{counts:?}");
    assert_eq!(shared.connector.alive.load(Ordering::SeqCst), 1);
    assert_eq!(shared.lock().stats(shared.now()).waiting, 0);
}

/// Begins to end, with all the time that there is.
fn begin(shared: &Arc<Shared<Model>>) {
    let hour = Duration::from_secs(3_600);
    Ending::begin(shared, &Shutdown::within(hour, 2 * hour));
}

/// Waits for the end, and sees that nothing is left.
fn assert_ended(shared: &Arc<Shared<Model>>) {
    block_on(Ending::ended(Arc::clone(shared)));
    run(shared);
    let counts = shared.lock().counts();
    assert_eq!(counts, crate::stats::SlotCounts::default());
    assert_eq!(shared.connector.alive.load(Ordering::SeqCst), 0);
}
