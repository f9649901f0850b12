//! The instances that live, and what they were told.

use std::sync::Arc;
use std::time::Duration;

use landfall_lifecycle::{Reason, Report, TaskId, TaskSet, Terminate};

use super::{Left, State};
use crate::child_cx::Instance;
use crate::child_id::InstanceId;
use crate::exit::Exit;
use crate::supervisor::Supervisor;

/// A living instance.
pub(super) struct Live {
    pub(super) instance: InstanceId,
    pub(super) body: Body,
    pub(super) is_asked: bool,
    pub(super) is_aborted: bool,
}

pub(super) enum Body {
    Worker(TaskId, Arc<Instance>),
    /// The task that starts a component.
    Start(TaskId),
    Component(Arc<dyn Terminate>),
    Supervisor(Supervisor),
    /// What a worker left behind in its task set.
    Remains(TaskSet),
}

/// How a component is told to end.
#[derive(Clone, Copy, Debug)]
pub(super) enum Told {
    /// Within so long; none if nothing but the end of the tree bounds it.
    Stop(Option<Duration>),
    Abort,
}

impl State {
    pub(super) fn live(&mut self, instance: InstanceId) -> Option<&mut Live> {
        self.live.get_mut(instance.place).filter(|live| live.instance == instance)
    }

    /// Enters what lives of an instance now.
    pub(super) fn enter(&mut self, instance: InstanceId, body: Body) {
        match self.live(instance) {
            Some(live) => live.body = body,
            None => {
                let live = Live { instance, body, is_asked: false, is_aborted: false };
                self.live.put(instance.place, live);
            }
        }
    }

    pub(super) fn leave(&mut self, instance: InstanceId) -> Option<Live> {
        self.live(instance)?;
        self.live.take(instance.place)
    }

    /// What an instance was told to do that may not have been there to hear it.
    pub(super) fn told(&self, instance: InstanceId, now: Duration) -> Option<Told> {
        let live = self.live.get(instance.place).filter(|live| live.instance == instance)?;
        match live {
            Live { is_aborted: true, .. } => Some(Told::Abort),
            Live { is_asked: true, .. } => Some(Told::Stop(self.engine.stop_left(instance, now))),
            Live { .. } => None,
        }
    }

    /// All that is terminated and is no task of the supervisor's own.
    pub(super) fn owners(&self) -> Vec<Arc<dyn Terminate>> {
        self.live.iter().filter_map(|live| live.body.owner()).collect()
    }
}

impl Body {
    /// What is to be terminated, if it is no task of the supervisor's own.
    pub(super) fn owner(&self) -> Option<Arc<dyn Terminate>> {
        match self {
            Self::Worker(_, shared) => shared.tasks.get().map(|tasks| Arc::new(tasks.clone()) as Arc<dyn Terminate>),
            Self::Start(_) => None,
            Self::Component(component) => Some(Arc::clone(component)),
            Self::Supervisor(supervisor) => Some(Arc::new(supervisor.clone())),
            Self::Remains(tasks) => Some(Arc::new(tasks.clone())),
        }
    }
}

impl Left {
    /// The exit, given what the instance was told.
    pub(super) fn into_exit(self, live: Option<&Live>, report: Option<&Report>) -> Exit {
        let (is_asked, is_aborted) = live.map_or((false, false), |live| (live.is_asked, live.is_aborted));
        match self {
            Self::Exit(exit) => exit,
            Self::Done if is_asked => Exit::Shutdown,
            Self::Done => Exit::Normal,
            Self::Ended if is_aborted => Exit::Aborted,
            Self::Ended if is_asked => Exit::Shutdown,
            Self::Ended => report.and_then(fault).unwrap_or(Exit::Normal),
        }
    }
}

/// What went wrong in a component that ended by itself.
fn fault(report: &Report) -> Option<Exit> {
    if let Some(error) = &report.error {
        return Some(Exit::failed(error.clone()));
    }
    if let Reason::Failed(why) = &report.reason {
        return Some(Exit::failed(why.to_string()));
    }
    let panicked = report.panics().next()?;
    Some(Exit::failed(panicked.to_string()))
}
