//! Synchronous Diesel connections, each on a thread of its own.

mod builder;
mod connection;
mod connector;
mod mailbox;
mod open;
mod open_error;
mod run_error;
mod stage;
mod worker;

pub use self::builder::SyncBuilder;
pub use self::connection::SyncConnection;
pub use self::connector::SyncConnector;
#[cfg(feature = "sqlite")]
pub(crate) use self::open::Open;
pub use self::open_error::OpenError;
pub use self::run_error::{RunError, Unusable};
