//! What the pools connect to: nothing but a few counters, so that pools are measured and no network is.

use std::error::Error;
use std::fmt::{self, Display, Formatter};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

/// A backend in this process.
#[derive(Debug, Default)]
pub(super) struct Backend;

/// A connection to it.
#[derive(Debug)]
pub(super) struct Connection {
    /// Set by a use that broke it; every pool is told so in the way it knows.
    pub(super) is_broken: bool,
    _backend: Arc<Backend>,
}

/// Why there is no connection, or one is of no use any more.
#[derive(Debug)]
pub(super) struct Unfit;

impl Backend {
    /// What an attempt to connect comes to.
    pub(super) async fn connect(self: &Arc<Self>) -> Result<Connection, Unfit> {
        Ok(Connection { is_broken: false, _backend: Arc::clone(self) })
    }
}

impl Connection {
    /// What every pool's check asks.
    pub(super) fn check(&self) -> Result<(), Unfit> {
        if self.is_broken { Err(Unfit) } else { Ok(()) }
    }
}

impl Display for Unfit {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("the backend gives no connection, or this one is broken")
    }
}

impl Error for Unfit {}

/// Asked for by fast_pool, which makes its own errors of texts.
impl From<&str> for Unfit {
    fn from(_: &str) -> Self {
        Self
    }
}

/// The address for pools that want one; nobody connects to it.
pub(super) fn address() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 9).into()
}
