//! What the crates that stand on this one share with it. No part of the interface: it may change with any release.

pub use crate::block_on::block_on;
#[cfg(any(landfall_loom, landfall_shuttle))]
pub use crate::explore::explore;
pub use crate::panics::{contain, dispose, into_message, log, wake};
pub use crate::sync::{Mutex, MutexGuard, Notify, atomic};
