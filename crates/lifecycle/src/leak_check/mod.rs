//! Leaks found: what a process holds that it did not hold before.
//!
//! [`Footprint`] tells what a process holds, [`Footprint::since`] what of it is new, each as a [`Leak`] with its
//! [`Kind`], its name and, where it can be known, its place.

mod footprint;
mod leak;

pub use footprint::{DescriptorSeen, Footprint, FootprintError, ProcessSeen, SocketSeen, ThreadSeen};
pub use leak::{Kind, Leak};
