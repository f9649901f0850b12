//! Why a call to a supervisor did not do what was asked: one enum a call.

use crate::child_id::{ChildId, ChildRef, InstanceId};
use crate::exit::Exit;
use crate::spec_error::SpecError;

/// Why a supervisor did not take a call at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// It terminates, or has ended.
    #[error("the supervisor terminates or has ended")]
    Terminating,
    /// Too many calls wait for a group restart or for their child already.
    #[error("{calls_max} calls wait already, which is the most that may: calls_max")]
    Busy {
        /// The bound, [`calls_max`](crate::SupervisorBuilder::calls_max).
        calls_max: usize,
    },
    /// More calls came than the supervisor, which is held up, could look at.
    #[error(
        "{untaken_max} calls wait to be looked at, which is the most that may: wait for answers before calling again"
    )]
    Flooded {
        /// The bound, which is fixed.
        untaken_max: usize,
    },
    /// A child that is starting made the call: it would wait for its own start.
    #[error("a starting child must not call the supervisor that waits for its start")]
    FromOwnStart,
}

/// Why a child was not started.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum StartChildError {
    /// A child with that id runs.
    #[error("{id} runs already, as instance {instance}")]
    AlreadyStarted {
        /// The id.
        id: ChildId,
        /// Its instance.
        instance: InstanceId,
    },
    /// There is a spec with that id whose child does not run, or restarts.
    #[error("there is a spec {id} already: restart or delete it")]
    AlreadyPresent {
        /// The id.
        id: ChildId,
    },
    /// The spec is at fault.
    #[error("the spec is not valid")]
    Spec(#[from] SpecError),
    /// The start gave an error, panicked or took too long. Nothing of the spec is kept.
    #[error("{id} failed to start: {cause}")]
    Failed {
        /// The id; for a template, the name that its instances share.
        id: ChildId,
        /// What its start ended with.
        cause: Exit,
    },
    /// Another call terminated or deleted the child while it was starting, or the supervisor ended.
    #[error("the start of {id} was cancelled")]
    Cancelled {
        /// The id.
        id: ChildId,
    },
    /// There are as many children as there may be.
    #[error("there are {children_max} children already, which is the most that may: children_max")]
    ChildrenMax {
        /// The bound, [`children_max`](crate::SupervisorBuilder::children_max).
        children_max: usize,
    },
    /// The supervisor makes children from a template, not from specs.
    #[error("the supervisor is simple-one-for-one: it makes children from its template")]
    SimpleOneForOne,
    /// The supervisor makes children from specs, not from a template.
    #[error("the supervisor has no template: it makes children from specs")]
    NoTemplate,
    /// The call was not taken.
    #[error(transparent)]
    Refused(#[from] Refused),
}

/// Why a stopped child was not started again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RestartChildError {
    /// It runs.
    #[error("{child} runs, as instance {instance}")]
    Running {
        /// Which.
        child: ChildRef,
        /// Its instance.
        instance: InstanceId,
    },
    /// It is being restarted, or waits for that.
    #[error("{child} is being restarted")]
    Restarting {
        /// Which.
        child: ChildRef,
    },
    /// It is stuck: a second instance must not run beside it.
    #[error("{child} is stuck, as instance {instance}")]
    Stuck {
        /// Which.
        child: ChildRef,
        /// Its instance.
        instance: InstanceId,
    },
    /// There is none.
    #[error("there is no child {child}")]
    NotFound {
        /// Which.
        child: ChildRef,
    },
    /// The start gave an error, panicked or took too long. The spec is kept.
    #[error("{child} failed to start: {cause}")]
    Failed {
        /// Which.
        child: ChildRef,
        /// What its start ended with.
        cause: Exit,
    },
    /// Another call terminated or deleted the child while it was starting, or the supervisor ended.
    #[error("the start of {child} was cancelled")]
    Cancelled {
        /// Which.
        child: ChildRef,
    },
    /// Children of a simple-one-for-one or dynamic supervisor cannot be restarted by a call.
    #[error("the supervisor is simple-one-for-one or dynamic: its children are not restarted by a call")]
    SimpleOneForOne,
    /// The call was not taken.
    #[error(transparent)]
    Refused(#[from] Refused),
}

/// Why a spec was not deleted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeleteChildError {
    /// The child runs: terminate it first.
    #[error("{child} runs, as instance {instance}: terminate it first")]
    Running {
        /// Which.
        child: ChildRef,
        /// Its instance.
        instance: InstanceId,
    },
    /// It is being restarted, or waits for that.
    #[error("{child} is being restarted")]
    Restarting {
        /// Which.
        child: ChildRef,
    },
    /// It is stuck: it goes when its instance has gone.
    #[error("{child} is stuck, as instance {instance}")]
    Stuck {
        /// Which.
        child: ChildRef,
        /// Its instance.
        instance: InstanceId,
    },
    /// There is none.
    #[error("there is no child {child}")]
    NotFound {
        /// Which.
        child: ChildRef,
    },
    /// Children of a simple-one-for-one or dynamic supervisor are not kept once they are down.
    #[error("the supervisor is simple-one-for-one or dynamic: a child is forgotten when it is terminated")]
    SimpleOneForOne,
    /// The call was not taken.
    #[error(transparent)]
    Refused(#[from] Refused),
}

/// Why a child was not terminated.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TerminateChildError {
    /// It outlived its stop limit and the abort; it is listed as stuck.
    #[error("{child} is stuck, as instance {instance}")]
    Stuck {
        /// Which.
        child: ChildRef,
        /// Its instance.
        instance: InstanceId,
    },
    /// There is none.
    #[error("there is no child {child}")]
    NotFound {
        /// Which.
        child: ChildRef,
    },
    /// Children of a simple-one-for-one or dynamic supervisor are named by instance, not by id.
    #[error("the supervisor is simple-one-for-one or dynamic: its children are named by instance")]
    SimpleOneForOne,
    /// The call was not taken.
    #[error(transparent)]
    Refused(#[from] Refused),
}
