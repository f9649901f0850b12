//! Blocking closures: on the runtime's threads, in a cell from which a termination can take them, or on a thread of
//! their own.

use std::io;
use std::panic::Location;

use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::core::Core;
use super::error::{SpawnError, TaskError};
use super::history::Left;
use super::name::TaskName;
use super::task::{OutputCell, Task, finish};
use crate::current;
use crate::panics::{contain, log};
use crate::report::{Outcome, TaskKind};
use crate::sync::{Arc, Mutex, thread};

/// A closure that waits in a queue.
pub(super) trait Job: Send + Sync {
    /// Drops the closure if it is still there, and lets its entry go.
    fn dispose(&self, outcome: Outcome);
}

/// A closure, its output's way and its entry. Whoever takes the closure owns its end: the thread that runs it, the
/// termination that drops it, or the runtime that goes away with it.
struct JobCell<F, T> {
    core: Arc<Core>,
    index: u32,
    closure: Mutex<Option<F>>,
    output: Arc<OutputCell<T>>,
}

impl<F, T> JobCell<F, T>
where
    F: FnOnce(&CancellationToken) -> T,
{
    fn take(&self) -> Option<F> {
        self.closure.lock().take()
    }

    fn run(&self) {
        let Some(closure) = self.take() else { return };
        let _inside = current::enter(self.core.id(), self.index);
        let token = self.core.token().clone();
        let (result, left) = match contain(|| closure(&token)) {
            Ok(output) => (Ok(output), Left::Completed),
            Err(message) => {
                let error = TaskError::Panicked { message: message.clone() };
                (Err(error), Left::Abnormal(Outcome::Panicked { message, in_drop: false }))
            }
        };
        self.end(result, left);
    }

    fn end(&self, result: Result<T, TaskError>, left: Left) {
        finish(&self.core, self.index, &self.output, result, left);
    }

    fn dispose_now(&self, outcome: Outcome) {
        let Some(closure) = self.take() else { return };
        self.core.note_dropping(self.index);
        let _inside = current::enter(self.core.id(), self.index);
        let outcome = match contain(|| drop(closure)) {
            Ok(()) => outcome,
            Err(message) => Outcome::Panicked { message, in_drop: true },
        };
        self.end(Err(TaskError::of(&outcome)), Left::Abnormal(outcome));
    }
}

impl<F, T> Job for JobCell<F, T>
where
    F: FnOnce(&CancellationToken) -> T + Send,
    T: Send,
{
    fn dispose(&self, outcome: Outcome) {
        self.dispose_now(outcome);
    }
}

/// What the runtime's queue holds. If the runtime drops it unrun, that is an end too.
pub(super) struct Queued<F: FnOnce(&CancellationToken) -> T, T>(Arc<JobCell<F, T>>);

impl<F: FnOnce(&CancellationToken) -> T, T> Queued<F, T> {
    pub(super) fn run(self) {
        // Its place may be somebody else's by now if it was taken.
        if self.0.closure.lock().is_none() {
            return;
        }
        if self.0.core.start_queued(self.0.index) {
            self.0.run();
        } else {
            self.0.dispose_now(Outcome::NeverStarted);
        }
    }
}

