//! What a supervisor and a child spec may be set to, beside the delay of restarts.

use std::fmt;
use std::time::Duration;

use crate::backoff::Backoff;
use crate::child_id::ChildId;

/// How long workers and components get to stop unless they say otherwise, as in OTP.
const SHUTDOWN: Duration = Duration::from_secs(5);
/// How long a component gets to start unless it says otherwise.
const START_LIMIT: Duration = Duration::from_secs(30);

/// Which children an end concerns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
pub enum Strategy {
    /// Only the child that ended is restarted.
    #[default]
    OneForOne,
    /// All others are stopped in reverse order, then all are started in order.
    OneForAll,
    /// Those started after it are stopped in reverse order, then it and they are started in order.
    RestForOne,
    /// Children are instances of one template, with no ids and no order; only the one that ended is restarted.
    SimpleOneForOne,
    /// Children are started by calls only, each with a spec of its own. They are named by instance, not by id, and are
    /// stopped at once, each by its own limit; only the one that ended is restarted (Elixir: `DynamicSupervisor`).
    Dynamic,
}

impl Strategy {
    /// Whether a restart concerns more than one child.
    pub(crate) fn is_group(self) -> bool {
        matches!(self, Self::OneForAll | Self::RestForOne)
    }

    /// Whether calls name children by instance, and all are stopped at once.
    pub(crate) fn is_by_instance(self) -> bool {
        matches!(self, Self::SimpleOneForOne | Self::Dynamic)
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OneForOne => "one-for-one",
            Self::OneForAll => "one-for-all",
            Self::RestForOne => "rest-for-one",
            Self::SimpleOneForOne => "simple-one-for-one",
            Self::Dynamic => "dynamic",
        })
    }
}

/// When a child is restarted; see [`Exit`](crate::Exit) for the table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
pub enum RestartType {
    /// Always.
    #[default]
    Permanent,
    /// Only after an abnormal end.
    Transient,
    /// Never; its spec goes with it.
    Temporary,
    /// As transient, but a normal end also ends the supervisor in order (supervisor3).
    Intrinsic,
}

impl RestartType {
    /// Lets a restart over the intensity wait instead of ending the supervisor.
    #[must_use]
    pub fn delayed(self, backoff: Backoff) -> Restart {
        Restart { kind: self, backoff: Some(backoff) }
    }
}

impl fmt::Display for RestartType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Permanent => "permanent",
            Self::Transient => "transient",
            Self::Temporary => "temporary",
            Self::Intrinsic => "intrinsic",
        })
    }
}

/// A restart type, and how its restarts are delayed if they are.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Restart {
    /// When it is restarted.
    pub kind: RestartType,
    /// How long a restart over the intensity waits; with none such a restart ends the supervisor.
    pub backoff: Option<Backoff>,
}

impl From<RestartType> for Restart {
    fn from(kind: RestartType) -> Self {
        Self { kind, backoff: None }
    }
}

/// How long a child gets to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
pub enum ShutdownPolicy {
    /// It is aborted at once, without being asked.
    BrutalKill,
    /// It is asked, and aborted when this has passed.
    Timeout(Duration),
    /// It is asked, and aborted when the parent's remaining budget is used up: never, while nobody terminates the tree.
    Infinity,
}

impl From<Duration> for ShutdownPolicy {
    fn from(limit: Duration) -> Self {
        Self::Timeout(limit)
    }
}

impl fmt::Display for ShutdownPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BrutalKill => f.write_str("brutal kill"),
            Self::Timeout(limit) => write!(f, "{limit:?}"),
            Self::Infinity => f.write_str("infinity"),
        }
    }
}

/// Whether ends of significant children end the supervisor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
pub enum AutoShutdown {
    /// They do not; no child may be significant.
    #[default]
    Never,
    /// The first one does.
    AnySignificant,
    /// The last one that was running does.
    AllSignificant,
}

/// How the stamps of the restart window are compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
pub enum WindowClock {
    /// As they are.
    #[default]
    Precise,
    /// Cut to whole seconds, as OTP does: the window then lies between `period` and `period` + 1 s.
    WholeSeconds,
}

/// What happens when a child is stuck: it outlived its stop limit and the abort after it.
///
/// In no case is a second instance started beside it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
pub enum StuckPolicy {
    /// The supervisor stops its other children and ends, once the stuck one has gone; until then the supervisor is
    /// stuck itself, and its parent decides by its own policy.
    #[default]
    Escalate,
    /// The others go on. The child is listed as stuck; when it has gone, what was wanted of it is done.
    Leave,
}

/// What a child is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum ChildKind {
    /// A future.
    Worker,
    /// An owner of background work: anything that is `Terminate`.
    Component,
    /// A supervisor.
    Supervisor,
}

impl fmt::Display for ChildKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Worker => "worker",
            Self::Component => "component",
            Self::Supervisor => "supervisor",
        })
    }
}

/// All that a supervisor knows of a child but how to make it.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct SpecInfo {
    /// Its id; for a template, the name that its instances share.
    pub id: ChildId,
    /// What it is.
    pub kind: ChildKind,
    /// When it is restarted.
    pub restart: Restart,
    /// How long it gets to stop.
    pub shutdown: ShutdownPolicy,
    /// Whether its end by itself counts for [`AutoShutdown`].
    pub significant: bool,
    /// How long it gets to be ready; with none its start is over as soon as it runs.
    pub start_limit: Option<Duration>,
}

impl SpecInfo {
    /// A spec with the defaults of its kind.
    pub(crate) fn new(id: ChildId, kind: ChildKind) -> Self {
        let (shutdown, start_limit) = match kind {
            ChildKind::Worker => (ShutdownPolicy::Timeout(SHUTDOWN), None),
            ChildKind::Component => (ShutdownPolicy::Timeout(SHUTDOWN), Some(START_LIMIT)),
            ChildKind::Supervisor => (ShutdownPolicy::Infinity, None),
        };
        Self { id, kind, restart: Restart::default(), shutdown, significant: false, start_limit }
    }
}
