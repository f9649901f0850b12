//! The stub: a plugin's end of the connection to the runtime.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use landfall_lifecycle::internal::contain;
use landfall_lifecycle::{Reason, Report, SelfJoin, Shutdown, SpawnError, TaskSet, Terminate};
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::builder::StubBuilder;
use crate::life::{
    CloseCause, Closed, Core, Course, Definition, Event, For, Generation, Life, Phase, Series, StartError, Started,
    drive,
};
use crate::run_error::RunError;

/// A plugin's end of the connection to the runtime, which can start again after any end.
///
/// At most one generation runs at a time: the old socket is closed and the old handlers have ended before a new
/// connection is opened. A stub is a handle; clones are the same stub. When the last one is dropped without a
/// termination, everything is aborted, as with every owner.
///
/// `stop` ends the generation, and the stub can start again. [`terminate`](Terminate::terminate) ends the stub.
#[derive(Clone)]
pub struct Stub(Arc<Handle>);

/// What all clones of a stub share; the end of the last one ends the stub.
pub(crate) struct Handle {
    core: Arc<Core>,
    tasks: TaskSet,
    generations: AtomicU64,
}

impl Stub {
    /// Begins to build the stub of a plugin. Runtimes call plugins in the order of their indices, 0 to 99.
    pub fn builder(name: impl Into<String>, index: u8) -> StubBuilder {
        StubBuilder::new(name.into(), index)
    }

    pub(crate) fn new(plugin: Definition) -> Self {
        let tasks = TaskSet::new(format!("stub {}-{}", plugin.identity.index, plugin.identity.name));
        let plugin = Arc::new(plugin);
        Self(Arc::new_cyclic(|stub| {
            let core = Core { plugin, life: watch::Sender::new(Life::Idle(None)), stub: stub.clone() };
            Handle { core: Arc::new(core), tasks, generations: AtomicU64::new(0) }
        }))
    }

    pub(crate) fn of(handle: Arc<Handle>) -> Self {
        Self(handle)
    }

