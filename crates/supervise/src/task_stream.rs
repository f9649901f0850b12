//! A task for each item of a list, so many at once.

use std::fmt;
use std::num::NonZeroUsize;
use std::panic::Location;
use std::pin::pin;
use std::sync::{Arc, OnceLock};
use std::thread::available_parallelism;
use std::time::Duration;

use futures_util::future::{BoxFuture, Either, FutureExt, select};
use futures_util::stream::{self, FuturesOrdered, FuturesUnordered, Stream, StreamExt};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::call_error::StartChildError;
use crate::child_cx::ChildCx;
use crate::child_id::{ChildId, ChildRef};
use crate::exit::Exit;
use crate::supervisor::Supervisor;

type Factory<A, T> = dyn Fn(ChildCx, A) -> BoxFuture<'static, T> + Send + Sync;
type Running<A, T> = BoxFuture<'static, TaskResult<A, T>>;

/// A task under a supervisor for each item, so many at once (Elixir: `Task.Supervisor.async_stream`). Made by
/// [`Supervisor::task_stream`].
///
/// Nothing runs before the first [`next`](Self::next). Dropping it stops its tasks, at their next poll and without asking
/// them; [`stop`](Self::stop) also waits until they have gone.
#[must_use = "nothing runs until `next` is awaited"]
pub struct TaskStream<A, T> {
    supervisor: Supervisor,
    id: ChildId,
    place: &'static Location<'static>,
    items: Box<dyn Iterator<Item = A> + Send>,
    factory: Arc<Factory<A, T>>,
    running: Queue<Running<A, T>>,
    has_started: bool,
    tasks_max: NonZeroUsize,
    task_limit: Option<Duration>,
    stop: CancellationToken,
    /// Stops the tasks with the stream.
    _link: DropGuard,
}

enum Queue<F: Future> {
    Ordered(FuturesOrdered<F>),
    Unordered(FuturesUnordered<F>),
}

/// What came of one item.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct TaskResult<A, T> {
    /// The item.
    pub item: A,
    /// The task's output, or why there is none.
    pub result: Result<T, TaskError>,
}

/// Why a task of a stream gave no output.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TaskError {
    /// It was not started.
    #[error("the task was not started")]
    NotStarted(#[from] StartChildError),
    /// It panicked, was aborted, or was stopped.
    #[error("the task ended without an output: {0}")]
    Ended(Exit),
    /// It took longer than [`TaskStream::task_limit`], and was stopped.
    #[error("the task took longer than {limit:?}: task_limit")]
    TimedOut {
        /// The limit.
        limit: Duration,
    },
}

impl Supervisor {
    /// Runs a task for each item, as temporary children (Elixir: `Task.Supervisor.async_stream_nolink`).
    ///
    /// At most as many at once as the machine has processors, unless [told](TaskStream::tasks_max) otherwise. The results
    /// come in the order of the items; each has its item with it. What fails, is too slow or cannot be started is a
    /// result too, and the others go on. A task's id is `id` with a number behind it that no other task of a stream under
    /// this supervisor has.
    ///
    /// # Examples
    ///
    /// ```
    /// use landfall_lifecycle::{Shutdown, Terminate};
    /// use landfall_supervise::Supervisor;
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let jobs = Supervisor::dynamic("jobs").start().await?;
    /// let mut squares = jobs.task_stream("square", 1..=3_u32, |_cx, number| async move { number * number });
    /// while let Some(done) = squares.next().await {
    ///     println!("{}: {:?}", done.item, done.result);
    /// }
    /// # jobs.terminate(&Shutdown::now()).await?;
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn task_stream<I, F, Fut>(
        &self,
        id: impl Into<ChildId>,
        items: I,
        factory: F,
    ) -> TaskStream<I::Item, Fut::Output>
    where
        I: IntoIterator<Item: Clone + Send + 'static, IntoIter: Send + 'static>,
        F: Fn(ChildCx, I::Item) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: Send + 'static> + Send + 'static,
    {
        let stop = CancellationToken::new();
        TaskStream {
            supervisor: self.clone(),
            id: id.into(),
            place: Location::caller(),
            items: Box::new(items.into_iter()),
            factory: Arc::new(move |cx, item| factory(cx, item).boxed()),
            running: Queue::Ordered(FuturesOrdered::new()),
            has_started: false,
            tasks_max: available_parallelism().unwrap_or(NonZeroUsize::MIN),
            task_limit: None,
            _link: stop.clone().drop_guard(),
            stop,
        }
    }
}

impl<A: Clone + Send + 'static, T: Send + 'static> TaskStream<A, T> {
    /// Bounds how many tasks run at once. Default: as many as the machine has processors.
    pub fn tasks_max(mut self, tasks_max: NonZeroUsize) -> Self {
        self.tasks_max = tasks_max;
        self
    }

