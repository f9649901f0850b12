//! A whole process around a stack of components.

mod conductor;
mod cx;
mod engine;
mod hold;
mod notify;
mod side;
mod wind_down;

use std::fmt::{self, Debug, Display, Formatter};
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio::sync::watch;

use self::conductor::{Ending, Presses, Running};
pub use self::cx::ServiceCx;
use self::engine::Engine;
use self::hold::Hold;
use self::notify::Notifier;
use self::side::{SideThread, say};
use self::wind_down::{Parts, Progress, WindDown};
use crate::report::Report;
use crate::shutdown::Shutdown;
use crate::signals::Signals;
use crate::stack::Stack;
use crate::task_set::{SpawnError, TaskName, TaskSet};

/// How long the thread that ends the service may take to go after it is over, or is given up.
const SIDE_END_MAX: Duration = Duration::from_millis(50);

type OnReport = Box<dyn FnOnce(&Report) + Send>;

/// Describes a service: a process that starts components, runs until it is told to end, ends them in order and reports.
///
/// See [`Service::run`].
///
/// # Examples
///
/// ```no_run
/// use std::process::ExitCode;
/// use landfall_lifecycle::{SpawnError, TaskSet, service};
///
/// fn main() -> ExitCode {
///     service("ticker").run(|cx| async move {
///         let tasks = TaskSet::new("tasks");
///         let token = tasks.token();
///         tasks.spawn("tick", async move { token.cancelled().await })?;
///         cx.stack().push(tasks).expect("the service has only begun to start");
///         Ok::<(), SpawnError>(())
///     })
/// }
/// ```
#[must_use = "a service does nothing unless it is run"]
pub fn service(name: impl Into<TaskName>) -> Service {
    Service {
        name: name.into(),
        grace: Duration::from_secs(20),
        abort_after: Duration::from_secs(2),
        start_grace: Duration::from_secs(5),
        runtime: None,
        on_report: Box::new(print),
        notifies_systemd: false,
        holds_for_leak_check: false,
    }
}

/// A service before it runs. Made by [`service`].
///
/// Lengths of time may be zero, and are cut to 365 days: see [`Shutdown::within`].
#[must_use = "a service does nothing unless it is run"]
pub struct Service {
    name: TaskName,
    grace: Duration,
    abort_after: Duration,
    start_grace: Duration,
    runtime: Option<Builder>,
    on_report: OnReport,
    notifies_systemd: bool,
    holds_for_leak_check: bool,
}

impl Service {
    /// How long work may go on after the first signal before it is aborted. Default: 20 s.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// How long after the end of grace the abort instant is: the time for cleanup and for aborting in order.
    /// Default: 2 s.
    pub fn abort_after(mut self, window: Duration) -> Self {
        self.abort_after = window;
        self
    }

    /// How long a start that is interrupted gets, out of the grace, to heed its token; then it is dropped at its next
    /// await. Default: 5 s.
    pub fn start_grace(mut self, grace: Duration) -> Self {
        self.start_grace = grace;
        self
    }

    /// Builds the service's runtime this way. Default: multi-thread, everything enabled.
    ///
    /// A current-thread runtime is driven by a thread of its own.
    pub fn runtime(mut self, builder: Builder) -> Self {
        self.runtime = Some(builder);
        self
    }

    /// Calls `hook` with the report instead of printing it on standard error.
    ///
    /// It is called on a thread of its own, and makes the exit code 1 if it panics or has not returned after 2 s.
    pub fn on_report(mut self, hook: impl FnOnce(&Report) + Send + 'static) -> Self {
        self.on_report = Box::new(hook);
        self
    }

    /// Tells systemd when the service is ready and when it stops, and extends the time to stop while it drains.
    ///
    /// For units of `Type=notify`. Reads the socket's name from the environment; without one nothing is sent.
    #[cfg(feature = "systemd")]
    pub fn notify_systemd(mut self) -> Self {
        self.notifies_systemd = true;
        self
    }

    /// Lets an observer count from outside what the service holds: it stops at the three stages of a
    /// [`HoldPoint`](crate::leak_check::HoldPoint), if the variable `LANDFALL_HOLD` asks for it when the service is run.
    ///
    /// | stage   | when                                                                    | on which thread       |
    /// |---------|-------------------------------------------------------------------------|-----------------------|
    /// | `began` | the runtime is up, `start` is not called yet                            | the main one          |
    /// | `ended` | the report is made, the runtime lives, the hook has not been called yet | the one that ends it  |
    /// | `over`  | the runtime has gone, [`run`](Self::run) is about to return             | the main one          |
    ///
    /// Signals are heard meanwhile, and acted upon at `ended` and `over`; the third still exits. The time that an
    /// observer holds the service, at most a minute a stage, and up to two seconds at `ended` in which tasks of others
    /// leave the runtime, does not count: what comes after the report gets as long as ever. Without the variable nothing
    /// is delayed.
    ///
    /// In a build with `--cfg tokio_unstable` a held service installs hooks in its runtime, instead of any that the
    /// builder has.
    #[cfg(feature = "leak-check")]
    pub fn hold_for_leak_check(mut self) -> Self {
        self.holds_for_leak_check = true;
        self
    }

