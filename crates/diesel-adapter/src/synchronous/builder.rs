//! From an address to a pool of connections on threads.

use std::fmt::{self, Debug, Formatter};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use diesel::Connection;
use landfall_lifecycle::TaskName;
use landfall_pool::{Backend, BoxError, FixedResolver, Policy, Pool};

use super::connector::{OnOpen, Source, SyncConnector};
use super::open::{Open, Plain};
use crate::build_error::{BuildError, Refusal, check_health_query};
use crate::pool::DieselPool;
use crate::redacted::redacted;

/// A pool of synchronous Diesel connections, about to be built. Made by
/// [`DieselPool::synchronous`] and `DieselPool::sqlite`.
#[must_use = "nothing is built unless `build` is called"]
pub struct SyncBuilder<C> {
    name: TaskName,
    address: String,
    policy: Policy,
    health_query: String,
    threads_max: Option<usize>,
    on_open: Vec<OnOpen<C>>,
    pub(crate) opening: Box<dyn Open<C>>,
}

/// No backend of such a pool is reached by a socket of the pool's.
const NO_ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

impl<C: Connection + 'static> DieselPool<SyncConnector<C>> {
    /// Begins to build a pool of synchronous connections of any kind that Diesel has, such as libpq's, if your Diesel has
    /// it.
    ///
    /// What runs on such a connection cannot be interrupted: an operation that is given up goes on until it ends by
    /// itself, and if it outlives the pool's termination the report names its thread. Files of SQLite can be:
    /// `DieselPool::sqlite`.
    ///
    /// The address is what [`Connection::establish`] takes. User, password and options in it are never shown.
    pub fn synchronous(address: impl Into<String>) -> SyncBuilder<C> {
        SyncBuilder::new("database", address.into(), Box::new(Plain))
    }
}

impl<C: Connection + 'static> SyncBuilder<C> {
    pub(crate) fn new(name: &'static str, address: String, opening: Box<dyn Open<C>>) -> Self {
        Self {
            name: name.into(),
            address,
            policy: Policy::default(),
            health_query: "SELECT 1".to_owned(),
            threads_max: None,
            on_open: Vec::new(),
            opening,
        }
    }

    /// Names the pool, in logs, errors and reports. Default: the kind of database.
    pub fn name(mut self, name: impl Into<TaskName>) -> Self {
        self.name = name.into();
        self
    }

    /// Says how the pool behaves. Default: [`Policy::default`].
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// Says what an idle connection is asked to see whether it still works, at the times that the policy gives. Default
    /// `SELECT 1`.
    pub fn health_query(mut self, query: impl Into<String>) -> Self {
        self.health_query = query.into();
        self
    }

    /// Says how many threads may be alive. At least the policy's `slots_max`. Default twice that.
    ///
    /// Each connection has one. What is above `slots_max` is for threads whose operation was given up and goes on though
    /// it was interrupted: after the policy's `close_timeout` their slots serve others.
    pub fn threads_max(mut self, threads_max: usize) -> Self {
        self.threads_max = Some(threads_max);
        self
    }

    /// Has every connection set up by `hook`, on its thread, before anybody gets it. Hooks run in the order in which they
    /// were given, within the policy's `connect_timeout`.
    pub fn on_open<E: Into<BoxError>>(
        mut self,
        hook: impl Fn(&mut C) -> Result<(), E> + Send + Sync + 'static,
    ) -> Self {
        self.on_open.push(Box::new(move |connection| hook(connection).map_err(Into::into)));
        self
    }

    /// Builds the pool, and starts to open its spares, on the runtime of the caller.
    ///
    /// # Errors
    ///
    /// Nothing has begun.
    ///
    /// - [`BuildError::Option`] names the option, its value and what is allowed.
    /// - [`BuildError::Pool`] for what the pool itself refuses, such as a policy or the want of a runtime.
    #[track_caller]
    pub fn build(self) -> Result<DieselPool<SyncConnector<C>>, BuildError> {
        // Before what follows from it.
        let slots_max = self.policy.slots_max;
        let threads_max = self.threads_max.unwrap_or_else(|| slots_max.saturating_mul(2));
        self.check(threads_max).map_err(|refusal| refusal.of(&self.name))?;
        let Self { name, address, policy, health_query, on_open, opening, .. } = self;
        let shown = redacted(&address);
        let backend = Backend::new(shown.clone(), NO_ADDRESS);
        let source = Source { shown, address, opening, on_open };
        let connector = SyncConnector::new(source, health_query, threads_max);
        let pool = Pool::builder(name).resolver(FixedResolver::new([backend])).connector(connector).policy(policy);
        Ok(DieselPool::new(pool.build()?))
    }

    fn check(&self, threads_max: usize) -> Result<(), Refusal> {
        if self.address.contains('\0') {
            let value = format!("{:?}", redacted(&self.address));
            return Err(Refusal::new("the address", value, "texts without a zero byte"));
        }
        check_health_query(&self.health_query)?;
        if threads_max < self.policy.slots_max {
            let allowed = format!("slots_max ({}) and more", self.policy.slots_max);
            return Err(Refusal::new("threads_max", threads_max.to_string(), allowed));
        }
        self.opening.check(&self.address, &self.policy)
    }
}

impl<C> Debug for SyncBuilder<C> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("SyncBuilder")
            .field("name", &self.name)
            .field("database", &redacted(&self.address))
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}
