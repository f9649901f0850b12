//! Takes in one note, and does what the engine wants done for it.

use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use futures_util::future::FutureExt;
use landfall_lifecycle::{Reason, Report, Shutdown, TaskSet, Terminate};
use tokio_util::sync::CancellationToken;

use super::drive::Joins;
use super::instance::{Gone, ended, run_worker, start_component};
use super::{Above, Answer, Body, Core, FOR_EVER, Info, Left, Live, Note, Watched, not_spawned};
use crate::builder::SupervisorBuilder;
use crate::child_cx::{ChildCx, Instance};
use crate::child_id::InstanceId;
use crate::engine::{Action, Budget, CallId, Event, Reply, Up};
use crate::events::TreeEventKind;
use crate::exit::Exit;
use crate::make::Make;
use crate::panics::{contain, drop_each};
use crate::policy::SpecInfo;
use crate::report::{EndCause, Offender, ReportContext, ReportReason, SupervisorReport};

impl Core {
    /// Takes in what happened; why the supervisor has ended, when it has.
    pub(super) fn take_in(self: &Arc<Self>, note: Note, joins: &mut Joins) -> Option<EndCause> {
        let (event, info) = match note {
            Note::Event(event) => (event, None),
            Note::Ready(instance, info) => (Event::Ready(instance), info),
            Note::Left { instance, exit, tasks: None } => {
                let live = self.lock().live.remove(&instance);
                let exit = exit.into_exit(live.as_ref(), None);
                (Event::Exited(instance, exit), None)
            }
            Note::Left { instance, exit, tasks: Some(tasks) } => {
                (self.left_behind(instance, exit, tasks, joins)?, None)
            }
            Note::Owner(instance, component) => (self.came_up(instance, component, joins), None),
            Note::Joined(instance, left) => (self.joined(instance, left), None),
            Note::How(how) => (self.terminates(how), None),
        };
        self.decide(event, info, joins)
    }

    /// Asks the engine, and does what it says.
    fn decide(self: &Arc<Self>, event: Event<Make>, mut info: Option<Info>, joins: &mut Joins) -> Option<EndCause> {
        let now = self.now();
        let (actions, spent, watched) = {
            let mut state = self.lock();
            let watched = state.take_watched(&event);
            if self.hub.is_heard() {
                state.engine.watch();
            }
            let actions = state.engine.on(event, now);
            (actions, state.engine.take_spent(), watched)
        };
        watched.into_iter().for_each(Watched::tell);
        drop_each(&self.name, spent);
        let mut cause = None;
        for action in actions {
            #[cfg(landfall_faults)]
            if self.swallows(&action) {
                continue;
            }
            match action {
                Action::Start { instance, spec, make } => self.start(instance, &spec, make, joins),
                Action::Stop { instance, limit } => self.stop(instance, limit),
                Action::Abort { instance } => self.abort(instance),
                Action::Reply(call, reply) => self.reply(call, reply, &mut info),
                Action::Report { context, reason, offender } => self.report_child(context, reason, offender),
                Action::Progress { offender, by_call } => self.progress(&offender, by_call),
                Action::Changed { id, instance, state } => {
                    self.hub.tell(&self.path, TreeEventKind::Changed { child: id, instance, state });
                }
                Action::Up => self.up(),
                Action::Straggling => {
                    tracing::error!(supervisor = self.name, "the supervisor cannot end: a child is stuck");
                    self.tell_above(Event::Stuck);
                }
                Action::Ended(ended) => cause = Some(ended),
            }
        }
        // What a start gave and nobody takes.
        drop_each(&self.name, info);
        cause
    }

    fn start(self: &Arc<Self>, instance: InstanceId, spec: &SpecInfo, make: Make, joins: &mut Joins) {
        let body = match make {
            Make::Worker { factory, signals_ready } => {
                let shared = Arc::new(Instance {
                    core: Arc::clone(self),
                    id: spec.id.clone(),
                    instance,
                    stop: CancellationToken::new(),
                    tasks: OnceLock::new(),
                    is_over: AtomicBool::new(false),
                });
                let gone = Gone::new(self, instance, Some(Arc::clone(&shared)));
                let running = run_worker(gone, ChildCx(Arc::clone(&shared)), move |cx| factory(cx));
                let spawned = self.workers.spawn(spec.id.as_str().to_owned(), running);
                if spawned.is_ok() && !signals_ready {
                    self.post(Note::Ready(instance, None));
                }
                spawned.map(|task| Body::Worker(task, shared)).map_err(not_spawned)
            }
            Make::Component(factory) => {
                let gone = Gone::new(self, instance, None);
                let starting = start_component(gone, move || factory());
                self.workers.spawn(spec.id.as_str().to_owned(), starting).map(Body::Start).map_err(not_spawned)
            }
            Make::Once(once) => match once.take() {
                Some(component) => {
                    self.post(Note::Owner(instance, Arc::clone(&component)));
                    Ok(Body::Component(component))
                }
                None => Err(Exit::failed("the instance was started before")),
            },
            Make::Supervisor(factory) => self.start_below(instance, spec, &*factory, joins),
        };
        match body {
            Ok(body) => drop(self.lock().live.insert(instance, Live::of(body))),
            // A future that was not spawned has told that it is gone; this says why, and whoever comes first counts.
            Err(exit) => self.lock().inbox.push_front(Note::Event(Event::Exited(instance, exit))),
        }
    }

