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
        }
    }
}
