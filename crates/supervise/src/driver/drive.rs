//! The driver's loop, and what becomes of the children when it cannot go on.

use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::{FuturesUnordered, StreamExt};
use landfall_lifecycle::{Ending, Reason, Shutdown, SleepUntil, Terminate};

use super::{Body, Core, Left, Note};
use crate::child_id::InstanceId;
use crate::engine::Event;
use crate::events::TreeEventKind;
#[cfg(landfall_faults)]
use crate::faults::{self, Fault};
use crate::panics::{contain, drop_each, into_message};
use crate::report::EndCause;

/// Ends of what is no task of the supervisor's own.
pub(super) type Joins = FuturesUnordered<BoxFuture<'static, (InstanceId, Left)>>;

/// Rings when the engine is to be told of the time.
struct Alarm {
    at: Instant,
    is_ending: bool,
    sleep: SleepUntil,
}

/// Drives a supervisor to its end. A panic of the driver ends the children all the same.
pub(super) async fn run(core: Arc<Core>, drive: impl Future<Output = ()>) {
    let mut fallen = Fallen(Some(Arc::clone(&core)));
    if let Err(payload) = AssertUnwindSafe(drive).catch_unwind().await {
        let message = into_message(payload);
        tracing::error!(supervisor = core.name, error = message, "the supervisor panicked: aborting its children");
        core.collapse(message).await;
    }
    fallen.0 = None;
}

/// Ends the children when the driver is dropped: its runtime is going.
struct Fallen(Option<Arc<Core>>);

impl Drop for Fallen {
    fn drop(&mut self) {
        if let Some(core) = self.0.take() {
            core.abandon();
        }
    }
}

pub(super) async fn drive(core: Arc<Core>) {
    let mut joins = Joins::new();
    let mut alarm = None;
    loop {
        if let Some(cause) = core.turn(&mut joins) {
            return core.conclude(cause).await;
        }
        core.next_event(&mut joins, &mut alarm).await;
    }
}

impl Core {
    /// Does all that is to be done now; why the supervisor has ended, when it has.
    fn turn(self: &Arc<Self>, joins: &mut Joins) -> Option<EndCause> {
        loop {
            let note = {
                let mut state = self.lock();
                match state.inbox.pop_front() {
                    Some(note) => {
                        state.untaken -= usize::from(matches!(note, Note::Event(Event::Call(..))));
                        note
                    }
                    None => {
                        let now = self.now();
                        state.engine.next_due().filter(|due| *due <= now)?;
                        Note::Event(Event::Tick)
                    }
                }
            };
            if let Some(cause) = self.take_in(note, joins) {
                return Some(cause);
            }
        }
    }

    /// Sets the alarm for when the engine wants to be told of the time: on the clock of the termination, if there is
    /// one.
    ///
    /// One that rings too early is left: the next child's limit is nearly always later than the one before, and the
    /// clock is not to be set for each.
    fn set(&self, alarm: &mut Option<Alarm>) {
        let state = self.lock();
        let Some(due) = state.engine.next_due() else {
            *alarm = None;
            return;
        };
        let (at, is_ending) = (self.epoch + due, state.how.is_some());
        if alarm.as_ref().is_some_and(|alarm| alarm.is_ending == is_ending && alarm.at <= at) {
            return;
        }
        let sleep = state.how.as_ref().unwrap_or(&self.timer).sleep_until(at);
        drop(state);
        *alarm = Some(Alarm { at, is_ending, sleep });
    }

    /// Waits until there is something to look at.
    async fn next_event(&self, joins: &mut Joins, alarm: &mut Option<Alarm>) {
        let mut woken = pin!(self.wake.notified());
        self.set(alarm);
        let mut has_rung = false;
        let joined = poll_fn(|cx| {
            // Ends first: they are what others wait for.
            if let Poll::Ready(Some(joined)) = joins.poll_next_unpin(cx) {
                return Poll::Ready(Some(joined));
            }
            if woken.as_mut().poll(cx).is_ready() {
                return Poll::Ready(None);
            }
            if alarm.as_mut().is_some_and(|alarm| Pin::new(&mut alarm.sleep).poll(cx).is_ready()) {
                has_rung = true;
                return Poll::Ready(None);
            }
            Poll::Pending
        });
        if let Some((instance, left)) = joined.await {
            self.post(Note::Joined(instance, left));
        }
        if has_rung
            && let Some(rung) = alarm.take()
            && self.timer.clock_now() < rung.at
        {
            // No thread could be made to keep the time, so this task looks at the clock; others are to run meanwhile.
            tokio::task::yield_now().await;
        }
    }