    fn start_below(
        self: &Arc<Self>,
        instance: InstanceId,
        spec: &SpecInfo,
        factory: &(dyn Fn() -> Result<SupervisorBuilder, Exit> + Send + Sync),
        joins: &mut Joins,
    ) -> Result<Body, Exit> {
        let builder = contain(factory).map_err(|message| Exit::Panicked(message.into()))??;
        let path = self.path.iter().cloned().chain([spec.id.to_string()]).collect();
        let (hub, timer, clock) = (Arc::clone(&self.hub), self.timer.clone(), self.clock.clone());
        let above = Above { core: Arc::downgrade(self), instance, path, hub, timer, clock };
        let answers_early = builder.answers_early;
        let supervisor = builder.begin(Some(above)).map_err(Exit::failed)?;
        if answers_early {
            self.post(Note::Ready(instance, None));
        }
        let component: Arc<dyn Terminate> = Arc::new(supervisor.clone());
        joins.push(ended(component).map(move |left| (instance, left)).boxed());
        Ok(Body::Supervisor(supervisor))
    }

    /// A component is up; it may have been told to end before it was there.
    fn came_up(
        self: &Arc<Self>,
        instance: InstanceId,
        component: Arc<dyn Terminate>,
        joins: &mut Joins,
    ) -> Event<Make> {
        joins.push(ended(Arc::clone(&component)).map(move |left| (instance, left)).boxed());
        let told = {
            let mut state = self.lock();
            let live = state.live.entry(instance).or_insert_with(|| Live::of(Body::Component(Arc::clone(&component))));
            live.body = Body::Component(Arc::clone(&component));
            live.told()
        };
        self.tell_to_end(&*component, told);
        Event::Ready(instance)
    }

    /// A worker's future has gone, and its task set may not have.
    fn left_behind(
        self: &Arc<Self>,
        instance: InstanceId,
        exit: Left,
        tasks: TaskSet,
        joins: &mut Joins,
    ) -> Option<Event<Make>> {
        let component: Arc<dyn Terminate> = Arc::new(tasks.clone());
        let told = {
            let mut state = self.lock();
            let live = state.live.entry(instance).or_insert_with(|| Live::of(Body::Remains(tasks.clone())));
            live.body = Body::Remains(tasks.clone());
            live.told()
        };
        let joined = ended(component).map(move |left| (instance, if let Left::Exit(_) = left { left } else { exit }));
        joins.push(joined.boxed());
        if told.is_some() {
            self.tell_to_end(&tasks, told);
            // The engine waits for its end already, and hears of it then.
            return Some(Event::Tick);
        }
        Some(Event::Lingers(instance))
    }

    fn joined(&self, instance: InstanceId, left: Left) -> Event<Make> {
        let live = self.lock().live.remove(&instance);
        let supervisor = live.as_ref().and_then(|live| match &live.body {
            Body::Supervisor(supervisor) => supervisor.end_cause(),
            _ => None,
        });
        let report = live.as_ref().and_then(|live| live.body.owner()).and_then(|owner| {
            contain(|| owner.report()).unwrap_or_else(|error| {
                tracing::error!(supervisor = self.name, error, "report panicked");
                None
            })
        });
        let exit = match supervisor {
            // One that was told to end has done so; why it did is its parent's wish.
            Some(cause) if cause != EndCause::Terminated => cause.exit(),
            _ => left.into_exit(live.as_ref(), report.as_ref()),
        };
        let mut state = self.lock();
        if state.how.is_some() {
            state.reports.extend(report);
        }
        drop(state);
        drop_each(&self.name, live);
        Event::Exited(instance, exit)
    }

    fn terminates(self: &Arc<Self>, how: Shutdown) -> Event<Make> {
        #[cfg(landfall_faults)]
        self.leave_timers();
        let now = how.clock_now();
        let at = |instant: std::time::Instant| self.now() + instant.saturating_duration_since(now);
        let budget = Budget { grace: at(how.grace()), abort: at(how.abort()) };
        let asked: Vec<_> = {
            let mut state = self.lock();
            state.how = Some(how);
            let asked = state.live.values().filter(|live| live.is_asked);
            asked.filter_map(|live| Some((live.body.owner()?, live.told()))).collect()
        };
        for (owner, told) in asked {
            self.tell_to_end(&*owner, told);
        }
        Event::Terminate(budget)
    }

    fn stop(&self, instance: InstanceId, limit: Option<Duration>) {
        let (owner, told) = {
            let mut state = self.lock();
            let Some(live) = state.live.get_mut(&instance) else { return };
            live.is_asked = true;
            live.limit = limit;
            match &live.body {
                Body::Worker(_, shared) => {
                    let stop = shared.stop.clone();
                    drop(state);
                    // It wakes whoever waits for it, and a waker is a user's code.
                    if let Err(error) = contain(|| stop.cancel()) {
                        tracing::error!(supervisor = self.name, error, "waker panicked");
                    }
                    return;
                }
                // There is nothing to ask yet: its start is dropped.
                Body::Start(task) => {
                    let task = *task;
                    drop(state);
                    self.workers.abort(task);
                    return;
                }
                body => (body.owner(), live.told()),
            }
        };
        if let Some(owner) = owner {
            self.tell_to_end(&*owner, told);
        }
    }

