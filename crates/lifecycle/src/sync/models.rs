//! Models of the wake for all.

use std::pin::pin;
use std::sync::atomic::AtomicBool;
use std::task::{Context, Wake, Waker};

use super::{Arc, Mutex, Notify, thread};
use crate::block_on::block_on;
use crate::explore::{PLANNED, explore};
use crate::model::Bell;
use crate::panics::contain;

/// Changes the flag, then wakes; the others wait for the flag as all of the crate does.
fn wait_for(flag: &Mutex<bool>, notify: &Notify) {
    block_on(async {
        loop {
            let changed = notify.notified();
            if *flag.lock() {
                return;
            }
            changed.await;
        }
    });
}

#[test]
fn every_waiter_is_woken() {
    explore(|| {
        let shared = Arc::new((Mutex::new(false), Notify::default()));
        let waiters: Vec<_> = (0..2)
            .map(|_| {
                let shared = Arc::clone(&shared);
                thread::spawn(move || wait_for(&shared.0, &shared.1))
            })
            .collect();
        *shared.0.lock() = true;
        shared.1.notify_all();
        for waiter in waiters {
            waiter.join().unwrap();
        }
    });
}

#[test]
fn a_waiter_that_stops_takes_no_other_with_it() {
    explore(|| {
        let shared = Arc::new((Mutex::new(false), Notify::default()));
        let stays = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || wait_for(&shared.0, &shared.1))
        };
        {
            let (_bell, waker) = Bell::new();
            let mut leaves = pin!(shared.1.notified());
            assert!(leaves.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        }
        *shared.0.lock() = true;
        shared.1.notify_all();
        stays.join().unwrap();
    });
}

struct Panics(AtomicBool);

impl Wake for Panics {
    fn wake(self: Arc<Self>) {
        self.0.store(true, std::sync::atomic::Ordering::SeqCst);
        std::panic::panic_any(PLANNED);
    }
}

/// Tokio's `Notify` may leave out others of the batch.
#[test]
fn a_waker_that_panics_costs_no_other_its_wake() {
    explore(|| {
        let notify = Arc::new(Notify::default());
        let panics = Arc::new(Panics(AtomicBool::new(false)));
        let mut first = pin!(notify.notified());
        assert!(first.as_mut().poll(&mut Context::from_waker(&Waker::from(Arc::clone(&panics)))).is_pending());
        let (bell, waker) = Bell::new();
        let mut second = pin!(notify.notified());
        let notifies = {
            let notify = Arc::clone(&notify);
            // A panic that comes through ends nothing here: what counts is who was woken.
            thread::spawn(move || contain(|| notify.notify_all()).is_ok())
        };
        let is_ready = second.as_mut().poll(&mut Context::from_waker(&waker)).is_ready();
        let is_contained = notifies.join().unwrap();
        assert!(panics.0.load(std::sync::atomic::Ordering::SeqCst));
        assert!(is_contained, "the panic came through");
        assert!(is_ready || bell.rings() == 1, "the second waiter was left out");
    });
}

/// Wakes nobody; the last of it panics.
struct PanicsInDrop;

impl Wake for PanicsInDrop {
    fn wake(self: Arc<Self>) {}
}

impl Drop for PanicsInDrop {
    fn drop(&mut self) {
        std::panic::panic_any(PLANNED);
    }
}

/// It is dropped by whoever wakes, or by whoever waits on with another one.
#[test]
fn a_waker_whose_destructor_panics_costs_nobody_a_wake() {
    explore(|| {
        let notify = Arc::new(Notify::default());
        let mut waits = pin!(notify.notified());
        let panics = Waker::from(Arc::new(PanicsInDrop));
        assert!(waits.as_mut().poll(&mut Context::from_waker(&panics)).is_pending());
        // From here on the wait has the last of it.
        drop(panics);
        let notifies = {
            let notify = Arc::clone(&notify);
            thread::spawn(move || contain(|| notify.notify_all()).is_ok())
        };
        let (bell, waker) = Bell::new();
        let polled = contain(|| waits.as_mut().poll(&mut Context::from_waker(&waker)).is_ready());
        let is_contained = notifies.join().unwrap();
        assert!(is_contained && polled.is_ok(), "the panic came through");
        assert!(polled == Ok(true) || bell.rings() == 1, "who waits was left out");
    });
}
