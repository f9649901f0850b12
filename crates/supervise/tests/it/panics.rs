//! Panics of every callback are outcomes.

use std::convert::Infallible;

use landfall_lifecycle::TaskSet;
use landfall_supervise::{ChildCx, ChildSpec, Exit, StartChildError, Supervisor, SupervisorBuilder};

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

#[tokio::test(start_paused = true)]
async fn panics_of_factories_and_starts_are_failed_starts() {
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
}

#[tokio::test(start_paused = true)]
async fn a_panic_of_a_running_child_is_a_crash() {
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
}

struct Bomb(Diary);

impl Drop for Bomb {
    fn drop(&mut self) {
        self.0.write("boom");
        panic!("boom");
    }
}

#[tokio::test(start_paused = true)]
async fn a_destructor_that_panics_holds_up_nobody() {
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
    let report = tokio::time::timeout(secs(60), async {
        landfall_lifecycle::Terminate::terminate(&tree, &within(10, 12)).await.unwrap()
    });
    let report = report.await.unwrap();
    assert_eq!(report.counts.stragglers, 0, "{report}");
    assert_eq!(diary.read(), ["start a", "boom", "stop a", "gone a"]);
    drop::<Supervisor>(tree);
}
