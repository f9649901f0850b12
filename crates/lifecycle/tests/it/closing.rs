//! Cleanup tasks: accepted while grace ends, aborted at the abort instant.

use landfall_lifecycle::{Phase, Shutdown, SpawnError, TaskKind, TaskSet, Terminate};
use tokio::sync::oneshot;

use crate::harness::{Alive, assert_clean, long, no_grace, on_both, until};

#[test]
fn cleanup_outlives_grace() {
    on_both(|| async {
        let (tasks, alive) = (TaskSet::new("set"), Alive::default());
        let (finish, finished) = oneshot::channel::<()>();
        let (early, late) = (alive.guard(), alive.guard());
        tasks
            .spawn_closing("goodbye", async move {
                let _early = early;
                finished.await.unwrap();
            })
            .unwrap();
        tasks
            .spawn("deaf", async move {
                let _late = late;
                std::future::pending::<()>().await;
            })
            .unwrap();
        tasks.begin_terminate(&no_grace());
        until(|| alive.count() == 1).await;
        assert_eq!(tasks.phase(), Phase::Aborting);
        finish.send(()).unwrap();
        let report = tasks.terminate(&no_grace()).await.unwrap();
        assert_clean(&report);
        assert_eq!((report.counts.drained, report.counts.aborted), (1, 1));
        assert_eq!(alive.count(), 0);
    });
}

#[test]
fn cleanup_is_accepted_when_grace_is_over() {
    on_both(|| async {
        let tasks = TaskSet::new("set");
        let (finish, finished) = oneshot::channel::<()>();
        tasks.spawn_closing("holds the set open", finished).unwrap();
        tasks.begin_terminate(&no_grace());
        until(|| tasks.phase() == Phase::Aborting).await;
        let (said, says) = oneshot::channel();
        tasks.spawn_closing("goodbye", async { said.send("bye").unwrap() }).unwrap();
        assert!(matches!(tasks.spawn("work", async {}), Err(SpawnError::Closed { .. })));
        assert_eq!(says.await.unwrap(), "bye");
        finish.send(()).unwrap();
        assert_eq!(tasks.terminate(&no_grace()).await.unwrap().counts.drained, 2);
    });
}

#[test]
fn the_abort_instant_aborts_cleanup_too() {
    on_both(|| async {
        let (tasks, alive) = (TaskSet::new("set"), Alive::default());
        let guard = alive.guard();
        let never = async move {
            let _guard = guard;
            std::future::pending::<()>().await;
        };
        tasks.spawn_closing("stuck goodbye", never).unwrap();
        tasks.begin_terminate(&no_grace());
        until(|| tasks.phase() == Phase::Aborting).await;
        assert_eq!(alive.count(), 1);
        let report = tasks.terminate(&Shutdown::now()).await.unwrap();
        assert_eq!(alive.count(), 0);
        assert_clean(&report);
        assert_eq!(report.counts.aborted, 1);
        assert_eq!(report.tasks[0].kind, TaskKind::Closing);
        assert!(matches!(tasks.spawn_closing("late", async {}), Err(SpawnError::Closed { .. })));
    });
}

#[test]
fn a_destructor_may_start_cleanup() {
    struct SaysGoodbye(TaskSet, Option<oneshot::Sender<()>>);
    impl Drop for SaysGoodbye {
        fn drop(&mut self) {
            let said = self.1.take().unwrap();
            self.0.spawn_closing("goodbye", async { said.send(()).unwrap() }).unwrap();
        }
    }
    on_both(|| async {
        let tasks = TaskSet::new("set");
        let (said, says) = oneshot::channel();
        let goodbye = SaysGoodbye(tasks.clone(), Some(said));
        tasks
            .spawn("deaf", async move {
                let _goodbye = goodbye;
                std::future::pending::<()>().await;
            })
            .unwrap();
        let report = tasks.terminate(&no_grace()).await.unwrap();
        says.await.unwrap();
        assert_eq!((report.counts.aborted, report.counts.drained), (1, 1));
    });
}

#[test]
fn cleanup_may_start_more_cleanup() {
    on_both(|| async {
        let (tasks, how) = (TaskSet::new("set"), long());
        let (again, stop) = (tasks.downgrade(), tasks.token());
        tasks
            .spawn_closing("first", async move {
                stop.cancelled().await;
                let tasks = again.upgrade().unwrap();
                tasks.spawn_closing("second", tokio::task::yield_now()).unwrap();
            })
            .unwrap();
        assert_eq!(tasks.terminate(&how).await.unwrap().counts.drained, 2);
    });
}
