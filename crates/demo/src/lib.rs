//! A webhook relay: takes events over HTTP, keeps them in SQLite, and delivers each to its target at least once.
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
mod random;
mod sink;
mod status;
mod storage;
mod target;
#[cfg(test)]
mod tests;

pub use client::TlsError;
pub use config::{Config, DeliveryConfig, IntakeConfig, SampleConfig, StorageConfig, TerminationConfig};
pub use storage::OpenError;
pub use target::{AllowRule, HostRule, RuleError};
