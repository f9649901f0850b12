//! Connections that are services themselves.

use std::fmt::{self, Debug, Formatter};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project::pin_project;
use thiserror::Error;
use tower::Service;

use super::service::{ClaimRequest, ClaimService};
use crate::claim::{ClaimError, OwnedClaim};
use crate::connector::Connector;
#[cfg(landfall_faults)]
use crate::faults::{Fault, is_armed};
use crate::handle::Handle;
use crate::pool::Pool;

/// Claims a connection, calls it, and gives it back when it has answered: a pool of connections that are services, as
/// one service.
///
/// Its readiness is that of a [`ClaimService`]. A connection is its call's alone from the claim to the response; what
/// the response still needs the connection for, such as a body that streams, has to be part of what the connection's
/// own future waits for.
///
/// # Cancel safety
///
/// A call that is dropped before its connection was called gives it back. One that is dropped while the connection works
/// on it discards the connection: whether the peer still answers, and to whom, nobody can tell.
pub struct PooledService<K: Connector>(ClaimService<K>);

/// Why a [`PooledService`] or what is below a [`ClaimLayer`](super::ClaimLayer) gave no answer.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CallError<E> {
    /// There was no connection.
    #[error("no connection was claimed")]
    Claim(#[source] ClaimError),
    /// What was called failed.
    #[error("the call failed")]
    Call(#[source] E),
}

impl<K: Connector> PooledService<K> {
    /// A service that has nothing granted.
    #[track_caller]
    #[must_use]
    pub fn new(pool: Pool<K>) -> Self {
        Self(ClaimService::new(pool))
    }

    /// The pool that is claimed from.
    #[must_use]
    pub fn pool(&self) -> &Pool<K> {
        self.0.pool()
    }
}

impl<K: Connector, R> Service<R> for PooledService<K>
where
    K::Connection: Service<R>,
{
    type Response = <K::Connection as Service<R>>::Response;
    type Error = CallError<<K::Connection as Service<R>>::Error>;
    type Future = PooledCall<K, R>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(cx).map_err(CallError::Claim)
    }

    fn call(&mut self, request: R) -> Self::Future {
        PooledCall(Step::Claiming { claim: self.0.call(ClaimRequest::default()), request: Some(request) })
    }
}

/// A call of a [`PooledService`].
///
/// # Cancel safety
///
/// As said at [`PooledService`].
#[pin_project]
#[must_use = "a call does nothing unless it is awaited"]
pub struct PooledCall<K: Connector, R>(#[pin] Step<K, R>)
where
    K::Connection: Service<R>;

#[pin_project(project = StepProjected)]
enum Step<K: Connector, R>
where
    K::Connection: Service<R>,
{
    Claiming {
        claim: OwnedClaim<K>,
        request: Option<R>,
    },
    /// The connection is not ready to be called yet.
    Readying {
        handle: Option<Handle<K>>,
        request: Option<R>,
    },
    /// Fields are dropped in this order: first what may use the connection.
    Calling {
        #[pin]
        response: <K::Connection as Service<R>>::Future,
        working: Working<K>,
    },
    Done,
}

/// A connection that works on a call; dropped, it is discarded.
struct Working<K: Connector>(Option<Handle<K>>);

impl<K: Connector> Drop for Working<K> {
    fn drop(&mut self) {
        if let Some(handle) = self.0.take() {
            #[cfg(landfall_faults)]
            if is_armed(Fault::KeepCalled) {
                let _kept = Box::leak(Box::new(handle));
                return;
            }
            handle.discard();
        }
    }
}

impl<K: Connector, R> Future for PooledCall<K, R>
where
    K::Connection: Service<R>,
{
    type Output = Result<<K::Connection as Service<R>>::Response, CallError<<K::Connection as Service<R>>::Error>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut step = self.project().0;
        loop {
            let next = match step.as_mut().project() {
                StepProjected::Claiming { claim, request } => match ready!(Pin::new(claim).poll(cx)) {
                    Ok(handle) => Step::Readying { handle: Some(handle), request: request.take() },
                    Err(error) => {
                        step.set(Step::Done);
                        return Poll::Ready(Err(CallError::Claim(error)));
                    }
                },
                StepProjected::Readying { handle, request } => {
                    let polled = handle.as_mut().map(|handle| handle.poll_ready(cx));
                    match (polled, handle.take(), request.take()) {
                        (Some(Poll::Pending), held, asked) => {
                            (*handle, *request) = (held, asked);
                            return Poll::Pending;
                        }
                        (Some(Poll::Ready(Ok(()))), Some(mut held), Some(asked)) => {
                            let response = held.call(asked);
                            Step::Calling { response, working: Working(Some(held)) }
                        }
                        (Some(Poll::Ready(Err(error))), held, _) => {
                            // To tower one that says so is done with.
                            held.into_iter().for_each(Handle::discard);
                            step.set(Step::Done);
                            return Poll::Ready(Err(CallError::Call(error)));
                        }
                        (None | Some(Poll::Ready(Ok(()))), ..) => Step::Done,
                    }
                }
                StepProjected::Calling { response, working } => {
                    let answer = ready!(response.poll(cx));
                    // It has answered: the connector says whether it is fit.
                    let handle = working.0.take();
                    step.set(Step::Done);
                    drop(handle);
                    return Poll::Ready(answer.map_err(CallError::Call));
                }
                // Never ready again.
                StepProjected::Done => return Poll::Pending,
            };
            step.set(next);
        }
    }
}

impl<K: Connector> Clone for PooledService<K> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<K: Connector> Debug for PooledService<K> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PooledService").field(&self.0).finish()
    }
}

impl<K: Connector, R> Debug for PooledCall<K, R>
where
    K::Connection: Service<R>,
{
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let step = match &self.0 {
            Step::Claiming { .. } => "claiming",
            Step::Readying { .. } => "readying",
            Step::Calling { .. } => "calling",
            Step::Done => "done",
        };
        f.debug_tuple("PooledCall").field(&step).finish()
    }
}
