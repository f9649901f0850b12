//! Refused work: every kind of spawn gives an error, and what was refused is dropped in the call.

use landfall_lifecycle::{ChildError, Phase, SpawnError, TaskSet, Terminate};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::LocalSet;

use crate::harness::{Alive, Guard, Watchdog, assert_clean, long, no_grace, on_both, until};

async fn hold(_guard: Guard) {}

#[test]
fn every_kind_of_spawn_is_refused_from_the_begin_on() {
    #[track_caller]
    fn check<T>(alive: &Alive, spawned: Result<T, SpawnError>) {
        assert_eq!(alive.count(), 0, "the refused work is dropped in the call");
        let Err(error) = spawned else { panic!("accepted") };
        assert_eq!(error.to_string(), "the task set \"set\" terminates and accepts no more work");
    }
    on_both(|| async {
        let (tasks, alive) = (TaskSet::new("set"), Alive::default());
        let (finish, finished) = oneshot::channel::<()>();
        tasks.spawn("holds the set open", finished).unwrap();
        tasks.begin_terminate(&long());
        let (handle, local) = (Handle::current(), LocalSet::new());

        let guard = alive.guard();
        check(&alive, tasks.spawn("refused", hold(guard)));
        let guard = alive.guard();
        check(&alive, tasks.spawn_with_handle("refused", hold(guard)));
        let guard = alive.guard();
        check(&alive, tasks.spawn_on(&handle, "refused", hold(guard)));
        let guard = alive.guard();
        check(&alive, tasks.spawn_local_on(&local, "refused", hold(guard)));
        let guard = alive.guard();
        check(&alive, tasks.track("refused", hold(guard)));
        let guard = alive.guard();
        check(&alive, tasks.spawn_blocking("refused", move |_| drop(guard)));
        let guard = alive.guard();
        check(&alive, tasks.spawn_thread("refused", move |_| drop(guard)));
        assert!(matches!(tasks.child("refused"), Err(ChildError::Closed { .. })));

        let guard = alive.guard();
        tasks.spawn_closing("accepted", hold(guard)).unwrap();
        finish.send(()).unwrap();
        let report = tasks.terminate(&long()).await.unwrap();
        assert_clean(&report);
        assert_eq!(report.counts.drained, 2, "refused work leaves no trace");
        let guard = alive.guard();
        check(&alive, tasks.spawn_closing("refused", hold(guard)));
    });
}

#[test]
fn without_a_runtime_tasks_are_refused() {
    let _watched = Watchdog::new();
    let (tasks, alive) = (TaskSet::new("set"), Alive::default());
    let guard = alive.guard();
    assert!(matches!(tasks.spawn("a", hold(guard)), Err(SpawnError::NoRuntime)));
    let guard = alive.guard();
    assert!(matches!(tasks.spawn_with_handle("b", hold(guard)), Err(SpawnError::NoRuntime)));
    let guard = alive.guard();
    assert!(matches!(tasks.spawn_closing("c", hold(guard)), Err(SpawnError::NoRuntime)));
    let guard = alive.guard();
    assert!(matches!(tasks.spawn_blocking("d", move |_| drop(guard)), Err(SpawnError::NoRuntime)));
    assert_eq!(alive.count(), 0);
    assert!(tasks.is_empty());
    assert_clean(&tasks.terminate_blocking(&long()).unwrap());
}

/// Case 9: the destructor of an aborted task spawns on its set, and finds no lock held.
#[test]
fn a_spawn_in_the_destructor_of_an_aborted_task_is_refused() {
    struct SpawnsInDrop(TaskSet, oneshot::Sender<bool>);
    impl Drop for SpawnsInDrop {
        fn drop(&mut self) {
            let refused = matches!(self.0.spawn("late", async {}), Err(SpawnError::Closed { .. }));
            let (unused, _) = oneshot::channel();
            std::mem::replace(&mut self.1, unused).send(refused).unwrap();
        }
    }
    on_both(|| async {
        let tasks = TaskSet::new("set");
        let (tell, told) = oneshot::channel();
        let spawns = SpawnsInDrop(tasks.clone(), tell);
        tasks
            .spawn("deaf", async move {
                let _spawns = spawns;
                std::future::pending::<()>().await;
            })
            .unwrap();
        let report = tasks.terminate(&no_grace()).await.unwrap();
        assert!(told.await.unwrap());
        assert_eq!(report.counts.aborted, 1);
    });
}

#[test]
fn a_destructor_of_refused_work_may_use_the_set() {
    struct LooksInDrop(TaskSet);
    impl Drop for LooksInDrop {
        fn drop(&mut self) {
            assert_eq!(self.0.len(), 0);
            assert!(self.0.spawn("again", async {}).is_err());
        }
    }
    on_both(|| async {
        let tasks = TaskSet::new("set");
        assert_clean(&tasks.terminate(&long()).await.unwrap());
        let looks = LooksInDrop(tasks.clone());
        assert!(tasks.spawn("refused", async move { drop(looks) }).is_err());
        let looks = LooksInDrop(tasks.clone());
        assert!(tasks.spawn_blocking("refused", move |_| drop(looks)).is_err());
        let looks = LooksInDrop(tasks.clone());
        assert!(tasks.spawn_thread("refused", move |_| drop(looks)).is_err());
    });
}

/// Case 8: an owned task spawns in its cleanup.
#[test]
fn a_task_that_spawns_while_it_drains_is_refused_and_drains() {
    on_both(|| async {
        let tasks = TaskSet::new("set");
        let (weak, stop) = (tasks.downgrade(), tasks.token());
        let task = tasks
            .spawn_with_handle("outer", async move {
                stop.cancelled().await;
                weak.upgrade().unwrap().spawn("inner", async {}).is_err()
            })
            .unwrap();
        let report = tasks.terminate(&long()).await.unwrap();
        assert!(task.await.unwrap());
        assert_eq!(report.counts.drained, 1);
    });
}

#[test]
fn a_task_may_spawn_on_its_set_while_it_runs() {
    on_both(|| async {
        let tasks = TaskSet::new("set");
        let weak = tasks.downgrade();
        tasks
            .spawn("outer", async move {
                let tasks = weak.upgrade().unwrap();
                for _ in 0..10 {
                    tasks.spawn("inner", tokio::task::yield_now()).unwrap();
                }
            })
            .unwrap();
        until(|| tasks.is_empty()).await;
        assert_eq!(tasks.phase(), Phase::Running);
        assert_eq!(tasks.terminate(&long()).await.unwrap().counts.completed, 11);
    });
}

#[test]
fn a_runtime_that_can_make_no_thread_refuses_blocking_work() {
    let _watched = Watchdog::new();
    // No address space is large enough for one such stack.
    let runtime = tokio::runtime::Builder::new_current_thread().thread_stack_size(1 << 60).build().unwrap();
    runtime.block_on(async {
        let (tasks, alive) = (TaskSet::new("set"), Alive::default());
        let guard = alive.guard();
        let refused = tasks.spawn_blocking("refused", move |_| drop(guard));
        assert!(matches!(refused, Err(SpawnError::NoThread { .. })), "{refused:?}");
        assert_eq!(alive.count(), 0);
        assert!(tasks.is_empty());
        let report = tasks.terminate(&long()).await.unwrap();
        assert_eq!(report.counts, landfall_lifecycle::Counts::default(), "refused work leaves no trace");
    });
}
