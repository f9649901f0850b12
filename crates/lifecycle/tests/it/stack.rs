//! A stack ends its components in reverse order, and goes on past those that do not end.

use std::borrow::Cow;
use std::sync::{Arc, Mutex};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use landfall_lifecycle::{Level, Phase, PushErrorKind, Reason, Report, SelfJoin, Shutdown, Stack, TaskSet, Terminate};

use crate::harness::{Alive, Watchdog, assert_clean, long, no_grace, on_both, until};
use crate::log;

type Events = Arc<Mutex<Vec<String>>>;

/// What its calls are answered with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Manner {
    Ends,
    PanicsInBegin,
    PanicsInTerminate,
    NeverReturns,
    SaysSelfJoin,
}

/// A component that notes what it is told.
struct Component {
    name: &'static str,
    manner: Manner,
    events: Events,
}

impl Component {
    fn new(name: &'static str, manner: Manner, events: &Events) -> Self {
        Self { name, manner, events: Arc::clone(events) }
    }

    fn note(&self, what: &str) {
        self.events.lock().unwrap().push(format!("{} {what}", self.name));
    }
}

impl Terminate for Component {
    fn name(&self) -> Cow<'_, str> {
        self.name.into()
    }

    fn begin_terminate(&self, _: &Shutdown) {
        self.note("told");
        assert!(self.manner != Manner::PanicsInBegin, "planned");
    }

    fn terminate<'a>(&'a self, how: &'a Shutdown) -> BoxFuture<'a, Result<Report, SelfJoin>> {
        async move {
            self.note("begins");
            match self.manner {
                Manner::NeverReturns => std::future::pending().await,
                Manner::PanicsInTerminate => panic!("planned"),
                Manner::SaysSelfJoin => return Err(SelfJoin::new(self.name, "task")),
                Manner::Ends | Manner::PanicsInBegin => {}
            }
            self.note("ended");
            Ok(Report::new(self.name, how.reason().clone()))
        }
        .boxed()
    }

    fn ended(&self) -> BoxFuture<'_, ()> {
        match self.manner {
            Manner::PanicsInTerminate => std::future::ready(()).boxed(),
            _ => std::future::pending().boxed(),
        }
    }
}

fn noted(events: &Events) -> Vec<String> {
    events.lock().unwrap().clone()
}

fn names(report: &Report) -> Vec<&str> {
    report.children.iter().map(|child| &*child.name).collect()
}

/// A set with a task that notes when it drains.
fn set(name: &'static str, events: &Events) -> TaskSet {
    let tasks = TaskSet::new(name);
    let (stop, events) = (tasks.token(), Arc::clone(events));
    tasks
        .spawn("task", async move {
            stop.cancelled().await;
            tokio::task::yield_now().await;
            events.lock().unwrap().push(format!("{name} drained"));
        })
        .unwrap();
    tasks
}

/// Case 29: in reverse order.
#[test]
fn the_last_pushed_ends_first() {
    on_both(|| async {
        let (stack, events) = (Stack::new("stack"), Events::default());
        for name in ["storage", "workers", "listener"] {
            stack.push(set(name, &events)).unwrap();
        }
        let report = stack.terminate(&long()).await.unwrap();
        assert_clean(&report);
        assert_eq!(noted(&events), ["listener drained", "workers drained", "storage drained"]);
        assert_eq!(names(&report), ["listener", "workers", "storage"]);
        assert!(report.children.iter().all(|child| child.reason == Reason::ParentTerminating));
        assert!(report.children.is_sorted_by_key(|child| child.began_after));
        let again = stack.terminate(&Shutdown::now()).await.unwrap();
        assert_eq!(again.to_string(), report.to_string());
    });
}

/// Whether the first of two sets is not yet told to finish while the second drains.
async fn the_first_is_up_while_the_second_drains(push: impl FnOnce(&Stack, TaskSet, TaskSet)) -> bool {
    let (stack, first, second) = (Stack::new("stack"), TaskSet::new("first"), TaskSet::new("second"));
    let (told, stop) = (first.token(), second.token());
    let drains = async move {
        stop.cancelled().await;
        !told.is_cancelled()
    };
    let drains = second.spawn_with_handle("drains", drains).unwrap();
    push(&stack, first, second);
    assert_clean(&stack.terminate(&long()).await.unwrap());
    drains.await.unwrap()
}

