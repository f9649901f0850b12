//! A pool inside of [tower](https://docs.rs/tower): claims as a service, connections that are services themselves, and what tower's
//! balancer asks for.
//!
//! | what | for |
//! |---|---|
//! | [`ClaimService`] | a service that is ready once a connection is granted to it, and gives the handle |
//! | [`PooledService`] | connections that are services: claims one, calls it, gives it back |
//! | [`ClaimLayer`] | a claimed connection in the extensions of each HTTP request |
//! | [`Discovery`] | a [`Resolver`](crate::Resolver) as tower's `Discover` |
//! | `Load` of both services, [`CompleteOnRelease`] | pending work of a pool; tower's `PendingRequests` and `PeakEwma` until a handle is released |
//!
//! # Readiness
//!
//! | a value that is | event | answer of `poll_ready` |
//! |---|---|---|
//! | idle, or a clone | polled, a connection is idle | ready; the connection is granted to it |
//! | idle | polled, none is | pending, in line |
//! | in line | a connection is granted to it | ready |
//! | in line | its time is over, nothing is online, too many wait | ready; its call gives the error at once |
//! | ready | not called within [`grant_hold_max`](crate::Policy::grant_hold_max) | ready; the connection has passed on, its call is first in line for another |
//! | any | the pool terminates | [`ClaimError::Terminating`](crate::ClaimError::Terminating), each time |
//! | any | it is dropped | it leaves the line; what was granted goes on |
//!
//! So an outage is an error of calls and never of `poll_ready`, which to tower means that the service is done with for
//! good: a `Buffer` over a pool survives it. A value that is called without being ready just waits in its call. Nothing
//! here panics, spawns or needs a runtime to be polled on.
//!
//! A claim of a service counts as one that had to wait, in [`Totals`](crate::Totals) and in the histogram of waits; one
//! that is granted an idle connection at once has waited for nothing.

mod discovery;
mod layer;
mod load;
mod pooled;
mod service;

pub use self::discovery::Discovery;
pub use self::layer::{ClaimInto, ClaimIntoFuture, ClaimLayer, Claimed};
pub use self::load::{CompleteOnRelease, Tracked};
pub use self::pooled::{CallError, PooledCall, PooledService};
pub use self::service::{ClaimRequest, ClaimService};
pub use crate::claim::OwnedClaim;
