//! The client through its interface, in front of a scripted cluster.

mod cancel;
mod cluster;
mod consume;
mod ends;
mod harness;
mod log;
mod lost;
mod produce;
mod program;
mod refused;
mod serve;
