//! The task that takes one generation from its start to its end.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use landfall_lifecycle::internal::into_message;
use landfall_lifecycle::{Clock, Reason, Report, Shutdown, Terminate};
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;

use super::again::{Next, again};
use super::closed::{CloseCause, Closed};
use super::generation::Generation;
use super::handshake;
use super::phase::{Event, Life, Then};
use super::session::Session;
use super::start_error::{StartError, Started};
use crate::endpoint::Endpoint;
use crate::handlers::Handlers;
use crate::identity::Identity;
use crate::messages::FailurePolicy;
use crate::options::StubOptions;
use crate::reconnect::Reconnect;
use crate::stub::{Handle, Stub};
use crate::update_queue::{UpdateQueue, Updates};
use crate::wire::Wire;

/// What a plugin is, whichever generation serves it.
pub(crate) struct Definition {
    pub(crate) identity: Identity,
    pub(crate) options: StubOptions,
    pub(crate) endpoint: Endpoint,
    pub(crate) handlers: Handlers,
    pub(crate) failure_policy: Option<FailurePolicy>,
    pub(crate) on_close: Option<OnClose>,
    pub(crate) reconnect: Option<Reconnect>,
    pub(crate) clock: Clock,
}

impl Definition {
    /// The instants of a stop that begins now.
    pub(crate) fn shutdown(&self) -> Shutdown {
        let StubOptions { stop_grace, stop_abort, .. } = self.options;
        Shutdown::within_on(self.clock.clone(), stop_grace, stop_grace + stop_abort)
    }
}

pub(crate) type OnClose = Box<dyn Fn(Stub, Closed) -> BoxFuture<'static, ()> + Send + Sync>;

/// What the handle of a stub and the tasks of its generations share.
pub(crate) struct Core {
    pub(crate) plugin: Arc<Definition>,
    pub(crate) life: watch::Sender<Life>,
    pub(crate) stub: Weak<Handle>,
}

type Answer = oneshot::Sender<Result<Started, StartError>>;

/// Whom a start is for. Who has gone does not want it any more.
pub(crate) enum For {
    /// Who calls `start`, is told of its failure, and decides.
    Caller(Answer),
    /// Who calls `run`, and is told of a failure once the policy does not try again.
    Patient(Answer),
    /// Nobody waits: the policy begins it.
    Policy,
}

impl For {
    /// Waits until whom it is for has gone.
    pub(super) async fn gone(&mut self) {
        match self {
            Self::Caller(answer) | Self::Patient(answer) => answer.closed().await,
            Self::Policy => std::future::pending().await,
        }
    }

    /// Tells whoever waits; false if that one has gone.
    pub(super) fn tell(self, result: Result<Started, StartError>) -> bool {
        match self {
            Self::Caller(answer) | Self::Patient(answer) => answer.send(result).is_ok(),
            Self::Policy => true,
        }
    }
}

/// Starts a generation, has it serve, and ends it; then tells the user of the end, and begins the next one if the policy
/// says so.
pub(crate) async fn drive(mut course: Course, mut who: For) {
    let (core, generation) = (Arc::clone(&course.core), Arc::clone(&course.generation));
    let mut connected = None;
    let Definition { identity, options, .. } = &*core.plugin;
    let (updates, mut queue) = Updates::new(&identity.name, generation.handlers.clone(), options);
    let begun = tokio::select! {
        // The stop first.
        biased;
        () = stopped(&generation) => Err(StartError::Stopped),
        () = who.gone() => Err(StartError::Stopped),
        result = begin(&core, &generation, &updates, &mut connected) => result,
    };
    let (mut served, mut failed) = (None, None);
    match begun {
        Ok((started, wire)) => {
            core.on(&generation, Event::Serve(updates));
            let began = Instant::now();
            let is_wanted = std::mem::replace(&mut who, For::Policy).tell(Ok(started.clone()));
            let cause = if is_wanted {
                serve(&core, &generation, &wire, &mut queue, &started).await
            } else {
                CloseCause::Stopped
            };
            core.on(&generation, Event::End(cause));
            served = Some(began.elapsed());
        }
        Err(error) => {
            core.on(&generation, Event::End(error.cause()));
            failed = Some(error);
        }
    }
    // What still waits for its turn is told that it will have none.
    drop(queue);
    end(&core, &generation, connected.as_ref()).await;
    let closed = core.closed(generation.number);
    let next = closed.as_ref().and_then(|closed| course.next(&who, closed, failed.as_ref(), served));
    course.then = if next.is_some() { Then::Again } else { Then::Nothing };
    drop(course);
    if next.is_none()
        && let Some(error) = failed
    {
        // Not before the end: whoever hears of the failure may start again at once.
        std::mem::replace(&mut who, For::Policy).tell(Err(error));
    }
    if let (Some(closed), Some(_)) = (closed, connected) {
        core.tell(closed).await;
    }
    if let Some(next) = next {
        again(&core, &generation, next, who).await;
    }
}

