//! A tree of supervisors as it stands: to be read, printed and checked.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use landfall_lifecycle::Terminate;

use crate::child_id::{ChildId, InstanceId};
use crate::child_state::ChildState;
use crate::engine::Row;
use crate::policy::{ChildKind, RestartType, ShutdownPolicy, Strategy};
use crate::report::EndCause;
use crate::supervisor::Supervisor;

/// A supervisor and all below it, as it stands. Made by [`Supervisor::tree`].
///
/// Displays as a tree for people; with the feature `serde` it serialises with all of these fields.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Tree {
    /// The supervisor's name.
    pub name: String,
    /// Which children an end concerns.
    pub strategy: Strategy,
    /// Why it has ended, if it has.
    pub ended: Option<EndCause>,
    /// Its children, oldest first.
    pub children: Vec<TreeChild>,
}

/// A child as it stands.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct TreeChild {
    /// Its id; none for an instance of a template.
    pub id: Option<ChildId>,
    /// Its id, or the name that the instances of its template share.
    pub name: ChildId,
    /// What it is.
    pub kind: ChildKind,
    /// When it is restarted.
    pub restart: RestartType,
    /// How long it gets to stop.
    pub shutdown: ShutdownPolicy,
    /// What it does.
    pub state: ChildState,
    /// The instance that lives, if one does.
    pub instance: Option<InstanceId>,
    /// How often it was restarted.
    pub restarts: u64,
    /// For one that waits to be restarted: how long it still does.
    pub retry_in: Option<Duration>,
    /// The tree below it, if it is a supervisor that lives, and the whole tree was asked for.
    pub below: Option<Tree>,
}

impl TreeChild {
    pub(crate) fn of_row(row: Row) -> Self {
        let Row { spec, has_id, instance, state, restarts, retry_in } = row;
        Self {
            id: has_id.then(|| spec.id.clone()),
            name: spec.id.clone(),
            kind: spec.kind,
            restart: spec.restart.kind,
            shutdown: spec.shutdown,
            state,
            instance,
            restarts,
            retry_in,
            below: None,
        }
    }
}

impl Tree {
    pub(crate) fn of(supervisor: &Supervisor) -> Self {
        let mut children = supervisor.which_children();
        children.reverse();
        let mut supervisors: HashMap<_, _> = supervisor.core().below().into_iter().collect();
        for child in &mut children {
            let below = child.instance.and_then(|instance| supervisors.remove(&instance));
            child.below = below.map(|below| Self::of(&below));
        }
        let (strategy, ended) = (supervisor.strategy(), supervisor.end_cause());
        Self { name: supervisor.name().into_owned(), strategy, ended, children }
    }

    /// How long it takes at most to stop the children one after the other, those with infinity not counted but for
    /// what is below them. Children that are named by instance stop at once, so the longest counts.
    #[must_use]
    pub fn stop_limit(&self) -> Duration {
        let limits = self.children.iter().map(|child| match (child.shutdown, &child.below) {
            (ShutdownPolicy::Timeout(limit), _) => limit,
            (ShutdownPolicy::Infinity, Some(below)) => below.stop_limit(),
            (ShutdownPolicy::BrutalKill | ShutdownPolicy::Infinity, _) => Duration::ZERO,
        });
        if self.strategy.is_by_instance() {
            limits.max().unwrap_or_default()
        } else {
            limits.fold(Duration::ZERO, Duration::saturating_add)
        }
    }

    pub(crate) fn check_limits(&self, given: Duration) -> Result<(), LimitsError> {
        for child in &self.children {
            if let Some(below) = &child.below {
                let given = match child.shutdown {
                    ShutdownPolicy::Timeout(limit) => limit.min(given),
                    ShutdownPolicy::BrutalKill | ShutdownPolicy::Infinity => given,
                };
                below.check_limits(given)?;
            }
        }
        let needed = self.stop_limit();
        if needed > given {
            return Err(LimitsError { supervisor: self.name.clone(), needed, given });
        }
        Ok(())
    }

    fn write(&self, f: &mut fmt::Formatter<'_>, indent: &str) -> fmt::Result {
        let last = self.children.len().saturating_sub(1);
        for (at, child) in self.children.iter().enumerate() {
            let (branch, below) = if at == last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            write!(f, "\n{indent}{branch}{}  {}", child.name, child.state)?;
            if let Some(retry_in) = child.retry_in {
                write!(f, " in {retry_in:?}")?;
            }
            write!(f, "  {} {}", child.restart, child.kind)?;
            if let Some(instance) = child.instance {
                write!(f, ", instance {instance}")?;
            }
            if child.restarts > 0 {
                write!(f, ", restarted {} times", child.restarts)?;
            }
            if let Some(tree) = &child.below {
                write!(f, ", {}", tree.strategy)?;
                tree.write(f, &format!("{indent}{below}"))?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}  {}", self.name, self.strategy)?;
        if let Some(cause) = &self.ended {
            write!(f, "  ended: {cause}")?;
        }
        self.write(f, "")
    }
}

/// The stop limits of a supervisor's children add up to more than it has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the children of {supervisor:?} may take {needed:?} to stop, and have {given:?}: lower their shutdown limits")]
#[non_exhaustive]
pub struct LimitsError {
    /// The supervisor.
    pub supervisor: String,
    /// How long its children may take.
    pub needed: Duration,
    /// How long they have.
    pub given: Duration,
}
