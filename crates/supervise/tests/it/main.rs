//! What the supervisor does, through its public interface.

mod calls;
mod cancel;
mod components;
mod conformance;
mod contract;
mod dynamic;
mod ends;
mod harness;
mod hostile;
mod names;
mod nested;
mod order;
mod panics;
mod partitions;
mod shown;
mod specs;
mod stress;
mod tasks;
mod templates;