/// Connects, registers and is configured. `connected` keeps the wire also when this fails after it has one, or is dropped.
async fn begin(
    core: &Core,
    generation: &Generation,
    updates: &Updates,
    connected: &mut Option<Wire>,
) -> Result<(Started, Wire), StartError> {
    let plugin = &core.plugin;
    let connection = handshake::connect(plugin, generation).await?;
    let session = Arc::new(Session::new(Arc::clone(plugin), generation.number, updates.clone()));
    let wire = handshake::open(plugin, generation, connection, Arc::clone(&session))?;
    *connected = Some(wire.clone());
    let runtime = handshake::register(plugin, generation, &wire, &session).await?;
    Ok((Started { generation: generation.number, runtime }, wire))
}

/// Serves until somebody stops the generation or its connection is lost.
async fn serve(
    core: &Core,
    generation: &Generation,
    wire: &Wire,
    queue: &mut UpdateQueue,
    started: &Started,
) -> CloseCause {
    let (name, runtime) = (&core.plugin.identity.name, &started.runtime);
    tracing::info!(plugin.name = name, generation = generation.number, runtime.name, runtime.version, "plugin serves");
    tokio::select! {
        // The stop first: a loss that follows from it is none. Updates before the loss, so that those under way hear of it.
        biased;
        () = stopped(generation) => CloseCause::Stopped,
        never = queue.send_all(wire) => match never {},
        loss = wire.lost() => CloseCause::Lost(loss),
    }
}

/// Waits until somebody stops the generation, or the stub as a whole.
async fn stopped(generation: &Generation) {
    let terminating = generation.tasks.token();
    tokio::select! {
        () = generation.series.stop.cancelled() => {}
        () = terminating.cancelled() => {}
    }
}

/// Ends the generation: first its handlers, then its wire, whose last messages may be their answers. Returns when
/// nothing of it runs.
async fn end(core: &Core, generation: &Generation, wire: Option<&Wire>) {
    let how = core.plugin.shutdown();
    tokio::select! {
        // What it finds is in the report of the whole.
        _ = generation.handlers.terminate(&how) => {}
        // A handler that outlives this is stuck, and the socket must not stay open for its sake.
        () = how.abort_reached() => {}
    }
    if let Some(wire) = wire {
        wire.close();
    }
    let report = match generation.tasks.terminate(&how).await {
        Ok(report) => report,
        // This task is not of the generation.
        Err(error) => Report::new(generation.tasks.name().to_owned(), Reason::Requested).with_error(error.to_string()),
    };
    let running = generation.running();
    if !running.is_empty() {
        let name = &core.plugin.identity.name;
        tracing::warn!(plugin.name = name, generation = generation.number, ?running, "generation outlived its stop");
        core.on(generation, Event::Overdue(report));
        generation.tasks.ended().await;
    }
}

impl Core {
    /// Moves the phase on, by what happened to a generation.
    pub(crate) fn on(&self, of: &Generation, event: Event) -> bool {
        let mut event = Some(event);
        self.life.send_if_modified(|life| event.take().is_some_and(|event| life.on(of.number, event)))
    }

