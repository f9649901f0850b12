//! The built-in target of the sample traffic.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use http_body_util::Empty;
use hyper::body::{Bytes, Incoming};
use hyper::{Request, Response, StatusCode};
use tokio::net::TcpListener;

/// One in so many deliveries is refused, so that retries can be seen.
const REFUSED_EVERY: u64 = 10;

/// Takes deliveries and forgets them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sink {
    seen: Arc<AtomicU64>,
}

impl Sink {
    /// Takes a free port of this machine.
    pub(crate) async fn listen() -> std::io::Result<TcpListener> {
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await
    }
}

impl tower_service::Service<Request<Incoming>> for Sink {
    type Response = Response<Empty<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<Incoming>) -> Self::Future {
        let refuse = self.seen.fetch_add(1, Ordering::Relaxed) % REFUSED_EVERY == REFUSED_EVERY - 1;
        let mut response = Response::new(Empty::new());
        *response.status_mut() = if refuse { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::NO_CONTENT };
        ready(Ok(response))
    }
}
