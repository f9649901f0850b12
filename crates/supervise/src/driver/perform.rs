//! Does what the engine wants done.

use std::collections::VecDeque;
use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use futures_util::future::FutureExt;
use landfall_lifecycle::{Reason, Shutdown, Terminate};

use super::drive::{Drive, Joins};
use super::instance::{ended, start_component};
use super::live::{Body, Told};
use super::{Above, Answer, Core, FOR_EVER, Info, Note, State, not_spawned};
use crate::builder::SupervisorBuilder;
use crate::child_cx::Instance;
use crate::child_id::InstanceId;
use crate::engine::{Action, CallId, Event, Reply, Up};
use crate::events::TreeEventKind;
use crate::exit::Exit;
use crate::make::Make;
use crate::panics::{contain, drop_each};
use crate::report::{EndCause, Offender, ReportContext, ReportReason, SupervisorReport};
use crate::spec::Spec;

/// Workers that were spawned. They are entered with the next look at the inbox, for which the lock is taken anyway.
#[derive(Default)]
pub(super) struct Started {
    live: Vec<(InstanceId, Body)>,
    /// Those that are up by being there.
    ready: VecDeque<InstanceId>,
    /// The inbox has its turn.
    is_inbox_next: bool,
}

impl Started {
    /// The next one to be told ready, if it is not the inbox that has its turn: a long list of children is not to hold
    /// up a termination. Whose end is next has been up before.
    pub(super) fn next_ready(&mut self, inbox: &VecDeque<Note>) -> Option<InstanceId> {
        self.ready.front()?;
        let is_inbox_next = match inbox.front() {
            None => false,
            // They are in the order of their numbers.
            Some(Note::Left { instance, .. }) if self.ready.binary_search(instance).is_ok() => false,
            Some(_) => self.is_inbox_next,
        };
        self.is_inbox_next = !is_inbox_next;
        if is_inbox_next { None } else { self.ready.pop_front() }
    }
}

impl Core {
    /// Takes the lock, and enters who was started since.
    pub(super) fn enter(&self, started: &mut Started) -> MutexGuard<'_, State> {
        let mut state = self.lock();
        for (instance, body) in started.live.drain(..) {
            state.enter(instance, body);
        }
        state
    }

    /// Does it; why the supervisor has ended, when it has.
    pub(super) fn perform(self: &Arc<Self>, drive: &mut Drive, mut info: Option<Info>) -> Option<EndCause> {
        let Drive { joins, actions, started, .. } = drive;
        let mut cause = None;
        for action in actions.drain(..) {
            #[cfg(landfall_faults)]
            if self.swallows(&action) {
                continue;
            }
            match action {
                Action::Start { instance, spec, make } => self.start(instance, spec, make, joins, started),
                Action::Stop { instance, limit } => self.stop(instance, limit, started),
                Action::Abort { instance } => self.abort(instance, started),
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

    fn start(self: &Arc<Self>, instance: InstanceId, spec: Spec, make: Make, joins: &mut Joins, started: &mut Started) {
        let shared = |is_up_at_once| Instance::new(Arc::clone(self), spec.id.clone(), instance, is_up_at_once);
        let body = match make {
            Make::Worker { factory, signals_ready } => {
                let shared = shared(!signals_ready);
                factory.spawn(&self.workers, spec.place, Arc::clone(&shared)).map_err(not_spawned).map(|task| {
                    if !signals_ready {
                        started.ready.push_back(instance);
                    }
                    Body::Worker(task, shared)
                })
            }
            Make::Component(factory) => {
                let starting = start_component(shared(false), move || factory());
                self.workers.spawn_at(spec.place, spec.id.task_name(), starting).map(Body::Start).map_err(not_spawned)
            }
            Make::Once(once) => match once.take() {
                Some(component) => {
                    self.post(Note::Owner(instance, Arc::clone(&component)));
                    Ok(Body::Component(component))
                }
                None => Err(Exit::failed("the instance was started before")),
            },
            Make::Supervisor(factory) => {
                // The factory is a user's and may take its time: others look at who lives meanwhile.
                drop(self.enter(started));
                self.start_below(instance, &spec, &*factory, joins)
            }
        };
        match body {
            Ok(body @ Body::Worker(..)) => started.live.push((instance, body)),
            Ok(body) => self.lock().enter(instance, body),
            // A future that was not spawned has told that it is gone; this says why, and whoever comes first counts.
            Err(exit) => self.lock().inbox.push_front(Note::Event(Event::Exited(instance, exit))),
        }
    }

    fn start_below(
        self: &Arc<Self>,
        instance: InstanceId,
        spec: &Spec,
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

    fn stop(&self, instance: InstanceId, limit: Option<Duration>, started: &mut Started) {
        let mut state = self.enter(started);
        let Some(live) = state.live(instance) else { return };
        live.is_asked = true;
        let owner = match &live.body {
            Body::Worker(_, shared) => {
                let shared = Arc::clone(shared);
                drop(state);
                if let Err(error) = contain(|| shared.ask()) {
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
            body => body.owner(),
        };
        drop(state);
        if let Some(owner) = owner {
            self.tell_to_end(&*owner, Some(Told::Stop(limit)));
        }
    }

    fn abort(&self, instance: InstanceId, started: &mut Started) {
        let mut state = self.enter(started);
        let Some(live) = state.live(instance) else { return };
        live.is_aborted = true;
        let owner = match &live.body {
            Body::Worker(task, _) | Body::Start(task) => {
                let task = *task;
                drop(state);
                self.workers.abort(task);
                return;
            }
            body => body.owner(),
        };
        drop(state);
        if let Some(owner) = owner {
            self.tell_to_end(&*owner, Some(Told::Abort));
        }
    }

    /// Tells a component to end, if it was to.
    pub(super) fn tell_to_end(&self, owner: &dyn Terminate, told: Option<Told>) {
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
        if self.hub.is_heard() {
            let report = SupervisorReport { supervisor: self.name.clone(), context, reason, offender };
            self.hub.tell(&self.path, TreeEventKind::Reported(report));
        }
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
