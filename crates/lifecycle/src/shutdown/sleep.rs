//! A wait that the timekeeper ends, independent of any runtime.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use super::{Timekeeper, WatchId, Watched};
use crate::panics::dispose;
use crate::sync::{Arc, Mutex};

/// A wait until an instant of a [`Shutdown`](crate::Shutdown)'s clock. Made by
/// [`Shutdown::sleep_until`](crate::Shutdown::sleep_until).
#[derive(Debug)]
#[must_use = "a wait does nothing unless polled"]
pub struct SleepUntil {
    timekeeper: Arc<Timekeeper>,
    at: Instant,
    alarm: Option<(WatchId, Arc<Alarm>)>,
}

/// What the timekeeper rings.
#[derive(Debug, Default)]
struct Alarm(Mutex<Ring>);

#[derive(Debug, Default)]
enum Ring {
    #[default]
    Unarmed,
    Armed(Waker),
    Rung,
}

impl Watched for Alarm {
    fn on_due(self: Arc<Self>, at: Instant, now: Instant) -> Option<Instant> {
        if now < at {
            return Some(at);
        }
        let before = std::mem::replace(&mut *self.0.lock(), Ring::Rung);
        if let Ring::Armed(waker) = before {
            waker.wake();
        }
        None
    }
}

impl SleepUntil {
    pub(super) fn new(timekeeper: Arc<Timekeeper>, at: Instant) -> Self {
        Self { timekeeper, at, alarm: None }
    }
}

impl Future for SleepUntil {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.timekeeper.now() >= self.at {
            return Poll::Ready(());
        }
        if self.alarm.is_none() {
            let alarm = Arc::new(Alarm::default());
            let Ok(id) = self.timekeeper.watch(self.at, Arc::clone(&alarm) as Arc<dyn Watched>) else {
                return Poll::Ready(());
            };
            self.alarm = Some((id, alarm));
        }
        let Some((_, alarm)) = &self.alarm else { return Poll::Ready(()) };
        let waker = cx.waker().clone();
        let mut ring = alarm.0.lock();
        if matches!(*ring, Ring::Rung) {
            return Poll::Ready(());
        }
        let before = std::mem::replace(&mut *ring, Ring::Armed(waker));
        drop(ring);
        dispose(before);
        Poll::Pending
    }
}

impl Drop for SleepUntil {
    fn drop(&mut self) {
        if let Some((id, _)) = self.alarm.take() {
            self.timekeeper.unwatch(id);
        }
    }
}
