//! What makes the instances of a child.

use std::error::Error;
use std::fmt;
use std::panic::Location;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::{BoxFuture, FutureExt};
use landfall_lifecycle::{SpawnError, TaskId, TaskSet, Terminate};

use crate::builder::SupervisorBuilder;
use crate::child_cx::{ChildCx, Instance};
use crate::driver::Worker;
use crate::exit::{Exit, IntoExit};

/// A started component, or why there is none.
pub(crate) type Started = Result<Arc<dyn Terminate>, Exit>;
type ComponentFactory = dyn Fn() -> BoxFuture<'static, Started> + Send + Sync;
type SupervisorFactory = dyn Fn() -> Result<SupervisorBuilder, Exit> + Send + Sync;

/// What makes an instance. Clones are the same factory.
#[derive(Clone)]
pub(crate) enum Make {
    Worker { factory: Arc<dyn SpawnWorker>, signals_ready: bool },
    Component(Arc<ComponentFactory>),
    Supervisor(Arc<SupervisorFactory>),
    Once(Once),
}

/// The factory of a worker. It spawns what it makes: the future's own type goes into the task, with no box around it.
pub(crate) trait SpawnWorker: Send + Sync {
    fn spawn(
        self: Arc<Self>,
        set: &TaskSet,
        place: &'static Location<'static>,
        instance: Arc<Instance>,
    ) -> Result<TaskId, SpawnError>;
}

impl<F, Fut> SpawnWorker for F
where
    F: Fn(ChildCx) -> Fut + Send + Sync + 'static,
    Fut: Future + Send + 'static,
    Fut::Output: IntoExit,
{
    fn spawn(
        self: Arc<Self>,
        set: &TaskSet,
        place: &'static Location<'static>,
        instance: Arc<Instance>,
    ) -> Result<TaskId, SpawnError> {
        let name = instance.id.task_name();
        set.spawn_at(place, name, Worker::new(self, instance))
    }
}

/// What a worker gave, once its own type is of no interest any more.
pub(crate) struct Given(Option<Exit>);

impl Given {
    pub(crate) fn by(output: impl IntoExit) -> Self {
        Self(output.into_exit())
    }
}

impl IntoExit for Given {
    fn into_exit(self) -> Option<Exit> {
        self.0
    }
}

/// What a component's factory gives, as an owner.
pub(crate) fn starting<T, E>(
    starting: impl Future<Output = Result<T, E>> + Send + 'static,
) -> BoxFuture<'static, Started>
where
    T: Terminate + 'static,
    E: Into<Box<dyn Error + Send + Sync>>,
{
    let started = |result: Result<T, E>| match result {
        Ok(component) => Ok(Arc::new(component) as Arc<dyn Terminate>),
        Err(error) => Err(Exit::failed(error)),
    };
    starting.map(started).boxed()
}

/// An instance that is there already, and can be given away once.
#[derive(Clone)]
pub(crate) struct Once(Arc<Mutex<Option<Arc<dyn Terminate>>>>);

impl Once {
    pub(crate) fn new(component: Arc<dyn Terminate>) -> Self {
        Self(Arc::new(Mutex::new(Some(component))))
    }

    pub(crate) fn take(&self) -> Option<Arc<dyn Terminate>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl fmt::Debug for Make {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Worker { .. } => "Worker",
            Self::Component(_) => "Component",
            Self::Supervisor(_) => "Supervisor",
            Self::Once(_) => "Once",
        })
    }
}
