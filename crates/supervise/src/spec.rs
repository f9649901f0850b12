//! A spec as a supervisor keeps it.

use std::ops::Deref;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use crate::child_id::ChildId;
use crate::policy::{ChildKind, Restart, ShutdownPolicy, SpecInfo};

/// All that a supervisor knows of a child but how to make it.
///
/// Most children of a supervisor differ in their ids alone, so everything else is shared by those that are alike.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Spec {
    pub(crate) id: ChildId,
    rules: Arc<Rules>,
}

/// What the fields of [`SpecInfo`] say, and where that was written.
#[derive(Debug, PartialEq)]
pub(crate) struct Rules {
    pub(crate) kind: ChildKind,
    pub(crate) restart: Restart,
    pub(crate) shutdown: ShutdownPolicy,
    pub(crate) significant: bool,
    pub(crate) start_limit: Option<Duration>,
    /// What reports of the child's tasks name.
    pub(crate) place: &'static Location<'static>,
}

impl Spec {
    pub(crate) fn new(info: SpecInfo, place: &'static Location<'static>) -> Self {
        let SpecInfo { id, kind, restart, shutdown, significant, start_limit } = info;
        Self { id, rules: Arc::new(Rules { kind, restart, shutdown, significant, start_limit, place }) }
    }

    /// Shares the rules that the latest spec had if they are the same; else these are the latest.
    pub(crate) fn share(&mut self, latest: &mut Option<Arc<Rules>>) {
        match latest {
            Some(latest) if *latest == self.rules => self.rules = Arc::clone(latest),
            _ => *latest = Some(Arc::clone(&self.rules)),
        }
    }

    pub(crate) fn info(&self) -> SpecInfo {
        let Rules { kind, restart, shutdown, significant, start_limit, place: _ } = *self.rules;
        SpecInfo { id: self.id.clone(), kind, restart, shutdown, significant, start_limit }
    }
}

impl Deref for Spec {
    type Target = Rules;

    fn deref(&self) -> &Rules {
        &self.rules
    }
}

#[cfg(test)]
impl From<SpecInfo> for Spec {
    #[track_caller]
    fn from(info: SpecInfo) -> Self {
        Self::new(info, Location::caller())
    }
}
