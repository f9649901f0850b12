//! What runs an instance in a task, and tells the driver when nothing of it is left.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures_util::future::{BoxFuture, FutureExt};
use landfall_lifecycle::Terminate;

use super::{Core, Left, Note};
use crate::child_cx::{ChildCx, Instance};
use crate::child_id::InstanceId;
use crate::exit::Exit;
#[cfg(landfall_faults)]
use crate::faults::{self, Fault};
use crate::make::Started;
use crate::panics::{contain, into_message};

tokio::task_local! {
    /// Which instance of which supervisor the current task is.
    static CURRENT: (Arc<Core>, InstanceId);
}

/// Whether the current task is a child, or below one, whose start that supervisor waits for.
pub(super) fn is_own_start(core: &Arc<Core>) -> bool {
    let Ok((mut at, mut instance)) = CURRENT.try_with(Clone::clone) else { return false };
    loop {
        if Arc::ptr_eq(&at, core) {
            return at.look(|engine| engine.is_starting(instance));
        }
        let Some(above) = &at.above else { return false };
        let Some(next) = above.core.upgrade() else { return false };
        (at, instance) = (next, above.instance);
    }
}

/// Tells the driver when it is dropped: after everything else of the instance's task, however that ended.
pub(super) struct Gone {
    core: Arc<Core>,
    instance: InstanceId,
    left: Left,
    shared: Option<Arc<Instance>>,
    is_handed_over: bool,
}

impl Gone {
    pub(super) fn new(core: &Arc<Core>, instance: InstanceId, shared: Option<Arc<Instance>>) -> Self {
        let left = Left::Exit(Exit::Aborted);
        Self { core: Arc::clone(core), instance, left, shared, is_handed_over: false }
    }

    fn current(&self) -> (Arc<Core>, InstanceId) {
        (Arc::clone(&self.core), self.instance)
    }
}

impl Drop for Gone {
    fn drop(&mut self) {
        if self.is_handed_over {
            return;
        }
        let tasks = self.shared.take().and_then(|shared| {
            // Before the look: whoever makes the set later sees that it is too late.
            shared.is_over.store(true, Ordering::SeqCst);
            #[cfg(landfall_faults)]
            if faults::is_armed(Fault::ForgetTasks) {
                std::mem::forget(shared.tasks.get().cloned());
                return None;
            }
            shared.tasks.get().cloned()
        });
        let exit = std::mem::replace(&mut self.left, Left::Done);
        self.core.post(Note::Left { instance: self.instance, exit, tasks });
    }
}

/// Runs a worker.
pub(super) async fn run_worker(
    mut gone: Gone,
    cx: ChildCx,
    factory: impl Fn(ChildCx) -> BoxFuture<'static, Option<Exit>>,
) {
    let running = async {
        let future = contain(|| factory(cx))?;
        AssertUnwindSafe(future).catch_unwind().await.map_err(into_message)
    };
    gone.left = match CURRENT.scope(gone.current(), running).await {
        Ok(None) => Left::Done,
        Ok(Some(exit)) => Left::Exit(exit),
        Err(message) => Left::Exit(Exit::Panicked(message.into())),
    };
}

/// Starts a component.
pub(super) async fn start_component(mut gone: Gone, factory: impl Fn() -> BoxFuture<'static, Started>) {
    let starting = async {
        let future = contain(factory)?;
        AssertUnwindSafe(future).catch_unwind().await.map_err(into_message)
    };
    let exit = match CURRENT.scope(gone.current(), starting).await {
        Ok(Ok(component)) => {
            gone.is_handed_over = true;
            return gone.core.post(Note::Owner(gone.instance, component));
        }
        Ok(Err(exit)) => exit,
        Err(message) => Exit::Panicked(message.into()),
    };
    gone.left = Left::Exit(exit);
}

/// Waits until nothing of a component is left.
pub(super) async fn ended(component: Arc<dyn Terminate>) -> Left {
    let ended = match contain(|| component.ended()) {
        Ok(ended) => AssertUnwindSafe(ended).catch_unwind().await.map_err(into_message),
        Err(message) => Err(message),
    };
    match ended {
        Ok(()) => Left::Ended,
        Err(message) => Left::Exit(Exit::Panicked(message.into())),
    }
}
