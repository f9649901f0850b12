//! What the ends of a backlog share: the core under its lock, and what is done once that is free.

use std::future::pending;
use std::panic::Location;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_util::future::{Either, select};
use landfall_lifecycle::{Ending, TaskName};
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::address::Unanswered;
use super::core::{Core, Ended, Given, Number, Refused, Why};
use super::limits::Limits;
use super::sync::{Mutex, MutexGuard};
#[cfg(landfall_faults)]
use crate::faults::{self, Fault};
use crate::panics::{contain, drop_each};

/// How the caller of a request is told.
pub(super) type Sender<A> = oneshot::Sender<Result<A, Unanswered>>;

pub(super) struct Shared<Q, A> {
    pub(super) name: TaskName,
    pub(super) ending: Ending,
    epoch: Instant,
    bytes_of: Box<dyn Fn(&Q) -> usize + Send + Sync>,
    /// A request is due earlier than the task knows.
    earlier: Notify,
    state: Mutex<State<Q, A>>,
}

pub(super) struct State<Q, A> {
    pub(super) core: Core<Q, Sender<A>>,
    pub(super) child: Child,
    /// For when the task sleeps; none if nothing is due.
    alarm: Option<Duration>,
}

/// The child's end.
///
/// | from       | event                                         | to         |
/// |------------|-----------------------------------------------|------------|
/// | `Away`     | attach                                        | `Attached` |
/// | `Attached` | the intake is dropped, and no request is out  | `Away`     |
/// | `Attached` | the intake is dropped, and some are           | `Leaving`  |
/// | `Leaving`  | the last one is answered, lost, or given up   | `Away`     |
#[derive(Debug)]
pub(super) enum Child {
    Away,
    Attached { place: &'static Location<'static>, since: Instant, waits: Option<Waker> },
    Leaving { place: &'static Location<'static>, since: Instant },
}

