//! What a worker is given when it is started.

use std::any::Any;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use landfall_lifecycle::{Reason, Shutdown, TaskSet, Terminate};
use tokio_util::sync::CancellationToken;

use crate::child_id::{ChildId, InstanceId};
use crate::driver::Core;
use crate::supervisor::WeakSupervisor;

/// What a worker is given when it is started: its stop signal, and what it needs of its supervisor.
#[derive(Clone)]
pub struct ChildCx(pub(crate) Arc<Instance>);

/// One instance of a worker, as its supervisor and itself share it.
pub(crate) struct Instance {
    pub(crate) core: Arc<Core>,
    pub(crate) id: ChildId,
    pub(crate) instance: InstanceId,
    /// It is up by being there: nobody waits for its start, though the engine may not know of it yet.
    pub(crate) is_up_at_once: bool,
    /// Made when it is asked for.
    stop: OnceLock<CancellationToken>,
    pub(crate) tasks: OnceLock<TaskSet>,
    is_asked: AtomicBool,
    /// The instance has ended: a task set that is asked for now is closed.
    pub(crate) is_over: AtomicBool,
}

impl Instance {
    pub(crate) fn new(core: Arc<Core>, id: ChildId, instance: InstanceId, is_up_at_once: bool) -> Arc<Self> {
        let (stop, tasks) = (OnceLock::new(), OnceLock::new());
        let [is_asked, is_over] = [(); 2].map(|()| AtomicBool::new(false));
        Arc::new(Self { core, id, instance, is_up_at_once, stop, tasks, is_asked, is_over })
    }

    /// Asks it to stop. It wakes whoever waits for that, and a waker is a user's code.
    pub(crate) fn ask(&self) {
        // Before the look: whoever makes the token later sees that it is to be cancelled.
        self.is_asked.store(true, Ordering::SeqCst);
        if let Some(stop) = self.stop.get() {
            stop.cancel();
        }
    }
}

impl ChildCx {
    /// The token that is cancelled when this instance, and no other, is asked to stop.
    #[must_use]
    pub fn token(&self) -> CancellationToken {
        let stop = self.0.stop.get_or_init(CancellationToken::new).clone();
        if self.0.is_asked.load(Ordering::SeqCst) {
            stop.cancel();
        }
        stop
    }

    /// Says that this instance is up, for a child that [signals](crate::ChildSpec::signals_ready). Once is enough.
    pub fn ready(&self) {
        self.0.core.ready(self.0.instance, None);
    }

    /// As [`ready`](Self::ready), with something for the caller of `start_child` or `restart_child` (OTP: a start that
    /// returns extra information). The supervisor itself makes no use of it.
    pub fn ready_with(&self, info: impl Any + Send) {
        self.0.core.ready(self.0.instance, Some(Box::new(info)));
    }

    /// The task set of this instance, for work beside its future. It is terminated when the future has ended, within
    /// the child's stop limit, and the instance has ended when that is through.
    #[must_use]
    pub fn tasks(&self) -> TaskSet {
        let tasks = self.0.tasks.get_or_init(|| TaskSet::new(self.0.id.task_name())).clone();
        if self.0.is_over.load(Ordering::SeqCst) {
            tasks.begin_terminate(&Shutdown::now().because(Reason::ParentTerminating));
        }
        tasks
    }

    /// The supervisor, for calls. From the child's own start these are refused: it would wait for itself.
    #[must_use]
    pub fn supervisor(&self) -> WeakSupervisor {
        self.0.core.handle()
    }

    /// The child's id; for a template, the name that its instances share.
    #[must_use]
    pub fn id(&self) -> &ChildId {
        &self.0.id
    }

    /// Which instance this is.
    #[must_use]
    pub fn instance(&self) -> InstanceId {
        self.0.instance
    }
}

impl fmt::Debug for ChildCx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChildCx").field("id", &self.0.id).field("instance", &self.0.instance).finish_non_exhaustive()
    }
}
