//! Which clock the instants of a termination are read from.

use std::time::Instant;

/// The clock that a [`Shutdown`](crate::Shutdown) counts on.
///
/// Production code never names one: [`Shutdown::within`](crate::Shutdown::within) uses the system's monotonic clock,
/// kept by a thread of this crate.
#[derive(Clone, Debug, Default)]
pub struct Clock(pub(super) Kind);

#[derive(Clone, Debug, Default)]
pub(super) enum Kind {
    #[default]
    System,
    #[cfg(feature = "test-clock")]
    Tokio(tokio::runtime::Handle),
    #[cfg(any(landfall_loom, landfall_shuttle))]
    Model(crate::sync::Arc<ModelClock>),
}

/// The clock of a model, which stands still until somebody moves it.
#[cfg(any(landfall_loom, landfall_shuttle))]
#[derive(Debug)]
pub(super) struct ModelClock {
    start: Instant,
    /// Of std: a look at a clock orders nothing.
    passed_ms: std::sync::atomic::AtomicU64,
}

impl Clock {
    /// The system's monotonic clock. The deadlines are kept by a thread, whatever the runtime does.
    #[must_use]
    pub fn system() -> Self {
        Self(Kind::System)
    }

    /// The clock of a tokio runtime, for tests with `start_paused`: the deadlines are kept by a task on that runtime
    /// and follow its paused time.
    ///
    /// While a plain thread works, a paused runtime is idle and jumps to its next timer: let tests on this clock do
    /// their blocking work through [`TaskSet::spawn_blocking`](crate::TaskSet::spawn_blocking), which holds the time
    /// still. The runtime must be driven until the termination is over: when it has gone, or is held up by a
    /// `terminate_blocking` on its only thread, nobody keeps the deadlines.
    #[cfg(feature = "test-clock")]
    #[must_use]
    pub fn tokio(runtime: &tokio::runtime::Handle) -> Self {
        Self(Kind::Tokio(runtime.clone()))
    }

    /// A clock that only [`Timekeeper::pass`](super::Timekeeper) moves.
    #[cfg(any(landfall_loom, landfall_shuttle))]
    pub(crate) fn model() -> Self {
        let clock = ModelClock { start: Instant::now(), passed_ms: 0.into() };
        Self(Kind::Model(crate::sync::Arc::new(clock)))
    }

    /// Moves the clock of a model.
    #[cfg(any(landfall_loom, landfall_shuttle))]
    pub(super) fn pass(&self, time: std::time::Duration) {
        if let Kind::Model(clock) = &self.0 {
            let ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
            clock.passed_ms.fetch_add(ms, std::sync::atomic::Ordering::SeqCst);
        }
    }

    /// What this clock shows.
    #[must_use]
    pub fn now(&self) -> Instant {
        match &self.0 {
            Kind::System => Instant::now(),
            #[cfg(feature = "test-clock")]
            Kind::Tokio(runtime) => {
                // A tokio instant is only right on its own runtime: elsewhere it lacks what was advanced.
                let _context = runtime.enter();
                tokio::time::Instant::now().into_std()
            }
            #[cfg(any(landfall_loom, landfall_shuttle))]
            Kind::Model(clock) => {
                let passed = clock.passed_ms.load(std::sync::atomic::Ordering::SeqCst);
                clock.start + std::time::Duration::from_millis(passed)
            }
        }
    }
}
