//! Who waits until an instance has gone.

use tokio::sync::oneshot;

use super::{Core, State};
use crate::child_id::InstanceId;
use crate::engine::Event;
use crate::exit::Exit;
use crate::make::Make;
use crate::panics::contain;

/// Those who wait until an instance has gone, which it has.
pub(super) struct Watched {
    watchers: Vec<oneshot::Sender<Exit>>,
    exit: Exit,
}

impl Watched {
    pub(super) fn tell(self) {
        for watcher in self.watchers {
            // It fails for one that does not wait any more, and a waker is a user's code.
            drop(contain(|| watcher.send(self.exit.clone())));
        }
    }
}

impl State {
    /// Takes those who wait for what has happened.
    pub(super) fn take_watched(&mut self, event: &Event<Make>) -> Option<Watched> {
        let Event::Exited(instance, exit) = event else { return None };
        if self.watchers.is_empty() {
            return None;
        }
        self.watchers.remove(instance).map(|watchers| Watched { watchers, exit: exit.clone() })
    }
}

impl Core {
    /// Tells when nothing is left of an instance, and how it ended; none if nothing is.
    pub(crate) fn watch(&self, instance: InstanceId) -> Option<oneshot::Receiver<Exit>> {
        let mut state = self.lock();
        state.engine.find(&instance.into()).filter(|row| row.instance == Some(instance))?;
        let (sender, receiver) = oneshot::channel();
        let watchers = state.watchers.entry(instance).or_default();
        // Those who do not wait any more are as many as those who came since.
        watchers.retain(|watcher| !watcher.is_closed());
        watchers.push(sender);
        Some(receiver)
    }
}
