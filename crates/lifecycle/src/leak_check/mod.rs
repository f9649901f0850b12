//! Leaks found: what a process holds that it did not hold before.
//!
//! [`Footprint`] tells what a process holds, [`Footprint::since`] what of it is new, each as a [`Leak`] with its
//! [`Kind`], its name and, where it can be known, its place.

mod footprint;
mod foreign;
mod hold;
mod leak;

use std::time::Duration;

use serde::Serializer;

pub use footprint::{DescriptorSeen, Footprint, FootprintError, ProcessSeen, SocketSeen, ThreadSeen};
#[cfg(tokio_unstable)]
pub(crate) use foreign::own;
pub use foreign::{ForeignTask, Foreigners};
pub use hold::{HeldTask, HoldError, HoldPoint, Stage, Standing};
pub use leak::{Kind, Leak};

/// For `serialize_with`: whole milliseconds, rounded down.
fn millis<S: Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(span.as_millis()).unwrap_or(u64::MAX))
}
