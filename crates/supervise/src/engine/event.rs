//! What the engine is told, and what it wants done.

use std::time::Duration;

use crate::call_error::{DeleteChildError, RestartChildError, StartChildError, TerminateChildError};
use crate::child_id::{ChildId, ChildRef, InstanceId};
use crate::child_state::ChildState;
use crate::exit::Exit;
use crate::report::{EndCause, Offender, ReportContext, ReportReason};
use crate::spec::Spec;

/// Which call a reply is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct CallId(pub(crate) u64);

/// A call that changes something. What makes a child is a value that the engine keeps and hands out, no more.
#[derive(Clone, Debug)]
pub(crate) enum Call<M> {
    Start {
        spec: Spec,
        make: M,
    },
    /// An instance of the template.
    StartInstance {
        make: M,
    },
    Restart(ChildRef),
    Delete(ChildRef),
    Terminate(ChildRef),
}

/// What happened. Every time is counted from the making of the engine.
#[derive(Clone, Debug)]
pub(crate) enum Event<M> {
    /// The static children are to be started.
    Begin,
    Call(CallId, Call<M>),
    /// An instance that was starting is up.
    Ready(InstanceId),
    /// An instance has ended by itself, and something of it still runs.
    Lingers(InstanceId),
    /// Nothing of an instance is left.
    Exited(InstanceId, Exit),
    /// An instance says that it cannot end: something below it is stuck.
    Stuck(InstanceId),
    /// Only time has passed.
    Tick,
    /// The supervisor is to end by these instants, or earlier than it was to.
    Terminate(Budget),
}

/// When the time for an orderly end is over, and when everything left is aborted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Budget {
    pub(crate) grace: Duration,
    pub(crate) abort: Duration,
}

/// What is to be done, in this order.
#[derive(Clone, Debug)]
pub(crate) enum Action<M> {
    Start {
        instance: InstanceId,
        spec: Spec,
        make: M,
    },
    /// Ask an instance to stop. The limit is for the instance to know; the engine keeps it.
    Stop {
        instance: InstanceId,
        limit: Option<Duration>,
    },
    Abort {
        instance: InstanceId,
    },
    Reply(CallId, Reply),
    Report {
        context: ReportContext,
        reason: ReportReason,
        offender: Offender,
    },
    /// A child came up; whether somebody's call asked for it.
    Progress {
        offender: Offender,
        by_call: bool,
    },
    Changed {
        id: ChildId,
        instance: Option<InstanceId>,
        state: ChildState,
    },
    /// All static children are up.
    Up,
    /// The supervisor has ended but for children that are stuck.
    Straggling,
    /// The supervisor has ended.
    Ended(EndCause),
}

/// How a call went.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Reply {
    Start(Result<Up, StartChildError>),
    Restart(Result<Up, RestartChildError>),
    Delete(Result<(), DeleteChildError>),
    Terminate(Result<(), TerminateChildError>),
}

/// What became of a start that did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Up {
    Instance(InstanceId),
    Declined,
}
