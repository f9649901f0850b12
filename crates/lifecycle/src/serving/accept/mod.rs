//! The accept loop: who is let in, and what happens when the system has no room.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::{BoxFuture, Either, select};
use hyper::rt::Timer;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::slots::{Slot, Slots};
use crate::task_set::WeakTaskSet;

/// Longest pause between two tries while the system has no room for a connection.
const RETRY_AFTER: Duration = Duration::from_millis(100);
/// How often a pause that a blocking job keeps looks for the stop.
const STOP_CHECKED_EVERY: Duration = Duration::from_millis(5);
/// An outage is over when there was no failure for this long: while connections trickle in as others end, one would
/// begin and end many times a second.
const QUIET: Duration = Duration::from_secs(5);

/// Where connections come from; tests put one of their own here.
pub(super) trait Listen: Send + 'static {
    type Stream: Send;
    /// Cancel safe: a dropped wait loses no connection.
    fn accept(&mut self) -> impl Future<Output = io::Result<(Self::Stream, SocketAddr)>> + Send;
}

impl Listen for TcpListener {
    type Stream = TcpStream;
    async fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
        TcpListener::accept(self).await
    }
}

/// Accepts until it is stopped, and hands each connection on; owns the listener, which is closed when this is dropped.
pub(super) struct AcceptLoop<L, C> {
    pub(super) listener: L,
    pub(super) connect: C,
    pub(super) slots: Arc<Slots>,
    pub(super) stop: CancellationToken,
    pub(super) pauses: Pauses,
    pub(super) state: State,
}

/// What the loop waits for.
///
/// | from | event | to |
/// |---|---|---|
/// | `Accepting` | failed | `Paused`, and one warning |
/// | `Paused` | pause over | `Retrying` |
/// | `Retrying` | failed | `Paused`, and a warning if it was quiet before |
/// | `Retrying` | accepted, and quiet | `Accepting` |
pub(super) enum State {
    /// A connection, once there is a place for it.
    Accepting,
    /// The end of a pause after a failure that is not one connection's.
    Paused(Outage, BoxFuture<'static, ()>),
    /// A connection, to see whether the outage is over.
    Retrying(Outage),
}

/// A time in which hardly anybody could be let in.
#[derive(Clone, Copy)]
pub(super) struct Outage {
    since: Instant,
    last: Instant,
    failures: u64,
}

enum Event<S> {
    Stop,
    Accepted(S, SocketAddr),
    Failed(io::Error),
    PauseOver,
}

impl<L, C> AcceptLoop<L, C>
where
    L: Listen,
    C: FnMut(L::Stream, SocketAddr, Slot) + Send,
{
    pub(super) async fn run(mut self) {
        loop {
            match self.next_event().await {
                Event::Stop => return,
                // It came in the poll that did not see the stop yet; it ends as those in the backlog do.
                Event::Accepted(..) if self.stop.is_cancelled() => return,
                Event::Accepted(stream, peer) => {
                    self.accepted();
                    (self.connect)(stream, peer, self.slots.take());
                }
                Event::Failed(error) if is_of_one_connection(&error) => debug!(%error, "accept passed over"),
                // The reactor is gone, so no event will come any more; this task is about to be dropped.
                Event::Failed(error) if tokio::runtime::is_rt_shutdown_err(&error) => return,
                Event::Failed(error) => self.failed(&error),
                Event::PauseOver => self.retry(),
            }
        }
    }

    async fn next_event(&mut self) -> Event<L::Stream> {
        let Self { listener, slots, stop, state, .. } = self;
        let work = async {
            if let State::Paused(_, pause) = state {
                pause.await;
                return Event::PauseOver;
            }
            slots.free().await;
            match listener.accept().await {
                Ok((stream, peer)) => Event::Accepted(stream, peer),
                Err(error) => Event::Failed(error),
            }
        };
        // Stop first: a flood of connections must not delay termination.
        match select(pin!(stop.cancelled()), pin!(work)).await {
            Either::Left(_) => Event::Stop,
            Either::Right((event, _)) => event,
        }
    }

    fn failed(&mut self, error: &io::Error) {
        let now = self.pauses.now();
        let outage = match self.state {
            State::Paused(outage, _) | State::Retrying(outage) if !outage.is_over(now) => {
                Outage { last: now, failures: outage.failures + 1, ..outage }
            }
            _ => {
                warn!(%error, connections = self.slots.open(), "accepting pauses");
                Outage { since: now, last: now, failures: 1 }
            }
        };
        self.state = State::Paused(outage, self.pauses.pause(Arc::clone(&self.slots)));
    }

    fn retry(&mut self) {
        if let State::Paused(outage, _) = self.state {
            self.state = State::Retrying(outage);
        }
    }

    fn accepted(&mut self) {
        let now = self.pauses.now();
        if let State::Retrying(outage) = self.state
            && outage.is_over(now)
        {
            info!(elapsed = ?outage.last.duration_since(outage.since), failures = outage.failures, "accepting goes on");
            self.state = State::Accepting;
        }
    }
}

impl Outage {
    fn is_over(&self, now: Instant) -> bool {
        now.duration_since(self.last) >= QUIET
    }
}

/// Whether the failure took one client's connection and nothing else (Linux: accept(2) passes on errors that the new
/// socket had pending). Trying again at once cannot spin: each try takes a connection off the queue.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(
        error.kind(),
        Kind::ConnectionAborted
            | Kind::ConnectionRefused
            | Kind::ConnectionReset
            | Kind::BrokenPipe
            | Kind::HostUnreachable
            | Kind::Interrupted
            | Kind::NetworkDown
            | Kind::NetworkUnreachable
            | Kind::PermissionDenied
            | Kind::TimedOut
    )
}

/// How the pauses of an outage are measured.
pub(super) struct Pauses {
    pub(super) timer: Option<Arc<dyn Timer + Send + Sync>>,
    /// Where a blocking job keeps the time if there is no timer.
    pub(super) set: WeakTaskSet,
}

impl Pauses {
    fn now(&self) -> Instant {
        self.timer.as_ref().map_or_else(Instant::now, |timer| timer.now())
    }

    /// Ends when a connection of ours has ended, which may be what the system lacked, at the latest after
    /// [`RETRY_AFTER`].
    fn pause(&self, slots: Arc<Slots>) -> BoxFuture<'static, ()> {
        let delay = self.delay();
        Box::pin(async move {
            select(pin!(slots.one_ended()), delay).await;
        })
    }

    fn delay(&self) -> BoxFuture<'static, ()> {
        if let Some(timer) = &self.timer {
            return Box::pin(timer.sleep(RETRY_AFTER));
        }
        let job = self.set.upgrade().and_then(|set| {
            set.spawn_blocking("accept pause", |stop: &CancellationToken| {
                let until = Instant::now() + RETRY_AFTER;
                while !stop.is_cancelled() && Instant::now() < until {
                    std::thread::sleep(STOP_CHECKED_EVERY);
                }
            })
            .ok()
        });
        match job {
            Some(job) => Box::pin(async move {
                // However the job ended: it is time to try again.
                _ = job.await;
            }),
            // Not even a thread can be had: try again when the other tasks had their turn.
            None => Box::pin(tokio::task::yield_now()),
        }
    }
}

#[cfg(test)]
mod tests;
