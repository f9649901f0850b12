//! What the fuzz targets of this crate run, and its tests on the inputs that were kept: one function for each target.
//!
//! Each takes any bytes, and panics if something is not as it must be.

mod request;
mod stub;

pub use self::request::request;
pub use self::stub::stub;
pub use crate::wire::{mux_frame, ttrpc_header};
