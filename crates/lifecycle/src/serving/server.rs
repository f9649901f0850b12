//! An HTTP server that ends in order.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::io;
use std::net::SocketAddr;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use hyper::body::{Body, Incoming};
use hyper::{Request, Response};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower_service::Service;
use tracing::{info, info_span};

use super::ServeOptions;
use super::accept::{AcceptLoop, Pauses, State};
use super::connection::{Connections, connector};
use super::protocol::Protocol;
use super::slots::Slots;
use crate::panics::contain;
use crate::{Reason, Report, SelfJoin, Shutdown, SpawnError, Stack, TaskName, TaskSet, TaskSetOptions, Terminate};

/// An HTTP server, HTTP/1 and HTTP/2 on one port, whose every task, socket and request has ended when its
/// [`terminate`](Terminate::terminate) returns.
///
/// It is an owner of its own, so a [`Stack`] can end it before what its requests need. Its name is the given one and
/// the address, `http 127.0.0.1:8080`. Clones are handles to the same server; when the last one is dropped without a
/// termination, everything is aborted.
///
/// # How it ends
///
/// 1. Accepting stops and the listener is closed: from here on clients are refused. Those still waiting in the
///    kernel's backlog are reset.
/// 2. Every connection is asked to finish. An idle one is closed at once; requests in flight are answered, with
///    `connection: close` (HTTP/1) or between two `GOAWAY` frames (HTTP/2: streams opened before the client has seen the
///    first are still served). A request of which only a part has arrived may take until grace ends.
/// 3. When grace ends, what has not finished is aborted: the socket is closed under the client, the service's future
///    is dropped. The report names it: `connection 127.0.0.1:41234`, or `request 127.0.0.1:41234` for one of an HTTP/2
///    connection, with the client's address.
///
/// A service that panics ends its connection, in HTTP/2 its request; the others go on, and the report says so.
///
/// # Not served
///
/// Upgrades of HTTP/1 (WebSocket, `CONNECT`): the socket would leave the task that owns it, and nothing here could end
/// it. The service gets an error from hyper's `OnUpgrade`. TLS: serve such streams on a task set of your own, with a
/// [`HyperExecutor`](super::HyperExecutor). Time limits for requests are the service's, or a tower layer's.
///
/// # Examples
///
/// ```
/// use std::convert::Infallible;
/// use std::time::Duration;
///
/// use http_body_util::Full;
/// use hyper::body::{Bytes, Incoming};
/// use hyper::{Request, Response};
/// use hyper_util::rt::TokioTimer;
/// use landfall_lifecycle::serving::{ServeOptions, Server};
/// use landfall_lifecycle::{Shutdown, Stack, Terminate};
/// use tokio::net::TcpListener;
///
/// #[derive(Clone)]
/// struct Hello;
///
/// impl tower_service::Service<Request<Incoming>> for Hello {
///     type Response = Response<Full<Bytes>>;
///     type Error = Infallible;
///     type Future = std::future::Ready<Result<Self::Response, Infallible>>;
///
///     fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Infallible>> {
///         std::task::Poll::Ready(Ok(()))
///     }
///
///     fn call(&mut self, _: Request<Incoming>) -> Self::Future {
///         std::future::ready(Ok(Response::new(Full::from("hello"))))
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let stack = Stack::new("my service");
/// // … what requests need is pushed first, so that it ends last …
/// let listener = TcpListener::bind("127.0.0.1:0").await?;
/// let server = Server::start("http", listener, Hello, ServeOptions::with_timer(TokioTimer::new()))?;
/// println!("listening on {}", server.local_addr());
/// stack.push(server)?;
///
/// let report = stack.terminate(&Shutdown::within(Duration::from_secs(20), Duration::from_secs(22))).await?;
/// assert!(report.is_clean());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Server {
    stack: Stack,
    /// The accept loop's.
    accept: TaskSet,
    name: TaskName,
    local_addr: SocketAddr,
    token: CancellationToken,
    slots: Arc<Slots>,
}

/// A server could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// A field of [`ServeOptions`] has a value that it cannot have, by itself or beside the others.
    #[error("option {field} is {value}; allowed: {allowed}")]
    Option {
        /// The field's name.
        field: &'static str,
        /// What it was set to.
        value: String,
        /// What it may be set to.
        allowed: String,
    },
    /// The timer panicked when it was tried; tokio's does when the runtime's time is not enabled.
    #[error("the timer panicked: {message}")]
    Timer {
        /// The panic's text.
        message: String,
    },
    /// The listener does not tell its address.
    #[error("the listener has no address")]
    Listener {
        /// What the system said.
        source: io::Error,
    },
    /// The accept loop could not be spawned.
    #[error("the accept loop could not be spawned")]
    Spawn {
        /// Why not.
        source: SpawnError,
    },
}

