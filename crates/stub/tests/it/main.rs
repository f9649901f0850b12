//! The behaviour of the stub, through its public interface, against the runtime of the tests.
#![forbid(unsafe_code)]

mod bad_input;
mod cancel;
mod defects;
mod ending;
mod events;
mod harness;
mod life;
mod log;
mod matrix;
mod plugin_type;
mod reconnect;
mod updates;