impl<Q: Send + 'static, A: Send + 'static> Shared<Q, A> {
    pub(super) fn new(name: TaskName, limits: Limits, bytes_of: Box<dyn Fn(&Q) -> usize + Send + Sync>) -> Self {
        Self {
            name,
            ending: Ending::new(),
            epoch: Instant::now(),
            bytes_of,
            earlier: Notify::new(),
            state: Mutex::new(State { core: Core::new(limits), child: Child::Away, alarm: None }),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State<Q, A>> {
        self.state.lock()
    }

    /// The time since the backlog was made.
    pub(super) fn now(&self) -> Duration {
        self.epoch.elapsed()
    }

    pub(super) fn instant(&self, at: Duration) -> Instant {
        self.epoch + at
    }

    pub(super) fn bytes_of(&self, request: &Q) -> usize {
        (self.bytes_of)(request)
    }

    /// Takes a request in; who is refused has it back.
    pub(super) fn put(
        &self,
        request: Q,
        reply: Sender<A>,
        (bytes, timeout): (usize, Option<Duration>),
        now: Duration,
    ) -> Result<Number, (Q, Refused)> {
        let mut state = self.lock();
        let timeout = timeout.unwrap_or(state.core.limits().request_timeout);
        let put = state.core.put(request, reply, (bytes, now + Limits::timeout(timeout)), now);
        let is_earlier = state.core.next_due().is_some_and(|due| state.alarm.is_none_or(|alarm| due < alarm));
        if is_earlier {
            state.alarm = state.core.next_due();
        }
        self.release(state);
        if is_earlier {
            self.earlier.notify_one();
        }
        put.map_err(|(request, _reply, refused)| (request, refused))
    }

    /// The bounds of requests and of bytes.
    pub(super) fn bounds(&self) -> (usize, usize) {
        let state = self.lock();
        (state.core.limits().requests_max, state.core.limits().bytes_max)
    }

    pub(super) fn commit(&self, requests_max: usize, bytes_max: usize, now: Duration) -> Vec<Given<Q>> {
        let mut state = self.lock();
        let given = state.core.commit(requests_max, bytes_max, now);
        self.release(state);
        given
    }

    /// Whether something may be committed; it may be gone again by then. False once nothing comes any more.
    pub(super) fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<bool> {
        // A waker's clone and its destructor are a user's code: outside of the lock.
        let waker = cx.waker().clone();
        let state = self.lock();
        if state.core.waiting() > 0 {
            return Poll::Ready(true);
        }
        if state.core.is_closed() {
            return Poll::Ready(false);
        }
        #[cfg(landfall_faults)]
        let state = self.let_others_in(state, Fault::WaitUnlooked);
        let mut state = state;
        let before = match &mut state.child {
            Child::Attached { waits, .. } => waits.replace(waker),
            Child::Away | Child::Leaving { .. } => Some(waker),
        };
        drop(state);
        drop_each(self.name.as_str(), before);
        Poll::Pending
    }

    /// Changes the core and does what follows.
    pub(super) fn change<T>(self: &Arc<Self>, change: impl FnOnce(&mut Core<Q, Sender<A>>) -> T) -> T {
        let mut state = self.lock();
        let changed = change(&mut state.core);
        if let Child::Leaving { .. } = state.child
            && state.core.out() == 0
        {
            state.child = Child::Away;
        }
        self.release(state);
        self.finish_if_over();
        changed
    }

    /// Gives a caller its answer; whether it was there to hear it.
    pub(super) fn answer(self: &Arc<Self>, number: Number, answer: A) -> bool {
        let reply = self.lock().core.answer(number);
        // Whoever waits is woken, and a waker is a user's code; so is an answer that nobody waits for.
        let is_heard = match reply {
            Some(reply) => contain(|| reply.send(Ok(answer)).is_ok()).unwrap_or(false),
            None => {
                drop_each(self.name.as_str(), [answer]);
                false
            }
        };
        self.change(|_| {});
        is_heard
    }

    /// Ends what is due at that time.
    pub(super) fn expire(self: &Arc<Self>, now: Duration) {
        #[cfg(landfall_faults)]
        if faults::is_armed(Fault::ExpireUnlooked) {
            let due = self.lock().core.due(now);
            return self.change(|core| core.expire_unlooked(due));
        }
        self.change(|core| core.tick(now));
    }

    /// Ends the wait for the requests if there are none.
    fn finish_if_over(self: &Arc<Self>) {
        if self.lock().core.is_over() && self.ending.has_begun() {
            Ending::finish(self);
        }
    }

    /// Lets the lock go, wakes the child if it has something to do, and tells who has ended.
    fn release(&self, mut state: MutexGuard<'_, State<Q, A>>) {
        let ended = state.core.take_ended();
        let is_worth_it = state.core.waiting() > 0 || state.core.is_closed();
        let waits = match &mut state.child {
            Child::Attached { waits, .. } if is_worth_it => waits.take(),
            Child::Attached { .. } | Child::Away | Child::Leaving { .. } => None,
        };
        drop(state);
        if let Some(waits) = waits
            && let Err(error) = contain(|| waits.wake())
        {
            tracing::error!(backlog = self.name.as_str(), error, "waker panicked");
        }
        for Ended { reply, request, why } in ended {
            if let Some(reply) = reply {
                drop(contain(|| reply.send(Err(why.into())).is_ok()));
            }
            drop_each(self.name.as_str(), request);
        }
    }

    /// Nothing more is taken in; nobody can give any of it to a child that is not there.
    pub(super) fn close(self: &Arc<Self>) {
        #[cfg(landfall_faults)]
        if faults::is_armed(Fault::AcceptLate) {
            self.change(|core| core.hand_back_open());
            return self.lock().core.close();
        }
        let is_served = {
            let mut state = self.lock();
            // From here on no child can attach.
            state.core.close();
            matches!(state.child, Child::Attached { .. })
        };
        self.change(|core| {
            if !is_served {
                core.hand_back();
            }
        });
    }

    /// The child's end is let go: what is out is still its to answer or to lose.
    pub(super) fn leave(self: &Arc<Self>) {
        let left = {
            let mut state = self.lock();
            let Child::Attached { place, since, .. } = state.child else { return };
            std::mem::replace(&mut state.child, Child::Leaving { place, since })
        };
        if let Child::Attached { waits, .. } = left {
            drop_each(self.name.as_str(), waits);
        }
        #[cfg(landfall_faults)]
        if faults::is_armed(Fault::LeaveUnlooked) {
            return;
        }
        // Whoever ends the backlog lets no other child come.
        self.change(|core| {
            if core.is_closed() {
                core.hand_back();
            }
        });
    }

    /// Ends what is due whenever something is, until it is stopped.
    pub(super) async fn keep_time(self: &Arc<Self>, stop: CancellationToken) {
        loop {
            self.expire(self.now());
            let due = self.set_alarm();
            let due = pin!(async {
                match due {
                    Some(due) => sleep_until(self.instant(due)).await,
                    None => pending().await,
                }
            });
            let earlier = pin!(self.earlier.notified());
            let wakes = select(earlier, due);
            // Stop first: nothing is due any more.
            if let Either::Left(_) = select(pin!(stop.cancelled()), wakes).await {
                return;
            }
        }
    }

    /// What the task sleeps for.
    fn set_alarm(&self) -> Option<Duration> {
        let mut state = self.lock();
        state.alarm = state.core.next_due();
        state.alarm
    }

    /// Lets others have the lock between a look and what follows from it, where that fault is planted.
    #[cfg(landfall_faults)]
    fn let_others_in<'a>(&'a self, state: MutexGuard<'a, State<Q, A>>, fault: Fault) -> MutexGuard<'a, State<Q, A>> {
        if !faults::is_armed(fault) {
            return state;
        }
        drop(state);
        self.lock()
    }
}

impl From<Why> for Unanswered {
    fn from(why: Why) -> Self {
        match why {
            Why::Unknown => Self::Unknown,
            Why::Expired => Self::Expired,
            Why::Dropped => Self::Dropped,
            // Whose caller went hears nothing.
            Why::Withdrawn | Why::HandedBack => Self::Terminating,
        }
    }
}
