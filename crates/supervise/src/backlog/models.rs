//! Models of the transition, of a put beside a wait and beside an end, on the backlog's own code.
//!
//! Time passes when a model says so, by the times that it gives.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use loom::sync::{Condvar, Mutex};
use loom::thread;
use tokio::sync::oneshot;

use super::address::{Address, Unanswered};
use super::core::Number;
use super::intake::Intake;
use super::limits::Limits;
use super::shared::Shared;

type Answer = oneshot::Receiver<Result<u32, Unanswered>>;

const START: Duration = Duration::ZERO;
/// When a request's time is over.
const LATER: Duration = Duration::from_secs(60);

/// Runs `model` under every schedule with a bounded number of preemptions.
///
/// The bound is `LOOM_MAX_PREEMPTIONS`, or two.
fn explore(model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(2));
    let schedules = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&schedules);
    builder.check(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        model();
    });
    let schedules = schedules.load(Ordering::Relaxed);
    println!("{schedules} schedules");
    assert!(schedules > 1, "a model with one schedule shows nothing");
}

fn backlog() -> Arc<Shared<u32, u32>> {
    Arc::new(Shared::new("orders".into(), Limits::default(), Box::new(|_| 1)))
}

fn put(shared: &Shared<u32, u32>) -> Option<(Number, Answer)> {
    let (sender, answer) = oneshot::channel();
    let timeout = Some(Duration::from_secs(30));
    shared.put(7, sender, (1, timeout), START).ok().map(|number| (number, answer))
}

/// What a caller was told so far.
fn told(mut answer: Answer) -> Option<Result<u32, Unanswered>> {
    answer.try_recv().ok()
}

fn spawn<T: 'static>(
    shared: &Arc<Shared<u32, u32>>,
    body: impl FnOnce(&Arc<Shared<u32, u32>>) -> T + 'static,
) -> thread::JoinHandle<T> {
    let shared = Arc::clone(shared);
    thread::spawn(move || body(&shared))
}

/// Whether the future was woken since it was last polled.
#[derive(Default)]
struct Woken {
    flag: Mutex<bool>,
    changed: Condvar,
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        *self.flag.lock().expect("nothing panics under it") = true;
        self.changed.notify_all();
    }
}

/// Drives one future on this thread.
fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    let mut cx = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return output;
        }
        let mut flag = woken.flag.lock().expect("nothing panics under it");
        while !std::mem::take(&mut *flag) {
            flag = woken.changed.wait(flag).expect("nothing panics under it");
        }
    }
}

fn attach(shared: &Arc<Shared<u32, u32>>) -> Intake<u32, u32> {
    Address::new(shared).attach().expect("nobody else attaches")
}

/// A request is given to the child or expires, and not both.
#[test]
fn a_commit_beside_a_deadline_is_one_of_them() {
    explore(|| {
        let shared = backlog();
        let (_, answer) = put(&shared).unwrap();
        let expiry = spawn(&shared, |shared| shared.expire(LATER));
        let given = shared.commit(1, 1, START).len();
        expiry.join().unwrap();
        let expected = if given == 1 { Unanswered::Unknown } else { Unanswered::Expired };
        assert_eq!(told(answer), Some(Err(expected)));
        assert_eq!(shared.lock().core.out(), given);
    });
}

/// What was committed stays so when it is lost, whatever is first.
#[test]
fn a_request_that_is_put_back_beside_its_deadline_is_unknown() {
    explore(|| {
        let shared = backlog();
        let (number, answer) = put(&shared).unwrap();
        let request = shared.commit(1, 1, START).pop().unwrap().request;
        let expiry = spawn(&shared, |shared| shared.expire(LATER));
        shared.change(|core| core.put_back(number, request, START));
        expiry.join().unwrap();
        assert_eq!(told(answer), Some(Err(Unanswered::Unknown)));
        assert_eq!((shared.lock().core.waiting(), shared.lock().core.bytes()), (0, 0));
    });
}

/// A child that waits hears of a request that comes beside its look.
#[test]
fn a_put_beside_a_wait_wakes_the_child() {
    explore(|| {
        let shared = backlog();
        let mut intake = attach(&shared);
        let caller = spawn(&shared, |shared| put(shared).unwrap().1);
        assert!(block_on(intake.ready()));
        let answer = caller.join().unwrap();
        let one = intake.commit(1, 1).pop().unwrap();
        assert!(one.answer(8).1);
        assert_eq!(told(answer), Some(Ok(8)));
    });
}

/// A child that waits hears that nothing more comes.
#[test]
fn an_end_beside_a_wait_wakes_the_child() {
    explore(|| {
        let shared = backlog();
        let mut intake = attach(&shared);
        let ends = spawn(&shared, |shared| shared.close());
        assert!(!block_on(intake.ready()));
        ends.join().unwrap();
    });
}

/// Nothing is taken in that nobody would hand back.
#[test]
fn a_put_beside_an_end_is_refused_or_handed_back() {
    explore(|| {
        let shared = backlog();
        let ends = spawn(&shared, |shared| shared.close());
        let put = put(&shared);
        ends.join().unwrap();
        if let Some((_, answer)) = put {
            assert_eq!(told(answer), Some(Err(Unanswered::Terminating)));
        }
        assert!(shared.lock().core.is_over());
    });
}

/// A child that goes beside an end leaves nobody waiting.
#[test]
fn a_child_that_goes_beside_an_end_leaves_nobody_waiting() {
    explore(|| {
        let shared = backlog();
        let intake = attach(&shared);
        let (_, answer) = put(&shared).unwrap();
        let ends = spawn(&shared, |shared| shared.close());
        drop(intake);
        ends.join().unwrap();
        assert_eq!(told(answer), Some(Err(Unanswered::Terminating)));
    });
}