    /// Where the stub is.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.0.core.life.borrow().phase()
    }

    /// Connects, registers the plugin, and waits until the runtime has configured it.
    ///
    /// Handlers may run before it returns. While an older generation ends it waits until that has gone, so it may be
    /// called right after a stop, after a loss, and from `on_close`; the delay of a [`Reconnect`](crate::Reconnect) ends
    /// with it. Synchronization comes after it has returned, or before.
    ///
    /// # Errors
    ///
    /// A [`StartError`]; nothing of the failed start is left then, and it can be tried anew.
    ///
    /// # Cancel safety
    ///
    /// Dropping it stops the generation that it was starting; a later start waits for the end of that.
    pub async fn start(&self) -> Result<Started, StartError> {
        self.start_for(For::Caller).await.map(|(started, _)| started)
    }

    async fn start_for(
        &self,
        who: impl Fn(oneshot::Sender<Result<Started, StartError>>) -> For,
    ) -> Result<(Started, Arc<Series>), StartError> {
        // A timer panics where the runtime's time is disabled.
        contain(|| drop(tokio::time::sleep(Duration::ZERO))).map_err(|_| StartError::NoRuntime)?;
        let mut changes = self.0.core.life.subscribe();
        loop {
            let is_free = match &*changes.borrow_and_update() {
                life if life.is_free() => true,
                Life::Stuck(generation, _) => {
                    let (tasks, generation) = (generation.running(), generation.number);
                    return Err(StartError::StillRunning { generation, tasks });
                }
                Life::Ending(..) => false,
                life => return Err(life.taken()),
            };
            if is_free {
                let series = Arc::<Series>::default();
                if let Some(course) = self.course(Arc::clone(&series), 0, Life::is_free)? {
                    // Its answer may be on its way when this is dropped: that generation is to be stopped as well.
                    let unheard = series.stop.clone().drop_guard();
                    let (sender, answer) = oneshot::channel();
                    self.launch(course, who(sender))?;
                    // Without an answer its task was dropped.
                    let answer = answer.await;
                    unheard.disarm();
                    let started = answer.unwrap_or(Err(StartError::Terminating))?;
                    return Ok((started, series));
                }
            } else if changes.changed().await.is_err() {
                return Err(StartError::Terminating);
            }
        }
    }

    /// Takes the phase for the generation that is to follow `before` in its series.
    pub(crate) fn follow(&self, before: u64, series: Arc<Series>, attempts: u32) -> Result<Course, StartError> {
        let course = self.course(series, attempts, |life| life.is_delayed_after(before))?;
        course.ok_or_else(|| self.0.core.life.borrow().taken())
    }

    /// Takes the phase for a new generation, if it is `free` for it; nothing if somebody else was faster.
    fn course(
        &self,
        series: Arc<Series>,
        attempts: u32,
        free: impl Fn(&Life) -> bool,
    ) -> Result<Option<Course>, StartError> {
        let Handle { core, tasks, generations } = &*self.0;
        let mut made = Ok(None);
        core.life.send_if_modified(|life| {
            if !free(life) {
                return false;
            }
            // Under the lock, so that the numbers have the order of the generations, and no gaps.
            let number = generations.fetch_add(1, Ordering::Relaxed) + 1;
            made = Generation::new(tasks, number, series).map(|generation| Some(Arc::new(generation)));
            let Ok(Some(generation)) = &made else { return false };
            life.on(number, Event::Start(Arc::clone(generation)))
        });
        let generation = made.map_err(|_| StartError::Terminating)?;
        Ok(generation.map(|generation| Course::new(Arc::clone(core), generation, attempts)))
    }

    /// Begins a generation that has the phase.
    pub(crate) fn launch(&self, course: Course, who: For) -> Result<(), StartError> {
        let name = format!("generation {}", course.generation.number);
        match self.0.tasks.spawn(name, drive(course, who)) {
            Ok(_) => Ok(()),
            Err(SpawnError::Closed { .. }) => Err(StartError::Terminating),
            Err(_) => Err(StartError::NoRuntime),
        }
    }

    /// Stops the plugin: its handlers are asked to finish and get
    /// [`stop_grace`](crate::StubOptions::stop_grace) for it, then the socket is closed. It can be started again.
    ///
    /// Idempotent from every phase: whoever calls it while the generation ends waits for the same end. Returns at the
    /// latest one second after grace and [`stop_abort`](crate::StubOptions::stop_abort); the report names what still
    /// runs.
    ///
    /// # Errors
    ///
    /// [`SelfJoin`] from a handler: the stop has begun then, and the handler must return for it to end.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: from its first poll on the stop goes on without its callers.
    pub async fn stop(&self) -> Result<Report, SelfJoin> {
        let Handle { core, tasks, .. } = &*self.0;
        let mut changes = core.life.subscribe();
        let Some((generation, is_delayed)) = core.stop() else {
            return Ok(Report::new(tasks.name().to_owned(), Reason::Requested));
        };
        if let Some(task) = generation.tasks.calling_task() {
            return Err(SelfJoin::new(tasks.name(), task));
        }
        let is_stuck = |life: &Life| match life {
            Life::Stuck(other, ended) if other.number == generation.number => Some(ended.report.clone()),
            _ => None,
        };
        let is_over = |life: &Life| generation.ended.get().is_some() || is_stuck(life).is_some();
        let how = core.plugin.shutdown();
        // `on_close` is a part of what would be waited for.
        if is_delayed && tasks.calling_task().is_none() {
            tokio::select! {
                () = generation.waited.cancelled() => {}
                () = how.abort_reached() => {}
            }
        }
        let stuck = tokio::select! {
            // What its task says comes first; the other is for a runtime on which that is not polled.
            biased;
            life = changes.wait_for(is_over) => life.ok().and_then(|life| is_stuck(&life)),
            report = overdue(&generation, &how) => Some(report),
        };
        let ended = || generation.ended.get().map(|ended| ended.report.clone());
        Ok(stuck.or_else(ended).unwrap_or_else(|| generation.tasks.report()))
    }

    /// Waits until no generation is left, and says how the last one ended; none if there was none.
    ///
    /// While the plugin is to start again by itself ([`Reconnect`](crate::Reconnect)) it waits on. Awaited by a handler, or
    /// by an `on_close` that such a start is to follow, it would wait for itself.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: dropping it forgets the wait and nothing else.
    pub async fn wait(&self) -> Option<Closed> {
        let mut changes = self.0.core.life.subscribe();
        let life = changes.wait_for(|life| matches!(life, Life::Idle(_))).await.ok()?;
        if let Life::Idle(Some(ended)) = &*life { Some(ended.closed.clone()) } else { None }
    }

    /// Starts the plugin and serves until it is stopped; cancelling `token` stops it. With a token that is cancelled
    /// already it does nothing.
    ///
    /// With a [`Reconnect`](crate::Reconnect) it serves on after losses, and waits for a runtime that is not up yet.
    ///
    /// # Errors
    ///
    /// [`RunError::Start`] if it does not start, [`RunError::Lost`] if its connection is lost,
    /// [`RunError::NotAgain`] if it was lost and the policy gave up.
    ///
    /// # Cancel safety
    ///
    /// Dropping it while the plugin starts stops it. Dropped later, the plugin goes on, and is the caller's to stop.
    pub async fn run(&self, token: &CancellationToken) -> Result<(), RunError> {
        if token.is_cancelled() {
            // What somebody else has started is not this one's to stop.
            return Ok(());
        }
        let started = tokio::select! {
            biased;
            () = token.cancelled() => None,
            result = self.start_for(For::Patient) => Some(result?),
        };
        let closed = match started {
            None => None,
            Some((_, series)) => tokio::select! {
                biased;
                () = token.cancelled() => None,
                closed = self.over(&series) => Some(closed),
            },
        };
        match closed {
            // From a handler the stop has begun all the same.
            None => drop(self.stop().await),
            Some(Some(Closed { cause: CloseCause::Lost(loss), .. })) => return Err(RunError::Lost(loss)),
            Some(Some(Closed { cause: CloseCause::Refused(message), .. })) => {
                return Err(RunError::NotAgain { message });
            }
            Some(_) => {}
        }
        Ok(())
    }

    /// The core, for what else is done with a stub.
    pub(crate) fn core(&self) -> &Arc<Core> {
        &self.0.core
    }

    pub(crate) fn tasks(&self) -> &TaskSet {
        &self.0.tasks
    }

    async fn over(&self, series: &Series) -> Option<Closed> {
        let mut changes = self.0.core.life.subscribe();
        let _life = changes.wait_for(|_| series.over.get().is_some()).await;
        series.over.get().cloned()
    }
}