    /// Runs the service, and gives the exit code for `main` to return.
    ///
    /// To be called from a plain `fn main`: it builds the runtime, and keeps signals and deadlines on the calling
    /// thread, outside of that runtime, where busy tasks cannot delay them.
    ///
    /// `start` runs as a task, and pushes components onto [`ServiceCx::stack`]. When it has returned `Ok` the service
    /// runs until `SIGTERM`, `SIGINT` or [`ServiceCx::terminate`]. Then, or when `start` fails or panics, what was
    /// pushed is terminated, last pushed first. While the service starts, a signal ends it in the same way: the token
    /// is cancelled, `start` is ended first, then what it had pushed.
    ///
    /// | signal | what it does                                                                            |
    /// |--------|-----------------------------------------------------------------------------------------|
    /// | first  | begins the termination; if that has begun without a signal, nothing                     |
    /// | second | ends grace: what has not ended is aborted now                                           |
    /// | third  | exits with 128 + its number, after printing the report as it stands, in half a second   |
    ///
    /// The exit code is 0 after a clean end, and 1 if something was left, if `start` failed, if the reason was
    /// [`Reason::Failed`](crate::Reason::Failed), or if the service could not be set up. An error of `start` is
    /// printed as `{:#}` prints it.
    ///
    /// The report is there at the latest one second after the abort instant. If a component's callback holds up even
    /// that, the report as it stands is printed and the code is 1. After the report the hook and the end of the
    /// runtime get two seconds; of those, tasks that belong to nobody can hold up the runtime of a clean service for
    /// one. What lives even then ends with the process. The exit of the third signal runs no destructors.
    #[track_caller]
    pub fn run<F, Fut, E>(self, start: F) -> ExitCode
    where
        F: FnOnce(ServiceCx) -> Fut + Send + 'static,
        Fut: Future<Output = Result<(), E>> + Send + 'static,
        E: Display,
    {
        let name = self.name.clone();
        match self.try_run(start) {
            Ok(code) => code,
            Err(error) => {
                say(format!("{name}: {error}"));
                ExitCode::FAILURE
            }
        }
    }

    #[track_caller]
    fn try_run<F, Fut, E>(self, start: F) -> Result<ExitCode, SetUpError>
    where
        F: FnOnce(ServiceCx) -> Fut + Send + 'static,
        Fut: Future<Output = Result<(), E>> + Send + 'static,
        E: Display,
    {
        if Handle::try_current().is_ok() {
            return Err(SetUpError::InRuntime);
        }
        // It has io for the signals and nothing else: deadlines are never kept by a tokio timer.
        let main = Builder::new_current_thread().enable_io().build().map_err(SetUpError::Signals)?;
        // Before anything of the user's runs, so that no signal is lost to the default action.
        let signals = main.block_on(async { Signals::new() }).map_err(SetUpError::Signals)?;
        let mut builder = self.runtime.unwrap_or_else(|| {
            let mut builder = Builder::new_multi_thread();
            builder.enable_all();
            builder
        });
        let mut hold = Hold::new(self.holds_for_leak_check, &mut builder);
        let engine = Engine::start(builder).map_err(SetUpError::Runtime)?;
        let runtime = engine.handle().clone();
        hold.began(&runtime);
        let parts = Parts { start: TaskSet::new("start"), stack: Stack::new(self.name), runtime };
        let (cx, requested) = ServiceCx::new(parts.stack.clone(), parts.start.token());
        // The call is inside of the task too: it may need the runtime's context, and it may panic.
        let start = async move { start(cx).await.map_err(|error| format!("{error:#}")) };
        let start = parts.start.spawn_on(&parts.runtime, "start", start).map_err(SetUpError::Start)?;
        let notifier = notifier(self.notifies_systemd);

        let mut presses = Presses::default();
        let mut running = Running { signals, requested, start: Some(start) };
        let reason = main.block_on(running.until_reason(&mut presses, &notifier));
        notifier.stopping();
        let how = Shutdown::within(self.grace, self.grace.saturating_add(self.abort_after)).because(reason);
        let (progress, progressed) = watch::channel(Progress::Terminating);
        let mut ending = Ending::new(running.signals, presses, how.clone(), parts.clone(), progressed);
        let (start_grace, on_report) = (self.start_grace, self.on_report);
        let wind_down = WindDown { parts, engine, how, start_grace, on_report, hold: hold.clone(), progress };
        let side = SideThread::start("landfall-end", move || wind_down.run()).map_err(|wind_down| {
            // No thread to be had: then nobody hears further signals, but the deadlines hold.
            wind_down();
        });
        let code = main.block_on(ending.until_over());
        if let Ok(side) = side {
            side.join_within(SIDE_END_MAX);
        }
        if hold.is_wanted() {
            // So that no thread is left but those that should not be.
            drop(notifier);
            main.block_on(ending.settle());
            hold.over(|| main.block_on(ending.heed_one()));
        }
        Ok(code)
    }
}

impl Debug for Service {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service").field("name", &self.name).field("grace", &self.grace).finish_non_exhaustive()
    }
}

/// Why a service did not even start.
#[derive(Debug, thiserror::Error)]
enum SetUpError {
    #[error("a service builds its own runtime: run it from a plain fn main, not inside of a runtime")]
    InRuntime,
    #[error("signals cannot be received: {0}")]
    Signals(io::Error),
    #[error("the runtime cannot be built: {0}")]
    Runtime(io::Error),
    #[error("the start cannot be spawned: {0}")]
    Start(SpawnError),
}

fn notifier(is_wanted: bool) -> Notifier {
    #[cfg(feature = "systemd")]
    if is_wanted {
        return Notifier::systemd();
    }
    let _without_systemd = is_wanted;
    Notifier::default()
}

fn print(report: &Report) {
    // Nobody is left to be told that nobody listens.
    let _unheard = writeln!(io::stderr(), "{report}");
}
