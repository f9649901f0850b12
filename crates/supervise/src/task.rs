//! One task under a supervisor, whose output is awaited.

use std::fmt;
use std::panic::{AssertUnwindSafe, Location};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use futures_util::future::{Either, FutureExt, select};
use tokio::sync::oneshot;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::call_error::StartChildError;
use crate::child_cx::ChildCx;
use crate::child_id::{ChildId, InstanceId};
use crate::child_spec::ChildSpec;
use crate::exit::Exit;
use crate::panics::{contain, into_message};
use crate::supervisor::Supervisor;

/// A temporary child whose output is awaited: a future of it, or of how the child ended without one
/// (Elixir: `Task.Supervisor.async_nolink`). Made by [`Supervisor::start_task`].
///
/// It gives its result once, when nothing of the child is left. Dropping it detaches the child, which goes on; an output
/// that nobody waits for is dropped.
///
/// # Cancel safety
///
/// Cancel safe: awaiting it by `&mut` and dropping that wait loses nothing. After it gave its result it stays pending.
#[must_use = "nobody hears of the result unless this is awaited"]
pub struct ChildTask<T> {
    instance: InstanceId,
    output: Output<T>,
    /// Tells when nothing is left of the child; none if that was so at once.
    gone: Option<oneshot::Receiver<Exit>>,
    link: CancellationToken,
    linked: Option<DropGuard>,
}

/// | from      | event                   | to        |
/// |-----------|-------------------------|-----------|
/// | `Waiting` | the child gave a result | `Held`    |
/// | `Waiting` | it gave none            | `Held`    |
/// | `Held`    | nothing of it is left   | `Given`   |
enum Output<T> {
    Waiting(oneshot::Receiver<Result<T, Exit>>),
    /// The result, if the child lived to give one.
    Held(Option<Result<T, Exit>>),
    Given,
}

impl Supervisor {
    /// Starts a temporary child whose output is awaited (Elixir: `Task.Supervisor.async_nolink`).
    ///
    /// A panic, an abort and a stop are values that the [`ChildTask`] gives. An error that is the future's output is an
    /// output: for the supervisor the child has done its work.
    ///
    /// # Errors
    ///
    /// [`StartChildError`], as of [`start_child`](Self::start_child); then nothing was started.
    ///
    /// # Cancel safety
    ///
    /// Dropping it forgets the answer; the child is started all the same, and its output is dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// use landfall_lifecycle::{Shutdown, Terminate};
    /// use landfall_supervise::Supervisor;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let jobs = Supervisor::dynamic("jobs").children_max(100).start().await?;
    /// let task = jobs.start_task("sum", |_cx| async { (1..=4).sum::<u32>() }).await?;
    /// assert_eq!(task.await, Ok(10));
    /// // A failure is a value; with `?` the caller fails too.
    /// let task = jobs.start_task("worse", |_cx| async { panic!("no numbers") }).await?;
    /// assert_eq!(task.await.unwrap_err().to_string(), "panicked: no numbers");
    /// # jobs.terminate(&Shutdown::now()).await?;
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn start_task<F, Fut>(
        &self,
        id: impl Into<ChildId>,
        factory: F,
    ) -> impl Future<Output = Result<ChildTask<Fut::Output>, StartChildError>> + Send
    where
        F: FnOnce(ChildCx) -> Fut + Send + 'static,
        Fut: Future + Send + 'static,
        Fut::Output: Send + 'static,
    {
        self.start_linked(id.into(), Location::caller(), factory, CancellationToken::new())
    }

    /// As [`start_task`](Self::start_task), with the place that asked for it and the token that stops the child.
    pub(crate) async fn start_linked<F, Fut>(
        &self,
        id: ChildId,
        place: &'static Location<'static>,
        factory: F,
        link: CancellationToken,
    ) -> Result<ChildTask<Fut::Output>, StartChildError>
    where
        F: FnOnce(ChildCx) -> Fut + Send + 'static,
        Fut: Future + Send + 'static,
        Fut::Output: Send + 'static,
    {
        let (sender, output) = oneshot::channel();
        let unlinked = link.clone();
        let spec = ChildSpec { place, ..ChildSpec::task(id, move |cx| run(cx, factory, sender, link)) };
        let started = self.start_child(spec).await?;
        let instance = started.instance.expect("a child that does not signal is up at once, so it cannot decline");
        let gone = self.core().watch(instance);
        Ok(ChildTask { instance, output: Output::Waiting(output), gone, link: unlinked, linked: None })
    }

    /// Waits until nothing is left of an instance, and says how it ended; none if it had gone when this was called
    /// (OTP: a monitor, and its `DOWN`). One that is stuck has not gone.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a dropped wait changes nothing.
    pub fn instance_ended(&self, instance: InstanceId) -> impl Future<Output = Option<Exit>> + Send + use<> {
        let gone = self.core().watch(instance);
        async move {
            // A supervisor that fell has aborted what it had.
            Some(gone?.await.unwrap_or(Exit::Aborted))
        }
    }
}

/// Runs the future of a task, and hands out what came of it.
async fn run<F, Fut>(
    cx: ChildCx,
    factory: F,
    sender: oneshot::Sender<Result<Fut::Output, Exit>>,
    link: CancellationToken,
) -> Exit
where
    F: FnOnce(ChildCx) -> Fut,
    Fut: Future,
{
    let working = async {
        let future = contain(|| factory(cx))?;
        AssertUnwindSafe(future).catch_unwind().await.map_err(into_message)
    };
    let done = match select(pin!(link.cancelled()), pin!(working)).await {
        Either::Left(((), _)) => return Exit::Shutdown,
        Either::Right((done, _)) => done,
    };
    let (result, exit) = match done {
        Ok(output) => (Ok(output), Exit::Normal),
        Err(message) => {
            let exit = Exit::Panicked(message.into());
            (Err(exit.clone()), exit)
        }
    };
    // What nobody waits for is dropped here, as the child's own.
    drop(sender.send(result));
    exit
}

impl<T> ChildTask<T> {
    /// The instance, for calls about it.
    #[must_use]
    pub fn instance(&self) -> InstanceId {
        self.instance
    }

    /// Links the child to who waits for it: dropping this stops the child, at its next poll and without asking it
    /// (Elixir: `Task.Supervisor.async`, whose task goes with its caller).
    pub fn linked(mut self) -> Self {
        self.linked = Some(self.link.clone().drop_guard());
        self
    }
}

impl<T> Future for ChildTask<T> {
    type Output = Result<T, Exit>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        if let Output::Waiting(output) = &mut this.output {
            let result = ready!(Pin::new(output).poll(cx)).ok();
            this.output = Output::Held(result);
        }
        let Output::Held(result) = &mut this.output else { return Poll::Pending };
        let exit = match &mut this.gone {
            Some(gone) => ready!(Pin::new(gone).poll(cx)).ok(),
            None => None,
        };
        // One that gave nothing was aborted or stopped; if it had gone before it could be watched, it was aborted.
        let result = result.take().unwrap_or_else(|| Err(exit.unwrap_or(Exit::Aborted)));
        this.output = Output::Given;
        Poll::Ready(result)
    }
}

/// Nothing in it is pinned.
impl<T> Unpin for ChildTask<T> {}

impl<T> fmt::Debug for ChildTask<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_linked = self.linked.is_some();
        f.debug_struct("ChildTask")
            .field("instance", &self.instance)
            .field("is_linked", &is_linked)
            .finish_non_exhaustive()
    }
}
