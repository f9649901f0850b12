//! How a supervisor ends, as the cell of its end sees it.

use std::borrow::Cow;
use std::sync::Arc;

use landfall_lifecycle::{Ending, Owner, Reason, Report, Shutdown, Terminate};

use super::live::Body;
use super::{Core, Note};
#[cfg(landfall_faults)]
use crate::faults::{self, Fault};
use crate::panics::contain;
use crate::report::EndCause;

impl Owner for Core {
    fn name(&self) -> Cow<'_, str> {
        self.name.as_str().into()
    }

    fn ending(&self) -> &Ending {
        &self.ending
    }

    fn on_begin(self: &Arc<Self>, how: &Shutdown) {
        if self.lock().cause.is_some() {
            return Ending::finish(self);
        }
        self.post(Note::How(self.ending.tightened(how)));
    }

    fn on_tighten(self: &Arc<Self>, how: &Shutdown) {
        self.post(Note::How(self.ending.tightened(how)));
    }

    fn on_grace_over(self: &Arc<Self>) {
        // The engine keeps this instant itself, child by child.
        self.nudge();
    }

    fn on_abort(self: &Arc<Self>) {
        // Not left to the driver, which may not be polled while all workers are busy.
        self.abort_all();
        self.nudge();
    }

    fn fill(&self, report: &mut Report) {
        let workers = self.workers.report();
        report.counts = workers.counts;
        report.tasks = workers.tasks;
        report.tasks_omitted = workers.tasks_omitted;
        #[cfg(landfall_faults)]
        if faults::is_armed(Fault::NameNoStuck) {
            report.tasks.retain(|task| !matches!(task.outcome, landfall_lifecycle::Outcome::Straggler { .. }));
            report.counts.stragglers = 0;
        }
        let (owners, cause) = {
            let state = self.lock();
            report.children.extend(state.reports.iter().cloned());
            (state.owners(), state.cause.clone())
        };
        for owner in owners {
            report.children.push(match contain(|| owner.report()) {
                Ok(Some(report)) => report,
                Ok(None) => silent(&*owner, "has not reported"),
                Err(message) => silent(&*owner, &format!("panicked while it reported: {message}")),
            });
        }
        if let Some(cause @ EndCause::Panicked { .. }) = cause {
            report.error = Some(cause.to_string());
        }
    }

    fn calling_task(&self) -> Option<String> {
        self.workers.calling_task().or_else(|| {
            let owners: Vec<_> = {
                let state = self.lock();
                let is_owner = |body: &Body| !matches!(body, Body::Start(_));
                let bodies = state.live.iter().filter(|live| is_owner(&live.body));
                bodies.filter_map(|live| live.body.owner()).collect()
            };
            owners.iter().find_map(|owner| contain(|| owner.calling_task()).unwrap_or_default())
        })
    }
}

/// The report about a component that gave none.
fn silent(owner: &dyn Terminate, error: &str) -> Report {
    let name = contain(|| owner.name().into_owned()).unwrap_or_else(|_| "a component whose name panicked".to_owned());
    Report::new(name, Reason::ParentTerminating).with_error(error)
}
