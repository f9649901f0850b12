//! How a backlog ends.

use std::borrow::Cow;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use landfall_lifecycle::{Ending, Owner, Reason, Remnant, Report, SelfJoin, Shutdown, Terminate};
use tokio_util::sync::CancellationToken;

use super::shared::{Child, Shared};
use super::{Backlog, Root};

/// The requests as an owner: its end is that none waits and none is out. The task that keeps the time ends after it.
pub(super) struct Requests<Q: Send + 'static, A: Send + 'static>(pub(super) Arc<Shared<Q, A>>);

const NAME: &str = "requests";

impl<Q: Send + 'static, A: Send + 'static> Owner for Shared<Q, A> {
    fn name(&self) -> Cow<'_, str> {
        NAME.into()
    }

    fn ending(&self) -> &Ending {
        &self.ending
    }

    fn on_begin(self: &Arc<Self>, _: &Shutdown) {
        self.close();
    }

    fn on_tighten(self: &Arc<Self>, _: &Shutdown) {}

    fn on_grace_over(self: &Arc<Self>) {
        self.change(|core| core.hand_back());
    }

    fn on_abort(self: &Arc<Self>) {
        self.change(|core| core.cut());
        // Those that are still out are no work of the backlog's: the report names them.
        Ending::finish(self);
    }

    fn fill(&self, report: &mut Report) {
        let state = self.lock();
        let out = state.core.out();
        if let Child::Attached { place, since, .. } | Child::Leaving { place, since } = &state.child
            && out > 0
            && self.ending.has_begun()
        {
            report.remnants.push(Remnant::new(
                "requests",
                format!("{out} with the child"),
                Some((*place).into()),
                since.elapsed(),
            ));
        }
    }

    fn calling_task(&self) -> Option<String> {
        None
    }
}

impl<Q: Send + 'static, A: Send + 'static> Terminate for Requests<Q, A> {
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

impl<Q: Send + 'static, A: Send + 'static> Root<Q, A> {
    /// Closes the gate, at once: the stack's driver takes a moment to begin.
    fn close(&self, how: &Shutdown) {
        let how = how.clone().because(Reason::ParentTerminating);
        Requests(Arc::clone(&self.shared)).begin_terminate(&how);
    }
}

impl<Q: Send + 'static, A: Send + 'static> Terminate for Backlog<Q, A> {
    fn name(&self) -> Cow<'_, str> {
        self.0.shared.name.as_str().into()
    }

    fn begin_terminate(&self, how: &Shutdown) {
        self.0.close(how);
        self.0.stack.begin_terminate(how);
    }

    fn terminate<'a>(&'a self, how: &'a Shutdown) -> BoxFuture<'a, Result<Report, SelfJoin>> {
        Box::pin(async move {
            if self.0.stack.calling_task().is_none() {
                self.0.close(how);
            }
            self.0.stack.terminate(how).await
        })
    }

    fn ended(&self) -> BoxFuture<'_, ()> {
        self.0.stack.ended()
    }

    fn report(&self) -> Option<Report> {
        Terminate::report(&self.0.stack)
    }

    fn calling_task(&self) -> Option<String> {
        self.0.stack.calling_task()
    }
}

impl<Q: Send + 'static, A: Send + 'static> Drop for Root<Q, A> {
    fn drop(&mut self) {
        if self.shared.ending.has_begun() {
            return;
        }
        let stats = self.shared.stats();
        if stats.waiting + stats.out > 0 {
            let (waiting, out) = (stats.waiting, stats.out);
            tracing::warn!(
                owner = self.shared.name.as_str(),
                waiting,
                out,
                "dropped without a termination: handing back"
            );
        }
        let how = Shutdown::now().because(Reason::Dropped);
        self.close(&how);
        self.stack.begin_terminate(&how);
    }
}

/// Keeps the time. That its runtime goes is noticed even if it comes before the first poll: nobody would end what is due.
pub(super) fn keep_time<Q: Send + 'static, A: Send + 'static>(
    shared: Arc<Shared<Q, A>>,
    stop: CancellationToken,
) -> impl Future<Output = ()> + Send {
    let presence = Presence(shared);
    async move { presence.0.keep_time(stop).await }
}

/// Ends what is left when the task goes, for whatever reason.
struct Presence<Q: Send + 'static, A: Send + 'static>(Arc<Shared<Q, A>>);

impl<Q: Send + 'static, A: Send + 'static> Drop for Presence<Q, A> {
    fn drop(&mut self) {
        self.0.change(|core| core.cut());
    }
}
