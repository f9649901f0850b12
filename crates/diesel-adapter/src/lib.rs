//! Diesel connections in a pool that ends on purpose. Start at [`DieselPool`].
//!
//! # Guarantees
//!
//! - No operation blocks a worker of the runtime, and none panics there: each connection has a thread of its own, or on
//!   PostgreSQL a task of the pool's, and what goes wrong is an error.
//! - Dropping an unfinished operation returns at once, on every flavour of runtime. The operation is interrupted where the
//!   database can be, and its connection is closed: it never reaches another user.
//! - When [`terminate`](landfall_lifecycle::Terminate::terminate) returns, every connection is closed and every thread and
//!   task has ended; or the report names the operation's thread that nobody could end, or the session whose end nobody saw.
//! - A runtime that goes, in whatever way, is an error to who waits. Nothing panics.
//!
#![doc = include_str!("../README.md")]
// One small module calls SQLite; see `sqlite/hooks.rs`.
#![deny(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod brake;
mod build_error;
#[cfg(landfall_faults)]
mod faults;
mod pool;
#[cfg(feature = "postgres")]
mod postgres;
mod redacted;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod retry;
#[cfg(feature = "sqlite")]
mod sqlite;
mod synchronous;
#[cfg(any(feature = "postgres", feature = "sqlite"))]
mod transaction_error;

pub use build_error::BuildError;
pub use pool::DieselPool;
#[cfg(feature = "postgres")]
pub use postgres::{PgBuilder, PgConnection, PgConnector, PgOpenError, PgRows, TransactionBody};
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub use retry::{Access, Isolation, Retry, RetryError};
pub use synchronous::{OpenError, RunError, SyncBuilder, SyncConnection, SyncConnector, Unusable};
#[cfg(any(feature = "postgres", feature = "sqlite"))]
pub use transaction_error::TransactionError;
