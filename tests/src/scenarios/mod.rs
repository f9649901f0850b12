//! The scenarios. Each takes its setting and sizes, and gives what it found.

pub mod bad_input;
pub mod busy_service;
pub mod disk_full;
pub mod hanging_sink;
pub mod restarts;
pub mod signals;
