//! As much HTTP/1.1 as a sink and a client of the relay need, on blocking sockets.

mod client;
mod message;
mod server;

pub use client::{Answer, Client};
pub use message::{Head, read_body, read_head};
pub use server::{Reply, Request, Server};
