//! The handles of a pool as an owner: its end is that all have come back.

use std::borrow::Cow;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use landfall_lifecycle::internal::{contain, log};
use landfall_lifecycle::{Ending, Owner, Remnant, Report, SelfJoin, Shutdown, Terminate};

use super::Shared;
use crate::backend::Backend;
use crate::connector::Connector;
use crate::core::At;
#[cfg(landfall_faults)]
use crate::faults::{Fault, is_armed};
use crate::sync::MutexGuard;

/// The first to end of what a pool is made of; the tasks that close connections end after it.
///
/// | stage        | what happens                                                                       |
/// |--------------|------------------------------------------------------------------------------------|
/// | begin        | the gate is closed, claims that wait fail, connects and checks are given up, idle connections are closed |
/// | until grace ends | handles come back and are closed                                               |
/// | grace over   | each handle that is out is interrupted once                                        |
/// | abort        | handles that are out are remnants; they are closed by whoever drops them           |
pub(crate) struct Handles<K: Connector>(pub(crate) Arc<Shared<K>>);

const NAME: &str = "handles";

impl<K: Connector> Shared<K> {
    /// Ends the wait for the handles if none is out.
    pub(super) fn finish_if_over(self: &Arc<Self>) {
        if self.ending.has_begun() && self.lock().claimed() == 0 {
            Ending::finish(self);
        }
    }

    /// Who holds what, as many as a log line should name.
    pub(crate) fn holders(&self, max: usize) -> Vec<String> {
        let now = self.now();
        let out = self.lock().out(now);
        out.into_iter().take(max).map(|out| format!("{}:{}", out.place.file(), out.place.line())).collect()
    }
}

impl<K: Connector> Shared<K> {
    pub(super) fn unseen(&self) -> MutexGuard<'_, Vec<(Backend, At)>> {
        self.unseen.lock()
    }

    /// Adds to a pool's report the sessions whose end on the other side was not seen.
    pub(crate) fn with_unseen(&self, mut report: Report) -> Report {
        let now = self.now();
        let session =
            |(backend, began): &(Backend, At)| Remnant::new("session", backend.to_string(), None, now.since(*began));
        report.remnants.extend(self.unseen().iter().map(session));
        report
    }
}

impl<K: Connector> Owner for Shared<K> {
    fn name(&self) -> Cow<'_, str> {
        NAME.into()
    }

    fn ending(&self) -> &Ending {
        &self.ending
    }

    fn on_begin(self: &Arc<Self>, _: &Shutdown) {
        self.close();
        #[cfg(landfall_faults)]
        if is_armed(Fault::EndEarly) {
            return Ending::finish(self);
        }
        self.finish_if_over();
    }

    fn on_tighten(self: &Arc<Self>, _: &Shutdown) {}

    fn on_grace_over(self: &Arc<Self>) {
        #[cfg(landfall_faults)]
        if is_armed(Fault::ForgetInterrupt) {
            return;
        }
        let interrupts = self.lock().take_interrupts();
        for interrupt in interrupts {
            let interrupts = || {
                // It may be the last by now, and then is dropped in here too.
                let Some(interrupt) = interrupt.upgrade() else { return };
                let _inside = self.scope.enter();
                interrupt.interrupt(&self.spawner);
            };
            if let Err(error) = contain(interrupts) {
                log(|| tracing::warn!(pool.name = self.name.as_str(), error, "interrupt panicked"));
            }
        }
    }

    fn on_abort(self: &Arc<Self>) {
        // Those that are still out are no work of the pool's: the report names them.
        Ending::finish(self);
    }

    fn fill(&self, report: &mut Report) {
        if !self.ending.has_begun() {
            return;
        }
        let now = self.now();
        let out = self.lock().out(now);
        report.remnants.extend(
            out.into_iter().map(|out| Remnant::new("handle", out.backend.to_string(), Some(out.place.into()), out.age)),
        );
    }

    fn calling_task(&self) -> Option<String> {
        None
    }
}

impl<K: Connector> Terminate for Handles<K> {
    fn name(&self) -> Cow<'_, str> {
        NAME.into()
    }

    fn begin_terminate(&self, how: &Shutdown) {
        Ending::begin(&self.0, how);
    }

    fn terminate<'a>(&'a self, how: &'a Shutdown) -> BoxFuture<'a, Result<Report, SelfJoin>> {
        Box::pin(Ending::terminate(Arc::clone(&self.0), how.clone()))
    }

    fn ended(&self) -> BoxFuture<'_, ()> {
        Box::pin(Ending::ended(Arc::clone(&self.0)))
    }

    fn report(&self) -> Option<Report> {
        Some(Ending::report(&self.0))
    }
}
