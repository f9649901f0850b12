//! One connection, from its first byte to its end.

use std::error::Error as StdError;
use std::net::SocketAddr;
#[cfg(landfall_faults)]
use std::os::fd::{AsFd, IntoRawFd};
use std::panic::{Location, resume_unwind};
use std::pin::pin;
use std::sync::Arc;

use futures_util::future::{Either, pending, select};
use hyper::body::{Body, Incoming};
use hyper::{Request, Response};
use hyper_util::server::graceful::GracefulConnection;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use tower_service::Service;
use tracing::debug;

use super::greeting::{Greeting, Version};
use super::info::WithInfo;
use super::protocol::Protocol;
use super::slots::Slot;
use super::{ConnectionInfo, HyperExecutor};
#[cfg(landfall_faults)]
use crate::faults::{Fault, is_armed};
use crate::panics::contain;
use crate::task_set::WeakTaskSet;

type BoxError = Box<dyn StdError + Send + Sync>;

/// What the connections of one server have in common.
pub(super) struct Connections {
    pub(super) set: WeakTaskSet,
    /// The set of the HTTP/2 requests, which ends after that of the connections.
    pub(super) requests: WeakTaskSet,
    pub(super) token: CancellationToken,
    pub(super) protocol: Protocol,
    /// What started the server.
    pub(super) place: &'static Location<'static>,
}

/// Makes a task of each accepted connection.
pub(super) fn connector<S, B>(
    connections: Connections,
    service: S,
) -> impl FnMut(TcpStream, SocketAddr, Slot) + Send + 'static
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<BoxError>,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    let common = Arc::new(connections);
    move |stream, peer, slot| {
        let Some(set) = common.set.upgrade() else { return };
        let connection = Connection { stream, peer, common: Arc::clone(&common) };
        // A clone is user code. Its panic belongs to this connection, not to the accept loop.
        let service = contain(|| service.clone());
        let task = async move {
            // Declared first, so dropped last.
            let _slot = slot;
            match service {
                Ok(service) => connection.serve(service).await,
                Err(message) => resume_unwind(Box::new(message)),
            }
        };
        debug!(peer.addr = %peer, "connection accepted");
        if let Err(error) = set.spawn_at(common.place, format!("connection {peer}"), task) {
            debug!(peer.addr = %peer, %error, "connection refused");
        }
    }
}

/// A connection that was accepted and not served yet.
struct Connection {
    stream: TcpStream,
    peer: SocketAddr,
    common: Arc<Connections>,
}

impl Connection {
    /// Serves until the client or the server has closed, or, once the token is cancelled, until what is in flight is
    /// answered.
    async fn serve<S, B>(self, service: S)
    where
        S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
        S::Future: Send + 'static,
        S::Error: Into<BoxError>,
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<BoxError>,
    {
        let Self { stream, peer, common } = self;
        #[cfg(landfall_faults)]
        if is_armed(Fault::KeepClone) {
            // A number alone closes nothing when it goes.
            _ = stream.as_fd().try_clone_to_owned().map(IntoRawFd::into_raw_fd);
        }
        let Connections { requests, token, protocol, place, .. } = &*common;
        let served: Result<(), BoxError> = async {
            stream.set_nodelay(protocol.nodelay())?;
            let Some((greeting, version)) = greet(&stream, protocol, token).await? else { return Ok(()) };
            let io = greeting.before(stream);
            let info = ConnectionInfo { peer, token: token.clone() };
            let service = TowerToHyperService::new(WithInfo::new(service, info));
            match version {
                Version::Http1 => drain_on(token, protocol.http1().serve_connection(io, service)).await?,
                Version::Http2 => {
                    let executor = HyperExecutor::at(place, requests.clone(), format!("request {peer}"));
                    drain_on(token, protocol.http2(executor).serve_connection(io, service)).await?;
                }
            }
            Ok(())
        }
        .await;
        match served {
            Ok(()) => debug!(peer.addr = %peer, "connection closed"),
            Err(error) => debug!(peer.addr = %peer, error, "connection failed"),
        }
    }
}

