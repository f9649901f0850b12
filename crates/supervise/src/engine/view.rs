//! What can be asked at any time.

use std::time::Duration;

use super::Engine;
use super::children::Child;
use super::state::State;
use crate::child_id::{ChildRef, InstanceId};
use crate::child_state::{ChildCounts, ChildState};
use crate::spec::Spec;

/// One child as it stands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    pub(crate) spec: Spec,
    /// Whether its id is its own; instances of a template share one name.
    pub(crate) has_id: bool,
    /// The instance that lives.
    pub(crate) instance: Option<InstanceId>,
    pub(crate) state: ChildState,
    pub(crate) restarts: u64,
    /// For one that waits: how long it still does.
    pub(crate) retry_in: Option<Duration>,
}

impl<M: Clone> Engine<M> {
    /// All children, newest first.
    pub(crate) fn rows(&self) -> Vec<Row> {
        self.children.newest_first().map(|(_, child)| self.row(child)).collect()
    }

    /// One child, by its id or by the instance it has or, while it restarts, had.
    pub(crate) fn find(&self, child: &ChildRef) -> Option<Row> {
        let key = self.children.find(child)?;
        self.children.get(key).map(|child| self.row(child))
    }

    fn row(&self, child: &Child<M>) -> Row {
        let retry_in = match child.state() {
            State::Waiting => child.timer().map(|at| at.saturating_sub(self.now)),
            _ => None,
        };
        Row {
            spec: child.spec.clone(),
            has_id: !self.is_by_instance(),
            instance: child.state().instance(),
            state: child.state().shown(&child.spec),
            restarts: child.restarts,
            retry_in,
        }
    }

    pub(crate) fn counts(&self) -> ChildCounts {
        let (len, counts) = (self.children.len(), self.children.counts());
        ChildCounts {
            specs: if self.template.is_some() { 1 } else { len },
            active: counts.active,
            supervisors: counts.supervisors,
            workers: len - counts.supervisors,
        }
    }

    /// How long an instance that was asked to stop still has; none if nothing bounds it, or it is not being asked.
    pub(crate) fn stop_left(&self, instance: InstanceId, now: Duration) -> Option<Duration> {
        let child = self.children.get(self.children.of_instance(instance)?)?;
        child.timer().filter(|_| child.state().is_asked()).map(|at| at.saturating_sub(now))
    }

    pub(crate) fn settings(&self) -> &super::Settings {
        &self.settings
    }

    /// Whether an instance is not ready yet.
    pub(crate) fn is_starting(&self, instance: InstanceId) -> bool {
        let key = self.children.of_instance(instance);
        matches!(key.and_then(|key| self.state(key)), Some(State::Starting { instance: starting, .. }) if starting == instance)
    }
}
