//! What the supervisor does, through its public interface.

mod calls;
mod cancel;
mod components;
mod conformance;
mod contract;
mod ends;
mod errors;
mod harness;
mod nested;
mod order;
mod panics;
mod places;
mod shown;
mod specs;
mod stress;
