//! The test clock: hours pass in no time, and in the right order.

use std::future::Future;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use landfall_lifecycle::{Clock, Level, Phase, Report, SelfJoin, Shutdown, Stack, TaskSet, Terminate};
use tokio::runtime::{Builder, Handle};
use tokio::sync::{mpsc, oneshot};
use tokio::task::LocalSet;
use tokio::time::Instant;

use crate::harness::{Hold, Watchdog, assert_clean};

const HOUR: Duration = Duration::from_secs(3_600);

#[track_caller]
fn on_paused<F: Future<Output = ()>>(body: impl FnOnce() -> F) {
    let _watched = Watchdog::new();
    Builder::new_current_thread().enable_all().start_paused(true).build().unwrap().block_on(body());
}

fn within(grace: Duration, abort: Duration) -> Shutdown {
    Shutdown::within_on(Clock::tokio(&Handle::current()), grace, abort)
}

#[test]
fn hours_of_grace_pass_at_once_and_exactly() {
    on_paused(|| async {
        let (tasks, began) = (TaskSet::new("set"), Instant::now());
        tasks.spawn("deaf", std::future::pending::<()>()).unwrap();
        let report = tasks.terminate(&within(5 * HOUR, 6 * HOUR)).await.unwrap();
        assert_clean(&report);
        assert_eq!(report.counts.aborted, 1);
        assert!(began.elapsed() >= 5 * HOUR && began.elapsed() < 5 * HOUR + Duration::from_secs(1));
        assert!(report.took >= 5 * HOUR && report.took < 5 * HOUR + Duration::from_secs(1), "{:?}", report.took);
    });
}

#[test]
fn cleanup_is_aborted_at_the_abort_instant() {
    on_paused(|| async {
        let (tasks, began) = (TaskSet::new("set"), Instant::now());
        tasks.spawn_closing("stuck goodbye", std::future::pending::<()>()).unwrap();
        let how = within(HOUR, 2 * HOUR);
        tasks.begin_terminate(&how);
        how.grace_over().await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(tasks.phase(), Phase::Aborting);
        assert_eq!(tasks.terminate(&how).await.unwrap().counts.aborted, 1);
        assert!(began.elapsed() >= 2 * HOUR && began.elapsed() < 2 * HOUR + Duration::from_secs(1));
    });
}

#[test]
fn work_that_fits_into_the_grace_drains() {
    on_paused(|| async {
        let tasks = TaskSet::new("set");
        tasks.spawn("sleeps", tokio::time::sleep(HOUR - Duration::from_secs(1))).unwrap();
        tasks.spawn("oversleeps", tokio::time::sleep(HOUR + Duration::from_secs(1))).unwrap();
        let report = tasks.terminate(&within(HOUR, 2 * HOUR)).await.unwrap();
        assert_eq!((report.counts.drained, report.counts.aborted), (1, 1));
    });
}

/// Case 24: a paused clock stands still while a job of the runtime works.
#[test]
fn grace_is_kept_while_blocking_work_runs() {
    on_paused(|| async {
        let tasks = TaskSet::new("set");
        drop(
            tasks
                .spawn_blocking("works", |token| {
                    while !token.is_cancelled() {
                        std::thread::yield_now();
                    }
                    for _ in 0..10_000 {
                        std::thread::yield_now();
                    }
                })
                .unwrap(),
        );
        let report = tasks.terminate(&within(Duration::from_secs(30), Duration::from_secs(31))).await.unwrap();
        assert_clean(&report);
        assert_eq!((report.counts.drained, report.counts.never_started), (1, 0));
        assert!(report.took < Duration::from_secs(30));
    });
}

#[test]
fn a_straggler_is_reported_within_a_second_of_the_abort_instant() {
    on_paused(|| async {
        let (tasks, local) = (TaskSet::new("set"), LocalSet::new());
        drop(tasks.spawn_local_on(&local, "not driven", std::future::pending::<()>()).unwrap());
        let how = within(HOUR, 2 * HOUR);
        let report = tasks.terminate(&how).await.unwrap();
        assert_eq!(report.counts.stragglers, 1);
        assert!(how.clock_now() >= how.abort() && how.clock_now() <= how.abort() + Duration::from_secs(1));
        drop(local);
        assert_clean(&tasks.terminate(&how).await.unwrap());
    });
}

/// Never ends, however it is asked.
struct Stuck(&'static str);

impl Terminate for Stuck {
    fn name(&self) -> std::borrow::Cow<'_, str> {
        self.0.into()
    }
    fn begin_terminate(&self, _: &Shutdown) {}
    fn terminate<'a>(&'a self, _: &'a Shutdown) -> BoxFuture<'a, Result<Report, SelfJoin>> {
        std::future::pending().boxed()
    }
    fn ended(&self) -> BoxFuture<'_, ()> {
        std::future::pending().boxed()
    }
}

/// When a level below a stuck one was begun, and when the stack's report came.
async fn below_a_stuck_level(share: Option<Duration>, how: &Shutdown) -> (Duration, Duration) {
    let (stack, began) = (Stack::new("stack"), Instant::now());
    stack.push(TaskSet::new("lower")).unwrap();
    let level = Level::of(Stuck("stuck"));
    stack.push_level(share.into_iter().fold(level, Level::share)).unwrap();
    let report = stack.terminate(how).await.unwrap();
    assert_eq!(report.children[0].error.as_deref(), Some("has not reported"), "{report}");
    (report.children[1].began_after, began.elapsed())
}

