//! A test in a process of its own, where everything that it leaves can be counted.

mod child;
mod cx;
mod failure;
mod name;
mod parent;
mod record;

use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};

pub use self::cx::LeakCx;
pub use self::failure::{LeakTestFailure, TestOutput};
use super::foreign::Foreigners;
use super::guard::SETTLE;
use super::ignore::Ignores;
use super::{FootprintError, Kind};
use crate::panics::contain;

/// The longest budget; with lengths of time without an end tokio panics.
const SETTLE_MAX: Duration = Duration::from_secs(3_600);

/// Runs `body` in a process of its own, and fails the test if anything is left when it has ended.
///
/// [`LeakTest`] with default options; there it is said what is looked for, and how.
///
/// # Panics
///
/// With the table of what was left, or with the reason why the test could not be run.
///
/// # Examples
///
/// ```
/// use landfall_lifecycle::TaskSet;
/// use landfall_lifecycle::leak_check::leak_test;
///
/// # /*
/// #[test]
/// # */
/// fn ends_everything() {
///     leak_test(|cx| async move {
///         let tasks = TaskSet::new("ingest");
///         let stop = tasks.token();
///         tasks.spawn("ticker", async move { stop.cancelled().await }).unwrap();
///         // Terminated after this has returned; then nothing may be left.
///         cx.own(tasks);
///     });
/// }
/// # #[cfg(target_os = "linux")]
/// # ends_everything();
/// ```
#[track_caller]
pub fn leak_test<F, Fut>(body: F)
where
    F: FnOnce(LeakCx) -> Fut,
    Fut: Future<Output = ()>,
{
    LeakTest::new().run(body);
}

/// A test that is run in a process of its own, and fails if anything is left when it has ended.
///
/// Called in a test of the usual harness, it starts the test program again, with nothing but that test. In there it
/// runs a trivial runtime first, for what tokio opens once and keeps; notes what the process holds; builds a runtime,
/// runs the body on it, terminates what the body handed over ([`LeakCx::own`]), looks for tasks and blocking jobs as
/// [`LeakCheck`](super::LeakCheck) does, drops the runtime, and looks for threads, descriptors, sockets and child
/// processes until nothing new is left or the [budget](Self::settle) ends. The test fails with the table of what is.
///
/// On Linux only. A test may have several of these, one after the other; the rest of the test runs in each of the
/// processes up to its call, and earlier calls count as passed there. A thread of the runtime that is left when it has been dropped is a blocking job that goes
/// on, or a task that does not yield: nothing else tells of those that nobody owns.
///
/// Whatever is left of a runtime keeps open what the runtime opened for itself: an epoll or two, an eventfd, a copy of a
/// socket. They go when it goes.
///
/// What it does not see: memory, and what the program opens once and keeps on purpose; that is
/// [ignored](Self::ignore), with a reason.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use landfall_lifecycle::leak_check::{Kind, LeakTest};
///
/// # /*
/// #[test]
/// # */
/// fn keeps_nothing_but_its_log() {
///     LeakTest::new()
///         .current_thread()
///         .ignore(Kind::Descriptor, "app.log", "the log stays open as long as the program runs")
///         .settle(Duration::from_millis(500))
///         .run(|_| async { /* … */ });
/// }
/// # #[cfg(target_os = "linux")]
/// # keeps_nothing_but_its_log();
/// ```
#[derive(Clone, Debug)]
#[must_use = "a test does nothing unless it is run"]
pub struct LeakTest {
    name: Option<String>,
    /// None on the thread that runs the body.
    workers: Option<usize>,
    settle: Duration,
    limit: Duration,
    grace: Duration,
    abort_after: Duration,
    ignores: Ignores,
}

impl Default for LeakTest {
    fn default() -> Self {
        Self::new()
    }
}

impl LeakTest {
    /// A test on a multi-thread runtime with two workers.
    pub fn new() -> Self {
        Self {
            name: None,
            workers: Some(2),
            settle: SETTLE,
            limit: Duration::from_secs(60),
            grace: Duration::from_secs(1),
            abort_after: Duration::from_secs(1),
            ignores: Ignores::default(),
        }
    }

