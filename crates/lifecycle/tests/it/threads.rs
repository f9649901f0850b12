//! Threads of a set, and the threads this crate makes for itself: none is left when the termination returns.

use std::cell::RefCell;
use std::process::Command;
use std::sync::mpsc;

use landfall_lifecycle::{Activity, Outcome, Shutdown, Stack, TaskKind, TaskSet, Terminate};

use crate::harness::{
    Alive, BlocksInDrop, Guard, Hold, Watchdog, assert_clean, long, multi_thread, no_grace, on_both, until_blocking,
};

thread_local! {
    /// Goes when the thread does, so it tells a joined thread from one whose closure has merely come back.
    static WITH_THREAD: RefCell<Option<Guard>> = const { RefCell::new(None) };
}

fn keep_with_thread(guard: Guard) {
    WITH_THREAD.set(Some(guard));
}

#[test]
fn a_thread_gives_its_output_and_sees_the_token() {
    on_both(|| async {
        let tasks = TaskSet::new("set");
        let thread = tasks
            .spawn_thread("worker", |token| {
                until_blocking(|| token.is_cancelled());
                std::thread::current().name().map(str::to_owned)
            })
            .unwrap();
        let report = tasks.terminate(&long()).await.unwrap();
        assert_clean(&report);
        assert_eq!(report.counts.drained, 1);
        assert_eq!(thread.await.unwrap().as_deref(), Some("worker"));
    });
}

/// Starts a thread that gives `output` once nobody waits for it any more.
fn spawn_detached<T: Send + 'static>(tasks: &TaskSet, output: T) {
    let (detached, is_detached) = mpsc::channel::<()>();
    let thread = tasks.spawn_thread("detached", move |_| {
        // The sender goes unused when the handle has gone.
        let _unsent = is_detached.recv();
        output
    });
    drop(thread.unwrap());
    drop(detached);
}

/// The threads of a tree are joined from one list: one that is still in its output's destructor must not be on it.
#[test]
fn a_thread_in_its_output_s_destructor_holds_up_nobody_else() {
    let _watched = Watchdog::new();
    let parent = TaskSet::new("parent");
    let (idle, busy) = (parent.child("idle").unwrap(), parent.child("busy").unwrap());
    let (hold, _release) = Hold::new();
    let output = BlocksInDrop(hold.clone());
    spawn_detached(&busy, output);
    hold.wait_entered(1);
    assert_clean(&idle.terminate_blocking(&Shutdown::now()).unwrap());
    hold.release();
    assert_clean(&parent.terminate_blocking(&long()).unwrap());
}

#[test]
fn a_thread_s_output_may_terminate_a_child_set_when_it_is_dropped() {
    struct Terminates(TaskSet);
    impl Drop for Terminates {
        fn drop(&mut self) {
            assert_clean(&self.0.terminate_blocking(&long()).unwrap());
        }
    }
    let _watched = Watchdog::new();
    let parent = TaskSet::new("parent");
    let child = Terminates(parent.child("child").unwrap());
    spawn_detached(&parent, child);
    let report = parent.terminate_blocking(&long()).unwrap();
    assert_clean(&report);
    // A thread that joined itself would have panicked in the destructor.
    assert_eq!(report.counts.panicked, 0);
}

#[test]
fn a_thread_that_ignores_its_token_is_a_straggler() {
    on_both(|| async {
        let (tasks, (hold, _release)) = (TaskSet::new("set"), Hold::new());
        let holds = hold.clone();
        let line = line!() + 1;
        drop(tasks.spawn_thread("deaf", move |_| holds.block()).unwrap());
        tasks.begin_terminate(&Shutdown::now());
        let report = tasks.report();
        let found = report.stragglers().next().unwrap();
        assert_eq!((found.item.kind, found.item.place.line), (TaskKind::Thread, line));
        assert_eq!(found.item.outcome, Outcome::Straggler { activity: Activity::Blocking });
        hold.release();
        assert_clean(&tasks.terminate(&long()).await.unwrap());
    });
}

#[test]
fn a_thread_with_an_odd_name_is_made() {
    on_both(|| async {
        let tasks = TaskSet::new("set");
        assert_eq!(tasks.spawn_thread("a\0b", |_| 1).unwrap().await, Ok(1));
        assert_eq!(tasks.spawn_thread("", |_| 2).unwrap().await, Ok(2));
        assert_eq!(tasks.spawn_thread("long ".repeat(100), |_| 3).unwrap().await, Ok(3));
        assert_clean(&tasks.terminate(&long()).await.unwrap());
    });
}

