//! A panic in every place where a user's code runs: it is an outcome, or it is the caller's own, and the set ends.
//!
//! A table for each kind of place. Not here: the calls of a stack's components and the hooks of an owner
//! ([`hooks`](crate::hooks)), a server's handlers, the report's hook and the start of a service (its process tests).
//! The clone of a waker cannot panic without unsafe code, and a panic in a thread-local's destructor ends the process
//! by std's own rule.

use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Wake, Waker};

use futures_util::FutureExt;
use landfall_lifecycle::{Outcome, Shutdown, Stack, TaskName, TaskSet, Terminate};
use tokio::runtime::Handle;
use tokio::task::LocalSet;

use crate::harness::{Alive, assert_clean, long, no_grace, on_both, until};
use crate::log;

struct PanicsInDrop;

impl Drop for PanicsInDrop {
    fn drop(&mut self) {
        panic!("planned in drop");
    }
}

/// One of the places: starts something on a set.
type Place = fn(&TaskSet);

/// Lets each place panic on a set of its own, where it must be the one panic among work that goes on.
async fn check(places: &[(&str, Place)], message: &str, in_drop: bool, how: fn() -> Shutdown) {
    for (name, start) in places {
        let tasks = TaskSet::new("set");
        let stop = tasks.token();
        tasks.spawn_closing("goes on", async move { stop.cancelled().await }).unwrap();
        start(&tasks);
        let report = tasks.terminate(&how()).await.unwrap();
        assert_clean(&report);
        let panicked: Vec<_> = report.panics().map(|found| found.item.outcome.clone()).collect();
        assert_eq!(panicked, [Outcome::Panicked { message: message.to_owned(), in_drop }], "{name}: {report}");
        assert_eq!(report.counts.drained, 1, "{name}: {report}");
    }
}

async fn panics() {
    tokio::task::yield_now().await;
    panic!("planned");
}

#[test]
fn a_panic_of_any_kind_of_work_is_an_outcome() {
    on_both(|| async {
        let places: [(&str, Place); 9] = [
            ("spawn", |tasks| {
                tasks.spawn("panics", panics()).unwrap();
            }),
            ("spawn_with_handle", |tasks| drop(tasks.spawn_with_handle("panics", panics()).unwrap())),
            ("spawn_on", |tasks| drop(tasks.spawn_on(&Handle::current(), "panics", panics()).unwrap())),
            ("spawn_local_on", |tasks| {
                let local = LocalSet::new();
                drop(tasks.spawn_local_on(&local, "panics", async { panic!("planned") }).unwrap());
                assert!(local.run_until(tokio::task::yield_now()).now_or_never().is_none());
            }),
            ("spawn_closing", |tasks| {
                tasks.spawn_closing("panics", panics()).unwrap();
            }),
            ("track", |tasks| {
                let tracked = tasks.track("panics", async { panic!("planned") }).unwrap();
                assert!(tracked.now_or_never().unwrap().is_err());
            }),
            ("child", |tasks| {
                let child = tasks.child("child").unwrap();
                child.spawn_closing("panics", async { panic!("planned") }).unwrap();
                child.begin_terminate(&long());
            }),
            ("spawn_blocking", |tasks| drop(tasks.spawn_blocking("panics", |_| panic!("planned")).unwrap())),
            ("spawn_thread", |tasks| drop(tasks.spawn_thread("panics", |_| panic!("planned")).unwrap())),
        ];
        check(&places, "planned", false, long).await;
    });
}

async fn hold<T>(_held: T) {
    std::future::pending::<()>().await;
}