#[test]
fn what_was_pushed_before_is_up_while_what_was_pushed_later_drains() {
    on_both(|| async {
        let is_up = the_first_is_up_while_the_second_drains(|stack, first, second| {
            stack.push(first).unwrap();
            stack.push(second).unwrap();
        });
        assert!(is_up.await);
    });
}

#[test]
fn the_check_of_order_finds_fault_with_what_ends_all_at_once() {
    on_both(|| async {
        let is_up = the_first_is_up_while_the_second_drains(|stack, first, second| {
            stack.push_level(Level::of(first).and(second)).unwrap();
        });
        assert!(!is_up.await);
    });
}

#[test]
fn the_components_of_a_level_end_together() {
    on_both(|| async {
        let (stack, events) = (Stack::new("stack"), Events::default());
        stack.push(Component::new("storage", Manner::Ends, &events)).unwrap();
        // Each of the two drains only once the other has been asked to.
        let (left, right) = (TaskSet::new("left"), TaskSet::new("right"));
        for (tasks, other) in [(&left, right.token()), (&right, left.token())] {
            tasks.spawn("waits for the other", async move { other.cancelled().await }).unwrap();
        }
        stack.push_level(Level::of(left).and(right)).unwrap();
        let report = stack.terminate(&long()).await.unwrap();
        assert_clean(&report);
        assert_eq!(names(&report), ["left", "right", "storage"]);
        assert!(report.children.iter().all(|child| child.counts.aborted == 0));
    });
}

#[test]
fn a_component_that_fails_is_reported_and_the_others_end() {
    on_both(|| async {
        for (manner, error) in [
            (Manner::PanicsInTerminate, "panicked while it terminated: planned"),
            (Manner::SaysSelfJoin, "task \"task\" waits for the termination of its own owner \"bad\""),
        ] {
            let (stack, events) = (Stack::new("stack"), Events::default());
            stack.push(set("storage", &events)).unwrap();
            stack.push(Component::new("bad", manner, &events)).unwrap();
            let report = stack.terminate(&long()).await.unwrap();
            assert!(!report.is_clean());
            assert!(report.children[0].error.as_deref().unwrap().contains(error), "{report}");
            let mut events = noted(&events);
            // After its panic it is told in the other way.
            events.retain(|event| event != "bad told");
            assert_eq!(events, ["bad begins", "storage drained"]);
        }
    });
}

#[test]
fn the_abort_instant_reaches_every_level_at_once() {
    on_both(|| async {
        let (stack, events, how) = (Stack::new("stack"), Events::default(), no_grace());
        let storage = TaskSet::new("storage");
        let alive = Alive::default();
        let guard = alive.guard();
        storage
            .spawn_closing("goodbye", async move {
                let _guard = guard;
                std::future::pending::<()>().await;
            })
            .unwrap();
        stack.push(storage.clone()).unwrap();
        stack.push(Component::new("panics", Manner::PanicsInBegin, &events)).unwrap();
        stack.push(Component::new("stuck", Manner::NeverReturns, &events)).unwrap();
        stack.begin_terminate(&how);
        until(|| noted(&events) == ["stuck begins"]).await;
        assert_eq!(storage.phase(), Phase::Running);
        // The others wait their turn, until there are no turns any more.
        stack.begin_terminate(&Shutdown::now());
        until(|| alive.count() == 0).await;
        let events = noted(&events);
        assert!(events.contains(&"stuck told".to_owned()) && events.contains(&"panics told".to_owned()), "{events:?}");
        until(|| storage.phase() == Phase::Terminated).await;
        let report = stack.report();
        assert!(!report.is_clean());
        assert_eq!(report.children[0].error.as_deref(), Some("has not reported"));
    });
}

#[test]
fn force_ends_the_grace_of_every_level_in_order() {
    on_both(|| async {
        let (stack, how) = (Stack::new("stack"), long());
        let sets: Vec<_> = ["storage", "workers", "listener"].map(TaskSet::new).into();
        for tasks in &sets {
            tasks.spawn("deaf", std::future::pending::<()>()).unwrap();
            stack.push(tasks.clone()).unwrap();
        }
        stack.begin_terminate(&how);
        until(|| sets[2].phase() == Phase::Draining).await;
        assert_eq!(sets[1].phase(), Phase::Running);
        how.force();
        let report = stack.terminate(&how).await.unwrap();
        assert_clean(&report);
        assert_eq!(names(&report), ["listener", "workers", "storage"]);
        assert!(report.children.iter().all(|child| child.counts.aborted == 1));
    });
}

