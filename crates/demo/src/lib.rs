//! A webhook relay: takes events over HTTP, keeps them in SQLite, and delivers each to its target at least once.
//!
//! [`run`] is the whole program; [`Relay`] is what it runs, for those who bring a stack and a runtime of their own.
#![forbid(unsafe_code)]

mod backoff;
mod chain;
mod client;
mod config;
mod delivery;
mod dispatch;
mod event;
mod intake;
mod load;
mod process;
mod random;
mod relay;
mod sink;
mod status;
mod storage;
mod target;
#[cfg(test)]
mod tests;

pub use client::TlsError;
pub use config::{Config, DeliveryConfig, IntakeConfig, SampleConfig, StorageConfig, TerminationConfig};
pub use process::run;
pub use relay::{Relay, StartError};
pub use storage::OpenError;
pub use target::{AllowRule, HostRule, RuleError};
