//! The check inside of one process: what is left of a watched set is named, what is left of others is counted.

use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use landfall_lifecycle::leak_check::{Kind, Leak, LeakCheck};
use landfall_lifecycle::{Shutdown, TaskSet, Terminate};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

/// Long enough for everything that goes by itself, on a busy machine too.
const LONG: Duration = Duration::from_secs(60);
/// What is left for ever is left after this.
const SHORT: Duration = Duration::from_millis(50);

fn here() -> LeakCheck {
    LeakCheck::on(&Handle::current()).settle(SHORT)
}

#[expect(clippy::disallowed_methods, reason = "it is what is to be found; the runtime's end drops it")]
fn foreign<F: Future<Output = ()> + Send + 'static>(future: F) {
    drop(tokio::spawn(future));
}

/// A job that has begun, and goes on until it is released.
async fn held_job(set: &TaskSet, held: Receiver<()>) {
    let (begun, has_begun) = tokio::sync::oneshot::channel();
    let job = move |_: &CancellationToken| {
        begun.send(()).unwrap();
        held.recv().unwrap_or_default();
    };
    set.spawn_blocking("hash", job).unwrap();
    has_begun.await.unwrap();
}

async fn one_leak(check: LeakCheck) -> Leak {
    let leaks = check.finish().await.unwrap_err();
    assert_eq!(leaks.leaks.len(), 1, "{leaks}");
    assert!(leaks.settled >= SHORT, "{leaks}");
    leaks.leaks[0].clone()
}

#[tokio::test]
async fn a_task_that_is_left_in_a_set_is_named_with_its_place() {
    let check = here();
    let set = TaskSet::new("parent");
    let child = set.child("child").unwrap();
    let (check, line) = (check.watch(&set), line!() + 1);
    child.spawn("pump", std::future::pending::<()>()).unwrap();
    let leak = one_leak(check).await;
    assert_eq!((leak.kind, leak.name.as_str()), (Kind::Task, "pump"));
    assert_eq!(leak.place, Some(format!("{}:{line}", file!())));
    assert!(leak.age.is_some() && leak.detail == "task of \"child\"", "{leak:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_blocking_job_that_goes_on_is_named() {
    let set = TaskSet::new("set");
    let check = here().watch(&set);
    let (release, held) = channel::<()>();
    held_job(&set, held).await;
    drop(set.terminate(&Shutdown::now()).await.unwrap());
    let leak = one_leak(check).await;
    assert_eq!((leak.kind, leak.name.as_str()), (Kind::BlockingJob, "hash"));
    assert!(leak.place.unwrap().starts_with(file!()));
    drop(release);
}

#[tokio::test]
async fn a_thread_of_a_set_is_named() {
    let set = TaskSet::new("set");
    let check = here().watch(&set);
    let (release, held) = channel::<()>();
    set.spawn_thread("reader", move |_: &CancellationToken| held.recv().unwrap_or_default()).unwrap();
    let leak = one_leak(check).await;
    assert_eq!((leak.kind, leak.name.as_str(), leak.detail.as_str()), (Kind::Thread, "reader", "thread of \"set\""));
    drop(release);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_of_nobody_is_counted_beside_those_of_a_set() {
    foreign(std::future::pending());
    let set = TaskSet::new("set");
    let check = here().watch(&set);
    for _ in 0..2 {
        foreign(std::future::pending());
    }
    set.spawn("ours", std::future::pending::<()>()).unwrap();
    let leaks = check.finish().await.unwrap_err();
    let names: Vec<_> = leaks.leaks.iter().map(|leak| (leak.kind, leak.name.as_str())).collect();
    assert_eq!(names, [(Kind::Task, "ours"), (Kind::Task, "2 foreign tasks")], "{leaks}");
}

#[tokio::test]
async fn a_task_that_ends_within_the_budget_is_no_leak() {
    let check = here().settle(LONG);
    foreign(async {
        for _ in 0..1_000 {
            tokio::task::yield_now().await;
        }
    });
    check.finish().await.unwrap();
}

/// Tokio's count of tasks lags behind their joins.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_found_in_300_rounds_of_tasks_that_end() {
    for round in 0..300 {
        let set = TaskSet::new("set");
        let check = here().settle(LONG).watch(&set);
        let token = set.token();
        for _ in 0..20 {
            let token = token.clone();
            set.spawn("task", async move { token.cancelled().await }).unwrap();
            foreign(async {});
        }
        let job = set.spawn_blocking("job", |_: &CancellationToken| 1).unwrap();
        let report = set.terminate(&Shutdown::within(LONG, LONG)).await.unwrap();
        assert!(report.is_clean(), "{report}");
        assert_eq!(job.await, Ok(1));
        check.finish().await.unwrap_or_else(|leaks| panic!("round {round}: {leaks}"));
    }
}

/// Waiting for what is left must not let the hour pass, after which this task ends.
#[tokio::test(start_paused = true)]
async fn a_paused_clock_stands_still_while_it_looks() {
    let check = here();
    let began = tokio::time::Instant::now();
    foreign(tokio::time::sleep(Duration::from_secs(3_600)));
    let wall = Instant::now();
    assert_eq!(one_leak(check).await.name, "1 foreign task");
    assert_eq!(began.elapsed(), Duration::ZERO);
    assert!(wall.elapsed() >= SHORT);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_may_finish_its_own_check() {
    let set = TaskSet::new("set");
    // It is one of the runtime's tasks itself, before and after.
    let checks = async {
        let check = here();
        foreign(std::future::pending());
        one_leak(check).await
    };
    assert_eq!(set.spawn_with_handle("checks", checks).unwrap().await.unwrap().name, "1 foreign task");
}

#[tokio::test]
async fn what_is_ignored_is_shown_with_its_reason() {
    let set = TaskSet::new("set");
    let check = here().watch(&set).ignore(Kind::Task, "beat", "it ends with the process");
    set.spawn("heartbeat", std::future::pending::<()>()).unwrap();
    check.finish().await.unwrap();

    let check = here().watch(&set).ignore(Kind::Task, "beat", "it ends with the process");
    set.spawn("other", std::future::pending::<()>()).unwrap();
    let leaks = check.finish().await.unwrap_err();
    assert_eq!((leaks.leaks.len(), leaks.ignored.len()), (1, 1), "{leaks}");
    assert!(leaks.to_string().contains("because it ends with the process"), "{leaks}");

    let check = here().watch(&set).ignore(Kind::Task, "beat", "").ignore(Kind::Task, "other", "it is not asked for");
    let leak = one_leak(check).await;
    assert!(leak.name == "heartbeat" && leak.detail.contains("without a reason"), "{leak}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_owner_that_has_not_ended_is_a_leak_and_its_stragglers_are_named() {
    let set = TaskSet::new("set");
    let leak = one_leak(here().watch_owner(set.clone())).await;
    assert!(leak.kind == Kind::Remnant && leak.name == "set" && leak.detail.contains("has not ended"), "{leak}");

    let (release, held) = channel::<()>();
    held_job(&set, held).await;
    let check = here().watch_owner(set.clone());
    drop(set.terminate(&Shutdown::now()).await.unwrap());
    let leak = one_leak(check).await;
    assert_eq!((leak.kind, leak.name.as_str()), (Kind::BlockingJob, "hash"));

    drop(release);
    here().settle(LONG).watch_owner(set).finish().await.unwrap();
}
