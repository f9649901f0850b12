//! The scenarios. Each takes its setting and sizes, and gives what it found.

pub mod restarts;