#[test]
fn a_panic_in_any_destructor_of_work_is_an_outcome() {
    on_both(|| async {
        let places: [(&str, Place); 10] = [
            ("a future, aborted", |tasks| {
                tasks.spawn("panics", hold(PanicsInDrop)).unwrap();
            }),
            ("a future with a handle, aborted by it", |tasks| {
                tasks.spawn_with_handle("panics", hold(PanicsInDrop)).unwrap().abort();
            }),
            ("a local future, dropped with its local set", |tasks| {
                drop(tasks.spawn_local_on(&LocalSet::new(), "panics", hold(PanicsInDrop)).unwrap());
            }),
            ("a future, dropped by a runtime that has gone", |tasks| {
                let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                drop(tasks.spawn_on(runtime.handle(), "panics", hold(PanicsInDrop)).unwrap());
                runtime.shutdown_background();
            }),
            ("a tracked future, dropped by its holder", |tasks| {
                drop(tasks.track("panics", hold(PanicsInDrop)).unwrap());
            }),
            ("what a future captured, when it is ready", |tasks| {
                let captured = PanicsInDrop;
                // Moved in, and dropped with the future, not by its body.
                let ready = std::future::poll_fn(move |_| {
                    let _captured = &captured;
                    std::task::Poll::Ready(())
                });
                tasks.spawn_closing("panics", ready).unwrap();
            }),
            ("an output", |tasks| {
                tasks.spawn_closing("panics", async { PanicsInDrop }).unwrap();
            }),
            ("an output that its handle gives up", |tasks| {
                let (detached, is_detached) = tokio::sync::oneshot::channel::<()>();
                let captured = PanicsInDrop;
                let output = async move { (is_detached.await.ok(), captured).1 };
                drop(tasks.spawn_with_handle("panics", output).unwrap());
                drop(detached);
            }),
            ("the output of a job", |tasks| {
                let (detached, is_detached) = std::sync::mpsc::channel::<()>();
                drop(tasks.spawn_blocking("panics", move |_| (is_detached.recv().ok(), PanicsInDrop).1).unwrap());
                drop(detached);
                crate::harness::until_blocking(|| tasks.len() == 1);
            }),
            ("the output of a thread", |tasks| {
                let (detached, is_detached) = std::sync::mpsc::channel::<()>();
                drop(tasks.spawn_thread("panics", move |_| (is_detached.recv().ok(), PanicsInDrop).1).unwrap());
                drop(detached);
            }),
        ];
        check(&places, "planned in drop", true, no_grace).await;
    });
}

#[test]
fn a_panic_in_any_destructor_of_a_payload_is_survived() {
    struct PanicsAgain;
    impl Drop for PanicsAgain {
        fn drop(&mut self) {
            panic_any(PanicsInDrop);
        }
    }
    on_both(|| async {
        let places: [(&str, Place); 4] = [
            ("of a task", |tasks| {
                tasks.spawn("panics", async { panic_any(PanicsInDrop) }).unwrap();
            }),
            ("of a task, again", |tasks| {
                tasks.spawn("panics", async { panic_any(PanicsAgain) }).unwrap();
            }),
            ("of a job", |tasks| drop(tasks.spawn_blocking("panics", |_| panic_any(PanicsAgain)).unwrap())),
            ("of a thread", |tasks| drop(tasks.spawn_thread("panics", |_| panic_any(PanicsAgain)).unwrap())),
        ];
        check(&places, "panic without a text", false, long).await;
    });
}

/// A name that cannot be made.
struct Unnamed;

impl From<Unnamed> for TaskName {
    fn from(_: Unnamed) -> Self {
        panic!("planned in into");
    }
}

/// The panic is the caller's: it happens before anything of the set does.
#[test]
fn a_panic_of_a_name_leaves_no_trace() {
    on_both(|| async {
        let places: [(&str, Place); 8] = [
            ("spawn", |tasks| drop(tasks.spawn(Unnamed, async {}))),
            ("spawn_with_handle", |tasks| drop(tasks.spawn_with_handle(Unnamed, async {}))),
            ("spawn_on", |tasks| drop(tasks.spawn_on(&Handle::current(), Unnamed, async {}))),
            ("spawn_local_on", |tasks| drop(tasks.spawn_local_on(&LocalSet::new(), Unnamed, async {}))),
            ("spawn_closing", |tasks| drop(tasks.spawn_closing(Unnamed, async {}))),
            ("spawn_blocking", |tasks| drop(tasks.spawn_blocking(Unnamed, |_| ()))),
            ("spawn_thread", |tasks| drop(tasks.spawn_thread(Unnamed, |_| ()))),
            ("child", |tasks| drop(tasks.child(Unnamed))),
        ];
        for (name, start) in places {
            let tasks = TaskSet::new("set");
            assert!(catch_unwind(AssertUnwindSafe(|| start(&tasks))).is_err(), "{name}");
            assert!(tasks.is_empty(), "{name}");
            let report = tasks.terminate(&long()).await.unwrap();
            assert_eq!((report.counts, report.children.len()), (landfall_lifecycle::Counts::default(), 0), "{name}");
        }
    });
}

