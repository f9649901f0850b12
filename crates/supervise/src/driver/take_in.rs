//! Takes in what happened, one note after the other, and asks the engine.

use std::sync::Arc;

use futures_util::future::FutureExt;
use landfall_lifecycle::{Shutdown, TaskSet, Terminate};

use super::drive::{Drive, Joins};
use super::instance::ended;
use super::live::{Body, Live};
use super::watched::Watched;
use super::{Core, Info, Left, Note};
use crate::child_id::InstanceId;
use crate::engine::{Budget, Event, Spent};
use crate::make::Make;
use crate::panics::{contain, drop_each};
use crate::report::EndCause;

/// What became of one look at the inbox.
pub(super) enum Turn {
    /// There was nothing in it.
    Idle,
    Done,
    /// The supervisor has ended.
    Ended(EndCause),
}

/// What the engine is told, with what a start gave for its caller.
struct Told {
    event: Event<Make>,
    info: Option<Info>,
    /// What has gone; dropped where that holds up nobody.
    gone: Option<Live>,
}

impl Told {
    fn of(event: Event<Make>) -> Self {
        Self { event, info: None, gone: None }
    }
}

impl Core {
    /// Takes in one note, or the time, and does what the engine wants done for it.
    pub(super) fn turn(self: &Arc<Self>, drive: &mut Drive) -> Turn {
        let mut state = self.enter(&mut drive.started);
        let now = self.now();
        let note = match drive.started.next_ready(&state.inbox).map(|instance| Note::Ready(instance, None)) {
            Some(note) => note,
            None => match state.inbox.pop_front() {
                Some(note) => note,
                None if state.engine.next_due().is_some_and(|due| due <= now) => Note::Event(Event::Tick),
                None => return Turn::Idle,
            },
        };
        let told = match note {
            Note::Event(event) => {
                state.untaken -= usize::from(matches!(event, Event::Call(..)));
                Told::of(event)
            }
            Note::Ready(instance, info) => Told { info, ..Told::of(Event::Ready(instance)) },
            Note::Left { instance, exit, tasks: None } => {
                let gone = state.leave(instance);
                let exit = exit.into_exit(gone.as_ref(), None);
                Told { gone, ..Told::of(Event::Exited(instance, exit)) }
            }
            // These run the code of users.
            note => {
                drop(state);
                let event = match note {
                    Note::Left { instance, exit, tasks: Some(tasks) } => {
                        self.left_behind(instance, exit, tasks, &mut drive.joins)
                    }
                    Note::Owner(instance, component) => self.came_up(instance, component, &mut drive.joins),
                    Note::Joined(instance, left) => self.joined(instance, left),
                    Note::How(how) => self.terminates(how),
                    Note::Event(_) | Note::Ready(..) | Note::Left { tasks: None, .. } => unreachable!("taken above"),
                };
                state = self.lock();
                Told::of(event)
            }
        };
        if self.hub.is_heard() {
            state.engine.watch();
        }
        let watched = state.take_watched(&told.event);
        state.engine.on(told.event, now, &mut drive.actions);
        let spent = state.engine.take_spent();
        drop(state);
        watched.into_iter().for_each(Watched::tell);
        let cause = self.perform(drive, told.info);
        drop(told.gone);
        // Last, so that nothing else drops what is in there.
        if !spent.is_empty() {
            self.dispose(spent);
        }
        cause.map_or(Turn::Done, Turn::Ended)
    }

    /// Drops what is a user's.
    pub(super) fn dispose(&self, spent: Spent<Make>) {
        drop_each(&self.name, spent.exits);
        drop_each(&self.name, spent.makes);
    }

    /// A component is up; it may have been told to end before it was there.
    fn came_up(
        self: &Arc<Self>,
        instance: InstanceId,
        component: Arc<dyn Terminate>,
        joins: &mut Joins,
    ) -> Event<Make> {
        joins.push(ended(Arc::clone(&component)).map(move |left| (instance, left)).boxed());
        let now = self.now();
        let told = {
            let mut state = self.lock();
            state.enter(instance, Body::Component(Arc::clone(&component)));
            state.told(instance, now)
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
    ) -> Event<Make> {
        let component: Arc<dyn Terminate> = Arc::new(tasks.clone());
        let now = self.now();
        let told = {
            let mut state = self.lock();
            state.enter(instance, Body::Remains(tasks.clone()));
            state.told(instance, now)
        };
        let joined = ended(component).map(move |left| (instance, if let Left::Exit(_) = left { left } else { exit }));
        joins.push(joined.boxed());
        if told.is_some() {
            self.tell_to_end(&tasks, told);
            // The engine waits for its end already, and hears of it then.
            return Event::Tick;
        }
        Event::Lingers(instance)
    }

    fn joined(&self, instance: InstanceId, left: Left) -> Event<Make> {
        let live = self.lock().leave(instance);
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
        let (clock, now) = (how.clock_now(), self.now());
        let at = |instant: std::time::Instant| now + instant.saturating_duration_since(clock);
        let budget = Budget { grace: at(how.grace()), abort: at(how.abort()) };
        let asked: Vec<_> = {
            let mut state = self.lock();
            state.how = Some(how);
            let told = |live: &Live| Some((live.body.owner()?, state.told(live.instance, now)));
            state.live.iter().filter(|live| live.is_asked).filter_map(told).collect()
        };
        for (owner, told) in asked {
            self.tell_to_end(&*owner, told);
        }
        Event::Terminate(budget)
    }
}
