//! What becomes of the children when the driver cannot go on: it panicked, or its runtime has gone.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::future::FutureExt;
use landfall_lifecycle::{Ending, Reason, Shutdown, Terminate};

use super::instance::ended;
use super::{Core, Note};
use crate::panics::{contain, into_message};
use crate::report::EndCause;

/// Drives a supervisor to its end. A panic of the driver ends the children all the same.
pub(super) async fn run(core: Arc<Core>, drive: impl Future<Output = ()>) {
    let mut fallen = Fallen(Some(Arc::clone(&core)));
    if let Err(payload) = AssertUnwindSafe(drive).catch_unwind().await {
        let message = into_message(payload);
        tracing::error!(supervisor = core.name, error = message, "the supervisor panicked: aborting its children");
        core.collapse(message).await;
    }
    fallen.0 = None;
}

/// Ends the children when the driver is dropped: its runtime is going.
struct Fallen(Option<Arc<Core>>);

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
        // Only now: a component may have come up while its start was being aborted.
        let owners = {
            let mut state = self.lock();
            let notes = std::mem::take(&mut state.inbox).into_iter().filter_map(|note| match note {
                Note::Owner(_, component) => Some(component),
                Note::Left { tasks: Some(tasks), .. } => Some(Arc::new(tasks) as Arc<dyn Terminate>),
                _ => None,
            });
            let notes: Vec<_> = notes.collect();
            let live: Vec<_> = state.live.drain().collect();
            drop(state);
            let live = live.into_iter().filter_map(|live| live.body.owner());
            live.chain(notes).collect::<Vec<_>>()
        };
        for owner in &owners {
            drop(contain(|| owner.begin_terminate(&now)));
        }
        for owner in owners {
            ended(owner).await;
        }
        self.conclude(EndCause::Panicked { message }).await;
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

    /// Nobody drives the supervisor any more: aborts everything, and leaves the report to the deadline.
    pub(super) fn abandon(self: &Arc<Self>) {
        self.abort_all();
        let cause = EndCause::Panicked { message: "its runtime has gone".to_owned() };
        self.started.send_if_modified(|started| started.is_none() && started.replace(Err(cause)).is_none());
        Ending::begin(self, &Shutdown::now().because(Reason::Failed("its runtime has gone".into())));
        // Only now: a call that comes later sees that the end has begun.
        let (calls, watchers) = {
            let mut state = self.lock();
            (std::mem::take(&mut state.calls), std::mem::take(&mut state.watchers))
        };
        drop((calls, watchers));
    }
}
