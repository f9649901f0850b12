//! How a stub is set up.

use std::env;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::FutureExt;
use landfall_lifecycle::Clock;

use crate::build_error::BuildError;
use crate::endpoint::{DEFAULT_SOCKET, Dialer, Endpoint};
use crate::handlers::Handlers;
use crate::identity::Identity;
use crate::inherited::Inherited;
use crate::life::{Closed, Definition, OnClose};
use crate::messages::FailurePolicy;
use crate::options::StubOptions;
use crate::reconnect::Reconnect;
use crate::stub::Stub;
use crate::wire::Connection;

/// Sets up a [`Stub`]: its handlers, where the runtime is, and the bounds.
///
/// What a plugin is told of is what it has handlers for. A handler is a function or closure that gives a future; the
/// future of an async closure that uses what it has captured must own it: `move |cx, pod| { let it = it.clone(); async
/// move { .. } }`. Handlers may run at the same time.
#[must_use = "a stub does nothing until it is built and started"]
pub struct StubBuilder {
    name: String,
    index: String,
    path: PathBuf,
    dialer: Option<Dialer>,
    descriptor: Option<String>,
    options: StubOptions,
    failure_policy: Option<FailurePolicy>,
    pub(crate) handlers: Handlers,
    on_close: Option<OnClose>,
    reconnect: Option<Reconnect>,
    clock: Clock,
}

impl StubBuilder {
    pub(crate) fn new(name: String, index: u8) -> Self {
        Self {
            name,
            index: format!("{index:02}"),
            path: DEFAULT_SOCKET.into(),
            dialer: None,
            descriptor: None,
            options: StubOptions::default(),
            failure_policy: None,
            handlers: Handlers::default(),
            on_close: None,
            reconnect: None,
            clock: Clock::system(),
        }
    }

    /// Connects to the socket at `path`, instead of `/var/run/nri/nri.sock`.
    pub fn socket_path(mut self, path: impl AsRef<Path>) -> Self {
        self.path = path.as_ref().to_owned();
        self
    }

    /// Connects by `dial`, which is called once for each start.
    pub fn dialer<F, Fut>(mut self, dial: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = io::Result<Connection>> + Send + 'static,
    {
        self.dialer = Some(Arc::new(move || dial().boxed()));
        self
    }

    /// Takes what a runtime gives a plugin that it launches: NRI_PLUGIN_NAME and NRI_PLUGIN_IDX, if they are set, as
    /// name and index, and the descriptor that NRI_PLUGIN_SOCKET names, if it does, as the connection.
    ///
    /// Such a connection serves one generation: when it is lost, [`ConnectError::NotRestartable`] says that only the
    /// runtime can start the plugin again.
    ///
    /// [`ConnectError::NotRestartable`]: crate::ConnectError::NotRestartable
    pub fn launched(mut self) -> Self {
        if let Ok(name) = env::var("NRI_PLUGIN_NAME") {
            self.name = name;
        }
        if let Ok(index) = env::var("NRI_PLUGIN_IDX") {
            self.index = index;
        }
        self.descriptor = env::var("NRI_PLUGIN_SOCKET").ok();
        self
    }

    /// Sets the bounds.
    pub fn options(mut self, options: StubOptions) -> Self {
        self.options = options;
        self
    }

    /// What the runtime is to do when a request to the plugin fails or takes too long; runtimes before NRI v0.12.4 do
    /// not look at it.
    pub fn failure_policy(mut self, policy: FailurePolicy) -> Self {
        self.failure_policy = Some(policy);
        self
    }

    /// Is told of the end of each generation that had a connection, once nothing of it runs and its socket is closed.
    ///
    /// It gets the stub, so that it may start it again; nothing else does. It must not hold a `Stub` of its own, which
    /// would keep itself alive. A stop waits for the end of the generation and not for this.
    pub fn on_close<F, Fut>(mut self, on_close: F) -> Self
    where
        F: Fn(Stub, Closed) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        self.on_close = Some(Box::new(move |stub, closed| on_close(stub, closed).boxed()));
        self
    }

    /// Starts the plugin again by itself when its connection is lost; without it nothing does.
    ///
    /// A failure of the first start is the caller's of [`Stub::start`]; [`Stub::run`] tries again by the policy.
    /// `on_close` is told of every end before the delay begins, and may start the plugin at once. What the policy gives up
    /// is logged as an error.
    pub fn reconnect(mut self, reconnect: Reconnect) -> Self {
        self.reconnect = Some(reconnect);
        self
    }

    /// Counts the time that a stop may take on another clock, for tests; all other times are those of tokio.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Checks everything, and gives the stub. It does nothing before its start, and needs no runtime before that.
    ///
    /// # Errors
    ///
    /// A [`BuildError`] that says what to change.
    pub fn build(self) -> Result<Stub, BuildError> {
        let identity = Identity::new(&self.name, &self.index)?;
        self.options.check()?;
        if let Some(reconnect) = &self.reconnect {
            reconnect.check()?;
        }
        if self.handlers.events().is_empty() {
            return Err(BuildError::NoHandlers);
        }
        let endpoint = match (self.dialer, self.descriptor) {
            (_, Some(descriptor)) => Endpoint::Inherited(Inherited::parse(&descriptor)?),
            (Some(dialer), None) => Endpoint::Dialer(dialer),
            (None, None) => Endpoint::socket(&self.path)?,
        };
        let Self { options, handlers, failure_policy, on_close, reconnect, clock, .. } = self;
        Ok(Stub::new(Definition { identity, options, endpoint, handlers, failure_policy, on_close, reconnect, clock }))
    }
}

impl fmt::Debug for StubBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StubBuilder")
            .field("name", &self.name)
            .field("index", &self.index)
            .field("events", &self.handlers.events())
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
