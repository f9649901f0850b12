//! A claimed connection for each HTTP request.

use std::fmt::{self, Debug, Formatter};
use std::panic::Location;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use http::Request;
use pin_project::pin_project;
use tower::{Layer, Service};

use super::pooled::CallError;
use super::service::{ClaimRequest, ClaimService};
use crate::claim::OwnedClaim;
use crate::connector::Connector;
use crate::handle::Handle;
use crate::pool::Pool;

/// Claims a connection before each HTTP request is served, and puts it into the request's extensions as [`Claimed`].
///
/// A request that gets none is not served: the error is [`CallError::Claim`]. A connection that nobody takes out of the
/// extensions goes back with the request.
pub struct ClaimLayer<K: Connector> {
    pool: Pool<K>,
    place: &'static Location<'static>,
}

/// What a [`ClaimLayer`] makes of a service.
///
/// Ready once a connection is granted and the inner service is ready.
pub struct ClaimInto<K: Connector, S> {
    claims: ClaimService<K>,
    inner: S,
}

/// The connection that was claimed for a request. Clones stand for the same one.
pub struct Claimed<K: Connector>(Arc<Mutex<Option<Handle<K>>>>);

impl<K: Connector> Claimed<K> {
    /// Takes the connection; none if it was taken already.
    #[must_use = "a handle that is dropped gives its connection back"]
    pub fn take(&self) -> Option<Handle<K>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl<K: Connector> ClaimLayer<K> {
    /// A layer that claims from this pool.
    #[track_caller]
    #[must_use]
    pub fn new(pool: Pool<K>) -> Self {
        Self { pool, place: Location::caller() }
    }
}

impl<K: Connector, S> Layer<S> for ClaimLayer<K> {
    type Service = ClaimInto<K, S>;

    fn layer(&self, inner: S) -> ClaimInto<K, S> {
        ClaimInto { claims: ClaimService::at(self.pool.clone(), self.place), inner }
    }
}

impl<K: Connector, S, B> Service<Request<B>> for ClaimInto<K, S>
where
    S: Service<Request<B>> + Clone,
{
    type Response = S::Response;
    type Error = CallError<S::Error>;
    type Future = ClaimIntoFuture<K, S, B>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        // The inner service comes first: no connection is kept from others while it is not ready.
        ready!(self.inner.poll_ready(cx)).map_err(CallError::Call)?;
        self.claims.poll_ready(cx).map_err(CallError::Claim)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let claim = self.claims.call(ClaimRequest::default());
        // The one that is ready is called; the clone has to get ready for the next request.
        let next = self.inner.clone();
        let inner = std::mem::replace(&mut self.inner, next);
        ClaimIntoFuture(Step::Claiming { claim, called: Some((inner, request)) })
    }
}

/// A request on its way to a connection and to the inner service.
///
/// # Cancel safety
///
/// Dropped, it gives back the connection, unless the inner service has taken it.
#[pin_project]
#[must_use = "a call does nothing unless it is awaited"]
pub struct ClaimIntoFuture<K: Connector, S: Service<Request<B>>, B>(#[pin] Step<K, S, B>);

#[pin_project(project = StepProjected)]
#[expect(clippy::large_enum_variant, reason = "the inner service's future is mostly the larger one; none is boxed")]
enum Step<K: Connector, S: Service<Request<B>>, B> {
    Claiming { claim: OwnedClaim<K>, called: Option<(S, Request<B>)> },
    Calling(#[pin] S::Future),
    Done,
}

impl<K: Connector, S: Service<Request<B>>, B> Future for ClaimIntoFuture<K, S, B> {
    type Output = Result<S::Response, CallError<S::Error>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut step = self.project().0;
        loop {
            let next = match step.as_mut().project() {
                StepProjected::Claiming { claim, called } => match (ready!(Pin::new(claim).poll(cx)), called.take()) {
                    (Ok(handle), Some((mut inner, mut request))) => {
                        request.extensions_mut().insert(Claimed(Arc::new(Mutex::new(Some(handle)))));
                        Step::Calling(inner.call(request))
                    }
                    (Ok(_), None) => Step::Done,
                    (Err(error), _) => {
                        step.set(Step::Done);
                        return Poll::Ready(Err(CallError::Claim(error)));
                    }
                },
                StepProjected::Calling(answer) => return answer.poll(cx).map_err(CallError::Call),
                // Never ready again.
                StepProjected::Done => return Poll::Pending,
            };
            step.set(next);
        }
    }
}

impl<K: Connector> Clone for ClaimLayer<K> {
    fn clone(&self) -> Self {
        Self { pool: self.pool.clone(), place: self.place }
    }
}

impl<K: Connector, S: Clone> Clone for ClaimInto<K, S> {
    fn clone(&self) -> Self {
        Self { claims: self.claims.clone(), inner: self.inner.clone() }
    }
}

impl<K: Connector> Clone for Claimed<K> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K: Connector> Debug for ClaimLayer<K> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClaimLayer").field("pool", &self.pool.name()).finish_non_exhaustive()
    }
}

impl<K: Connector, S: Debug> Debug for ClaimInto<K, S> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClaimInto").field("claims", &self.claims).field("inner", &self.inner).finish()
    }
}

impl<K: Connector> Debug for Claimed<K> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("Claimed")
    }
}

impl<K: Connector, S: Service<Request<B>>, B> Debug for ClaimIntoFuture<K, S, B> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("ClaimIntoFuture")
    }
}
