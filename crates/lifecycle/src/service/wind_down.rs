//! The end of a service, on a thread beside the main thread: everything in here may be held up by user code.

use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, join, select};
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::OnReport;
use super::engine::{Engine, Stop};
use super::hold::Hold;
use super::side::say;
use crate::panics::{contain, log};
use crate::report::Report;
use crate::shutdown::{Reason, Shutdown};
use crate::stack::Stack;
use crate::task_set::TaskSet;
use crate::terminate::Terminate;

/// How long tasks that belong to nobody may hold up the runtime after a clean end.
const RUNTIME_END_MAX: Duration = Duration::from_secs(1);
/// How long after its grace a start that is aborted counts as stuck; then the components end without waiting for it.
const START_ABORT_MAX: Duration = Duration::from_millis(100);

/// How far the end is.
///
/// | from          | event                                      | to         |
/// |---------------|--------------------------------------------|------------|
/// | `Terminating` | the report is made                         | `Reported` |
/// | `Terminating` | it is made, and an observer wants to count | `Held`     |
/// | `Held`        | the observer lets go                       | `Reported` |
/// | `Reported`    | hook called and runtime ended              | `Over`     |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    Terminating,
    Held,
    Reported,
    Over { is_success: bool },
}

/// What a service consists of: its start, what that started, and where it runs.
#[derive(Clone, Debug)]
pub(super) struct Parts {
    pub(super) start: TaskSet,
    pub(super) stack: Stack,
    pub(super) runtime: Handle,
}

/// All that the end of a service needs.
pub(super) struct WindDown {
    pub(super) parts: Parts,
    pub(super) engine: Engine,
    pub(super) how: Shutdown,
    pub(super) start_grace: Duration,
    pub(super) on_report: OnReport,
    pub(super) hold: Hold,
    pub(super) progress: watch::Sender<Progress>,
}

impl WindDown {
    pub(super) fn run(self) {
        let Self { parts, engine, how, start_grace, on_report, hold, progress } = self;
        let has_failed = match how.reason() {
            Reason::Failed(error) => {
                say(format!("{}: {error}", parts.stack.name()));
                true
            }
            _ => false,
        };
        log(|| tracing::info!(service.name = %parts.stack.name(), reason = %how.reason(), "service terminates"));
        // In the runtime's context, since components of others may need it, but not on its threads.
        let report = parts.runtime.block_on(parts.terminate(&how, start_grace));
        if hold.is_wanted() {
            progress.send_replace(Progress::Held);
            hold.ended(&parts, &report);
        }
        progress.send_replace(Progress::Reported);
        let is_clean = report.is_clean();
        log(|| tracing::info!(service.name = %report.name, elapsed = ?report.took, is_clean, "service terminated"));
        let has_been_told = contain(|| on_report(&report)).is_ok();
        engine.end(if is_clean { Stop::Within(RUNTIME_END_MAX) } else { Stop::AtOnce });
        progress.send_replace(Progress::Over { is_success: is_clean && has_been_told && !has_failed });
    }
}

impl Parts {
    /// Ends the start first, then what it had pushed; a start that is stuck holds up nothing.
    async fn terminate(&self, how: &Shutdown, start_grace: Duration) -> Report {
        let how_start = how.capped(start_grace).because(Reason::ParentTerminating);
        let stuck = async {
            how_start.grace_over().await;
            how.sleep_until(how.clock_now() + START_ABORT_MAX).await;
        };
        let (start, stack) = match select(self.start.terminate(&how_start), pin!(stuck)).await {
            Either::Left((start, _)) => (start, self.stack.terminate(how).await),
            Either::Right(((), start)) => join(start, self.stack.terminate(how)).await,
        };
        merged(start.unwrap_or_else(|_| self.start.report()), stack.unwrap_or_else(|_| self.stack.report()))
    }

    /// What can be said before the end.
    pub(super) fn report(&self) -> Report {
        // Components that cannot tell how they stand are polled once.
        let _context = self.runtime.enter();
        merged(self.start.report(), self.stack.report())
    }
}

/// The stack's report as the service's: with the start in it, if that did not simply return, and its time.
fn merged(start: Report, mut service: Report) -> Report {
    let ended_after = |report: &Report| report.began_after.saturating_add(report.took);
    service.took = ended_after(&service).max(ended_after(&start));
    service.began_after = Duration::ZERO;
    let has_returned = start.counts.completed + start.counts.drained > 0;
    if !has_returned || !start.tasks.is_empty() {
        service.children.insert(0, start);
    }
    service
}
