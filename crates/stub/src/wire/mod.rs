//! What goes over the socket: NRI's multiplexer, and unary ttrpc in both directions above it.
//!
//! ```text
//!  socket ──▶ reader ──▶ Decoder ──▶ requests ──▶ a task each ──┐
//!                           └─────▶ responses ──▶ the callers   ▼
//!  socket ◀── writer ◀──────────────────────────────────── Outbox ◀── calls
//! ```
//!
//! Two tasks a connection, reader and writer, and one for each request that is handled. The reader never waits for a
//! handler or for the writer: what it may not queue it refuses, and what it may not even refuse ends the connection.

mod budget;
mod calls;
mod connection;
mod decode;
mod envelope;
mod frame;
mod loss;
mod outbox;
mod server;
#[cfg(test)]
mod tests;
mod trunk;

pub(crate) use self::budget::{Budget, Held};
pub(crate) use self::calls::{CallError, Method};
pub use self::connection::Connection;
pub(crate) use self::envelope::Status;
pub use self::envelope::{Code, Metadata};
#[cfg(test)]
use self::frame::Channel;
pub use self::loss::Loss;
pub(crate) use self::server::{Request, Service};
#[cfg(feature = "testing")]
pub(crate) use self::trunk::WeakWire;
pub(crate) use self::trunk::{Limits, Role, Wire};
