//! HTTP on task sets: a server that ends in order, and hyper's executor.
//!
//! [`Server`] is what most users want. It is a value with a name, an owner of its own, and not a function that serves
//! on a task set of the caller's, for two reasons. Who stops a service in order (listener, requests in flight, what the
//! requests need) has to end the listener before other things, and a task set begins all of itself at once. And inside,
//! the same holds: connections end after the accept loop, HTTP/2 requests after their connections.
//!
//! [`HyperExecutor`] alone is for connections served or opened by other means, such as a client's.

mod accept;
mod connection;
mod executor;
mod greeting;
mod info;
mod options;
mod protocol;
mod server;
mod slots;

pub use executor::HyperExecutor;
pub use info::ConnectionInfo;
pub use options::ServeOptions;
pub use server::{Server, StartError};
