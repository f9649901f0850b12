//! The driver's loop.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use landfall_lifecycle::{Ending, Reason, Shutdown, SleepUntil, Terminate};

use super::perform::Started;
use super::take_in::Turn;
use super::{Core, Left, Note, State};
use crate::child_id::InstanceId;
use crate::engine::Action;
use crate::events::TreeEventKind;
#[cfg(landfall_faults)]
use crate::faults::{self, Fault};
use crate::make::Make;
use crate::panics::drop_each;
use crate::report::EndCause;

/// Ends of what is no task of the supervisor's own.
pub(super) type Joins = FuturesUnordered<BoxFuture<'static, (InstanceId, Left)>>;

/// How many notes are taken in before others have their turn on this worker.
const NOTES_MAX: usize = 128;

/// What the driver keeps from one note to the next.
#[derive(Default)]
pub(super) struct Drive {
    pub(super) joins: Joins,
    alarm: Option<Alarm>,
    /// What is to be done; kept for its room.
    pub(super) actions: Vec<Action<Make>>,
    pub(super) started: Started,
}

/// Rings when the engine is to be told of the time.
struct Alarm {
    at: Instant,
    is_ending: bool,
    sleep: SleepUntil,
    /// The sleep knows whom to wake.
    is_set: bool,
}

pub(super) async fn drive(core: Arc<Core>) {
    let mut drive = Drive::default();
    let cause = poll_fn(|cx| core.poll(&mut drive, cx)).await;
    core.conclude(cause).await;
}

impl Core {
    /// Does all that is to be done now; why the supervisor has ended, when it has.
    fn poll(self: &Arc<Self>, drive: &mut Drive, cx: &mut Context<'_>) -> Poll<EndCause> {
        let mut is_alarm_set = false;
        for _ in 0..NOTES_MAX {
            match self.turn(drive) {
                Turn::Ended(cause) => return Poll::Ready(cause),
                Turn::Done => is_alarm_set = true,
                Turn::Idle => {
                    // Whom no note woke was woken by the alarm, perhaps, or is not polled as it was before.
                    if let Some(alarm) = drive.alarm.as_mut().filter(|_| !is_alarm_set) {
                        alarm.is_set = false;
                        is_alarm_set = true;
                    }
                    if self.poll_sleep(drive, cx).is_pending() {
                        return Poll::Pending;
                    }
                }
            }
        }
        // Until the next turn somebody else may look at who lives, or the runtime may go.
        drop(self.enter(&mut drive.started));
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Waits until there is something to look at.
    fn poll_sleep(&self, drive: &mut Drive, cx: &mut Context<'_>) -> Poll<()> {
        if !drive.joins.is_empty()
            && let Poll::Ready(Some((instance, left))) = drive.joins.poll_next_unpin(cx)
        {
            self.lock().inbox.push_back(Note::Joined(instance, left));
            return Poll::Ready(());
        }
        let mut state = self.lock();
        self.set(&mut drive.alarm, &state);
        if let Some(alarm) = drive.alarm.as_mut().filter(|alarm| !alarm.is_set) {
            drop(state);
            if Pin::new(&mut alarm.sleep).poll(cx).is_ready() {
                let at = alarm.at;
                drive.alarm = None;
                if self.timer.clock_now() >= at {
                    return Poll::Ready(());
                }
                // No thread could be made to keep the time, so this task looks at the clock; others run meanwhile.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            alarm.is_set = true;
            state = self.lock();
        }
        if std::mem::take(&mut state.is_nudged) || !state.inbox.is_empty() {
            return Poll::Ready(());
        }
        state.sleeper = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Sets the alarm for when the engine wants to be told of the time: on the clock of the termination, if there is
    /// one.
    ///
    /// One that rings too early is left: the next child's limit is nearly always later than the one before, and the
    /// clock is not to be set for each.
    fn set(&self, alarm: &mut Option<Alarm>, state: &State) {
        let Some(due) = state.engine.next_due() else {
            *alarm = None;
            return;
        };
        let (at, is_ending) = (self.epoch + due, state.how.is_some());
        let is_kept =
            |alarm: &Alarm| alarm.is_ending == is_ending && alarm.at <= at && self.timer.clock_now() < alarm.at;
        if alarm.as_ref().is_some_and(is_kept) {
            return;
        }
        let sleep = state.how.as_ref().unwrap_or(&self.timer).sleep_until(at);
        *alarm = Some(Alarm { at, is_ending, sleep, is_set: false });
    }

    /// All has ended: says so to whoever waits.
    pub(super) async fn conclude(self: &Arc<Self>, cause: EndCause) {
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
}