    /// All has ended: says so to whoever waits.
    async fn conclude(self: &Arc<Self>, cause: EndCause) {
        // The tasks have told that they are through; now they are gone.
        let now = self.at_once();
        #[cfg(landfall_faults)]
        let joins = !faults::is_armed(Fault::SkipJoin);
        #[cfg(not(landfall_faults))]
        let joins = true;
        if joins && let Err(error) = self.workers.terminate(&now).await {
            tracing::error!(supervisor = self.name, %error, "the driver is no task of its workers' set");
        }
        let left = {
            let mut state = self.lock();
            state.cause = Some(cause.clone());
            let calls = std::mem::take(&mut state.calls);
            (calls, std::mem::take(&mut state.inbox), std::mem::take(&mut state.watchers))
        };
        let (calls, inbox, watchers) = left;
        drop((calls, watchers));
        drop_each(&self.name, inbox);
        tracing::debug!(supervisor = self.name, %cause, "supervisor ended");
        self.hub.tell(&self.path, TreeEventKind::Ended(cause.clone()));
        self.started.send_if_modified(|started| started.is_none() && started.replace(Err(cause.clone())).is_none());
        if self.ending.has_begun() {
            Ending::finish(self);
        } else {
            let reason = match cause {
                EndCause::Terminated => Reason::Requested,
                cause => Reason::Failed(cause.to_string().into()),
            };
            // It has ended already, so there is nothing to wait for and nothing to log.
            Ending::begin(self, &Shutdown::now().because(reason));
        }
    }

    /// Ends everything without the engine.
    async fn collapse(self: &Arc<Self>, message: String) {
        let spent = self.lock().engine.fall();
        drop_each(&self.name, spent);
        let now = self.at_once();
        self.abort_all();
        if let Err(error) = self.workers.terminate(&now).await {
            tracing::error!(supervisor = self.name, %error, "the driver is no task of its workers' set");
        }
        // Only now: a component may have come up while its start was being aborted.
        let owners = {
            let mut state = self.lock();
            let notes = std::mem::take(&mut state.inbox).into_iter().filter_map(|note| match note {
                Note::Owner(_, component) => Some(component),
                Note::Left { tasks: Some(tasks), .. } => Some(Arc::new(tasks) as Arc<dyn Terminate>),
                _ => None,
            });
            let notes: Vec<_> = notes.collect();
            let live = std::mem::take(&mut state.live).into_values().filter_map(|live| live.body.owner());
            live.chain(notes).collect::<Vec<_>>()
        };
        for owner in &owners {
            drop(contain(|| owner.begin_terminate(&now)));
        }
        for owner in owners {
            super::instance::ended(owner).await;
        }
        self.conclude(EndCause::Panicked { message }).await;
    }

    /// Aborts everything, now, without waiting.
    pub(super) fn abort_all(&self) {
        let now = self.at_once();
        self.workers.begin_terminate(&now);
        let owners: Vec<_> = self.lock().live.values().filter_map(|live| live.body.owner()).collect();
        for owner in owners {
            if let Err(error) = contain(|| owner.begin_terminate(&now)) {
                tracing::error!(supervisor = self.name, error, "begin_terminate panicked");
            }
        }
    }

    /// Nobody drives the supervisor any more: aborts everything, and leaves the report to the deadline.
    pub(super) fn abandon(self: &Arc<Self>) {
        self.abort_all();
        let calls = std::mem::take(&mut self.lock().calls);
        drop(calls);
        let cause = EndCause::Panicked { message: "its runtime has gone".to_owned() };
        self.started.send_if_modified(|started| started.is_none() && started.replace(Err(cause)).is_none());
        Ending::begin(self, &Shutdown::now().because(Reason::Failed("its runtime has gone".into())));
    }
}

impl Body {
    /// What is to be terminated, if it is no task of the supervisor's own.
    pub(super) fn owner(&self) -> Option<Arc<dyn Terminate>> {
        match self {
            Self::Worker(_, shared) => shared.tasks.get().map(|tasks| Arc::new(tasks.clone()) as Arc<dyn Terminate>),
            Self::Start(_) => None,
            Self::Component(component) => Some(Arc::clone(component)),
            Self::Supervisor(supervisor) => Some(Arc::new(supervisor.clone())),
            Self::Remains(tasks) => Some(Arc::new(tasks.clone())),
        }
    }
}
