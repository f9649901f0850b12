//! Every public future of the crate is dropped at every poll, spurious ones included. `Signals::recv` is in
//! `tests/service`, because it needs a process of its own.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use landfall_lifecycle::testing::{Cut, CutPoints, EveryPoll, cancel_at_every_poll, cancel_at_every_poll_on};
use landfall_lifecycle::{Ending, Owner, Report, Shutdown, Stack, Task, TaskSet, Terminate};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::oneshot;

use crate::harness::{Alive, assert_clean, long, no_grace, on_both};

/// A set whose task heeds its token, after a few polls.
fn at_work(alive: &Alive) -> TaskSet {
    let (tasks, guard) = (TaskSet::new("set"), alive.guard());
    let stop = tasks.token();
    let works = async move {
        let _guard = guard;
        stop.cancelled().await;
        tokio::task::yield_now().await;
    };
    tasks.spawn("heeds", works).unwrap();
    tasks
}

/// On a current_thread runtime nothing ends behind the caller's back, so its futures are never ready at once.
fn is_alone() -> bool {
    Handle::current().runtime_flavor() == RuntimeFlavor::CurrentThread
}

fn waits<A, F>(tested: EveryPoll<A, F>) -> EveryPoll<A, F> {
    if is_alone() { tested } else { tested.ready_at_once() }
}

#[track_caller]
fn check_cuts(cuts: CutPoints, at_least: usize) {
    eprintln!("{}: {cuts}", std::panic::Location::caller());
    assert!(!is_alone() || cuts.polls >= at_least, "{cuts}");
}

/// Ends an owner of which a call was dropped, and sees that nothing of its work is left.
async fn end(owner: &impl Terminate, alive: &Alive) {
    assert_clean(&owner.terminate(&no_grace()).await.unwrap());
    owner.ended().await;
    assert_eq!(alive.count(), 0);
}

async fn terminate_and_ended<T: Terminate>(make: impl Fn(&Alive) -> T) {
    let alive = Alive::default();
    let (set_up, how) = (async || make(&alive), long());
    let cuts = cancel_at_every_poll_on(set_up, async |owner| owner.terminate(&how).await);
    check_cuts(waits(cuts.spurious()).check(async |owner, _| end(&owner, &alive).await).await, 2);

    // Dropped, it goes on: nobody else asks for the end.
    let cuts = cancel_at_every_poll_on(set_up, async |owner| owner.terminate(&how).await);
    let goes_on = async |owner: T, cut: Cut| {
        if cut.polls > 0 {
            owner.ended().await;
        }
        end(&owner, &alive).await;
    };
    check_cuts(waits(cuts).check(goes_on).await, 1);

    let begun = async || {
        let owner = make(&alive);
        owner.begin_terminate(&how);
        owner
    };
    let cuts = cancel_at_every_poll_on(begun, async |owner| owner.ended().await);
    check_cuts(waits(cuts.spurious()).check(async |owner, _| end(&owner, &alive).await).await, 2);
}

#[test]
fn terminate_and_ended_of_a_set() {
    on_both(|| terminate_and_ended(at_work));
}

#[test]
fn terminate_and_ended_of_a_stack() {
    on_both(|| {
        terminate_and_ended(|alive| {
            let stack = Stack::new("stack");
            stack.push(TaskSet::new("below")).unwrap();
            stack.push(at_work(alive)).unwrap();
            stack
        })
    });
}

#[cfg(feature = "serving")]
#[test]
fn terminate_and_ended_of_a_server() {
    on_both(|| terminate_and_ended(|alive| crate::serving::guarded_server(alive.guard())));
}

struct Embedder {
    ending: Ending,
}

impl Owner for Embedder {
    fn name(&self) -> Cow<'_, str> {
        "embedder".into()
    }
    fn ending(&self) -> &Ending {
        &self.ending
    }
    fn on_begin(self: &Arc<Self>, _: &Shutdown) {}
    fn on_tighten(self: &Arc<Self>, _: &Shutdown) {}
    fn on_grace_over(self: &Arc<Self>) {}
    fn on_abort(self: &Arc<Self>) {}
    fn fill(&self, _: &mut Report) {}
    fn calling_task(&self) -> Option<String> {
        None
    }
}

