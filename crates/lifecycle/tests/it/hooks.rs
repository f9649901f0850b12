//! Users' code that panics where the ending calls it: the ending goes on.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Wake};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use landfall_lifecycle::{Ending, Owner, Phase, Reason, Report, SelfJoin, Shutdown, Stack, TaskSet, Terminate};

use crate::harness::{Alive, assert_clean, long, no_grace, on_both, until};

struct PanickingWaker;

impl Wake for PanickingWaker {
    fn wake(self: Arc<Self>) {
        panic!("planned in wake");
    }
}

#[test]
fn a_panicking_waker_of_ended_does_not_stop_the_begin() {
    on_both(|| async {
        let tasks = TaskSet::new("set");
        tasks.spawn("deaf", std::future::pending::<()>()).unwrap();
        let mut ended = tasks.ended();
        let waker = Arc::new(PanickingWaker).into();
        assert!(ended.poll_unpin(&mut Context::from_waker(&waker)).is_pending());
        tasks.begin_terminate(&Shutdown::now());
        assert!(tasks.phase() > Phase::Running);
        assert_clean(&tasks.terminate(&long()).await.unwrap());
    });
}

#[test]
fn a_panicking_waker_of_ended_does_not_keep_the_end_from_the_parent() {
    on_both(|| async {
        let parent = TaskSet::new("parent");
        let child = parent.child("child").unwrap();
        let stop = child.token();
        child.spawn("drains", async move { stop.cancelled().await }).unwrap();
        // It waits from the begin on, so it is the end that wakes it.
        let how = long();
        let (let_go, held) = tokio::sync::oneshot::channel::<()>();
        child.spawn("holds", async move { drop(held.await) }).unwrap();
        child.begin_terminate(&how);
        let mut ended = child.ended();
        let waker = Arc::new(PanickingWaker).into();
        assert!(ended.poll_unpin(&mut Context::from_waker(&waker)).is_pending());
        drop(let_go);
        assert_clean(&parent.terminate(&how).await.unwrap());
    });
}

/// An owner whose hooks panic as often as they are called.
#[derive(Default)]
struct Panicky {
    ending: Ending,
    calls: AtomicUsize,
}

impl Panicky {
    fn panic(&self) -> ! {
        self.calls.fetch_add(1, Ordering::SeqCst);
        panic!("planned in a hook");
    }
}

impl Owner for Panicky {
    fn name(&self) -> Cow<'_, str> {
        "panicky".into()
    }
    fn ending(&self) -> &Ending {
        &self.ending
    }
    fn on_begin(self: &Arc<Self>, _: &Shutdown) {
        self.panic();
    }
    fn on_tighten(self: &Arc<Self>, _: &Shutdown) {
        self.panic();
    }
    fn on_grace_over(self: &Arc<Self>) {
        self.panic();
    }
    fn on_abort(self: &Arc<Self>) {
        self.panic();
    }
    fn fill(&self, _: &mut Report) {}
    fn calling_task(&self) -> Option<String> {
        None
    }
}

#[test]
fn hooks_that_panic_do_not_stop_the_stages() {
    on_both(|| async {
        let owner = Arc::new(Panicky::default());
        let report = Ending::terminate(Arc::clone(&owner), Shutdown::now()).await.unwrap();
        assert_eq!(report.name, "panicky");
        // Begin, end of grace, abort.
        assert_eq!(owner.calls.load(Ordering::SeqCst), 3);
    });
}

/// A component all of whose calls panic once it has been pushed.
#[derive(Default)]
struct Hostile {
    names: AtomicUsize,
}

impl Terminate for Hostile {
    fn name(&self) -> Cow<'_, str> {
        // Asked for once, when it is pushed.
        assert!(self.names.fetch_add(1, Ordering::SeqCst) == 0, "planned in name");
        "hostile".into()
    }
    fn begin_terminate(&self, _: &Shutdown) {
        panic!("planned in begin_terminate");
    }
    fn terminate<'a>(&'a self, _: &'a Shutdown) -> BoxFuture<'a, Result<Report, SelfJoin>> {
        panic!("planned in terminate");
    }
    fn ended(&self) -> BoxFuture<'_, ()> {
        panic!("planned in ended");
    }
    fn report(&self) -> Option<Report> {
        panic!("planned in report");
    }
}