/// Panics when it is woken, or when the last one of it is dropped.
struct HostileWaker {
    in_wake: bool,
    in_drop: bool,
    calls: Arc<AtomicUsize>,
}

impl Wake for HostileWaker {
    fn wake(self: Arc<Self>) {
        self.calls.fetch_add(1, Ordering::SeqCst);
        assert!(!self.in_wake, "planned in wake");
    }
}

impl Drop for HostileWaker {
    fn drop(&mut self) {
        self.calls.fetch_add(1, Ordering::SeqCst);
        assert!(!self.in_drop || std::thread::panicking(), "planned in drop of a waker");
    }
}

/// Polls a future once with a waker whose last reference it then keeps.
fn poll_with(waker: HostileWaker, future: &mut (impl Future + Unpin)) {
    let waker = Waker::from(Arc::new(waker));
    assert!(future.poll_unpin(&mut Context::from_waker(&waker)).is_pending());
}

/// The waits of a set's user, each with a waker that panics.
async fn check_waits(waker: impl Fn() -> HostileWaker) {
    let how = long();
    let tasks = TaskSet::new("set");
    let mut handle = tasks.spawn_with_handle("task", std::future::pending::<()>()).unwrap();
    poll_with(waker(), &mut handle);
    let mut tracked = Box::pin(tasks.track("tracked", std::future::pending::<()>()).unwrap());
    poll_with(waker(), &mut tracked);
    let token = tasks.token();
    let mut cancelled = pin!(token.cancelled());
    poll_with(waker(), &mut cancelled);
    let (mut ended, mut call, mut over) = (tasks.ended(), tasks.terminate(&how), Box::pin(how.grace_over()));
    poll_with(waker(), &mut ended);
    poll_with(waker(), &mut over);
    poll_with(waker(), &mut call);
    how.force();
    until(|| tasks.len() <= 1).await;
    // The tracked future's own poll finds the abort; whoever holds it need not have been woken for that.
    let mut cx = Context::from_waker(Waker::noop());
    until(|| tracked.poll_unpin(&mut cx).is_ready()).await;
    let report = tasks.terminate(&long()).await.unwrap();
    assert_clean(&report);
    assert_eq!(report.counts.aborted, 2, "{report}");
    // What is kept of the hostile wakers goes with the waits, which are their user's.
    let waits = AssertUnwindSafe(|| drop((handle, ended, call)));
    drop(catch_unwind(waits));
    drop(catch_unwind(AssertUnwindSafe(|| drop(over))));
}

#[test]
fn a_waker_that_panics_when_it_is_woken_keeps_no_set_from_its_end() {
    on_both(|| async {
        let calls = Arc::new(AtomicUsize::new(0));
        check_waits(|| HostileWaker { in_wake: true, in_drop: false, calls: Arc::clone(&calls) }).await;
        assert!(calls.load(Ordering::SeqCst) >= 5);
    });
}

#[test]
fn a_waker_that_panics_when_it_is_dropped_keeps_no_set_from_its_end() {
    on_both(|| async {
        let calls = Arc::new(AtomicUsize::new(0));
        check_waits(|| HostileWaker { in_wake: false, in_drop: true, calls: Arc::clone(&calls) }).await;
        assert!(calls.load(Ordering::SeqCst) >= 5);
    });
}

/// The waker that an entry keeps is dropped when the entry leaves, which is the last thing that is done for it.
#[test]
fn a_waker_that_panics_when_the_last_entry_leaves_keeps_no_set_from_its_end() {
    on_both(|| async {
        let (tasks, calls) = (TaskSet::new("set"), Arc::new(AtomicUsize::new(0)));
        let mut tracked = Box::pin(tasks.track("tracked", std::future::pending::<()>()).unwrap());
        poll_with(HostileWaker { in_wake: false, in_drop: true, calls: Arc::clone(&calls) }, &mut tracked);
        tasks.begin_terminate(&long());
        drop(catch_unwind(AssertUnwindSafe(|| drop(tracked))));
        assert_eq!(calls.load(Ordering::SeqCst), 1);
        assert_clean(&tasks.terminate(&long()).await.unwrap());
    });
}