    /// Runs the body on a current-thread runtime.
    pub fn current_thread(mut self) -> Self {
        self.workers = None;
        self
    }

    /// Runs the body on a multi-thread runtime with so many workers, at least one. Default: 2.
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = Some(workers.max(1));
        self
    }

    /// Says what the test is called, path included, as the harness lists it: for a test that calls this through a
    /// function or a thread of its own, where the name cannot be found.
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Leaves out what is of this kind and has `pattern` in its name or place. The reason is shown with it; without
    /// one nothing is left out.
    pub fn ignore(mut self, kind: Kind, pattern: &str, reason: &str) -> Self {
        self.ignores.add(kind, pattern, reason);
        self
    }

    /// How long what is left gets to go, each time it is looked for: before the runtime is dropped, while it is, and
    /// after it. Default: 2 s; cut to an hour.
    pub fn settle(mut self, budget: Duration) -> Self {
        self.settle = budget.min(SETTLE_MAX);
        self
    }

    /// How long the whole may take; then the process is killed, and the test has failed. Default: 60 s.
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// What the owners that the body handed over get to drain, and after that to clean up, all of them together.
    /// Default: 1 s each.
    pub fn grace(mut self, grace: Duration, abort_after: Duration) -> Self {
        (self.grace, self.abort_after) = (grace, abort_after);
        self
    }

    /// Runs the test.
    ///
    /// # Panics
    ///
    /// With what [`try_run`](Self::try_run) gives as its error.
    #[track_caller]
    pub fn run<F, Fut>(self, body: F)
    where
        F: FnOnce(LeakCx) -> Fut,
        Fut: Future<Output = ()>,
    {
        if let Err(failure) = self.try_run(body) {
            match std::error::Error::source(&failure) {
                Some(source) => panic!("{failure}: {source}"),
                None => panic!("{failure}"),
            }
        }
    }

    /// Runs the test; in the process that is started for it this does not return.
    ///
    /// # Errors
    ///
    /// [`LeakTestFailure`]: what was left, how the body failed, or why it could not be run.
    pub fn try_run<F, Fut>(self, body: F) -> Result<(), LeakTestFailure>
    where
        F: FnOnce(LeakCx) -> Fut,
        Fut: Future<Output = ()>,
    {
        if !cfg!(target_os = "linux") {
            let unsupported = FootprintError::Unsupported { os: std::env::consts::OS };
            return Err(LeakTestFailure::SetUp { message: unsupported.to_string() });
        }
        if Handle::try_current().is_ok() {
            return Err(LeakTestFailure::InRuntime);
        }
        match child::turn() {
            child::Turn::Ours => child::run(&self, body),
            child::Turn::NotYet => Ok(()),
            child::Turn::NoChild => {
                let names = self.name.clone().map_or_else(name::guesses::<F>, |name| vec![name]);
                parent::run(&self, &names)
            }
        }
    }

    /// Builds the runtime, with hooks that tell of others' tasks where there are any.
    fn build(&self) -> Result<(Runtime, Foreigners), String> {
        let mut builder = self.builder();
        let foreigners = Foreigners::of(&mut builder);
        // Tokio panics when it cannot make a worker.
        let built = contain(|| builder.build()).map(|built| built.map_err(|error| error.to_string()));
        match built.unwrap_or_else(Err) {
            Ok(runtime) => Ok((runtime, foreigners)),
            Err(error) => Err(format!("its runtime cannot be built: {error}")),
        }
    }

    fn builder(&self) -> Builder {
        let mut builder = match self.workers {
            Some(workers) => {
                let mut builder = Builder::new_multi_thread();
                builder.worker_threads(workers);
                builder
            }
            None => Builder::new_current_thread(),
        };
        builder.enable_all().thread_name(child::RUNTIME_THREAD);
        builder
    }
}
