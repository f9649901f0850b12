//! Programs `bench-..`: our crates beside the tools that others offer for the same. `cargo xtask bench` starts them,
//! judges their figures and shows them.
//!
//! All that is compared is measured in one process, in rounds: each round measures every contender once, so that what
//! else the machine does falls on all of them alike.
#![forbid(unsafe_code)]

mod cell;
mod contest;
mod findings;
mod flavour;
mod memory;
mod options;

pub mod lifecycle;
pub mod pool;
pub mod stub;
pub mod supervise;

pub use cell::{Bound, Cell, Series};
pub use contest::{Contender, contest};
pub use findings::Findings;
pub use memory::live_bytes;
pub use options::{Options, Plant};
