//! A webhook relay: takes events over HTTP, keeps them in SQLite, and delivers each to its target at least once.
#![forbid(unsafe_code)]

mod target;

pub use target::{AllowRule, HostRule, RuleError};
