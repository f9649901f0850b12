//! Models of the thread that keeps the instants. The model plays the clock.

use std::time::{Duration, Instant};

use super::{Timekeeper, Watched};
use crate::block_on::block_on;
use crate::explore::explore;
use crate::shutdown::clock::Clock;
use crate::sync::{Arc, Condvar, Mutex};

const HOUR: Duration = Duration::from_secs(3_600);

/// Rings once, at its time.
#[derive(Default)]
struct Ring {
    rung: Mutex<usize>,
    changed: Condvar,
}

impl Watched for Ring {
    fn on_due(self: Arc<Self>, at: Instant, now: Instant) -> Option<Instant> {
        if now < at {
            return Some(at);
        }
        *self.rung.lock() += 1;
        self.changed.notify_all();
        None
    }
}

impl Ring {
    fn heard(&self) {
        let mut rung = self.rung.lock();
        while *rung == 0 {
            rung = self.changed.wait(rung);
        }
        assert_eq!(*rung, 1);
    }
}

/// The time comes while the thread looks, goes to sleep or sleeps; then it ends and is joined.
#[test]
fn a_watch_is_called_at_its_time_and_the_thread_is_joined() {
    explore(|| {
        let timekeeper = Arc::new(Timekeeper::new(Clock::model()));
        let ring = Arc::new(Ring::default());
        timekeeper.watch(timekeeper.now() + HOUR, Arc::clone(&ring) as _).unwrap();
        timekeeper.pass(HOUR);
        ring.heard();
        block_on(timekeeper.settle());
        assert!(timekeeper.is_joined());
    });
}

/// An earlier one comes while the thread looks at its queue, then goes to sleep for the later one.
#[test]
fn an_earlier_watch_is_not_slept_through() {
    explore(|| {
        let timekeeper = Arc::new(Timekeeper::new(Clock::model()));
        let (early, late) = (Arc::new(Ring::default()), Arc::new(Ring::default()));
        let last = timekeeper.watch(timekeeper.now() + HOUR, Arc::clone(&late) as _).unwrap();
        timekeeper.watch(timekeeper.now(), Arc::clone(&early) as _).unwrap();
        early.heard();
        timekeeper.unwatch(last);
        block_on(timekeeper.settle());
        assert!(timekeeper.is_joined());
        assert_eq!(*late.rung.lock(), 0);
    });
}

/// The last watch goes while the thread looks: it must not sleep on, nor may anybody wait for it in vain.
#[test]
fn the_thread_ends_with_the_last_watch() {
    explore(|| {
        let timekeeper = Arc::new(Timekeeper::new(Clock::model()));
        let ring = Arc::new(Ring::default());
        let watch = timekeeper.watch(timekeeper.now() + HOUR, Arc::clone(&ring) as _).unwrap();
        timekeeper.unwatch(watch);
        block_on(timekeeper.settle());
        assert!(timekeeper.is_joined());
    });
}