#[test]
fn a_panic_on_a_thread_is_an_outcome() {
    on_both(|| async {
        let tasks = TaskSet::new("set");
        drop(tasks.spawn_thread("panics", |_| panic!("planned")).unwrap());
        assert_eq!(tasks.terminate(&long()).await.unwrap().counts.panicked, 1);
    });
}

#[test]
fn threads_are_joined_before_the_termination_returns() {
    on_both(|| async {
        for _ in 0..200 {
            let (tasks, alive) = (TaskSet::new("set"), Alive::default());
            for _ in 0..3 {
                let guard = alive.guard();
                drop(tasks.spawn_thread("joined", move |_| keep_with_thread(guard)).unwrap());
            }
            let report = tasks.terminate(&long()).await.unwrap();
            assert_eq!(alive.count(), 0);
            assert_clean(&report);
        }
    });
}

#[test]
fn threads_that_end_while_the_set_runs_are_joined_on_the_way() {
    let _watched = Watchdog::new();
    let (tasks, alive) = (TaskSet::new("set"), Alive::default());
    for _ in 0..100 {
        let guard = alive.guard();
        drop(tasks.spawn_thread("short", move |_| keep_with_thread(guard)).unwrap());
        until_blocking(|| tasks.is_empty());
    }
    until_blocking(|| alive.count() == 0);
    drop(tasks.spawn_thread("last", |_| ()).unwrap());
    assert_clean(&tasks.terminate_blocking(&long()).unwrap());
}

#[test]
fn several_runtimes_may_share_a_set() {
    let _watched = Watchdog::new();
    let (first, second) = (multi_thread(), multi_thread());
    let tasks = TaskSet::new("set");
    let stop = tasks.token();
    for runtime in [&first, &second] {
        let stop = stop.clone();
        drop(tasks.spawn_on(runtime.handle(), "task", async move { stop.cancelled().await }).unwrap());
    }
    let stack = Stack::new("stack");
    stack.push(tasks.clone()).unwrap();
    let report = first.block_on(stack.terminate(&long())).unwrap();
    assert_clean(&report);
    assert_eq!(report.children[0].counts.drained, 2);
}

/// How many threads of this crate the process has. The kernel lists a joined thread for a moment longer.
#[cfg(target_os = "linux")]
fn threads_of_the_crate() -> Vec<String> {
    let threads = std::fs::read_dir("/proc/self/task").unwrap();
    let names = threads.filter_map(|thread| std::fs::read_to_string(thread.ok()?.path().join("comm")).ok());
    names.filter(|comm| comm.starts_with("landfall") || comm.starts_with("disposer")).collect()
}

/// Case 30: none of the crate's threads. Descriptors, children and sessions are what `cargo xtask leak-check` looks for.
///
/// Runs in a process of its own, because the tests beside it have such threads too.
#[test]
#[cfg(target_os = "linux")]
fn no_thread_of_the_crate_is_left() {
    const ALONE: &str = "LANDFALL_IT_ALONE";
    if std::env::var_os(ALONE).is_none() {
        let this = "threads::no_thread_of_the_crate_is_left";
        let tests = std::env::current_exe().unwrap();
        let alone = Command::new(tests).args(["--exact", this]).env(ALONE, "yes").output().unwrap();
        assert!(alone.status.success(), "{}", String::from_utf8_lossy(&alone.stdout));
        return;
    }
    on_both(|| async {
        for _ in 0..100 {
            let stack = Stack::new("stack");
            for name in ["lower", "upper"] {
                let tasks = TaskSet::new(name);
                tasks.spawn("deaf", std::future::pending::<()>()).unwrap();
                drop(tasks.spawn_blocking("job", |_| ()).unwrap());
                stack.push(tasks).unwrap();
            }
            assert_clean(&stack.terminate(&no_grace()).await.unwrap());
            let mut left = threads_of_the_crate();
            for _ in 0..20 {
                if left.is_empty() {
                    break;
                }
                std::thread::yield_now();
                left = threads_of_the_crate();
            }
            assert_eq!(left, [""; 0]);
        }
    });
}

#[test]
fn threads_of_a_child_set_are_joined_when_the_child_returns() {
    on_both(|| async {
        let (parent, alive) = (TaskSet::new("parent"), Alive::default());
        for number in 0..300 {
            let child = parent.child(format!("child-{number}")).unwrap();
            let guard = alive.guard();
            drop(child.spawn_thread("joined", move |_| keep_with_thread(guard)).unwrap());
            let report = child.terminate(&long()).await.unwrap();
            assert_eq!(alive.count(), 0);
            assert_clean(&report);
        }
        assert_clean(&parent.terminate(&long()).await.unwrap());
    });
}
