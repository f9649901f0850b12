//! Performs what the engine decides.
//!
//! One task a supervisor, on a task set of its own, takes in what happened and does what the engine wants done. What
//! happens is left in an inbox, so nobody but that task runs the engine; what can be asked is answered from the engine
//! under its lock, at once. No user's code runs under that lock.

mod drive;
mod fall;
#[cfg(landfall_faults)]
mod faulty;
mod instance;
mod live;
mod owner;
mod perform;
mod take_in;
#[cfg(test)]
mod tests;
mod watched;

use std::any::Any;
use std::collections::{HashMap, VecDeque};
use std::future::pending;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::task::Waker;
use std::time::{Duration, Instant};

use futures_util::future::{BoxFuture, FutureExt};
use landfall_lifecycle::{Clock, Ending, Reason, Report, Shutdown, SpawnError, TaskSet, Terminate};
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

pub(crate) use self::instance::Worker;
use self::live::{Body, Live};

use crate::builder::SupervisorBuilder;
use crate::call_error::Refused;
use crate::child_id::InstanceId;
use crate::engine::{Call, CallId, Engine, Event, Reply, Up};
use crate::events::{Events, Hub};
use crate::exit::Exit;
use crate::make::Make;
use crate::partitions::Routing;
use crate::places::Places;
use crate::policy::Strategy;
use crate::report::EndCause;
use crate::start_error::StartError;
use crate::supervisor::{Supervisor, WeakSupervisor};

/// What a start may hand to its caller.
pub(crate) type Info = Box<dyn Any + Send>;

/// As long as a shutdown may be: for what is to wait until somebody comes with less.
const FOR_EVER: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// How many calls may wait for the driver to look at them.
const UNTAKEN_MAX: usize = 65_536;

/// Which child of which supervisor a supervisor is.
#[derive(Clone)]
pub(crate) struct Above {
    pub(crate) core: Weak<Core>,
    pub(crate) instance: InstanceId,
    path: Arc<[String]>,
    hub: Arc<Hub>,
    timer: Shutdown,
    clock: Clock,
}

/// What all handles of a supervisor share with its driver.
pub(crate) struct Core {
    name: String,
    strategy: Strategy,
    /// What makes instances from arguments, if there is a template.
    factory: Option<Arc<dyn Any + Send + Sync>>,
    /// How keys are routed, if the children are partitions.
    routing: Option<Arc<Routing>>,
    /// The names from the root of the tree down.
    path: Arc<[String]>,
    above: Option<Above>,
    hub: Arc<Hub>,
    ending: Ending,
    /// Keeps the time while nobody terminates the tree; shared by the whole tree.
    timer: Shutdown,
    clock: Clock,
    epoch: Instant,
    state: Mutex<State>,
    /// Numbers the tasks of streams.
    tasks: AtomicU64,
    /// Nobody drives it any more, because its runtime has gone.
    abandoned: CancellationToken,
    workers: TaskSet,
    driver: TaskSet,
    handle: OnceLock<WeakSupervisor>,
    started: watch::Sender<Option<Result<(), EndCause>>>,
}

struct State {
    engine: Engine<Make>,
    inbox: VecDeque<Note>,
    /// Wakes the driver, while it waits.
    sleeper: Option<Waker>,
    /// The driver is to look at the time.
    is_nudged: bool,
    /// How many of the notes are calls.
    untaken: usize,
    calls: HashMap<CallId, oneshot::Sender<Answer>>,
    next_call: u64,
    live: Places<Live>,
    /// Who waits until an instance has gone.
    watchers: HashMap<InstanceId, Vec<oneshot::Sender<Exit>>>,
    /// How the tree terminates, if somebody terminates it.
    how: Option<Shutdown>,
    /// What components and supervisors reported that ended with this supervisor.
    reports: Vec<Report>,
    cause: Option<EndCause>,
}

/// The reply to a call, with what the start gave for the caller.
pub(crate) struct Answer {
    pub(crate) reply: Reply,
    pub(crate) info: Option<Info>,
}

