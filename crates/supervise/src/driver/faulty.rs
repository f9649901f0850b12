//! What the driver does wrong where a fault is planted.

use std::sync::Arc;

use landfall_lifecycle::TaskSet;

use super::live::Body;
use super::{Core, Note};
use crate::child_cx::Instance;
use crate::child_id::InstanceId;
use crate::engine::{Action, Event};
use crate::exit::Exit;
use crate::faults::{self, Fault};
use crate::make::Make;

impl Core {
    /// Whether an action is not to be performed.
    pub(super) fn swallows(&self, action: &Action<Make>) -> bool {
        match action {
            Action::Stop { instance, .. } => self.takes_for_gone(*instance),
            Action::Abort { .. } => faults::is_armed(Fault::SwallowAbort),
            _ => false,
        }
    }

    /// Whether a worker that is to be stopped is taken for gone at once: in a restart without being asked to stop, in
    /// an end without being waited for.
    fn takes_for_gone(&self, instance: InstanceId) -> bool {
        let mut state = self.lock();
        let is_end = state.how.is_some();
        if !faults::is_armed(if is_end { Fault::SkipJoin } else { Fault::LeaveOld }) {
            return false;
        }
        let Some(Body::Worker(_, shared)) = state.live(instance).map(|live| &live.body) else { return false };
        let stop = is_end.then(|| Arc::clone(shared));
        let gone = state.leave(instance);
        drop(state);
        if let Some(stop) = stop {
            stop.ask();
        }
        drop(gone);
        self.post(Note::Event(Event::Exited(instance, Exit::Shutdown)));
        true
    }

    /// Leaves the timers of delayed restarts running, each in a task of its own that nobody ends.
    pub(super) fn leave_timers(self: &Arc<Self>) {
        if !faults::is_armed(Fault::FireLate) {
            return;
        }
        for (due, spec, make) in self.look(|engine| engine.waiting()) {
            let Make::Worker { factory, .. } = make else { continue };
            let instance = InstanceId { supervisor: 0, number: 0, place: 0 };
            let shared = Instance::new(Arc::clone(self), spec.id.clone(), instance, true);
            let place = spec.place;
            let (sleep, set) = (self.timer.sleep_until(self.epoch + due), TaskSet::new("late"));
            let late = async move {
                sleep.await;
                let inner = TaskSet::new("later");
                drop(factory.spawn(&inner, place, shared));
                std::mem::forget(inner);
            };
            // One that cannot be spawned is not found, and that is what the check is to say.
            drop(set.spawn(spec.id.task_name(), late));
            std::mem::forget(set);
        }
    }
}
