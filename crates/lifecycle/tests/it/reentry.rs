//! Wakers that come back: they poll in place what waits for the end, on the very thread whose end is waited for.

use std::borrow::Cow;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::future::BoxFuture;
use landfall_lifecycle::{Reason, Report, SelfJoin, Shutdown, Stack, TaskSet, Terminate};

use crate::harness::{Watchdog, assert_clean, foreign_panics, long, multi_thread, watch_panics};

/// An executor without a queue: its waker polls.
struct InPlace<T> {
    future: Mutex<Option<Pin<Box<dyn Future<Output = T> + Send>>>>,
    wakes: AtomicUsize,
    output: Mutex<Sender<T>>,
}

impl<T: Send + 'static> InPlace<T> {
    fn run(future: impl Future<Output = T> + Send + 'static) -> Receiver<T> {
        let (sender, receiver) = mpsc::channel();
        let future = Mutex::new(Some(Box::pin(future) as _));
        let task = Arc::new(Self { future, wakes: AtomicUsize::new(0), output: Mutex::new(sender) });
        Waker::from(task).wake();
        receiver
    }

    fn poll(self: &Arc<Self>) {
        let waker = Waker::from(Arc::clone(self));
        let mut future = self.future.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = &mut *future
            && let Poll::Ready(output) = running.as_mut().poll(&mut Context::from_waker(&waker))
        {
            *future = None;
            self.output.lock().unwrap().send(output).ok();
        }
    }
}

impl<T: Send + 'static> Wake for InPlace<T> {
    fn wake(self: Arc<Self>) {
        // Who wakes while somebody polls leaves the poll to that one.
        if self.wakes.fetch_add(1, Ordering::SeqCst) > 0 {
            return;
        }
        loop {
            let seen = self.wakes.load(Ordering::SeqCst);
            self.poll();
            if self.wakes.compare_exchange(seen, 0, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
                return;
            }
        }
    }
}

/// Waits in place and on another thread, while `end` lets go of the last thing.
#[track_caller]
fn check<T: Terminate + Clone + 'static>(owner: &T, how: &Shutdown, end: impl FnOnce()) {
    let before = foreign_panics();
    let wait = |owner: T, how: Shutdown| async move { owner.terminate(&how).await };
    let in_place = InPlace::run(wait(owner.clone(), how.clone()));
    let (own, own_how) = (owner.clone(), how.clone());
    #[expect(clippy::disallowed_methods, reason = "joined below")]
    let elsewhere = std::thread::spawn(move || multi_thread().block_on(wait(own, own_how)));
    end();
    assert_clean(&in_place.recv().unwrap().unwrap());
    assert_clean(&elsewhere.join().unwrap().unwrap());
    assert_eq!(foreign_panics(), before);
}

#[test]
fn the_thread_that_keeps_the_deadlines_does_not_wait_for_itself() {
    let _watched = Watchdog::new();
    watch_panics();
    for _ in 0..100 {
        let tasks = TaskSet::new("set");
        let held = tasks.track("held", std::future::pending::<()>()).unwrap();
        check(&tasks, &long(), || drop(held));
    }
}

#[test]
fn a_thread_of_a_set_does_not_wait_for_itself() {
    let _watched = Watchdog::new();
    watch_panics();
    for _ in 0..100 {
        let tasks = TaskSet::new("set");
        let (go, wait) = mpsc::channel::<()>();
        drop(tasks.spawn_thread("thread", move |_| wait.recv().ok()).unwrap());
        check(&tasks, &long(), || drop(go));
    }
}

#[test]
fn the_thread_that_ends_a_stack_does_not_wait_for_itself() {
    let _watched = Watchdog::new();
    watch_panics();
    for _ in 0..100 {
        let (tasks, stack) = (TaskSet::new("set"), Stack::new("stack"));
        let held = tasks.track("held", std::future::pending::<()>()).unwrap();
        stack.push(tasks).unwrap();
        check(&stack, &long(), || drop(held));
    }
}

/// A component that asks its stack for a report when it is asked for its name, and panics when it is waited for.
struct Asks(Stack);

impl Terminate for Asks {
    fn name(&self) -> Cow<'_, str> {
        drop(self.0.report());
        "asks".into()
    }
    fn begin_terminate(&self, _: &Shutdown) {}
    fn terminate<'a>(&'a self, _: &'a Shutdown) -> BoxFuture<'a, Result<Report, SelfJoin>> {
        Box::pin(std::future::ready(Ok(Report::new("asks", Reason::ParentTerminating))))
    }
    fn ended(&self) -> BoxFuture<'_, ()> {
        panic!("planned")
    }
}

#[test]
fn a_component_may_ask_its_stack_and_panic_when_it_is_waited_for() {
    let _watched = Watchdog::new();
    watch_panics();
    let stack = Stack::new("stack");
    stack.push(Asks(stack.clone())).unwrap();
    stack.push(TaskSet::new("set")).unwrap();
    let again = stack.push(Asks(stack.clone())).unwrap_err();
    assert!(again.to_string().contains("\"asks\""), "{again}");
    assert_clean(&stack.terminate_blocking(&long()).unwrap());
    multi_thread().block_on(stack.ended());
}
