//! The leak check, with a planted fault for every detector: what is left must be found, and nothing else.
#![cfg(target_os = "linux")]

mod alone;
mod faults;
mod footprint;
mod guard;
mod hold;
mod quiet;
