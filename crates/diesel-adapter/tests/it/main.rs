//! The behaviour of `landfall-diesel-adapter`, through its public API.
#![forbid(unsafe_code)]

mod bad_input;
mod cancel;
mod ending;
mod files;
mod give_up;
mod harness;
#[cfg(feature = "postgres")]
mod postgres;
mod run;
mod runtimes;
mod transactions;
