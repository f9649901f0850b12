//! The behaviour of `landfall-pool`, through its public API.
#![forbid(unsafe_code)]

mod backends;
mod balance;
mod build;
mod cancel;
mod claims;
mod counts;
#[cfg(feature = "dns")]
mod dns;
mod ending;
mod events;
mod fake;
mod harness;
mod issues;
mod log;
mod outages;
mod panics;
mod ranks;
mod resolvers;
mod spans;
mod storm;
mod threads;
#[cfg(feature = "tower")]
mod tower;
mod upkeep;