/// Something else moves the cell while its future is cut.
#[test]
fn begun_ended_and_terminate_of_an_ending() {
    on_both(|| async {
        let tasks = TaskSet::new("movers");
        let make = || Arc::new(Embedder { ending: Ending::new() });
        let later = |owner: &Arc<Embedder>, then: fn(&Arc<Embedder>)| {
            let owner = Arc::clone(owner);
            let mover = async move {
                tokio::task::yield_now().await;
                then(&owner);
            };
            tasks.spawn("mover", mover).unwrap();
        };
        let finish = |owner: &Arc<Embedder>| Ending::finish(owner);

        let begins = async || {
            let owner = make();
            later(&owner, |owner| Ending::begin(owner, &long()));
            owner
        };
        let cuts = cancel_at_every_poll_on(begins, async |owner| owner.ending.begun().await);
        let is_begun = async |owner: Arc<Embedder>, _| owner.ending.begun().await;
        check_cuts(waits(cuts.spurious()).check(is_begun).await, 1);

        let finishes = async || {
            let owner = make();
            Ending::begin(&owner, &long());
            later(&owner, finish);
            owner
        };
        let cuts = cancel_at_every_poll_on(finishes, async |owner| Ending::ended(Arc::clone(owner)).await);
        let has_ended = async |owner, _| Ending::ended(owner).await;
        check_cuts(waits(cuts.spurious()).check(has_ended).await, 1);

        let how = long();
        let terminate = async |owner: &mut Arc<Embedder>| {
            Ending::begin(owner, &how);
            later(owner, finish);
            Ending::terminate(Arc::clone(owner), how.clone()).await
        };
        let cuts = cancel_at_every_poll_on(async || make(), terminate);
        let reports = async |owner: Arc<Embedder>, _| {
            Ending::begin(&owner, &long());
            Ending::finish(&owner);
            assert_clean(&Ending::terminate(owner, long()).await.unwrap());
        };
        check_cuts(waits(cuts.spurious()).check(reports).await, 1);
        assert_clean(&tasks.terminate(&long()).await.unwrap());
    });
}

/// The one place here that sees instants come. Nothing is asserted of how long that took: a machine that is busy enough
/// sees them come before the first poll.
#[test]
fn the_waits_of_a_shutdown() {
    on_both(|| async {
        let soon = || {
            let soon = Duration::from_millis(100);
            Shutdown::within(soon, soon)
        };
        // The clock's thread must be there for the next one, whatever became of the one before.
        let still_waits = async |how: Shutdown, _: Cut| how.sleep_until(how.abort()).await;
        let cuts = cancel_at_every_poll_on(async || soon(), async |how| how.sleep_until(how.abort()).await);
        check_cuts(cuts.spurious().ready_at_once().check(still_waits).await, 0);
        let cuts = cancel_at_every_poll_on(async || soon(), async |how| how.grace_over().await);
        check_cuts(cuts.spurious().ready_at_once().check(still_waits).await, 0);
        let cuts = cancel_at_every_poll_on(async || soon(), async |how| how.abort_reached().await);
        let reached = async |how: Shutdown, cut: Cut| {
            how.abort_reached().await;
            assert!(Instant::now() >= how.abort(), "{cut}");
        };
        check_cuts(cuts.spurious().ready_at_once().check(reached).await, 0);
    });
}

#[test]
fn the_handle_of_a_task() {
    on_both(|| async {
        let tasks = TaskSet::new("set");
        let start = async || {
            let (go, gone) = oneshot::channel::<()>();
            let works = async move {
                gone.await.unwrap();
                tokio::task::yield_now().await;
                7
            };
            (Some(go), tasks.spawn_with_handle("works", works).unwrap())
        };
        let cuts = cancel_at_every_poll_on(start, async |(go, task)| {
            // Let go only once it is waited for, so that every run waits.
            assert!(futures_util::poll!(&mut *task).is_pending());
            tokio::task::yield_now().await;
            go.take().unwrap().send(()).unwrap();
            assert_eq!(task.await, Ok(7));
        });
        let gives_its_output = async |(go, task): (Option<oneshot::Sender<()>>, Task<i32>), cut: Cut| {
            if let Some(go) = go {
                go.send(()).unwrap();
            }
            if !cut.completed {
                assert_eq!(task.await, Ok(7), "{cut}");
            }
        };
        check_cuts(cuts.check(gives_its_output).await, 1);
        assert_clean(&tasks.terminate(&long()).await.unwrap());
    });
}

#[test]
fn a_handle_that_aborts_when_dropped() {
    on_both(|| async {
        let (tasks, alive) = (TaskSet::new("set"), Alive::default());
        let cuts = cancel_at_every_poll(async || {
            let (guard, (go, gone)) = (alive.guard(), oneshot::channel::<()>());
            let works = async move {
                let _guard = guard;
                gone.await
            };
            let task = tasks.spawn_with_handle("works", works).unwrap().abort_on_drop();
            tokio::task::yield_now().await;
            go.send(()).unwrap();
            task.await
        });
        // What was cut is gone without any other call.
        let is_gone = async |_| {
            while !tasks.is_empty() {
                tokio::task::yield_now().await;
            }
            assert_eq!(alive.count(), 0);
        };
        check_cuts(cuts.spurious().check_async(is_gone).await, 1);
        assert_clean(&tasks.terminate(&long()).await.unwrap());
    });
}

#[test]
fn a_tracked_future() {
    on_both(|| async {
        let (tasks, alive) = (TaskSet::new("set"), Alive::default());
        let make = || {
            let guard = alive.guard();
            let works = async move {
                let _guard = guard;
                tokio::task::yield_now().await;
            };
            tasks.track("works", works).unwrap()
        };
        let is_gone = |_| assert_eq!((tasks.len(), alive.count()), (0, 0));
        check_cuts(cancel_at_every_poll(make).check(is_gone).await, 1);
        check_cuts(cancel_at_every_poll(make).spurious().ready_at_once().check(is_gone).await, 1);
        assert_clean(&tasks.terminate(&long()).await.unwrap());
    });
}