#[test]
fn a_stuck_level_holds_up_the_next_for_its_part_of_the_time_only() {
    on_paused(|| async {
        let (begun, ended) = below_a_stuck_level(None, &within(10 * HOUR, 12 * HOUR)).await;
        assert!(begun >= 11 * HOUR && begun < 11 * HOUR + Duration::from_secs(1), "{begun:?}");
        assert!(ended >= 12 * HOUR && ended <= 12 * HOUR + Duration::from_secs(1), "{ended:?}");
    });
}

#[test]
fn force_on_a_paused_clock_takes_no_time() {
    on_paused(|| async {
        let (tasks, began, how) = (TaskSet::new("set"), Instant::now(), within(HOUR, 2 * HOUR));
        tasks.spawn("deaf", std::future::pending::<()>()).unwrap();
        tasks.begin_terminate(&how);
        how.force();
        assert_eq!(tasks.terminate(&how).await.unwrap().counts.aborted, 1);
        assert!(began.elapsed() < Duration::from_secs(1));
    });
}

#[test]
fn a_share_ends_a_level_s_grace_before_the_others_is_over() {
    on_paused(|| async {
        let (begun, _) = below_a_stuck_level(Some(3 * HOUR), &within(10 * HOUR, 12 * HOUR)).await;
        // Its part of the time between grace and the abort instant is one of two hours.
        assert!(begun >= 4 * HOUR && begun < 4 * HOUR + Duration::from_secs(1), "{begun:?}");
    });
}

/// Case 20: a call that comes an hour after the end gets the same report, at once.
#[test]
fn a_call_an_hour_after_the_end_gets_the_same_report_at_once() {
    on_paused(|| async {
        let tasks = TaskSet::new("set");
        tasks.spawn("deaf", std::future::pending::<()>()).unwrap();
        let first = tasks.terminate(&within(HOUR, 2 * HOUR)).await.unwrap();
        tokio::time::sleep(HOUR).await;
        let asked = Instant::now();
        let again = tasks.terminate(&within(HOUR, 2 * HOUR)).await.unwrap();
        assert_eq!(asked.elapsed(), Duration::ZERO);
        assert_eq!((again.to_string(), again.took), (first.to_string(), first.took));
    });
}

/// Case 24: a paused runtime does not see a plain thread's work, as the clock's documentation says.
#[test]
fn a_plain_thread_does_not_hold_a_paused_clock() {
    on_paused(|| async {
        let (tasks, (hold, _release)) = (TaskSet::new("set"), Hold::new());
        let holds = hold.clone();
        drop(tasks.spawn_thread("works", move |_| holds.block()).unwrap());
        hold.wait_entered(1);
        let how = within(HOUR, 2 * HOUR);
        // The abort instant comes though the thread has had no time to work in.
        let report = tasks.terminate(&how).await.unwrap();
        assert_eq!(report.counts.stragglers, 1, "{report}");
        assert!(how.clock_now() >= how.abort());
        hold.release();
        tasks.ended().await;
        assert_clean(&tasks.terminate(&how).await.unwrap());
    });
}

/// Case 29: what is pushed first is up while what is pushed later drains, and ends in time though that hangs.
#[test]
fn a_database_answers_while_a_worker_drains_and_ends_though_another_hangs() {
    on_paused(|| async {
        let (stack, began) = (Stack::new("stack"), Instant::now());
        let (database, worker, local) = (TaskSet::new("database"), TaskSet::new("worker"), LocalSet::new());
        let (ask, mut asked) = mpsc::channel::<oneshot::Sender<&str>>(1);
        // Not the worker's going away ends it.
        let (stop, _kept) = (database.token(), ask.clone());
        let serves = async move {
            while let Some(Some(answer)) = stop.run_until_cancelled(asked.recv()).await {
                answer.send("kept").unwrap();
            }
        };
        database.spawn("serves", serves).unwrap();
        let stop = worker.token();
        let drains = worker.spawn_with_handle("drains", async move {
            stop.cancelled().await;
            tokio::time::sleep(HOUR / 2).await;
            let (answer, answered) = oneshot::channel();
            ask.send(answer).await.unwrap();
            answered.await.unwrap()
        });
        drop(worker.spawn_local_on(&local, "hangs", std::future::pending::<()>()).unwrap());
        stack.push(database).unwrap();
        // Its share leaves the database some of the grace.
        stack.push_level(Level::of(worker).share(HOUR)).unwrap();
        let report = stack.terminate(&within(4 * HOUR, 5 * HOUR)).await.unwrap();
        assert_eq!(drains.unwrap().await, Ok("kept"));
        assert!(began.elapsed() <= 5 * HOUR + Duration::from_secs(1));
        let left: Vec<_> = report.stragglers().map(|found| found.to_string()).collect();
        assert_eq!(left, ["stack/worker/hangs"]);
        assert_eq!((report.children[0].counts.drained, report.children[1].counts.drained), (1, 1), "{report}");
        assert!((HOUR..4 * HOUR).contains(&report.children[1].began_after), "{report}");
        drop(local);
    });
}