/// What the driver is to look at.
enum Note {
    Event(Event<Make>),
    Ready(InstanceId, Option<Info>),
    /// A worker's future, or a component's start, is gone.
    Left {
        instance: InstanceId,
        exit: Left,
        tasks: Option<TaskSet>,
    },
    /// A component has started.
    Owner(InstanceId, Arc<dyn Terminate>),
    /// Nothing is left of a component, a supervisor, or of what a worker left behind.
    Joined(InstanceId, Left),
    /// The tree terminates, by these instants.
    How(Shutdown),
}

/// How something ended, as far as that can be told where it ended.
#[derive(Clone, Debug)]
enum Left {
    /// Its work is done: normally, or because it was asked to stop.
    Done,
    Exit(Exit),
    /// A component ended by itself, or when it was asked to.
    Ended,
}

/// Starts a supervisor's driver.
pub(crate) fn begin(builder: SupervisorBuilder, above: Option<Above>) -> Result<Supervisor, StartError> {
    begin_with(builder, above, drive::drive)
}

fn begin_with<F>(
    mut builder: SupervisorBuilder,
    above: Option<Above>,
    drive: impl FnOnce(Arc<Core>) -> F,
) -> Result<Supervisor, StartError>
where
    F: Future<Output = ()> + Send + 'static,
{
    static NUMBER: AtomicU32 = AtomicU32::new(1);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let engine = builder.engine(number);
    let name = builder.name;
    let (path, hub, timer, clock) = match &above {
        Some(above) => (Arc::clone(&above.path), Arc::clone(&above.hub), above.timer.clone(), above.clock.clone()),
        None => {
            let timer = Shutdown::within_on(builder.clock.clone(), FOR_EVER, FOR_EVER);
            (Arc::from([name.clone()]), Arc::new(Hub::default()), timer, builder.clock)
        }
    };
    let state = State {
        engine,
        inbox: VecDeque::from([Note::Event(Event::Begin)]),
        sleeper: None,
        is_nudged: false,
        untaken: 0,
        calls: HashMap::new(),
        next_call: 0,
        live: Places::new(),
        watchers: HashMap::new(),
        how: None,
        reports: Vec::new(),
        cause: None,
    };
    let core = Arc::new(Core {
        factory: builder.factory,
        routing: builder.routing,
        strategy: builder.settings.strategy,
        path,
        above,
        hub,
        ending: Ending::new(),
        epoch: timer.clock_now(),
        timer,
        clock,
        state: Mutex::new(state),
        tasks: AtomicU64::new(1),
        abandoned: CancellationToken::new(),
        workers: TaskSet::new(format!("{name}: workers")),
        driver: TaskSet::new(format!("{name}: driver")),
        handle: OnceLock::new(),
        started: watch::Sender::new(None),
        name,
    });
    let supervisor = Supervisor::new(Arc::clone(&core));
    // It was just made, so nobody has set it.
    drop(core.handle.set(supervisor.downgrade()));
    // What the driver starts is in its span: the children, and the spans of the supervisors below.
    let span = tracing::info_span!("supervisor", supervisor.name = core.name);
    let driving = fall::run(Arc::clone(&core), drive(Arc::clone(&core))).instrument(span);
    // One that is refused is dropped, as if its runtime had gone.
    match core.driver.spawn("driver", driving) {
        Ok(_) => Ok(supervisor),
        Err(source) => Err(StartError::Spawn { supervisor: core.name.clone(), source }),
    }
}

impl Core {
    fn lock(&self) -> MutexGuard<'_, State> {
        // What panics under the lock is the engine; the driver then ends all there is.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Leaves a note for the driver.
    fn post(&self, note: Note) {
        let mut state = self.lock();
        state.inbox.push_back(note);
        Self::wake(state);
    }

    /// Lets the driver look at the time.
    fn nudge(&self) {
        let mut state = self.lock();
        state.is_nudged = true;
        Self::wake(state);
    }

    fn wake(mut state: MutexGuard<'_, State>) {
        let sleeper = state.sleeper.take();
        drop(state);
        if let Some(sleeper) = sleeper {
            sleeper.wake();
        }
    }

    pub(crate) fn ready(&self, instance: InstanceId, info: Option<Info>) {
        self.post(Note::Ready(instance, info));
    }