impl Server {
    /// Starts to accept connections from `listener` and to serve each with a clone of `service`, on the runtime of the
    /// caller.
    ///
    /// The service is any tower service of hyper's requests: axum's `Router`, the router that tonic's `Routes` turn
    /// into, a function behind `tower::service_fn`. Each request finds a [`ConnectionInfo`](super::ConnectionInfo) among
    /// its extensions.
    ///
    /// At most [`ServeOptions::connections_max`] connections are open at a time. When the system has no room for a
    /// connection (no descriptors, no memory) accepting pauses: until one of the server's own connections has ended,
    /// or for 100 ms, measured by the timer of the options or, without one, by a blocking job; where not even a thread
    /// can be had for that, until the other tasks had their turn. It is said once in the log however often it is
    /// tried. What fails for a single connection is passed over.
    ///
    /// # Errors
    ///
    /// The server has not begun, and the listener is closed.
    ///
    /// - [`StartError::Option`] names the field, its value and what is allowed.
    /// - [`StartError::Timer`] and [`StartError::Listener`] when those two are of no use.
    /// - [`StartError::Spawn`] when there is no runtime.
    #[track_caller]
    pub fn start<S, B>(name: &str, listener: TcpListener, service: S, options: ServeOptions) -> Result<Self, StartError>
    where
        S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
        S::Future: Send + 'static,
        S::Error: Into<Box<dyn StdError + Send + Sync>>,
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn StdError + Send + Sync>>,
    {
        options.check()?;
        let timer = options.timer.clone();
        if let Some(timer) = &timer {
            contain(|| drop(timer.sleep(Duration::ZERO))).map_err(|message| StartError::Timer { message })?;
        }
        let local_addr = listener.local_addr().map_err(|source| StartError::Listener { source })?;
        let name = TaskName::from(format!("{name} {local_addr}"));

        let set_options = TaskSetOptions { token: options.token.clone(), ..TaskSetOptions::default() };
        let [accept, connections, requests] =
            ["accept", "connections", "requests"].map(|name| TaskSet::with_options(name, set_options.clone()));
        let stack = Stack::new(name.clone());
        // The last one ends first. Nothing is accepted any more when connections are asked to finish, so none that was
        // accepted is refused; and HTTP/2 requests can be spawned for as long as there is a connection they come by.
        for set in [&requests, &connections, &accept] {
            stack.push(set.clone()).expect("the stack is new and the three names differ");
        }

        let slots = Slots::new(options.connections_max);
        let token = connections.token();
        let (place, protocol) = (Location::caller(), Protocol::new(options));
        let (set, requests) = (connections.downgrade(), requests.downgrade());
        let common = Connections { set, requests, token: token.clone(), protocol, place };
        let accept_loop = AcceptLoop {
            listener,
            connect: connector(common, service),
            slots: Arc::clone(&slots),
            stop: accept.token(),
            pauses: Pauses { timer, set: accept.downgrade() },
            state: State::Accepting,
        };
        // The tasks of the connections are spawned inside of the accept loop's, and so inherit its span.
        let span = info_span!("server", server.name = %name).entered();
        let started = accept.spawn_at(place, "accept loop", accept_loop.run());
        started.map_err(|source| StartError::Spawn { source })?;
        info!("server started");
        drop(span);
        Ok(Self { stack, accept, name, local_addr, token, slots })
    }

    /// The address that the server listens on, with the port that the system chose if it was asked to.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// A token that is cancelled when the termination has closed the listener and asks the connections to finish: the
    /// one in each [`ConnectionInfo`](super::ConnectionInfo).
    #[must_use]
    pub fn token(&self) -> CancellationToken {
        self.token.clone()
    }

    /// How many connections are open now.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.slots.open()
    }

    /// As [`terminate`](Terminate::terminate), for a caller that is not on a runtime.
    ///
    /// # Errors
    ///
    /// [`SelfJoin`] when a task of this server calls.
    pub fn terminate_blocking(&self, how: &Shutdown) -> Result<Report, SelfJoin> {
        crate::block_on::block_on(self.terminate(how))
    }

    /// Stops accepting, at once: the stack's driver is a thread that takes a moment to begin, and meanwhile connections
    /// would still be let in.
    fn stop_accepting(&self, how: &Shutdown) {
        self.accept.begin_terminate(&how.clone().because(Reason::ParentTerminating).below());
    }
}

impl Terminate for Server {
    fn name(&self) -> Cow<'_, str> {
        self.name.as_str().into()
    }

    fn begin_terminate(&self, how: &Shutdown) {
        self.stop_accepting(how);
        self.stack.begin_terminate(how);
    }

    fn terminate<'a>(&'a self, how: &'a Shutdown) -> BoxFuture<'a, Result<Report, SelfJoin>> {
        Box::pin(async move {
            if self.stack.calling_task().is_none() {
                self.stop_accepting(how);
            }
            self.stack.terminate(how).await
        })
    }

    fn ended(&self) -> BoxFuture<'_, ()> {
        self.stack.ended()
    }

    fn report(&self) -> Option<Report> {
        Terminate::report(&self.stack)
    }

    fn calling_task(&self) -> Option<String> {
        self.stack.calling_task()
    }
}
