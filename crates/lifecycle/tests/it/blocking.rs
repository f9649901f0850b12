//! Blocking jobs: queued ones are taken out of the queue, started ones are waited for.

use landfall_lifecycle::{Activity, Outcome, Shutdown, TaskError, TaskKind, TaskSet, Terminate};
use tokio::runtime::{Builder, Runtime};

use crate::harness::{Alive, BlocksInDrop, Hold, Watchdog, assert_clean, long, no_grace, on_both, until};

/// Both flavours with a single blocking thread, which a foreign job holds.
#[track_caller]
fn on_busy_pool<F: Future<Output = ()>>(body: impl Fn(Hold) -> F) {
    #[track_caller]
    fn check<F: Future<Output = ()>>(mut builder: Builder, body: &impl Fn(Hold) -> F) {
        let _watched = Watchdog::new();
        let runtime: Runtime = builder.worker_threads(2).max_blocking_threads(1).enable_all().build().unwrap();
        let (busy, _release) = Hold::new();
        runtime.block_on(async {
            let foreign = TaskSet::new("foreign");
            let holds = busy.clone();
            drop(foreign.spawn_blocking("holds the only thread", move |_| holds.block()).unwrap());
            busy.wait_entered(1);
            body(busy.clone()).await;
            busy.release();
            assert_clean(&foreign.terminate(&long()).await.unwrap());
        });
    }
    check(Builder::new_current_thread(), &body);
    check(Builder::new_multi_thread(), &body);
}

#[test]
fn a_job_gives_its_output() {
    on_both(|| async {
        let tasks = TaskSet::new("set");
        assert_eq!(tasks.spawn_blocking("job", |_| 7).unwrap().await, Ok(7));
        assert_eq!(tasks.terminate(&long()).await.unwrap().counts.stragglers, 0);
    });
}

#[test]
fn a_queued_job_is_not_taken_while_grace_lasts() {
    on_busy_pool(|busy| async move {
        let tasks = TaskSet::new("set");
        let job = tasks.spawn_blocking("queued", |_| 7).unwrap();
        tasks.begin_terminate(&long());
        assert!(!job.is_finished());
        busy.release();
        assert_eq!(job.await, Ok(7));
        assert_eq!(tasks.terminate(&long()).await.unwrap().counts.drained, 1);
    });
}

/// Those behind it never started, and are not said to be in their destructors.
#[test]
fn one_blocking_destructor_is_told_from_those_that_wait_behind_it() {
    on_busy_pool(|_| async {
        let (tasks, (hold, _release)) = (TaskSet::new("set"), Hold::new());
        let captured = BlocksInDrop(hold.clone());
        drop(tasks.spawn_blocking("blocks", move |_| drop(captured)).unwrap());
        for _ in 0..3 {
            drop(tasks.spawn_blocking("plain", |_| ()).unwrap());
        }
        let report = tasks.terminate(&Shutdown::now()).await.unwrap();
        let doing = |name: &str| -> Vec<_> {
            let named = report.stragglers().filter(|found| found.item.name == name);
            named.map(|found| found.item.outcome.clone()).collect()
        };
        // They are dropped in no particular order, so some may have gone before.
        assert_eq!(doing("blocks"), [Outcome::Straggler { activity: Activity::Dropping }]);
        assert!(doing("plain").iter().all(|how| *how == Outcome::Straggler { activity: Activity::Queued }));
        hold.release();
        tasks.ended().await;
        assert_eq!(tasks.report().counts.never_started, 4);
    });
}

#[test]
fn an_aborted_queued_job_never_runs() {
    on_busy_pool(|busy| async move {
        let (tasks, alive) = (TaskSet::new("set"), Alive::default());
        let guard = alive.guard();
        let job = tasks.spawn_blocking("queued", move |_| drop(guard)).unwrap();
        job.abort();
        busy.release();
        assert_eq!(job.await, Err(TaskError::NeverStarted));
        assert_eq!(alive.count(), 0);
        assert_eq!(tasks.terminate(&long()).await.unwrap().counts.never_started, 1);
    });
}

#[test]
fn a_queued_job_whose_destructor_panics_is_an_outcome() {
    struct PanicsInDrop;
    impl Drop for PanicsInDrop {
        fn drop(&mut self) {
            panic!("planned");
        }
    }
    on_busy_pool(|_| async {
        let tasks = TaskSet::new("set");
        let panics = PanicsInDrop;
        drop(tasks.spawn_blocking("queued", move |_| drop(panics)).unwrap());
        let report = tasks.terminate(&no_grace()).await.unwrap();
        assert_eq!(report.counts.panicked, 1);
        assert_eq!(report.tasks[0].outcome, Outcome::Panicked { message: "planned".into(), in_drop: true });
    });
}

