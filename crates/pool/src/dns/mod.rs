//! Backends from DNS. Start at [`DnsResolver`].
//!
//! Messages are read and written by `hickory-proto`; the exchange is our own, for two reasons. `hickory-net` gives the
//! driver of each connection to a spawner that may not refuse it, and `hickory-resolver` keeps those connections, and a
//! cache, for as long as any clone of it lives: both would have to be ended after the pool. And a resolver's cache
//! forgets what is over, while a pool has to know when to ask again.

mod builder;
mod directory;
mod exchange;
mod host;
mod hosts;
mod lookup;
mod message;
mod name;
mod policy;
mod resolv_conf;
mod resolver;
mod room;
mod servers;
mod weights;

pub use self::builder::{DnsBuildError, DnsBuilder};
pub use self::hosts::Hosts;
pub use self::policy::{DnsPolicy, Families, Transport};
pub use self::resolv_conf::ResolvConf;
pub use self::resolver::DnsResolver;
