//! Panics of every callback are outcomes.

use std::borrow::Cow;
use std::convert::Infallible;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use landfall_lifecycle::{Report, SelfJoin, Shutdown, TaskSet, Terminate};
use landfall_supervise::{ChildCx, ChildSpec, Exit, StartChildError, Supervisor, SupervisorBuilder, TreeEventKind};
use tokio::sync::Notify;

use crate::harness::*;

#[track_caller]
fn panicked(result: Result<landfall_supervise::StartedChild, StartChildError>) {
    match result.unwrap_err() {
        StartChildError::Failed { cause: Exit::Panicked(message), .. } => assert_eq!(&*message, "ouch"),
        other => panic!("{other}"),
    }
}

fn ouch<T>() -> T {
    panic!("ouch")
}

#[test]
fn panics_of_factories_and_starts_are_failed_starts() {
    guarded(async {
        let tree = builder("app").start().await.unwrap();
        let worker = ChildSpec::worker("a", |_cx: ChildCx| {
            if true {
                ouch::<()>();
            }
            async {}
        });
        panicked(tree.start_child(worker.signals_ready(secs(1))).await);
        let component = ChildSpec::component("a", || {
            if true {
                ouch::<()>();
            }
            async { Ok::<_, Infallible>(TaskSet::new("a")) }
        });
        panicked(tree.start_child(component).await);
        let component = ChildSpec::component("a", || async { ouch::<Result<TaskSet, Infallible>>() });
        panicked(tree.start_child(component).await);
        let below = ChildSpec::supervisor("a", || -> SupervisorBuilder { ouch::<SupervisorBuilder>() });
        panicked(tree.start_child(below).await);
        assert_eq!(tree.which_children(), []);
        end(&tree).await;
    });
}

#[test]
fn a_panic_of_a_running_child_is_a_crash() {
    guarded(async {
        let diary = Diary::default();
        let inner = diary.clone();
        let worker = ChildSpec::worker("a", move |cx| {
            let diary = inner.clone();
            async move {
                diary.write("start a");
                if diary.read().len() == 1 {
                    panic!("ouch");
                }
                cx.token().cancelled().await;
            }
        });
        let tree = builder("app").child(worker).start().await.unwrap();
        diary.has("start a", 2).await;
        end(&tree).await;
    });
}

struct Bomb(Diary);

impl Drop for Bomb {
    fn drop(&mut self) {
        self.0.write("boom");
        panic!("boom");
    }
}

#[test]
fn a_destructor_that_panics_holds_up_nobody() {
    guarded(async {
        let diary = Diary::default();
        let inner = diary.clone();
        let worker = ChildSpec::worker("bomb", move |_cx| {
            let bomb = Bomb(inner.clone());
            async move {
                let _bomb = bomb;
                std::future::pending::<()>().await;
            }
        });
        let tree = builder("app").child(diary.worker("a")).child(worker.shutdown(secs(1))).start().await.unwrap();
        diary.has("start a", 1).await;
        let report = tokio::time::timeout(secs(60), async { tree.terminate(&within(10, 12)).await.unwrap() });
        let report = report.await.unwrap();
        assert_eq!(report.counts.stragglers, 0, "{report}");
        assert_eq!(diary.read(), ["start a", "boom", "stop a", "gone a"]);
        drop::<Supervisor>(tree);
    });
}

/// A component whose own code panics wherever it is told to.
#[derive(Default)]
struct Broken {
    begin: bool,
    ended: bool,
    /// Lets it end after all.
    gone: Arc<Notify>,
}

impl Terminate for Broken {
    fn name(&self) -> Cow<'_, str> {
        "broken".into()
    }

    fn begin_terminate(&self, _how: &Shutdown) {
        if self.begin {
            ouch::<()>();
        }
    }

    fn terminate<'a>(&'a self, how: &'a Shutdown) -> BoxFuture<'a, Result<Report, SelfJoin>> {
        self.begin_terminate(how);
        Box::pin(std::future::pending())
    }

    fn ended(&self) -> BoxFuture<'_, ()> {
        if self.ended {
            ouch::<()>();
        }
        Box::pin(self.gone.notified())
    }
}

#[test]
fn a_component_whose_ended_panics_has_crashed() {
    guarded(async {
        let tree = builder("app").start().await.unwrap();
        let mut events = tree.events();
        tree.start_child(ChildSpec::instance("broken", Broken { ended: true, ..Broken::default() })).await.unwrap();
        let report = loop {
            if let TreeEventKind::Reported(report) = events.recv().await.unwrap().unwrap().kind {
                break report;
            }
        };
        assert!(report.to_string().contains("reason: panicked: ouch"), "{report}");
        assert_eq!(tree.which_children(), []);
        end(&tree).await;
    });
}

/// It cannot be told to end, so it is stuck; it holds up neither its siblings nor the report, which names it.
#[test]
fn a_component_whose_begin_panics_is_named_in_the_report() {
    guarded(async {
        let diary = Diary::default();
        let (tree, gone) = (builder("app").child(diary.worker("a")).start().await.unwrap(), Arc::new(Notify::new()));
        let broken = Broken { begin: true, gone: Arc::clone(&gone), ..Broken::default() };
        tree.start_child(ChildSpec::instance("broken", broken)).await.unwrap();
        let how = within(1, 4);
        let report = tree.terminate(&how).await.unwrap();
        assert!(how.clock_now() <= how.abort() + secs(1));
        assert_eq!(diary.read(), ["start a", "gone a"]);
        assert!(!report.is_clean());
        assert_eq!((&*report.children[0].name, report.children[0].error.is_some()), ("broken", true));
        gone.notify_one();
        tree.ended().await;
    });
}
