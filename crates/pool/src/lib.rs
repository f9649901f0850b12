//! A connection pool that ends on purpose. Start at [`Pool`].
//!
//! # Guarantees
//!
//! - When [`terminate`](landfall_lifecycle::Terminate::terminate) returns, nothing that the pool started is running,
//!   and every connection that was not with a holder is closed; or the report names what is, and each handle that is
//!   out.
//! - A connection is never with two holders. A broken one is never handed out again. No slot is lost, wherever a claim
//!   is dropped and whatever a connector does.
//! - Claims that wait are served in order of arrival.
//! - Never more connections than the caps allow; one that is being closed counts until it is closed.
//! - A claim that finds a connection idle, and used not long ago, costs no allocation, no task, no timer and no waker,
//!   and neither does the release; at most the pool's own task is told that a spare is missing.
//!
#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

/// Lets the code of the page on the pool be tested, in the repository.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/pool.md")]
mod page {}

mod backend;
mod builder;
mod change;
mod claim;
#[cfg(feature = "serde")]
mod config;
mod connector;
mod core;
#[cfg(feature = "dns")]
pub mod dns;
mod events;
#[cfg(landfall_faults)]
mod faults;
mod handle;
mod interrupt;
mod policy;
mod pool;
mod resolver;
mod shared;
mod stats;
mod sync;
#[cfg(feature = "tower")]
pub mod tower;

pub use backend::Backend;
pub use builder::{BuildError, Builder};
pub use change::{BackendChange, Check, CloseReason, EjectReason, PoolChange, PoolEvent, SlotChange, SlotId};
pub use claim::{Claim, ClaimError, ConnectError, TryClaimError, WaitedFor, WarmUpError};
pub use connector::{BoxError, ConnectCx, Connected, Connector, Fitness, Moment, Spawner};
pub use events::{Events, Lagged};
pub use handle::Handle;
pub use interrupt::Interrupt;
pub use policy::{Policy, PolicyError};
pub use pool::{Pool, WeakPool};
pub use resolver::{BackendsChange, ChangesResolver, FixedResolver, MergedResolver, Resolver};
#[cfg(feature = "metrics")]
pub use stats::Exposition;
pub use stats::{BackendStats, Histogram, PoolStats, SlotCounts, SlotStats, SlotStatus, Standing, Totals};
