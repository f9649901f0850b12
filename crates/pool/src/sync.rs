//! The synchronisation primitives of the pool, in one place so that a model checker can put its own here.
//!
//! They are lifecycle's: built with `--cfg landfall_loom`, loom's. `Arc` is std's in every build, and so is the flag that
//! tells why the gate is closed: errors alone read it. Tokio's `Notify` and the tokens count as one step each.

pub(crate) use landfall_lifecycle::internal::{Mutex, MutexGuard, Notify, atomic};