    /// Has the generation that is there, or that another is to follow, end by a stop, and no other follow it. Gives it, and
    /// whether it was the wait for the next one that was ended. None if nothing is there.
    ///
    /// All under one lock: else the next one of its series might begin in between, and nobody would wait for its end.
    pub(crate) fn stop(&self) -> Option<(Arc<Generation>, bool)> {
        let mut stopped = None;
        self.life.send_if_modified(|life| {
            let Some(generation) = life.generation().cloned() else { return false };
            generation.series.stop.cancel();
            let number = generation.number;
            stopped = Some((generation, life.is_delayed_after(number)));
            life.on(number, Event::End(CloseCause::Stopped))
        });
        stopped
    }

    /// How `number` is ending.
    fn closed(&self, number: u64) -> Option<Closed> {
        match &*self.life.borrow() {
            Life::Ending(generation, cause) if generation.number == number => {
                Some(Closed { generation: number, cause: cause.clone() })
            }
            Life::Stuck(_, ended) if ended.closed.generation == number => Some(ended.closed.clone()),
            _ => None,
        }
    }

    /// Tells the user of an end.
    async fn tell(&self, closed: Closed) {
        let name = &self.plugin.identity.name;
        tracing::info!(plugin.name = name, generation = closed.generation, cause = %closed.cause, "plugin's connection ended");
        let (Some(on_close), Some(handle)) = (&self.plugin.on_close, self.stub.upgrade()) else { return };
        let told = AssertUnwindSafe(async { on_close(Stub::of(handle), closed).await });
        if let Err(payload) = told.catch_unwind().await {
            tracing::error!(plugin.name = name, error = into_message(payload), "on_close panicked");
        }
    }
}

/// A generation on its way through the phases. Wherever it is dropped, its task unpolled or half-way, the phase says
/// that it has gone.
pub(crate) struct Course {
    pub(crate) core: Arc<Core>,
    pub(crate) generation: Arc<Generation>,
    /// How many starts the policy has made in a row, this one included.
    pub(crate) attempts: u32,
    /// What the policy says of its end, once that has come.
    then: Then,
}

impl Course {
    pub(crate) fn new(core: Arc<Core>, generation: Arc<Generation>, attempts: u32) -> Self {
        Self { core, generation, attempts, then: Then::Nothing }
    }

    /// What the policy has follow, if there is one and it has not had enough.
    fn next(&self, who: &For, closed: &Closed, failed: Option<&StartError>, served: Option<Duration>) -> Option<Next> {
        let Definition { reconnect, identity, .. } = &*self.core.plugin;
        let reconnect = reconnect.as_ref()?;
        let is_worth_it = match (failed, who) {
            (None, _) => matches!(closed.cause, CloseCause::Lost(_)),
            (Some(_), For::Caller(_)) => false,
            (Some(error), For::Patient(_) | For::Policy) => reconnect.is_worth_it(error),
        };
        let is_healthy = served.is_some_and(|served| served >= reconnect.reset_after);
        let attempts = if is_healthy { 0 } else { self.attempts };
        let next = reconnect.delay(attempts).filter(|_| is_worth_it);
        let (name, cause) = (&identity.name, &closed.cause);
        match next {
            Some(delay) => tracing::warn!(plugin.name = name, attempts, ?delay, %cause, "plugin will start again"),
            None if *cause == CloseCause::Stopped || matches!(who, For::Caller(_)) => {}
            None => tracing::error!(plugin.name = name, attempts, %cause, "plugin does not start again"),
        }
        next.map(|delay| Next { delay, attempts: attempts.saturating_add(1) })
    }
}

impl Drop for Course {
    fn drop(&mut self) {
        let Self { core, generation, then, .. } = self;
        let report = generation.tasks.report();
        core.life.send_if_modified(|life| {
            // Looked at under the lock: a stop that comes later finds the phase that it can end.
            let then = if generation.series.stop.is_cancelled() { Then::Nothing } else { *then };
            life.on(generation.number, Event::Gone(report, then))
        });
    }
}