/// A subscriber of a user's that panics at each line about one owner.
fn panic_at_lines_with(text: &str) -> Arc<AtomicUsize> {
    log::capture();
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    log::on_line_with(text, move || {
        counted.fetch_add(1, Ordering::SeqCst);
        panic!("planned in a subscriber");
    });
    calls
}

fn flavoured(name: &str) -> String {
    format!("{name}-{:?}", Handle::current().runtime_flavor())
}

#[test]
fn a_subscriber_that_panics_at_a_task_s_panic_keeps_no_set_from_its_end() {
    on_both(|| async {
        let name = flavoured("heard-panicking");
        let calls = panic_at_lines_with(&name);
        let tasks = TaskSet::new(name);
        let stop = tasks.token();
        let panics = async move {
            stop.cancelled().await;
            panic!("planned");
        };
        tasks.spawn("panics", panics).unwrap();
        let report = tasks.terminate(&long()).await.unwrap();
        assert_eq!((report.counts.panicked, calls.load(Ordering::SeqCst)), (1, 1));
    });
}

#[test]
fn a_subscriber_that_panics_at_a_child_s_report_does_not_keep_the_end_from_the_parent() {
    on_both(|| async {
        let name = flavoured("heard-unawaited");
        let (calls, parent) = (panic_at_lines_with(&name), TaskSet::new("parent"));
        let child = parent.child(name).unwrap();
        let (stop, how) = (child.token(), long());
        child.spawn("drains", async move { stop.cancelled().await }).unwrap();
        child.begin_terminate(&how);
        let report = parent.terminate(&how).await.unwrap();
        assert_clean(&report);
        assert_eq!(calls.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn a_subscriber_that_panics_at_the_drop_of_a_set_does_not_spare_its_tasks() {
    on_both(|| async {
        let name = flavoured("heard-dropped");
        let (calls, tasks, alive) = (panic_at_lines_with(&name), TaskSet::new(name), Alive::default());
        tasks.spawn("deaf", hold(alive.guard())).unwrap();
        drop(tasks);
        until(|| alive.count() == 0).await;
        assert_eq!(calls.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn a_subscriber_that_panics_at_the_drop_of_a_stack_does_not_spare_its_tasks() {
    on_both(|| async {
        let name = flavoured("heard-dropped-stack");
        let (calls, stack, alive) = (panic_at_lines_with(&name), Stack::new(name), Alive::default());
        let tasks = TaskSet::new("set");
        tasks.spawn("deaf", hold(alive.guard())).unwrap();
        stack.push(tasks).unwrap();
        drop(stack);
        until(|| alive.count() == 0).await;
        assert_eq!(calls.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn a_subscriber_that_panics_at_a_waker_s_panic_keeps_no_set_from_its_end() {
    struct NamedWaker(String);
    impl Wake for NamedWaker {
        fn wake(self: Arc<Self>) {
            panic!("planned in wake of {}", self.0);
        }
    }
    on_both(|| async {
        let name = flavoured("heard-waker");
        let (calls, tasks) = (panic_at_lines_with(&name), TaskSet::new("set"));
        let mut tracked = Box::pin(tasks.track("tracked", std::future::pending::<()>()).unwrap());
        let waker = Waker::from(Arc::new(NamedWaker(name)));
        assert!(tracked.as_mut().poll_unpin(&mut Context::from_waker(&waker)).is_pending());
        tasks.spawn("deaf", std::future::pending::<()>()).unwrap();
        tokio::task::yield_now().await;
        tasks.begin_terminate(&no_grace());
        until(|| tasks.len() == 1).await;
        drop(tracked);
        assert_eq!(tasks.terminate(&no_grace()).await.unwrap().counts.aborted, 2);
        assert_eq!(calls.load(Ordering::SeqCst), 1);
    });
}
