//! What a request can know of its connection.

use std::net::SocketAddr;
use std::task::{Context, Poll};

use hyper::Request;
use hyper::body::Incoming;
use tokio_util::sync::CancellationToken;
use tower_service::Service;

/// The connection that a request came by; in every request's extensions.
///
/// # Examples
///
/// ```
/// use hyper::Request;
/// use landfall_lifecycle::serving::ConnectionInfo;
///
/// fn who<B>(request: &Request<B>) -> String {
///     request.extensions().get::<ConnectionInfo>().map_or("a test".into(), |info| info.peer.to_string())
/// }
/// # assert_eq!(who(&Request::new(())), "a test");
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ConnectionInfo {
    /// The client's address.
    pub peer: SocketAddr,
    /// Cancelled when the connection is asked to finish. A response without an end of its own (server-sent events, a
    /// long poll) ends its body on it, else it is cut when grace ends.
    pub token: CancellationToken,
}

/// Puts a [`ConnectionInfo`] into each request.
#[derive(Clone, Debug)]
pub(super) struct WithInfo<S> {
    service: S,
    info: ConnectionInfo,
}

impl<S> WithInfo<S> {
    pub(super) fn new(service: S, info: ConnectionInfo) -> Self {
        Self { service, info }
    }
}

impl<S: Service<Request<Incoming>>> Service<Request<Incoming>> for WithInfo<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.service.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Incoming>) -> S::Future {
        request.extensions_mut().insert(self.info.clone());
        self.service.call(request)
    }
}