impl<F: FnOnce(&CancellationToken) -> T, T> Drop for Queued<F, T> {
    fn drop(&mut self) {
        // Nothing is left to dispose of if it ran.
        if self.0.closure.lock().is_some() {
            self.0.core.start_queued(self.0.index);
            self.0.dispose_now(Outcome::RuntimeGone);
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "this is how the set starts a job it owns")]
pub(super) fn spawn_blocking<F, T>(
    core: &Arc<Core>,
    name: TaskName,
    place: &'static Location<'static>,
    closure: F,
) -> Result<Task<T>, SpawnError>
where
    F: FnOnce(&CancellationToken) -> T + Send + 'static,
    T: Send + 'static,
{
    let runtime = Handle::try_current().map_err(|_| SpawnError::NoRuntime)?;
    let (queued, task) = queue(core, name, place, closure)?;
    let Some(queued) = queued else { return Ok(task) };
    let job = Arc::clone(&queued.0);
    // Tokio panics when it has no thread for the job and can make none.
    if let Err(message) = contain(|| drop(runtime.spawn_blocking(move || queued.run()))) {
        if let Some(closure) = job.take() {
            core.withdraw(job.index);
            drop(closure);
        }
        return Err(SpawnError::NoThread { source: io::Error::other(message) });
    }
    Ok(task)
}

/// Takes an entry for a closure and gives what a runtime's queue is to hold; none if a termination took it out already.
#[expect(clippy::type_complexity, reason = "a closure in a span has no name")]
pub(super) fn queue<F, T>(
    core: &Arc<Core>,
    name: TaskName,
    place: &'static Location<'static>,
    closure: F,
) -> Result<(Option<Queued<impl FnOnce(&CancellationToken) -> T + Send + 'static, T>>, Task<T>), SpawnError>
where
    F: FnOnce(&CancellationToken) -> T + Send + 'static,
    T: Send + 'static,
{
    let closure = Mutex::new(Some(in_span(closure)));
    let id = core.enter(TaskKind::Blocking, name, place)?;
    let output = OutputCell::new();
    let job = Arc::new(JobCell { core: Arc::clone(core), index: id.index(), closure, output: Arc::clone(&output) });
    let task = Task::new(id, Arc::clone(core), output);
    if core.add_queued(id.index(), Arc::clone(&job) as Arc<dyn Job>) {
        return Ok((Some(Queued(job)), task));
    }
    job.dispose_now(Outcome::NeverStarted);
    Ok((None, task))
}

/// Runs `closure` in the span that is current here, which is taken before the entry: a subscriber's panic would leave
/// an entry that nothing ends.
fn in_span<F, T>(closure: F) -> impl FnOnce(&CancellationToken) -> T
where
    F: FnOnce(&CancellationToken) -> T,
{
    let span = tracing::Span::current();
    move |token| span.in_scope(|| closure(token))
}

#[expect(clippy::disallowed_methods, reason = "this is how the set starts a thread it owns and joins")]
pub(super) fn spawn_thread<F, T>(
    core: &Arc<Core>,
    kind: TaskKind,
    name: TaskName,
    place: &'static Location<'static>,
    closure: F,
) -> Result<Task<T>, SpawnError>
where
    F: FnOnce(&CancellationToken) -> T + Send + 'static,
    T: Send + 'static,
{
    let closure = Mutex::new(Some(in_span(closure)));
    let id = core.enter(kind, name.clone(), place)?;
    let output = OutputCell::new();
    let job = Arc::new(JobCell { core: Arc::clone(core), index: id.index(), closure, output: Arc::clone(&output) });
    // The thread waits until its handle is kept, so that it cannot end unjoined.
    let kept = Arc::new(Mutex::new(()));
    let keeping = kept.lock();
    let run = {
        let (job, kept) = (Arc::clone(&job), Arc::clone(&kept));
        move || {
            drop(kept.lock());
            job.run();
        }
    };
    match thread::Builder::new().name(thread_name(&name)).spawn(run) {
        Ok(handle) => core.add_thread(id.index(), handle),
        Err(source) => {
            let closure = job.take();
            core.withdraw(id.index());
            drop(closure);
            return Err(SpawnError::NoThread { source });
        }
    }
    drop(keeping);
    Ok(Task::new(id, Arc::clone(core), output))
}

/// A thread's name cannot hold a zero byte; std would panic.
fn thread_name(name: &TaskName) -> String {
    name.as_str().replace('\0', " ")
}

/// Drops closures that were taken out of a queue on a thread of their own: their destructors are a user's code and may
/// block.
pub(super) fn dispose_elsewhere(core: &Arc<Core>, jobs: Vec<Arc<dyn Job>>) {
    let dispose = move |_: &CancellationToken| {
        for job in jobs {
            job.dispose(Outcome::NeverStarted);
        }
    };
    // Without a thread they stay in the queue, where whoever reaches them drops them unrun.
    if let Err(error) = spawn_thread(core, TaskKind::Driver, "disposer".into(), Location::caller(), dispose) {
        log(|| tracing::warn!(%error, "no thread to drop queued jobs on"));
    }
}

#[cfg(test)]
mod tests {
    use crate::{Shutdown, TaskSet, Terminate};

    /// Under miri it shows too that nothing of the two is left in memory.
    #[test]
    fn a_job_that_has_run_leaves_its_set() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let tasks = TaskSet::new("set");
            assert_eq!(tasks.spawn_blocking("job", |_| 7).unwrap().await, Ok(7));
            assert!(tasks.terminate(&Shutdown::now()).await.unwrap().is_clean());
        });
    }
}
