//! What runs an instance in a task, and tells the driver when nothing of it is left.

use std::cell::Cell;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use futures_util::future::{BoxFuture, FutureExt};
use landfall_lifecycle::Terminate;
use pin_project::{pin_project, pinned_drop};

use super::{Core, Left, Note};
use crate::child_cx::{ChildCx, Instance};
use crate::exit::{Exit, IntoExit};
#[cfg(landfall_faults)]
use crate::faults::{self, Fault};
use crate::make::Started;
use crate::panics::{contain, into_message};

thread_local! {
    /// Which instance this thread is running at this moment.
    static CURRENT: Cell<Option<Arc<Instance>>> = const { Cell::new(None) };
}

/// Whether the current task is a child, or below one, whose start that supervisor waits for.
pub(super) fn is_own_start(core: &Arc<Core>) -> bool {
    let current = CURRENT.try_with(|current| {
        let instance = current.take();
        current.set(instance.clone());
        instance
    });
    let Ok(Some(current)) = current else { return false };
    if current.is_up_at_once && Arc::ptr_eq(&current.core, core) {
        return false;
    }
    let (mut at, mut instance) = (Arc::clone(&current.core), current.instance);
    loop {
        if Arc::ptr_eq(&at, core) {
            return at.look(|engine| engine.is_starting(instance));
        }
        let Some(above) = &at.above else { return false };
        let Some(next) = above.core.upgrade() else { return false };
        (at, instance) = (next, above.instance);
    }
}

/// An instance on its way: it tells the driver when it is dropped, after everything else of its task.
struct Gone {
    /// None while the instance is the current one, and once it is handed over.
    instance: Option<Arc<Instance>>,
    left: Left,
}

/// Makes an instance the current one of this thread, and puts both back when it is dropped.
struct Inside<'a> {
    gone: &'a mut Gone,
    before: Option<Arc<Instance>>,
}

impl Gone {
    fn new(instance: Arc<Instance>) -> Self {
        Self { instance: Some(instance), left: Left::Exit(Exit::Aborted) }
    }

    fn inside(&mut self) -> Inside<'_> {
        // A thread that is being torn down has no current instance; its calls are then not known for its own.
        let before = match CURRENT.try_with(Cell::take) {
            Ok(before) => {
                let instance = self.instance.take();
                CURRENT.with(|current| current.set(instance));
                before
            }
            Err(_) => None,
        };
        Inside { gone: self, before }
    }

    /// Runs a user's code as this instance, and gives the text of its panic if it panicked.
    fn run<T>(&mut self, body: impl FnOnce() -> T) -> Result<T, String> {
        let _inside = self.inside();
        contain(body)
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        let before = self.before.take();
        if let Ok(Some(instance)) = CURRENT.try_with(|current| current.replace(before)) {
            self.gone.instance = Some(instance);
        }
    }
}

impl Drop for Gone {
    fn drop(&mut self) {
        let Some(instance) = self.instance.take() else { return };
        // Before the look: whoever makes the set later sees that it is too late.
        instance.is_over.store(true, Ordering::SeqCst);
        let tasks = instance.tasks.get().cloned();
        #[cfg(landfall_faults)]
        let tasks = if faults::is_armed(Fault::ForgetTasks) {
            std::mem::forget(tasks);
            None
        } else {
            tasks
        };
        let exit = std::mem::replace(&mut self.left, Left::Done);
        instance.core.post(Note::Left { instance: instance.instance, exit, tasks });
    }
}

/// A worker: its factory, then its future. What is left of either is dropped before the driver is told.
#[pin_project(PinnedDrop)]
pub(crate) struct Worker<F, Fut> {
    factory: Option<Arc<F>>,
    #[pin]
    future: Option<Fut>,
    gone: Gone,
}

impl<F, Fut> Worker<F, Fut> {
    pub(crate) fn new(factory: Arc<F>, instance: Arc<Instance>) -> Self {
        Self { factory: Some(factory), future: None, gone: Gone::new(instance) }
    }
}

impl<F, Fut> Future for Worker<F, Fut>
where
    F: Fn(ChildCx) -> Fut,
    Fut: Future,
    Fut::Output: IntoExit,
{
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        if let Some(factory) = this.factory.take()
            && let Some(instance) = this.gone.instance.clone()
        {
            // The factory goes with the call: who made it may want it back while the future runs.
            match this.gone.run(move || factory(ChildCx(instance))) {
                Ok(future) => this.future.set(Some(future)),
                Err(message) => {
                    this.gone.left = Left::Exit(Exit::Panicked(message.into()));
                    return Poll::Ready(());
                }
            }
        }
        let Some(future) = this.future.as_mut().as_pin_mut() else { return Poll::Ready(()) };
        let polled = this.gone.run(|| future.poll(cx).map(IntoExit::into_exit));
        this.gone.left = match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(None)) => Left::Done,
            Ok(Poll::Ready(Some(exit))) => Left::Exit(exit),
            Err(message) => Left::Exit(Exit::Panicked(message.into())),
        };
        Poll::Ready(())
    }
}

#[pinned_drop]
impl<F, Fut> PinnedDrop for Worker<F, Fut> {
    fn drop(self: Pin<&mut Self>) {
        let mut this = self.project();
        let dropped = this.gone.run(|| {
            drop(this.factory.take());
            this.future.set(None);
        });
        if let Err(message) = dropped {
            this.gone.left = Left::Exit(Exit::Panicked(message.as_str().into()));
            // The task set tells of it, too.
            resume_unwind(Box::new(message));
        }
    }
}

/// Starts a component.
pub(super) async fn start_component(instance: Arc<Instance>, factory: impl Fn() -> BoxFuture<'static, Started>) {
    let mut gone = Gone::new(instance);
    let started = match gone.run(factory) {
        Ok(mut starting) => {
            poll_fn(|cx| match gone.run(|| starting.as_mut().poll(cx)) {
                Ok(polled) => polled.map(Ok),
                Err(message) => Poll::Ready(Err(message)),
            })
            .await
        }
        Err(message) => Err(message),
    };
    let exit = match started {
        Ok(Ok(component)) => {
            if let Some(instance) = gone.instance.take() {
                instance.core.post(Note::Owner(instance.instance, component));
            }
            return;
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
