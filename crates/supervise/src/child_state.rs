//! What a child does, as it is shown.

use std::fmt;

/// What a child does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum ChildState {
    /// There is a spec and no instance: it declined, was terminated, or ended for good.
    Down,
    /// Its first instance, or one asked for by a call, is not ready yet.
    Starting,
    /// An instance runs.
    Running,
    /// Its instance was asked to stop, or was aborted, and has not ended.
    Stopping,
    /// It ended and is being restarted; no instance is ready.
    Restarting,
    /// Its restart waits for its delay to pass; OTP lists this as restarting, too.
    Waiting,
    /// Its instance outlived its stop limit and the abort.
    Stuck,
}

impl ChildState {
    /// Whether a restart is under way or waits for its delay: what OTP lists as `restarting`.
    #[must_use]
    pub fn is_restarting(self) -> bool {
        matches!(self, Self::Restarting | Self::Waiting)
    }

    /// Whether an instance is up: what OTP counts as active.
    #[must_use]
    pub fn is_active(self) -> bool {
        matches!(self, Self::Running | Self::Stopping | Self::Stuck)
    }
}

impl fmt::Display for ChildState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Down => "down",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Restarting => "restarting",
            Self::Waiting => "waiting to restart",
            Self::Stuck => "stuck",
        })
    }
}

/// How many there are (OTP: `count_children`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ChildCounts {
    /// Specs, of running children and others; a template is one.
    pub specs: usize,
    /// Children whose instance is up.
    pub active: usize,
    /// Children that are supervisors, whether they run or not.
    pub supervisors: usize,
    /// All other children, whether they run or not.
    pub workers: usize,
}
