//! What becomes of the children when the driver cannot go on: it panicked, or its runtime has gone.

use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;

use futures_util::future::{Either, FutureExt, select};
use landfall_lifecycle::{Ending, Reason, Shutdown, Terminate};

use super::instance::ended;
use super::{Core, Note};
use crate::events::TreeEventKind;
use crate::panics::{contain, drop_each, into_message};
use crate::report::EndCause;

/// Drives a supervisor to its end. A panic of the driver ends the children all the same, and that its runtime goes is
/// noticed even if it comes before the first poll.
pub(super) fn run<D>(core: Arc<Core>, drive: D) -> impl Future<Output = ()> + Send + use<D>
where
    D: Future<Output = ()> + Send,
{
    let fallen = Fallen(Some(Arc::clone(&core)));
    async move {
        if let Err(payload) = AssertUnwindSafe(drive).catch_unwind().await {
            let message = into_message(payload);
            tracing::error!(supervisor = core.name, error = message, "the supervisor panicked: aborting its children");
            core.collapse(message).await;
        }
        fallen.forget();
    }
}

/// Ends the children when the driver is dropped: its runtime is going.
struct Fallen(Option<Arc<Core>>);

impl Fallen {
    /// The driver is through with its work.
    fn forget(mut self) {
        self.0 = None;
    }
}

impl Drop for Fallen {
    fn drop(&mut self) {
        if let Some(core) = self.0.take() {
            core.abandon();
        }
    }
}

impl Core {
    /// Ends everything without the engine.
    async fn collapse(self: &Arc<Self>, message: String) {
        let spent = self.lock().engine.fall();
        let (spent, actions) = spent;
        drop(actions);
        self.dispose(spent);
        let now = self.at_once();
        self.abort_all();
        if let Err(error) = self.workers.terminate(&now).await {
            tracing::error!(supervisor = self.name, %error, "the driver is no task of its workers' set");
        }
        self.end_owners().await;
        self.conclude(EndCause::Panicked { message }).await;
    }

    /// Ends all that is no task of the supervisor's own, when those are gone: a component may have come up while its start
    /// was being aborted.
    async fn end_owners(&self) {
        let owners = {
            let state = self.lock();
            let notes = state.inbox.iter().filter_map(|note| match note {
                Note::Owner(_, component) => Some(Arc::clone(component)),
                Note::Left { tasks: Some(tasks), .. } => Some(Arc::new(tasks.clone()) as Arc<dyn Terminate>),
                _ => None,
            });
            state.owners().into_iter().chain(notes).collect::<Vec<_>>()
        };
        let now = self.at_once();
        for owner in &owners {
            drop(contain(|| owner.begin_terminate(&now)));
        }
        for owner in &owners {
            ended(Arc::clone(owner)).await;
        }
        drop_each(&self.name, owners);
        let live: Vec<_> = self.lock().live.drain().collect();
        drop_each(&self.name, live);
    }

    /// Aborts everything, now, without waiting.
    pub(super) fn abort_all(&self) {
        let now = self.at_once();
        self.workers.begin_terminate(&now);
        let owners = self.lock().owners();
        for owner in owners {
            if let Err(error) = contain(|| owner.begin_terminate(&now)) {
                tracing::error!(supervisor = self.name, error, "begin_terminate panicked");
            }
        }
    }

    /// Nobody drives the supervisor any more: aborts everything, and leaves the rest to whoever waits for the end.
    fn abandon(self: &Arc<Self>) {
        self.abort_all();
        let cause = EndCause::Panicked { message: "its runtime has gone".to_owned() };
        self.started.send_if_modified(|started| started.is_none() && started.replace(Err(cause.clone())).is_none());
        Ending::begin(self, &Shutdown::now().because(Reason::Failed("its runtime has gone".into())));
        // Only now: a call that comes later sees that the end has begun.
        let (calls, watchers) = {
            let mut state = self.lock();
            state.cause = Some(cause.clone());
            (std::mem::take(&mut state.calls), std::mem::take(&mut state.watchers))
        };
        drop((calls, watchers));
        self.hub.tell(&self.path, TreeEventKind::Ended(cause));
        self.abandoned.cancel();
    }

    /// Waits for what the driver brings about; where that has gone with its runtime, does the rest of its work.
    pub(crate) async fn driven<T>(self: &Arc<Self>, waiting: impl Future<Output = T>) -> T {
        let left = pin!(async {
            self.abandoned.cancelled().await;
            self.workers.ended().await;
            self.end_owners().await;
            Ending::finish(self);
        });
        match select(pin!(waiting), left).await {
            Either::Left((done, _)) => done,
            Either::Right(((), waiting)) => waiting.await,
        }
    }
}