    pub(crate) fn handle(&self) -> WeakSupervisor {
        self.handle.get().cloned().unwrap_or_default()
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn factory(&self) -> Option<&(dyn Any + Send + Sync)> {
        self.factory.as_deref()
    }

    pub(crate) fn routing(&self) -> Option<&Arc<Routing>> {
        self.routing.as_ref()
    }

    /// A number that no task of a stream had before.
    pub(crate) fn next_task(&self) -> u64 {
        self.tasks.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn strategy(&self) -> Strategy {
        self.strategy
    }

    /// What happens here and below from now on.
    pub(crate) fn listen(&self) -> Events {
        self.hub.listen(Arc::clone(&self.path))
    }

    pub(crate) fn ending(&self) -> &Ending {
        &self.ending
    }

    pub(crate) fn driver(&self) -> &TaskSet {
        &self.driver
    }

    /// Looks at the engine as it stands.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&Engine<Make>) -> T) -> T {
        look(&self.lock().engine)
    }

    /// A termination without any time, on the supervisor's clock.
    pub(crate) fn at_once(&self) -> Shutdown {
        Shutdown::within_on(self.clock.clone(), Duration::ZERO, Duration::ZERO).because(Reason::ParentTerminating)
    }

    pub(crate) fn cause(&self) -> Option<EndCause> {
        self.lock().cause.clone()
    }

    /// The supervisors below, by instance.
    pub(crate) fn below(&self) -> Vec<(InstanceId, Supervisor)> {
        let state = self.lock();
        let below = state.live.iter().filter_map(|live| match &live.body {
            Body::Supervisor(supervisor) => Some((live.instance, supervisor.clone())),
            _ => None,
        });
        below.collect()
    }

    /// The supervisor that is this instance.
    pub(crate) fn supervisor_below(&self, instance: InstanceId) -> Option<Supervisor> {
        match self.lock().live(instance).map(|live| &live.body) {
            Some(Body::Supervisor(supervisor)) => Some(supervisor.clone()),
            _ => None,
        }
    }

    /// The time since the supervisor was made.
    fn now(&self) -> Duration {
        self.timer.clock_now().saturating_duration_since(self.epoch)
    }

    /// Waits until all static children are up, or the supervisor has ended.
    pub(crate) async fn started(&self) -> Result<(), EndCause> {
        let mut started = self.started.subscribe();
        let result = started.wait_for(Option::is_some).await.map(|result| result.clone());
        result.ok().flatten().unwrap_or(Err(EndCause::Terminated))
    }

    /// Sleeps on the supervisor's clock; for ever with no limit, or with one beyond all time.
    pub(crate) fn sleep(&self, limit: Option<Duration>) -> BoxFuture<'static, ()> {
        match limit.and_then(|limit| self.timer.clock_now().checked_add(limit)) {
            Some(at) => self.timer.sleep_until(at).boxed(),
            None => pending().boxed(),
        }
    }

    /// Makes a call, and waits for its answer.
    pub(crate) async fn call(self: &Arc<Self>, call: Call<Make>) -> Result<Answer, Refused> {
        if instance::is_own_start(self) {
            return Err(Refused::FromOwnStart);
        }
        let (sender, receiver) = oneshot::channel();
        {
            let mut state = self.lock();
            // Once the end has begun, nothing is to be had; and if the driver was dropped, nobody would answer.
            if state.cause.is_some() || self.ending.has_begun() {
                return Err(Refused::Terminating);
            }
            if state.untaken >= UNTAKEN_MAX {
                return Err(Refused::Flooded { untaken_max: UNTAKEN_MAX });
            }
            state.next_call += 1;
            let id = CallId(state.next_call);
            state.calls.insert(id, sender);
            state.untaken += 1;
            state.inbox.push_back(Note::Event(Event::Call(id, call)));
            Self::wake(state);
        }
        // The driver that went without an answer has ended the supervisor.
        receiver.await.map_err(|_| Refused::Terminating)
    }
}

impl Answer {
    /// The instance that a start gave; none if it declined.
    pub(crate) fn instance(up: Up) -> Option<InstanceId> {
        match up {
            Up::Instance(instance) => Some(instance),
            Up::Declined => None,
        }
    }
}

/// An error of a task set, as the exit of the instance that was not spawned.
fn not_spawned(error: SpawnError) -> Exit {
    Exit::failed(error)
}
