//! The callers' end of a backlog.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::oneshot;

use super::core::{Number, Refused};
use super::shared::Shared;
use crate::panics::contain;

/// Where callers put their requests, whether the child is there or is being restarted. Made by
/// [`Backlog::address`](super::Backlog::address).
///
/// It stays the same for as long as the backlog lives, and does not keep it alive. Clones are the same address.
pub struct Address<Q: Send + 'static, A: Send + 'static>(Arc<Shared<Q, A>>);

/// A request was not taken in; it is in here.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("the backlog {backlog:?} does not take the request in: {why}")]
#[non_exhaustive]
pub struct PutError<Q> {
    /// The backlog's name.
    pub backlog: String,
    /// The request. Nothing of it was sent.
    pub request: Q,
    /// Why.
    pub why: NotTaken,
}

/// Why a request was not taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotTaken {
    /// It does not fit beside what is held, and nothing may be dropped for it.
    #[error(
        "{requests} requests of {bytes} bytes are held, and {requests_max} (requests_max) of {bytes_max} (bytes_max) may be"
    )]
    Full {
        /// How many are held.
        requests: usize,
        /// Their bytes.
        bytes: usize,
        /// The bound of requests.
        requests_max: usize,
        /// The bound of bytes.
        bytes_max: usize,
    },
    /// It is larger than all that may be held.
    #[error("it has {bytes} bytes, and {bytes_max} may be held: bytes_max")]
    TooLarge {
        /// How many it has.
        bytes: usize,
        /// The bound.
        bytes_max: usize,
    },
    /// The backlog terminates, or its runtime has gone.
    #[error("it is terminating")]
    Terminating,
    /// What says how many bytes a request has panicked.
    #[error("what counts its bytes panicked")]
    Uncounted,
}

/// Why a request has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unanswered {
    /// Its time was over before the child took it. It was not sent, and will not be.
    #[error("the request expired before it was sent")]
    Expired,
    /// It gave way when the backlog was full. It was not sent, and will not be.
    #[error("the request was dropped before it was sent: the backlog was full")]
    Dropped,
    /// The backlog ended before the child took it. It was not sent, and will not be.
    #[error("the backlog ended before the request was sent")]
    Terminating,
    /// The child took it, and the answer was not seen in time: what was asked for may have been done, or may be yet.
    #[error("the request may have been sent, and its answer was not seen")]
    Unknown,
}

/// The wait for the answer to a request. Made by [`Address::put`].
///
/// Dropping it withdraws the request if the child has not taken it; one that was taken goes on.
#[must_use = "dropping it withdraws the request"]
pub struct Reply<Q: Send + 'static, A: Send + 'static> {
    answer: oneshot::Receiver<Result<A, Unanswered>>,
    /// None once there is nothing to withdraw.
    request: Option<(Number, Arc<Shared<Q, A>>)>,
}

impl<Q: Send + 'static, A: Send + 'static> Address<Q, A> {
    pub(super) fn new(shared: &Arc<Shared<Q, A>>) -> Self {
        Self(Arc::clone(shared))
    }

    pub(super) fn shared(&self) -> &Arc<Shared<Q, A>> {
        &self.0
    }

    /// Puts a request in the backlog, for at most [`request_timeout`](super::Limits::request_timeout).
    ///
    /// It needs no runtime and never waits. What is put first is taken first.
    ///
    /// # Errors
    ///
    /// [`PutError`], with the request.
    ///
    /// # Examples
    ///
    /// See [`Backlog`](super::Backlog).
    pub fn put(&self, request: Q) -> Result<Reply<Q, A>, PutError<Q>> {
        self.put_in(request, None)
    }

    /// As [`put`](Self::put), for at most `timeout`; longer ones than 365 days are taken as that.
    ///
    /// # Errors
    ///
    /// [`PutError`], with the request.
    pub fn put_within(&self, request: Q, timeout: Duration) -> Result<Reply<Q, A>, PutError<Q>> {
        self.put_in(request, Some(timeout))
    }

    fn put_in(&self, request: Q, timeout: Option<Duration>) -> Result<Reply<Q, A>, PutError<Q>> {
        let shared = &self.0;
        let error = |request, why| PutError { backlog: shared.name.to_string(), request, why };
        let Ok(bytes) = contain(|| shared.bytes_of(&request)) else { return Err(error(request, NotTaken::Uncounted)) };
        let (sender, answer) = oneshot::channel();
        match shared.put(request, sender, (bytes, timeout), shared.now()) {
            Ok(number) => Ok(Reply { answer, request: Some((number, Arc::clone(shared))) }),
            Err((request, refused)) => {
                let (requests_max, bytes_max) = shared.bounds();
                let why = match refused {
                    Refused::Full { requests, bytes } => NotTaken::Full { requests, bytes, requests_max, bytes_max },
                    Refused::TooLarge => NotTaken::TooLarge { bytes, bytes_max },
                    Refused::Closed => NotTaken::Terminating,
                };
                Err(error(request, why))
            }
        }
    }
}

impl<Q: Send + 'static, A: Send + 'static> Reply<Q, A> {
    /// Lets the request go on with nobody to hear of it: it is sent if its time allows.
    pub fn detach(mut self) {
        self.request = None;
    }
}

impl<Q: Send + 'static, A: Send + 'static> Future for Reply<Q, A> {
    type Output = Result<A, Unanswered>;

    /// Waits for the answer, at most until the request's time is over.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let answer = std::task::ready!(Pin::new(&mut this.answer).poll(cx));
        this.request = None;
        // Who is not told was forgotten with the backlog itself.
        Poll::Ready(answer.unwrap_or(Err(Unanswered::Unknown)))
    }
}

/// Nothing in it is pinned.
impl<Q: Send + 'static, A: Send + 'static> Unpin for Reply<Q, A> {}

impl<Q: Send + 'static, A: Send + 'static> Drop for Reply<Q, A> {
    fn drop(&mut self) {
        if let Some((number, shared)) = self.request.take() {
            shared.change(|core| core.withdraw(number));
        }
    }
}

impl<Q: Send + 'static, A: Send + 'static> Clone for Address<Q, A> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<Q: Send + 'static, A: Send + 'static> fmt::Debug for Address<Q, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Address").field("backlog", &self.0.name).finish_non_exhaustive()
    }
}

impl<Q: Send + 'static, A: Send + 'static> fmt::Debug for Reply<Q, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply").finish_non_exhaustive()
    }
}

impl<Q> fmt::Debug for PutError<Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the request, which may hold a secret.
        f.debug_struct("PutError").field("backlog", &self.backlog).field("why", &self.why).finish_non_exhaustive()
    }
}
