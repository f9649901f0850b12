//! The behaviour of `landfall-pool`, through its public API.
#![forbid(unsafe_code)]

mod backends;
mod balance;
mod build;
mod cancel;
mod claims;
mod counts;
mod ending;
mod events;
mod fake;
mod harness;
mod issues;
mod log;
mod outages;
mod panics;
mod spans;
mod storm;
mod upkeep;
