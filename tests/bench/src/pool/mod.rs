//! `Pool` beside the pools that others offer.

mod backend;
mod backends;
mod candidates;
mod contended;
mod end;
mod flaky;
mod idle;
mod load;
mod outage;
mod pools;
mod warm;

pub use contended::contended;
pub use idle::bytes;
pub use warm::warm;

use crate::{Findings, Options};

/// Measures what backends that fail do to a pool.
#[must_use]
pub fn faults(options: &Options) -> Findings {
    outage::findings(options).and(flaky::findings(options))
}

/// Measures what becomes of several backends of which some fail.
#[must_use]
pub fn backends(options: &Options) -> Findings {
    backends::findings(options)
}

/// Measures what a pool costs that is not used, and how it ends.
#[must_use]
pub fn quiet(options: &Options) -> Findings {
    idle::findings(options).and(end::findings(options))
}