#[test]
fn a_component_all_of_whose_calls_panic_ends_up_in_the_report() {
    on_both(|| async {
        let stack = Stack::new("stack");
        stack.push(TaskSet::new("storage")).unwrap();
        stack.push(Hostile::default()).unwrap();
        let report = stack.terminate(&long()).await.unwrap();
        assert!(report.children[0].error.as_deref().unwrap().contains("planned in terminate"), "{report}");
        assert!(report.children[1].is_clean(), "{report}");
        assert_eq!(report.reason, Reason::Requested);
    });
}

/// An owner whose report cannot be made.
#[derive(Default)]
struct Unreported(Ending);

impl Owner for Unreported {
    fn name(&self) -> Cow<'_, str> {
        "unreported".into()
    }
    fn ending(&self) -> &Ending {
        &self.0
    }
    fn on_begin(self: &Arc<Self>, _: &Shutdown) {
        Ending::finish(self);
    }
    fn on_tighten(self: &Arc<Self>, _: &Shutdown) {}
    fn on_grace_over(self: &Arc<Self>) {}
    fn on_abort(self: &Arc<Self>) {}
    fn fill(&self, _: &mut Report) {
        panic!("planned in fill");
    }
    fn calling_task(&self) -> Option<String> {
        None
    }
}

#[test]
fn an_owner_that_panics_when_it_reports_ends_with_an_error() {
    on_both(|| async {
        let owner = Arc::new(Unreported::default());
        let report = Ending::terminate(Arc::clone(&owner), long()).await.unwrap();
        assert_eq!(report.error.as_deref(), Some("panicked while it reported: planned in fill"));
        assert!(!report.is_clean());
        Ending::ended(owner).await;
    });
}

/// A component that ends, and panics where it is asked who calls and where it is dropped.
struct PanicsAside(TaskSet);

impl Terminate for PanicsAside {
    fn name(&self) -> Cow<'_, str> {
        self.0.name().into()
    }
    fn begin_terminate(&self, how: &Shutdown) {
        self.0.begin_terminate(how);
    }
    fn terminate<'a>(&'a self, how: &'a Shutdown) -> BoxFuture<'a, Result<Report, SelfJoin>> {
        self.0.terminate(how)
    }
    fn ended(&self) -> BoxFuture<'_, ()> {
        self.0.ended()
    }
    fn calling_task(&self) -> Option<String> {
        panic!("planned in calling_task");
    }
}

impl Drop for PanicsAside {
    fn drop(&mut self) {
        panic!("planned in drop of a component");
    }
}

#[test]
fn a_component_that_panics_where_it_is_asked_who_calls_and_where_it_is_dropped_ends() {
    on_both(|| async {
        let (stack, alive) = (Stack::new("stack"), Alive::default());
        for name in ["lower", "upper"] {
            let (tasks, guard) = (TaskSet::new(name), alive.guard());
            tasks.spawn("deaf", async move { (std::future::pending::<()>().await, guard).1 }).unwrap();
            stack.push(PanicsAside(tasks)).unwrap();
        }
        let report = stack.terminate(&no_grace()).await.unwrap();
        assert_clean(&report);
        assert_eq!(alive.count(), 0);
    });
}

#[test]
fn a_dropped_stack_whose_components_panic_when_they_are_dropped_aborts_them_all() {
    on_both(|| async {
        let (stack, alive) = (Stack::new("stack"), Alive::default());
        for name in ["lower", "upper"] {
            let (tasks, guard) = (TaskSet::new(name), alive.guard());
            tasks.spawn("deaf", async move { (std::future::pending::<()>().await, guard).1 }).unwrap();
            stack.push(PanicsAside(tasks)).unwrap();
        }
        drop(stack);
        until(|| alive.count() == 0).await;
    });
}
