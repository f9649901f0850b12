//! The behaviour of the stub, through its public interface, against the runtime of the tests.
#![forbid(unsafe_code)]

mod events;
mod harness;
mod life;
