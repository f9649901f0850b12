//! From parts to a pool.

use std::fmt::{self, Debug, Formatter};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use landfall_lifecycle::internal::{contain, log};
use landfall_lifecycle::{SpawnError, Stack, TaskName, TaskSet};
use thiserror::Error;
use tokio::runtime::Handle as Runtime;

use crate::connector::Connector;
#[cfg(landfall_faults)]
use crate::faults::{Fault, is_armed};
use crate::policy::{Policy, PolicyError};
use crate::pool::Pool;
use crate::resolver::Resolver;
use crate::shared::{Handles, Shared, maintain, resolve};

/// A pool about to be built. Made by [`Pool::builder`].
#[must_use = "nothing is built unless `build` is called"]
pub struct Builder<K: Connector> {
    name: TaskName,
    connector: Option<K>,
    resolver: Option<Resolve<K>>,
    policy: Policy,
}

/// What makes the resolver's task, once there is something to resolve for.
type Resolve<K> = Box<dyn FnOnce(Arc<Shared<K>>) -> BoxFuture<'static, ()> + Send>;

/// Why a pool was not built. Nothing of it runs.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BuildError {
    /// A required part is missing.
    #[error("pool {pool:?} has no {part}: give the builder one")]
    Missing {
        /// The pool's name.
        pool: String,
        /// Which part.
        part: &'static str,
    },
    /// A field of the policy cannot be so.
    #[error("pool {pool:?} cannot have this policy")]
    Policy {
        /// The pool's name.
        pool: String,
        /// Which field, and what it may be.
        source: PolicyError,
    },
    /// The call was made outside of a tokio runtime, or one whose time is not enabled.
    #[error("pool {pool:?} needs a tokio runtime with time enabled: build it inside one")]
    NoRuntime {
        /// The pool's name.
        pool: String,
    },
    /// The pool's own tasks could not be started.
    #[error("the tasks of pool {pool:?} could not be started")]
    Spawn {
        /// The pool's name.
        pool: String,
        /// Why not.
        source: SpawnError,
    },
}

impl<K: Connector> Builder<K> {
    pub(crate) fn new(name: TaskName) -> Self {
        Self { name, connector: None, resolver: None, policy: Policy::default() }
    }

    /// Says where the backends come from. Required.
    pub fn resolver(mut self, resolver: impl Resolver) -> Self {
        self.resolver = Some(Box::new(move |shared| Box::pin(resolve(shared, resolver))));
        self
    }

    /// Says how connections are made. Required.
    pub fn connector(mut self, connector: K) -> Self {
        self.connector = Some(connector);
        self
    }

    /// Says how the pool behaves. Default: [`Policy::default`].
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// Builds the pool, and starts to open its spares, on the runtime of the caller.
    ///
    /// # Errors
    ///
    /// Nothing has begun.
    ///
    /// - [`BuildError::Missing`] without a resolver or a connector.
    /// - [`BuildError::Policy`] names the field, its value and what is allowed.
    /// - [`BuildError::NoRuntime`] outside of a runtime that has timers.
    /// - [`BuildError::Spawn`] when the pool's tasks cannot be started.
    #[track_caller]
    pub fn build(self) -> Result<Pool<K>, BuildError> {
        let Self { name, connector, resolver, policy } = self;
        let pool = || name.to_string();
        let connector = connector.ok_or_else(|| BuildError::Missing { pool: pool(), part: "connector" })?;
        let resolver = resolver.ok_or_else(|| BuildError::Missing { pool: pool(), part: "resolver" })?;
        policy.check().map_err(|source| BuildError::Policy { pool: pool(), source })?;
        let runtime = Runtime::try_current().map_err(|_| BuildError::NoRuntime { pool: pool() })?;
        // It panics on a runtime whose time is not enabled, and there is no other way to ask.
        contain(|| drop(tokio::time::sleep(Duration::ZERO))).map_err(|_| BuildError::NoRuntime { pool: pool() })?;

        let tasks = TaskSet::new("tasks");
        let shared = Arc::new(Shared::new(name.clone(), connector, policy, tasks.clone(), runtime));
        let stack = Stack::new(name.clone());
        // Handles end first: those that come back still find who closes their connections.
        stack.push(tasks.clone()).expect("the stack is new");
        stack.push(Handles(Arc::clone(&shared))).expect("the stack is new and the names differ");
        // Dropped without a termination where a task is refused: then it ends what has begun.
        let built = Pool::new(Arc::clone(&shared), stack);
        let pool_of = |source| BuildError::Spawn { pool: pool(), source };
        #[cfg(landfall_faults)]
        if is_armed(Fault::LeaveMaintenance) {
            let runs = maintain(Arc::clone(&shared));
            let stays = async { (runs.await, std::future::pending::<()>().await).0 };
            crate::shared::forgotten().spawn("maintenance", stays).map_err(pool_of)?;
            tasks.spawn("resolver", resolver(shared)).map_err(pool_of)?;
            return Ok(built);
        }
        let _inside = shared.scope.enter();
        tasks.spawn("maintenance", maintain(Arc::clone(&shared))).map_err(pool_of)?;
        tasks.spawn("resolver", resolver(Arc::clone(&shared))).map_err(pool_of)?;
        log(|| tracing::info!(pool.name = name.as_str(), "pool started"));
        Ok(built)
    }
}

impl<K: Connector> Debug for Builder<K> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("name", &self.name).field("policy", &self.policy).finish_non_exhaustive()
    }
}