/// Learns the version; `None` if the client closed, took too long, or is not to be served any more.
async fn greet(
    stream: &TcpStream,
    protocol: &Protocol,
    stop: &CancellationToken,
) -> Result<Option<(Greeting, Version)>, BoxError> {
    let mut greeting = Greeting::new();
    let deadline = async {
        match protocol.greeting_deadline() {
            Some(deadline) => deadline.await,
            None => pending().await,
        }
    };
    let (stopped, overdue) = (pin!(stopped(stop)), pin!(deadline));
    // The bytes first: what has arrived is served. They are ready only once, so they cannot hold up the stop.
    let version = match select(pin!(greeting.read(stream)), select(stopped, overdue)).await {
        Either::Left((version, _)) => version?,
        Either::Right((Either::Left(_), _)) => None,
        Either::Right((Either::Right(_), _)) => return Err("the client's first bytes took too long".into()),
    };
    Ok(version.map(|version| (greeting, version)))
}

/// Drives the connection to its end, asking it to end once `stop` is cancelled.
async fn drain_on<C: GracefulConnection>(stop: &CancellationToken, connection: C) -> Result<(), C::Error> {
    let mut connection = pin!(connection);
    // The connection first: a request that has arrived is read before the connection is asked to end, else it would be
    // dropped unanswered. It is ready only once, so it cannot hold up the stop.
    if let Either::Left((result, _)) = select(connection.as_mut(), pin!(stopped(stop))).await {
        return result;
    }
    connection.as_mut().graceful_shutdown();
    connection.await
}

/// Waits until the connection is to end, and then for one turn of the reactor: bytes that had reached the kernel by then
/// are seen by whoever is polled before this.
async fn stopped(stop: &CancellationToken) {
    stop.cancelled().await;
    tokio::task::yield_now().await;
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::io::Write;
    use std::net;

    use futures_util::FutureExt;
    use http_body_util::Full;
    use hyper::body::Bytes;
    use hyper::server::conn::http1;
    use hyper::service::service_fn;
    use hyper_util::rt::TokioIo;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::sync::Notify;

    use super::*;
    use crate::serving::ServeOptions;

    /// The reactor has not told of them when the stop comes: it had no turn since the socket was registered.
    #[tokio::test]
    async fn bytes_that_had_arrived_when_the_connection_was_asked_to_end_are_read() {
        let listener = net::TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        client.write_all(b"GET /").unwrap();
        let (stream, _) = listener.accept().unwrap();
        stream.set_nonblocking(true).unwrap();
        let (stream, stop) = (TcpStream::from_std(stream).unwrap(), CancellationToken::new());
        stop.cancel();
        let protocol = Protocol::new(ServeOptions::default());
        let mut greeted = pin!(greet(&stream, &protocol, &stop));
        assert!(greeted.as_mut().now_or_never().is_none());
        tokio::task::yield_now().await;
        assert!(matches!(greeted.await, Ok(Some((_, Version::Http1)))));
    }

    /// Polled by hand, so that the request is in the handler when the connection is asked to end, and stays there.
    #[tokio::test]
    async fn the_answer_to_a_request_in_flight_tells_the_client_that_it_is_the_last() {
        let (mut client, io) = duplex(1000);
        let (begun, gate, stop) = (Notify::new(), Notify::new(), CancellationToken::new());
        let answer = service_fn(async |_: Request<Incoming>| {
            begun.notify_one();
            gate.notified().await;
            Ok::<_, Infallible>(Response::new(Full::<Bytes>::from("late")))
        });
        let connection = http1::Builder::new().serve_connection(TokioIo::new(io), answer);
        let mut served = pin!(drain_on(&stop, connection));
        client.write_all(b"GET / HTTP/1.1\r\nhost: test\r\n\r\n").await.unwrap();
        assert!(served.as_mut().now_or_never().is_none());
        begun.notified().await;

        stop.cancel();
        // Once for the reactor's turn, once to ask the connection to end.
        assert!(served.as_mut().now_or_never().is_none());
        assert!(served.as_mut().now_or_never().is_none());
        gate.notify_one();
        served.await.unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
        assert!(answer.contains("connection: close") && answer.ends_with("late"), "{answer}");
    }
}
