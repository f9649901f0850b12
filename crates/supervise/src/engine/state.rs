//! The states of a child.

use std::time::Duration;

use super::event::CallId;
use crate::child_id::InstanceId;
use crate::child_state::ChildState;
use crate::exit::Exit;
use crate::spec::Spec;

/// The state of a child. What each event does in each state is tabled in `docs/supervision.md`.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum State {
    /// No instance, and none is wanted.
    Down,
    Starting {
        instance: InstanceId,
        why: StartWhy,
    },
    Running {
        instance: InstanceId,
        since: Duration,
    },
    Stopping {
        instance: InstanceId,
        stage: Stage,
        why: StopWhy,
    },
    /// Ended by itself while the supervisor was busy with others; its turn comes after that.
    Lost {
        exit: Exit,
    },
    /// Its restart is due.
    Retrying,
    /// Its restart waits for the delay.
    Waiting,
    Stuck {
        instance: InstanceId,
        then: Then,
    },
}

/// Why an instance is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StartWhy {
    /// The supervisor starts.
    Initial,
    /// A call brought its spec.
    New(CallId),
    /// A call asked for a stopped child.
    Again(CallId),
    Restart,
}

impl StartWhy {
    pub(super) fn call(self) -> Option<CallId> {
        match self {
            Self::New(call) | Self::Again(call) => Some(call),
            Self::Initial | Self::Restart => None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Asked,
    Aborted,
}

/// Why an instance is stopped, which is what is done when it has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StopWhy {
    /// `terminate_child`.
    Call(CallId),
    /// `terminate_child` or `delete_child` of one that was starting.
    Cancel { start: StartWhy, by: CallId, is_delete: bool },
    /// Its start took too long.
    TimedOut(StartWhy),
    /// Its start ended by itself, and left something running.
    StartEnd(StartWhy),
    /// It ended by itself, and left something running.
    OwnEnd,
    /// A group restart.
    Group,
    /// The supervisor ends.
    Ending,
}

/// What is done when a stuck instance has gone after all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    Rest,
    Remove,
    Restart,
    /// As for any end by itself.
    Judge,
}

impl State {
    /// The instance that lives, if one does.
    pub(super) fn instance(&self) -> Option<InstanceId> {
        match self {
            Self::Starting { instance, .. }
            | Self::Running { instance, .. }
            | Self::Stopping { instance, .. }
            | Self::Stuck { instance, .. } => Some(*instance),
            Self::Down | Self::Lost { .. } | Self::Retrying | Self::Waiting => None,
        }
    }

    /// Whether its instance was asked to stop, and is waited for.
    pub(super) fn is_asked(&self) -> bool {
        matches!(self, Self::Stopping { stage: Stage::Asked, .. })
    }

    /// The state as it is shown.
    pub(super) fn shown(&self, spec: &Spec) -> ChildState {
        match self {
            Self::Down => ChildState::Down,
            Self::Starting { why: StartWhy::Restart, .. } | Self::Retrying => ChildState::Restarting,
            Self::Starting { .. } => ChildState::Starting,
            Self::Running { .. } => ChildState::Running,
            Self::Stopping { why, .. } if why.is_failed_restart() => ChildState::Restarting,
            Self::Stopping { .. } => ChildState::Stopping,
            Self::Lost { exit } if exit.restarts(spec.restart.kind) => ChildState::Restarting,
            Self::Lost { .. } => ChildState::Down,
            Self::Waiting => ChildState::Waiting,
            Self::Stuck { .. } => ChildState::Stuck,
        }
    }
}

impl StopWhy {
    /// Whether it is a restart that failed and is being cleared away, to be tried again.
    pub(super) fn is_failed_restart(self) -> bool {
        matches!(self, Self::TimedOut(StartWhy::Restart) | Self::StartEnd(StartWhy::Restart))
    }
}
