//! The behaviour of `landfall-lifecycle`, through its public API.
#![forbid(unsafe_code)]

mod blocking;
#[cfg(feature = "testing")]
mod cancel;
#[cfg(feature = "test-clock")]
mod clock;
mod closing;
#[cfg(feature = "testing")]
mod contract;
mod drain;
mod dropped;
mod harness;
mod hooks;
mod log;
mod outcomes;
mod panic_places;
mod panics;
mod races;
mod real_time;
mod reentry;
mod refusal;
mod registry;
mod runtimes;
mod self_join;
#[cfg(feature = "serving")]
mod serving;
mod sharing;
mod shutdown;
mod spans;
mod stack;
mod stack_ends;
mod threads;
mod tracked;
