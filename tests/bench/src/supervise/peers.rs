//! The same children below the supervisors that others offer: task-supervisor and ractor-supervisor.
//!
//! Neither has a static list and a stop in order as ours does; each is started and stopped as its documentation says.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ractor::{Actor, ActorProcessingErr, ActorRef};
use ractor_supervisor::dynamic::{DynamicSupervisor, DynamicSupervisorMsg, DynamicSupervisorOptions};
use ractor_supervisor::{ChildSpec, Restart, SpawnFn};
use task_supervisor::{CancellationToken, SupervisedTask, SupervisorBuilder, SupervisorHandle, TaskResult};
use tokio::task::JoinHandle;

use super::children::Children;

pub(super) const TASK_SUPERVISOR: &str = "task-supervisor";
pub(super) const RACTOR: &str = "ractor-supervisor";

/// What a child is there for.
#[derive(Clone, Copy)]
pub(super) enum Life {
    /// It crashes when it is told to.
    Work,
    /// It waits until it is stopped.
    Wait,
}

/// A child of either.
#[derive(Clone)]
struct Child {
    children: Arc<Children>,
    number: usize,
    life: Life,
}

impl Child {
    async fn live(self) -> Result<(), &'static str> {
        match self.life {
            Life::Work => self.children.work(self.number).await,
            Life::Wait => {
                self.children.exist(self.number, pending()).await;
                Ok(())
            }
        }
    }
}

impl SupervisedTask for Child {
    async fn run(self, cancel: CancellationToken) -> TaskResult {
        cancel.run_until_cancelled(self.live()).await.unwrap_or(Ok(())).map_err(Into::into)
    }
}

/// Restarts without a delay and without a limit.
pub(super) fn task_supervisor(children: &Arc<Children>, life: Life) -> SupervisorHandle {
    let builder = SupervisorBuilder::new()
        .with_unlimited_restarts()
        .with_base_restart_delay(Duration::ZERO)
        .with_max_restart_delay(Duration::ZERO)
        .with_restart_jitter(0.0);
    let child = |number| Child { children: Arc::clone(children), number, life };
    (0..children.len()).fold(builder, |builder, number| builder.with_task(&number.to_string(), child(number))).spawn()
}

/// A child as an actor: it lives in `post_start`, and fails as that does.
struct Alive;

impl Actor for Alive {
    type Msg = ();
    type State = Child;
    type Arguments = Child;

    async fn pre_start(&self, _myself: ActorRef<()>, child: Child) -> Result<Child, ActorProcessingErr> {
        Ok(child)
    }

    async fn post_start(&self, _myself: ActorRef<()>, child: &mut Child) -> Result<(), ActorProcessingErr> {
        child.clone().live().await.map_err(Into::into)
    }
}

/// A supervisor of actors, with the task it runs in.
pub(super) struct Ractor {
    supervisor: ActorRef<DynamicSupervisorMsg>,
    task: JoinHandle<()>,
}

impl Ractor {
    /// Each child is started by a call: this supervisor has no other way.
    pub(super) async fn start(children: &Arc<Children>, life: Life) -> Self {
        // Names of actors are global.
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let of = NUMBER.fetch_add(1, Ordering::Relaxed);
        let options = DynamicSupervisorOptions {
            max_children: None,
            max_restarts: 10_000,
            max_window: Duration::from_millis(100),
            reset_after: None,
        };
        let started = DynamicSupervisor::spawn(format!("bench-{of}"), options).await;
        let (supervisor, task) = started.expect("the name is free");
        for number in 0..children.len() {
            let child = Child { children: Arc::clone(children), number, life };
            let spawn = SpawnFn::new(move |above, id| {
                let child = child.clone();
                async move {
                    let (actor, _task) = DynamicSupervisor::spawn_linked(id, Alive, child, above).await?;
                    Ok(actor.get_cell())
                }
            });
            let spec = ChildSpec {
                id: format!("{of}-{number}"),
                restart: Restart::Permanent,
                spawn_fn: spawn,
                backoff_fn: None,
                reset_after: None,
            };
            DynamicSupervisor::spawn_child(supervisor.clone(), spec).await.expect("it starts");
        }
        Self { supervisor, task }
    }

    /// Stops it and waits for it, not for its children, which it does not wait for either.
    pub(super) async fn stop(self) {
        self.supervisor.stop(None);
        // It ends with an error where children were killed; what is measured is when it has ended.
        drop(self.task.await);
    }
}
