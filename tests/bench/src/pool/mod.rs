//! `Pool` beside the pools that others offer.

mod backend;
mod candidates;
mod contended;
mod load;
mod warm;

pub use contended::contended;
pub use warm::warm;
