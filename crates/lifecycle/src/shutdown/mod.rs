//! Why and until when an owner terminates: two instants, made once and passed down.

mod clock;
mod reason;
mod sleep;
mod timekeeper;

use std::pin::pin;
use std::time::{Duration, Instant};

use futures_util::future::{Either, select};
use tokio_util::sync::CancellationToken;

pub use clock::Clock;
pub use reason::Reason;
pub use sleep::SleepUntil;
pub(crate) use timekeeper::{Timekeeper, WatchId, Watched, probe};

use crate::sync::Arc;

/// Longest time a [`Shutdown`] may be given; longer ones are taken as this: 365 days.
const WITHIN_MAX: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// How an owner is to terminate: until when its work may end by itself, and when everything left is aborted.
///
/// It holds two absolute instants. Until *grace* ends, work drains. Then what has not ended is aborted, in order, each
/// owner within its share of the time. At the *abort instant* order ends too: everything left is aborted at once, and
/// the report follows at the latest one second later.
///
/// A shutdown is made once, at the root, and passed down by reference. All its clones share one *tree*: one thread
/// that keeps the deadlines (made when first needed, joined before the termination returns) and one
/// [`force`](Self::force) switch. Instants are only ever tightened: by [`capped`](Self::capped) for a child, by an
/// earlier deadline of another caller, by force.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use landfall_lifecycle::{Reason, Shutdown};
///
/// // 20 s to drain, 2 s more for cleanup and for aborting in order.
/// let how = Shutdown::within(Duration::from_secs(20), Duration::from_secs(22)).because(Reason::Signal(15));
/// assert!(how.grace() < how.abort());
/// ```
#[derive(Clone, Debug)]
pub struct Shutdown {
    timekeeper: Arc<Timekeeper>,
    grace: Instant,
    abort: Instant,
    reason: Reason,
    /// How many owners above this one wait for its report.
    depth: u32,
}

impl Shutdown {
    /// Lets grace end after `grace` and puts the abort instant `abort` from now.
    ///
    /// An `abort` below `grace` is raised to it. Either is cut to 365 days, so that no duration overflows.
    #[must_use]
    pub fn within(grace: Duration, abort: Duration) -> Self {
        Self::within_on(Clock::system(), grace, abort)
    }

    /// As [`within`](Self::within), counted on another clock.
    #[must_use]
    pub fn within_on(clock: Clock, grace: Duration, abort: Duration) -> Self {
        let now = clock.now();
        let grace = now + grace.min(WITHIN_MAX);
        let abort = (now + abort.min(WITHIN_MAX)).max(grace);
        Self { timekeeper: Arc::new(Timekeeper::new(clock)), grace, abort, reason: Reason::Requested, depth: 0 }
    }

    /// Lets both instants be over already: everything is aborted at once.
    #[must_use]
    pub fn now() -> Self {
        Self::within(Duration::ZERO, Duration::ZERO)
    }

    /// Names the reason, for logs and the report. It is [`Reason::Requested`] unless said otherwise.
    #[must_use]
    pub fn because(mut self, reason: Reason) -> Self {
        self.reason = reason;
        self
    }

    /// The same shutdown with grace ending at most `grace` from now, for a child that gets a share of the time.
    #[must_use]
    pub fn capped(&self, grace: Duration) -> Self {
        let cap = self.timekeeper.now() + grace.min(WITHIN_MAX);
        Self { grace: self.grace.min(cap), ..self.clone() }
    }

    /// When grace ends, unless it is forced before.
    #[must_use]
    pub fn grace(&self) -> Instant {
        self.grace
    }

    /// When everything left is aborted.
    #[must_use]
    pub fn abort(&self) -> Instant {
        self.abort
    }

    /// Why.
    #[must_use]
    pub fn reason(&self) -> &Reason {
        &self.reason
    }

    /// What the clock of this shutdown shows now.
    #[must_use]
    pub fn clock_now(&self) -> Instant {
        self.timekeeper.now()
    }

    /// Ends grace now for everything that terminates by this shutdown or a clone of it.
    ///
    /// The time between grace and the abort instant is kept: the abort instant moves forward with grace. Meant for the
    /// second signal. Idempotent.
    ///
    /// A shutdown that joined a termination begun by another one, and whose instants are later than that one's, is heard
    /// while somebody awaits `terminate` with it, not after a mere `begin_terminate`. Of shutdowns that came with ever
    /// earlier instants, the latest four are heard.
    pub fn force(&self) {
        self.timekeeper.force();
    }

    /// Whether [`force`](Self::force) was called.
    #[must_use]
    pub fn is_forced(&self) -> bool {
        self.timekeeper.forced_at().is_some()
    }

    /// Waits until the clock of this shutdown shows `at`.
    ///
    /// It is kept by the thread that keeps the deadlines, so it needs no runtime and no timer of one. If no thread can
    /// be made it is ready at once.
    pub fn sleep_until(&self, at: Instant) -> SleepUntil {
        SleepUntil::new(Arc::clone(&self.timekeeper), at)
    }

    /// Waits until grace ends, at its instant or by force.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: dropping it forgets the wait and nothing else.
    pub fn grace_over(&self) -> impl Future<Output = ()> + Send + use<> {
        let (timekeeper, at) = (Arc::clone(&self.timekeeper), self.grace);
        async move {
            let forced = timekeeper.forced();
            let sleep = SleepUntil::new(timekeeper, at);
            select(pin!(forced.cancelled()), sleep).await;
        }
    }

    /// Waits until the abort instant.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: dropping it forgets the wait and nothing else.
    pub fn abort_reached(&self) -> impl Future<Output = ()> + Send + use<> {
        let how = self.clone();
        async move {
            let forced = how.forced();
            // Force moves the abort instant, so it is looked at before the old instant.
            if let Either::Right(_) = select(pin!(forced.cancelled()), how.sleep_until(how.abort)).await {
                return;
            }
            how.sleep_until(how.with_force().abort).await;
        }
    }

    /// The same shutdown with both instants over.
    pub(crate) fn at_once(&self) -> Self {
        let now = self.timekeeper.now();
        self.until(now, now)
    }

    /// The same shutdown with these instants where they are earlier.
    pub(crate) fn until(&self, grace: Instant, abort: Instant) -> Self {
        Self { grace: self.grace.min(grace), abort: self.abort.min(abort), ..self.clone() }
    }

    /// The same shutdown with the instants that hold if it was forced.
    pub(crate) fn with_force(&self) -> Self {
        match self.timekeeper.forced_at() {
            Some(at) if at < self.grace => self.until(at, at + (self.abort - self.grace)),
            _ => self.clone(),
        }
    }

    /// The same shutdown for what the owner owns and reports on.
    pub(crate) fn below(self) -> Self {
        Self { depth: self.depth.saturating_add(1), ..self }
    }

    pub(crate) fn depth(&self) -> u32 {
        self.depth
    }

    pub(crate) fn timekeeper(&self) -> &Arc<Timekeeper> {
        &self.timekeeper
    }

    /// The token behind [`force`](Self::force), to be awaited.
    pub(crate) fn forced(&self) -> CancellationToken {
        self.timekeeper.forced()
    }
}
