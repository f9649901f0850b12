//! `Pool` beside the pools that others offer.

mod backend;
mod candidates;
mod contended;
mod flaky;
mod load;
mod outage;
mod pools;
mod warm;

pub use contended::contended;
pub use warm::warm;

use crate::{Findings, Options};

/// Measures what backends that fail do to a pool.
#[must_use]
pub fn faults(options: &Options) -> Findings {
    outage::findings(options).and(flaky::findings(options))
}
