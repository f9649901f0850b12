//! What the tests share: both runtime flavours under a watchdog, things that block until told, things that are counted.

use std::future::Future;
use std::io::Write;
use std::panic::Location;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, Once, PoisonError, mpsc};
use std::time::Duration;

use landfall_lifecycle::{Report, Shutdown};
use tokio::runtime::{Builder, Runtime};

/// A test that takes this long hangs.
const TEST_MAX: Duration = Duration::from_secs(60);

/// How a planned panic of a test begins; it is not printed.
pub(crate) const PLANNED: &str = "planned";

pub(crate) fn current_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

pub(crate) fn multi_thread() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Runs a test on a current_thread runtime, then on one with two workers.
#[track_caller]
pub(crate) fn on_both<F: Future<Output = ()>>(body: impl Fn() -> F) {
    let _watched = Watchdog::new();
    current_thread().block_on(body());
    multi_thread().block_on(body());
}

/// Grace and abort instant so far away that no test sees them come by themselves.
pub(crate) fn long() -> Shutdown {
    Shutdown::within(Duration::from_secs(3_600), Duration::from_secs(7_200))
}

/// Grace over, the abort instant far away.
pub(crate) fn no_grace() -> Shutdown {
    Shutdown::within(Duration::ZERO, Duration::from_secs(3_600))
}

#[track_caller]
pub(crate) fn assert_clean(report: &Report) {
    assert!(report.is_clean(), "\n{report}");
}

/// Lets the runtime run what is ready until `is_done`.
pub(crate) async fn until(mut is_done: impl FnMut() -> bool) {
    while !is_done() {
        tokio::task::yield_now().await;
    }
}

/// As [`until`], on a plain thread.
pub(crate) fn until_blocking(mut is_done: impl FnMut() -> bool) {
    while !is_done() {
        std::thread::yield_now();
    }
}

/// Ends the process when a test hangs, because nothing else would say which one it was.
pub(crate) struct Watchdog {
    _alive: mpsc::Sender<()>,
}

impl Watchdog {
    #[track_caller]
    #[expect(clippy::disallowed_methods, reason = "it ends with its test, and must not rest on what is tested")]
    pub(crate) fn new() -> Self {
        watch_panics();
        let place = Location::caller();
        let test = std::thread::current().name().unwrap_or_default().to_owned();
        let (alive, gone) = mpsc::channel::<()>();
        std::thread::spawn(move || {
            if gone.recv_timeout(TEST_MAX) == Err(mpsc::RecvTimeoutError::Timeout) {
                // Not through `eprintln`, which the test harness captures and an abort loses.
                let _unheard = writeln!(std::io::stderr(), "the test {test} at {place} hangs");
                std::process::abort();
            }
        });
        Self { _alive: alive }
    }
}

/// Keeps planned panics quiet and counts those that were raised outside of the tests.
pub(crate) fn watch_panics() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let default = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            // Payloads that are no text are thrown by the tests only.
            let text = match info.payload().downcast_ref::<&'static str>() {
                Some(text) => Some(*text),
                None => info.payload().downcast_ref::<String>().map(String::as_str),
            };
            if text.is_none_or(|text| text.starts_with(PLANNED)) {
                return;
            }
            if !info.location().is_some_and(|place| place.file().contains("tests/it")) {
                foreign_threads().push(std::thread::current().name().unwrap_or_default().to_owned());
            }
            default(info);
        }));
    });
}

/// How many panics were raised by anything but a test, on threads that are no other test's: those have their own.
pub(crate) fn foreign_panics() -> usize {
    let this = std::thread::current();
    // Tests run on threads that have their names; no other thread's has a path for its name.
    let is_another_test = |name: &String| name.contains("::") && Some(name.as_str()) != this.name();
    foreign_threads().iter().filter(|name| !is_another_test(name)).count()
}

/// The names of the threads on which they were raised.
fn foreign_threads() -> MutexGuard<'static, Vec<String>> {
    static THREADS: Mutex<Vec<String>> = Mutex::new(Vec::new());
    THREADS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Counts the guards that are alive.
#[derive(Clone, Debug, Default)]
pub(crate) struct Alive(Arc<AtomicUsize>);

impl Alive {
    pub(crate) fn guard(&self) -> Guard {
        self.0.fetch_add(1, Ordering::SeqCst);
        Guard(self.clone())
    }

    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// A capture whose destructor is seen, and takes a while, so that whoever does not wait for it is caught.
#[derive(Debug)]
pub(crate) struct Guard(Alive);

impl Drop for Guard {
    fn drop(&mut self) {
        for _ in 0..20 {
            std::thread::yield_now();
        }
        self.0.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Blocks threads until it is released; the last clone of the test's side releases it too.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hold(Arc<(Mutex<Held>, Condvar)>);

#[derive(Debug, Default)]
struct Held {
    entered: usize,
    left: usize,
    is_released: bool,
}

/// Releases a [`Hold`] when a test ends, however it ends.
pub(crate) struct ReleaseOnDrop(Hold);

impl Hold {
    pub(crate) fn new() -> (Self, ReleaseOnDrop) {
        let hold = Self::default();
        (hold.clone(), ReleaseOnDrop(hold))
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Blocks this thread until the release.
    pub(crate) fn block(&self) {
        let mut held = self.held();
        held.entered += 1;
        self.0.1.notify_all();
        while !held.is_released {
            held = self.0.1.wait(held).unwrap_or_else(PoisonError::into_inner);
        }
        held.left += 1;
    }

    pub(crate) fn release(&self) {
        self.held().is_released = true;
        self.0.1.notify_all();
    }

    /// How many threads have come to the block.
    pub(crate) fn entered(&self) -> usize {
        self.held().entered
    }

    /// How many threads have gone on.
    pub(crate) fn left(&self) -> usize {
        self.held().left
    }

    /// Blocks this thread until `count` threads are blocked.
    pub(crate) fn wait_entered(&self, count: usize) {
        let mut held = self.held();
        while held.entered < count {
            held = self.0.1.wait(held).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Drop for ReleaseOnDrop {
    fn drop(&mut self) {
        self.0.release();
    }
}

/// A value whose destructor blocks.
pub(crate) struct BlocksInDrop(pub(crate) Hold);

impl Drop for BlocksInDrop {
    fn drop(&mut self) {
        self.0.block();
    }
}
