//! Why a claim got no connection, and why a connect failed.

use std::error::Error;
use std::fmt::{self, Display, Formatter};
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use crate::backend::Backend;
use crate::core::{Cause, Shortage};

/// Why a claim got no connection.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum ClaimError {
    /// The resolver knows no backend, and did not find one for
    /// [`offline_wait`](crate::Policy::offline_wait).
    #[error("pool {pool:?} has no backends")]
    NoBackends {
        /// The pool's name.
        pool: String,
    },
    /// There is no connection, and no backend gave one for [`offline_wait`](crate::Policy::offline_wait).
    #[error("none of the {backends} backends of pool {pool:?} is online")]
    NoneOnline {
        /// The pool's name.
        pool: String,
        /// How many backends there are.
        backends: usize,
        /// What the last attempt to connect came to when the claim failed; none if connections were opened and found
        /// unfit.
        #[source]
        last: Option<ConnectError>,
    },
    /// The claim's time was over.
    #[error("pool {pool:?} gave no connection within {after:?}: {waited_for}, {waiting} more waiting")]
    TimedOut {
        /// The pool's name.
        pool: String,
        /// The claim's limit of time.
        after: Duration,
        /// What was missing when the time was over.
        waited_for: WaitedFor,
        /// How many other claims waited in line then.
        waiting: usize,
    },
    /// As many claims wait as [`waiters_max`](crate::Policy::waiters_max) allows.
    #[error("{waiting} claims wait for pool {pool:?} already (waiters_max)")]
    TooManyWaiting {
        /// The pool's name.
        pool: String,
        /// How many wait.
        waiting: usize,
    },
    /// The pool terminates, or has terminated: it will not serve claims again.
    #[error("pool {pool:?} is terminating")]
    Terminating {
        /// The pool's name.
        pool: String,
    },
    /// The runtime on which the pool was built has gone: it will not serve claims again.
    #[error("the runtime of pool {pool:?} has gone")]
    RuntimeGone {
        /// The pool's name.
        pool: String,
    },
}

/// What a claim was missing when its time was over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WaitedFor {
    /// The resolver's first answer.
    Resolver,
    /// A connection that was being opened.
    Connect {
        /// How many were being opened.
        connecting: usize,
    },
    /// A connection that was being checked for it.
    Check,
    /// A slot: all were in use.
    Slot {
        /// How many connections were claimed.
        claimed: usize,
    },
}

/// Why a call of [`Pool::try_claim`](crate::Pool::try_claim) got no connection.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TryClaimError {
    /// No connection is idle at the moment.
    #[error("no connection of pool {pool:?} is idle")]
    NoneIdle {
        /// The pool's name.
        pool: String,
    },
    /// The pool terminates, or has terminated, or its runtime has gone.
    #[error("pool {pool:?} is terminating")]
    Terminating {
        /// The pool's name.
        pool: String,
    },
}

/// Why [`Pool::warm_up`](crate::Pool::warm_up) gave up.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum WarmUpError {
    /// There is no connection, and no backend gave one for [`offline_wait`](crate::Policy::offline_wait).
    #[error("none of the {backends} backends of pool {pool:?} is online")]
    NoneOnline {
        /// The pool's name.
        pool: String,
        /// How many backends there are.
        backends: usize,
        /// What the last attempt to connect came to.
        #[source]
        last: Option<ConnectError>,
    },
    /// The pool terminates, or has terminated, or its runtime has gone.
    #[error("pool {pool:?} is terminating")]
    Terminating {
        /// The pool's name.
        pool: String,
    },
}

/// Why a connection could not be opened.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The connector failed.
    #[error("connecting to {backend} failed")]
    Failed {
        /// Where to.
        backend: Backend,
        /// What the connector said.
        source: Arc<dyn Error + Send + Sync>,
    },
    /// The connector took too long.
    #[error("{backend} gave no connection within {after:?} (connect_timeout)")]
    TimedOut {
        /// Where to.
        backend: Backend,
        /// The limit of time.
        after: Duration,
    },
    /// The connector panicked.
    #[error("the connector panicked while it connected to {backend}")]
    Panicked {
        /// Where to.
        backend: Backend,
    },
}

impl From<Shortage> for WaitedFor {
    fn from(shortage: Shortage) -> Self {
        match shortage.cause {
            Cause::Resolver => Self::Resolver,
            Cause::Connect => Self::Connect { connecting: shortage.busy as usize },
            Cause::Check => Self::Check,
            Cause::Slot => Self::Slot { claimed: shortage.busy as usize },
        }
    }
}

impl Display for WaitedFor {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Resolver => f.write_str("the resolver had not answered"),
            Self::Connect { connecting } => write!(f, "{connecting} being opened"),
            Self::Check => f.write_str("one being checked"),
            Self::Slot { claimed } => write!(f, "all {claimed} claimed"),
        }
    }
}
