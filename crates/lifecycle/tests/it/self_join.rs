//! A task that waits for the end of its own owner is told so at once.

use landfall_lifecycle::{Level, Phase, SelfJoin, Stack, TaskSet, Terminate};

use crate::harness::{Watchdog, assert_clean, long, multi_thread, no_grace, on_both};

/// Case 21: an owned task awaits the termination of its own set.
#[test]
fn terminate_from_an_owned_task_is_refused_with_nothing_begun() {
    on_both(|| async {
        let tasks = TaskSet::new("set");
        let weak = tasks.downgrade();
        let task = tasks
            .spawn_with_handle("inner", async move {
                tokio::task::yield_now().await;
                weak.upgrade().unwrap().terminate(&long()).await.map(drop)
            })
            .unwrap();
        assert_eq!(task.await.unwrap(), Err(SelfJoin::new("set", "inner")));
        assert_eq!(tasks.phase(), Phase::Running);
        tasks.spawn("still accepted", async {}).unwrap();
        assert_clean(&tasks.terminate(&long()).await.unwrap());
    });
}

#[test]
fn terminate_from_a_task_of_a_child_set_is_refused() {
    on_both(|| async {
        let tasks = TaskSet::new("set");
        let child = tasks.child("child").unwrap();
        let grandchild = child.child("grandchild").unwrap();
        let weak = tasks.downgrade();
        let task = grandchild
            .spawn_with_handle("inner", async move { weak.upgrade().unwrap().terminate(&long()).await.map(drop) })
            .unwrap();
        assert_eq!(task.await.unwrap(), Err(SelfJoin::new("set", "inner")));
        assert_eq!(tasks.phase(), Phase::Running);
        assert_clean(&tasks.terminate(&long()).await.unwrap());
    });
}

#[test]
fn a_task_may_terminate_a_child_set_of_its_owner() {
    on_both(|| async {
        let tasks = TaskSet::new("set");
        let child = tasks.child("child").unwrap();
        let task = tasks
            .spawn_with_handle("manager", async move { child.terminate(&long()).await.unwrap().is_clean() })
            .unwrap();
        assert!(task.await.unwrap());
        assert_clean(&tasks.terminate(&long()).await.unwrap());
    });
}

#[test]
fn terminate_blocking_from_an_owned_job_or_thread_is_refused() {
    on_both(|| async {
        let tasks = TaskSet::new("set");
        let weak = tasks.downgrade();
        let job = tasks
            .spawn_blocking("job", move |_| weak.upgrade().unwrap().terminate_blocking(&long()).map(drop))
            .unwrap();
        assert_eq!(job.await.unwrap(), Err(SelfJoin::new("set", "job")));
        let weak = tasks.downgrade();
        let thread = tasks
            .spawn_thread("thread", move |_| weak.upgrade().unwrap().terminate_blocking(&long()).map(drop))
            .unwrap();
        assert_eq!(thread.await.unwrap(), Err(SelfJoin::new("set", "thread")));
        assert_eq!(tasks.phase(), Phase::Running);
        assert_clean(&tasks.terminate(&long()).await.unwrap());
    });
}

#[test]
fn terminate_through_a_stack_is_refused() {
    on_both(|| async {
        let tasks = TaskSet::new("set");
        let inner = Stack::new("inner");
        inner.push(tasks.clone()).unwrap();
        let outer = Stack::new("outer");
        outer.push_level(Level::of(TaskSet::new("other")).and(inner)).unwrap();
        let stack = outer.clone();
        let task = tasks.spawn_with_handle("inner", async move { stack.terminate(&long()).await.map(drop) }).unwrap();
        assert_eq!(task.await.unwrap(), Err(SelfJoin::new("outer", "inner")));
        assert_eq!(tasks.phase(), Phase::Running);
        outer.push(TaskSet::new("still accepted")).unwrap();
        assert_clean(&outer.terminate(&long()).await.unwrap());
    });
}

#[test]
fn a_tracked_future_is_found_inside_of_a_task_of_another_set() {
    on_both(|| async {
        let (tasks, other) = (TaskSet::new("set"), TaskSet::new("other"));
        let weak = tasks.downgrade();
        let tracked =
            tasks.track("tracked", async move { weak.upgrade().unwrap().terminate(&long()).await.map(drop) }).unwrap();
        let task = other.spawn_with_handle("polls", tracked).unwrap();
        assert_eq!(task.await.unwrap().unwrap(), Err(SelfJoin::new("set", "tracked")));
        assert_clean(&tasks.terminate(&long()).await.unwrap());
        assert_clean(&other.terminate(&long()).await.unwrap());
    });
}

#[test]
fn begin_terminate_from_an_owned_task_is_allowed() {
    on_both(|| async {
        let tasks = TaskSet::new("set");
        let (weak, stop) = (tasks.downgrade(), tasks.token());
        let task = tasks
            .spawn_with_handle("inner", async move {
                weak.upgrade().unwrap().begin_terminate(&long());
                stop.cancelled().await;
            })
            .unwrap();
        task.await.unwrap();
        let report = tasks.terminate(&long()).await.unwrap();
        assert_eq!(report.counts.drained, 1);
    });
}

#[test]
fn begin_terminate_in_a_destructor_during_a_panic_is_allowed() {
    struct EndsInDrop(TaskSet);
    impl Drop for EndsInDrop {
        fn drop(&mut self) {
            self.0.begin_terminate(&long());
        }
    }
    on_both(|| async {
        let tasks = TaskSet::new("set");
        let ends = EndsInDrop(tasks.clone());
        tasks
            .spawn("inner", async move {
                let _ends = ends;
                panic!("planned");
            })
            .unwrap();
        tasks.ended().await;
        assert_eq!(tasks.report().counts.panicked, 1);
    });
}

#[test]
fn a_task_of_another_set_may_wait() {
    let _watched = Watchdog::new();
    multi_thread().block_on(async {
        let (tasks, other) = (TaskSet::new("set"), TaskSet::new("other"));
        let stop = tasks.token();
        tasks.spawn("works", async move { stop.cancelled().await }).unwrap();
        let waited = tasks.clone();
        let task = other.spawn_with_handle("waits", async move { waited.terminate(&long()).await }).unwrap();
        assert_clean(&task.await.unwrap().unwrap());
        assert_clean(&other.terminate(&long()).await.unwrap());
    });
}

/// Case 22: a cycle through a helper that nobody owns cannot be seen; the end of grace breaks it.
#[test]
fn a_task_that_waits_for_a_helper_that_terminates_is_aborted_when_grace_ends() {
    on_both(|| async {
        let (tasks, helpers) = (TaskSet::new("set"), TaskSet::new("helpers"));
        let (tell, told) = tokio::sync::oneshot::channel();
        let (weak, helper) = (tasks.downgrade(), helpers.clone());
        let waits = async move {
            let caller = weak.upgrade().unwrap();
            let call = async move { tell.send(caller.terminate(&no_grace()).await.unwrap()).unwrap() };
            helper.spawn_with_handle("terminates", call).unwrap().await.unwrap();
        };
        tasks.spawn("waits", waits).unwrap();
        let report = told.await.unwrap();
        assert_clean(&report);
        assert_eq!((report.counts.aborted, report.tasks[0].name.as_ref()), (1, "waits"));
        assert_clean(&helpers.terminate(&long()).await.unwrap());
    });
}
