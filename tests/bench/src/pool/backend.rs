//! What the pools connect to: nothing but a few counters, so that pools are measured and no network is.

use std::error::Error;
use std::fmt::{self, Display, Formatter};
use std::future::pending;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::time::sleep;

/// A backend in this process.
#[derive(Debug, Default)]
pub(super) struct Backend {
    /// Of a hundred attempts to connect so many fail.
    failing_percent: u64,
    /// How long an attempt takes.
    delay: Duration,
    attempts: AtomicU64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    outage: Option<Outage>,
    /// Outages so far: connections of before one are dead.
    outages: u32,
    /// When each connection was opened since the last outage.
    opened: Vec<Instant>,
}

/// How a backend is away.
#[derive(Clone, Copy, Debug)]
pub(super) enum Outage {
    /// It refuses at once.
    Refusing,
    /// It never answers; an attempt that began meanwhile is lost for good.
    BlackHole,
}

/// A connection to it.
#[derive(Debug)]
pub(super) struct Connection {
    /// Set by a use that broke it; every pool is told so in the way it knows.
    pub(super) is_broken: bool,
    backend: Arc<Backend>,
    outages: u32,
}

/// Why there is no connection, or one is of no use any more.
#[derive(Debug)]
pub(super) struct Unfit;

impl Backend {
    /// One that refuses some attempts, picked at random, the same ones in each run.
    pub(super) fn failing(percent: u64) -> Self {
        Self { failing_percent: percent, ..Self::default() }
    }

    /// One that takes its time to answer.
    pub(super) fn slow(delay: Duration) -> Self {
        Self { delay, ..Self::default() }
    }

    /// What an attempt to connect comes to.
    pub(super) async fn connect(self: &Arc<Self>) -> Result<Connection, Unfit> {
        let attempt = self.attempts.fetch_add(1, Ordering::Relaxed);
        if self.failing_percent > scattered(attempt) % 100 {
            return Err(Unfit);
        }
        if !self.delay.is_zero() {
            sleep(self.delay).await;
        }
        let outages = {
            let mut state = self.state();
            match state.outage {
                None => Some(state.open()),
                Some(Outage::Refusing) => return Err(Unfit),
                Some(Outage::BlackHole) => None,
            }
        };
        let Some(outages) = outages else { return pending().await };
        Ok(Connection { is_broken: false, backend: Arc::clone(self), outages })
    }

    /// Goes away: every connection is dead.
    pub(super) fn leave(&self, how: Outage) {
        let mut state = self.state();
        state.outages += 1;
        state.outage = Some(how);
        self.attempts.store(0, Ordering::Relaxed);
    }

    /// Comes back.
    pub(super) fn come_back(&self) {
        let mut state = self.state();
        state.outage = None;
        state.opened.clear();
    }

    /// How often somebody tried to connect since the last outage began.
    pub(super) fn attempts(&self) -> u64 {
        self.attempts.load(Ordering::Relaxed)
    }

    /// When the n-th connection since the last outage was opened, if it was.
    pub(super) fn opened(&self, nth: usize) -> Option<Instant> {
        self.state().opened.get(nth.checked_sub(1)?).copied()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn open(&mut self) -> u32 {
        // Before the first outage nobody asks.
        if self.outages > 0 {
            self.opened.push(Instant::now());
        }
        self.outages
    }
}

impl Connection {
    /// What every pool's check asks: what a connection knows of itself.
    pub(super) fn check(&self) -> Result<(), Unfit> {
        if self.is_broken { Err(Unfit) } else { Ok(()) }
    }

    /// Asks the backend something; a dead connection finds out.
    pub(super) fn ask(&mut self) -> Result<(), Unfit> {
        let state = self.backend.state();
        self.is_broken |= state.outage.is_some() || state.outages != self.outages;
        drop(state);
        self.check()
    }
}

/// A number that looks random (the end of splitmix64).
fn scattered(number: u64) -> u64 {
    let mixed = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9).wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

impl Display for Unfit {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("the backend gives no connection, or this one is broken")
    }
}

impl Error for Unfit {}

/// Asked for by fast_pool, which makes its own errors of texts.
impl From<&str> for Unfit {
    fn from(_: &str) -> Self {
        Self
    }
}

/// The address for pools that want one; nobody connects to it.
pub(super) fn address() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 9).into()
}

#[cfg(test)]
mod tests {
    use futures_executor::block_on;

    use super::*;

    #[test]
    fn one_of_ten_attempts_fails() {
        let backend = Arc::new(Backend::failing(10));
        let failed = (0..1_000).filter(|_| block_on(backend.connect()).is_err()).count();
        assert!((70..130).contains(&failed), "{failed}");
    }
}
