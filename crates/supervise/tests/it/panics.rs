//! Panics of every callback are outcomes.

use std::borrow::Cow;
use std::convert::Infallible;
use std::error::Error;
use std::fmt::{self, Display, Formatter};
use std::sync::Arc;

use futures_util::future::BoxFuture;
use landfall_lifecycle::{Report, SelfJoin, Shutdown, TaskSet, Terminate};
use landfall_supervise::{
    ChildCx, ChildSpec, EndCause, Exit, IntoExit, StartChildError, Supervisor, SupervisorBuilder, Template,
    TreeEventKind,
};
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
pub(crate) struct Broken {
    begin: bool,
    ended: bool,
    /// Lets it end after all.
    gone: Arc<Notify>,
}

impl Broken {
    /// One that panics nowhere, and ends when it is let.
    pub(crate) fn that_ends_when(gone: &Arc<Notify>) -> Self {
        Self { gone: Arc::clone(gone), ..Self::default() }
    }
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

/// An error that cannot even be shown, and that panics when it is dropped.
#[derive(Debug)]
struct Unspeakable;

impl Display for Unspeakable {
    fn fmt(&self, _f: &mut Formatter<'_>) -> fmt::Result {
        ouch()
    }
}

impl Error for Unspeakable {}

impl Drop for Unspeakable {
    fn drop(&mut self) {
        ouch()
    }
}

/// Reports, answers and comparisons show it; the supervisor does not fall.
#[test]
fn an_error_whose_text_and_destructor_panic_is_an_error_like_others() {
    guarded(async {
        let fails = || ChildSpec::worker("fails", |_cx| async { Err::<(), _>(Unspeakable) }).signals_ready(secs(1));
        let below = move || Supervisor::builder("below").child(fails());
        let started = builder("app").child(ChildSpec::supervisor("below", below)).start().await;
        let error = started.unwrap_err();
        assert!(error.to_string().contains("failed to start child fails"), "{error}");
        drop(error);
        // As the reason of a restart, and as an answer to a stop, of several instances.
        let answers = Template::worker("answers", |cx, kick: Arc<Notify>| async move {
            tokio::select! {
                () = kick.notified() => {}
                () = cx.token().cancelled_owned() => {}
            }
            Err::<(), _>(Unspeakable)
        });
        let tree = builder("app").intensity(3, secs(5)).template(answers).start().await.unwrap();
        let mut events = tree.supervisor().events();
        let kick = Arc::new(Notify::new());
        for _ in 0..3 {
            tree.start_child(Arc::clone(&kick)).await.unwrap();
        }
        kick.notify_one();
        while !matches!(events.recv().await.unwrap().unwrap().kind, TreeEventKind::Reported(_)) {}
        assert_eq!(tree.supervisor().end_cause(), None);
        end(&tree).await;
        assert_eq!(tree.supervisor().end_cause(), Some(EndCause::Terminated));
    });
}

/// What a child gives to a caller, and nobody takes, is dropped by the supervisor.
#[test]
fn a_gift_whose_destructor_panics_makes_nobody_fall() {
    guarded(async {
        let diary = Diary::default();
        let inner = diary.clone();
        let worker = ChildSpec::worker("a", move |cx| {
            let diary = inner.clone();
            async move {
                for _ in 0..2 {
                    cx.ready_with(Bomb(diary.clone()));
                }
                cx.token().cancelled().await;
            }
        });
        let tree = builder("app").child(worker.signals_ready(secs(1))).start().await.unwrap();
        diary.has("boom", 2).await;
        let sibling = tree.start_child(diary.worker("b")).await.unwrap();
        assert!(sibling.instance.is_some());
        end(&tree).await;
        assert_eq!(tree.end_cause(), Some(EndCause::Terminated));
    });
}

/// A component whose looks at itself panic.
struct Shy(TaskSet);

impl Terminate for Shy {
    fn name(&self) -> Cow<'_, str> {
        ouch()
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

    fn report(&self) -> Option<Report> {
        ouch()
    }

    fn calling_task(&self) -> Option<String> {
        ouch()
    }
}

impl Drop for Shy {
    fn drop(&mut self) {
        ouch()
    }
}

#[test]
fn a_component_whose_name_report_and_destructor_panic_ends_with_the_others() {
    guarded(async {
        let diary = Diary::default();
        let tree = builder("app").child(diary.worker("a")).start().await.unwrap();
        tree.start_child(ChildSpec::instance("shy", Shy(TaskSet::new("shy")))).await.unwrap();
        diary.has("start a", 1).await;
        drop(tree.terminate(&within(5, 6)).await.unwrap());
        assert_eq!(tree.end_cause(), Some(EndCause::Terminated));
        assert_eq!(diary.read(), ["start a", "stop a", "gone a"]);
    });
}

/// What a worker's output becomes is a user's code too.
#[test]
fn a_conversion_that_panics_is_a_crash() {
    struct Converts;
    impl IntoExit for Converts {
        fn into_exit(self) -> Option<Exit> {
            ouch()
        }
    }
    guarded(async {
        let tree = builder("app").start().await.unwrap();
        let worker = ChildSpec::worker("a", |_cx| async { Converts });
        panicked(tree.start_child(worker.signals_ready(secs(1))).await);
        end(&tree).await;
    });
}

#[test]
fn panics_while_children_are_made_from_arguments_are_failed_starts() {
    /// Cannot be cloned.
    struct Unique;
    impl Clone for Unique {
        fn clone(&self) -> Self {
            ouch()
        }
    }
    guarded(async {
        let template = Template::worker("a", |_cx, _unique: Unique| async {}).signals_ready(secs(1));
        let tree = builder("app").template(template).start().await.unwrap();
        panicked(tree.start_child(Unique).await);
        assert_eq!(tree.supervisor().which_children(), []);
        end(&tree).await;
    });
}
