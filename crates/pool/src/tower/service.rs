//! Claims as a service.

use std::fmt::{self, Debug, Formatter};
use std::panic::Location;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tower::Service;

use crate::claim::{ClaimError, OwnedClaim};
use crate::connector::Connector;
use crate::handle::Handle;
use crate::pool::Pool;

/// A pool whose claims are made as tower makes calls: ready once a connection is granted, called for the handle.
///
/// Each value waits in line for itself, in the order in which they were first polled, claims of [`Pool::claim`]
/// included. A clone has nothing granted. The states are tabled at [the module](crate::tower).
///
/// It holds a handle to the pool: [`terminate`](landfall_lifecycle::Terminate::terminate) the pool, do not rely on its
/// last handle being dropped. The place that is shown for its claims is that of [`new`](Self::new).
///
/// # Cancel safety
///
/// A value that is dropped gives back what was granted to it; so does a dropped call.
///
/// # Examples
///
/// ```
/// # use std::time::Duration;
/// # use landfall_lifecycle::{Shutdown, Terminate};
/// # use landfall_pool::{Backend, BoxError, ConnectCx, Connected, Connector, FixedResolver, Pool};
/// use landfall_pool::tower::{ClaimRequest, ClaimService};
/// use tower::{Service, ServiceExt};
/// # struct Words;
/// # impl Connector for Words {
/// #     type Connection = &'static str;
/// #     async fn connect(&self, _: &Backend, _: &ConnectCx) -> Result<Connected<&'static str>, BoxError> {
/// #         Ok("hello".into())
/// #     }
/// # }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let backends = FixedResolver::new([std::net::SocketAddr::from(([127, 0, 0, 1], 1))]);
/// # let pool = Pool::builder("words").resolver(backends).connector(Words).build()?;
/// let mut claims = ClaimService::new(pool.clone());
/// let handle = claims.ready().await?.call(ClaimRequest::within(Duration::from_secs(1))).await?;
/// assert_eq!(*handle, "hello");
/// # drop(handle);
/// # assert!(pool.terminate(&Shutdown::within(Duration::from_secs(1), Duration::from_secs(2))).await?.is_clean());
/// # Ok(())
/// # }
/// ```
pub struct ClaimService<K: Connector> {
    pool: Pool<K>,
    place: &'static Location<'static>,
    state: State<K>,
}

enum State<K: Connector> {
    Idle,
    Waiting(OwnedClaim<K>),
    /// It was granted a connection, and may have lost it since.
    Ready(OwnedClaim<K>),
    /// Its call will say so.
    Failed(ClaimError),
}

/// What is asked of a [`ClaimService`]: how long the call may take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClaimRequest {
    timeout: Option<Duration>,
}

impl ClaimRequest {
    /// A claim that takes at most this long from its call to the handle, instead of
    /// [`claim_timeout`](crate::Policy::claim_timeout), which also bounds how long a value waits to be ready. Longer
    /// ones than 365 days are taken as that.
    #[must_use]
    pub fn within(timeout: Duration) -> Self {
        Self { timeout: Some(timeout) }
    }
}

impl<K: Connector> ClaimService<K> {
    /// A value with nothing granted.
    #[track_caller]
    #[must_use]
    pub fn new(pool: Pool<K>) -> Self {
        Self::at(pool, Location::caller())
    }

    pub(super) fn at(pool: Pool<K>, place: &'static Location<'static>) -> Self {
        Self { pool, place, state: State::Idle }
    }

    /// The pool that is claimed from.
    #[must_use]
    pub fn pool(&self) -> &Pool<K> {
        &self.pool
    }

    fn claim(&self) -> OwnedClaim<K> {
        OwnedClaim::new(self.pool.clone(), self.place)
    }
}

impl<K: Connector> Service<ClaimRequest> for ClaimService<K> {
    type Response = Handle<K>;
    type Error = ClaimError;
    type Future = OwnedClaim<K>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ClaimError>> {
        if let State::Idle = self.state {
            self.state = State::Waiting(self.claim());
        }
        let granted = match &mut self.state {
            State::Waiting(claim) => ready!(claim.poll_granted(cx)),
            State::Idle | State::Ready(_) | State::Failed(_) => Ok(()),
        };
        if let Some(error) = self.pool.shared().refusal() {
            self.state = State::Idle;
            return Poll::Ready(Err(error));
        }
        self.state = match (std::mem::replace(&mut self.state, State::Idle), granted) {
            (State::Waiting(claim), Ok(())) => State::Ready(claim),
            (State::Waiting(_), Err(error)) => State::Failed(error),
            (state, _) => state,
        };
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: ClaimRequest) -> OwnedClaim<K> {
        match std::mem::replace(&mut self.state, State::Idle) {
            State::Ready(claim) | State::Waiting(claim) => claim.call(request.timeout),
            State::Idle => self.claim().call(request.timeout),
            State::Failed(error) => OwnedClaim::failed(self.pool.clone(), error),
        }
    }
}

impl<K: Connector> Clone for ClaimService<K> {
    fn clone(&self) -> Self {
        Self::at(self.pool.clone(), self.place)
    }
}

impl<K: Connector> Debug for ClaimService<K> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Idle => "idle",
            State::Waiting(_) => "waiting",
            State::Ready(_) => "ready",
            State::Failed(_) => "failed",
        };
        f.debug_struct("ClaimService").field("pool", &self.pool.name()).field("state", &state).finish()
    }
}
