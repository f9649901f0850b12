//! The behaviour of `landfall-pool`, through its public API.
#![forbid(unsafe_code)]

mod backends;
mod build;
mod cancel;
mod claims;
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
mod storm;
mod threads;
#[cfg(feature = "tower")]
mod tower;
mod upkeep;
