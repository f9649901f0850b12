//! What the supervisor does, through its public interface.

#[cfg(feature = "backlog")]
mod backlog;
mod calls;
mod cancel;
mod components;
mod conformance;
mod contract;
mod dynamic;
mod ends;
mod errors;
mod harness;
mod hostile;
mod leaks;
mod names;
mod nested;
mod order;
mod panics;
mod partitions;
mod places;
mod shown;
mod spans;
mod specs;
mod stress;
mod tasks;
mod templates;