    fn abort(&self, instance: InstanceId) {
        let (owner, told) = {
            let mut state = self.lock();
            let Some(live) = state.live.get_mut(&instance) else { return };
            live.is_aborted = true;
            match &live.body {
                Body::Worker(task, _) | Body::Start(task) => {
                    let task = *task;
                    drop(state);
                    self.workers.abort(task);
                    return;
                }
                body => (body.owner(), live.told()),
            }
        };
        if let Some(owner) = owner {
            self.tell_to_end(&*owner, told);
        }
    }

    /// Tells a component to end, if it was to.
    fn tell_to_end(&self, owner: &dyn Terminate, told: Option<Told>) {
        let Some(told) = told else { return };
        let how = self.lock().how.clone();
        let how = match (told, how) {
            (Told::Abort, _) => self.at_once(),
            (Told::Stop(Some(limit)), Some(how)) => how.capped(limit),
            (Told::Stop(None), Some(how)) => how,
            (Told::Stop(limit), None) => {
                let limit = limit.unwrap_or(FOR_EVER);
                Shutdown::within_on(self.clock.clone(), limit, limit)
            }
        };
        if let Err(error) = contain(|| owner.begin_terminate(&how.because(Reason::ParentTerminating))) {
            tracing::error!(supervisor = self.name, error, "begin_terminate panicked");
        }
    }

    fn reply(&self, call: CallId, reply: Reply, info: &mut Option<Info>) {
        let sender = self.lock().calls.remove(&call);
        let is_up = matches!(reply, Reply::Start(Ok(Up::Instance(_))) | Reply::Restart(Ok(Up::Instance(_))));
        let info = if is_up { info.take() } else { None };
        if let Some(sender) = sender {
            // Nobody waits any more if this fails; what was asked for is done all the same.
            drop(contain(|| sender.send(Answer { reply, info })));
        }
    }

    fn report_child(&self, context: ReportContext, reason: ReportReason, offender: Offender) {
        match context {
            ReportContext::StartError | ReportContext::ChildTerminated => {
                tracing::warn!(supervisor = self.name, %context, %reason, %offender, "supervisor report");
            }
            ReportContext::ShutdownError | ReportContext::Shutdown => {
                tracing::error!(supervisor = self.name, %context, %reason, %offender, "supervisor report");
            }
        }
        let report = SupervisorReport { supervisor: self.name.clone(), context, reason, offender };
        self.hub.tell(&self.path, TreeEventKind::Reported(report));
    }

    fn progress(&self, offender: &Offender, by_call: bool) {
        if by_call {
            tracing::debug!(supervisor = self.name, started = %offender, "progress");
        } else {
            tracing::info!(supervisor = self.name, started = %offender, "progress");
        }
    }

    fn up(&self) {
        self.started.send_if_modified(|started| started.is_none() && started.replace(Ok(())).is_none());
        self.tell_above(Event::Ready);
    }

    fn tell_above(&self, event: impl FnOnce(InstanceId) -> Event<Make>) {
        if let Some(above) = &self.above
            && let Some(core) = above.core.upgrade()
        {
            core.post(Note::Event(event(above.instance)));
        }
    }
}

/// How a component was told to end.
#[derive(Clone, Copy, Debug)]
enum Told {
    Stop(Option<Duration>),
    Abort,
}

impl Live {
    fn of(body: Body) -> Self {
        Self { body, is_asked: false, is_aborted: false, limit: None }
    }

    fn told(&self) -> Option<Told> {
        if self.is_aborted {
            return Some(Told::Abort);
        }
        self.is_asked.then_some(Told::Stop(self.limit))
    }
}

impl Left {
    /// The exit, given what the instance was told.
    fn into_exit(self, live: Option<&Live>, report: Option<&Report>) -> Exit {
        let (is_asked, is_aborted) = live.map_or((false, false), |live| (live.is_asked, live.is_aborted));
        match self {
            Self::Exit(exit) => exit,
            Self::Done if is_asked => Exit::Shutdown,
            Self::Done => Exit::Normal,
            Self::Ended if is_aborted => Exit::Aborted,
            Self::Ended if is_asked => Exit::Shutdown,
            Self::Ended => report.and_then(fault).unwrap_or(Exit::Normal),
        }
    }
}

/// What went wrong in a component that ended by itself.
fn fault(report: &Report) -> Option<Exit> {
    if let Some(error) = &report.error {
        return Some(Exit::failed(error.clone()));
    }
    if let Reason::Failed(why) = &report.reason {
        return Some(Exit::failed(why.to_string()));
    }
    let panicked = report.panics().next()?;
    Some(Exit::failed(panicked.to_string()))
}
