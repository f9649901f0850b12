//! The accept loop against a listener that fails as the test says.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};

use hyper_util::rt::TokioTimer;
use tokio::sync::mpsc;
use tracing::span;
use tracing::subscriber::DefaultGuard;

use super::*;
use crate::{Shutdown, TaskSet, Terminate};

/// No descriptor is left for this process.
const EMFILE: i32 = 24;

/// What each call gives; pending for ever when it is used up.
struct Script {
    steps: VecDeque<io::Result<&'static str>>,
    calls: Arc<AtomicUsize>,
}

impl Listen for Script {
    type Stream = &'static str;

    async fn accept(&mut self) -> io::Result<(&'static str, SocketAddr)> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let Some(step) = self.steps.pop_front() else { return std::future::pending().await };
        step.map(|stream| (stream, SocketAddr::from(([127, 0, 0, 1], 1))))
    }
}

fn full() -> io::Result<&'static str> {
    Err(io::Error::from_raw_os_error(EMFILE))
}

/// A loop that runs on a set, and what it hands on and says.
///
/// Each has a subscriber, those too whose test counts nothing: a callsite first reached on a thread that has none may
/// be switched off for all.
struct Running {
    set: TaskSet,
    slots: Arc<Slots>,
    calls: Arc<AtomicUsize>,
    accepted: mpsc::UnboundedReceiver<(&'static str, Slot)>,
    warnings: Warnings,
    _subscribed: DefaultGuard,
}

impl Running {
    fn start(has_timer: bool, steps: impl IntoIterator<Item = io::Result<&'static str>>) -> Self {
        let warnings = Warnings::default();
        let subscribed = tracing::subscriber::set_default(warnings.clone());
        let set = TaskSet::new("accept");
        let (slots, calls) = (Slots::new(10), Arc::<AtomicUsize>::default());
        let (sender, accepted) = mpsc::unbounded_channel();
        let timer = has_timer.then(|| Arc::new(TokioTimer::new()) as _);
        let accept_loop = AcceptLoop {
            listener: Script { steps: steps.into_iter().collect(), calls: Arc::clone(&calls) },
            connect: move |stream, _, slot| sender.send((stream, slot)).unwrap(),
            slots: Arc::clone(&slots),
            stop: set.token(),
            pauses: Pauses { timer, set: set.downgrade() },
            state: State::Accepting,
        };
        set.spawn("accept loop", accept_loop.run()).unwrap();
        Self { set, slots, calls, accepted, warnings, _subscribed: subscribed }
    }

    async fn next(&mut self) -> &'static str {
        self.accepted.recv().await.unwrap().0
    }

    async fn end(self) {
        let how = Shutdown::within(Duration::from_secs(60), Duration::from_secs(60));
        assert!(self.set.terminate(&how).await.unwrap().is_clean());
    }
}

/// Counts the warnings of its thread.
#[derive(Clone, Default)]
struct Warnings(Arc<AtomicUsize>);

impl tracing::Subscriber for Warnings {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        *metadata.level() == tracing::Level::WARN && metadata.target().ends_with("accept")
    }
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn event(&self, _: &tracing::Event<'_>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

impl Warnings {
    fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

#[tokio::test(start_paused = true)]
async fn what_fails_for_one_connection_is_passed_over_at_once() {
    let began = tokio::time::Instant::now();
    let aborted = || Err(io::ErrorKind::ConnectionAborted.into());
    let mut running = Running::start(true, [aborted(), Err(io::ErrorKind::ConnectionReset.into()), aborted(), Ok("a")]);
    assert_eq!(running.next().await, "a");
    assert_eq!(began.elapsed(), Duration::ZERO);
    assert_eq!(running.warnings.count(), 0);
    running.end().await;
}

/// The clock is paused, and moves only while everybody waits.
#[tokio::test(start_paused = true)]
async fn an_outage_is_waited_out_without_spinning_and_said_once() {
    let began = tokio::time::Instant::now();
    let mut running = Running::start(true, [full(), full(), full(), Ok("a"), full(), Ok("b")]);
    assert_eq!(running.next().await, "a");
    assert!((300..320).contains(&began.elapsed().as_millis()), "{:?}", began.elapsed());
    // Four to get here, and one that may be under way.
    assert!((4..=5).contains(&running.calls.load(Ordering::Relaxed)));
    // A place that came free and was taken is no end of the outage.
    assert_eq!(running.next().await, "b");
    assert_eq!(running.warnings.count(), 1);
    running.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_failure_after_a_quiet_time_is_another_outage() {
    let mut running = Running::start(true, [full(), Ok("a")]);
    assert_eq!(running.next().await, "a");
    assert_eq!(running.warnings.count(), 1);
    running.end().await;
    let mut outage = Outage { since: Instant::now(), last: Instant::now(), failures: 1 };
    assert!(!outage.is_over(outage.last + QUIET - Duration::from_millis(1)));
    outage.last -= QUIET;
    assert!(outage.is_over(Instant::now()));
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_connection_of_ours_ends_the_pause() {
    let mut running = Running::start(true, [Ok("a"), full(), Ok("b")]);
    let (_, slot) = running.accepted.recv().await.unwrap();
    while running.calls.load(Ordering::Relaxed) < 2 {
        tokio::task::yield_now().await;
    }
    let began = tokio::time::Instant::now();
    drop(slot);
    assert_eq!(running.next().await, "b");
    assert_eq!(began.elapsed(), Duration::ZERO);
    running.end().await;
}

#[tokio::test]
async fn without_a_timer_a_blocking_job_keeps_the_pause() {
    let mut running = Running::start(false, [full(), Ok("a")]);
    assert_eq!(running.next().await, "a");
    assert_eq!(running.slots.open(), 0);
    running.end().await;
}

#[tokio::test]
async fn a_termination_ends_a_pause() {
    let running = Running::start(false, [full(), Ok("never reached")]);
    while running.set.len() < 2 {
        tokio::task::yield_now().await;
    }
    running.end().await;
}
