//! The child's end of a backlog.

use std::fmt;
use std::future::poll_fn;
use std::panic::Location;
use std::sync::Arc;

use tokio::time::Instant;

use super::address::Address;
use super::core::{Given, Number};
use super::shared::{Child, Shared};

/// The child's end of a backlog: what is committed here is the child's to send and to answer. Made by
/// [`Address::attach`].
///
/// A child that is restarted attaches anew, and finds what the instance before it has lost in its place.
pub struct Intake<Q: Send + 'static, A: Send + 'static>(Arc<Shared<Q, A>>);

/// A request that was taken, and does not expire any more: something of it may be sent.
///
/// Dropping it without an answer puts it back in its place, for the next one to take; so does a child that fails. Its
/// caller is then told the answer or [`Unknown`](super::Unanswered::Unknown), and nothing else.
#[must_use = "dropping it puts the request back"]
pub struct Committed<Q: Send + 'static, A: Send + 'static> {
    shared: Arc<Shared<Q, A>>,
    number: Number,
    /// None once it has ended.
    request: Option<Q>,
    deadline: Instant,
    given: u32,
}

/// Why a child cannot attach.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AttachError {
    /// Somebody has attached and has not gone: two at once would mix up the order.
    #[error("the backlog {backlog:?} has a child at {place}, with {out} requests out")]
    Attached {
        /// The backlog's name.
        backlog: String,
        /// Where that one attached.
        place: &'static Location<'static>,
        /// How many requests it has neither answered nor dropped.
        out: usize,
    },
    /// The backlog terminates, or its runtime has gone.
    #[error("the backlog {backlog:?} is terminating")]
    Terminating {
        /// The backlog's name.
        backlog: String,
    },
}

impl<Q: Send + 'static, A: Send + 'static> Address<Q, A> {
    /// Attaches the child, which takes the requests from here on; one at a time.
    ///
    /// # Errors
    ///
    /// [`AttachError`]: another one is there, or has requests out.
    #[track_caller]
    pub fn attach(&self) -> Result<Intake<Q, A>, AttachError> {
        let shared = self.shared();
        let backlog = || shared.name.to_string();
        let mut state = shared.lock();
        if state.core.is_closed() {
            return Err(AttachError::Terminating { backlog: backlog() });
        }
        if let Child::Attached { place, .. } | Child::Leaving { place, .. } = state.child {
            return Err(AttachError::Attached { backlog: backlog(), place, out: state.core.out() });
        }
        state.child = Child::Attached { place: Location::caller(), since: Instant::now(), waits: None };
        drop(state);
        Ok(Intake(Arc::clone(shared)))
    }
}

impl<Q: Send + 'static, A: Send + 'static> Intake<Q, A> {
    /// Waits until there is something to commit; false once nothing comes any more, because the backlog ends.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a dropped wait takes nothing.
    pub async fn ready(&mut self) -> bool {
        poll_fn(|cx| self.0.poll_ready(cx)).await
    }

    /// Commits the first requests that wait: at most so many, of so many bytes together, but one however large it is;
    /// none if none waits. To be called when they can be written at once, since until then they may expire.
    pub fn commit(&mut self, requests_max: usize, bytes_max: usize) -> Vec<Committed<Q, A>> {
        let committed = |given: Given<Q>| Committed {
            shared: Arc::clone(&self.0),
            number: given.number,
            request: Some(given.request),
            deadline: self.0.instant(given.deadline),
            given: given.given,
        };
        self.0.commit(requests_max, bytes_max, self.0.now()).into_iter().map(committed).collect()
    }

    /// Waits for one request and commits it; none once nothing comes any more, because the backlog ends.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: a dropped wait takes nothing.
    pub async fn next(&mut self) -> Option<Committed<Q, A>> {
        while self.ready().await {
            // It may have expired in between.
            if let Some(one) = self.commit(1, usize::MAX).pop() {
                return Some(one);
            }
        }
        None
    }
}

impl<Q: Send + 'static, A: Send + 'static> Committed<Q, A> {
    /// The request.
    #[must_use]
    pub fn request(&self) -> &Q {
        self.request.as_ref().expect("it is taken by what ends it alone")
    }

    /// When its caller is told [`Unknown`](super::Unanswered::Unknown) at the latest.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// How often it was taken: more than once means that something of it may have been sent before.
    #[must_use]
    pub fn times_taken(&self) -> u32 {
        self.given
    }

    /// Gives the caller its answer, and the request back; false if the caller does not wait for it any more.
    pub fn answer(mut self, answer: A) -> (Q, bool) {
        let request = self.request.take().expect("it is taken by what ends it alone");
        let is_heard = self.shared.answer(self.number, answer);
        (request, is_heard)
    }

    /// Does not try again: its caller is told [`Unknown`](super::Unanswered::Unknown).
    pub fn give_up(mut self) {
        if let Some(request) = self.request.take() {
            self.shared.change(|core| core.give_up(self.number, request));
        }
    }
}

impl<Q: Send + 'static, A: Send + 'static> Drop for Committed<Q, A> {
    fn drop(&mut self) {
        if let Some(request) = self.request.take() {
            let now = self.shared.now();
            self.shared.change(|core| core.put_back(self.number, request, now));
        }
    }
}

impl<Q: Send + 'static, A: Send + 'static> Drop for Intake<Q, A> {
    fn drop(&mut self) {
        self.0.leave();
    }
}

impl<Q: Send + 'static, A: Send + 'static> fmt::Debug for Intake<Q, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Intake").field("backlog", &self.0.name).finish_non_exhaustive()
    }
}

impl<Q: Send + 'static, A: Send + 'static> fmt::Debug for Committed<Q, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the request, which may hold a secret.
        f.debug_struct("Committed")
            .field("backlog", &self.shared.name)
            .field("times_taken", &self.given)
            .finish_non_exhaustive()
    }
}