/// How long after the abort instant a stop returns that its generation's task has not reported: a little later than that
/// task would, and within the second that is promised.
const OVERDUE_AFTER: Duration = Duration::from_millis(850);

/// Ends a generation whose own task is not polled, because handlers hold all workers of the runtime; by clocks and tasks
/// that do not need them.
async fn overdue(generation: &Generation, how: &Shutdown) -> Report {
    how.abort_reached().await;
    generation.tasks.begin_terminate(how);
    #[cfg(landfall_faults)]
    if crate::faults::is_armed(crate::faults::Fault::StopLate) {
        how.sleep_until(how.abort() + 5 * OVERDUE_AFTER).await;
    }
    how.sleep_until(how.abort() + OVERDUE_AFTER).await;
    generation.tasks.report()
}

impl Terminate for Stub {
    fn name(&self) -> Cow<'_, str> {
        self.0.tasks.name().into()
    }

    fn begin_terminate(&self, how: &Shutdown) {
        self.0.tasks.begin_terminate(how);
    }

    fn terminate<'a>(&'a self, how: &'a Shutdown) -> BoxFuture<'a, Result<Report, SelfJoin>> {
        self.0.tasks.terminate(how)
    }

    fn ended(&self) -> BoxFuture<'_, ()> {
        self.0.tasks.ended()
    }

    fn report(&self) -> Option<Report> {
        Some(self.0.tasks.report())
    }

    fn calling_task(&self) -> Option<String> {
        self.0.tasks.calling_task()
    }
}

impl fmt::Debug for Stub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stub").field("name", &self.0.tasks.name()).field("phase", &self.phase()).finish()
    }
}