#[test]
fn a_queued_job_with_a_blocking_destructor_does_not_hold_up_the_caller() {
    on_busy_pool(|_| async {
        let (tasks, (hold, _release)) = (TaskSet::new("set"), Hold::new());
        let captured = BlocksInDrop(hold.clone());
        drop(tasks.spawn_blocking("queued", move |_| drop(captured)).unwrap());
        tasks.begin_terminate(&no_grace());
        until(|| hold.entered() == 1).await;
        let report = tasks.report();
        let mut dropping = report.stragglers().filter(|found| found.item.kind == TaskKind::Blocking);
        let found = dropping.next().unwrap();
        assert_eq!(found.to_string(), "set/queued");
        assert_eq!(found.item.outcome, Outcome::Straggler { activity: Activity::Dropping });
        hold.release();
        let report = tasks.terminate(&no_grace()).await.unwrap();
        assert_clean(&report);
        assert_eq!(report.counts.never_started, 1);
    });
}

#[test]
fn a_started_job_sees_the_token() {
    on_both(|| async {
        let (tasks, (started, _release)) = (TaskSet::new("set"), Hold::new());
        let starts = started.clone();
        let job = tasks
            .spawn_blocking("polls its token", move |token| {
                starts.block();
                let mut looks = 0_u64;
                while !token.is_cancelled() {
                    std::thread::yield_now();
                    looks += 1;
                }
                looks
            })
            .unwrap();
        until(|| started.entered() == 1).await;
        started.release();
        let report = tasks.terminate(&long()).await.unwrap();
        assert_clean(&report);
        assert_eq!(report.counts.drained, 1);
        job.await.unwrap();
    });
}

/// Case 11: a job that has started and heeds nothing.
#[test]
fn a_started_job_is_a_straggler_until_it_comes_back() {
    on_both(|| async {
        let (tasks, (hold, _release)) = (TaskSet::new("set"), Hold::new());
        let holds = hold.clone();
        let line = line!() + 1;
        let job = tasks.spawn_blocking("deaf", move |_| holds.block()).unwrap();
        until(|| hold.entered() == 1).await;
        tasks.begin_terminate(&Shutdown::now());
        let report = tasks.report();
        assert_eq!(report.counts.stragglers, 1);
        let found = report.stragglers().next().unwrap();
        assert_eq!(found.item.outcome, Outcome::Straggler { activity: Activity::Blocking });
        assert_eq!((found.item.place.file, found.item.place.line), (file!(), line));
        hold.release();
        let report = tasks.terminate(&long()).await.unwrap();
        assert_clean(&report);
        assert_eq!(report.counts.drained, 1);
        job.await.unwrap();
    });
}

#[test]
fn a_job_that_panics_is_an_outcome() {
    on_both(|| async {
        let tasks = TaskSet::new("set");
        let job = tasks.spawn_blocking("panics", |_| panic!("planned {}", 2)).unwrap();
        assert_eq!(job.await, Err::<(), _>(TaskError::Panicked { message: "planned 2".to_owned() }));
        let report = tasks.terminate(&long()).await.unwrap();
        assert_eq!(report.tasks[0].outcome, Outcome::Panicked { message: "planned 2".into(), in_drop: false });
    });
}

/// Case 12: jobs that wait for the only thread of the pool, which is busy.
#[test]
fn a_queued_job_never_starts_when_grace_is_over() {
    on_busy_pool(|busy| async move {
        let (tasks, alive) = (TaskSet::new("set"), Alive::default());
        let (mut jobs, mut line) = (Vec::new(), 0);
        for _ in 0..3 {
            let guard = alive.guard();
            line = line!() + 1;
            jobs.push(tasks.spawn_blocking("queued", move |_| drop(guard)).unwrap());
        }
        let report = tasks.terminate(&no_grace()).await.unwrap();
        assert_eq!(busy.left(), 0, "it does not wait for the busy thread");
        assert_eq!(alive.count(), 0);
        assert_clean(&report);
        assert_eq!(report.counts.never_started, 3, "{report}");
        assert_eq!(report.counts.drained, 0, "what the crate itself does is not counted");
        assert_eq!(report.tasks.len(), 3);
        for task in &report.tasks {
            assert_eq!((&*task.name, task.kind), ("queued", TaskKind::Blocking));
            assert_eq!((&task.outcome, task.place.line), (&Outcome::NeverStarted, line));
        }
        for job in jobs {
            assert_eq!(job.await, Err(TaskError::NeverStarted));
        }
    });
}