#[test]
fn another_caller_tightens_what_has_begun_and_what_has_not() {
    on_both(|| async {
        let stack = Stack::new("stack");
        let (lower, upper) = (TaskSet::new("lower"), TaskSet::new("upper"));
        for tasks in [&lower, &upper] {
            tasks.spawn("deaf", std::future::pending::<()>()).unwrap();
            stack.push(tasks.clone()).unwrap();
        }
        stack.begin_terminate(&long());
        until(|| upper.phase() == Phase::Draining).await;
        assert_eq!(lower.phase(), Phase::Running);
        let report = stack.terminate(&no_grace()).await.unwrap();
        assert_clean(&report);
        assert!(report.children.iter().all(|child| child.counts.aborted == 1));
    });
}

#[test]
fn names_differ_and_nothing_is_pushed_after_the_begin() {
    on_both(|| async {
        let stack = Stack::new("stack");
        stack.push(TaskSet::new("a")).unwrap();
        let refused = stack.push(TaskSet::new("a")).unwrap_err();
        assert_eq!(refused.kind, PushErrorKind::NameTaken { name: "a".to_owned() });
        assert_eq!(refused.level.names(), ["a"]);
        let refused = stack.push_level(Level::of(TaskSet::new("b")).and(TaskSet::new("b"))).unwrap_err();
        assert_eq!(refused.kind, PushErrorKind::NameTaken { name: "b".to_owned() });
        stack.push_level(refused.level).unwrap_err();
        assert_eq!(names(&stack.terminate(&long()).await.unwrap()), ["a"]);
        let refused = stack.push(TaskSet::new("late")).unwrap_err();
        assert_eq!(refused.kind, PushErrorKind::Terminating);
        assert_eq!(refused.to_string(), r#"["late"] was not pushed on the stack "stack": it terminates"#);
    });
}

#[test]
fn stacks_nest() {
    on_both(|| async {
        let (outer, inner, events) = (Stack::new("outer"), Stack::new("inner"), Events::default());
        inner.push(set("first", &events)).unwrap();
        inner.push(set("second", &events)).unwrap();
        outer.push(set("lowest", &events)).unwrap();
        outer.push(inner).unwrap();
        let report = outer.terminate(&long()).await.unwrap();
        assert_clean(&report);
        assert_eq!(noted(&events), ["second drained", "first drained", "lowest drained"]);
        assert_eq!(names(&report), ["inner", "lowest"]);
        assert_eq!(names(&report.children[0]), ["second", "first"]);
    });
}

#[test]
fn the_drop_of_the_last_handle_aborts_all_with_one_warning() {
    log::capture();
    on_both(|| async {
        let name = format!("stack-dropped-{:?}", tokio::runtime::Handle::current().runtime_flavor());
        let (stack, alive) = (Stack::new(name.clone()), Alive::default());
        for part in ["first", "second"] {
            let (tasks, guard) = (TaskSet::new(format!("{part} of {name}")), alive.guard());
            let task = async move {
                let _guard = guard;
                std::future::pending::<()>().await;
            };
            tasks.spawn("deaf", task).unwrap();
            stack.push(tasks).unwrap();
        }
        drop(stack.clone());
        assert_eq!(alive.count(), 2);
        drop(stack);
        until(|| alive.count() == 0).await;
        let warnings = log::warnings_with(&name);
        assert_eq!(warnings.len(), 1, "{warnings:?}");
    });
}

#[test]
fn a_stack_ends_without_a_runtime_and_an_empty_one_at_once() {
    let _watched = Watchdog::new();
    let (stack, events) = (Stack::new("stack"), Events::default());
    stack.push(Component::new("lower", Manner::Ends, &events)).unwrap();
    stack.push(Component::new("upper", Manner::Ends, &events)).unwrap();
    assert_clean(&stack.terminate_blocking(&long()).unwrap());
    assert_eq!(noted(&events), ["upper begins", "upper ended", "lower begins", "lower ended"]);
    assert_clean(&Stack::new("empty").terminate_blocking(&Shutdown::now()).unwrap());
}

#[test]
fn a_stack_nobody_awaits_ends() {
    on_both(|| async {
        let (stack, events) = (Stack::new("stack"), Events::default());
        stack.push(set("lower", &events)).unwrap();
        stack.push(set("upper", &events)).unwrap();
        stack.begin_terminate(&long());
        drop(stack);
        until(|| noted(&events) == ["upper drained", "lower drained"]).await;
    });
}