    /// Gives the results as they come, in place of the order of the items. It changes nothing once a task was started.
    pub fn unordered(mut self) -> Self {
        if !self.has_started {
            self.running = Queue::Unordered(FuturesUnordered::new());
        }
        self
    }

    /// Stops a task that takes longer, its start included. Default: no limit.
    pub fn task_limit(mut self, limit: Duration) -> Self {
        self.task_limit = Some(limit);
        self
    }

    /// Starts as many tasks as may run, and waits for the next result; none when all items are done.
    ///
    /// # Panics
    ///
    /// When the iterator of the items does.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a dropped wait loses no item and no result; the tasks go on.
    pub async fn next(&mut self) -> Option<TaskResult<A, T>> {
        while self.running.len() < self.tasks_max.get() {
            let Some(item) = self.items.next() else { break };
            let running = self.task(item);
            self.running.push(running);
        }
        self.running.next().await
    }

    /// Stops the tasks that run and waits until they have gone, or are stuck; no more are started.
    ///
    /// # Cancel safety
    ///
    /// Dropping it stops the tasks too, and does not wait for them.
    pub async fn stop(mut self) {
        self.stop.cancel();
        while self.running.next().await.is_some() {}
    }

    /// The same as a `Stream`.
    ///
    /// # Cancel safety
    ///
    /// A dropped wait for the next item loses no result; the stream dropped stops its tasks.
    pub fn into_stream(self) -> impl Stream<Item = TaskResult<A, T>> + Send {
        stream::unfold(self, |mut tasks| async move { tasks.next().await.map(|result| (result, tasks)) })
    }

    /// One task, from its start to its end.
    fn task(&mut self, item: A) -> Running<A, T> {
        self.has_started = true;
        // Numbered through all streams: in most supervisors ids must differ.
        let number = self.supervisor.core().next_task();
        // One that is empty stays so, and is refused as such.
        let id = if self.id.as_str().is_empty() { self.id.clone() } else { format!("{}-{number}", self.id).into() };
        let (supervisor, factory) = (self.supervisor.clone(), Arc::clone(&self.factory));
        let (link, limit) = (self.stop.child_token(), self.task_limit);
        let result = one_task(supervisor, (id, self.place), link, limit, {
            let item = item.clone();
            move |cx| factory(cx, item)
        });
        result.map(move |result| TaskResult { item, result }).boxed()
    }
}

/// Runs one task until it ends, its stream stops, or its limit is over.
async fn one_task<T: Send + 'static>(
    supervisor: Supervisor,
    (id, place): (ChildId, &'static Location<'static>),
    link: CancellationToken,
    limit: Option<Duration>,
    factory: impl FnOnce(ChildCx) -> BoxFuture<'static, T> + Send + 'static,
) -> Result<T, TaskError> {
    let started = OnceLock::new();
    let done = async {
        let task = supervisor.start_linked(id.clone(), place, factory, link.clone()).await?;
        started.get_or_init(|| task.instance());
        task.await.map_err(TaskError::Ended)
    };
    let cut = async {
        match select(pin!(link.cancelled()), supervisor.core().sleep(limit)).await {
            Either::Left(_) => TaskError::Ended(Exit::Shutdown),
            Either::Right(_) => TaskError::TimedOut { limit: limit.unwrap_or_default() },
        }
    };
    let error = match select(pin!(done), pin!(cut)).await {
        Either::Left((result, _)) => return result,
        Either::Right((error, _)) => error,
    };
    link.cancel();
    let by_instance = started.get().filter(|_| supervisor.strategy().is_by_instance());
    let child = by_instance.map_or(ChildRef::Id(id), |instance| ChildRef::Instance(*instance));
    // It is gone, or it is stuck, and then it is the supervisor that reports it.
    drop(supervisor.terminate_child(child).await);
    Err(error)
}

impl<F: Future> Queue<F> {
    fn len(&self) -> usize {
        match self {
            Self::Ordered(queue) => queue.len(),
            Self::Unordered(queue) => queue.len(),
        }
    }

    fn push(&mut self, future: F) {
        match self {
            Self::Ordered(queue) => queue.push_back(future),
            Self::Unordered(queue) => queue.push(future),
        }
    }

    async fn next(&mut self) -> Option<F::Output> {
        match self {
            Self::Ordered(queue) => queue.next().await,
            Self::Unordered(queue) => queue.next().await,
        }
    }
}

impl<A, T> fmt::Debug for TaskStream<A, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskStream")
            .field("id", &self.id)
            .field("has_started", &self.has_started)
            .finish_non_exhaustive()
    }
}
