//! `HyperExecutor` by itself.

use hyper::rt::Executor;
use landfall_lifecycle::serving::HyperExecutor;
use landfall_lifecycle::{TaskSet, Terminate};
use tokio::sync::oneshot;

use super::in_time;

#[tokio::test]
async fn a_future_runs_on_the_set_under_the_executor_s_name() {
    let set = TaskSet::new("set");
    let (release, released) = oneshot::channel::<()>();
    HyperExecutor::new(&set, "stream").execute(async { released.await.unwrap() });
    let names: Vec<_> = set.live().into_iter().map(|task| task.name.to_string()).collect();
    assert_eq!(names, ["stream"]);
    release.send(()).unwrap();
    assert!(set.terminate(&in_time()).await.unwrap().is_clean());
}

#[tokio::test]
async fn a_refused_future_is_dropped_where_hyper_calls() {
    let set = TaskSet::new("set");
    let executor = HyperExecutor::new(&set, "stream");
    let _ = set.terminate(&in_time()).await.unwrap();
    let (held, mut gone) = oneshot::channel::<()>();
    executor.execute(async move { drop(held) });
    gone.try_recv().unwrap_err();
    assert!(gone.is_terminated());
}

#[tokio::test]
async fn an_executor_does_not_keep_its_set() {
    let set = TaskSet::new("set");
    let (executor, weak) = (HyperExecutor::new(&set, "stream"), set.downgrade());
    let (held, gone) = oneshot::channel::<()>();
    // A task of the set that holds its own executor, as hyper's do.
    let inside = executor.clone();
    executor.execute(async move {
        let _held = (held, inside);
        std::future::pending::<()>().await;
    });
    drop(set);
    gone.await.unwrap_err();
    assert!(weak.upgrade().is_none());
    executor.execute(async { unreachable!("the set is gone") });
}
